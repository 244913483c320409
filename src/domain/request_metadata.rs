//! What AWS's invocation log is told about a call, so that a bill can be split.
//!
//! Keys and values hold `A-Z a-z 0-9`, white space and `: _ @ $ # = / + , - .`, 256
//! characters at most (`RequestMetadata` in the Bedrock Runtime API model). The one
//! rule: a stray character never costs a call, so it is replaced here.

/// Entries of a call's metadata; never more than AWS takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestMetadata(Vec<(&'static str, String)>);

impl RequestMetadata {
    const MAX_CHARS: usize = 256;
    const MAX_ENTRIES: usize = 16;

    /// Adds an entry; characters that AWS refuses become `_`, and what is too long is cut.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: &str) -> Self {
        if self.0.len() < Self::MAX_ENTRIES {
            let sound = value.chars().take(Self::MAX_CHARS).map(sound_char);
            self.0.push((key, sound.collect()));
        }
        self
    }

    /// Whether there is nothing to tell: AWS refuses metadata without entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, value)| (*key, value.as_str()))
    }
}

/// The character, or `_` where AWS refuses it.
pub(super) fn sound_char(c: char) -> char {
    if c.is_ascii_alphanumeric() || ":_@$#=/+,-. ".contains(c) { c } else { '_' }
}

#[cfg(test)]
mod tests {
    use super::RequestMetadata;

    #[test]
    fn what_aws_refuses_is_replaced_or_cut() {
        let long = "x".repeat(300);
        let cases = [
            ("req_01.A-b", "req_01.A-b"),
            ("a \"quoted\" | é;\n", "a _quoted_ _ ___"),
            ("", ""),
            (long.as_str(), &long[..256]),
        ];
        for (value, sound) in cases {
            let metadata = RequestMetadata::default().with("tenant", value);
            assert_eq!(metadata.iter().collect::<Vec<_>>(), [("tenant", sound)]);
        }
    }

    #[test]
    fn there_are_never_more_entries_than_aws_takes() {
        let metadata = (0..20).fold(RequestMetadata::default(), |metadata, _| metadata.with("k", "v"));
        assert_eq!(metadata.iter().count(), 16);
        assert!(RequestMetadata::default().is_empty());
    }
}
