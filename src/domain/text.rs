//! Text that a task can work on: never blank, held once.

use super::passage::Passage;

/// A document that holds at least one visible character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText(Passage);

/// The text is empty or only white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is empty or only white space")]
pub struct BlankText;

impl SourceText {
    /// Takes the text as it is; bytes are kept, nothing is trimmed.
    ///
    /// # Errors
    /// [`BlankText`] when there is nothing to work on.
    pub fn parse(text: &str) -> Result<Self, BlankText> {
        Self::of(text.into())
    }

    /// The same for a stretch of a text.
    ///
    /// # Errors
    /// [`BlankText`] when there is nothing to work on.
    pub fn of(passage: Passage) -> Result<Self, BlankText> {
        if passage.chars().all(is_blank) { Err(BlankText) } else { Ok(Self(passage)) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Another handle to the same text.
    pub fn share(&self) -> Passage {
        self.0.clone()
    }
}

/// White space, and characters that show nothing at all.
fn is_blank(c: char) -> bool {
    const ZERO_WIDTH_SPACE: char = '\u{200B}';
    const WORD_JOINER: char = '\u{2060}';
    const BYTE_ORDER_MARK: char = '\u{FEFF}';
    c.is_whitespace() || matches!(c, ZERO_WIDTH_SPACE | WORD_JOINER | BYTE_ORDER_MARK)
}

#[cfg(test)]
mod tests {
    use super::SourceText;

    #[test]
    fn blank_text_is_refused_and_other_text_is_kept_to_the_byte() {
        for blank in ["", " ", "\n\t\u{3000}", "\u{200B}\u{FEFF}"] {
            assert!(SourceText::parse(blank).is_err(), "{blank:?}");
        }
        assert_eq!(SourceText::parse("  a \n").unwrap().as_str(), "  a \n");
    }
}
