//! Other words for the same thing, by tone. English only.
//!
//! Owns the tables and their application to a sentence. Quotations, names, numbers and code are
//! left alone. The one rule it protects: a word is exchanged only where its neighbours show that it
//! is used as the table means it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::brief::Tone;
use super::words;

/// One exchange: words in lower case, their replacement, and where it applies.
type Exchange = (&'static str, &'static str, Where);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Anywhere,
    /// After a subject or an auxiliary: "we need", "to buy".
    AsVerb,
    /// Before an object: "needs a", "shows that".
    BeforeObject,
    BeforeNumber,
    NotAfterArticle,
    AfterComma,
    OpensSentence,
    /// At the beginning of a sentence or after a comma, and not before "of".
    OpensClause,
}

use Where::{
    AfterComma, Anywhere, AsVerb, BeforeNumber, BeforeObject, NotAfterArticle, OpensClause, OpensSentence,
};

/// What may follow a word.
const PUNCTUATION: [char; 7] = [',', ';', '.', ':', '!', '?', ')'];

/// Short and long forms of the same words.
const CONTRACTIONS: &[(&str, &str)] = &[
    ("aren't", "are not"),
    ("can't", "cannot"),
    ("couldn't", "could not"),
    ("didn't", "did not"),
    ("doesn't", "does not"),
    ("don't", "do not"),
    ("hadn't", "had not"),
    ("hasn't", "has not"),
    ("haven't", "have not"),
    ("i'll", "I will"),
    ("i'm", "I am"),
    ("i've", "I have"),
    ("isn't", "is not"),
    ("it'll", "it will"),
    ("it's", "it is"),
    ("let's", "let us"),
    ("mustn't", "must not"),
    ("shouldn't", "should not"),
    ("that's", "that is"),
    ("there's", "there is"),
    ("they'll", "they will"),
    ("they're", "they are"),
    ("they've", "they have"),
    ("wasn't", "was not"),
    ("we'll", "we will"),
    ("we're", "we are"),
    ("we've", "we have"),
    ("weren't", "were not"),
    ("what's", "what is"),
    ("won't", "will not"),
    ("wouldn't", "would not"),
    ("you'll", "you will"),
    ("you're", "you are"),
    ("you've", "you have"),
    ("who's", "who is"),
    ("gonna", "going to"),
];

const FORMAL: &[Exchange] = &[
    ("fell by", "declined by", Anywhere),
    ("rose by", "increased by", Anywhere),
    ("a lot of", "a great deal of", Anywhere),
    ("lots of", "a great deal of", Anywhere),
    ("kids", "children", Anywhere),
    ("got", "received", BeforeObject),
    ("get", "obtain", AsVerb),
    ("gets", "obtains", BeforeObject),
    ("buy", "purchase", AsVerb),
    ("buys", "purchases", BeforeObject),
    ("bought", "purchased", Anywhere),
    ("help", "assist", AsVerb),
    ("helps", "assists", BeforeObject),
    ("helped", "assisted", BeforeObject),
    ("need", "require", AsVerb),
    ("needs", "requires", BeforeObject),
    ("needed", "required", BeforeObject),
    ("show", "demonstrate", AsVerb),
    ("shows", "demonstrates", BeforeObject),
    ("showed", "demonstrated", BeforeObject),
    ("started", "began", Anywhere),
    ("start", "begin", AsVerb),
    ("fix", "resolve", AsVerb),
    ("fixed", "resolved", BeforeObject),
    ("keep", "maintain", AsVerb),
    ("told", "informed", BeforeObject),
    ("try", "attempt", AsVerb),
    ("tried", "attempted", BeforeObject),
    ("find out", "determine", Anywhere),
    ("found out", "determined", Anywhere),
    ("big", "substantial", Anywhere),
    ("biggest", "largest", Anywhere),
    ("about", "approximately", BeforeNumber),
    ("worry about", "are concerned about", Anywhere),
    ("asap", "as soon as possible", Anywhere),
    ("thanks", "thank you", Anywhere),
    ("but", "yet", AfterComma),
    ("while", "whereas", AfterComma),
    ("so", "therefore,", OpensSentence),
];

const PLAIN: &[Exchange] = &[
    ("fell by", "went down by", Anywhere),
    ("decreased by", "went down by", Anywhere),
    ("rose by", "went up by", Anywhere),
    ("increased by", "went up by", Anywhere),
    ("within a", "in under a", Anywhere),
    ("in order to", "to", Anywhere),
    ("due to the fact that", "because", Anywhere),
    ("at this point in time", "now", Anywhere),
    ("prior to", "before", Anywhere),
    ("subsequent to", "after", Anywhere),
    ("a great deal of", "a lot of", Anywhere),
    ("in addition,", "also,", Anywhere),
    ("furthermore,", "also,", Anywhere),
    ("moreover,", "also,", Anywhere),
    ("therefore,", "so", Anywhere),
    ("consequently,", "so", Anywhere),
    ("however,", "but", OpensSentence),
    ("approximately", "about", Anywhere),
    ("additional", "more", NotAfterArticle),
    ("purchase", "buy", AsVerb),
    ("purchased", "bought", Anywhere),
    ("obtain", "get", AsVerb),
    ("obtained", "got", BeforeObject),
    ("require", "need", AsVerb),
    ("requires", "needs", BeforeObject),
    ("required", "needed", BeforeObject),
    ("assist", "help", AsVerb),
    ("assisted", "helped", BeforeObject),
    ("demonstrate", "show", AsVerb),
    ("demonstrates", "shows", BeforeObject),
    ("demonstrated", "showed", BeforeObject),
    ("commence", "start", AsVerb),
    ("commenced", "started", Anywhere),
    ("terminate", "end", AsVerb),
    ("utilize", "use", AsVerb),
    ("utilise", "use", AsVerb),
    ("attempt", "try", AsVerb),
    ("attempted", "tried", BeforeObject),
    ("inform", "tell", AsVerb),
    ("informed", "told", BeforeObject),
    ("sufficient", "enough", NotAfterArticle),
    ("numerous", "many", NotAfterArticle),
    ("subsequently", "later", Anywhere),
    ("facilitate", "help", AsVerb),
    ("individuals", "people", Anywhere),
    ("substantial", "big", Anywhere),
    ("regarding", "about", Anywhere),
    ("frequently", "often", Anywhere),
    ("rapidly", "quickly", Anywhere),
];

const NEUTRAL: &[Exchange] = &[
    ("in order to", "so as to", Anywhere),
    ("because of", "owing to", Anywhere),
    ("because", "since", Anywhere),
    ("although", "even though", Anywhere),
    ("while", "whereas", AfterComma),
    ("but", "yet", AfterComma),
    ("most", "the majority of", OpensClause),
    ("such as", "for example", AfterComma),
    ("for example", "for instance", Anywhere),
    ("fell by", "dropped by", Anywhere),
    ("rose by", "went up by", Anywhere),
    ("increased by", "rose by", Anywhere),
    ("decreased by", "fell by", Anywhere),
    ("within a", "in less than a", Anywhere),
    ("often", "frequently", Anywhere),
    ("quickly", "rapidly", Anywhere),
    ("already", "by now", Anywhere),
    ("nearly", "almost", BeforeNumber),
    ("about", "around", BeforeNumber),
    ("more than", "over", BeforeNumber),
    ("at least", "no fewer than", BeforeNumber),
    ("began", "started", Anywhere),
    ("started", "began", Anywhere),
    ("start", "begin", AsVerb),
    ("build", "construct", AsVerb),
    ("built", "constructed", Anywhere),
    ("buy", "purchase", AsVerb),
    ("bought", "purchased", Anywhere),
    ("published", "released", Anywhere),
    ("introduced", "brought in", BeforeObject),
    ("biggest", "largest", Anywhere),
    ("another", "a further", Anywhere),
    ("several", "a number of", NotAfterArticle),
    ("depend on", "rely on", Anywhere),
    ("depends on", "relies on", Anywhere),
    ("worry about", "are concerned about", Anywhere),
    ("will have to", "must", Anywhere),
    ("will be able to", "can", Anywhere),
    ("plan to", "intend to", Anywhere),
    ("plans to", "intends to", Anywhere),
    ("decided to", "chose to", Anywhere),
    ("needs", "requires", BeforeObject),
    ("need", "require", AsVerb),
    ("shows", "makes clear", BeforeObject),
    ("showed", "made clear", BeforeObject),
    ("every day", "each day", Anywhere),
    ("however,", "even so,", Anywhere),
    ("therefore,", "for this reason,", Anywhere),
    ("in addition,", "besides,", Anywhere),
    ("important", "significant", Anywhere),
    ("at present", "now", Anywhere),
    ("as well as", "and also", Anywhere),
];

/// Words after which a verb stands in its plain form.
const BEFORE_VERB: &[&str] = &[
    "to", "will", "can", "must", "should", "may", "would", "could", "might", "we", "they", "you", "i", "who",
    "not", "also", "cannot", "please", "don't", "doesn't", "didn't", "won't", "can't", "couldn't",
];
/// Words that begin an object.
const OBJECT: &[&str] = &[
    "the", "a", "an", "that", "to", "us", "them", "its", "his", "her", "their", "our", "my", "your", "more",
    "how", "this", "these", "no", "some", "any", "all", "each", "every",
];

/// The exchanges of a tone by their first word, since most words of a text begin none.
type Index = HashMap<&'static str, Vec<Exchange>>;

static FORMAL_INDEX: LazyLock<Index> = LazyLock::new(|| {
    let expanded = CONTRACTIONS.iter().map(|(short, long)| (*short, *long, Anywhere));
    // What is neutral is formal enough; a formal word comes first.
    index(expanded.chain(FORMAL.iter().copied()).chain(NEUTRAL.iter().copied()))
});
static CASUAL_INDEX: LazyLock<Index> = LazyLock::new(|| {
    let stiff = ["gonna", "i'll", "i'm", "i've", "who's", "let's"];
    let kept = CONTRACTIONS.iter().filter(|(short, _)| !stiff.contains(short));
    let contracted = kept.map(|(short, long)| (*long, *short, Anywhere));
    index(contracted.chain(PLAIN.iter().copied()))
});
static SIMPLE_INDEX: LazyLock<Index> = LazyLock::new(|| index(PLAIN.iter().copied()));
static NEUTRAL_INDEX: LazyLock<Index> = LazyLock::new(|| index(NEUTRAL.iter().copied()));

fn index(exchanges: impl Iterator<Item = Exchange>) -> Index {
    let mut index = Index::new();
    for exchange in exchanges {
        let first = exchange.0.split(' ').next().unwrap_or_default();
        index.entry(first.trim_end_matches(',')).or_default().push(exchange);
    }
    index
}

/// The sentence in other words.
pub(super) fn exchanged(sentence: &str, tone: Tone) -> String {
    let index: &Index = match tone {
        Tone::AsItIs => &NEUTRAL_INDEX,
        Tone::Formal => &FORMAL_INDEX,
        Tone::Casual => &CASUAL_INDEX,
        Tone::Simple => &SIMPLE_INDEX,
    };
    let mut written = String::with_capacity(sentence.len() + 16);
    for (part, quoted) in parts(sentence) {
        if quoted {
            written.push_str(part);
        } else {
            exchange_part(part, index, &mut written);
        }
    }
    written
}

fn exchange_part(part: &str, index: &Index, written: &mut String) {
    let tokens: Vec<(usize, &str)> = words::words_with_place(part).collect();
    let opens_sentence = written.is_empty();
    let (mut copied, mut at) = (0, 0);
    while at < tokens.len() {
        let (start, _) = tokens[at];
        match replacement(&tokens, at, index, start == 0 && opens_sentence) {
            Some((length, replacement)) => {
                written.push_str(&part[copied..start]);
                written.push_str(&replacement);
                let (last_start, last) = tokens[at + length - 1];
                copied = last_start + last.len();
                at += length;
            }
            None => at += 1,
        }
    }
    written.push_str(&part[copied..]);
}

fn replacement(
    tokens: &[(usize, &str)],
    at: usize,
    index: &Index,
    opens_sentence: bool,
) -> Option<(usize, String)> {
    let word = tokens[at].1;
    let upper = word.starts_with(char::is_uppercase);
    // A capital in the middle of a sentence is a name.
    if upper && !opens_sentence && !word.starts_with("I'") && !word.starts_with("I\u{2019}") {
        return None;
    }
    let (length, new, tail) = index.get(&*key(word))?.iter().find_map(|(old, new, place)| {
        let (length, tail) = matched(tokens, at, old)?;
        (applies(tokens, at, length, *place) && !breaks_article(tokens, at, new))
            .then_some((length, *new, tail))
    })?;
    let new = if upper { words::capitalized(new) } else { new.to_owned() };
    Some((length, new + tail))
}

/// A word as the index has it: without punctuation, in lower case, with a plain apostrophe.
fn key(word: &str) -> Cow<'_, str> {
    let bare = word.trim_end_matches(PUNCTUATION);
    if bare.contains('\u{2019}') {
        return Cow::Owned(bare.to_lowercase().replace('\u{2019}', "'"));
    }
    words::lower(bare)
}

/// How many words from `at` on are the words of `old`, and the punctuation after the last of them.
fn matched<'a>(tokens: &[(usize, &'a str)], at: usize, old: &str) -> Option<(usize, &'a str)> {
    let wanted = old.split(' ').count();
    let mut tail = "";
    for (offset, wanted_word) in old.split(' ').enumerate() {
        let token = tokens.get(at + offset)?.1;
        let (bare, punctuation) = match wanted_word.ends_with(',') {
            true => (token, ""),
            false => token.split_at(token.trim_end_matches(PUNCTUATION).len()),
        };
        if !same(bare, wanted_word) || (offset + 1 < wanted && !punctuation.is_empty()) {
            return None;
        }
        tail = punctuation;
    }
    Some((wanted, tail))
}

fn same(word: &str, wanted: &str) -> bool {
    let mut letters =
        word.chars().map(|c| if words::is_apostrophe(c) { '\'' } else { c.to_ascii_lowercase() });
    let mut wanted = wanted.chars();
    loop {
        match (letters.next(), wanted.next()) {
            (None, None) => return true,
            (one, other) if one == other => {}
            _ => return false,
        }
    }
}

fn applies(tokens: &[(usize, &str)], at: usize, length: usize, place: Where) -> bool {
    let before = at.checked_sub(1).map(|at| tokens[at].1.to_lowercase());
    let after = tokens.get(at + length).map(|(_, word)| word.to_lowercase());
    let article = before.as_deref().is_some_and(|word| matches!(word, "a" | "an" | "the"));
    let comma = before.as_deref().is_some_and(|word| word.ends_with(','));
    match place {
        Anywhere => true,
        AsVerb => before.is_some_and(|word| BEFORE_VERB.contains(&&*word)),
        BeforeObject => after.is_some_and(|word| OBJECT.contains(&&*word)),
        BeforeNumber => after.is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit())),
        NotAfterArticle => !article,
        AfterComma => comma,
        OpensSentence => at == 0,
        OpensClause => (at == 0 || comma) && after.is_some_and(|word| word != "of" && word != "likely"),
    }
}

/// Whether "a" or "an" before the words would become wrong.
fn breaks_article(tokens: &[(usize, &str)], at: usize, new: &str) -> bool {
    let article = at.checked_sub(1).map(|at| tokens[at].1.to_lowercase());
    let vowel = |word: &str| word.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
    article.is_some_and(|word| matches!(&*word, "a" | "an")) && vowel(tokens[at].1) != vowel(new)
}

/// The sentence in parts: what is quoted or code, and what is not.
fn parts(sentence: &str) -> Vec<(&str, bool)> {
    let mut parts = Vec::new();
    let mut rest = sentence;
    while let Some(open_at) = rest.find(['"', '\u{201c}', '\u{ab}', '`']) {
        let open = rest[open_at..].chars().next().unwrap_or('"');
        let close = match open {
            '\u{201c}' => '\u{201d}',
            '\u{ab}' => '\u{bb}',
            same => same,
        };
        let inside = open_at + open.len_utf8();
        let end = rest[inside..].find(close).map_or(rest.len(), |at| inside + at + close.len_utf8());
        parts.push((&rest[..open_at], false));
        parts.push((&rest[open_at..end], true));
        rest = &rest[end..];
    }
    parts.push((rest, false));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_exchanged_by_tone_and_place() {
        let cases = [
            (Tone::Formal, "We don't need a lot of time.", "We do not require a great deal of time."),
            (Tone::Formal, "Sales fell by 3 % within a week.", "Sales declined by 3 % in less than a week."),
            (Tone::Simple, "Sales fell by 3 % within a week.", "Sales went down by 3 % in under a week."),
            (Tone::Formal, "The need is clear.", "The need is clear."),
            (Tone::AsItIs, "It is an important day.", "It is an important day."),
            (
                Tone::AsItIs,
                "Most people agree, but at most ten came.",
                "The majority of people agree, yet at most ten came.",
            ),
            (Tone::Formal, "It's about 40 km.", "It is approximately 40 km."),
            (Tone::Casual, "They do not require sufficient funds.", "They don't need enough funds."),
            (Tone::Simple, "However, we commenced prior to noon.", "But we started before noon."),
            (
                Tone::AsItIs,
                "Traffic fell by 38 % within a month.",
                "Traffic dropped by 38 % in less than a month.",
            ),
            (
                Tone::Formal,
                "He said \"we don't need kids\" and left.",
                "He said \"we don't need kids\" and left.",
            ),
            (Tone::Formal, "The Kids Club can't help us.", "The Kids Club cannot assist us."),
        ];
        for (tone, sentence, expected) in cases {
            assert_eq!(exchanged(sentence, tone), expected);
        }
    }
}
