//! Why a chain gave no answer: the failure that helps the caller most.

use std::time::Duration;

use super::attempt::AttemptError;
use crate::domain::CallFailure;

/// No target gave an answer, or an answer broke off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {cause}", failure.as_str())]
pub struct RouteError {
    /// The failure that helps the caller most.
    pub failure: CallFailure,
    /// For the operator's log only.
    pub cause: String,
    /// When trying again could help, where that is known.
    pub retry_after: Option<Duration>,
}

impl RouteError {
    pub(super) fn from_last(error: AttemptError) -> Self {
        Self { failure: error.error.kind, cause: error.error.cause, retry_after: error.error.retry_after }
    }

    pub(super) fn without_call(failure: CallFailure, cause: &str) -> Self {
        Self { failure, cause: cause.to_owned(), retry_after: None }
    }

    pub(super) fn too_late() -> Self {
        Self::without_call(CallFailure::Deadline, "the deadline came before the call")
    }

    pub(super) fn misfit() -> Self {
        Self::without_call(CallFailure::InputTooLong, "no target of the chain can hold the text")
    }

    /// There was nothing that a model could have been asked.
    pub fn nothing_to_do() -> Self {
        Self::without_call(CallFailure::EmptyAnswer, "no part of the text held anything to work on")
    }

    /// Whether it tells the caller at least as much as `other`.
    pub(super) fn helps_as_much_as(&self, other: &Self) -> bool {
        helpfulness(self.failure) >= helpfulness(other.failure)
    }
}

/// Which of several failures tells the caller most about what to do: change the
/// text, then wait, then try again, then ask the operator.
const fn helpfulness(failure: CallFailure) -> u8 {
    use CallFailure as F;
    match failure {
        F::Filtered | F::InputTooLong | F::RequestRejected | F::Deadline => 4,
        F::Throttled | F::DailyQuotaUsedUp | F::AccountQuotaExceeded | F::NotReady | F::TargetBusy => 3,
        F::ModelTimedOut
        | F::AnswerClock
        | F::FirstEventClock
        | F::IdleClock
        | F::AttemptClock
        | F::Unavailable
        | F::Unreachable
        | F::BreakerOpen => 2,
        F::ModelFailed
        | F::ModelRefused
        | F::BadResponse
        | F::StreamCut
        | F::EmptyAnswer
        | F::MalformedAnswer => 1,
        F::ModelGone | F::AccessDenied | F::CredentialsRejected | F::ParameterRejected => 0,
    }
}
