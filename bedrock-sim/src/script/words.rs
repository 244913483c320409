//! Words: the text of an answer, known in whole or still growing.
//!
//! Owns how it is held: a text that is known is shared and never copied.
//! The one rule it protects: both are read in the same way.

use std::ops::Deref;
use std::sync::Arc;

/// The text of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Words {
    Whole(Arc<str>),
    Growing(String),
}

impl Words {
    /// The first bytes of it.
    pub(super) fn up_to(&self, bytes: usize) -> Arc<str> {
        match self {
            Self::Whole(text) if text.len() == bytes => Arc::clone(text),
            _ => Arc::from(&self[..bytes]),
        }
    }
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Whole(text) => text,
            Self::Growing(text) => text,
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::Growing(String::new())
    }
}
