//! A guardrail's look at a text without a model.

use std::sync::Arc;

use crate::domain::{Guardrail, Passage, Region};

/// What a guardrail is to look at.
#[derive(Debug, Clone)]
pub struct Screening {
    pub guardrail: Arc<Guardrail>,
    /// Where the guardrail is; `None` is the region that the service runs in.
    pub region: Option<Region>,
    pub text: Passage,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Models may read it. What is only to be masked is masked when they do.
    Passed,
    /// No model is to read it; with the guardrail's own words.
    Blocked(String),
}
