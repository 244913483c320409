//! How a text is marked up, line by line.
//!
//! Owns the kinds of text a splitter tells apart, how a kind is guessed, and what a
//! single line of Markdown is. What lines mean together is [`Outline`]'s business.
//! The rule it protects: a line is judged by its first bytes, so that a line without
//! an end costs no more than another.
//!
//! [`Outline`]: super::outline::Outline

/// How a text is marked up, for finding good places to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// Prose: paragraphs, sentences, words.
    Plain,
    /// Headings, code fences and tables count, and come before paragraphs.
    Markdown,
    /// One item per line: no cut inside a line, unless it alone is too long.
    Lines,
}

/// Of a long text, this much of the beginning is read in full ...
const BEGINNING_BYTES: usize = 64 * 1024;
/// ... and this many samples of the rest, of this size.
const SAMPLES: usize = 64;
const SAMPLE_BYTES: usize = 2 * 1024;

impl Markup {
    /// Markdown if the text has a heading (`# …`), a code fence or a table; else plain. Reads the
    /// beginning and samples of the rest. That a text is a list of lines, only its sender knows.
    pub fn detect(text: &str) -> Self {
        let beginning = text.floor_char_boundary(BEGINNING_BYTES);
        let rest = text.len() - beginning;
        let sample = |number: usize| {
            let from = text.floor_char_boundary(beginning + rest / SAMPLES * number);
            let until = text.floor_char_boundary(from + SAMPLE_BYTES);
            // The first line of a sample is cut, and says nothing.
            text[from..until].split_once('\n').map_or("", |(_, lines)| lines)
        };
        let marked = shows_markdown(&text[..beginning])
            || (rest > 0 && (0..SAMPLES).any(|number| shows_markdown(sample(number))));
        if marked { Self::Markdown } else { Self::Plain }
    }
}

fn shows_markdown(lines: &str) -> bool {
    let mut table_may_follow = false;
    for line in lines.split('\n') {
        let head = line_head(line);
        if heading_level(head).is_some_and(|level| !title(head, level).is_empty())
            || Fence::opened_by(head).is_some()
            || (table_may_follow && is_delimiter_row(head))
        {
            return true;
        }
        table_may_follow = head.contains('|');
    }
    false
}

/// As much of a line as is looked at.
const LINE_HEAD_BYTES: usize = 1024;

/// The beginning of the first line of `text`, without its line break.
pub(super) fn line_head(text: &str) -> &str {
    let head = &text[..text.floor_char_boundary(LINE_HEAD_BYTES)];
    let line = head.find('\n').map_or(head, |end| &head[..end]);
    line.strip_suffix('\r').unwrap_or(line)
}

/// A line without its indentation, unless that makes it code.
fn unindented(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(' ');
    (line.len() - text.len() <= 3).then_some(text)
}

/// The level of an ATX heading, 1 to 6.
pub(super) fn heading_level(line: &str) -> Option<u8> {
    let text = unindented(line)?;
    let rest = text.trim_start_matches('#');
    let level = u8::try_from(text.len() - rest.len()).ok()?;
    let separated = rest.is_empty() || rest.starts_with([' ', '\t']);
    ((1..=6).contains(&level) && separated).then_some(level)
}

/// The words of a heading of this level.
pub(super) fn title(line: &str, level: u8) -> &str {
    let text = line.trim_start_matches(' ');
    let words = text[usize::from(level)..].trim();
    let without_closing = words.trim_end_matches('#');
    if without_closing.is_empty() || without_closing.ends_with([' ', '\t']) {
        without_closing.trim_end()
    } else {
        words
    }
}

/// The signs that opened a block of code, and close it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    sign: char,
    length: usize,
}

impl Fence {
    pub(super) fn opened_by(line: &str) -> Option<Self> {
        let text = unindented(line)?;
        let sign = text.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
        let info = text.trim_start_matches(sign);
        let length = text.len() - info.len();
        // Three backticks, words and backticks again are code within a line.
        let within_line = sign == '`' && info.contains('`');
        (length >= 3 && !within_line).then_some(Self { sign, length })
    }

    pub(super) fn is_closed_by(self, line: &str) -> bool {
        let Some(text) = unindented(line) else { return false };
        let rest = text.trim_start_matches(self.sign);
        text.len() - rest.len() >= self.length && rest.trim().is_empty()
    }
}

/// Whether a table begins with `line`, given the line after it.
pub(super) fn begins_table(line: &str, next: &str) -> bool {
    line.trim_start().starts_with('|') || (line.contains('|') && is_delimiter_row(next))
}

/// Whether a table goes on with this line.
pub(super) fn continues_table(line: &str) -> bool {
    line.contains('|')
}

fn is_delimiter_row(line: &str) -> bool {
    line.contains('|')
        && line.contains('-')
        && line.chars().all(|sign| matches!(sign, '|' | '-' | ':' | ' ' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_fences_and_tables_are_markdown_and_nothing_else_is() {
        let table = [
            ("", Markup::Plain),
            ("A sentence.\n\nAnother one.", Markup::Plain),
            ("#hashtag is none", Markup::Plain),
            ("a | b\nno delimiter", Markup::Plain),
            ("####### seven", Markup::Plain),
            ("- a list\n- of things", Markup::Plain),
            ("use ``` here", Markup::Plain),
            ("intro\r\n## Costs\r\n", Markup::Markdown),
            ("text\n```rust\nfn main() {}\n```\n", Markup::Markdown),
            ("~~~\ncode\n~~~", Markup::Markdown),
            ("a | b\n--|--\n1 | 2", Markup::Markdown),
        ];
        for (text, markup) in table {
            assert_eq!(Markup::detect(text), markup, "{text:?}");
        }
    }

    #[test]
    fn marks_far_behind_the_beginning_are_found_in_samples() {
        let mut text = "A line of ordinary prose.\n".repeat(40_000);
        assert_eq!(Markup::detect(&text), Markup::Plain);
        text.push_str(&"A line of prose.\n# A heading\n".repeat(4_000));
        assert_eq!(Markup::detect(&text), Markup::Markdown);
    }

    #[test]
    fn the_title_of_a_heading_is_its_words() {
        let table = [
            ("# One", 1, "One"),
            ("  ### Two  ##  ", 3, "Two"),
            ("# C#", 1, "C#"),
            ("##", 2, ""),
            ("# #", 1, ""),
        ];
        for (line, level, words) in table {
            assert_eq!(heading_level(line), Some(level), "{line:?}");
            assert_eq!(title(line, level), words, "{line:?}");
        }
    }

    #[test]
    fn a_fence_is_closed_by_its_own_sign_and_no_fewer() {
        let fence = Fence::opened_by("````rust").unwrap();
        assert!(!fence.is_closed_by("```"));
        assert!(!fence.is_closed_by("~~~~"));
        assert!(!fence.is_closed_by("```` rust"));
        assert!(fence.is_closed_by(" `````  "));
        assert_eq!(Fence::opened_by("``` a ` b"), None);
        assert_eq!(Fence::opened_by("    ```"), None);
    }
}
