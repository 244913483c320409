//! Words: counting them, comparing them, cutting after some of them.
//!
//! Owns what counts as a word in scripts with and without spaces, and the short list of common
//! English words. The one rule it protects: every cut falls between characters, and every function
//! is linear in its text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

/// English words that say little about a text.
const COMMON: &[&str] = &[
    "a", "about", "after", "again", "against", "all", "almost", "already", "also", "always", "an", "and",
    "another", "any", "are", "around", "as", "at", "away", "be", "became", "because", "been", "before",
    "being", "between", "both", "but", "by", "came", "can", "come", "could", "did", "do", "does", "don't",
    "during", "each", "eight", "either", "else", "even", "ever", "every", "few", "five", "for", "four",
    "from", "further", "got", "had", "has", "have", "he", "her", "here", "him", "his", "how", "however", "i",
    "if", "in", "instead", "into", "is", "it", "it's", "its", "itself", "just", "last", "less", "let",
    "like", "many", "may", "me", "might", "more", "most", "much", "must", "my", "never", "next", "nine",
    "no", "nor", "not", "now", "of", "off", "often", "on", "once", "one", "only", "or", "other", "others",
    "our", "out", "over", "own", "per", "perhaps", "quite", "rather", "really", "said", "same", "says",
    "seven", "several", "she", "should", "since", "six", "so", "some", "soon", "still", "such", "ten",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "though",
    "three", "through", "to", "together", "too", "toward", "two", "under", "until", "up", "us", "usually",
    "various", "very", "want", "was", "we", "well", "went", "were", "what", "when", "where", "whether",
    "which", "while", "who", "whose", "why", "will", "with", "within", "without", "would", "yes", "yet",
    "you", "your",
];

static COMMON_SET: LazyLock<HashSet<&str>> = LazyLock::new(|| COMMON.iter().copied().collect());
const LONGEST_COMMON_BYTES: usize = 8;

/// Words that an English text can hardly do without.
const ENGLISH: [&str; 26] = [
    "the", "of", "and", "to", "is", "that", "for", "it", "on", "with", "as", "be", "by", "at", "this", "are",
    "from", "we", "you", "not", "have", "has", "will", "they", "their", "its",
];
/// How many words are looked at to tell the language.
const LANGUAGE_SAMPLE: usize = 400;

/// Whether a word, in lower case, says little about a text.
pub(super) fn is_common(word: &str) -> bool {
    word.len() <= LONGEST_COMMON_BYTES && COMMON_SET.contains(word)
}

/// Whether a text looks English: one word in ten, at least, is one that English needs.
pub(super) fn is_english(text: &str) -> bool {
    let (mut seen, mut english) = (0, 0);
    for word in plain_words(text).take(LANGUAGE_SAMPLE) {
        seen += 1;
        english += usize::from(ENGLISH.contains(&&*lower(word)));
    }
    seen > 0 && english * 10 >= seen
}

/// Runs of letters and digits, with the apostrophes inside them.
pub(super) fn plain_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && !is_apostrophe(character))
        .map(|word| word.trim_matches(is_apostrophe))
        .filter(|word| !word.is_empty())
}

/// What two texts are compared by: words that say something, or pairs of characters in scripts
/// without spaces.
pub(super) fn each_term<'a>(text: &'a str, mut take: impl FnMut(Cow<'a, str>)) {
    for word in plain_words(text) {
        if word.starts_with(is_unspaced) {
            let mut rest = word.char_indices().peekable();
            while let Some((start, first)) = rest.next() {
                let end = match rest.peek() {
                    Some((at, next)) => at + next.len_utf8(),
                    None if start == 0 => start + first.len_utf8(),
                    None => break,
                };
                take(Cow::Borrowed(&word[start..end]));
            }
            continue;
        }
        let word = lower(word);
        if word.chars().nth(1).is_some() && !is_common(&word) {
            take(word);
        }
    }
}

/// How many words a reader would count. Two characters of a script without spaces are one word.
pub(super) fn count(text: &str) -> usize {
    let mut words = 0;
    let mut unspaced = 0;
    for word in text.split_whitespace() {
        let wide = word.chars().filter(|character| is_unspaced(*character)).count();
        if wide == 0 {
            words += 1;
        } else {
            unspaced += wide;
        }
    }
    words + usize::div_ceil(unspaced, 2)
}

/// The longest beginning of `text` that has at most `limit` words.
pub(super) fn first(text: &str, limit: usize) -> &str {
    let mut words = 0;
    let mut halves = 0;
    let mut end = 0;
    for (start, word) in words_with_place(text) {
        if !word.contains(is_unspaced) {
            words += 1;
            if words + usize::div_ceil(halves, 2) > limit {
                break;
            }
            end = start + word.len();
            continue;
        }
        for (offset, character) in word.char_indices() {
            halves += usize::from(is_unspaced(character));
            if words + usize::div_ceil(halves, 2) > limit {
                return &text[..end];
            }
            end = start + offset + character.len_utf8();
        }
    }
    &text[..end]
}

/// Words at white space, with the place of each.
pub(super) fn words_with_place(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(char::is_whitespace).filter_map(move |word| {
        let start = at;
        // The separator has the length of one character, which is not always one byte.
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
        (!word.is_empty()).then_some((start, word))
    })
}

pub(super) fn lower(word: &str) -> Cow<'_, str> {
    if word.chars().any(char::is_uppercase) { Cow::Owned(word.to_lowercase()) } else { Cow::Borrowed(word) }
}

/// The text with its first letter in upper case.
pub(super) fn capitalized(text: &str) -> String {
    let Some(first) = text.chars().next() else { return String::new() };
    let mut capitalized: String = first.to_uppercase().collect();
    capitalized.push_str(&text[first.len_utf8()..]);
    capitalized
}

pub(super) fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '\u{2019}')
}

/// Scripts that are written without spaces between words.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{eff}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_in_any_script() {
        let cases =
            [("", 0), ("one two  three", 3), ("don't stop", 2), ("日本語", 2), ("これは test です", 4)];
        for (text, words) in cases {
            assert_eq!(count(text), words, "{text:?}");
        }
    }

    #[test]
    fn a_beginning_has_no_more_words_than_asked() {
        let text = "one two\u{2003}three 日本語テキスト four";
        for limit in 0..10 {
            assert!(count(first(text, limit)) <= limit, "{limit}");
        }
        assert_eq!(first(text, 3), "one two\u{2003}three");
        assert_eq!(first(text, 100), text);
    }

    #[test]
    fn common_words_are_found() {
        assert!(COMMON.iter().all(|word| word.len() <= LONGEST_COMMON_BYTES));
        assert!(is_common("the") && is_common("without") && !is_common("bridge"));
    }

    #[test]
    fn english_is_told_from_other_languages() {
        assert!(is_english("The bridge was opened by the mayor, and it will serve cyclists."));
        assert!(!is_english("Die Brücke wurde vom Bürgermeister eröffnet und dient dem Radverkehr."));
        assert!(!is_english("Le pont a été inauguré par le maire et il sert aux cyclistes."));
        assert!(!is_english("橋は市長によって開かれた。"));
    }

    #[test]
    fn terms_are_words_or_pairs() {
        let mut terms = Vec::new();
        each_term("The Bridge over 日本語 x", |term| terms.push(term.into_owned()));
        assert_eq!(terms, ["bridge", "日本", "本語"]);
    }
}
