//! A guardrail of the account: which one watches a call, and what its word means.
//!
//! What it blocks or masks is set up at AWS and not known here. The one rule: a
//! guardrail's own text and its trace are the operator's business, and what of
//! them a caller may see is said here and nowhere else.

use std::sync::Arc;

/// A guardrail that watches what goes into a model and what comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guardrail {
    /// Its name in the catalogue.
    pub name: Arc<str>,
    /// The id or ARN that AWS gave it.
    pub id: String,
    /// A number, or `DRAFT`.
    pub version: String,
    pub stream: GuardrailStream,
    pub on_block: OnBlock,
    /// Whether AWS is asked what the guardrail found. Only the kinds of findings are
    /// logged: a trace holds the words themselves.
    pub trace: bool,
}

/// When a streamed answer is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardrailStream {
    /// Before it leaves: later words, and no bad ones.
    Sync,
    /// While it leaves: words at once, and bad ones may have gone before it speaks up.
    Async,
}

impl GuardrailStream {
    /// The word in the catalogue.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

/// What a caller gets whose request was blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBlock {
    /// A failure, `content_filtered`.
    Refuse,
    /// The guardrail's own text as the answer, with a warning.
    Answer,
}

impl OnBlock {
    /// The word in the catalogue.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Answer => "answer",
        }
    }
}
