//! Rephrasing: each sentence said another way.
//!
//! Owns the moves of clauses, dates and speakers within a sentence, and the putting together of the
//! text with its own markup. Other words are the wording's matter. Texts in other languages than
//! English keep their words.
//! Of several suggestions each has a manner of its own; what is too short to be said in many ways is
//! said in the same.
//! The one rule it protects: numbers, names and quotations stand as they stood.

use super::brief::{Brief, Form, Tone};
use super::summary;
use super::text::{self, Block, Kind};
use super::wording;
use super::words;

const MAX_FRONT_WORDS: usize = 8;
const MAX_SPEAKER_WORDS: usize = 14;
const MIN_CLAUSE_WORDS: usize = 3;
const CONJUNCTIONS: &[&str] = &["because", "although", "when", "if"];
const FRONTS: &[&str] = &["In", "On", "At", "During", "After", "Before", "Since", "Until"];
/// Words that can begin a sentence of their own.
const SUBJECTS: &[&str] =
    &["the", "a", "it", "they", "we", "he", "she", "this", "these", "there", "you", "that"];
/// Words that can go where a text is to become shorter.
const FILLERS: &[&str] = &["very", "really", "quite", "basically", "actually", "simply", "just", "clearly"];

/// How suggestions begin; the first of all only where its wording is taken.
const OPENERS: &[&str] = &[
    "To put it in yet another way,",
    "Put differently,",
    "In other words,",
    "To say it another way,",
    "Or, said once more,",
];
/// What is shorter is not opened so, unless its wording is taken.
const MIN_OPENED_WORDS: usize = 4;
const MIN_OPENED_WORDS_IF_TAKEN: usize = 2;

/// How a text is said.
struct Manner<'a> {
    brief: &'a Brief,
    english: bool,
    /// Whether the parts of sentences change places.
    moves: bool,
    /// Stands before the first sentence that is long enough, once.
    opener: Option<&'static str>,
    /// In other languages, by how much the sentences of a paragraph are turned round.
    turn: usize,
}

impl<'a> Manner<'a> {
    fn of(brief: &'a Brief, english: bool) -> Self {
        let others = brief.suggestion.saturating_sub(1);
        let opens = english && (others > 0 || brief.is_taken);
        let opener = opens.then(|| OPENERS[others % OPENERS.len()]);
        Self { brief, english, moves: others.is_multiple_of(2), opener, turn: others }
    }

    fn sentence(&mut self, sentence: &str) -> String {
        let sentence = clean(sentence, self.brief);
        if !self.english {
            return sentence;
        }
        let tone = self.brief.tone;
        let said = if self.moves { rephrased(&sentence, tone) } else { wording::exchanged(&sentence, tone) };
        let said = if self.brief.shorter { without_fillers(&said) } else { said };
        let least = if self.brief.is_taken { MIN_OPENED_WORDS_IF_TAKEN } else { MIN_OPENED_WORDS };
        match self.opener.filter(|_| words::count(&said) >= least) {
            Some(opener) => {
                self.opener = None;
                format!("{opener} {}", uncapitalized(&said).unwrap_or(said))
            }
            None => said,
        }
    }
}

pub(super) fn write(document: &str, brief: &Brief) -> String {
    let mut manner = Manner::of(brief, words::is_english(document));
    let mut written = String::with_capacity(document.len() + document.len() / 8);
    for block in text::blocks(document) {
        if !written.is_empty() {
            written.push_str(if block.after_gap { "\n\n" } else { "\n" });
        }
        push_block(&block, &mut manner, &mut written);
    }
    match brief.max_words {
        Some(limit) if words::count(&written) > limit => {
            let whole = Brief { form: Form::Prose, sentences: Some(usize::MAX), ..brief.clone() };
            summary::write(&written, &whole)
        }
        _ => written,
    }
}

/// An English sentence said another way.
pub(super) fn rephrased(sentence: &str, tone: Tone) -> String {
    let line = text::one_line(sentence);
    let moved = moved(&line).unwrap_or(line);
    let exchanged = wording::exchanged(&moved, tone);
    match tone {
        Tone::Simple => split(&exchanged),
        Tone::AsItIs | Tone::Formal | Tone::Casual => exchanged,
    }
}

/// An English sentence with its parts in another order, if they can change places.
pub(super) fn reordered(sentence: &str, tone: Tone) -> Option<String> {
    moved(&text::one_line(sentence)).map(|moved| wording::exchanged(&moved, tone))
}

fn push_block(block: &Block<'_>, manner: &mut Manner<'_>, written: &mut String) {
    if !manner.brief.plain {
        written.push_str(block.marker);
    }
    match block.kind {
        Kind::Verbatim => written.push_str(block.text),
        Kind::Heading => written.push_str(&clean(block.text, manner.brief)),
        Kind::Prose | Kind::Item => {
            let mut sentences = text::sentences(block.text);
            if !manner.english && !sentences.is_empty() {
                let turn = manner.turn % sentences.len();
                sentences.rotate_left(turn);
            }
            let mut tight = true;
            for sentence in sentences {
                if !tight {
                    written.push(' ');
                }
                written.push_str(&manner.sentence(sentence));
                tight = written.ends_with(['\u{3002}', '\u{ff01}', '\u{ff1f}']);
            }
        }
    }
}

fn clean(text: &str, brief: &Brief) -> String {
    let line = text::one_line(text);
    if brief.plain { text::without_markup(&line) } else { line }
}

fn moved(sentence: &str) -> Option<String> {
    speaker_first(sentence)
        .or_else(|| clause_last(sentence))
        .or_else(|| clause_first(sentence))
        .or_else(|| front_last(sentence))
        .or_else(|| date_last(sentence))
}

/// `"Words," said somebody.` becomes `Somebody said: "Words."`
fn speaker_first(sentence: &str) -> Option<String> {
    let (open, close) = match sentence.chars().next()? {
        '"' => ('"', '"'),
        '\u{201c}' => ('\u{201c}', '\u{201d}'),
        _ => return None,
    };
    let (words_said, rest) = sentence[open.len_utf8()..].split_once(close)?;
    let words_said = words_said.strip_suffix(',')?;
    let speaker = rest.strip_prefix(" said ")?.strip_suffix('.')?;
    let aside = speaker.matches(',').count();
    if aside > 1 || speaker.contains([';', open, close]) || words::count(speaker) > MAX_SPEAKER_WORDS {
        return None;
    }
    let comma = if aside == 1 { "," } else { "" };
    Some(format!("{}{comma} said: {open}{words_said}.{close}", words::capitalized(speaker)))
}

/// `When this, that happens.` becomes `That happens when this.`
fn clause_last(sentence: &str) -> Option<String> {
    let (first, _) = sentence.split_once(' ')?;
    let conjunction = first.to_lowercase();
    if !CONJUNCTIONS.contains(&&*conjunction) {
        return None;
    }
    let (clause, main) = sole_comma(sentence)?;
    let clause = clause.split_once(' ')?.1;
    (words::count(clause) >= MIN_CLAUSE_WORDS && words::count(main) >= MIN_CLAUSE_WORDS)
        .then(|| format!("{} {conjunction} {clause}.", words::capitalized(main)))
}

/// `This happens because that.` becomes `Because that, this happens.`
fn clause_first(sentence: &str) -> Option<String> {
    let bare =
        sentence.strip_suffix('.').filter(|bare| !bare.contains([',', ';', ':', '"', '(', '\u{201c}']))?;
    let mut found = None;
    for conjunction in CONJUNCTIONS {
        for (at, _) in bare.match_indices(conjunction) {
            if bare[..at].ends_with(' ') && bare[at + conjunction.len()..].starts_with(' ') {
                if found.is_some() {
                    return None;
                }
                found = Some((at, conjunction));
            }
        }
    }
    let (at, conjunction) = found?;
    let (main, clause) = (bare[..at].trim_end(), bare[at + conjunction.len()..].trim_start());
    let is_aside = main.ends_with(" even") || main.ends_with(" only") || main.ends_with(" just");
    let long_enough = words::count(main) >= MIN_CLAUSE_WORDS && words::count(clause) >= MIN_CLAUSE_WORDS;
    (!is_aside && long_enough)
        .then(|| Some(format!("{} {clause}, {}.", words::capitalized(conjunction), uncapitalized(main)?)))?
}

/// `In 2024, sales rose.` becomes `Sales rose in 2024.`
fn front_last(sentence: &str) -> Option<String> {
    let (front, main) = comma_front(sentence)?;
    Some(format!("{} {}.", words::capitalized(main), uncapitalized(front)?))
}

/// `On 3 March 2025 the city opened it.` becomes `The city opened it on 3 March 2025.`
fn date_last(sentence: &str) -> Option<String> {
    let (front, main) = date_front(sentence)?;
    Some(format!("{} {}.", words::capitalized(main), uncapitalized(front)?))
}

/// The sentence without a time or a place at its beginning.
pub(super) fn without_front(sentence: &str) -> Option<&str> {
    comma_front(sentence).or_else(|| date_front(sentence)).map(|(_, main)| main)
}

fn comma_front(sentence: &str) -> Option<(&str, &str)> {
    let (front, main) = sole_comma(sentence)?;
    let first = front.split(' ').next()?;
    let begins = FRONTS.contains(&first) && words::count(front) <= MAX_FRONT_WORDS;
    // "Three years after the war, ..."
    let later = front.split(' ').skip(1).take(3).any(|word| matches!(word, "after" | "before"));
    ((begins || later) && words::count(main) >= MIN_CLAUSE_WORDS).then_some((front, main))
}

fn date_front(sentence: &str) -> Option<(&str, &str)> {
    let bare = sentence.strip_suffix('.').filter(|bare| !bare.contains(['"', '\u{201c}', ';', ':']))?;
    if !bare.starts_with("On ") && !bare.starts_with("In ") {
        return None;
    }
    let (year_at, year) = words::words_with_place(bare)
        .take(5)
        .find(|(_, word)| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (front, main) = bare.split_at(year_at + year.len());
    let main = main.trim_start();
    (words::count(main) >= MIN_CLAUSE_WORDS && main.starts_with(char::is_lowercase)).then_some((front, main))
}

/// The two sides of the only comma of a plain sentence.
fn sole_comma(sentence: &str) -> Option<(&str, &str)> {
    let bare = sentence.strip_suffix('.').filter(|bare| !bare.contains([';', ':', '"', '(', '\u{201c}']))?;
    let (front, main) = bare.split_once(", ")?;
    (!main.contains(',') && !front.contains(',')).then_some((front, main))
}

/// The text with its first letter in lower case, if its first word is no name.
fn uncapitalized(text: &str) -> Option<String> {
    let (first, rest) = text.split_once(' ')?;
    let lower = first.to_lowercase();
    if first == "I" {
        return Some(text.to_owned());
    }
    words::is_common(&lower).then(|| format!("{lower} {rest}"))
}

/// Long sentences as two, where both parts can stand alone.
fn split(sentence: &str) -> String {
    for joint in ["; ", ", and ", ", but ", ", so "] {
        let Some((first, second)) = sentence.split_once(joint) else { continue };
        let subject = second.split(' ').next().unwrap_or_default().to_lowercase();
        let stands = SUBJECTS.contains(&&*subject) && !first.contains(['"', '\u{201c}', '(']);
        if !stands || words::count(first) < 4 || words::count(second) < 4 {
            continue;
        }
        let second = match joint {
            ", but " => format!("But {second}"),
            ", so " => format!("So {second}"),
            _ => words::capitalized(second),
        };
        return format!("{first}. {second}");
    }
    sentence.to_owned()
}

fn without_fillers(sentence: &str) -> String {
    let kept: Vec<&str> = sentence.split(' ').filter(|word| !FILLERS.contains(word)).collect();
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_dates_and_speakers_move() {
        let cases = [
            (
                "The launch slipped because the supplier failed twice.",
                "Since the supplier failed twice, the launch slipped.",
            ),
            ("When it rains hard, the trains stop running.", "The trains stop running when it rains hard."),
            ("In 2024, sales rose sharply.", "Sales rose sharply in 2024."),
            ("On 3 March 2025 the city opened a bridge.", "The city opened a bridge on 3 March 2025."),
            ("\"We are late,\" said engineer Ana Horvat.", "Engineer Ana Horvat said: \"We are late.\""),
            ("Vienna waits because nobody came to town.", "Vienna waits since nobody came to town."),
            (
                "Two years after the war, all trains ran again.",
                "All trains ran again two years after the war.",
            ),
            ("\"Never,\" said Jo Ray, head of sales.", "Jo Ray, head of sales, said: \"Never.\""),
            ("Nothing moves here.", "Nothing moves here."),
        ];
        for (sentence, expected) in cases {
            assert_eq!(rephrased(sentence, Tone::AsItIs), expected);
        }
    }

    #[test]
    fn simple_sentences_are_short() {
        assert_eq!(
            rephrased("The bridge opened on time, and it cost less than planned.", Tone::Simple),
            "The bridge opened on time. It cost less than planned."
        );
    }

    #[test]
    fn the_markup_of_the_document_stays() {
        let document =
            "# Report\n\n- We don't need the old bridge.\n- It is fine.\n\n| a | b |\n\nThat is all we have.";
        let brief = Brief::read("Rephrase the text in a formal tone.", "");
        assert_eq!(
            write(document, &brief),
            "# Report\n\n- We do not require the old bridge.\n- It is fine.\n\n| a | b |\n\nThat is all we have."
        );
    }

    #[test]
    fn suggestions_differ_where_the_text_is_long_enough() {
        let suggested = |document: &str, extra: &str| -> Vec<String> {
            let brief =
                |number: usize| format!("Rephrase the text.\n\nThis is suggestion {number} of 5.{extra}");
            (1..=5).map(|number| write(document, &Brief::read(&brief(number), ""))).collect()
        };
        let unlike =
            |suggestions: &[String]| suggestions.iter().collect::<std::collections::HashSet<_>>().len();
        let taken = " The lines hold a suggestion that is there already.";
        for (document, at_first, if_taken) in [
            ("We cannot ship your order today because the warehouse is closed.", 5, 5),
            ("# Report\n\n- Nothing moves here at all.\n- It is fine.", 5, 5),
            ("We are closed.", 1, 5),
            ("Stop!", 1, 1),
            ("Die Br\u{fc}cke ist offen. Sie kostet vier Millionen. Sie ist lang.", 3, 3),
        ] {
            assert_eq!(unlike(&suggested(document, "")), at_first, "{document}");
            assert_eq!(unlike(&suggested(document, taken)), if_taken, "{document}");
            assert_eq!(suggested(document, "")[0], write(document, &Brief::read("Rephrase the text.", "")));
        }
        assert_eq!(
            suggested("We wait here because the store is closed.", "")[1..3],
            [
                "Put differently, we wait here since the store is closed.",
                "In other words, since the store is closed, we wait here.",
            ]
        );
    }

    #[test]
    fn other_languages_keep_their_words() {
        let document = "Die Brücke ist offen.\nSie kostet vier Millionen Euro.";
        assert_eq!(write(document, &Brief::read("Rephrase the text.", "")), document);
    }
}
