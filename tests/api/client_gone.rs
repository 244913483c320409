//! Callers that leave: the model's call ends within a second, wherever the request
//! is, and what it used is counted.

use std::time::{Duration, SystemTime};

use bedrock_sim::{ApiError, CallRecord, Outcome, Scenario};
use serde_json::{Value, json};

use crate::support::TestApp;

const BODY: &str = "A door. A key. A lock.";
const AT_MOST: Duration = Duration::from_secs(1);
/// Where no call shows the end, the metrics do, and a scrape takes its time.
const AS_SEEN_BY_METRICS: Duration = Duration::from_secs(3);

fn body() -> Value {
    json!({"text": BODY})
}

/// The call whose caller left, ended in time.
async fn ended_upstream(app: &TestApp, left: SystemTime) -> CallRecord {
    let call = app.call(|call| call.outcome == Outcome::ClientGone).await;
    assert!(left.elapsed().unwrap() < AT_MOST, "{:?}", left.elapsed());
    call
}

/// Checks what is left of one cancelled request.
async fn assert_gone(app: &TestApp, (stream, family): (&str, &str), calls: usize) {
    app.until_metric("redraft_admission_inflight", &[], 0.0).await;
    let labels = [
        ("task", "summarize"),
        ("stream", stream),
        ("outcome", "cancelled"),
        ("error", "cancelled"),
        ("api", family),
    ];
    app.until_metric("redraft_requests_total", &labels, 1.0).await;
    assert_eq!(app.models_called().len(), calls, "{stream}");
    app.until_metric("redraft_streams_active", &[("stream", "sse")], 0.0).await;
}

#[tokio::test]
async fn whole_answers_end_upstream_with_their_caller() {
    for (path, family) in [("/v1/summarize", "v1"), ("/api/summarize", "compat")] {
        let app = TestApp::start().await;
        let chain = app.default_chain().await;
        app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
        let request = tokio::spawn(app.post(path, body()).send());
        app.call(|_| true).await;
        let left = SystemTime::now();
        request.abort();
        ended_upstream(&app, left).await;
        assert_gone(&app, ("json", family), 1).await;
        let input = [("task", "summarize"), ("model", &*chain.first), ("direction", "input")];
        assert!(app.metric("redraft_tokens_total", &input).await > 100.0, "{path}: the prompt was sent");
    }
}

#[tokio::test]
async fn streams_end_upstream_with_their_reader() {
    for dialect in ["sse", "ndjson", "text"] {
        let app = TestApp::start().await;
        let chain = app.default_chain().await;
        app.sim.set_scenario("*", Scenario::Stall { after_deltas: 1, for_ms: None });
        let mut stream = app.post(&format!("/v1/summarize?stream={dialect}"), body()).open().await;
        stream.read_until(|text| text.contains("delta") || (dialect == "text" && !text.is_empty())).await;
        let left = SystemTime::now();
        drop(stream);
        assert_eq!(ended_upstream(&app, left).await.deltas_sent, 1);
        assert_gone(&app, (dialect, "v1"), 1).await;
        let ends = [("stream", dialect), ("reason", "client_disconnect")];
        assert_eq!(app.metric("redraft_stream_terminations_total", &ends).await, 1.0);
        let cancelled = [("model", &*chain.first), ("outcome", "cancelled"), ("stage", "single")];
        assert_eq!(app.metric("redraft_model_calls_total", &cancelled).await, 1.0);
        for direction in ["input", "output"] {
            let labels = [("task", "summarize"), ("model", &*chain.first), ("direction", direction)];
            assert!(app.metric("redraft_tokens_total", &labels).await > 0.0, "{dialect} {direction}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_waits_for_its_first_word_ends_with_its_reader_too() {
    for dialect in ["sse", "ndjson", "text"] {
        let app = TestApp::start().await;
        app.sim.set_scenario("*", Scenario::SlowFirstDelta { wait_ms: 600_000 });
        let request = tokio::spawn(app.post(&format!("/v1/summarize?stream={dialect}"), body()).send());
        app.call(|_| true).await;
        let left = SystemTime::now();
        request.abort();
        ended_upstream(&app, left).await;
        assert_gone(&app, (dialect, "v1"), 1).await;
    }
}

#[tokio::test]
async fn who_leaves_the_queue_calls_no_model_and_leaves_its_place() {
    for path in ["/v1/summarize", "/v1/summarize?stream=sse", "/api/summarize"] {
        let app = TestApp::with(&[("ADMISSION__MAX_RUNNING", "1"), ("ADMISSION__MAX_WAITING", "1")]).await;
        app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
        let running = tokio::spawn(app.post("/v1/summarize", body()).send());
        app.until_metric("redraft_admission_inflight", &[], 1.0).await;
        for _ in 0..2 {
            let waiting = tokio::spawn(app.post(path, body()).send());
            app.until_metric("redraft_admission_queued", &[], 1.0).await;
            let left = SystemTime::now();
            waiting.abort();
            app.until_metric("redraft_admission_queued", &[], 0.0).await;
            assert!(left.elapsed().unwrap() < AS_SEEN_BY_METRICS, "{path}");
        }
        running.abort();
        app.call(|call| call.outcome == Outcome::ClientGone).await;
        app.until_metric("redraft_admission_inflight", &[], 0.0).await;
        assert_eq!(app.models_called().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn who_leaves_during_a_back_off_causes_no_further_call() {
    for (path, stream, family) in [
        ("/v1/summarize", "json", "v1"),
        ("/v1/summarize?stream=sse", "sse", "v1"),
        ("/v1/summarize?stream=ndjson", "ndjson", "v1"),
        ("/v1/summarize?stream=text", "text", "v1"),
        ("/api/summarize", "json", "compat"),
    ] {
        let settings = [("ROUTING__BACKOFF_BASE_MS", "9000"), ("ROUTING__BACKOFF_CAP_MS", "9000")];
        let app = TestApp::with(&settings).await;
        let chain = app.default_chain().await;
        app.fail(&chain.first, ApiError::ServiceUnavailable);
        let request = tokio::spawn(app.post(path, body()).send());
        let retried = [("model", &*chain.first), ("reason", "unavailable")];
        app.until_metric("redraft_retries_total", &retried, 1.0).await;
        let left = SystemTime::now();
        request.abort();
        assert_gone(&app, (stream, family), 1).await;
        assert!(left.elapsed().unwrap() < AS_SEEN_BY_METRICS, "{stream}: the back-off takes longer");
    }
}
