//! Places between which a text may be cut: graphemes, line ends, and what reads as an end.
//!
//! Owns the search for the best place before a limit, in a window of bounded size. It
//! counts no tokens: whoever asks has turned the budget into bytes, so that a place
//! fits if it is not behind the limit. The rule it protects: one search looks at a bounded
//! window, so that no text makes the whole more than linear.

use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter, TextSplitter};
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// A search looks no further back than this. Some shapes of text cost the splitter the
/// square of its window.
const MAX_WINDOW_BYTES: usize = 32 * 1024;
/// What it sees behind the limit, so that it can tell an end from a cut.
const LOOKAHEAD_BYTES: usize = 512;
/// A longer run without white space is no word, and is not searched for words.
const LONGEST_RUN_BYTES: usize = 2 * 1024;
/// How far back is looked for whether a place lies in a run, and for the end of a sentence in it.
const RUN_LOOKBACK_BYTES: usize = 1024;

/// Where a search between `start` and `limit` begins: what comes before it is too far
/// from full.
pub(super) fn window_start(text: &str, start: usize, limit: usize) -> usize {
    let half = start + (limit - start) / 2;
    text.floor_char_boundary(half.max(limit.saturating_sub(MAX_WINDOW_BYTES))).max(start)
}

/// The best end for plain text at or before `limit`: a paragraph's, a sentence's, a word's.
pub(super) fn plain_end(text: &str, start: usize, limit: usize) -> usize {
    if let Some(end) = end_in_a_run(text, start, limit) {
        return end;
    }
    let from = window_start(text, start, limit);
    let splitter = TextSplitter::new(in_bytes(limit - from));
    first_end(splitter.chunks(window(text, from, limit)), from, limit)
}

/// The best end for Markdown at or before `limit`: before a heading, after a block.
/// `from` is the start of a line outside of any block, where reading can begin.
pub(super) fn markdown_end(text: &str, from: usize, limit: usize) -> usize {
    if let Some(end) = end_in_a_run(text, from, limit) {
        return end;
    }
    let splitter = MarkdownSplitter::new(in_bytes(limit - from));
    first_end(splitter.chunks(window(text, from, limit)), from, limit)
}

/// Whether `place` is the start of a line. A line ends with LF, CR LF, or a CR alone.
pub(super) fn is_line_start(text: &str, place: usize) -> bool {
    match text.as_bytes()[..place].last() {
        None | Some(b'\n') => true,
        Some(b'\r') => text.as_bytes().get(place) != Some(&b'\n'),
        Some(_) => false,
    }
}

/// The last start of a line behind `start`, at or before `limit`.
pub(super) fn last_line_start(text: &str, start: usize, limit: usize) -> Option<usize> {
    let breaks = text[start..limit].rmatch_indices(['\n', '\r']);
    breaks.map(|(at, _)| start + at + 1).find(|place| is_line_start(text, *place))
}

/// The first start of a line behind `from`, at or before `limit`.
pub(super) fn next_line_start(text: &str, from: usize, limit: usize) -> Option<usize> {
    let breaks = text[from..limit].match_indices(['\n', '\r']);
    breaks.map(|(at, _)| from + at + 1).find(|place| is_line_start(text, *place))
}

/// The end moved behind the white space that follows it: up to the last line break, so that
/// indentation stays with its line, or within a line behind all of it.
pub(super) fn behind_white_space(text: &str, end: usize) -> usize {
    let seen = &text[end..text.floor_char_boundary(end + LOOKAHEAD_BYTES)];
    let white = &seen[..seen.find(|c: char| !c.is_whitespace()).unwrap_or(seen.len())];
    match last_line_start(text, end, end + white.len()) {
        Some(place) => place,
        None if is_line_start(text, end) => end,
        None => end + white.len(),
    }
}

/// The last boundary between two grapheme clusters at or before `place` and behind `start`;
/// `place` itself if there is none, because the cluster alone is larger than that.
pub(super) fn grapheme_boundary(text: &str, start: usize, place: usize) -> usize {
    let part = &text[start..];
    // A part begins with a cluster, so nothing before it has to be seen.
    let mut cursor = GraphemeCursor::new(place - start, part.len(), true);
    if cursor.is_boundary(part, 0) == Ok(true) {
        return place;
    }
    match cursor.prev_boundary(part, 0) {
        Ok(Some(before)) if before > 0 => start + before,
        Ok(_) | Err(_) => place,
    }
}

/// An end at or before `limit`, if that lies far inside a run of one kind. Inside white space, any
/// place is as good as another. Inside a run without any, it is the end of a sentence, as in
/// Chinese, or lies between any two graphemes.
fn end_in_a_run(text: &str, start: usize, limit: usize) -> Option<usize> {
    let back = text.floor_char_boundary(limit.saturating_sub(RUN_LOOKBACK_BYTES)).max(start);
    let seen = &text[back..limit];
    if seen.trim_end().is_empty() {
        return Some(limit);
    }
    if seen.contains(char::is_whitespace) {
        return None;
    }
    let first = text.floor_char_boundary(limit.saturating_sub(LONGEST_RUN_BYTES));
    let last = text.floor_char_boundary(limit + LONGEST_RUN_BYTES);
    let behind = text[first..limit].rfind(char::is_whitespace).map_or(limit - first, |at| limit - first - at);
    let ahead = text[limit..last].find(char::is_whitespace).unwrap_or(last - limit);
    if behind + ahead <= LONGEST_RUN_BYTES {
        return None;
    }
    let sentences = window(text, back, limit).split_sentence_bound_indices();
    let ends = sentences.map(|(at, _)| back + at).filter(|end| *end > back && *end <= limit);
    Some(ends.last().unwrap_or_else(|| grapheme_boundary(text, start, limit)))
}

fn window(text: &str, from: usize, limit: usize) -> &str {
    &text[from..text.floor_char_boundary(limit + LOOKAHEAD_BYTES).max(limit)]
}

/// Where the first piece ends that a splitter made of the window from `from`. The splitter keeps
/// to its capacity; that a part does, does not depend on it.
fn first_end<'a>(mut pieces: impl Iterator<Item = &'a str>, from: usize, limit: usize) -> usize {
    pieces.next().map_or(limit, |piece| (from + piece.len()).min(limit))
}

/// Nothing is trimmed and nothing overlaps: both lose or repeat text.
fn in_bytes(capacity: usize) -> ChunkConfig<Bytes> {
    ChunkConfig::new(capacity).with_sizer(Bytes).with_trim(false)
}

/// Measures by length, which costs nothing.
struct Bytes;

impl ChunkSizer for Bytes {
    fn size(&self, chunk: &str) -> usize {
        chunk.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_the_best_place_in_the_later_half() {
        let table = [
            ("One two three. Four five.\n\nSix seven eight nine.", 40, "One two three. Four five.\n\n"),
            ("One two three four five. Six seven eight nine.", 40, "One two three four five. "),
            ("One two three four five six seven", 26, "One two three four five "),
            ("Onetwothreefourfive", 10, "Onetwothre"),
        ];
        for (text, limit, body) in table {
            let end = behind_white_space(text, plain_end(text, 0, limit));
            assert_eq!(&text[..end], body);
        }
    }

    #[test]
    fn a_heading_stays_with_what_follows() {
        let text = "# One\n\nText of one.\n\n# Two\n\nText of two, which is longer.\n";
        assert_eq!(&text[..markdown_end(text, 0, 40)], "# One\n\nText of one.\n\n");
    }

    #[test]
    fn lines_end_with_lf_crlf_or_cr() {
        let text = "ab\r\ncd\re\nf";
        let starts: Vec<usize> = (0..text.len()).filter(|place| is_line_start(text, *place)).collect();
        assert_eq!(starts, [0, 4, 7, 9]);
        assert_eq!(last_line_start(text, 0, 3), None);
        assert_eq!(last_line_start(text, 0, 8), Some(7));
        assert_eq!(next_line_start(text, 0, 3), None);
        assert_eq!(next_line_start(text, 0, 8), Some(4));
    }

    #[test]
    fn indentation_stays_with_its_line() {
        assert_eq!(behind_white_space("a \n\n  b", 1), 4);
        assert_eq!(behind_white_space("a\n  b", 2), 2);
        assert_eq!(behind_white_space("a  b", 1), 3);
    }

    #[test]
    fn graphemes_stay_whole_unless_they_are_too_large() {
        let family = "👩‍👩‍👧";
        let text = format!("ab{family}cd");
        assert_eq!(grapheme_boundary(&text, 0, 2 + 4), 2);
        assert_eq!(grapheme_boundary(&text, 2, 2 + 4), 2 + 4);
        assert_eq!(grapheme_boundary(&text, 0, 2 + family.len()), 2 + family.len());
        assert_eq!(grapheme_boundary("a\r\nb", 0, 2), 1);
        assert_eq!(grapheme_boundary("xe\u{301}", 0, 2), 1);
    }

    #[test]
    fn a_long_run_is_cut_behind_a_sentence_if_it_has_any() {
        let chinese = "他把信放在桌子上,没有打开。".repeat(200);
        let end = plain_end(&chinese, 0, 2_000);
        assert!(chinese[..end].ends_with('。') && end > 1_900, "{end}");
        let letters = "x".repeat(9_000);
        assert_eq!(plain_end(&letters, 0, 5_000), 5_000);
    }
}
