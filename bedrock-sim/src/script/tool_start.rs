//! The beginning of a tool use.
//!
//! Owns what a tool use is called by, not its input.
//! The one rule it protects: each tool use has an id of its own.

use std::sync::Arc;

use rand::Rng;
use rand::distr::Alphanumeric;

/// The random part of an id.
const ID_CHARS: usize = 22;

/// What a tool use begins with. Its input follows as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolStart {
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl ToolStart {
    pub(crate) fn new(name: &str) -> Self {
        let random: String = rand::rng().sample_iter(Alphanumeric).take(ID_CHARS).map(char::from).collect();
        Self { id: Arc::from(format!("tooluse_{random}")), name: Arc::from(name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_uses_of_a_tool_have_two_ids() {
        let (one, other) = (ToolStart::new("t"), ToolStart::new("t"));
        assert!(one.id != other.id && one.id.len() == 30);
    }
}
