//! Ids of a request and of the generation it starts.
//!
//! A request id comes from the caller or is made here, and is safe to put into
//! a header, a log line and an AWS metadata value. A generation id names one
//! answer and is always ours.

use std::fmt;
use std::sync::Arc;

use ulid::Ulid;

use super::request_metadata::sound_char;

/// Names one HTTP request: 1 to 128 characters of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

/// The text is empty, too long, or holds a character outside the allowed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id has 1 to 128 characters of A-Z a-z 0-9 . _ -")]
pub struct InvalidRequestId;

impl RequestId {
    const MAX_LEN: usize = 128;

    /// Makes a new id.
    pub fn generate() -> Self {
        Self(format!("req_{}", Ulid::new()).into())
    }

    /// Accepts an id that a caller sent.
    ///
    /// # Errors
    /// [`InvalidRequestId`] when the text could not safely be echoed.
    pub fn parse(text: &str) -> Result<Self, InvalidRequestId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidRequestId)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names whoever a request is made for: 1 to 128 characters that logs and AWS metadata take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant(Arc<str>);

impl Tenant {
    const MAX_CHARS: usize = 128;

    /// Makes a name of what was told; `None` when nothing was.
    pub fn of(text: &str) -> Option<Self> {
        let sound: String = text.trim().chars().take(Self::MAX_CHARS).map(sound_char).collect();
        (!sound.is_empty()).then(|| Self(sound.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names one answer: `gen_` and a ULID, so ids sort by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationId(Arc<str>);

impl GenerationId {
    /// Makes a new id.
    pub fn generate() -> Self {
        Self(format!("gen_{}", Ulid::new()).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{GenerationId, RequestId};

    #[test]
    fn a_request_id_is_echoed_only_when_it_is_harmless() {
        for good in ["a", "A-b_c.9", &"x".repeat(128)] {
            assert_eq!(RequestId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\nb", "é", "a/b", &"x".repeat(129)] {
            assert!(RequestId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn made_ids_differ_and_request_ids_are_themselves_acceptable() {
        let (one, two) = (RequestId::generate(), RequestId::generate());
        assert_ne!(one, two);
        assert_eq!(RequestId::parse(one.as_str()).unwrap(), one);
        assert_ne!(GenerationId::generate(), GenerationId::generate());
    }
}
