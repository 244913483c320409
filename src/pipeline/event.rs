//! What a run tells, in order.
//!
//! `Started`, then any of `Fallback` and `Warning`, then `Delta`s (with warnings
//! between them), then `Usage`, then `Done` or `Failed`. The deltas after the last
//! `Reset`, which only a run that may restart tells, together are the answer. A
//! failure before anything was billed comes without `Usage`.

use std::sync::Arc;
use std::time::Duration;

use super::ledger::ModelUsage;
use crate::domain::{CallFailure, Cost, FailureCode, ModelId, Region, TokenUsage};
use crate::routing::{Fallback, FinishReason};

/// One step of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Started(Started),
    Fallback(Fallback),
    Warning(Warning),
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
}

/// Something the caller should know about an answer that it gets all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub code: WarningCode,
    /// A sentence for people.
    pub detail: &'static str,
}

/// The closed list of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningCode {
    /// The answer is cut short.
    Truncated,
    /// The cost is unknown because a price is missing.
    UnpricedModel,
}

impl WarningCode {
    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::UnpricedModel => "unpriced_model",
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
    /// Whether part of the answer had already been told.
    pub partial: bool,
    pub attempts: Vec<AttemptReport>,
}
