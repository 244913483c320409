//! The token rule: how this simulator counts tokens.
//!
//! One rule serves usage, CountTokens, `maxTokens` and the limits of a model. It is no tokenizer of
//! any real model; it is deterministic and easy to compute by hand:
//! a character below U+0250 (Latin) weighs a quarter of a token, every other character half a token,
//! and the sum is rounded up per text. Each message and each system block adds
//! [`PER_BLOCK_TOKENS`].

/// What each message and each system block adds to the count of its text.
pub const PER_BLOCK_TOKENS: u64 = 3;

const FIRST_WIDE_CHAR: char = '\u{250}';
const QUARTERS_PER_TOKEN: u64 = 4;

/// The tokens of one text.
pub fn count(text: &str) -> u64 {
    quarters(text).div_ceil(QUARTERS_PER_TOKEN)
}

/// The length in bytes of the longest beginning of `text` that has at most `max_tokens` tokens.
pub fn prefix_within(text: &str, max_tokens: u64) -> usize {
    let budget = max_tokens.saturating_mul(QUARTERS_PER_TOKEN);
    let mut spent = 0;
    for (at, character) in text.char_indices() {
        spent += quarters_of(character);
        if spent > budget {
            return at;
        }
    }
    text.len()
}

/// The tokens of a text that comes in pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    quarters: u64,
}

impl Tally {
    pub fn add(&mut self, text: &str) {
        self.quarters += quarters(text);
    }

    /// What [`count`] says of all pieces together.
    pub fn tokens(self) -> u64 {
        self.quarters.div_ceil(QUARTERS_PER_TOKEN)
    }
}

fn quarters(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len() as u64;
    }
    text.chars().map(quarters_of).sum()
}

fn quarters_of(character: char) -> u64 {
    if character < FIRST_WIDE_CHAR { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_latin_characters_or_two_others_are_one_token() {
        let cases = [
            ("", 0),
            ("a", 1),
            ("abcd", 1),
            ("abcde", 2),
            ("éèàù", 1),
            ("日本", 1),
            ("日本語", 2),
            ("ab日", 1),
            ("🙂", 1),
        ];
        for (text, tokens) in cases {
            assert_eq!(count(text), tokens, "{text:?}");
        }
    }

    #[test]
    fn pieces_count_as_the_whole_does() {
        let mut tally = Tally::default();
        for piece in ["a", "bcd", "", "e日", "本"] {
            tally.add(piece);
        }
        assert_eq!(tally.tokens(), count("abcde日本"));
    }

    #[test]
    fn a_prefix_never_exceeds_its_tokens_and_ends_between_characters() {
        let text = "ab日本語cd🙂 the end";
        for max in 0..12 {
            let end = prefix_within(text, max);
            assert!(text.is_char_boundary(end));
            assert!(count(&text[..end]) <= max);
        }
        assert_eq!(prefix_within(text, 100), text.len());
        assert_eq!(prefix_within("abcdefgh", 1), 4);
    }
}
