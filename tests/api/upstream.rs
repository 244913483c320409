//! Upstreams that speak no proper HTTP, or none at all: what each is called, and
//! that none takes longer than our clocks allow.
//!
//! Below the simulator: its faults are those of Bedrock, these are those of
//! networks, proxies and wrong addresses.

use std::time::{Duration, SystemTime};

use redraft::domain::CallFailure;
use redraft::inference::bedrock::BedrockBackend;
use redraft::inference::{BackendError, ModelBackend as _};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connections::{call, tls_sim};
use crate::support::{NoListener, RawUpstream, ServiceOver, frame, load, read_request};

const PATIENCE: Duration = Duration::from_secs(20);

async fn failure_of(endpoint: String) -> BackendError {
    let mut settings = load(&[]).bedrock;
    settings.endpoint_url = Some(endpoint);
    let backend = BedrockBackend::connect(settings).await;
    timeout(PATIENCE, backend.complete(&call(None))).await.expect("it ends by itself").unwrap_err()
}

/// Answers each request with these bytes and closes.
async fn says(bytes: impl Into<Vec<u8>>) -> RawUpstream {
    let bytes = bytes.into();
    RawUpstream::start(move |mut stream| {
        let bytes = bytes.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(&bytes).await.unwrap();
        }
    })
    .await
}

fn throttled(headers: &str) -> String {
    let body = json!({"message": "Too many requests, please wait before trying again."}).to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 429 Too Many Requests\r\nx-amzn-errortype: ThrottlingException\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn the_providers_wish_to_wait_is_honoured_unless_it_is_absurd() {
    for (headers, expected) in [
        ("", None),
        ("x-amz-retry-after: 1500\r\n", Some(Duration::from_millis(1500))),
        ("x-amz-retry-after: 600000\r\n", Some(Duration::from_secs(600))),
        ("x-amz-retry-after: 600001\r\n", None),
        ("x-amz-retry-after: 99999999999999999999\r\n", None),
        ("x-amz-retry-after: -5\r\n", None),
        ("x-amz-retry-after: soon\r\n", None),
    ] {
        let upstream = says(throttled(headers)).await;
        let error = failure_of(upstream.url("http")).await;
        assert_eq!((error.kind, error.retry_after), (CallFailure::Throttled, expected), "{headers}");
        assert_eq!(upstream.connections_accepted(), 1, "the SDK does not try again");
    }
}

#[tokio::test]
async fn the_wish_reaches_the_caller_of_an_exhausted_chain() {
    let upstream = says(throttled("x-amz-retry-after: 7000\r\n")).await;
    let service = ServiceOver::start(upstream.url("http"), &[("ROUTING__MAX_RETRIES", "0")]).await;
    let answer = service.post("/v1/summarize", &json!({"text": "A door."})).send().await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "7"), "{}", answer.text());
}

#[tokio::test]
async fn no_http_at_all_is_a_bad_response_and_no_connection_is_unreachable() {
    use CallFailure::{BadResponse, Unreachable};
    let closed = NoListener::take();
    let garbage = says(b"\x00\xff garbage, and then\r\nHTTP/1.1 200 OK\r\n\r\n".as_slice()).await;
    let half = says("HTTP/1.1 200").await;
    let nothing = says("").await;
    let shell = says("220 mail.example ESMTP\r\n").await;
    let plain = says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    let tls = tls_sim().await;
    for (what, endpoint, expected) in [
        ("a refused connection", closed.url("http"), Unreachable),
        ("a refused connection, with TLS", closed.url("https"), Unreachable),
        ("a name that does not exist", "http://no-such-host.invalid".to_owned(), Unreachable),
        ("the same with TLS", "https://no-such-host.invalid".to_owned(), Unreachable),
        ("an end without a byte", nothing.url("http"), Unreachable),
        ("an end in the status line", half.url("http"), Unreachable),
        ("garbage before the status line", garbage.url("http"), BadResponse),
        ("another protocol", shell.url("http"), BadResponse),
        ("TLS where plain HTTP is expected", tls.endpoint_url().replace("https:", "http:"), BadResponse),
        ("plain HTTP where TLS is expected", plain.url("https"), Unreachable),
    ] {
        let error = failure_of(endpoint).await;
        assert_eq!(error.kind, expected, "{what}: {error}");
        assert!(error.cause.len() > 20, "the log can tell: {error}");
    }
}

/// CPU time of this thread, on which the whole test runs.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

#[tokio::test]
async fn interim_answers_without_end_are_under_our_clocks_and_cost_no_cpu() {
    for interim in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"] {
        let upstream = RawUpstream::start(move |mut stream: TcpStream| async move {
            read_request(&mut stream).await;
            let mut pace = tokio::time::interval(Duration::from_millis(10));
            while stream.write_all(interim.as_bytes()).await.is_ok() {
                pace.tick().await;
            }
        })
        .await;
        let clocks = [("CLOCKS__ANSWER_MS", "300"), ("CLOCKS__FIRST_EVENT_MS", "300")];
        let service = ServiceOver::start(upstream.url("http"), &clocks).await;
        let (started, cpu) = (SystemTime::now(), cpu_time());
        assert_eq!(service.first_failure().await, "answer_timeout", "{interim}");
        let stream = service.post("/v1/summarize?stream=sse", &json!({"text": "A door."})).send().await.sse();
        assert_eq!(stream.one("error")["code"], "upstream_timeout");
        let elapsed = started.elapsed().unwrap();
        assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
        if let (Some(before), Some(after)) = (cpu, cpu_time()) {
            let used = after - before;
            assert!(used * 2 < elapsed, "{used:?} of {elapsed:?} in which nothing happened");
        }
    }
}

#[tokio::test]
async fn a_flood_of_interim_answers_does_not_keep_our_clocks_from_running() {
    let upstream = RawUpstream::start(|mut stream: TcpStream| async move {
        read_request(&mut stream).await;
        let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
        while stream.write_all(flood.as_bytes()).await.is_ok() {}
    })
    .await;
    let service = ServiceOver::start(upstream.url("http"), &[("CLOCKS__ANSWER_MS", "200")]).await;
    assert_eq!(timeout(PATIENCE, service.first_failure()).await.expect("it ends"), "answer_timeout");
}

/// Sends the head of a stream and these frames, and then nothing more.
async fn streams(frames: Vec<Vec<u8>>) -> RawUpstream {
    let frames = frames.concat();
    RawUpstream::start(move |mut stream: TcpStream| {
        let frames = frames.clone();
        async move {
            read_request(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n\r\n";
            stream.write_all(&[head.as_bytes(), &frames].concat()).await.unwrap();
            // The connection stays open until the client has left.
            while !read_request(&mut stream).await.is_empty() {}
        }
    })
    .await
}

fn beginning() -> Vec<Vec<u8>> {
    vec![
        frame("event", "messageStart", &json!({"role": "assistant"})),
        frame("event", "contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "A door."}})),
        frame("event", "contentBlockStop", &json!({"contentBlockIndex": 0})),
    ]
}

#[tokio::test]
async fn a_time_out_of_the_model_inside_a_stream_is_a_time_out() {
    let exception = || {
        let message =
            json!({"message": "Model has timed out in processing the request. Try your request again."});
        frame("exception", "modelTimeoutException", &message)
    };
    let upstream = streams(vec![exception()]).await;
    let service = ServiceOver::start(upstream.url("http"), &[]).await;
    let stream = service.post("/v1/summarize?stream=sse", &json!({"text": "A door."})).send().await.sse();
    let fallback = stream.all("fallback").next().expect("the next model is asked").data.clone();
    assert_eq!(fallback["reason"], "model_timed_out");
    assert_eq!(stream.one("error")["code"], "upstream_timeout");

    let upstream = streams([beginning(), vec![exception()]].concat()).await;
    let service = ServiceOver::start(upstream.url("http"), &[]).await;
    let stream = service.post("/v1/summarize?stream=sse", &json!({"text": "A door."})).send().await.sse();
    let error = stream.one("error");
    assert_eq!((&error["code"], &error["partial"]), (&json!("upstream_timeout"), &json!(true)));
}

#[tokio::test]
async fn after_a_stop_the_usage_is_waited_for_no_longer_than_idle() {
    let stop = frame("event", "messageStop", &json!({"stopReason": "end_turn"}));
    let upstream = streams([beginning(), vec![stop]].concat()).await;
    let service = ServiceOver::start(upstream.url("http"), &[("CLOCKS__IDLE_MS", "200")]).await;
    let started = SystemTime::now();
    let stream = service.post("/v1/summarize?stream=sse", &json!({"text": "A door."})).send().await.sse();
    stream.assert_grammar();
    assert_eq!(stream.outline(), ["start", "delta", "usage", "done"]);
    assert_eq!(stream.one("usage")["cost"]["estimated"], true, "nobody told it");
    let elapsed = started.elapsed().unwrap();
    assert!(elapsed >= Duration::from_millis(200) && elapsed < Duration::from_secs(5), "{elapsed:?}");
}
