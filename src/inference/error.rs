//! How a model call fails.
//!
//! The kind says what happened, in the closed list of the domain; what follows
//! from it (retry, next model, give up) is decided in `routing` alone. The cause
//! is for the operator's log and may hold the provider's words: it never reaches
//! a client.

use std::time::Duration;

use crate::domain::CallFailure;

/// One failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {cause}", kind.as_str())]
pub struct BackendError {
    pub kind: CallFailure,
    /// The provider's own words, for the log.
    pub cause: String,
    /// How long the provider asked to wait; Bedrock says so rarely.
    pub retry_after: Option<Duration>,
}

impl BackendError {
    /// An error of `kind` with the text for the log.
    pub fn new(kind: CallFailure, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), retry_after: None }
    }

    /// The answer of whoever cannot count the tokens of a model's prompts.
    pub fn uncountable(cause: impl Into<String>) -> Self {
        Self::new(CallFailure::ModelGone, cause)
    }

    /// Of a failed count: whether the model cannot be counted with, whatever the
    /// prompt. It "cannot be called this way", or the account may not do so; both
    /// last longer than a request.
    pub fn means_uncountable(&self) -> bool {
        matches!(self.kind, CallFailure::ModelGone | CallFailure::AccessDenied)
    }
}
