//! The closed list of ways in which one model call can fail.
//!
//! The same word stands in the answer's `attempts`, in `fallback` events, in the
//! logs and in the metric labels. Backends report the first group; `routing`
//! adds what only it can see: its clocks, answers that are none, and targets
//! that it passed over without a call.

use super::FailureCode;

/// Why a call of one model gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallFailure {
    /// Too many requests or tokens per minute for this model.
    Throttled,
    /// The day's tokens of this model are used up.
    DailyQuotaUsedUp,
    /// The model is being loaded.
    NotReady,
    /// The provider is overloaded or broken for the moment (500, 502, 503, 504).
    Unavailable,
    /// The model failed on this call (424) and may succeed on the next.
    ModelFailed,
    /// The model refused this call (424 with an original status of 4xx).
    ModelRefused,
    /// The model reached the provider's own time limit (408).
    ModelTimedOut,
    /// No connection, or it broke before an answer.
    Unreachable,
    /// The id is wrong, at its end of life, or cannot be called this way.
    ModelGone,
    /// The account may not use this model.
    AccessDenied,
    /// There are no credentials, or they are expired or wrong: true of every model.
    CredentialsRejected,
    /// The prompt is longer than the model's context window.
    InputTooLong,
    /// The model rejects a parameter that was sent: a fault of the catalogue.
    ParameterRejected,
    /// The request is invalid in another way.
    RequestRejected,
    /// An account limit other than throttling.
    AccountQuotaExceeded,
    /// The answer could not be understood: garbage, wrong type, bad checksum.
    BadResponse,
    /// A stream ended before the model said that it was done.
    StreamCut,
    /// The `answer` clock ran out.
    AnswerClock,
    /// The `first_event` clock ran out.
    FirstEventClock,
    /// The `idle` clock ran out.
    IdleClock,
    /// The `attempt` clock ran out.
    AttemptClock,
    /// The request's deadline came during the call.
    Deadline,
    /// The model ended without a word of text.
    EmptyAnswer,
    /// The model's output was malformed by its provider's own account.
    MalformedAnswer,
    /// A guardrail or the provider's filter withheld the answer.
    Filtered,
    /// Not called: the target has been failing, and its breaker lets nothing through.
    BreakerOpen,
    /// Not called: the target has as many calls as it takes.
    TargetBusy,
}

impl CallFailure {
    /// Every failure.
    pub const ALL: [Self; 27] = [
        Self::Throttled,
        Self::DailyQuotaUsedUp,
        Self::NotReady,
        Self::Unavailable,
        Self::ModelFailed,
        Self::ModelRefused,
        Self::ModelTimedOut,
        Self::Unreachable,
        Self::ModelGone,
        Self::AccessDenied,
        Self::CredentialsRejected,
        Self::InputTooLong,
        Self::ParameterRejected,
        Self::RequestRejected,
        Self::AccountQuotaExceeded,
        Self::BadResponse,
        Self::StreamCut,
        Self::AnswerClock,
        Self::FirstEventClock,
        Self::IdleClock,
        Self::AttemptClock,
        Self::Deadline,
        Self::EmptyAnswer,
        Self::MalformedAnswer,
        Self::Filtered,
        Self::BreakerOpen,
        Self::TargetBusy,
    ];

    /// The word in answers, logs and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::DailyQuotaUsedUp => "daily_quota_used_up",
            Self::NotReady => "not_ready",
            Self::Unavailable => "unavailable",
            Self::ModelFailed => "model_failed",
            Self::ModelRefused => "model_refused",
            Self::ModelTimedOut => "model_timed_out",
            Self::Unreachable => "unreachable",
            Self::ModelGone => "model_gone",
            Self::AccessDenied => "access_denied",
            Self::CredentialsRejected => "credentials_rejected",
            Self::InputTooLong => "input_too_long",
            Self::ParameterRejected => "parameter_rejected",
            Self::RequestRejected => "request_rejected",
            Self::AccountQuotaExceeded => "account_quota_exceeded",
            Self::BadResponse => "bad_response",
            Self::StreamCut => "stream_cut",
            Self::AnswerClock => "answer_timeout",
            Self::FirstEventClock => "first_event_timeout",
            Self::IdleClock => "idle_timeout",
            Self::AttemptClock => "attempt_timeout",
            Self::Deadline => "deadline_exceeded",
            Self::EmptyAnswer => "empty_answer",
            Self::MalformedAnswer => "malformed_answer",
            Self::Filtered => "content_filtered",
            Self::BreakerOpen => "breaker_open",
            Self::TargetBusy => "target_busy",
        }
    }

    /// The failure in terms of the caller: what an exhausted chain answers with.
    pub const fn code(self) -> FailureCode {
        match self {
            Self::Throttled
            | Self::DailyQuotaUsedUp
            | Self::NotReady
            | Self::AccountQuotaExceeded
            | Self::TargetBusy => FailureCode::ModelCapacity,
            Self::Unavailable
            | Self::Unreachable
            | Self::ModelGone
            | Self::CredentialsRejected
            | Self::BreakerOpen => FailureCode::AllModelsUnavailable,
            Self::ModelFailed | Self::ModelRefused => FailureCode::UpstreamError,
            Self::BadResponse | Self::StreamCut | Self::EmptyAnswer | Self::MalformedAnswer => {
                FailureCode::UpstreamBadResponse
            }
            Self::ModelTimedOut
            | Self::AnswerClock
            | Self::FirstEventClock
            | Self::IdleClock
            | Self::AttemptClock => FailureCode::UpstreamTimeout,
            Self::AccessDenied => FailureCode::UpstreamAuth,
            Self::InputTooLong => FailureCode::InputTooLarge,
            Self::ParameterRejected => FailureCode::Internal,
            Self::RequestRejected => FailureCode::ValidationFailed,
            Self::Deadline => FailureCode::DeadlineExceeded,
            Self::Filtered => FailureCode::ContentFiltered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CallFailure;
    use std::collections::HashSet;

    #[test]
    fn every_failure_is_listed_once_and_has_its_own_word() {
        let words: HashSet<_> = CallFailure::ALL.iter().map(|failure| failure.as_str()).collect();
        assert_eq!(words.len(), CallFailure::ALL.len());
    }
}
