//! Language tags, and how many tokens a word takes in a language.
//!
//! Owns the check of a BCP 47 tag's shape and the three size classes of written
//! language. It knows no registry: whether a tag names a real language is for
//! the model to see. The rule it protects: a tag that stands in a prompt holds
//! letters, digits and hyphens only.

use std::fmt;

/// A language tag of the shape of BCP 47, such as `de` or `pt-BR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageTag(String);

/// The text does not have the shape of a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language tag is 2 to 8 letters, then subtags of 1 to 8 letters or digits, 35 characters in all")]
pub struct InvalidLanguageTag;

impl LanguageTag {
    const MAX_LEN: usize = 35;

    /// Accepts a tag by its shape.
    ///
    /// # Errors
    /// [`InvalidLanguageTag`] when the text cannot be a tag.
    pub fn parse(text: &str) -> Result<Self, InvalidLanguageTag> {
        let mut subtags = text.split('-');
        let primary = subtags.next().unwrap_or_default();
        let is_tag = text.len() <= Self::MAX_LEN
            && (2..=8).contains(&primary.len())
            && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
            && subtags.all(|subtag| {
                (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if is_tag { Ok(Self(text.to_owned())) } else { Err(InvalidLanguageTag) }
    }

    /// The tag as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn primary(&self) -> String {
        self.0.split('-').next().unwrap_or_default().to_ascii_lowercase()
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many tokens an ordinary word takes.
///
/// Vocabularies are made mostly from English, so other languages need more
/// pieces per word. A model counts words of languages without spaces by
/// meaning, at about two characters each, which comes to the same class as the
/// languages with an alphabet of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokensPerWord {
    /// English: 1.35.
    English,
    /// Other languages in Latin letters: 1.8.
    Latin,
    /// Every other script: 2.5.
    OtherScript,
}

impl TokensPerWord {
    /// The class of a language that a caller named.
    pub(super) fn of_tag(tag: &LanguageTag) -> Self {
        match tag.primary().as_str() {
            "en" | "eng" => Self::English,
            "am" | "ar" | "as" | "be" | "bg" | "bn" | "bo" | "ckb" | "cmn" | "dv" | "dz" | "el" | "fa"
            | "gu" | "he" | "hi" | "hy" | "ja" | "ka" | "kk" | "km" | "kn" | "ko" | "ky" | "lo" | "mk"
            | "ml" | "mn" | "mr" | "my" | "ne" | "or" | "pa" | "ps" | "ru" | "sa" | "sd" | "si" | "sr"
            | "ta" | "te" | "tg" | "th" | "ti" | "ug" | "uk" | "ur" | "yi" | "yue" | "zh" => {
                Self::OtherScript
            }
            _ => Self::Latin,
        }
    }

    /// The class of a text, judged from its beginning by how much of it is not ASCII.
    pub(super) fn of_text(text: &str) -> Self {
        const SAMPLE_BYTES: usize = 4096;
        let sample = &text.as_bytes()[..text.len().min(SAMPLE_BYTES)];
        let non_ascii = sample.iter().filter(|byte| !byte.is_ascii()).count();
        match non_ascii * 100 / sample.len().max(1) {
            0..=1 => Self::English,
            2..=24 => Self::Latin,
            _ => Self::OtherScript,
        }
    }

    /// Tokens that so many words take, rounded up.
    pub(super) fn tokens(self, words: u32) -> u32 {
        let tokens = (u64::from(words) * self.hundredths()).div_ceil(100);
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }

    /// How many words a text of so many tokens has.
    pub(super) fn words_of(self, tokens: u32) -> u32 {
        let words = u64::from(tokens) * 100 / self.hundredths();
        u32::try_from(words).unwrap_or(u32::MAX)
    }

    /// Turns tokens of a document in this class into tokens of the same text in another.
    pub(super) fn translate(self, tokens: u32, into: Self) -> u32 {
        let tokens = u64::from(tokens) * into.hundredths() / self.hundredths();
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }

    fn hundredths(self) -> u64 {
        match self {
            Self::English => 135,
            Self::Latin => 180,
            Self::OtherScript => 250,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LanguageTag, TokensPerWord};

    #[test]
    fn tags_are_judged_by_their_shape() {
        for good in
            ["en", "de-CH", "zh-Hant-TW", "sr-Latn", "es-419", "de-1996", "sl-rozaj-biske-1994", "EN-us"]
        {
            assert_eq!(LanguageTag::parse(good).unwrap().as_str(), good);
        }
        let too_long = "en-12345678-12345678-12345678-1234567";
        for bad in [
            "",
            "e",
            "en-",
            "-en",
            "en_US",
            "e1",
            "en US",
            "englishes",
            "en-123456789",
            "дe",
            "en\n",
            too_long,
        ] {
            assert!(LanguageTag::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_language_and_a_text_in_it_have_the_same_size_class() {
        let table = [
            ("en", TokensPerWord::English, "The committee met in March."),
            ("EN-gb", TokensPerWord::English, ""),
            ("fr", TokensPerWord::Latin, "Le comité s'est réuni à l'automne."),
            ("ru-RU", TokensPerWord::OtherScript, "Комитет собрался в марте."),
            ("ja", TokensPerWord::OtherScript, "委員会は3月に会合を開いた。"),
        ];
        for (tag, class, text) in table {
            assert_eq!(TokensPerWord::of_tag(&LanguageTag::parse(tag).unwrap()), class, "{tag}");
            assert_eq!(TokensPerWord::of_text(text), class, "{text}");
        }
    }

    #[test]
    fn a_sample_may_end_within_a_character() {
        let text = format!("a{}", "й".repeat(4096));
        assert_eq!(TokensPerWord::of_text(&text), TokensPerWord::OtherScript);
    }
}
