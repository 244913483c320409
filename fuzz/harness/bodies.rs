//! Any bytes as the body and the headers of a request, on every path that takes one.
//!
//! Checked: no panic, a status that the API documents, a problem that parses, and no text of a
//! caller in any answer.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Request};
use http_body_util::Full;
use redraft::inference::{
    BackendError, Completion, ModelBackend, ModelCall, ModelEvent, ModelStream, StopReason,
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::input::Input;
use super::service::Service;
use super::sse::Transcript;

/// Stands in bodies for a caller's text. Longer than the longest word that a message repeats.
const TEXT_OF_A_CALLER: &str = "Nobody but the caller knows this sentence, and no answer may repeat it.";
const STANDS_FOR_IT: &[u8] = b"@@";
/// So much of it in an answer is no accident.
const TELLTALE_BYTES: usize = 41;

const PATHS: [&str; 7] = [
    "/v1/summarize",
    "/v1/rephrase",
    "/v1/expand",
    "/api/summarize",
    "/api/rephrase",
    "/api/expand",
    "/v1/chat/completions",
];
const QUERIES: [&str; 9] = [
    "",
    "?stream=sse",
    "?stream=ndjson",
    "?stream=text",
    "?stream=json",
    "?stream",
    "?stream=@@",
    "?x=1&stream=sse",
    "?stream=ui",
];
const MEDIA_TYPES: [&str; 6] = [
    "application/json",
    "application/json; charset=utf-8",
    "application/problem+json",
    "text/plain",
    "",
    "multipart/form-data; boundary=x",
];
const ACCEPTS: [&str; 6] = [
    "*/*",
    "text/event-stream",
    "application/x-ndjson;q=0.5, text/plain",
    "image/png",
    "application/json;q=0",
    ";;,=",
];
/// What a body can be refused with; the model never fails here.
const DOCUMENTED: [u16; 8] = [200, 400, 404, 406, 408, 413, 415, 422];
const ANSWER: &str = "An answer.";

static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| Mutex::new(Bench::build()));

struct Bench {
    runtime: Runtime,
    service: Service,
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let bench = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
    let mut input = Input::new(data);
    let (path, query) = (input.pick(&PATHS), input.pick(&QUERIES));
    let mut request = Request::post(format!("{path}{query}"));
    let flags = input.byte();
    let media_type = if flags & 1 == 0 {
        Some(HeaderValue::from_static(input.pick(&MEDIA_TYPES)))
    } else {
        HeaderValue::from_bytes(input.bytes()).ok()
    };
    let headers = request.headers_mut().expect("the parts are valid");
    headers.extend(media_type.map(|value| (http::header::CONTENT_TYPE, value)));
    if flags & 2 != 0 {
        headers.insert("accept", HeaderValue::from_static(input.pick(&ACCEPTS)));
    }
    for (flag, name) in [
        (4, "accept"),
        (8, "x-request-timeout-ms"),
        (16, "x-request-id"),
        (32, "content-encoding"),
        (64, "content-length"),
        (128, "accept-encoding"),
    ] {
        if flags & flag != 0
            && let Ok(value) = HeaderValue::from_bytes(input.bytes())
        {
            headers.insert(name, value);
        }
    }
    let body = with_text(input.rest());
    let request = request.body(Full::from(body)).expect("the parts are valid");
    let answer = bench.runtime.block_on(bench.service.ask(request, usize::MAX));
    assert!(DOCUMENTED.contains(&answer.status.as_u16()), "status {}", answer.status);
    if answer.headers.contains_key("content-encoding") {
        return;
    }
    let text = answer.text();
    assert!(!text.contains(&TEXT_OF_A_CALLER[..TELLTALE_BYTES]), "the caller's text comes back: {text}");
    let compatible = path.starts_with("/api");
    match answer.header("content-type") {
        _ if answer.status != 200 && compatible => assert!(answer.json()["error"].is_string()),
        _ if answer.status != 200 => drop(answer.documented_problem()),
        "text/event-stream"
            if path == "/v1/chat/completions"
                || answer.headers.contains_key("x-vercel-ai-ui-message-stream") =>
        {
            assert_chunks(&text);
        }
        "text/event-stream" => assert_streamed(&Transcript::of_sse(&text)),
        "application/x-ndjson" => assert_streamed(&Transcript::of_lines(&text)),
        "application/json" => assert!(answer.json().is_object()),
        other => assert!(other.starts_with("text/plain") && text == ANSWER, "{other}: {text}"),
    }
}

fn assert_streamed(transcript: &Transcript) {
    transcript.assert_grammar();
    assert_eq!(transcript.frames.last().expect("a terminal event").kind, "done");
    assert_eq!(transcript.text(), ANSWER);
}

/// Frames of one line each; the last says that all of it is there.
fn assert_chunks(text: &str) {
    let frames = text.strip_suffix("data: [DONE]\n\n").expect("[DONE] at the end");
    let piece = |frame: &str| {
        let chunk: Value = serde_json::from_str(frame.strip_prefix("data: ").expect("data")).expect("JSON");
        assert!(chunk.get("errorText").or(chunk.get("error")).is_none(), "{chunk}");
        let delta = chunk.get("delta").or_else(|| chunk.pointer("/choices/0/delta/content"));
        delta.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let told: String = frames.split_terminator("\n\n").map(piece).collect();
    assert_eq!(told, ANSWER);
}

fn with_text(bytes: &[u8]) -> Bytes {
    let mut body = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(STANDS_FOR_IT) {
            body.extend_from_slice(TEXT_OF_A_CALLER.as_bytes());
            rest = after;
        } else {
            body.push(*first);
            rest = after;
        }
    }
    Bytes::from(body)
}

impl Bench {
    fn build() -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let service = runtime.block_on(Service::over(Arc::new(Willing)));
        Self { runtime, service }
    }
}

/// A model that answers whatever it is asked.
struct Willing;

impl ModelBackend for Willing {
    fn complete<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        let completion =
            Completion { text: ANSWER.to_owned(), stop_reason: StopReason::EndTurn, usage: None };
        Box::pin(std::future::ready(Ok(completion)))
    }

    fn stream<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        let events = [
            ModelEvent::Started,
            ModelEvent::Text(ANSWER.to_owned()),
            ModelEvent::Stopped(StopReason::EndTurn),
        ];
        Box::pin(std::future::ready(Ok(stream::iter(events.map(Ok)).boxed())))
    }
}
