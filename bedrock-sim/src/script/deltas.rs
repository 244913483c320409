//! Deltas: where a text is cut.
//!
//! Owns the sizes of deltas and nothing of their frames.
//! The one rule it protects: no character is cut, and the same text is always cut in the same places.

use std::ops::Range;

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// A delta has at most this many characters.
const MAX_DELTA_CHARS: usize = 30;

/// Cuts a text into deltas of 1 to 30 characters, at the ends of words where it can.
/// The same text is always cut in the same places.
pub(crate) fn delta_ranges(text: &str) -> Vec<Range<usize>> {
    let mut random = SmallRng::seed_from_u64(text.len() as u64);
    let mut ranges = Vec::with_capacity(text.len() / 12 + 1);
    let mut start = 0;
    while start < text.len() {
        let wanted = random.random_range(1..=MAX_DELTA_CHARS);
        let end = delta_end(text, start, wanted);
        ranges.push(start..end);
        start = end;
    }
    ranges
}

/// The end of the word in which the wanted number of characters ends, or just that many characters.
fn delta_end(text: &str, start: usize, wanted_chars: usize) -> usize {
    let mut wanted_end = text.len();
    for (count, (offset, character)) in text[start..].char_indices().enumerate() {
        let at = start + offset;
        if count == MAX_DELTA_CHARS {
            return wanted_end.min(at);
        }
        if count == wanted_chars {
            wanted_end = at;
        }
        if count >= wanted_chars && character.is_whitespace() {
            return at;
        }
    }
    text.len()
}
