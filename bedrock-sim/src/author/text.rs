//! The parts of a text: blocks and sentences.
//!
//! Owns where a paragraph, a list item, a heading and a sentence begin and end. All parts are
//! slices of the text. The one rule it protects: no part of the text is lost between two blocks but
//! white space and lines that are only a tag.

use super::document::is_tag;

/// Abbreviations after which a full stop ends no sentence.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "etc", "e.g", "i.e", "cf", "no", "fig", "jr", "sr", "inc",
    "ltd", "co", "approx", "dept", "z.b", "bzw", "ca", "usw",
];
/// A line shorter than this, without an end of a sentence, is probably not wrapped.
const WRAPPED_LINE_CHARS: usize = 45;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Prose,
    /// A list item or a quotation.
    Item,
    Heading,
    /// A line of code or of a table, which is left as it is.
    Verbatim,
}

/// A paragraph, a list item, a heading or a line to be left as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) kind: Kind,
    /// What precedes the text on its line: spaces, `- `, `## `, `1. `.
    pub(super) marker: &'a str,
    pub(super) text: &'a str,
    /// Whether an empty line stands before it.
    pub(super) after_gap: bool,
}

/// The blocks of a text.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut gap, mut in_code) = (false, false);
    // Where the text of the last block begins, while a further line may belong to it.
    let mut open: Option<usize> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let bare = line.trim_end();
        if bare.trim_start().starts_with("```") {
            in_code = !in_code;
            blocks.push(Block { kind: Kind::Verbatim, marker: "", text: bare, after_gap: gap });
            (gap, open) = (false, None);
            continue;
        }
        if !in_code && (bare.is_empty() || is_tag(bare)) {
            (gap, open) = (true, None);
            continue;
        }
        let (kind, marker_length) = if in_code { (Kind::Verbatim, 0) } else { kind_of(bare) };
        let text_start = match (open, blocks.last_mut()) {
            (Some(text_start), Some(last)) if kind == Kind::Prose => {
                last.text = &text[text_start..at + bare.len()];
                text_start
            }
            _ => {
                let (marker, text) = bare.split_at(marker_length);
                blocks.push(Block { kind, marker, text, after_gap: gap });
                at + marker_length
            }
        };
        let goes_on = matches!(kind, Kind::Prose | Kind::Item) && !stands_alone(bare);
        open = goes_on.then_some(text_start);
        gap = false;
    }
    blocks
}

/// The sentences of a block.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if !is_end(character) {
            continue;
        }
        // The end takes further ends, closing quotes and brackets with it.
        let mut end = at + character.len_utf8();
        while let Some((next_at, next)) = characters.next_if(|(_, next)| is_end(*next) || is_closing(*next)) {
            end = next_at + next.len_utf8();
        }
        let before_space = characters.peek().is_none_or(|(_, next)| next.is_whitespace());
        let ends = is_wide_end(character) || (before_space && !is_abbreviated(&text[start..at], character));
        if ends {
            sentences.push(text[start..end].trim());
            start = end;
        }
    }
    sentences.push(text[start..].trim());
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// The text with every run of white space as one space.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// The text without the signs of Markdown: emphasis, code, links.
pub(super) fn without_markup(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let (mut middles, mut ends) = (Finder::new("]("), Finder::new(")"));
    let mut at = 0;
    while let Some(sign_at) = text[at..].find(['*', '`', '[', '_']).map(|offset| at + offset) {
        plain.push_str(&text[at..sign_at]);
        at = sign_at + 1;
        match text.as_bytes()[sign_at] {
            b'[' => {
                let middle = middles.next(text, at).filter(|middle| is_label(&text[at..*middle]));
                let end = middle.and_then(|middle| ends.next(text, middle));
                match (middle, end) {
                    (Some(middle), Some(end)) => {
                        plain.push_str(&text[at..middle]);
                        at = end + 1;
                    }
                    _ => plain.push('['),
                }
            }
            b'_' => {
                let inside_word =
                    plain.ends_with(char::is_alphanumeric) && text[at..].starts_with(char::is_alphanumeric);
                plain.push_str(if inside_word { "_" } else { "" });
            }
            _ => {}
        }
    }
    plain.push_str(&text[at..]);
    plain
}

fn is_label(label: &str) -> bool {
    label.len() <= MAX_LABEL_BYTES && !label.contains('[')
}

const MAX_LABEL_BYTES: usize = 1_000;

/// Finds the places of a pattern one after another, and looks at no part of a text twice.
#[derive(Debug)]
struct Finder {
    pattern: &'static str,
    found: Option<usize>,
    exhausted: bool,
}

impl Finder {
    fn new(pattern: &'static str) -> Self {
        Self { pattern, found: None, exhausted: false }
    }

    /// The first place from `from` on; `from` must not go back.
    fn next(&mut self, text: &str, from: usize) -> Option<usize> {
        if self.exhausted {
            return None;
        }
        if self.found.is_none_or(|found| found < from) {
            self.found = text[from..].find(self.pattern).map(|offset| from + offset);
            self.exhausted = self.found.is_none();
        }
        self.found
    }
}

fn kind_of(line: &str) -> (Kind, usize) {
    let indent = line.len() - line.trim_start().len();
    let rest = &line[indent..];
    let after = |sign: &str| line.len() - rest[sign.len()..].trim_start().len();
    if rest.starts_with('|') || (rest.len() >= 3 && rest.chars().all(|c| "-=*_ ".contains(c))) {
        return (Kind::Verbatim, 0);
    }
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if (1..=6).contains(&hashes) && rest[hashes..].starts_with(' ') {
        return (Kind::Heading, after(&rest[..hashes]));
    }
    for sign in ["- ", "* ", "+ ", "\u{2022}", "\u{2013} ", "> "] {
        if rest.starts_with(sign) {
            return (Kind::Item, after(sign));
        }
    }
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if (1..=3).contains(&digits) {
        for sign in [". ", ") "] {
            if rest[digits..].starts_with(sign) {
                return (Kind::Item, after(&rest[..digits + sign.len()]));
            }
        }
    }
    (Kind::Prose, indent)
}

/// Whether a line is probably a paragraph of its own: short, and without an end.
fn stands_alone(line: &str) -> bool {
    line.chars().take(WRAPPED_LINE_CHARS).count() < WRAPPED_LINE_CHARS
        && !line.ends_with([',', ';', '-', '\u{2013}', '\u{2014}'])
}

fn is_end(character: char) -> bool {
    matches!(character, '.' | '!' | '?' | '\u{2026}' | '\u{61f}' | '\u{6d4}' | '\u{964}')
        || is_wide_end(character)
}

fn is_wide_end(character: char) -> bool {
    matches!(character, '\u{3002}' | '\u{ff01}' | '\u{ff1f}' | '\u{ff61}')
}

fn is_closing(character: char) -> bool {
    matches!(
        character,
        '"' | '\'' | ')' | ']' | '\u{201d}' | '\u{2019}' | '\u{bb}' | '\u{300d}' | '\u{300f}' | '\u{ff09}'
    )
}

/// Whether the full stop after `before` belongs to an abbreviation, an initial or a number in order.
fn is_abbreviated(before: &str, end: char) -> bool {
    if end != '.' {
        return false;
    }
    let tail = &before[before.ceil_char_boundary(before.len().saturating_sub(24))..];
    let word = tail.rsplit(|c: char| c.is_whitespace() || "(\"\u{201c}".contains(c)).next().unwrap_or(tail);
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    // "am 3. Mai": a short number before a full stop is more often a date than an end.
    let ordinal = word.len() <= 2 && !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    initial || ordinal || ABBREVIATIONS.contains(&&*word.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_a_reader_would_say() {
        let cases: [(&str, &[&str]); 9] = [
            ("One. Two! Three?", &["One.", "Two!", "Three?"]),
            ("Dr. Lee paid 3.5 million. Fine.", &["Dr. Lee paid 3.5 million.", "Fine."]),
            ("\"Stop.\" He left.", &["\"Stop.\"", "He left."]),
            ("J. R. R. Tolkien wrote it. Yes.", &["J. R. R. Tolkien wrote it.", "Yes."]),
            ("橋が開いた。人が来た！終わり", &["橋が開いた。", "人が来た！", "終わり"]),
            ("Wait... what?! Yes", &["Wait...", "what?!", "Yes"]),
            ("Am 3. Mai kam er. Ja.", &["Am 3. Mai kam er.", "Ja."]),
            ("no end", &["no end"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(sentences(text), expected, "{text:?}");
        }
    }

    #[test]
    fn blocks_are_paragraphs_items_and_headings() {
        let text = "# Title\n\nA wrapped line that is quite long, so that it\ngoes on here.\n- one\n- two\n\n1. first\nShort line\nAnother line\n```\ncode here\n```\n";
        let found: Vec<(Kind, &str, &str)> =
            blocks(text).iter().map(|block| (block.kind, block.marker, block.text)).collect();
        assert_eq!(
            found,
            [
                (Kind::Heading, "# ", "Title"),
                (Kind::Prose, "", "A wrapped line that is quite long, so that it\ngoes on here."),
                (Kind::Item, "- ", "one"),
                (Kind::Item, "- ", "two"),
                (Kind::Item, "1. ", "first"),
                (Kind::Prose, "", "Short line"),
                (Kind::Prose, "", "Another line"),
                (Kind::Verbatim, "", "```"),
                (Kind::Verbatim, "", "code here"),
                (Kind::Verbatim, "", "```"),
            ]
        );
    }

    #[test]
    fn markup_is_taken_off() {
        assert_eq!(
            without_markup("**Bold** and `code` in [a link](http://x.y) [sic]"),
            "Bold and code in a link [sic]"
        );
        assert_eq!(without_markup("[a] and [b](c) and [d"), "[a] and b and [d");
        assert_eq!(without_markup("snake_case and _emphasis_"), "snake_case and emphasis");
    }
}
