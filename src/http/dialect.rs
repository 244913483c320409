//! The streaming folds: one body that drives a run, one encoder per dialect.
//!
//! Native events (SSE, NDJSON) and the AI SDK's chunks have an error channel, so
//! their head leaves at once. Plain text has none: its head waits for the first
//! word, and after that a failure breaks the connection, because a clean end would
//! call a cut answer whole. OpenAI's clients read a status better than a chunk: their
//! head waits for the first word, too, or for the first news of a document in parts.

mod native;
mod openai;
mod stream_body;
mod ui;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use bytes::BytesMut;
use native::{Framing, NativeEvents};
use openai::ChatChunks;
use stream_body::{Encode, PlainText, StreamBody};
use ui::UiChunks;

use super::chat::ChatShape;
use super::error::ApiError;
use super::task_routes::AnswerContext;
use super::whole::{SERVER_TIMING, X_GENERATION_ID, ascii};
use crate::domain::FailureCode;
use crate::pipeline::{Event, Run};
use crate::telemetry::Metrics;

/// Marks an answer whose pieces must leave one by one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streaming;

const SSE: HeaderValue = HeaderValue::from_static("text/event-stream");
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const STREAM_CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache, no-store, no-transform");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Says which stream this is: the AI SDK looks for it.
const UI_MESSAGE_STREAM: HeaderName = HeaderName::from_static("x-vercel-ai-ui-message-stream");
const UI_MESSAGE_STREAM_VERSION: HeaderValue = HeaderValue::from_static("v1");

/// Native events as Server-Sent Events.
pub(super) fn sse(
    mut run: Run,
    context: AnswerContext,
    heartbeat: Duration,
    metrics: &Arc<Metrics>,
) -> Response {
    run.stream_opened();
    let mut response = head(SSE, &run, &context);
    let encoder = NativeEvents::new(context, Framing::Sse);
    *response.body_mut() = Body::new(StreamBody::new(run, encoder, Some(heartbeat), metrics));
    response
}

/// Native events as one JSON object per line.
pub(super) fn ndjson(mut run: Run, context: AnswerContext, metrics: &Arc<Metrics>) -> Response {
    run.stream_opened();
    let mut response = head(NDJSON, &run, &context);
    let encoder = NativeEvents::new(context, Framing::Lines);
    *response.body_mut() = Body::new(StreamBody::new(run, encoder, None, metrics));
    response
}

/// The text alone.
pub(super) async fn text(mut run: Run, context: AnswerContext, metrics: &Arc<Metrics>) -> Response {
    let first = loop {
        match run.next().await {
            Some(Event::Delta(text)) => break text,
            Some(Event::Failed(failure)) => return ApiError::from(failure).response(&context.request_id),
            Some(
                Event::Started(_)
                | Event::Progress(_)
                | Event::Fallback(_)
                | Event::Warning(_)
                | Event::Partial(_)
                | Event::Suggestion(_)
                | Event::Reset(_)
                | Event::Usage(_)
                | Event::Done(_),
            ) => {}
            None => {
                return ApiError::new(FailureCode::Internal).response(&context.request_id);
            }
        }
    };
    run.stream_opened();
    let mut response = head(TEXT, &run, &context);
    let encoder = PlainText::starting_with(first);
    *response.body_mut() = Body::new(StreamBody::new(run, encoder, None, metrics));
    response
}

/// Chunks of the AI SDK's UI message stream.
pub(super) fn ui(
    mut run: Run,
    context: AnswerContext,
    heartbeat: Duration,
    metrics: &Arc<Metrics>,
) -> Response {
    run.stream_opened();
    let mut response = head(SSE, &run, &context);
    response.headers_mut().insert(UI_MESSAGE_STREAM, UI_MESSAGE_STREAM_VERSION);
    *response.body_mut() = Body::new(StreamBody::new(run, UiChunks::new(context), Some(heartbeat), metrics));
    response
}

/// Chunks of a chat completion.
pub(super) async fn openai(
    mut run: Run,
    context: AnswerContext,
    shape: ChatShape,
    heartbeat: Duration,
    metrics: &Arc<Metrics>,
) -> Response {
    let request_id = context.request_id.clone();
    let mut response = head(SSE, &run, &context);
    let (mut encoder, mut first) = (ChatChunks::new(context, shape), BytesMut::new());
    let spoke = loop {
        match run.next().await {
            Some(Event::Failed(failure)) => return ApiError::from(failure).response(&request_id),
            None => return ApiError::new(FailureCode::Internal).response(&request_id),
            Some(event) => {
                let spoke = matches!(event, Event::Delta(_));
                let in_parts = matches!(event, Event::Progress(_));
                if encoder.encode(event, &mut first).is_err() {
                    return ApiError::new(FailureCode::Internal).response(&request_id);
                }
                if spoke || in_parts {
                    break spoke;
                }
            }
        }
    };
    run.stream_opened();
    let encoder = encoder.starting_with(first.freeze());
    let body = StreamBody::new(run, encoder, Some(heartbeat), metrics).having_told(spoke);
    *response.body_mut() = Body::new(body);
    response
}

/// The head of a stream: it says what is known before the first word.
fn head(content_type: HeaderValue, run: &Run, context: &AnswerContext) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, STREAM_CACHE_CONTROL);
    headers.append(VARY, HeaderValue::from_static("accept"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(X_GENERATION_ID, ascii(context.generation_id.as_str()));
    let queue = format!("queue;dur={:.1}", run.waited().as_secs_f64() * 1e3);
    headers.insert(SERVER_TIMING, ascii(&queue));
    response.extensions_mut().insert(Streaming);
    response
}

/// How the AI SDK reads these events, for the contract's examples.
pub(super) fn ui_transcript(context: AnswerContext, events: Vec<Event>) -> String {
    transcript(UiChunks::new(context), events)
}

/// How OpenAI's clients read them.
pub(super) fn openai_transcript(context: AnswerContext, shape: ChatShape, events: Vec<Event>) -> String {
    transcript(ChatChunks::new(context, shape), events)
}

fn transcript(mut encoder: impl Encode, events: Vec<Event>) -> String {
    let mut bytes = BytesMut::new();
    for event in events {
        encoder.encode(event, &mut bytes).expect("no example takes text back");
    }
    String::from_utf8(bytes.into()).expect("chunks are text")
}
