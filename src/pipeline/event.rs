//! What a run tells, in order.
//!
//! `Started`, then any of `Fallback`, `Progress`, `Partial` and `Warning`, then
//! `Delta`s (with the others between them, where a document is worked on in parts),
//! then `Usage`, then `Done` or `Failed`. The deltas after the last `Reset`, which
//! only a run that may restart tells, together are the answer. A failure before
//! anything was billed comes without `Usage`. Where several suggestions are asked for,
//! each is told by a `Suggestion` when it is there, and the deltas, which are the first
//! of them, come when all have ended.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::ledger::ModelUsage;
use crate::domain::{CallFailure, Cost, FailureCode, ModelId, Region, TokenUsage};
use crate::routing::{Fallback, FinishReason};
use crate::telemetry::Strategy;

/// One step of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Started(Started),
    /// How far the work on a document in parts has come.
    Progress(ProgressReport),
    Fallback(FallbackReport),
    Warning(Warning),
    /// The answer to one part, for callers that asked for it; it is not the answer.
    Partial(Partial),
    /// One of several suggestions, whole.
    Suggestion(SuggestionReport),
    /// A piece of the answer.
    Delta(String),
    /// The deltas so far are void: another model starts over.
    Reset(Reset),
    Usage(UsageReport),
    Done(Done),
    Failed(Failure),
}

/// What happens when a model breaks off in the middle of its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnFailover {
    /// The run fails: what was told stands.
    #[default]
    Error,
    /// The run takes back what it told, and the next target starts over.
    Restart,
}

/// What happens when a part of a document cannot be worked on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnChunkError {
    /// The run fails.
    #[default]
    Fail,
    /// The answer goes on without it and says so.
    Skip,
}

/// Which part of the work on a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Split,
    /// Its parts.
    Map,
    /// Summaries of parts that are merged and will be merged again.
    Reduce,
    /// The answer.
    Final,
}

impl Stage {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Map => "map",
            Self::Reduce => "reduce",
            Self::Final => "final",
        }
    }
}

/// How far the work on a document in parts has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressReport {
    pub stage: Stage,
    /// The round of merging, from 1.
    pub level: Option<u32>,
    /// Of `total`; it never goes back within a stage and level.
    pub done: u32,
    pub total: u32,
    /// What has happened to parts since the last report.
    pub changes: Vec<ChunkChange>,
}

/// Something has happened to a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkChange {
    /// From 0.
    pub index: u32,
    pub state: ChunkState,
    /// The model that works on it or did.
    pub model: Option<ModelId>,
}

/// What has happened to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkState {
    Started,
    Completed,
    Failed,
    /// Its answer was there from an earlier request.
    Cached,
}

impl ChunkState {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cached => "cached",
        }
    }
}

/// A change to another target, and what it was to work on.
#[derive(Debug, Clone, PartialEq)]
pub struct FallbackReport {
    pub fallback: Fallback,
    pub stage: Stage,
    /// The part, from 0, where it is about one.
    pub chunk: Option<u32>,
}

/// The answer to one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// From 0.
    pub index: u32,
    pub text: String,
}

/// One of several suggestions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestionReport {
    /// From 0. A number is missing where none could be had that says something new.
    pub index: u32,
    pub text: String,
    pub model: ModelId,
    pub finish: FinishReason,
}

/// The answer starts over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    pub reason: CallFailure,
    /// Length of what is void, in Unicode characters.
    pub discarded_chars: usize,
}

/// The work has begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    pub chain: Arc<str>,
    /// The model that is asked first.
    pub model: ModelId,
    pub strategy: Strategy,
    /// The parts of the document; 1 when it is worked on at once.
    pub chunks: u32,
}

/// Something the caller should know about an answer that it gets all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub code: WarningCode,
    /// A sentence for people.
    pub detail: Cow<'static, str>,
}

/// The closed list of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningCode {
    /// The answer is cut short.
    Truncated,
    /// The cost is unknown because a price is missing.
    UnpricedModel,
    /// A part of the document is not in the answer.
    ChunkSkipped,
    /// Some of the file's bytes were no text in its charset.
    UndecodableBytes,
    /// Some of the file could not be read.
    PartlyRead,
    /// A guardrail stopped the request, and its own words stand in the answer.
    GuardrailIntervened,
    /// A post was longer than its platform takes.
    PostShortened,
    /// One of the suggestions that were asked for is missing.
    FewerSuggestions,
}

impl WarningCode {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::UnpricedModel => "unpriced_model",
            Self::ChunkSkipped => "chunk_skipped",
            Self::UndecodableBytes => "undecodable_bytes",
            Self::PartlyRead => "partly_read",
            Self::GuardrailIntervened => "guardrail_intervened",
            Self::PostShortened => "post_shortened",
            Self::FewerSuggestions => "fewer_suggestions",
        }
    }
}

/// What the work used and how long it took.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageReport {
    pub usage: TokenUsage,
    pub model_calls: u32,
    /// `None` when a price is missing.
    pub cost: Option<Cost>,
    /// Whether some of the tokens are an estimate.
    pub estimated: bool,
    pub by_model: Vec<ModelUsage>,
    pub timing: Timing,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    pub queue: Duration,
    /// From the request to the first delta; `None` for whole answers.
    pub time_to_first_token: Option<Duration>,
    /// From the first delta to the last; for whole answers, the answering call.
    pub generation: Option<Duration>,
    pub total: Duration,
    /// Output tokens over `generation`, where that is long enough to divide by.
    pub tokens_per_second: Option<f64>,
    /// Model calls and the waits between them.
    pub upstream: Duration,
    /// The service's own share: neither the client's sending, nor waiting for
    /// admission, nor the models.
    pub overhead: Duration,
}

/// The answer is complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    pub finish: FinishReason,
    pub model: ModelId,
    pub fallback: bool,
    /// Calls made: the attempts without those that were passed over.
    pub model_calls: u32,
    pub attempts: Vec<AttemptReport>,
    /// Length of the answer in Unicode characters.
    pub output_chars: usize,
    pub chunks: ChunkCounts,
}

/// The parts that a document was worked on in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkCounts {
    pub total: u32,
    /// Those of which nothing is in the answer.
    pub failed: u32,
    /// Rounds of merging.
    pub levels: u32,
}

impl ChunkCounts {
    /// Whether something of the document is missing in the answer.
    pub fn is_partial(&self) -> bool {
        self.failed > 0
    }
}

/// One model's part in the answer, as callers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptReport {
    pub model: ModelId,
    /// `None` is the region the service runs in.
    pub region: Option<Region>,
    /// Whether the model was called at all, and not passed over.
    pub called: bool,
    pub failure: Option<CallFailure>,
    pub latency: Duration,
}

/// There is no answer, or it broke off.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub code: FailureCode,
    pub retry_after: Option<Duration>,
    /// A sentence for people, where more is known than the code says.
    pub detail: Option<Cow<'static, str>>,
    /// Whether part of the answer, or a suggestion, had already been told.
    pub partial: bool,
    pub attempts: Vec<AttemptReport>,
}
