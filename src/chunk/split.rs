//! A text in parts that a model can take one at a time.
//!
//! Owns what a part is and how large it should be, so that the parts of a text are
//! about equal. Where exactly one ends is chosen in `cut`. The rule it protects: the
//! bodies are the text, in order, byte for byte, each within the policy's limit.

use std::ops::Range;

use super::context::sentences_before;
use super::cut::Cutter;
use super::estimate_tokens;
use super::markup::Markup;

/// One part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it stands. All bodies together are the text, in order, without gaps or overlap.
    pub body: Range<usize>,
    /// The end of the text before it: whole last sentences, at most `context_tokens`; empty for
    /// the first. Always ends where the body starts.
    pub context: Range<usize>,
    /// The headings it stands under, outermost first, each at most 120 characters. A heading that
    /// the body begins with is not among them. Markdown only.
    pub headings: Vec<String>,
    /// Estimated tokens of the body.
    pub tokens: u32,
}

/// How a text is split. Tokens are those of [`estimate_tokens`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitPolicy {
    /// The most a body has. Less than [`SplitPolicy::LEAST_MAX_TOKENS`] counts as that.
    pub max_tokens: u32,
    /// The most a context has; 0 for none.
    pub context_tokens: u32,
    pub markup: Markup,
}

impl SplitPolicy {
    /// The smallest limit that is kept to. Any single character has fewer tokens.
    pub const LEAST_MAX_TOKENS: u32 = 8;
}

/// By plan, parts are this much of the limit on average. A part ends where its text reads as ended,
/// some before the average and some behind it; the difference is room for the latter.
const PLANNED_FILL_PERCENT: u64 = 95;

/// Splits a text into parts of about equal size. An empty text has none, a text that fits has one.
///
/// A part ends, by preference, before a heading, after a paragraph, a sentence, a word, and at
/// least half full. Tables and blocks of code that fit a part are not cut; lines of
/// [`Markup::Lines`] neither.
pub fn split(text: &str, policy: &SplitPolicy) -> Vec<Chunk> {
    let max_tokens = policy.max_tokens.max(SplitPolicy::LEAST_MAX_TOKENS);
    let mut cutter = Cutter::new(text, policy.markup, max_tokens);
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut tokens_left = estimate_tokens(text);
    let mut start = 0;
    while start < text.len() {
        let headings = cutter.headings();
        let end = cutter.cut(capacity(tokens_left, max_tokens));
        let tokens = estimate_tokens(&text[start..end]);
        let context = sentences_before(text, start, policy.context_tokens);
        chunks.push(Chunk { body: start..end, context, headings, tokens });
        tokens_left = tokens_left.saturating_sub(tokens);
        start = end;
    }
    chunks
}

/// How many tokens the next part may have, so that it and those after it become about equal.
fn capacity(tokens_left: u32, max_tokens: u32) -> u32 {
    if tokens_left <= max_tokens {
        return max_tokens;
    }
    let planned = (u64::from(max_tokens) * PLANNED_FILL_PERCENT / 100).max(1);
    let parts = u64::from(tokens_left).div_ceil(planned);
    let average = u64::from(tokens_left).div_ceil(parts);
    u32::try_from(average * 100 / PLANNED_FILL_PERCENT).unwrap_or(max_tokens).min(max_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(max_tokens: u32, markup: Markup) -> SplitPolicy {
        SplitPolicy { max_tokens, context_tokens: 20, markup }
    }

    fn bodies<'text>(text: &'text str, chunks: &[Chunk]) -> Vec<&'text str> {
        chunks.iter().map(|chunk| &text[chunk.body.clone()]).collect()
    }

    /// Paragraphs of three to seven sentences.
    fn prose(paragraphs: usize) -> String {
        let sentence = "The committee met in March and found that costs had risen since the year before. ";
        (0..paragraphs).map(|number| format!("{}\n\n", sentence.repeat(3 + number % 5).trim_end())).collect()
    }

    #[test]
    fn nothing_is_no_part_and_what_fits_is_one() {
        assert_eq!(split("", &policy(100, Markup::Plain)), []);
        let text = "A short text. Of two sentences.";
        let whole =
            Chunk { body: 0..text.len(), context: 0..0, headings: Vec::new(), tokens: estimate_tokens(text) };
        for markup in [Markup::Plain, Markup::Markdown, Markup::Lines] {
            assert_eq!(split(text, &policy(estimate_tokens(text), markup)), std::slice::from_ref(&whole));
        }
    }

    #[test]
    fn parts_of_prose_are_about_equal_and_the_last_is_no_stub() {
        for paragraphs in [12, 20, 33, 57, 100, 101, 102, 103, 240] {
            let text = prose(paragraphs);
            let chunks = split(&text, &policy(900, Markup::Plain));
            let total = estimate_tokens(&text);
            let parts = u32::try_from(chunks.len()).unwrap();
            assert!(parts <= total.div_ceil(900) + 1 + total / 9_000, "{parts} parts of {total} tokens");
            let mean = total / parts;
            for chunk in &chunks {
                assert!(chunk.tokens * 2 >= mean, "{} of {mean} in {paragraphs} paragraphs", chunk.tokens);
                assert!(text[chunk.body.clone()].ends_with("\n\n"));
            }
        }
    }

    #[test]
    fn the_context_is_the_last_sentences_before_the_body() {
        let text = prose(40);
        let chunks = split(&text, &policy(300, Markup::Plain));
        assert!(chunks[0].context.is_empty());
        for chunk in &chunks[1..] {
            let context = &text[chunk.context.clone()];
            assert_eq!(
                context.trim(),
                "The committee met in March and found that costs had risen since the year before."
            );
            assert_eq!(chunk.context.end, chunk.body.start);
        }
    }

    #[test]
    fn lines_stay_whole_unless_one_alone_is_too_long() {
        let mut text: String = (0..200).map(|number| format!("item {number}: a word or two\r\n")).collect();
        text.push_str(&"long ".repeat(300));
        text.push_str("\r\nlast item\r\n");
        let chunks = split(&text, &policy(60, Markup::Lines));
        let cut_inside = |body: &&&str| !body.ends_with("\r\n");
        let broken = bodies(&text, &chunks);
        for body in broken.iter().filter(cut_inside) {
            assert!(body.starts_with("long "), "{body:?}");
        }
        assert_eq!(broken.concat(), text);
    }

    #[test]
    fn the_last_line_stays_whole_without_a_line_break_behind_it() {
        let last = "a, .a, .a.a,..a..,a, .,.a  a";
        let text = format!("\n```\n```\n {}\n-  \n{last}", "A".repeat(67));
        let chunks = split(&text, &policy(21, Markup::Lines));
        assert!(estimate_tokens(last) <= 21);
        assert!(bodies(&text, &chunks).last().unwrap().ends_with(last), "{:?}", bodies(&text, &chunks));
    }

    #[test]
    fn tables_and_code_that_fit_stay_whole() {
        let rows: String = (0..12).map(|row| format!("| {row} | some words | 12.50 |\n")).collect();
        let code: String = (0..12).map(|line| format!("    call_number_{line}(argument);\n\n")).collect();
        let mut text = String::new();
        for section in 0..20 {
            let words = "Some words before it. ".repeat(3 + section * 7 % 11);
            text.push_str(&format!(
                "## Section {section}\n\n{words}\n\n| a | b | c |\n|---|---|---|\n{rows}\n"
            ));
            text.push_str(&format!("{words}\n\n```c\n{code}```\n\n"));
        }
        for max_tokens in [170, 200, 260, 400] {
            let chunks = split(&text, &policy(max_tokens, Markup::Markdown));
            let bodies = bodies(&text, &chunks);
            assert_eq!(bodies.concat(), text);
            for body in bodies {
                assert_eq!(body.matches("```").count() % 2, 0, "{max_tokens}: {body}");
                assert_eq!(
                    body.matches("|---|---|---|").count() * 12,
                    body.matches("| some words").count(),
                    "{max_tokens}: {body}"
                );
                assert!(!body.trim_end().lines().last().unwrap().starts_with("## "), "{max_tokens}: {body}");
            }
        }
    }

    #[test]
    fn a_table_larger_than_a_part_is_cut_between_rows() {
        let rows: String = (0..200).map(|row| format!("| {row} | some words | 12.50 |\n")).collect();
        let text = format!("Before.\n\n| a | b | c |\n|---|---|---|\n{rows}\nAfter.\n");
        let chunks = split(&text, &policy(150, Markup::Markdown));
        let bodies = bodies(&text, &chunks);
        assert_eq!(bodies.concat(), text);
        assert!(bodies.iter().all(|body| body.ends_with('\n')), "{bodies:?}");
    }

    #[test]
    fn headings_tell_where_a_part_stands() {
        let words = "Some words of it. ".repeat(12);
        let text = format!("# Book\n\n{words}\n\n## Costs\n\n{words}\n\n{words}\n\n## Staff\n\n{words}\n");
        let chunks = split(&text, &policy(90, Markup::Markdown));
        let headings: Vec<String> = chunks.iter().map(|chunk| chunk.headings.join(" > ")).collect();
        let starts: Vec<&str> =
            bodies(&text, &chunks).iter().map(|body| &body[..body.len().min(8)]).collect();
        assert_eq!(starts, ["# Book\n\n", "## Costs", "Some wor", "## Staff"]);
        assert_eq!(headings, ["", "Book", "Book > Costs", "Book"]);
    }

    #[test]
    fn a_limit_too_small_to_keep_counts_as_the_least() {
        let text = "👩‍👩‍👧 and \u{301}\u{301}\u{301}".repeat(9);
        let none = split(&text, &policy(0, Markup::Plain));
        assert_eq!(none, split(&text, &policy(SplitPolicy::LEAST_MAX_TOKENS, Markup::Plain)));
        assert!(none.iter().all(|chunk| chunk.tokens <= SplitPolicy::LEAST_MAX_TOKENS));
    }
}
