//! The shape of a prompt: rules on one side, the fenced document on the other.
//!
//! The document is data. It stands alone in the user turn between two lines that
//! carry a random boundary, so that text inside it cannot pretend to end it. It
//! is shared, not copied: a prompt that is tried on three models holds it once.

use std::fmt;

use super::passage::Passage;

/// A random name for one request's fences, unknown to whoever wrote the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// 64 random bits, as 16 hexadecimal digits.
    pub fn generate() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    /// A boundary of the caller's choosing, for golden files and replays.
    pub fn fixed(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The user turn: an opening fence, the document, a closing fence. Before the opening
/// fence `opening` may hold what helps to understand the document, in fences of its own.
#[derive(Clone)]
pub struct FencedDocument {
    pub opening: String,
    pub document: Passage,
    pub closing: String,
}

impl FencedDocument {
    /// The whole turn as the model reads it.
    pub fn assemble(&self) -> String {
        [self.opening.as_str(), &self.document, &self.closing].concat()
    }
}

/// Everything a model is told in one call.
#[derive(Clone)]
pub struct Prompt {
    /// Role and rules. Empty only when a task needs none.
    pub system: String,
    /// How much of `system`, in bytes from its begin, other calls are told word for
    /// word, too: those of the other parts of a document, or of the next request with
    /// the same background. Never inside a character; 0 where nothing is known.
    pub shared_bytes: usize,
    /// The document to work on.
    pub user: FencedDocument,
}

impl Prompt {
    /// A document without a word about it: for a model that is to count it.
    pub fn of_document(document: Passage) -> Self {
        let user = FencedDocument { opening: String::new(), document, closing: String::new() };
        Self { system: String::new(), shared_bytes: 0, user }
    }

    /// The rules that other calls are told, too, and the rest of them.
    pub fn split_system(&self) -> (&str, &str) {
        self.system.split_at_checked(self.shared_bytes).unwrap_or((&self.system, ""))
    }
}

/// Tells sizes alone: a prompt holds somebody's document.
impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prompt({} bytes of rules, {:?})", self.system.len(), self.user)
    }
}

impl fmt::Debug for FencedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FencedDocument({:?})", self.document)
    }
}
