//! Expansion: points made into connected prose.
//!
//! Owns how points are found, connected and filled up to the limit. What is added to the words of
//! the document connects, counts or repeats; it tells nothing new.
//! The one rule it protects: every point is there, in its order, before anything is added.

use std::collections::HashSet;

use super::brief::{Brief, Form, Tone};
use super::rank;
use super::rephrase::reordered;
use super::summary;
use super::text::{self, Kind};
use super::words;

const POINTS_PER_PARAGRAPH: usize = 3;
const SENTENCE_VERBS: &[&str] = &[
    "is", "are", "was", "were", "has", "have", "had", "will", "can", "must", "should", "does", "did", "may",
    "cannot", "could", "would", "isn't",
];
const FIRST: &str = "To begin with,";
const LAST: &str = "Finally,";
const MIDDLE: &[&str] = &["In addition,", "Beyond that,", "At the same time,", "Next,"];
const FIRST_NOTE: &str = "The first point is this:";
const LAST_NOTE: &str = "The last point is this:";
const MIDDLE_NOTES: &[&str] = &[
    "Next comes this point:",
    "To this belongs a further point:",
    "Another point follows:",
    "Then there is this:",
];

pub(super) fn write(document: &str, brief: &Brief) -> String {
    if brief.max_words.is_some_and(|limit| words::count(document) > limit) {
        return fitted(document, brief);
    }
    let (points, listed) = points(document, brief);
    let alone: Vec<String> = points.iter().map(|point| ended(&words::capitalized(point))).collect();
    let english = words::is_english(document) || is_latin_note(document);
    let limit = brief.max_words.unwrap_or(usize::MAX);
    let small: HashSet<&str> =
        words::plain_words(document).filter(|word| word.starts_with(char::is_lowercase)).collect();
    let connected: Vec<String> = (0..points.len()).map(|at| connected(&points, at, listed, &small)).collect();
    let mut used: usize = connected.iter().map(|sentence| words::count(sentence)).sum();
    if !english || used > limit {
        return fitted(&paragraphs(&alone, brief), brief);
    }
    let mut add = |extra: Option<String>| {
        let extra = extra.filter(|extra| used + words::count(extra) <= limit)?;
        used += words::count(&extra);
        Some(extra)
    };
    let opening = add(opening(points.len()).filter(|_| listed));
    let closing = add(closing(document));
    let told: Vec<String> = connected
        .into_iter()
        .zip(&alone)
        .map(|(sentence, point)| match add(said_again(point, brief.tone)) {
            Some(again) => format!("{sentence} {again}"),
            None => sentence,
        })
        .collect();
    let mut written = paragraphs(&told, brief);
    if let Some(opening) = opening {
        written = format!("{opening} {written}");
    }
    if let Some(closing) = closing {
        written = format!("{written}\n\n{closing}");
    }
    written
}

/// The points of a document as they stand there: its list items, else its sentences.
fn points(document: &str, brief: &Brief) -> (Vec<String>, bool) {
    let blocks = text::blocks(document);
    let listed = blocks.iter().any(|block| block.kind == Kind::Item);
    let mut points = Vec::new();
    for block in blocks {
        match block.kind {
            Kind::Item => points.push(text::one_line(block.text)),
            Kind::Prose if !listed => {
                points.extend(text::sentences(block.text).into_iter().map(text::one_line));
            }
            Kind::Prose | Kind::Heading | Kind::Verbatim => {}
        }
    }
    if brief.plain {
        points.iter_mut().for_each(|point| *point = text::without_markup(point));
    }
    points.retain(|point| point.contains(char::is_alphanumeric));
    (points, listed)
}

/// A point with the words that lead to it. In a running text only the paragraphs get such words.
fn connected(points: &[String], at: usize, listed: bool, small: &HashSet<&str>) -> String {
    let point = ended(&points[at]);
    let alone = words::capitalized(&point);
    let led = if listed { points.len() > 1 } else { at > 0 && at.is_multiple_of(POINTS_PER_PARAGRAPH) };
    if !led || has_own_lead(&point) {
        return alone;
    }
    let sentence = !listed || is_sentence(&point);
    let middle = at.saturating_sub(1);
    let lead = match (sentence, at) {
        (true, 0) => FIRST,
        (true, at) if at + 1 == points.len() => LAST,
        (true, _) => MIDDLE[middle % MIDDLE.len()],
        (false, 0) => FIRST_NOTE,
        (false, at) if at + 1 == points.len() => LAST_NOTE,
        (false, _) => MIDDLE_NOTES[middle % MIDDLE_NOTES.len()],
    };
    match (sentence, continued(&point, small)) {
        (true, Some(continued)) => format!("{lead} {continued}"),
        (true, None) => alone,
        (false, continued) => format!("{lead} {}", continued.unwrap_or(point)),
    }
}

/// Whether a point is a sentence: it is built like one.
fn is_sentence(point: &str) -> bool {
    let has_verb = words::plain_words(point).any(|word| SENTENCE_VERBS.contains(&&*words::lower(word)));
    has_verb || words::count(point) > 9
}

/// Whether a sentence begins with words that connect it already.
fn has_own_lead(point: &str) -> bool {
    let first = point.split(' ').next().unwrap_or_default();
    first.ends_with([',', ':']) || matches!(first, "But" | "And" | "So" | "Then" | "Also")
}

/// A sentence as it goes on after a lead: in lower case. None if its first word may be a name.
/// `small` holds the words that the document writes in lower case.
fn continued(point: &str, small: &HashSet<&str>) -> Option<String> {
    let first = point.split(' ').next().unwrap_or_default();
    let lower = first.to_lowercase();
    if !first.starts_with(char::is_uppercase) || first == "I" {
        return Some(point.to_owned());
    }
    (words::is_common(&lower) || small.contains(&*lower)).then(|| format!("{lower}{}", &point[first.len()..]))
}

fn opening(points: usize) -> Option<String> {
    const NUMBERS: &[&str] = &["two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let number = NUMBERS.get(points.checked_sub(2)?).map_or("several", |number| number);
    Some(format!("There are {number} points to set out here, and they belong together."))
}

/// One sentence that names what the document speaks of most.
fn closing(document: &str) -> Option<String> {
    let topics = rank::topics(document, 3);
    let [first, second, third] = topics.as_slice() else { return None };
    Some(format!("Taken together, all of this is about {first}, {second} and {third}."))
}

/// The same in another order, where the sentence allows it.
fn said_again(point: &str, tone: Tone) -> Option<String> {
    let again = reordered(point, tone)?;
    let lower = again.split(' ').next().map(str::to_lowercase).filter(|first| words::is_common(first))?;
    Some(format!("In other words, {lower}{}", &again[lower.len()..]))
}

fn paragraphs(sentences: &[String], brief: &Brief) -> String {
    let wanted = brief.paragraphs.unwrap_or(sentences.len().div_ceil(POINTS_PER_PARAGRAPH)).max(1);
    let size = sentences.len().div_ceil(wanted).max(1);
    let joined: Vec<String> = sentences.chunks(size).map(|chunk| chunk.join(" ")).collect();
    joined.join("\n\n")
}

/// The text, or the best of it where it is longer than asked for.
fn fitted(text: &str, brief: &Brief) -> String {
    match brief.max_words {
        Some(limit) if words::count(text) > limit => {
            let whole = Brief { form: Form::Prose, sentences: Some(usize::MAX), ..brief.clone() };
            summary::write(text, &whole)
        }
        _ => text.to_owned(),
    }
}

/// A point with a full stop, if it has no end of its own.
fn ended(point: &str) -> String {
    if !point.ends_with(|c: char| {
        c.is_alphanumeric() || matches!(c, '%' | ')' | '"' | '\u{201d}' | '\u{20ac}' | '$')
    }) {
        return point.to_owned();
    }
    if point.ends_with(['"', '\u{201d}']) && point.contains(['.', '!', '?']) {
        return point.to_owned();
    }
    let east_asian = point.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'));
    format!("{point}{}", if east_asian { '\u{3002}' } else { '.' })
}

/// Whether a text is notes in Latin letters, too short to tell its language, as English notes are.
fn is_latin_note(document: &str) -> bool {
    document.is_ascii() && words::count(words::first(document, 40)) < 40
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: &str =
        "- the bridge for cyclists is open\n- cost: 4.2 million euros\n- traffic on the old bridge: -38 %";

    #[test]
    fn every_point_is_told_in_its_order() {
        let written = write(NOTES, &Brief::read("Expand the bullet points into a text.", ""));
        let mut last = 0;
        for words in ["bridge for cyclists is open", "4.2 million euros", "-38 %"] {
            let at = written.find(words).unwrap_or_else(|| panic!("{words:?} is missing in {written:?}"));
            assert!(at >= last, "{written}");
            last = at;
        }
        assert!(words::count(&written) > words::count(NOTES));
    }

    #[test]
    fn the_limit_of_words_holds() {
        for limit in [5, 15, 30, 60, 200] {
            let brief = Brief::read(&format!("Expand the text. Write at most {limit} words."), "");
            let written = write(NOTES, &brief);
            assert!(words::count(&written) <= limit, "{limit}: {written}");
        }
    }

    #[test]
    fn a_text_in_another_language_gets_no_english_words() {
        let written = write("- 橋が開いた\n- 費用は四百万", &Brief::read("Expand the text.", ""));
        assert_eq!(written, "橋が開いた。 費用は四百万。");
    }
}
