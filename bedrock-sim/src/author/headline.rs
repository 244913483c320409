//! Headlines: the main point of the best sentence, on one line.
//!
//! Owns how a sentence loses its by-clauses, its filler words and its full stop.
//! The one rule it protects: the line is never longer than asked for, and never ends on a word like
//! "of".

use super::brief::Brief;
use super::rank;
use super::rephrase::without_front;
use super::summary::shortened;
use super::text::{self, Kind};
use super::words;

const USUAL_WORDS: usize = 12;
const LEAST_WORDS: usize = 4;
/// How many of the best sentences are tried for one that fits.
const LOOKED_AT: usize = 5;
/// Beginnings that say nothing about the matter.
const OPENINGS: &[&str] = &[
    "However,",
    "In addition,",
    "Moreover,",
    "Furthermore,",
    "Today,",
    "Yesterday,",
    "But",
    "And",
    "So",
    "Also,",
];
/// What a clause begins with that can go.
const CLAUSES: &[&str] = &[
    ", which",
    ", who",
    ", where",
    ", while",
    ", because",
    ", although",
    " because ",
    " although ",
    ", said",
    "; ",
    " \u{2013} ",
    " \u{2014} ",
];

pub(super) fn write(document: &str, brief: &Brief) -> String {
    let limit = brief.max_words.or(brief.max_words_each).unwrap_or(USUAL_WORDS);
    if let Some(heading) = own_heading(document, limit) {
        return heading;
    }
    let sentences: Vec<String> = rank::best(document)
        .take(LOOKED_AT)
        .map(|best| text::without_markup(&text::one_line(best.text)))
        .collect();
    let whole = sentences.iter().find_map(|sentence| fitting(sentence, limit));
    let line = whole.or_else(|| {
        let first = main_clause(without_opening(sentences.first()?));
        Some(shortened(&without_articles(first), limit))
    });
    line.map(|line| words::capitalized(bare(&line))).unwrap_or_default()
}

/// The heading that the document begins with, if it is short enough.
fn own_heading(document: &str, limit: usize) -> Option<String> {
    let first = text::blocks(document).into_iter().next().filter(|block| block.kind == Kind::Heading)?;
    let heading = text::without_markup(&text::one_line(first.text));
    (2..=limit).contains(&words::count(&heading)).then_some(heading)
}

/// A form of the sentence that fits without being cut.
fn fitting(sentence: &str, limit: usize) -> Option<String> {
    let told = without_opening(sentence);
    [Some(told), Some(main_clause(told)), without_front(told)]
        .into_iter()
        .flatten()
        .find(|line| (LEAST_WORDS..=limit).contains(&words::count(line)))
        .map(str::to_owned)
}

fn bare(line: &str) -> &str {
    line.trim_end_matches(['.', '\u{3002}', '!', ':', ',', ';', ' '])
}

fn without_opening(sentence: &str) -> &str {
    for opening in OPENINGS {
        if let Some(rest) = sentence.strip_prefix(opening)
            && rest.starts_with(' ')
        {
            return rest.trim_start();
        }
    }
    sentence
}

fn main_clause(sentence: &str) -> &str {
    let end = CLAUSES.iter().filter_map(|clause| sentence.find(clause)).min();
    match end {
        Some(end) if words::count(&sentence[..end]) >= 4 => &sentence[..end],
        _ => sentence,
    }
}

fn without_articles(sentence: &str) -> String {
    let kept: Vec<&str> = sentence
        .split_whitespace()
        .filter(|word| !matches!(*word, "the" | "The" | "a" | "A" | "an" | "An" | "very" | "also" | "just"))
        .collect();
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_is_one_short_line_without_a_full_stop() {
        let document = "However, the city of Graz opened a new bridge for cyclists on Monday, which cost four \
                        million euros and took three years to build. It rained.";
        for limit in [4, 8, 12, 22] {
            let brief = Brief::read(&format!("Write a headline of at most {limit} words."), "");
            let headline = write(document, &brief);
            assert!(words::count(&headline) <= limit, "{headline}");
            assert!(
                !headline.ends_with('.') && !headline.contains('\n') && !headline.is_empty(),
                "{headline}"
            );
        }
        let dated = "On 3 March 2025 the city of Graz opened a bridge of 120 m for cyclists.";
        let brief = Brief::read("Write a headline.", "");
        assert_eq!(write(dated, &brief), "The city of Graz opened a bridge of 120 m for cyclists");
        assert_eq!(write(document, &brief), "The city of Graz opened a new bridge for cyclists on Monday");
    }
}
