//! What a reader should have read before a part: the end of the text before it.
//!
//! Owns the choice of whole last sentences within a budget. The rule it protects: it
//! looks back a bounded way, and gives nothing rather than half a sentence.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::estimate_tokens;

/// A token is rarely more bytes than this.
const LOOKBACK_BYTES_PER_TOKEN: usize = 8;
const MAX_LOOKBACK_BYTES: usize = 8 * 1024;

/// The last whole sentences before `end` that have at most `max_tokens`. Empty where there is none,
/// or where all of it is white space.
pub(super) fn sentences_before(text: &str, end: usize, max_tokens: u32) -> Range<usize> {
    let wanted = usize::try_from(max_tokens).unwrap_or(usize::MAX).saturating_mul(LOOKBACK_BYTES_PER_TOKEN);
    let from = text.floor_char_boundary(end.saturating_sub(wanted.min(MAX_LOOKBACK_BYTES)));
    let seen = &text[from..end];
    // Where the first sentence seen begins is known only at the start of the text.
    let starts: Vec<usize> = seen
        .split_sentence_bound_indices()
        .map(|(at, _)| from + at)
        .filter(|start| *start > from || from == 0)
        .collect();
    // A longer context never has fewer tokens, so the first that fits is the longest.
    let first = starts.partition_point(|start| estimate_tokens(&text[*start..end]) > max_tokens);
    match starts.get(first) {
        Some(&start) if !text[start..end].trim().is_empty() => start..end,
        Some(_) | None => end..end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_is_as_many_whole_sentences_as_fit() {
        let text = "First one here. Second one there. Third.";
        let table = [(0, ""), (1, ""), (2, "Third."), (8, "Second one there. Third."), (100, text)];
        for (max_tokens, context) in table {
            assert_eq!(&text[sentences_before(text, text.len(), max_tokens)], context, "{max_tokens}");
        }
        assert_eq!(sentences_before(text, 0, 100), 0..0);
    }

    #[test]
    fn a_sentence_that_begins_out_of_sight_is_no_context() {
        let text = format!("{} and an end. Short one. ", "endless words".repeat(2_000));
        assert_eq!(&text[sentences_before(&text, text.len(), 50)], "Short one. ");
        let endless = "word ".repeat(9_000);
        assert_eq!(sentences_before(&endless, endless.len(), 3_000), endless.len()..endless.len());
    }

    #[test]
    fn white_space_is_no_context() {
        assert_eq!(sentences_before("\n\n \n", 4, 50), 4..4);
    }
}
