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
}
