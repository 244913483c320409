//! A stretch of a text that is held once, however many parts it is worked on in.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A text, or a part of one. Cloning it copies no character.
#[derive(Clone)]
pub struct Passage {
    text: Arc<str>,
    range: Range<usize>,
}

impl Passage {
    /// The part of this passage at `range`, in bytes from its own begin.
    ///
    /// # Panics
    /// When the range is not inside the passage or cuts a character.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let (start, end) = (self.range.start + range.start, self.range.start + range.end);
        assert!(end <= self.range.end && self.text.get(start..end).is_some(), "a part lies inside its text");
        Self { text: Arc::clone(&self.text), range: start..end }
    }

    /// From the begin of this passage to the end of a later one of the same text.
    ///
    /// # Panics
    /// When the other is of another text, or ends before this one begins.
    #[must_use]
    pub fn through(&self, later: &Self) -> Self {
        assert!(
            self.shares_text_with(later) && self.range.start <= later.range.end,
            "one text, in its order"
        );
        Self { text: Arc::clone(&self.text), range: self.range.start..later.range.end }
    }

    /// Whether both are stretches of one text, held once.
    pub fn shares_text_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }
}

impl Deref for Passage {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text[self.range.clone()]
    }
}

impl<T: Into<Arc<str>>> From<T> for Passage {
    fn from(text: T) -> Self {
        let text = text.into();
        Self { range: 0..text.len(), text }
    }
}

impl PartialEq for Passage {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Passage {}

/// Tells the size alone: a passage is somebody's document.
impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passage({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Passage;

    #[test]
    fn a_part_of_a_part_is_counted_from_its_own_begin_and_copies_nothing() {
        let whole = Passage::from("one two three");
        let part = whole.part(4..13).part(4..9);
        assert_eq!(&*part, "three");
        assert!(part.shares_text_with(&whole));
        assert!(!Passage::from("three").shares_text_with(&part));
        assert_eq!(&*whole.part(0..3).through(&part), "one two three");
        assert_eq!(part, Passage::from("three"));
        assert_eq!(format!("{part:?}"), "Passage(5 bytes)");
    }
}
