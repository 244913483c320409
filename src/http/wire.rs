//! The shapes of JSON answers. Field names are the contract; `openapi.yaml` is
//! generated from these types.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::Region;
use crate::pipeline::{AttemptReport, ChunkCounts, Partial, SuggestionReport, Timing, UsageReport, Warning};
use crate::tasks::FieldProblem;

/// A finished piece of writing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskAnswer<'a> {
    /// Names this answer.
    #[schema(example = "gen_01KAJ7ZQ3T6X5V8M2N4P6R8S0W")]
    pub id: &'a str,
    /// What it is, such as `summary`.
    #[schema(example = "summary")]
    pub object: &'a str,
    /// Unix time in seconds.
    pub created: u64,
    #[schema(example = "summarize")]
    pub task: &'a str,
    /// The answer; of several suggestions, the first.
    pub text: &'a str,
    /// The same as data, where the answer is data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = super::openapi::any_data, required = false)]
    pub data: Option<Value>,
    /// How `text` is marked up: `markdown`, `plain-text` or `as-is`; `json` for data.
    #[schema(example = "markdown")]
    pub format: &'a str,
    /// `stop`; or `length`, `content_filter`, `other` when the answer is not whole.
    #[schema(example = "stop")]
    pub finish_reason: &'a str,
    /// The model that wrote it.
    pub model: &'a str,
    pub chain: &'a str,
    /// Whether another target than the one named first wrote it: another model, or another region.
    pub fallback: bool,
    /// Every model call, in order.
    pub attempts: Vec<AttemptBody<'a>>,
    /// How the document was worked on: at once, `single` or, for several suggestions, `several`; or in
    /// parts, `map_reduce`, `map_concat` or `refine`.
    #[schema(example = "single")]
    pub strategy: &'a str,
    pub chunks: Chunks,
    /// Whether parts of the document are missing in `text`; only with `on_chunk_error: "skip"`.
    pub partial: bool,
    /// What each part gave, in the order of the text; only with `include: ["partials"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub partials: Vec<PartialBody<'a>>,
    /// The suggestions, by number; only with `n` above 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub suggestions: Vec<SuggestionBody<'a>>,
    pub usage: UsageBody,
    pub cost: CostBody,
    pub timing: TimingBody,
    pub warnings: Vec<WarningBody<'a>>,
}

/// One model's part: a call, or why there was none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(super) struct AttemptBody<'a> {
    pub model: &'a str,
    /// The region, where it is another than the service's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region: Option<&'a str>,
    /// `ok` or `error`; `skipped` when the model was passed over without a call.
    pub outcome: &'a str,
    /// What failed, for example `throttled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<&'a str>,
    pub latency_ms: u64,
}

impl<'a> From<&'a AttemptReport> for AttemptBody<'a> {
    fn from(attempt: &'a AttemptReport) -> Self {
        Self {
            model: attempt.model.as_str(),
            region: attempt.region.as_ref().map(Region::as_str),
            outcome: match attempt.failure {
                None => "ok",
                Some(_) if attempt.called => "error",
                Some(_) => "skipped",
            },
            error: attempt.failure.map(|failure| failure.as_str()),
            latency_ms: whole_milliseconds(attempt.latency),
        }
    }
}

/// The parts a document was split into.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Chunks {
    /// The parts.
    pub total: u32,
    /// Those of which nothing is in the answer.
    pub failed: u32,
    /// How many times partial answers were merged.
    pub levels: u32,
}

impl From<ChunkCounts> for Chunks {
    fn from(counts: ChunkCounts) -> Self {
        Self { total: counts.total, failed: counts.failed, levels: counts.levels }
    }
}

/// The summary of one part of the document; with the strategy `refine`, of all up to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PartialAnswer)]
pub(super) struct PartialBody<'a> {
    /// The part, from 0.
    pub index: u32,
    pub text: &'a str,
}

impl<'a> From<&'a Partial> for PartialBody<'a> {
    fn from(partial: &'a Partial) -> Self {
        Self { index: partial.index, text: &partial.text }
    }
}

/// One of several suggestions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suggestion)]
pub(super) struct SuggestionBody<'a> {
    /// Its number, from 0. One is missing where the model failed, or had nothing new to say.
    pub index: u32,
    pub text: &'a str,
    /// The model that wrote it.
    pub model: &'a str,
    /// `stop`; or `length`, `content_filter`, `other` when it is not whole.
    #[schema(example = "stop")]
    pub finish_reason: &'a str,
}

impl<'a> From<&'a SuggestionReport> for SuggestionBody<'a> {
    fn from(suggestion: &'a SuggestionReport) -> Self {
        Self {
            index: suggestion.index,
            text: &suggestion.text,
            model: suggestion.model.as_str(),
            finish_reason: suggestion.finish.as_str(),
        }
    }
}

/// Tokens, in the four classes that are billed apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct UsageBody {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub total_tokens: u64,
    pub cache_read_input_tokens: u64,
    pub cache_write_input_tokens: u64,
    /// Model calls made, also those that failed.
    pub model_calls: u32,
}

impl From<&UsageReport> for UsageBody {
    fn from(report: &UsageReport) -> Self {
        let usage = &report.usage;
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            total_tokens: usage.total_tokens(),
            cache_read_input_tokens: usage.cache_read_input_tokens,
            cache_write_input_tokens: usage.cache_write_input_tokens,
            model_calls: report.model_calls,
        }
    }
}

/// What it cost at the catalogue's prices.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cost)]
pub(super) struct CostBody {
    /// `null` when a price is not known.
    #[schema(required)]
    pub usd: Option<f64>,
    /// Whether the tokens behind it are partly an estimate.
    pub estimated: bool,
}

impl From<&UsageReport> for CostBody {
    fn from(report: &UsageReport) -> Self {
        Self { usd: report.cost.map(|cost| cost.usd()), estimated: report.estimated }
    }
}

/// Where the time went, in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Timing)]
pub(super) struct TimingBody {
    pub queue_ms: f64,
    /// `null` when the model was asked for the whole answer at once.
    #[schema(required)]
    pub time_to_first_token_ms: Option<f64>,
    #[schema(required)]
    pub generation_time_ms: Option<f64>,
    pub total_ms: f64,
    #[schema(required)]
    pub tokens_per_second: Option<f64>,
}

impl From<&Timing> for TimingBody {
    fn from(timing: &Timing) -> Self {
        Self {
            queue_ms: milliseconds(timing.queue),
            time_to_first_token_ms: timing.time_to_first_token.map(milliseconds),
            generation_time_ms: timing.generation.map(milliseconds),
            total_ms: milliseconds(timing.total),
            tokens_per_second: timing.tokens_per_second.map(|rate| (rate * 10.0).round() / 10.0),
        }
    }
}

/// Something to know about an answer that was given all the same.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Warning)]
pub(super) struct WarningBody<'a> {
    #[schema(example = "truncated")]
    pub code: &'a str,
    pub detail: &'a str,
}

impl<'a> From<&'a Warning> for WarningBody<'a> {
    fn from(warning: &'a Warning) -> Self {
        Self { code: warning.code.as_str(), detail: &warning.detail }
    }
}

/// An error, as RFC 9457 has it, with members of ours beside.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem<'a> {
    /// A page about this kind of error.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/problems/validation_failed")]
    pub kind: Option<String>,
    pub title: &'a str,
    pub status: u16,
    /// A sentence for people.
    pub detail: &'a str,
    pub instance: String,
    /// The stable code; match on this.
    #[schema(example = "validation_failed")]
    pub code: &'a str,
    pub request_id: &'a str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_after_ms: Option<u64>,
    /// Each thing that is wrong with the body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldProblemBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limit_bytes: Option<usize>,
    /// Tokens of the text, about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub requested: Option<u32>,
    /// Tokens that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub quota: Option<u32>,
    /// Parts that the text makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub chunks: Option<u32>,
    /// Parts that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_chunks: Option<u32>,
    /// What the request would cost, about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub estimated_cost_usd: Option<f64>,
    /// What a request may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_cost_usd: Option<f64>,
    /// The model calls that were made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub attempts: Vec<AttemptBody<'a>>,
    /// In streams: whether part of the answer had been sent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub partial: Option<bool>,
    pub error: OpenAiError<'a>,
}

/// One thing that is wrong with the body.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldProblem)]
pub(super) struct FieldProblemBody<'a> {
    /// Where it is: a JSON pointer (RFC 6901).
    #[schema(example = "/length")]
    pub pointer: &'a str,
    pub detail: &'a str,
}

impl<'a> From<&'a FieldProblem> for FieldProblemBody<'a> {
    fn from(problem: &'a FieldProblem) -> Self {
        Self { pointer: &problem.pointer, detail: &problem.detail }
    }
}

/// The same error for clients that expect an `error` object.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenAiError<'a> {
    pub message: &'a str,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub code: &'a str,
    #[schema(required)]
    pub param: Option<&'a str>,
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 1e2
}

pub(super) fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
