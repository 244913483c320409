//! The JSON fold: takes every event of a run and answers once.

use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::task_routes::AnswerContext;
use super::wire::{
    AttemptBody, Chunks, CostBody, PartialBody, SuggestionBody, TaskAnswer, TimingBody, UsageBody,
    WarningBody,
};
use crate::domain::FailureCode;
use crate::pipeline::{Done, Event, Partial, Run, Strategy, SuggestionReport, UsageReport, Warning};

pub(super) const X_GENERATION_ID: HeaderName = HeaderName::from_static("x-generation-id");
/// The format of an answer that is data.
const DATA: &str = "json";
const X_MODEL: HeaderName = HeaderName::from_static("x-model");
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// A finished run, gathered.
pub(super) struct Gathered {
    pub text: String,
    pub chain: String,
    pub strategy: Strategy,
    pub partials: Vec<Partial>,
    /// In the order in which they were ready.
    pub suggestions: Vec<SuggestionReport>,
    pub warnings: Vec<Warning>,
    pub usage: UsageReport,
    pub done: Done,
}

/// Takes every event of the run.
pub(super) async fn gather(mut run: Run) -> Result<Gathered, ApiError> {
    let (mut text, mut chain, mut strategy) = (String::new(), String::new(), Strategy::Single);
    let (mut warnings, mut partials, mut suggestions, mut usage) = (Vec::new(), Vec::new(), Vec::new(), None);
    while let Some(event) = run.next().await {
        match event {
            Event::Started(started) => (chain, strategy) = (started.chain.to_string(), started.strategy),
            Event::Progress(_) | Event::Fallback(_) => {}
            Event::Partial(partial) => partials.push(partial),
            Event::Suggestion(suggestion) => suggestions.push(suggestion),
            Event::Warning(warning) => warnings.push(warning),
            Event::Delta(piece) if text.is_empty() => text = piece,
            Event::Delta(piece) => text.push_str(&piece),
            Event::Reset(_) => text.clear(),
            Event::Usage(report) => usage = Some(report),
            Event::Failed(failure) => return Err(failure.into()),
            Event::Done(done) => {
                let usage = usage.ok_or_else(|| ApiError::new(FailureCode::Internal))?;
                return Ok(Gathered { text, chain, strategy, partials, suggestions, warnings, usage, done });
            }
        }
    }
    Err(ApiError::new(FailureCode::Internal))
}

/// The whole answer as JSON.
pub(super) async fn answer(run: Run, context: &AnswerContext) -> Response {
    match gather(run).await {
        Ok(gathered) => json(&gathered, context),
        Err(error) => error.response(&context.request_id),
    }
}

/// The whole answer as plain text, for clients that could not tell a cut one.
pub(super) async fn text(run: Run, context: &AnswerContext) -> Response {
    match gather(run).await {
        Ok(gathered) => {
            let mut response = gathered.text.into_response();
            response.headers_mut().insert(X_GENERATION_ID, ascii(context.generation_id.as_str()));
            response
        }
        Err(error) => error.response(&context.request_id),
    }
}

fn json(gathered: &Gathered, context: &AnswerContext) -> Response {
    let Gathered { text, chain, strategy, partials, suggestions, warnings, usage, done } = gathered;
    let body = TaskAnswer {
        id: context.generation_id.as_str(),
        object: context.object,
        created: context.created,
        task: context.task.as_str(),
        text,
        // What a guardrail said in place of data is none.
        data: (context.format == DATA).then(|| serde_json::from_str(text).ok()).flatten(),
        format: context.format,
        finish_reason: done.finish.as_str(),
        model: done.model.as_str(),
        chain,
        fallback: done.fallback,
        attempts: done.attempts.iter().map(AttemptBody::from).collect(),
        strategy: strategy.as_str(),
        chunks: Chunks::from(done.chunks),
        partial: done.chunks.is_partial(),
        partials: in_order(partials),
        suggestions: by_number(suggestions),
        usage: UsageBody::from(usage),
        cost: CostBody::from(usage),
        timing: TimingBody::from(&usage.timing),
        warnings: warnings.iter().map(WarningBody::from).collect(),
    };
    let body = serde_json::to_vec(&body).expect("strings and numbers always serialize");
    let mut response = ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response();
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("accept"));
    tell_served(headers, gathered, context);
    response
}

/// The headers that say which answer it is, who wrote it, and where the time went.
pub(super) fn tell_served(headers: &mut HeaderMap, gathered: &Gathered, context: &AnswerContext) {
    let model = gathered.done.model.as_str();
    headers.insert(SERVER_TIMING, server_timing(&gathered.usage, model));
    headers.insert(X_GENERATION_ID, ascii(context.generation_id.as_str()));
    headers.insert(X_MODEL, ascii(model));
}

/// Parts end in any order.
fn in_order(partials: &[Partial]) -> Vec<PartialBody<'_>> {
    let mut partials: Vec<PartialBody<'_>> = partials.iter().map(PartialBody::from).collect();
    partials.sort_by_key(|partial| partial.index);
    partials
}

/// Suggestions are ready in any order.
fn by_number(suggestions: &[SuggestionReport]) -> Vec<SuggestionBody<'_>> {
    let mut suggestions: Vec<SuggestionBody<'_>> = suggestions.iter().map(SuggestionBody::from).collect();
    suggestions.sort_by_key(|suggestion| suggestion.index);
    suggestions
}

fn server_timing(usage: &UsageReport, model: &str) -> HeaderValue {
    let timing = &usage.timing;
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    ascii(&format!(
        "queue;dur={:.1}, upstream;dur={:.1}, overhead;dur={:.2}, model;desc=\"{model}\"",
        milliseconds(timing.queue),
        milliseconds(timing.upstream),
        milliseconds(timing.overhead),
    ))
}

/// Ids and model names hold visible ASCII only, which is what a header can carry.
pub(super) fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids and numbers are visible ASCII")
}
