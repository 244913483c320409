//! Why a document gave no text, for the operator's log and for the answer.
//!
//! [`Refusal`] is what a reader finds out about a document; [`ExtractError`] adds what
//! can happen around it. Neither ever quotes the document.

use std::fmt;
use std::io;

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The bytes are not what the media type says.
    #[error("the bytes are not of the type they were sent as")]
    TypeMismatch,
    /// This build has no reader for the format.
    #[error("this build cannot read the format")]
    Unsupported,
    /// Well formed, but without text: a scan, for example.
    #[error("the document has no text")]
    NoText,
    #[error("the document is locked by a password")]
    Encrypted,
    #[error("the text of the document has more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    #[error("the document is damaged or breaks the rules of its format")]
    Malformed,
    #[error("reading the document took more memory than {limit_bytes} bytes")]
    OutOfMemory { limit_bytes: u64 },
    /// The processor time or the wall-clock time for one document was over.
    #[error("reading the document took too long")]
    OutOfTime,
    #[error("the process that read the document ended early: {0}")]
    Crashed(Crash),
    /// Every place was taken until the caller's time was over.
    #[error("no place to read a document came free in time")]
    Busy,
    /// The caller's time was over while the document was read; not the document's fault.
    #[error("the request's time was over while its document was read")]
    Deadline,
    #[error("cannot run a process to read the document: {0}")]
    Spawn(#[source] io::Error),
}

/// How the reading process ended when it did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    StackOverflow,
    Signal(i32),
    ExitCode(i32),
    /// It ended well and said something else than was agreed.
    Garbled,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StackOverflow => f.write_str("stack overflow"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::ExitCode(code) => write!(f, "exit code {code}"),
            Self::Garbled => f.write_str("its report cannot be read"),
        }
    }
}

/// What a reader says about a document it has no text of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    TypeMismatch,
    Unsupported,
    NoText,
    Encrypted,
    TooLarge,
    Malformed,
}

impl Refusal {
    pub const ALL: [Self; 6] = [
        Self::TypeMismatch,
        Self::Unsupported,
        Self::NoText,
        Self::Encrypted,
        Self::TooLarge,
        Self::Malformed,
    ];

    /// The word that stands for it in the child's report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TypeMismatch => "type_mismatch",
            Self::Unsupported => "unsupported",
            Self::NoText => "no_text",
            Self::Encrypted => "encrypted",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
        }
    }
}
