//! How many tokens an answer needs.

/// The size of an answer, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSize {
    /// What it is expected to take; a model that cannot write it does not fit.
    pub expected_tokens: u32,
    /// What the model is allowed, where its own limit is not lower.
    pub max_tokens: u32,
}
