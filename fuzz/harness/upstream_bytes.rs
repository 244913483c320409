//! Any bytes as the answer of Bedrock, through the SDK, the adapter, the pipeline and the routes.
//!
//! Checked: no panic, an end within bounded time, exactly one terminal event, and an answer is
//! called complete only when the bytes really held `messageStop`, with the text that they held.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame as Piece, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::frames::{self, Frame};
use super::input::Input;
use super::service::{Service, documented_code};
use super::sse::Transcript;

/// What is sent ends, so nothing has to wait for a clock.
const PATIENCE: Duration = Duration::from_secs(10);
const LONG_AFTER: Duration = Duration::from_secs(3600);
const MOST_SEGMENTS: usize = 64;

const EVENTS: [&str; 8] = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "somethingNew",
    "",
];
const EXCEPTIONS: [&str; 6] = [
    "throttlingException",
    "modelStreamErrorException",
    "internalServerException",
    "validationException",
    "serviceUnavailableException",
    "somethingNew",
];
const STATUSES: [u16; 8] = [200, 200, 200, 400, 424, 429, 500, 503];
const MEDIA_TYPES: [&str; 4] =
    ["application/vnd.amazon.eventstream", "application/json", "text/html", "application/x-amz-json-1.1"];
const STOPS: [&str; 4] = ["end_turn", "max_tokens", "content_filtered", "a_reason_to_come"];

static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| Mutex::new(Bench::build()));

struct Bench {
    runtime: Runtime,
    service: Service,
    upstream: Arc<Mutex<Upstream>>,
}

/// What Bedrock answers to every call.
#[derive(Debug, Clone, Default)]
struct Upstream {
    status: u16,
    media_type: &'static str,
    body: Bytes,
    piece_bytes: usize,
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let bench = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
    let mut input = Input::new(data);
    let flags = input.byte();
    let streamed = flags & 1 == 0;
    let upstream = Upstream {
        status: input.pick(&STATUSES),
        media_type: input.pick(&MEDIA_TYPES),
        piece_bytes: usize::from(input.byte()) + 1,
        body: if flags & 2 == 0 { segments(&mut input) } else { Bytes::copy_from_slice(input.rest()) },
    };
    *bench.upstream.lock().unwrap_or_else(PoisonError::into_inner) = upstream.clone();
    let path = if streamed { "/v1/summarize?stream=sse" } else { "/v1/summarize" };
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(Full::from(json!({"text": "The ferry leaves at 9:15."}).to_string()))
        .expect("a valid request");
    let answer = bench.runtime.block_on(async {
        let_time_pass().await;
        timeout(PATIENCE, bench.service.ask(request, usize::MAX)).await
    });
    let answer = answer.expect("what comes to an end is answered in time");
    assert!(!answer.cut);
    if !streamed {
        if answer.status == StatusCode::OK {
            assert_whole(&upstream, answer.json()["text"].as_str().expect("a text"));
        } else {
            answer.documented_problem();
        }
        return;
    }
    assert_eq!(answer.status, StatusCode::OK, "a stream's failures are events");
    let transcript = Transcript::of_sse(&answer.text());
    transcript.assert_grammar();
    let last = &transcript.frames.last().expect("a terminal event").data;
    let heard = transcript.text();
    if last["type"] == "done" {
        assert_streamed(&upstream, &heard);
    } else {
        documented_code(last);
        assert_eq!(last["partial"], !heard.is_empty());
    }
}

/// What targets remember of the last input, such as a pause after throttling, is over then.
async fn let_time_pass() {
    tokio::time::pause();
    tokio::time::advance(LONG_AFTER).await;
    tokio::time::resume();
}

/// A whole answer is one JSON text with these words in it.
fn assert_whole(upstream: &Upstream, heard: &str) {
    assert!((200..300).contains(&upstream.status), "an answer out of a status {}", upstream.status);
    let sent: Value = serde_json::from_slice(&upstream.body).expect("an answer out of broken JSON");
    let blocks = sent["output"]["message"]["content"].as_array().expect("an answer without content");
    let said: String = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
    assert_eq!(heard, said);
}

/// A streamed answer has a stop, and the words that were sent before it. What comes after the
/// stop is against the contract: it may be told or not, in order.
fn assert_streamed(upstream: &Upstream, heard: &str) {
    assert!((200..300).contains(&upstream.status), "an answer out of a status {}", upstream.status);
    let mut said = String::new();
    let mut bytes_before_stop = None;
    for frame in frames::read(&upstream.body) {
        if frame.header(":message-type") != Some("event") {
            break;
        }
        match frame.header(":event-type") {
            Some("contentBlockDelta") => {
                let delta = serde_json::from_slice::<Value>(&frame.payload).unwrap_or_default();
                said.push_str(delta["delta"]["text"].as_str().unwrap_or_default());
            }
            Some("messageStop") if bytes_before_stop.is_none() => bytes_before_stop = Some(said.len()),
            _ => {}
        }
    }
    let bytes_before_stop = bytes_before_stop.expect("complete only with messageStop");
    assert!(heard.len() >= bytes_before_stop && said.starts_with(heard), "heard {heard:?}, said {said:?}");
}

/// The body as a list of segments: frames that are sound, frames that are not, and other bytes.
fn segments(input: &mut Input) -> Bytes {
    let mut body = Vec::new();
    for _ in 0..MOST_SEGMENTS {
        if input.is_empty() {
            break;
        }
        match input.byte() % 12 {
            0 => body.extend_from_slice(input.bytes()),
            1 => body.extend(Frame::event(input.pick(&EVENTS), input.bytes()).write()),
            2 => body.extend(Frame::exception(input.pick(&EXCEPTIONS), input.bytes()).write()),
            3 => {
                let (name, value) = (input.text(), input.text());
                let name: String = name.chars().take(60).collect();
                body.extend(Frame::new(&[(&name, &value)], input.bytes()).write());
            }
            4 => {
                let mut frame = delta(&input.text(), 0).write();
                let at = usize::from(input.byte()) % frame.len();
                frame[at] ^= input.byte();
                body.extend(frame);
            }
            5 => {
                let frame = delta(&input.text(), 0).write();
                body.extend_from_slice(&frame[..usize::from(input.byte()) % frame.len()]);
            }
            6 => body.extend(event("messageStart", &json!({"role": "assistant"}))),
            7 => body.extend(event("contentBlockStop", &json!({"contentBlockIndex": input.byte()}))),
            8 => body.extend(event("messageStop", &json!({"stopReason": input.pick(&STOPS)}))),
            9 => body.extend(event("metadata", &usage(input))),
            10 => {
                let (text, stop) = (input.text(), input.pick(&STOPS));
                let whole = json!({
                    "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
                    "stopReason": stop,
                    "usage": usage(input)["usage"],
                });
                body.extend_from_slice(whole.to_string().as_bytes());
            }
            _ => body.extend(delta(&input.text(), input.byte()).write()),
        }
    }
    Bytes::from(body)
}

fn delta(text: &str, block: u8) -> Frame {
    let payload = json!({"contentBlockIndex": block, "delta": {"text": text}, "p": "abc"});
    Frame::event("contentBlockDelta", payload.to_string().as_bytes())
}

fn event(kind: &str, payload: &Value) -> Vec<u8> {
    Frame::event(kind, payload.to_string().as_bytes()).write()
}

fn usage(input: &mut Input) -> Value {
    let mut count = || input.pick(&[0, 1, 400, -1, i32::MAX]);
    let (input_tokens, output_tokens, total_tokens) = (count(), count(), count());
    json!({
        "metrics": {"latencyMs": 1},
        "usage": {"inputTokens": input_tokens, "outputTokens": output_tokens, "totalTokens": total_tokens},
    })
}

impl Bench {
    fn build() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let upstream = Arc::new(Mutex::new(Upstream::default()));
        let service = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
            let address = listener.local_addr().expect("a bound address");
            // It lives as long as the runtime, which is as long as the process.
            tokio::spawn(serve(listener, Arc::clone(&upstream)));
            Service::over_bedrock_at(format!("http://{address}")).await
        });
        Self { runtime, service, upstream }
    }
}

/// Answers every request on every connection with what stands in `upstream` then.
async fn serve(listener: TcpListener, upstream: Arc<Mutex<Upstream>>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("a connected socket");
        let upstream = Arc::clone(&upstream);
        let answer = service_fn(move |request: Request<Incoming>| {
            let upstream = Arc::clone(&upstream);
            async move {
                // A client that breaks off while it sends gets the answer to half a question.
                let _sent = request.into_body().collect().await;
                let now = upstream.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Ok::<_, Infallible>(respond(now))
            }
        });
        let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async move { drop(serving.await) });
    }
}

fn respond(now: Upstream) -> Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>> {
    let Upstream { status, media_type, body, piece_bytes } = now;
    let pieces: Vec<_> = (0..body.len())
        .step_by(piece_bytes)
        .map(|start| Ok(Piece::data(body.slice(start..body.len().min(start + piece_bytes)))))
        .collect();
    let mut response = Response::new(StreamBody::new(stream::iter(pieces)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status of the list");
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(media_type));
    response
}
