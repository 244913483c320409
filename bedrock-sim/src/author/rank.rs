//! Which sentences of a document say the most.
//!
//! Owns the scores: how often the terms of a sentence occur in the document, where the sentence
//! stands, and how much of it was said by the sentences chosen before it.
//! The one rule it protects: one pass over the document; only a fixed number of candidates is
//! compared with each other.

use std::borrow::Cow;
use std::collections::HashMap;

use super::text::{self, Kind};
use super::words;

/// How many of the best sentences are compared with each other.
const CANDIDATES: usize = 96;
/// What a term counts after it has been said.
const SAID_ALREADY: f64 = 0.15;
const SHORT_SENTENCE_TERMS: usize = 3;
const LONG_SENTENCE_WORDS: usize = 45;

/// A sentence of the document and what it is made of.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) text: &'a str,
    /// Its place among the sentences of the document.
    pub(super) place: usize,
    terms: Vec<u32>,
    score: f64,
}

/// The sentences that say the most, best first; each says something the ones before it do not.
/// Every further sentence costs a look at all candidates, so take only what is needed.
pub(super) fn best(document: &str) -> Best<'_> {
    let (mut candidates, counts) = read(document);
    for candidate in &mut candidates {
        candidate.score *= weight(&candidate.terms, |term| (1.0 + f64::from(counts[term])).ln());
    }
    candidates.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.place.cmp(&other.place)));
    candidates.truncate(CANDIDATES);
    Best { candidates, said: vec![false; counts.len()] }
}

#[derive(Debug)]
pub(super) struct Best<'a> {
    candidates: Vec<Candidate<'a>>,
    /// Which terms stood in a sentence that was taken.
    said: Vec<bool>,
}

impl<'a> Iterator for Best<'a> {
    type Item = Candidate<'a>;

    fn next(&mut self) -> Option<Candidate<'a>> {
        let news = |candidate: &Candidate<'_>| {
            let fresh = candidate.terms.iter().filter(|term| !self.said[**term as usize]).count() as f64;
            let all = candidate.terms.len().max(1) as f64;
            candidate.score * (SAID_ALREADY + (1.0 - SAID_ALREADY) * fresh / all)
        };
        let mut best: Option<(usize, f64)> = None;
        for (at, candidate) in self.candidates.iter().enumerate() {
            let news = news(candidate);
            if best.is_none_or(|(_, most)| news > most) {
                best = Some((at, news));
            }
        }
        let next = self.candidates.remove(best?.0);
        for term in &next.terms {
            self.said[*term as usize] = true;
        }
        Some(next)
    }
}

/// What a document names most often, as it writes it, in the order of the first mention.
/// Fewer than `most` if there are no more words that it names twice.
pub(super) fn topics(document: &str, most: usize) -> Vec<String> {
    let mut seen: HashMap<Cow<'_, str>, Topic<'_>> = HashMap::new();
    for (place, word) in words::plain_words(document).enumerate() {
        let lower = words::lower(word);
        let names = lower.chars().count() > 3 && lower.starts_with(char::is_alphabetic);
        if names && !words::is_common(&lower) && !NO_TOPICS.contains(&&*lower) {
            let topic = seen.entry(lower).or_insert(Topic { mentions: 0, place, word });
            topic.mentions += 1;
            // A capital may come from the beginning of a sentence; a small letter does not.
            if word.starts_with(char::is_lowercase) {
                topic.word = word;
            }
        }
    }
    let mut topics: Vec<Topic<'_>> = seen.into_values().filter(|topic| topic.mentions > 1).collect();
    topics.sort_by(|one, other| other.mentions.cmp(&one.mentions).then(one.place.cmp(&other.place)));
    topics.truncate(most);
    topics.sort_by_key(|topic| topic.place);
    topics.into_iter().map(|topic| topic.word.to_owned()).collect()
}

#[derive(Debug)]
struct Topic<'a> {
    mentions: usize,
    place: usize,
    word: &'a str,
}

/// Words that are named often and are no topic.
const NO_TOPICS: &[&str] = &[
    "year", "years", "month", "months", "week", "weeks", "days", "time", "times", "percent", "people",
    "case", "part", "least", "others", "first", "last", "next", "large", "expect", "have", "less", "says",
    "number",
];

fn read(document: &str) -> (Vec<Candidate<'_>>, Vec<u32>) {
    let mut numbers: HashMap<Cow<'_, str>, u32> = HashMap::new();
    let mut counts: Vec<u32> = Vec::new();
    let mut candidates = Vec::new();
    for block in text::blocks(document) {
        // A line in brackets, such as `[Part 2 of 5]`, says where something stands, not what is so.
        let is_label = block.text.starts_with('[') && block.text.ends_with(']');
        let spoken = matches!(block.kind, Kind::Prose | Kind::Item) && !is_label;
        for (position, sentence) in text::sentences(block.text).into_iter().enumerate() {
            let mut terms = Vec::new();
            words::each_term(sentence, |term| {
                let next = u32::try_from(counts.len()).unwrap_or(u32::MAX);
                let number = *numbers.entry(term).or_insert(next);
                if number == next {
                    counts.push(0);
                }
                counts[number as usize] += 1;
                terms.push(number);
            });
            terms.sort_unstable();
            terms.dedup();
            if spoken {
                let place = candidates.len();
                let score = form(sentence, &terms, place, position);
                candidates.push(Candidate { text: sentence, place, terms, score });
            }
        }
    }
    (candidates, counts)
}

/// What form and place of a sentence say about it.
fn form(sentence: &str, terms: &[u32], place: usize, position: usize) -> f64 {
    let mut score = match (place, position) {
        (0, _) => 1.5,
        (1..=2, _) => 1.2,
        (_, 0) => 1.12,
        _ => 1.0,
    };
    if terms.len() < SHORT_SENTENCE_TERMS {
        score *= 0.5;
    }
    if words::count(sentence) > LONG_SENTENCE_WORDS {
        score *= 0.7;
    }
    if sentence.ends_with(['?', '\u{ff1f}']) || leans_on_another(sentence) {
        score *= 0.75;
    }
    if sentence.bytes().any(|byte| byte.is_ascii_digit()) {
        score *= 1.08;
    }
    score
}

fn weight(terms: &[u32], of: impl Fn(usize) -> f64) -> f64 {
    let sum: f64 = terms.iter().map(|term| of(*term as usize)).sum();
    sum / (terms.len() as f64 + 4.0).powf(0.8)
}

/// Whether a sentence begins with a word that points at the one before it.
fn leans_on_another(sentence: &str) -> bool {
    let first = words::plain_words(sentence).next().map(words::lower).unwrap_or_default();
    matches!(
        &*first,
        "but"
            | "and"
            | "so"
            | "he"
            | "she"
            | "it"
            | "they"
            | "this"
            | "that"
            | "these"
            | "those"
            | "however"
            | "also"
            | "then"
            | "thus"
            | "therefore"
            | "instead"
            | "otherwise"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_with_frequent_terms_come_first_and_repeat_nothing() {
        let document = "The bridge cost four million euros. The bridge cost four million euros. \
                        Lunch was nice. Cyclists use the bridge every day in all weathers.";
        let chosen: Vec<Candidate<'_>> = best(document).collect();
        assert_eq!(chosen[0].place, 0);
        assert_eq!(chosen[1].text, "Cyclists use the bridge every day in all weathers.");
        assert_eq!(chosen.len(), 4);
    }

    #[test]
    fn labels_in_brackets_are_no_sentences() {
        let document = "[Part 1 of 2: The bridge]\n\nIt is open to all.\n\n[Part 2 of 2]\n\nIt cost a lot.";
        let texts: Vec<&str> = best(document).map(|candidate| candidate.text).collect();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert!(texts.iter().all(|text| !text.contains('[')), "{texts:?}");
    }

    #[test]
    fn headings_and_code_are_no_sentences() {
        let document =
            "# The bridge of the city\n\nIt is open to all cyclists.\n\n```\nlet bridge = 1;\n```\n";
        let texts: Vec<&str> = best(document).map(|candidate| candidate.text).collect();
        assert_eq!(texts, ["It is open to all cyclists."]);
    }
}
