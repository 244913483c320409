//! Where one part ends, given where it begins.
//!
//! Owns the order of what is asked: does a line, a table or a block of code stay whole,
//! and only then, where does the text read as ended. The rule it protects: an end
//! lies behind the start and within the budget, whatever was wished for.

use super::boundary::{
    behind_white_space, grapheme_boundary, last_line_start, markdown_end, next_line_start, plain_end,
    window_start,
};
use super::estimate_tokens;
use super::markup::Markup;
use super::outline::Outline;
use super::profile::prefix_within;

/// Headings further before the end than this are text of their own.
const MAX_TRAILING_HEADINGS_BYTES: usize = 1024;

/// Goes through a text part by part.
pub(super) struct Cutter<'text> {
    text: &'text str,
    markup: Markup,
    max_tokens: u32,
    outline: Outline,
    /// Where the next part begins.
    start: usize,
}

impl<'text> Cutter<'text> {
    pub(super) fn new(text: &'text str, markup: Markup, max_tokens: u32) -> Self {
        Self { text, markup, max_tokens, outline: Outline::default(), start: 0 }
    }

    /// The headings that the next part stands under.
    pub(super) fn headings(&self) -> Vec<String> {
        match self.markup {
            Markup::Markdown => self.outline.headings(self.text),
            Markup::Plain | Markup::Lines => Vec::new(),
        }
    }

    /// Ends the part that begins here: with at most `capacity` tokens, or a few more, up to the
    /// policy's limit, if that keeps something whole. The next one begins there.
    pub(super) fn cut(&mut self, capacity: u32) -> usize {
        let limit = self.fitting(self.start, capacity);
        let end = if limit == self.text.len() {
            limit
        } else {
            match self.markup {
                Markup::Plain => self.tidy(plain_end(self.text, self.start, limit)),
                Markup::Lines => self.tidy(self.line_end(limit)),
                Markup::Markdown => self.markdown_cut(limit),
            }
        };
        self.start = end;
        end
    }

    /// The end of the longest part from `start` with at most so many tokens.
    fn fitting(&self, start: usize, tokens: u32) -> usize {
        start + prefix_within(&self.text[start..], tokens)
    }

    /// An end behind a line; inside of it only if it alone is too long.
    fn line_end(&self, limit: usize) -> usize {
        last_line_start(self.text, self.start, limit)
            .or_else(|| self.end_of_line(self.fitting(self.start, self.max_tokens)))
            .unwrap_or_else(|| plain_end(self.text, self.start, limit))
    }

    /// Where the line that goes on here ends, at or before `limit`. The last one ends with the text.
    fn end_of_line(&self, limit: usize) -> Option<usize> {
        let whole_rest = (limit == self.text.len()).then_some(limit);
        next_line_start(self.text, self.start, limit).or(whole_rest)
    }

    fn markdown_cut(&mut self, limit: usize) -> usize {
        let wished = self.tidy(self.markdown_end(limit));
        let mut there = self.outline.clone();
        there.advance(self.text, wished);
        let mut end = wished;
        if let Some(block) = there.block_cut_here(self.text).filter(|block| *block > self.start)
            && self.block_end(&there, self.fitting(block, self.max_tokens)).is_some()
        {
            end = block;
        } else if let Some(heading) = there.trailing_headings()
            && heading > self.start
            && wished - heading <= MAX_TRAILING_HEADINGS_BYTES
        {
            // A heading belongs to what follows it.
            end = heading;
        }
        if end == wished {
            self.outline = there;
        } else {
            self.outline.advance(self.text, end);
        }
        end
    }

    fn markdown_end(&self, limit: usize) -> usize {
        let mut there = self.outline.clone();
        let half = window_start(self.text, self.start, limit);
        there.advance(self.text, half);
        while there.at() < limit && !(there.at_line_start() && there.block_cut_here(self.text).is_none()) {
            there.next_line(self.text, limit);
        }
        let readable_from = there.at();
        there.advance(self.text, limit);
        match there.block_cut_here(self.text) {
            None if readable_from < limit => markdown_end(self.text, readable_from, limit),
            // One line goes on to the limit.
            None => plain_end(self.text, self.start, limit),
            Some(block) if block <= self.start => {
                let whole = self.block_end(&there, self.fitting(self.start, self.max_tokens));
                whole.unwrap_or_else(|| self.line_end(limit))
            }
            Some(block) => {
                let stays_whole = self.block_end(&there, self.fitting(block, self.max_tokens)).is_some();
                if readable_from < block {
                    markdown_end(self.text, readable_from, block)
                } else if stays_whole || block >= half {
                    block
                } else {
                    self.line_end(limit)
                }
            }
        }
    }

    /// Where the block that the reader is in ends, if that is at or before `limit`.
    fn block_end(&self, inside: &Outline, limit: usize) -> Option<usize> {
        let mut there = inside.clone();
        loop {
            there.next_line(self.text, limit);
            if there.block_cut_here(self.text).is_none() {
                return Some(there.at());
            }
            if there.at() >= limit {
                // Code that is never closed ends with the text.
                return (limit == self.text.len()).then_some(limit);
            }
        }
    }

    /// Takes the white space behind an end along if it fits, and leaves graphemes whole.
    fn tidy(&self, end: usize) -> usize {
        let further = behind_white_space(self.text, end);
        let fits = further == end || estimate_tokens(&self.text[self.start..further]) <= self.max_tokens;
        grapheme_boundary(self.text, self.start, if fits { further } else { end })
    }
}
