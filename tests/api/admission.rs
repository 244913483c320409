//! Being full: who is refused, when, and what it is told.

use bedrock_sim::{Outcome, Scenario};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::{Answer, TestApp};
use crate::validation::assert_problem;

const BODY: &str = "A door. A key. A lock.";
const PATHS: [&str; 4] =
    ["/v1/summarize", "/v1/summarize?stream=sse", "/v1/summarize?stream=ndjson", "/v1/summarize?stream=text"];

fn body() -> Value {
    json!({"text": BODY})
}

/// A request that runs until it is aborted.
async fn occupy(app: &TestApp) -> JoinHandle<Answer> {
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let running = tokio::spawn(app.post("/v1/summarize", body()).send());
    app.until_metric("redraft_admission_inflight", &[], 1.0).await;
    running
}

#[tokio::test]
async fn who_would_wait_for_more_than_half_of_its_time_is_refused_at_once() {
    let app = TestApp::with(&[("ADMISSION__MAX_RUNNING", "1"), ("ADMISSION__MAX_WAITING", "10")]).await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 1100 });
    assert_eq!(app.post("/v1/summarize", body()).send().await.status, 200);
    let running = occupy(&app).await;
    for path in PATHS {
        // A place comes back every 1.1 seconds; this one can wait for one.
        let refused = app.post(path, body()).header("x-request-timeout-ms", "2000").send().await;
        assert_problem(&refused, 503, "overloaded");
        assert_eq!(refused.header("retry-after"), "2");
        let wait: u64 = refused.header("retry-after-ms").parse().unwrap();
        assert!((1100..2000).contains(&wait), "{wait}");
    }
    assert_eq!(app.metric("redraft_admission_rejected_total", &[("reason", "queue_full")]).await, 4.0);
    let patient = tokio::spawn(app.post("/v1/summarize", body()).send());
    app.until_metric("redraft_admission_queued", &[], 1.0).await;
    let refused = app.post("/v1/summarize", body()).header("x-request-timeout-ms", "4000").send().await;
    assert_eq!(refused.header("retry-after"), "3", "one more is ahead");
    app.sim.clear_scenarios();
    running.abort();
    assert_eq!(patient.await.unwrap().status, 200);
}

#[tokio::test]
async fn who_waits_in_vain_is_refused_with_time_left_to_go_elsewhere() {
    let app = TestApp::with(&[("ADMISSION__MAX_RUNNING", "1")]).await;
    let running = occupy(&app).await;
    let started = std::time::SystemTime::now();
    let wait = |path| app.post(path, body()).header("x-request-timeout-ms", "1600").send();
    for refused in join_all(PATHS.map(wait)).await {
        assert_problem(&refused, 503, "overloaded");
        assert_eq!(refused.header("retry-after"), "2", "nothing is known yet");
    }
    let waited = started.elapsed().unwrap().as_millis();
    assert!((790..1600).contains(&waited), "{waited} ms of 1600");
    assert_eq!(app.metric("redraft_admission_rejected_total", &[("reason", "queue_timeout")]).await, 4.0);
    assert_eq!(app.metric("redraft_admission_queued", &[]).await, 0.0);
    running.abort();
    app.call(|call| call.outcome == Outcome::ClientGone).await;
}

#[tokio::test]
async fn bodies_that_are_being_sent_share_one_bound() {
    let app = TestApp::with(&[("HTTP__MAX_BODY_BYTES", "1000"), ("HTTP__MAX_BUFFERED_BYTES", "1000")]).await;
    let mut slow = TcpStream::connect(app.api).await.unwrap();
    let head = "POST /v1/summarize HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    let request = json!({"text": BODY.repeat(10)});
    let answer = app.post("/v1/summarize", request.clone()).send().await;
    assert_eq!(answer.status, 200, "what is announced does not count: {}", answer.text());
    slow.write_all(&[b' '; 900]).await.unwrap();
    let refused = loop {
        let answer = app.post("/v1/summarize", request.clone()).send().await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_problem(&refused, 503, "overloaded");
    assert_eq!((refused.header("connection"), refused.header("retry-after")), ("close", "2"));
    assert!(app.metric("redraft_admission_rejected_total", &[("reason", "buffers_full")]).await >= 1.0);
    drop(slow);
    while app.post("/v1/summarize", request.clone()).send().await.status != 200 {}
}

#[tokio::test]
async fn bodies_of_requests_that_wait_count_and_those_of_running_ones_do_not() {
    let app = TestApp::with(&[
        ("ADMISSION__MAX_RUNNING", "1"),
        ("HTTP__MAX_BODY_BYTES", "1000"),
        ("HTTP__MAX_BUFFERED_BYTES", "1000"),
    ])
    .await;
    let request = json!({"text": BODY.repeat(30)});
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let running = tokio::spawn(app.post("/v1/summarize", request.clone()).send());
    app.until_metric("redraft_admission_inflight", &[], 1.0).await;
    let waiting = tokio::spawn(app.post("/v1/summarize", request.clone()).send());
    app.until_metric("redraft_admission_queued", &[], 1.0).await;
    let refused = app.post("/api/summarize", request.clone()).send().await;
    assert_eq!(refused.status, 503);
    assert_eq!(app.metric("redraft_admission_rejected_total", &[("reason", "buffers_full")]).await, 1.0);
    app.sim.clear_scenarios();
    running.abort();
    assert_eq!(waiting.await.unwrap().status, 200);
    assert_eq!(app.post("/v1/summarize", request).send().await.status, 200, "all of it came back");
}
