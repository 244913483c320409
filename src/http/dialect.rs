//! The streaming folds: one body that drives a run, one encoder per dialect.
//!
//! Native events (SSE, NDJSON) have an error channel, so their head leaves at
//! once. Plain text has none: its head waits for the first word, and after that
//! a failure breaks the connection, because a clean end would call a cut answer
//! whole.

mod native;
mod stream_body;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use native::{Framing, NativeEvents};
use stream_body::{PlainText, StreamBody};

use super::error::ApiError;
use super::task_routes::AnswerContext;
use super::whole::{SERVER_TIMING, X_GENERATION_ID, ascii};
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
                return ApiError::new(crate::domain::FailureCode::Internal).response(&context.request_id);
            }
        }
    };
    run.stream_opened();
    let mut response = head(TEXT, &run, &context);
    let encoder = PlainText::starting_with(first);
    *response.body_mut() = Body::new(StreamBody::new(run, encoder, None, metrics));
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
