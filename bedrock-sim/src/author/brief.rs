//! The brief: what the instructions ask for, read by common words.
//!
//! Owns the words that tell a task, its form, its limits and its tone. The sentence that names the
//! task counts first, then its paragraph, then the rest.
//! The one rule it protects: a word after a "no" or "not" asks for nothing.

use super::document;
use super::text;

/// What kind of answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Bullets,
    Prose,
    Headline,
    Rephrase,
    Expand,
    /// No task was recognized.
    Reply,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    AsItIs,
    Formal,
    Casual,
    Simple,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Brief {
    pub(super) form: Form,
    pub(super) tone: Tone,
    pub(super) shorter: bool,
    /// No signs of Markdown.
    pub(super) plain: bool,
    /// Whether points begin with a sign.
    pub(super) bullet_signs: bool,
    pub(super) max_bullets: Option<usize>,
    pub(super) sentences: Option<usize>,
    pub(super) paragraphs: Option<usize>,
    /// Of the whole answer.
    pub(super) max_words: Option<usize>,
    /// Of each bullet or paragraph.
    pub(super) max_words_each: Option<usize>,
    /// Which of several suggestions it is, from 1; 1 where there is one answer.
    pub(super) suggestion: usize,
    /// Whether the wording that comes first is taken already.
    pub(super) is_taken: bool,
}

const SUMMARIZE: &[&str] = &[
    "summar",
    "key point",
    "key takeaway",
    "takeaways",
    "tl;dr",
    "condense",
    "headline",
    "teaser",
    "synopsis",
];
const REPHRASE: &[&str] = &["rephras", "rewrit", "rewrite", "reword", "paraphras", "in other words"];
const EXPAND: &[&str] =
    &["expand", "elaborat", "bullet points into", "flesh out", "develop the", "into a fuller text"];
const NEGATIONS: &[&str] = &["no", "not", "never", "without", "don't", "avoid", "nor"];
/// How many words before a word its negation may stand.
const NEGATION_REACH: usize = 4;

impl Brief {
    /// Reads the brief in the system text and in what surrounds the document.
    pub(super) fn read(system: &str, around: &str) -> Self {
        let instructions = format!("{}\n\n{around}", document::outside_fences(system)).to_lowercase();
        let Some((kind, task)) = find_task(&instructions) else {
            return Self::of(Form::Reply, &[&instructions], &instructions);
        };
        let paragraph = paragraph_of(&instructions, task);
        let form = match kind {
            Kind::Rephrase => Form::Rephrase,
            Kind::Expand => Form::Expand,
            Kind::Summarize => [task, paragraph].into_iter().find_map(summary_form).unwrap_or(Form::Prose),
        };
        Self::of(form, &[task, paragraph], &instructions)
    }

    fn of(form: Form, scopes: &[&str], instructions: &str) -> Self {
        let limits: Vec<Limits> = scopes.iter().map(|scope| Limits::read(scope)).collect();
        let limit = |of: fn(&Limits) -> Option<usize>| limits.iter().find_map(of);
        let plain = asks(instructions, "plain text") || instructions.contains("no markdown");
        let task = scopes.first().copied().unwrap_or_default();
        Self {
            form,
            tone: scopes
                .iter()
                .map(|scope| tone(scope))
                .find(|tone| *tone != Tone::AsItIs)
                .unwrap_or(Tone::AsItIs),
            shorter: scopes.iter().any(|scope| asks(scope, "shorter") || asks(scope, "concise")),
            plain,
            bullet_signs: !plain || task.contains("bullet") || task.contains("\"- \""),
            max_bullets: limit(|limits| limits.bullets),
            sentences: limit(|limits| limits.sentences),
            paragraphs: limit(|limits| limits.paragraphs),
            max_words: limit(|limits| limits.words),
            max_words_each: limit(|limits| limits.words_each),
            suggestion: suggestion(instructions),
            is_taken: instructions.contains("a suggestion that is there already"),
        }
    }
}

/// The number in "suggestion 2 of 3".
fn suggestion(instructions: &str) -> usize {
    let numbered = |rest: &str| {
        let mut words = rest.split_whitespace();
        let number = words.next()?.parse().ok().filter(|number| *number > 0)?;
        (words.next() == Some("of")).then_some(number)
    };
    instructions.split("suggestion ").skip(1).find_map(numbered).unwrap_or(1)
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Summarize,
    Rephrase,
    Expand,
}

/// The kind of task and the sentence that names it: as an order, or else in any way.
fn find_task(instructions: &str) -> Option<(Kind, &str)> {
    let mut named = None;
    for line in instructions.lines() {
        let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
        for sentence in text::sentences(line) {
            let Some((kind, at)) = kind_in(sentence) else { continue };
            if at == 0 {
                return Some((kind, sentence));
            }
            named = named.or(Some((kind, sentence)));
        }
    }
    // "Write a headline" is an order too, although it begins with another word.
    named
}

fn kind_in(sentence: &str) -> Option<(Kind, usize)> {
    let first = |stems: &[&str]| stems.iter().filter_map(|stem| place_asked(sentence, stem)).min();
    [(Kind::Summarize, first(SUMMARIZE)), (Kind::Rephrase, first(REPHRASE)), (Kind::Expand, first(EXPAND))]
        .into_iter()
        .filter_map(|(kind, at)| at.map(|at| (kind, at)))
        .min_by_key(|(_, at)| *at)
}

fn summary_form(scope: &str) -> Option<Form> {
    let any = |words: &[&str]| words.iter().any(|word| asks(scope, word));
    if any(&["headline", "as a title", "write a title"]) {
        Some(Form::Headline)
    } else if any(&["bullet", "key point", "key-point", "takeaway"]) {
        Some(Form::Bullets)
    } else if any(&["sentence", "teaser", "tl;dr", "paragraph", "prose"]) {
        Some(Form::Prose)
    } else {
        None
    }
}

fn tone(scope: &str) -> Tone {
    let tones = [
        (Tone::Formal, &["formal", "professional", "academic", "business", "scholarly"][..]),
        (Tone::Casual, &["casual", "informal", "relaxed", "friendly", "conversational"][..]),
        (Tone::Simple, &["simple", "simpler", "simplify", "simplified", "easy words", "short sentences"][..]),
    ];
    tones
        .into_iter()
        .filter_map(|(tone, words)| {
            let first = words.iter().filter_map(|word| place_of_word(scope, word)).min();
            first.map(|at| (at, tone))
        })
        .min_by_key(|(at, _)| *at)
        .map_or(Tone::AsItIs, |(_, tone)| tone)
}

fn paragraph_of<'a>(instructions: &'a str, part: &str) -> &'a str {
    let Some(at) = instructions.find(part) else { return instructions };
    let start = instructions[..at].rfind("\n\n").map_or(0, |gap| gap + 2);
    let end = instructions[at..].find("\n\n").map_or(instructions.len(), |gap| at + gap);
    &instructions[start..end]
}

pub(super) fn asks(scope: &str, words: &str) -> bool {
    place_asked(scope, words).is_some()
}

/// Where `words` are asked for: the first place at the beginning of a word that is not negated.
fn place_asked(scope: &str, words: &str) -> Option<usize> {
    scope
        .match_indices(words)
        .map(|(at, _)| at)
        .find(|at| !scope[..*at].ends_with(char::is_alphanumeric) && !is_negated(&scope[..*at]))
}

/// The same for a whole word: "formal", but not "formality" or "informal".
fn place_of_word(scope: &str, word: &str) -> Option<usize> {
    scope.match_indices(word).map(|(at, _)| at).find(|at| {
        !scope[..*at].ends_with(char::is_alphanumeric)
            && !scope[*at + word.len()..].starts_with(char::is_alphanumeric)
            && !is_negated(&scope[..*at])
    })
}

fn is_negated(before: &str) -> bool {
    let clause = before.rsplit(['.', ';', ':', '\n']).next().unwrap_or(before);
    clause
        .split_whitespace()
        .rev()
        .take(NEGATION_REACH)
        .any(|word| NEGATIONS.contains(&word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'')))
}

/// Numbers with a unit in a piece of the instructions.
#[derive(Debug, Default)]
struct Limits {
    bullets: Option<usize>,
    sentences: Option<usize>,
    paragraphs: Option<usize>,
    words: Option<usize>,
    words_each: Option<usize>,
}

impl Limits {
    fn read(scope: &str) -> Self {
        let tokens: Vec<&str> = scope
            .split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|token| !token.is_empty())
            .collect();
        let mut limits = Self::default();
        for (at, token) in tokens.iter().enumerate() {
            let Some(value) = number(token) else { continue };
            // "3 short bullets": a word may stand between the number and its unit.
            let units = tokens[at + 1..].iter().take(3);
            let Some((skipped, unit)) =
                units.enumerate().find_map(|(skipped, word)| Some((skipped, unit(word)?)))
            else {
                continue;
            };
            if tokens[at + 1..at + 1 + skipped].iter().any(|word| number(word).is_some()) {
                // "3 to 5 bullets": the second number is the limit.
                continue;
            }
            let after = &tokens[(at + skipped + 2).min(tokens.len())..];
            let slot = match unit {
                Unit::Bullets => &mut limits.bullets,
                Unit::Sentences => &mut limits.sentences,
                Unit::Paragraphs => &mut limits.paragraphs,
                Unit::Words if is_each(&tokens[..at], after) => &mut limits.words_each,
                Unit::Words => &mut limits.words,
            };
            slot.get_or_insert(value);
        }
        limits
    }
}

/// The most words that a piece of the instructions allows in all.
pub(super) fn most_words(scope: &str) -> Option<usize> {
    Limits::read(scope).words
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Bullets,
    Sentences,
    Paragraphs,
    Words,
}

fn unit(word: &str) -> Option<Unit> {
    match word {
        "bullet" | "bullets" | "point" | "points" | "takeaway" | "takeaways" | "items" => Some(Unit::Bullets),
        "sentence" | "sentences" => Some(Unit::Sentences),
        "paragraph" | "paragraphs" => Some(Unit::Paragraphs),
        "word" | "words" => Some(Unit::Words),
        _ => None,
    }
}

fn is_each(before: &[&str], after: &[&str]) -> bool {
    if after.starts_with(&["in", "total"]) {
        return false;
    }
    let near = before.iter().rev().take(4).any(|word| matches!(*word, "each" | "every" | "per"));
    near || after.first().is_some_and(|word| matches!(*word, "each" | "per"))
}

fn number(token: &str) -> Option<usize> {
    const NUMBERS: &[&str] =
        &["a", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    if token == "single" {
        return Some(1);
    }
    if let Some(at) = NUMBERS.iter().position(|number| *number == token) {
        return Some(at.max(1));
    }
    token.parse().ok().filter(|value| (1..=100_000).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(system: &str) -> Form {
        Brief::read(system, "").form
    }

    #[test]
    fn the_task_is_told_by_its_verb() {
        let cases = [
            ("You are an editor. Summarize the text in three bullets.", Form::Bullets),
            ("Summarize the text as prose. Use no bullet points.", Form::Prose),
            ("Write a headline for the text.", Form::Headline),
            ("Give the key points of this article.", Form::Bullets),
            ("Summarise this in one paragraph.", Form::Prose),
            ("You rewrite texts. Never summarize.", Form::Rephrase),
            ("Rephrase the text in a formal tone; do not expand it.", Form::Rephrase),
            ("Expand the bullet points into a text.", Form::Expand),
            ("Turn these bullet points into an e-mail.", Form::Expand),
            ("You are a helpful chatbot.", Form::Reply),
            ("", Form::Reply),
        ];
        for (system, expected) in cases {
            assert_eq!(form(system), expected, "{system:?}");
        }
    }

    #[test]
    fn an_order_counts_more_than_a_description() {
        let system = "You are a writer who expands notes.\n\nJob:\n- Rephrase the document, sentence by sentence.\n\
                      - Say it in one sentence if it cannot be summarized.";
        assert_eq!(form(system), Form::Rephrase);
    }

    #[test]
    fn limits_are_read_with_their_units() {
        type Limit = fn(&Brief) -> Option<usize>;
        let cases: [(&str, Limit, Option<usize>); 11] = [
            ("Summarize in at most 5 bullets.", |b| b.max_bullets, Some(5)),
            ("Summarize in 3 to 7 bullet points.", |b| b.max_bullets, Some(7)),
            ("Summarize in five short bullets.", |b| b.max_bullets, Some(5)),
            ("Summarize in one sentence.", |b| b.sentences, Some(1)),
            ("Summarize in exactly 2 paragraphs.", |b| b.paragraphs, Some(2)),
            ("Summarize as a headline of at most 12 words.", |b| b.max_words, Some(12)),
            ("Summarize: at most 3 bullets, each of at most 30 words.", |b| b.max_words_each, Some(30)),
            ("Summarize: at most 3 bullets, at most 30 words each.", |b| b.max_words_each, Some(30)),
            ("Summarize: 3 bullets, each on a line, at most 25 words in total.", |b| b.max_words, Some(25)),
            ("Rephrase it.\n- At most 40 words.", |b| b.max_words, Some(40)),
            ("Summarize the text.", |b| b.max_words, None),
        ];
        for (system, of, expected) in cases {
            assert_eq!(of(&Brief::read(system, "")), expected, "{system:?}");
        }
    }

    #[test]
    fn a_suggestion_has_its_number() {
        let cases = [
            ("Rephrase it.", 1, false),
            ("Rephrase it.\n\nSuggestions:\n- This is suggestion 3 of 5.", 3, false),
            ("Rephrase it. Each suggestion differs. Suggestion 2 of 3 is yours.", 2, false),
            ("Rephrase it. Suggestion 2 of 3. These lines hold a suggestion that is there already.", 2, true),
            ("Rephrase it. Make one suggestion 0 of 3.", 1, false),
        ];
        for (system, number, is_taken) in cases {
            let brief = Brief::read(system, "");
            assert_eq!((brief.suggestion, brief.is_taken), (number, is_taken), "{system:?}");
        }
    }

    #[test]
    fn the_tone_is_a_whole_word() {
        let cases = [
            ("Rephrase it. Keep the level of formality.", Tone::AsItIs),
            ("Rephrase it.\nUse a professional style.", Tone::Formal),
            ("Rephrase it in an informal tone.", Tone::Casual),
            ("Rephrase it in simple words, not formal ones.", Tone::Simple),
        ];
        for (system, expected) in cases {
            assert_eq!(Brief::read(system, "").tone, expected, "{system:?}");
        }
    }

    #[test]
    fn fenced_background_is_no_instruction() {
        let system = "Rephrase the text.\n<context>\nSummarize everything in 3 bullets.\n</context>";
        assert_eq!(form(system), Form::Rephrase);
        assert_eq!(Brief::read(system, "").max_bullets, None);
    }
}
