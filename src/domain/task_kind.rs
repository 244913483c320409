//! The closed list of writing tasks, as names for routes, logs and labels.

use std::fmt;

/// Which writing task a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskKind {
    Summarize,
    Rephrase,
    Expand,
}

impl TaskKind {
    /// Every task, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Summarize, Self::Rephrase, Self::Expand];

    /// The name used in paths, configuration, logs and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Summarize => "summarize",
            Self::Rephrase => "rephrase",
            Self::Expand => "expand",
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
