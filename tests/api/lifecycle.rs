//! Starting, being full, and stopping.

use bedrock_sim::{Outcome, Scenario};
use serde_json::json;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use redraft::app::App;
use redraft::inference::{BackendError, Completion, ModelBackend, ModelCall, ModelEvent, ModelStream};
use tokio_util::sync::CancellationToken;

use crate::support::{Request, TestApp, load, series};
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
async fn once_asked_to_stop_it_is_not_ready_and_takes_no_new_work() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::Trickle { gap_ms: 30 });
    let mut stream = app.post("/v1/rephrase?stream=sse", json!({"text": BODY.repeat(8)})).open().await;
    stream.read_until(|text| text.contains("event: delta")).await;
    assert_eq!(app.metric("redraft_ready", &[]).await, 1.0);
    app.shutdown.cancel();
    let not_ready = |text: &str| text.contains("not ready");
    while !not_ready(&Request::get(app.ops, "/readyz").send().await.text()) {}
    assert_eq!(app.metric("redraft_ready", &[]).await, 0.0);
    assert!(stream.finish().await.text().contains("event: done"));
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_cut_when_the_drain_time_is_over() {
    let app = TestApp::with(&[("SHUTDOWN__DRAIN_MS", "100")]).await;
    app.sim.set_scenario("*", Scenario::Stall { after_deltas: 1, for_ms: None });
    let mut stream = app.post("/v1/summarize?stream=sse", json!({"text": BODY})).open().await;
    stream.read_until(|text| text.contains("event: delta")).await;
    assert!(!app.stop().await, "it says that something was cut");
}

/// A defect in the middle of the work.
struct Panicking;

impl ModelBackend for Panicking {
    fn complete<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        Box::pin(async { panic!("a defect") })
    }

    fn stream<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        Box::pin(async { panic!("a defect") })
    }
}

#[tokio::test]
async fn a_panic_is_a_500_that_is_counted_and_the_process_lives_on() {
    let app = App::build_over(Arc::new(Panicking), &load(&[])).await.unwrap();
    let addresses = app.addresses().unwrap();
    let shutdown = CancellationToken::new();
    let _ends = shutdown.clone().drop_guard();
    tokio::spawn(app.run(shutdown));
    for _ in 0..2 {
        let request =
            Request::post(addresses.public, "/v1/summarize").header("content-type", "application/json");
        let answer =
            request.header("x-request-id", "panic-1").body(json!({"text": BODY}).to_string()).send().await;
        let problem = assert_problem(&answer, 500, "internal");
        assert_eq!(problem["request_id"], "panic-1");
        assert!(!answer.text().contains("defect"));
    }
    let metrics = Request::get(addresses.ops, "/metrics").send().await.text();
    assert_eq!(series(&metrics, "redraft_panics_total", &[]), Some(2.0));
    let labels = [
        ("task", "summarize"),
        ("stream", "json"),
        ("outcome", "internal_error"),
        ("error", "internal"),
        ("api", "v1"),
    ];
    assert_eq!(series(&metrics, "redraft_requests_total", &labels), Some(2.0));
    assert_eq!(series(&metrics, "redraft_admission_inflight", &[]), Some(0.0));
}

/// A defect after the first word.
struct PanickingStream;

impl ModelBackend for PanickingStream {
    fn complete<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        Box::pin(async { panic!("a defect") })
    }

    fn stream<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        let events = [ModelEvent::Started, ModelEvent::Text("A word. ".to_owned())].map(Ok);
        let defect = stream::once(async { panic!("a defect") });
        Box::pin(async { Ok(stream::iter(events).chain(defect).boxed()) })
    }
}

#[tokio::test]
async fn a_panic_in_mid_stream_is_an_error_event_that_is_counted_and_the_process_lives_on() {
    let app = App::build_over(Arc::new(PanickingStream), &load(&[])).await.unwrap();
    let addresses = app.addresses().unwrap();
    let shutdown = CancellationToken::new();
    let _ends = shutdown.clone().drop_guard();
    tokio::spawn(app.run(shutdown));
    let ask = |path: &str| {
        let request = Request::post(addresses.public, path).header("content-type", "application/json");
        request.body(json!({"text": BODY}).to_string()).send()
    };
    let sse = ask("/v1/summarize?stream=sse").await;
    let ndjson = ask("/v1/summarize?stream=ndjson").await;
    assert!(!sse.cut && !ndjson.cut && !sse.text().contains("defect"));
    for stream in [sse.sse(), ndjson.ndjson()] {
        stream.assert_grammar();
        assert_eq!((stream.outline(), stream.text().as_str()), (vec!["start", "delta", "error"], "A word. "));
        let error = stream.one("error");
        assert_eq!((&error["code"], &error["partial"]), (&json!("internal"), &json!(true)));
    }
    let text = ask("/v1/summarize?stream=text").await;
    assert!(text.cut && text.text() == "A word. ", "plain text breaks off: {}", text.text());
    let metrics = Request::get(addresses.ops, "/metrics").send().await.text();
    assert_eq!(series(&metrics, "redraft_panics_total", &[]), Some(3.0));
    assert_eq!(series(&metrics, "redraft_admission_inflight", &[]), Some(0.0));
    for dialect in ["sse", "ndjson", "text"] {
        let ends = [("stream", dialect), ("reason", "error")];
        assert_eq!(series(&metrics, "redraft_stream_terminations_total", &ends), Some(1.0), "{dialect}");
        assert_eq!(series(&metrics, "redraft_streams_active", &[("stream", dialect)]), Some(0.0));
        let labels = [
            ("task", "summarize"),
            ("stream", dialect),
            ("outcome", "internal_error"),
            ("error", "internal"),
            ("api", "v1"),
        ];
        assert_eq!(series(&metrics, "redraft_requests_total", &labels), Some(1.0), "{dialect}");
    }
    assert_eq!(ask("/v1/summarize").await.status, 500);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_sent_away() {
    use tokio::io::AsyncReadExt as _;
    let app = TestApp::with(&[("HTTP__HEADER_READ_MS", "100")]).await;
    let mut silent = tokio::net::TcpStream::connect(app.api).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(app.api).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut half, b"GET /livez HTTP/1.1\r\nhost:").await.unwrap();
    let mut undecided = tokio::net::TcpStream::connect(app.api).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut undecided, b"P").await.unwrap();
    for (what, stream) in
        [("silent", &mut silent), ("half a head", &mut half), ("one letter", &mut undecided)]
    {
        let mut rest = Vec::new();
        let end =
            tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "{what}: the connection was ended");
    }
}

#[tokio::test]
async fn a_call_that_was_abandoned_is_booked_as_an_estimate() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let waiting = tokio::spawn(app.post("/v1/summarize", json!({"text": BODY})).send());
    app.call(|_| true).await;
    waiting.abort();
    app.call(|call| call.outcome == Outcome::ClientGone).await;
    let labels = [("task", "summarize"), ("model", &*chain.first), ("direction", "input")];
    let cancelled = [("model", &*chain.first), ("outcome", "cancelled"), ("stage", "single")];
    assert_eq!(app.metric("redraft_model_calls_total", &cancelled).await, 1.0);
    assert!(app.metric("redraft_tokens_total", &labels).await > 100.0, "the prompt was sent");
}

#[tokio::test]
async fn a_client_that_stops_reading_is_given_up_and_its_place_is_free() {
    use tokio::io::AsyncWriteExt as _;
    let app = TestApp::with(&[("HTTP__WRITE_MS", "200")]).await;
    // More text than the sockets between here and the service can hold.
    let first = app.default_chain().await.first;
    app.sim.set_scenario(&first, Scenario::HugeDelta { bytes: 8_000_000 });
    let body = json!({"text": "One sentence."}).to_string();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(app.api).await.unwrap();
    let head = format!(
        "POST /v1/rephrase?stream=sse HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    app.call(|call| call.deltas_sent > 0).await;
    let labels = [("stream", "sse"), ("reason", "client_disconnect")];
    while app.metric("redraft_stream_terminations_total", &labels).await < 1.0 {}
    assert_eq!(app.metric("redraft_admission_inflight", &[]).await, 0.0);
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_until_one_ends() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const REQUEST: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let app = TestApp::with(&[("HTTP__MAX_CONNECTIONS", "2")]).await;
    let held = [
        tokio::net::TcpStream::connect(app.api).await.unwrap(),
        tokio::net::TcpStream::connect(app.api).await.unwrap(),
    ];
    // Both have been accepted once the second one has been answered.
    let [first, mut second] = held;
    second.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    second.read_exact(&mut byte).await.unwrap();
    let mut third = tokio::net::TcpStream::connect(app.api).await.unwrap();
    third.write_all(REQUEST).await.unwrap();
    let waits = tokio::time::timeout(std::time::Duration::from_millis(200), third.read(&mut byte)).await;
    assert!(waits.is_err(), "the third one waits in the backlog");
    drop(first);
    let mut answer = String::new();
    let answered = third.read_to_string(&mut answer);
    tokio::time::timeout(std::time::Duration::from_secs(10), answered).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
