//! What a call teaches about its target: one row per failure.
//!
//! Only what the target itself did counts. A text that a filter declines, a prompt
//! that is too long, or a caller in a hurry must not close a target for others.

use crate::domain::CallFailure;

/// What follows from a call for those that come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lesson {
    /// It works.
    Healthy,
    /// It fails: the breaker counts it.
    Sick,
    /// It has too much to do: its limit shrinks, its breaker stays as it is.
    Throttled,
    /// It is gone, denied or used up: it is taken out for minutes.
    Out,
    /// The call says nothing about the target.
    Nothing,
}

/// The table.
pub(super) const fn lesson(failure: CallFailure) -> Lesson {
    use CallFailure as F;
    match failure {
        F::Throttled | F::NotReady => Lesson::Throttled,
        F::ModelGone | F::AccessDenied | F::DailyQuotaUsedUp | F::AccountQuotaExceeded => Lesson::Out,
        F::Unavailable
        | F::Unreachable
        | F::ModelFailed
        | F::ModelTimedOut
        | F::AnswerClock
        | F::FirstEventClock
        | F::IdleClock
        | F::AttemptClock
        | F::BadResponse
        | F::StreamCut => Lesson::Sick,
        F::ModelRefused
        | F::CredentialsRejected
        | F::InputTooLong
        | F::ParameterRejected
        | F::RequestRejected
        | F::EmptyAnswer
        | F::MalformedAnswer
        | F::Filtered
        | F::Deadline
        | F::BreakerOpen
        | F::TargetBusy => Lesson::Nothing,
    }
}

/// Whether `failure` takes a target out for minutes.
pub const fn takes_out(failure: CallFailure) -> bool {
    matches!(lesson(failure), Lesson::Out)
}
