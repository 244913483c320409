//! Starting, being full, and stopping.

use bedrock_sim::{Outcome, Scenario};
use serde_json::json;

use crate::support::TestApp;
use crate::validation::assert_problem;

const BODY: &str = "A door. A key. A lock.";

#[tokio::test]
async fn requests_beyond_the_limits_are_refused_at_once_and_say_when_to_come_back() {
    let app = TestApp::with(&[("ADMISSION__MAX_RUNNING", "1"), ("ADMISSION__MAX_WAITING", "0")]).await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let running = tokio::spawn(app.post("/v1/summarize", json!({"text": BODY})).send());
    app.call(|_| true).await;
    for path in ["/v1/summarize", "/v1/summarize?stream=sse", "/v1/summarize?stream=text"] {
        let refused = app.post(path, json!({"text": BODY})).send().await;
        assert_problem(&refused, 503, "overloaded");
        assert!(!refused.header("retry-after").is_empty());
    }
    assert_eq!(app.metric("redraft_admission_rejected_total", &[("reason", "queue_full")]).await, 3.0);
    running.abort();
    app.call(|call| call.outcome == Outcome::ClientGone).await;
    app.sim.clear_scenarios();
    let answer = app.post("/v1/summarize", json!({"text": BODY})).send().await;
    assert_eq!(answer.status, 200, "the place is free again: {}", answer.text());
}

#[tokio::test]
async fn a_stream_that_runs_is_finished_before_the_service_ends() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::Trickle { gap_ms: 30 });
    let mut stream = app.post("/v1/rephrase?stream=sse", json!({"text": BODY.repeat(5)})).open().await;
    stream.read_until(|text| text.contains("event: delta")).await;
    app.shutdown.cancel();
    let rest = stream.finish().await;
    assert!(!rest.cut);
    assert!(rest.text().contains("event: done"), "{}", rest.text());
    assert!(app.stop().await, "everything ended by itself");
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_cut_when_the_drain_time_is_over() {
    let app = TestApp::with(&[("SHUTDOWN__DRAIN_MS", "100")]).await;
    app.sim.set_scenario("*", Scenario::Stall { after_deltas: 1, for_ms: None });
    let mut stream = app.post("/v1/summarize?stream=sse", json!({"text": BODY})).open().await;
    stream.read_until(|text| text.contains("event: delta")).await;
    assert!(!app.stop().await, "it says that something was cut");
}
