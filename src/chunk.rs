//! How large a text is before any model has seen it, and where it may be cut.
//!
//! Owns the token estimate ([`TextProfile`], scaled to one model by
//! [`TokenRatios`]) and the splitter ([`split`]). It knows no model's vocabulary,
//! writes no prompt and calls nobody: bills and usage figures come from the models'
//! own counts, never from here. The rule it protects: the parts of a text are the
//! text, byte for byte, and none is larger than it was asked to be; and the work is
//! linear in the text, whatever the text is.

mod boundary;
mod context;
mod cut;
mod markup;
mod outline;
mod profile;
mod ratios;
mod split;

pub use markup::Markup;
pub use profile::TextProfile;
pub use ratios::TokenRatios;
pub use split::{Chunk, SplitPolicy, split};

/// Names the rules by which texts are cut. Whoever keeps something about a part under
/// a key puts this into the key: a change of the rules changes it.
pub const CHUNKER_VERSION: &str = "1";

/// Estimates how many tokens a language model makes of `text`.
///
/// This is an estimate, not a count: it sees classes of bytes, not a
/// vocabulary. Against a current public vocabulary of 200,000 entries it reads
/// 10 to 20 % too high on English prose and on code, up to two and a half times too high on
/// alphabets other than Latin, and up to a fifth too low on languages of long
/// words such as Finnish. Models differ among each other as much as that: add a
/// margin before comparing it with a limit, and never bill from it.
///
/// The rule, for each unbroken run of bytes of one class:
/// - ASCII letters: one token per 6 letters, begun ones included;
/// - ASCII digits: one token per 3 digits, begun ones included;
/// - ASCII punctuation: one token per 2 signs, begun ones included;
/// - white space and control bytes: the first is free (it belongs to the next
///   word), then one token per 8, begun ones included;
/// - everything else: one token per 3 bytes of the whole text, rounded up. That
///   is one per Han character, and two for three Cyrillic or Arabic letters.
///
/// Text that is not empty has at least one token.
pub fn estimate_tokens(text: &str) -> u32 {
    TextProfile::of(text).base_tokens()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::estimate_tokens;

    #[test]
    fn each_class_of_bytes_is_counted_by_its_rule() {
        let table: &[(&str, u32)] = &[
            ("", 0),
            (" ", 1),
            ("a", 1),
            ("banana", 1),
            ("bananas", 2),
            ("a banana", 2),
            ("123", 1),
            ("1234", 2),
            ("v2", 2),
            ("...", 2),
            ("end.", 2),
            ("one  two", 3),
            ("one\n        two", 3),
            ("one\n         two", 4),
            ("文", 1),
            ("三文字", 3),
            ("да", 2),
            ("дада", 3),
            ("été", 3),
            ("👍", 2),
        ];
        for (text, tokens) in table {
            assert_eq!(estimate_tokens(text), *tokens, "{text:?}");
        }
    }

    #[test]
    fn an_ordinary_english_sentence_has_about_a_token_and_a_third_per_word() {
        let sentence = "The committee met in March to consider the proposal and found that costs had \
                        risen since the previous year, mainly because energy had become more expensive.";
        let words = u32::try_from(sentence.split_whitespace().count()).unwrap();
        let per_word = f64::from(estimate_tokens(sentence)) / f64::from(words);
        assert!((1.2..1.6).contains(&per_word), "{per_word}");
    }

    proptest! {
        /// A text costs no more than its bytes, and cutting it in two never makes it cheaper by more
        /// than the one token that a shared word or a last third may save.
        #[test]
        fn the_estimate_is_bounded_and_nearly_additive(left in ".{0,40}", right in ".{0,40}") {
            let whole = estimate_tokens(&format!("{left}{right}"));
            let parts = estimate_tokens(&left) + estimate_tokens(&right);
            prop_assert!(whole as usize <= left.len() + right.len());
            prop_assert_eq!(whole == 0, left.is_empty() && right.is_empty());
            prop_assert!(whole.abs_diff(parts) <= 2, "{} against {}", whole, parts);
        }
    }
}
