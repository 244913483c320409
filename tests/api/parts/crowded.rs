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
