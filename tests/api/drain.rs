//! Going away: what a service that was asked to stop says, to whom, and for how long.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bedrock_sim::{Outcome, Scenario};
use redraft::app::App;
use redraft::inference::scripted::{ScriptedBackend, Turn};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::http2::{Http2, rest};
use crate::support::{Answer, OpenStream, Request, TestApp, load, series};
use crate::validation::assert_problem;

const BODY: &str = "A door. A key. A lock.";
const PATIENCE: Duration = Duration::from_secs(10);

fn body() -> Value {
    json!({"text": BODY})
}

/// A stream that has told something and then waits for its model for ever.
async fn stalled(app: &TestApp, dialect: &str) -> OpenStream {
    app.sim.set_scenario("*", Scenario::Stall { after_deltas: 1, for_ms: None });
    let mut stream = app.post(&format!("/v1/summarize?stream={dialect}"), body()).open().await;
    stream.read_until(|text| text.contains("delta") || (dialect == "text" && !text.is_empty())).await;
    stream
}

/// A connection that has had an answer and is kept for the next request.
async fn idle(app: &TestApp) -> TcpStream {
    let mut stream = TcpStream::connect(app.api).await.unwrap();
    assert!(ask_live(&mut stream).await.contains("200 OK"));
    stream
}

async fn ask_live(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut text = String::new();
    while !text.ends_with("ok\n") {
        let mut piece = [0; 1024];
        let length = timeout(PATIENCE, stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(length > 0, "an answer: {text}");
        text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
    }
    text
}

async fn assert_closed(stream: &mut TcpStream) {
    let end = timeout(PATIENCE, stream.read(&mut [0; 64])).await.expect("it ends");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

fn assert_turned_away(refused: &Answer) {
    assert_problem(refused, 503, "shutting_down");
    assert_eq!(refused.header("connection"), "close");
    assert_eq!((refused.header("retry-after"), refused.header("x-should-retry")), ("2", "true"));
}

#[tokio::test]
async fn latecomers_are_told_over_new_connections_until_the_last_request_ends() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::Trickle { gap_ms: 40 });
    let mut stream = app.post("/v1/rephrase?stream=sse", json!({"text": BODY.repeat(20)})).open().await;
    stream.read_until(|text| text.contains("event: delta")).await;
    app.begin_shutdown().await;
    for path in ["/v1/summarize", "/v1/summarize?stream=sse", "/v1/expand?stream=text"] {
        assert_turned_away(&app.post(path, body()).send().await);
    }
    let compat = app.post("/api/summarize", body()).send().await;
    assert_eq!((compat.status.as_u16(), compat.header("connection")), (503, "close"));
    let ready = app.get("/readyz").send().await;
    assert_eq!((ready.status.as_u16(), ready.header("connection")), (503, "close"));
    assert_eq!(app.get("/livez").send().await.status, 200);
    let client = Http2::connect(app.api, 65_535).await;
    let refused = client.post("/v1/summarize", body().to_string()).await;
    assert_eq!(refused.status(), 503);
    assert!(rest(refused).await.unwrap().contains("shutting_down"));
    assert_eq!(app.metric("redraft_admission_rejected_total", &[("reason", "draining")]).await, 5.0);
    let rest = stream.finish().await;
    assert!(!rest.cut && rest.text().contains("event: done"), "{}", rest.text());
    assert!(app.stop().await, "everything ended by itself");
}

#[tokio::test]
async fn who_waits_in_the_queue_is_refused_at_once() {
    let app = TestApp::with(&[("ADMISSION__MAX_RUNNING", "1"), ("SHUTDOWN__DRAIN_MS", "400")]).await;
    let running = stalled(&app, "sse").await;
    let waiting: Vec<_> = ["/v1/summarize", "/v1/summarize?stream=sse", "/v1/summarize?stream=text"]
        .map(|path| tokio::spawn(app.post(path, body()).send()))
        .into();
    app.until_metric("redraft_admission_queued", &[], 3.0).await;
    app.shutdown.cancel();
    for waiting in waiting {
        assert_turned_away(&waiting.await.unwrap());
    }
    assert_eq!(app.models_called().len(), 1);
    drop(running);
    assert!(app.stop().await);
}

/// A client that vanished, or says nothing: it never answers to a GOAWAY or a PING.
#[tokio::test]
async fn a_silent_http2_client_does_not_hold_the_end_up() {
    const FRAME_HEAD_BYTES: usize = 9;
    const END_OF_STREAM: u8 = 1;
    let app = TestApp::start().await;
    let mut client = TcpStream::connect(app.api).await.unwrap();
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    // GET and http from HPACK's table, a path and an authority spelled out.
    let head = [&[0x82, 0x86, 0x04, 6][..], b"/livez", &[0x01, 1], b"x"].concat();
    let length = u8::try_from(head.len()).unwrap();
    client.write_all(&[&[0, 0, length, 1, 5, 0, 0, 0, 1][..], &head].concat()).await.unwrap();
    loop {
        let mut frame = [0; FRAME_HEAD_BYTES];
        timeout(PATIENCE, client.read_exact(&mut frame)).await.unwrap().unwrap();
        let length = u32::from_be_bytes([0, frame[0], frame[1], frame[2]]);
        timeout(PATIENCE, client.read_exact(&mut vec![0; length as usize])).await.unwrap().unwrap();
        let (flags, stream) = (frame[4], frame[8]);
        if stream == 1 && flags & END_OF_STREAM > 0 {
            break;
        }
    }
    let began = SystemTime::now();
    assert!(app.stop().await, "nothing had to be cut");
    assert!(began.elapsed().unwrap() < PATIENCE, "its keep-alive would take forty seconds");
}

#[tokio::test]
async fn idle_connections_are_closed_at_once_or_after_the_delay() {
    for delay_ms in [0_u32, 1000] {
        let app = TestApp::with(&[("SHUTDOWN__DELAY_MS", &delay_ms.to_string())]).await;
        let running = stalled(&app, "ndjson").await;
        let mut idle = idle(&app).await;
        let asked = SystemTime::now();
        app.begin_shutdown().await;
        if delay_ms > 0 {
            let answer = ask_live(&mut idle).await;
            assert!(!answer.contains("connection: close"), "{answer}");
            assert_turned_away(&app.post("/v1/summarize", body()).send().await);
        }
        assert_closed(&mut idle).await;
        let time = asked.elapsed().unwrap();
        assert!(time >= Duration::from_millis(delay_ms.into()), "{time:?}");
        assert!(time < Duration::from_millis(delay_ms.into()) + Duration::from_secs(2), "{time:?}");
        assert_eq!(app.metric("redraft_admission_inflight", &[]).await, 1.0, "what runs is left alone");
        drop(running);
        assert!(app.stop().await);
    }
}

fn assert_cut(error: &Value, partial: bool) {
    assert_eq!(
        (&error["code"], &error["retryable"], &error["partial"]),
        (&json!("shutting_down"), &json!(true), &json!(partial)),
        "{error}"
    );
    let attempts = error["attempts"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(attempts.iter().all(|attempt| attempt["outcome"] == "error"), "no call was whole: {error}");
}

#[tokio::test]
async fn what_is_left_at_the_end_is_told_so_in_every_dialect() {
    let app = TestApp::with(&[
        ("SHUTDOWN__DRAIN_MS", "500"),
        ("HTTP__HEARTBEAT_MS", "20"),
        ("CLOCKS__FIRST_EVENT_MS", "60000"),
    ])
    .await;
    let chain = app.default_chain().await;
    let [sse, ndjson, text] =
        [stalled(&app, "sse").await, stalled(&app, "ndjson").await, stalled(&app, "text").await];
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let wordless = app.post("/v1/summarize?stream=sse", body()).open().await;
    let whole = tokio::spawn(app.post("/v1/summarize", body()).send());
    let compat = tokio::spawn(app.post("/api/summarize", body()).send());
    let first_word = tokio::spawn(app.post("/v1/summarize?stream=text", body()).send());
    app.until_metric("redraft_admission_inflight", &[], 7.0).await;
    // A reader that takes nothing keeps the service for its last moment, in which it can be asked.
    app.sim.clear_scenarios();
    let client = Http2::connect(app.api, 1024).await;
    let long = json!({"text": "A sentence that fills a window. ".repeat(400)});
    let unread = client.post("/v1/rephrase?stream=sse", long.to_string()).await;
    app.sim
        .wait_for_call(|call| call.sequence == 8 && call.ended_after_ms.is_some(), PATIENCE)
        .await
        .unwrap();

    let asked = SystemTime::now();
    app.shutdown.cancel();
    let streams = async {
        tokio::join!(
            sse.finish(),
            ndjson.finish(),
            text.finish(),
            wordless.finish(),
            whole,
            compat,
            first_word
        )
    };
    let (sse, ndjson, text, wordless, whole, compat, first_word) = streams.await;
    let metrics = app.metrics().await;
    for stream in [sse.sse(), ndjson.ndjson()] {
        assert!(stream.frames.len() >= 2);
        assert_cut(stream.one("error"), true);
        assert_eq!(stream.one("usage")["cost"]["estimated"], true);
        assert_eq!(stream.frames.last().unwrap().kind, "error");
    }
    assert!(text.cut, "plain text has no other word for it");
    assert_cut(wordless.sse().one("error"), false);
    assert_turned_away(&whole.unwrap());
    assert_turned_away(&first_word.unwrap());
    assert_eq!(compat.unwrap().status, 503);

    for (dialect, count) in [("sse", 2.0), ("ndjson", 1.0), ("text", 1.0)] {
        let labels = [("stream", dialect), ("reason", "shutdown")];
        assert_eq!(series(&metrics, "redraft_stream_terminations_total", &labels), Some(count), "{dialect}");
    }
    assert_eq!(series(&metrics, "redraft_admission_inflight", &[]), Some(1.0), "the unread one");
    let output = [("task", "summarize"), ("model", &*chain.first), ("direction", "output")];
    assert!(series(&metrics, "redraft_tokens_total", &output) > Some(0.0));
    for call in app.sim.calls().iter().take(7) {
        let gone = |other: &bedrock_sim::CallRecord| {
            other.sequence == call.sequence && other.outcome == Outcome::ClientGone
        };
        app.call(gone).await;
    }
    assert!(!app.stop().await, "it says that something was cut");
    let time = asked.elapsed().unwrap();
    assert!(time >= Duration::from_millis(1500) && time < Duration::from_secs(4), "{time:?}");
    assert!(rest(unread).await.is_err());
}

#[tokio::test]
async fn a_body_that_is_still_coming_at_the_end_is_answered() {
    let app = TestApp::with(&[("SHUTDOWN__DRAIN_MS", "300")]).await;
    let mut slow = TcpStream::connect(app.api).await.unwrap();
    let head = "POST /v1/summarize HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    app.until_metric("http_server_active_requests", &[("http_request_method", "POST")], 1.0).await;
    app.shutdown.cancel();
    let mut answer = String::new();
    timeout(PATIENCE, slow.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("shutting_down"), "{answer}");
    assert!(!app.stop().await);
}

#[tokio::test]
async fn nothing_of_a_service_is_left_running_when_it_has_stopped() {
    // A runtime of its own, so that its tasks can be counted.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let backend = Arc::new(ScriptedBackend::default());
    let config = load(&[("SHUTDOWN__DRAIN_MS", "200")]);
    let (over, stop) = (Arc::clone(&backend), CancellationToken::new());
    let build = async move { App::build_over(over, &config).await.unwrap() };
    let app = runtime.spawn(build).await.unwrap();
    let addresses = app.addresses().unwrap();
    let running = runtime.spawn(app.run(stop.clone()));
    let models = Request::get(addresses.public, "/v1/models").send().await.json();
    for model in models["models"].as_array().unwrap() {
        for _ in 0..2 {
            backend.then(model["id"].as_str().unwrap(), Turn::Silence);
        }
    }
    let request = body().to_string();
    let post = format!(
        "POST /v1/summarize?stream=sse HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{request}",
        request.len()
    );
    let mut held = Vec::new();
    for (address, sent) in [
        (addresses.public, ""),
        (addresses.public, "GET /livez HT"),
        (addresses.public, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"),
        (addresses.public, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (addresses.public, &post),
        (addresses.ops, ""),
        (addresses.ops, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let client = Http2::connect(addresses.public, 65_535).await;
    let unread = client.post("/v1/summarize?stream=sse", request).await;
    while backend.calls().len() < 2 {
        tokio::task::yield_now().await;
    }
    let tasks = || runtime.metrics().num_alive_tasks();
    assert!(tasks() > 8, "{} tasks", tasks());
    stop.cancel();
    assert!(!running.await.unwrap(), "two streams were cut");
    // The one that has just answered may not have been taken off the books.
    assert!(tasks() <= 1, "{} tasks", tasks());
    assert!(rest(unread).await.unwrap().contains("shutting_down"));
    for mut stream in held {
        let mut all = Vec::new();
        let end = timeout(PATIENCE, stream.read_to_end(&mut all)).await;
        assert!(end.is_ok(), "no connection is left");
    }
    runtime.shutdown_background();
}
