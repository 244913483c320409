//! What is left of a request that failed: its retry makes only the calls that had not
//! succeeded. What is left of one that succeeded: nothing.

use bedrock_sim::{ApiError, Operation, Scenario};
use serde_json::{Value, json};

use super::asked::{Stage, asked, mark_of, parts};
use super::{all_ended, answered, app, book, streamed, summary_of, told};
use crate::support::TestApp;
use crate::support::book::Book;

const ONE_TRY: (&str, &str) = ("ROUTING__MAX_RETRIES", "0");

/// A service at which a request has just failed at its middle part; the number of
/// all parts and of the answers it had by then.
async fn failed(path: &str, body: &Value, parallel: &'static str) -> (TestApp, usize, usize) {
    let app = app(&[ONE_TRY, ("FANOUT__MAX_PARALLEL", parallel)]).await;
    answered(&app, path, body).await;
    let well = asked(&app).await;
    let parts = parts(&well);
    let (total, middle) = (parts.len(), parts.len().div_ceil(2));
    let contains = mark_of(&parts, middle).to_owned();
    app.sim.set_scenario("*", Scenario::ErrorWhen { contains, error: ApiError::ModelError });
    let failed = app.post(path, body.clone()).send().await;
    assert_eq!(failed.status, 502, "{}", failed.text());
    all_ended(&app).await;
    app.sim.clear_scenarios();
    app.sim.clear_calls();
    (app, total, middle - 1)
}

#[tokio::test]
async fn a_retry_makes_only_the_calls_that_had_not_succeeded() {
    let text = book().text;
    for (path, body, merges) in [
        ("/v1/rephrase", json!({"text": text}), 0),
        ("/v1/summarize", summary_of(&text), 1),
        // The last part makes the answer.
        ("/v1/summarize", json!({"text": text, "strategy": "refine"}), 0),
    ] {
        let (app, total, done) = failed(path, &body, "1").await;
        let stream = streamed(&app, path, &body).await;
        assert_eq!(told(&stream, "cached"), done, "{path} {}", body["strategy"]);
        assert_eq!(app.sim.calls().len(), total - done + merges);
        assert_eq!(stream.one("usage")["usage"]["model_calls"], total - done + merges);
        assert_eq!(stream.one("done")["chunks"]["failed"], 0);
        app.sim.clear_calls();
        let again = streamed(&app, path, &body).await;
        assert_eq!(told(&again, "cached"), 0, "{path}: a success leaves nothing");
        assert_eq!(app.sim.calls().len(), total + merges);
        assert_eq!(again.text(), stream.text());
    }
}

#[tokio::test]
async fn parts_that_ran_side_by_side_are_kept_too() {
    let body = json!({"text": book().text});
    let (app, total, _) = failed("/v1/rephrase", &body, "3").await;
    let stream = streamed(&app, "/v1/rephrase", &body).await;
    let cached = told(&stream, "cached");
    assert!(cached > 0);
    assert_eq!(app.sim.calls().len() + cached, total);
}

#[tokio::test]
async fn what_was_asked_otherwise_shares_nothing() {
    let text = book().text;
    let body = json!({"text": text});
    let (app, total, done) = failed("/v1/rephrase", &body, "1").await;
    assert!(done > 0);
    for other in [
        json!({"text": text, "tone": "more-casual"}),
        json!({"text": text, "style": "simple"}),
        json!({"text": text, "length": "shorter"}),
        json!({"text": text, "context": "A letter."}),
        json!({"text": text, "output_language": "de"}),
        json!({"text": text, "chain": "alone"}),
        json!({"text": text.replace("the", "that")}),
    ] {
        app.sim.clear_calls();
        let stream = streamed(&app, "/v1/rephrase", &other).await;
        assert_eq!(told(&stream, "cached"), 0, "{:?}", other.as_object().unwrap().keys());
        let calls = app.sim.calls();
        let parts = stream.one("start")["chunks_total"].as_u64().unwrap();
        assert_eq!(calls.len() as u64, parts);
        assert!(calls.iter().all(|call| call.operation != Operation::CountTokens));
    }
    app.sim.clear_calls();
    let stream = streamed(&app, "/v1/rephrase", &body).await;
    assert_eq!((told(&stream, "cached"), app.sim.calls().len()), (done, total - done));
}

#[tokio::test]
async fn what_was_left_by_its_reader_is_kept_for_the_next_try() {
    let app = app(&[("FANOUT__MAX_PARALLEL", "1")]).await;
    let body = json!({"text": book().text});
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    app.sim.set_scenario_times("*", Scenario::Normal, 3);
    let stream = app.post("/v1/rephrase?stream=sse", body.clone()).open().await;
    app.call(|call| call.sequence == 4).await;
    drop(stream);
    app.until_metric("redraft_admission_inflight", &[], 0.0).await;
    app.sim.clear_scenarios();
    let stream = streamed(&app, "/v1/rephrase", &body).await;
    assert_eq!(told(&stream, "cached"), 3);
}

#[tokio::test]
async fn nothing_is_kept_where_nothing_may_be() {
    let app = app(&[ONE_TRY, ("DOCUMENTS__KEEP_MAX_BYTES", "0"), ("FANOUT__MAX_PARALLEL", "1")]).await;
    let body = json!({"text": book().text});
    let answer = answered(&app, "/v1/rephrase", &body).await;
    let total = usize::try_from(answer["chunks"]["total"].as_u64().unwrap()).unwrap();
    app.sim.set_scenario("*", Scenario::Error { error: ApiError::ModelError });
    app.sim.set_scenario_times("*", Scenario::Normal, 3);
    assert_eq!(app.post("/v1/rephrase", body.clone()).send().await.status, 502);
    app.sim.clear_scenarios();
    app.sim.clear_calls();
    let stream = streamed(&app, "/v1/rephrase", &body).await;
    assert_eq!((told(&stream, "cached"), app.sim.calls().len()), (0, total));
}

#[tokio::test]
async fn parts_are_kept_when_a_merge_fails_and_a_second_failure_loses_nothing() {
    let app = app(&[ONE_TRY]).await;
    let mut body = summary_of(&Book::small(40, 40_000).text);
    body["chain"] = json!("narrow");
    // The answer is the only call that is about so many parts.
    let contains = "[Parts 1 to ".to_owned();
    app.sim.set_scenario("*", Scenario::ErrorWhen { contains, error: ApiError::ModelError });
    let mut paid = 0;
    for _ in 0..2 {
        let failed = app.post("/v1/summarize", body.clone()).send().await;
        assert_eq!(failed.status, 502, "{}", failed.text());
        let calls = asked(&app).await;
        assert_eq!(calls.iter().filter(|call| call.stage == Stage::Answer).count(), 2, "once for each model");
        paid += parts(&calls).len();
        app.sim.clear_calls();
    }
    app.sim.clear_scenarios();
    let stream = streamed(&app, "/v1/summarize", &body).await;
    let total = stream.one("start")["chunks_total"].as_u64().unwrap();
    assert_eq!((paid as u64, told(&stream, "cached") as u64), (total, total));
    assert_eq!(parts(&asked(&app).await).len(), 0);
}
