//! What a text consists of: its estimated tokens by class of script.
//!
//! Owns the one pass that counts them, for a whole text and for the longest
//! beginning that fits a budget. What a token of a class is worth to a model is
//! the business of [`TokenRatios`]. The rule it protects: a byte is looked at once,
//! without a branch that depends on the text and without an allocation.

use std::ops::AddAssign;

use super::ratios::TokenRatios;

/// How many classes a text is told apart into.
pub(super) const CLASSES: usize = 10;

/// The estimated tokens of a text, by class of script, before any model's ratios.
///
/// Profiles add up: the profile of a text is that of its parts, but for the token or
/// two that a word cut in half costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextProfile {
    /// ASCII classes in tokens, all others in characters.
    counts: [u32; CLASSES],
    bytes: u32,
}

impl TextProfile {
    /// Looks through a text. Texts beyond 4 GiB are counted as far as a `u32` goes.
    pub fn of(text: &str) -> Self {
        let mut scan = Scan::new();
        for &byte in text.as_bytes() {
            scan.step(byte);
        }
        Self { counts: scan.counts, bytes: u32::try_from(text.len()).unwrap_or(u32::MAX) }
    }

    /// The profile that so many bytes of plain English prose in ASCII have, without looking
    /// at them: for texts of our own, such as a prompt's rules.
    pub fn of_english(bytes: usize) -> Self {
        let share = |per_thousand: u64| u32::try_from(bytes as u64 * per_thousand / 1000).unwrap_or(u32::MAX);
        let mut counts = [0; CLASSES];
        for (class, per_thousand) in ENGLISH_PER_THOUSAND_BYTES {
            counts[class] = share(per_thousand);
        }
        Self { counts, bytes: u32::try_from(bytes).unwrap_or(u32::MAX) }
    }

    /// The estimate of [`estimate_tokens`](super::estimate_tokens) for the same text.
    pub fn base_tokens(&self) -> u32 {
        tokens_of(&self.counts).max(u32::from(self.bytes > 0))
    }

    /// The estimate for the model whose ratios these are.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is at least 0, and the cast ends at the largest u32"
    )]
    pub fn tokens(&self, ratios: &TokenRatios) -> u32 {
        (ratios.estimate(self).ceil() as u32).max(u32::from(self.bytes > 0))
    }

    /// The estimated tokens of each class, not yet rounded.
    pub(super) fn tokens_by_class(&self) -> [f64; CLASSES] {
        std::array::from_fn(|class| {
            f64::from(self.counts[class]) * f64::from(BYTES_PER_COUNT[class]) / BYTES_PER_WIDE_TOKEN_F64
        })
    }
}

impl AddAssign for TextProfile {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine = mine.saturating_add(theirs);
        }
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The length in bytes of the longest beginning of `text`, ending between two
/// characters, that has at most `max_tokens` base tokens. Looks at no more than that
/// beginning and one block more.
pub(super) fn prefix_within(text: &str, max_tokens: u32) -> usize {
    const BLOCK_BYTES: usize = 256;
    if max_tokens == 0 {
        return 0;
    }
    let bytes = text.as_bytes();
    let mut scan = Scan::new();
    for (index, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
        let before = scan;
        for &byte in block {
            scan.step(byte);
        }
        if tokens_of(&scan.counts) <= max_tokens {
            continue;
        }
        // It ends in this block: once more, byte by byte.
        scan = before;
        let start = index * BLOCK_BYTES;
        let fits = block.iter().take_while(|&&byte| {
            scan.step(byte);
            tokens_of(&scan.counts) <= max_tokens
        });
        return text.floor_char_boundary(start + fits.count());
    }
    text.len()
}

/// Bytes per token of everything that is not ASCII.
const BYTES_PER_WIDE_TOKEN: u64 = 3;
const BYTES_PER_WIDE_TOKEN_F64: f64 = 3.0;

/// Bytes that one count of a class stands for; tokens of ASCII count as three, which is one token.
const BYTES_PER_COUNT: [u32; CLASSES] = [3, 3, 3, 3, 3, 2, 2, 3, 3, 4];

fn tokens_of(counts: &[u32; CLASSES]) -> u32 {
    let sum = |classes: std::ops::Range<usize>| classes.map(|class| u64::from(counts[class])).sum::<u64>();
    let ascii = sum(LETTERS..LATIN_WITH_MARKS);
    let wide_bytes =
        2 * sum(LATIN_WITH_MARKS..INDIC) + 3 * sum(INDIC..FOUR_BYTES) + 4 * sum(FOUR_BYTES..CLASSES);
    u32::try_from(ascii + wide_bytes.div_ceil(BYTES_PER_WIDE_TOKEN)).unwrap_or(u32::MAX)
}

/// Tokens of English prose, by class: measured on the rules of all tasks.
const ENGLISH_PER_THOUSAND_BYTES: [(usize, u64); 5] =
    [(LETTERS, 200), (DIGITS, 5), (PUNCTUATION, 45), (WHITE, 3), (UNBROKEN, 1)];

/// ASCII letters of ordinary words.
const LETTERS: usize = 0;
const DIGITS: usize = 1;
const PUNCTUATION: usize = 2;
const WHITE: usize = 3;
/// ASCII of any kind, far from the last white space: keys, hashes, base64, addresses.
const UNBROKEN: usize = 4;
/// Two bytes, below about U+0250.
const LATIN_WITH_MARKS: usize = 5;
/// Two bytes: Greek, Cyrillic, Hebrew, Arabic.
const OTHER_TWO_BYTES: usize = 6;
/// U+0800 to U+0FFF: Devanagari and its neighbours, Thai.
const INDIC: usize = 7;
/// Han, kana, hangul, and signs.
const OTHER_THREE_BYTES: usize = 8;
/// Mostly emoji.
const FOUR_BYTES: usize = 9;

/// After this many bytes without white space, a word is no ordinary word.
const LONGEST_WORD_BYTES: u8 = 24;

/// Where the scan stands between two bytes.
#[derive(Clone, Copy)]
struct Scan {
    counts: [u32; CLASSES],
    /// The kind of the byte before.
    kind: u8,
    /// How many more bytes of that kind the last token holds.
    left_in_token: u8,
    /// Bytes since white space or a character that is not ASCII.
    unbroken_bytes: u8,
}

impl Scan {
    const fn new() -> Self {
        Self { counts: [0; CLASSES], kind: WIDE, left_in_token: 0, unbroken_bytes: 0 }
    }

    // Written without branches on the text: prose changes kind every few bytes, so a
    // branch here would be mispredicted most of the time.
    #[inline]
    fn step(&mut self, byte: u8) {
        let traits = TRAITS[usize::from(byte)];
        let continues = traits.kind == self.kind;
        let fits = continues & (self.left_in_token > 0);
        let white = traits.kind == SPACE;
        let opens = !fits & ((traits.kind < SPACE) | (white & continues));
        let free = white & !continues;
        let after_first = if free { 0 } else { traits.bytes_after_first };
        self.left_in_token = if fits { self.left_in_token - 1 } else { after_first };
        self.kind = traits.kind;
        let longer = self.unbroken_bytes.saturating_add(1);
        self.unbroken_bytes = if traits.kind < SPACE { longer } else { 0 };
        let class =
            if self.unbroken_bytes > LONGEST_WORD_BYTES { UNBROKEN } else { usize::from(traits.class) };
        self.counts[class] += u32::from(opens | traits.leads);
    }
}

/// Kinds of bytes: tokens are opened where the kind changes. They are numbered as the classes are.
const SPACE: u8 = 3;
const WIDE: u8 = 4;

#[derive(Clone, Copy)]
struct ByteTraits {
    kind: u8,
    class: u8,
    /// How many more bytes of its kind the token holds that it opens.
    bytes_after_first: u8,
    /// It begins a character that is not ASCII.
    leads: bool,
}

const TRAITS: [ByteTraits; 256] = {
    let mut traits = [ByteTraits { kind: WIDE, class: 0, bytes_after_first: 0, leads: false }; 256];
    let mut byte = 0_u8;
    loop {
        traits[byte as usize] = traits_of(byte);
        if byte == u8::MAX {
            break traits;
        }
        byte += 1;
    }
};

const fn traits_of(byte: u8) -> ByteTraits {
    let (class, bytes_after_first) = match byte {
        b'a'..=b'z' | b'A'..=b'Z' => (LETTERS, 5),
        b'0'..=b'9' => (DIGITS, 2),
        0x00..=0x20 | 0x7f => (WHITE, 7),
        0x21..=0x7e => (PUNCTUATION, 1),
        0x80..=0xc9 => (LATIN_WITH_MARKS, 0),
        0xca..=0xdf => (OTHER_TWO_BYTES, 0),
        0xe0 => (INDIC, 0),
        0xe1..=0xef => (OTHER_THREE_BYTES, 0),
        0xf0..=0xff => (FOUR_BYTES, 0),
    };
    #[expect(clippy::cast_possible_truncation, reason = "there are ten classes")]
    let class = class as u8;
    ByteTraits { kind: if byte < 0x80 { class } else { WIDE }, class, bytes_after_first, leads: byte >= 0xc0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::estimate_tokens;

    #[test]
    fn english_of_our_own_need_not_be_looked_at() {
        let rules = "- Say only what the document says: no facts, opinions, advice or examples of your own.\n\
                     - Keep its emphasis and its degree of certainty: a claim stays a claim, a plan stays a plan.\n\
                     - Copy numbers, names, dates, units and quotations exactly as they stand in the document.\n";
        let (looked, assumed) = (TextProfile::of(rules), TextProfile::of_english(rules.len()));
        let off = f64::from(assumed.base_tokens()) / f64::from(looked.base_tokens());
        assert!((0.9..1.1).contains(&off), "{off}");
        assert_eq!(TextProfile::of_english(0), TextProfile::of(""));
    }

    #[test]
    fn every_script_has_its_class() {
        let table: &[(&str, usize, u32)] = &[
            ("banana bread", LETTERS, 2),
            ("2026", DIGITS, 2),
            ("...", PUNCTUATION, 2),
            ("   ", WHITE, 1),
            ("éü", LATIN_WITH_MARKS, 2),
            ("да", OTHER_TWO_BYTES, 2),
            ("سلام", OTHER_TWO_BYTES, 4),
            ("नमः", INDIC, 3),
            ("文字", OTHER_THREE_BYTES, 2),
            ("👍", FOUR_BYTES, 1),
        ];
        for (text, class, count) in table {
            let profile = TextProfile::of(text);
            assert_eq!(profile.counts[*class], *count, "{text:?}");
        }
    }

    #[test]
    fn a_run_that_is_no_word_is_told_apart() {
        let key = "a".repeat(60);
        let profile = TextProfile::of(&key);
        assert_eq!((profile.counts[LETTERS], profile.counts[UNBROKEN]), (4, 6));
        assert_eq!(profile.base_tokens(), estimate_tokens(&key));
        assert_eq!(TextProfile::of(&"word ".repeat(60)).counts[UNBROKEN], 0);
    }

    #[test]
    fn ratios_of_one_change_nothing_and_twice_the_ratio_is_twice_the_tokens() {
        let profile = TextProfile::of("A sentence of 7 words, и ещё 三文字.");
        assert_eq!(profile.tokens(&TokenRatios::uniform(1.0)), profile.base_tokens());
        let doubled = profile.tokens(&TokenRatios::uniform(2.0));
        assert!(doubled.abs_diff(2 * profile.base_tokens()) <= 1);
        assert_eq!(TextProfile::default().tokens(&TokenRatios::uniform(2.0)), 0);
        assert_eq!(TextProfile::of(" ").tokens(&TokenRatios::uniform(2.0)), 1);
    }

    proptest! {
        #[test]
        fn profiles_add_up(left in ".{0,60}", right in ".{0,60}") {
            let mut sum = TextProfile::of(&left);
            sum += TextProfile::of(&right);
            let whole = TextProfile::of(&format!("{left}{right}"));
            prop_assert!(whole.base_tokens().abs_diff(sum.base_tokens()) <= 2);
        }

        #[test]
        fn the_longest_beginning_fits_and_one_character_more_does_not(
            text in prop_oneof![".{0,80}", "[ a-c0-9]{0,600}", "\\PC{0,400}"],
            max_tokens in 0_u32..120,
        ) {
            let end = prefix_within(&text, max_tokens);
            prop_assert!(estimate_tokens(&text[..end]) <= max_tokens);
            if let Some(next) = text[end..].chars().next() {
                prop_assert!(estimate_tokens(&text[..end + next.len_utf8()]) > max_tokens);
            }
        }
    }
}
