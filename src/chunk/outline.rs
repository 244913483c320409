//! What stands where in a Markdown text: headings, code fences, tables.
//!
//! Owns a reader that goes forward over the lines and knows, at each place, which
//! headings are open and which block a cut would go through. It chooses no cuts. The
//! rule it protects: it holds one line's worth of state, however long the text.

use std::ops::Range;

use super::markup::{Fence, begins_table, continues_table, heading_level, line_head, title};

/// Characters of a heading that are handed on.
const MAX_HEADING_CHARS: usize = 120;

/// How far ahead a heading is seen, behind empty lines.
const HEADING_LOOKAHEAD_BYTES: usize = 1024;

/// What is known at a place of a text, having read everything before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline {
    at: usize,
    /// The place lies behind the start of a line, whose kind is known.
    in_line: bool,
    block: Option<Block>,
    /// The line just read closes the block.
    closing: bool,
    headings: Vec<Heading>,
    /// Where the headings begin that nothing but blank lines follows.
    trailing_headings: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    start: usize,
    kind: BlockKind,
}

#[derive(Debug, Clone, Copy)]
enum BlockKind {
    Code(Fence),
    Table,
}

#[derive(Debug, Clone)]
struct Heading {
    level: u8,
    title: Range<usize>,
}

impl Outline {
    /// Where the reader stands.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Reads on to `to`, a character boundary.
    pub(super) fn advance(&mut self, text: &str, to: usize) {
        while self.at < to {
            if !self.in_line && self.block.is_none() {
                // Nothing is learnt from empty lines, and some texts have millions.
                let empty = text.as_bytes()[self.at..to].iter().take_while(|byte| **byte == b'\n');
                self.at += empty.count();
            }
            self.next_line(text, to);
        }
    }

    /// Reads on to the start of the next line, or to `to` if that comes first.
    pub(super) fn next_line(&mut self, text: &str, to: usize) {
        if self.at >= to {
            return;
        }
        if !self.in_line {
            self.read_line(text);
        }
        match text[self.at..to].find('\n') {
            Some(end) => {
                self.at += end + 1;
                self.in_line = false;
                if self.closing {
                    self.closing = false;
                    self.block = None;
                }
            }
            None => {
                self.at = to;
                self.in_line = true;
            }
        }
    }

    /// Whether this place is the start of a line.
    pub(super) fn at_line_start(&self) -> bool {
        !self.in_line
    }

    /// The start of the block that a cut at this place would go through.
    pub(super) fn block_cut_here(&self, text: &str) -> Option<usize> {
        let block = self.block?;
        let ends = match block.kind {
            BlockKind::Code(_) => false,
            BlockKind::Table => !self.in_line && !continues_table(line_head(&text[self.at..])),
        };
        (!ends).then_some(block.start)
    }

    /// The start of the headings that end at this place, if nothing but blank lines follows them.
    pub(super) fn trailing_headings(&self) -> Option<usize> {
        self.trailing_headings
    }

    /// The headings that what follows stands under, outermost first. A heading that follows at
    /// once is not among them, nor are those it ends.
    pub(super) fn headings(&self, text: &str) -> Vec<String> {
        let soon = &text[self.at..text.floor_char_boundary(self.at + HEADING_LOOKAHEAD_BYTES)];
        let first_line = line_head(soon.trim_start_matches(['\n', '\r']));
        let own_level =
            heading_level(first_line).filter(|_| !self.in_line && self.block_cut_here(text).is_none());
        let words = |heading: &Heading| text[heading.title.clone()].chars().take(MAX_HEADING_CHARS).collect();
        let open = self.headings.iter().filter(|heading| own_level.is_none_or(|own| heading.level < own));
        open.map(words).collect()
    }

    fn read_line(&mut self, text: &str) {
        let line = line_head(&text[self.at..]);
        match self.block.map(|block| block.kind) {
            Some(BlockKind::Code(fence)) => {
                self.closing = fence.is_closed_by(line);
                return;
            }
            Some(BlockKind::Table) if continues_table(line) => return,
            Some(BlockKind::Table) | None => self.block = None,
        }
        // Most lines are told by their first sign to be none of what is looked for.
        let Some(&sign) = line.trim_ascii_start().as_bytes().first() else { return };
        if sign == b'#'
            && let Some(level) = heading_level(line)
        {
            self.open_heading(text, line, level);
            return;
        }
        self.trailing_headings = None;
        let kind = if matches!(sign, b'`' | b'~')
            && let Some(fence) = Fence::opened_by(line)
        {
            Some(BlockKind::Code(fence))
        } else {
            let next = || text[self.at..].split_once('\n').map_or("", |(_, next)| line_head(next));
            // Only a line with a bar can begin a table, and only then is the next one looked for.
            let table = continues_table(line) && begins_table(line, next());
            table.then_some(BlockKind::Table)
        };
        self.block = kind.map(|kind| Block { start: self.at, kind });
    }

    fn open_heading(&mut self, text: &str, line: &str, level: u8) {
        let words = title(line, level);
        let start = words.as_ptr().addr() - text.as_ptr().addr();
        while self.headings.last().is_some_and(|open| open.level >= level) {
            self.headings.pop();
        }
        self.headings.push(Heading { level, title: start..start + words.len() });
        self.trailing_headings.get_or_insert(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Book\n\nIntro.\n## Costs\n\n```sh\n# no heading\n```\nMiddle.\n\na | b\n--|--\n1 | 2\nAfter | all\n\nEnd.\n# Next\n### Deep\n\n";

    fn outline_at(place: usize) -> Outline {
        let mut outline = Outline::default();
        outline.advance(TEXT, place);
        outline
    }

    fn place_of(words: &str) -> usize {
        TEXT.find(words).unwrap()
    }

    #[test]
    fn headings_are_those_open_at_a_place() {
        let table: &[(&str, &[&str])] = &[
            ("# Book", &[]),
            ("Intro.", &["Book"]),
            ("\n## Costs", &["Book"]),
            ("## Costs", &["Book"]),
            ("# no heading", &["Book", "Costs"]),
            ("End.", &["Book", "Costs"]),
            ("# Next", &[]),
            ("### Deep", &["Next"]),
        ];
        for (place, headings) in table {
            assert_eq!(outline_at(place_of(place)).headings(TEXT), *headings, "{place:?}");
        }
        assert_eq!(outline_at(TEXT.len()).headings(TEXT), ["Next", "Deep"]);
    }

    #[test]
    fn a_cut_inside_a_block_names_its_start() {
        let fence = place_of("```sh");
        let table = place_of("a | b");
        let places = [
            (fence, None),
            (fence + 2, Some(fence)),
            (place_of("# no heading"), Some(fence)),
            (place_of("```\nMiddle"), Some(fence)),
            (place_of("Middle."), None),
            (table, None),
            (place_of("--|--"), Some(table)),
            (place_of("After") + 1, Some(table)),
            (place_of("\nEnd."), None),
            (place_of("End."), None),
        ];
        for (place, start) in places {
            assert_eq!(outline_at(place).block_cut_here(TEXT), start, "{:?}", &TEXT[place..]);
        }
    }

    #[test]
    fn headings_without_text_are_found_from_behind() {
        assert_eq!(outline_at(TEXT.len()).trailing_headings(), Some(place_of("# Next")));
        assert_eq!(outline_at(place_of("Middle.")).trailing_headings(), None);
    }

    #[test]
    fn it_does_not_matter_in_which_steps_a_text_is_read() {
        for step in [1, 3, 7] {
            let mut outline = Outline::default();
            for place in (0..=TEXT.len()).step_by(step) {
                outline.advance(TEXT, place);
                let whole = outline_at(place);
                assert_eq!(outline.block_cut_here(TEXT), whole.block_cut_here(TEXT), "{place}");
                assert_eq!(outline.headings(TEXT), whole.headings(TEXT), "{place}");
            }
        }
    }

    #[test]
    fn a_long_heading_is_cut() {
        let text = format!("# {}\ntext", "é".repeat(400));
        let mut outline = Outline::default();
        outline.advance(&text, text.find("text").unwrap());
        assert_eq!(outline.headings(&text), ["é".repeat(120)]);
    }
}
