//! Parts of one document that take the places of a model from each other.

use bedrock_sim::Scenario;
use serde_json::json;

use super::{app, summary_of};
use crate::support::book::Book;

/// The places of a model that takes few calls are all taken by the document itself: its
/// parts wait for each other, however long that takes.
#[tokio::test]
async fn parts_wait_for_each_other_at_a_model_that_takes_few_calls() {
    let app = app(&[
        ("ADAPTIVE__MAX_IN_FLIGHT", "2"),
        ("FANOUT__MAX_PARALLEL", "8"),
        ("ROUTING__PLACE_WAIT_MS", "50"),
    ])
    .await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 300 });
    let mut body = summary_of(&Book::small(20, 12_000).text);
    body["chain"] = json!("alone");
    let answer = app.post("/v1/summarize", body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["chunks"]["total"].as_u64().unwrap() > 4);
    assert!(app.sim.peak_concurrency(|_| true) <= 2);
}

/// A burst that the provider throttles slows a document down; it does not end it.
#[tokio::test]
async fn a_throttled_burst_slows_a_document_down_and_does_not_end_it() {
    let app = app(&[("FANOUT__MAX_PARALLEL", "6"), ("ROUTING__BACKOFF_BASE_MS", "20")]).await;
    app.sim.set_scenario("*", Scenario::TokenBucket { capacity: 3, refill_per_second: 12.0 });
    let mut body = summary_of(&Book::small(20, 12_000).text);
    body["chain"] = json!("alone");
    let answer = app.post("/v1/summarize", body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["chunks"]["total"].as_u64().unwrap() > 4);
}

/// Much longer than any single wait: what counts is that answers go on coming.
#[tokio::test]
async fn a_document_outlasts_a_quota_far_below_its_calls() {
    let app = app(&[("FANOUT__MAX_PARALLEL", "6"), ("ROUTING__BACKOFF_BASE_MS", "20")]).await;
    app.sim.set_scenario("*", Scenario::TokenBucket { capacity: 1, refill_per_second: 2.5 });
    for strategy in ["map-reduce", "refine"] {
        let mut body = summary_of(&Book::small(12, 7_000).text);
        body["chain"] = json!("alone");
        body["strategy"] = json!(strategy);
        let answer = app.post("/v1/summarize", body).send().await;
        assert_eq!(answer.status, 200, "{strategy}: {}", answer.text());
        assert!(answer.json()["chunks"]["total"].as_u64().unwrap() > 3, "{strategy}");
    }
}

/// The call that makes the answer waits for its place as every part does.
#[tokio::test]
async fn the_last_call_waits_for_a_place_after_every_part_was_paid() {
    let app = app(&[("FANOUT__MAX_PARALLEL", "2"), ("ROUTING__MAX_RETRIES", "0")]).await;
    let mut body = summary_of(&Book::small(10, 6_000).text);
    body["chain"] = json!("alone");
    let parts = app.post("/v1/measure", {
        let mut body = body.clone();
        body["task"] = json!("summarize");
        body
    });
    let parts = parts.send().await.json()["chunks"].as_u64().unwrap();
    // As many calls at once as there are parts; the next place comes some time later.
    let capacity = u32::try_from(parts).unwrap();
    app.sim.set_scenario("*", Scenario::TokenBucket { capacity, refill_per_second: 1.0 });
    let answer = app.post("/v1/summarize", body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(answer["chunks"]["total"], parts);
    let throttled = answer["attempts"].as_array().unwrap().iter().filter(|call| call["error"] == "throttled");
    assert!(throttled.count() > 0, "{answer}");
}

/// A text of which not one word was written says so before anything is told.
#[tokio::test]
async fn a_text_that_nobody_can_write_tells_no_gaps() {
    let app = app(&[]).await;
    app.sim.set_scenario("*", Scenario::Error { error: bedrock_sim::ApiError::InternalServer });
    let body = json!({"text": Book::small(10, 6_000).text, "on_chunk_error": "skip"});
    let stream = app.post("/v1/rephrase?stream=sse", body).send().await.sse();
    assert_eq!(stream.all("delta").count(), 0);
    let error = stream.all("error").next().unwrap();
    assert_eq!(error.data["partial"], false, "{error:?}");
}
