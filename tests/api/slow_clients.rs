//! Readers that do not read and senders that hardly send.

use std::time::{Duration, SystemTime};

use bedrock_sim::{Outcome, Scenario};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::Method;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::support::TestApp;
use crate::support::http2::{Http2, rest};

/// What fits into a window that is never opened again.
const TINY_WINDOW: u32 = 1024;

fn long_text() -> Value {
    json!({"text": "A sentence that is long enough to fill a window soon. ".repeat(400)})
}

#[tokio::test]
async fn an_http2_reader_that_takes_nothing_loses_its_stream_and_no_other() {
    let app = TestApp::with(&[("HTTP__WRITE_MS", "300")]).await;
    let client = Http2::connect(app.api, TINY_WINDOW).await;
    let unread = client.post("/v1/rephrase?stream=sse", long_text().to_string()).await;
    app.call(|call| call.deltas_sent > 0).await;
    // The same connection, at the same time: this model is silent for longer than a reader may be.
    app.sim.set_scenario("*", Scenario::Stall { after_deltas: 1, for_ms: Some(900) });
    let read = client.post("/v1/summarize?stream=sse", json!({"text": "One. Two."}).to_string()).await;
    let read = rest(read).await.expect("silence of a model is no fault of its reader");
    assert!(read.contains("event: done"), "{read}");
    let labels = [("stream", "sse"), ("reason", "client_disconnect")];
    app.until_metric("redraft_stream_terminations_total", &labels, 1.0).await;
    app.until_metric("redraft_admission_inflight", &[], 0.0).await;
    assert!(rest(unread).await.is_err(), "the stream was reset, not ended");
    let alive = client.send(Method::GET, "/livez", Empty::new().boxed()).await;
    assert_eq!(alive.status(), 200, "the connection lives on");
}

#[tokio::test]
async fn the_model_of_an_http2_reader_that_takes_nothing_stops() {
    // Parts so large that the sockets between here and the models cannot hold their answers,
    // so that they are still writing.
    let large_parts =
        [("DOCUMENTS__TARGET_CHUNK_TOKENS", "1000000"), ("DOCUMENTS__TARGET_ANSWER_TOKENS", "100000")];
    let app = TestApp::with(&[&[("HTTP__WRITE_MS", "300")], &large_parts[..]].concat()).await;
    let body =
        json!({"text": "A sentence that is long enough to fill a socket. ".repeat(10_000)}).to_string();
    for dialect in ["sse", "ndjson", "text"] {
        let client = Http2::connect(app.api, TINY_WINDOW).await;
        let unread = client.post(&format!("/v1/rephrase?stream={dialect}"), body.clone()).await;
        let call = app.call(|call| call.outcome == Outcome::ClientGone).await;
        assert!(call.deltas_sent > 0, "{dialect}");
        app.until_metric("redraft_admission_inflight", &[], 0.0).await;
        drop(unread);
        app.sim.clear_calls();
    }
}

#[tokio::test]
async fn a_whole_answer_that_nobody_takes_is_given_up() {
    let app = TestApp::with(&[("HTTP__WRITE_MS", "300")]).await;
    let client = Http2::connect(app.api, TINY_WINDOW).await;
    let unread = client.post("/v1/rephrase", long_text().to_string()).await;
    assert_eq!(unread.status(), 200);
    assert_eq!(app.metric("http_server_active_requests", &[("http_request_method", "POST")]).await, 1.0);
    app.until_metric("http_server_active_requests", &[("http_request_method", "POST")], 0.0).await;
    assert!(rest(unread).await.is_err(), "it was not whole");
}

#[tokio::test]
async fn a_reader_that_is_slow_but_reads_is_served_to_the_end() {
    let app = TestApp::with(&[("HTTP__WRITE_MS", "300")]).await;
    let client = Http2::connect(app.api, TINY_WINDOW).await;
    let started = SystemTime::now();
    let answer = client
        .post("/v1/rephrase", json!({"text": "One more sentence to read. ".repeat(300)}).to_string())
        .await;
    let mut body = answer.into_body();
    let mut pace = interval(Duration::from_millis(100));
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        text.extend_from_slice(&frame.expect("it is not given up").into_data().unwrap());
        pace.tick().await;
    }
    assert!(started.elapsed().unwrap() > Duration::from_millis(600), "longer than it may take nothing");
    let call = app.call(|call| call.ended_after_ms.is_some()).await;
    let answer: Value = serde_json::from_slice(&text).expect("all of it");
    assert_eq!(answer["text"].as_str(), call.text.as_deref());
}

/// A body that never ends: one byte at a time.
fn trickle() -> impl stream::Stream<Item = Result<Frame<Bytes>, std::convert::Infallible>> + Send + Sync {
    let mut pace = interval(Duration::from_millis(50));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stream::unfold(pace, |mut pace| async move {
        pace.tick().await;
        Some((Ok(Frame::data(Bytes::from_static(b" "))), pace))
    })
}

fn assert_timely(started: SystemTime) {
    let time = started.elapsed().unwrap();
    assert!(time >= Duration::from_millis(400) && time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test]
async fn a_body_that_trickles_over_http1_ends_with_408() {
    let app = TestApp::with(&[("HTTP__BODY_READ_MS", "400")]).await;
    let stream = tokio::net::TcpStream::connect(app.api).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let head = "POST /v1/summarize HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n";
    write.write_all(head.as_bytes()).await.unwrap();
    let started = SystemTime::now();
    let trickling = async {
        let mut pace = interval(Duration::from_millis(50));
        while write.write_all(b" ").await.is_ok() {
            pace.tick().await;
        }
    };
    let mut answer = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = read.read(&mut piece).await {
            answer.extend_from_slice(&piece[..length]);
        }
    };
    let both = async { tokio::join!(reading, trickling) };
    timeout(Duration::from_secs(10), both).await.expect("the connection ends");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    assert_timely(started);
}

#[tokio::test]
async fn a_body_that_trickles_over_http2_ends_with_408() {
    let app = TestApp::with(&[("HTTP__BODY_READ_MS", "400")]).await;
    let client = Http2::connect(app.api, 65_535).await;
    let started = SystemTime::now();
    let answer = client.send(Method::POST, "/v1/summarize", StreamBody::new(trickle()).boxed()).await;
    assert_eq!(answer.status(), 408);
    assert_timely(started);
    assert!(rest(answer).await.unwrap().contains("request_timeout"));
}
