//! The platforms of social posts: what each takes, and what fits it.
//!
//! Owns the limits, the sentences about a platform's manner, and how a post is put
//! together and cut. How lengths are counted stands in `counting`. The rule it protects:
//! a post that is told can be posted as it is.
//!
//! Where the limits come from: X, `twitter-text` version 3; Bluesky, the lexicon
//! `app.bsky.feed.post`; Mastodon, the default of its `StatusLengthValidator`; Threads and
//! Instagram, Meta's API documentation; LinkedIn, its Posts API; Facebook publishes none,
//! 63,206 is what its editor takes.

use unicode_segmentation::UnicodeSegmentation as _;

use super::counting;
use crate::tasks::vocabulary::vocabulary;

vocabulary! {
    /// Where a post is to appear.
    pub enum Platform {
        X = "x",
        LinkedIn = "linkedin",
        Facebook = "facebook",
        Instagram = "instagram",
        Threads = "threads",
        Mastodon = "mastodon",
        Bluesky = "bluesky",
    }
    older { "twitter" => X }
}

/// The most bytes of a post on Bluesky, besides its characters.
const BLUESKY_BYTES: usize = 3_000;

impl Platform {
    /// The most that a post may have, as the platform counts; see [`Platform::length`].
    pub const fn max_length(self) -> usize {
        match self {
            Self::X => 280,
            Self::LinkedIn => 3_000,
            Self::Facebook => 63_206,
            Self::Instagram => 2_200,
            Self::Threads | Self::Mastodon => 500,
            Self::Bluesky => 300,
        }
    }

    /// How long a post is, as the platform counts.
    pub fn length(self, post: &str) -> usize {
        match self {
            Self::X => counting::weighted(post),
            Self::Mastodon => counting::federated(post),
            Self::Threads => counting::emoji_bytes(post),
            Self::Bluesky => counting::graphemes(post),
            Self::LinkedIn | Self::Facebook | Self::Instagram => counting::utf16_units(post),
        }
    }

    /// Whether the platform takes the post.
    pub fn takes(self, post: &str) -> bool {
        self.length(post) <= self.max_length() && (self != Self::Bluesky || post.len() <= BLUESKY_BYTES)
    }

    /// The most hashtags that fit the platform; further ones are left out. Threads shows one.
    /// Instagram takes 30, but asks for few and may come to refuse more than five.
    pub(super) const fn max_hashtags(self) -> usize {
        match self {
            Self::X => 2,
            Self::Facebook | Self::Bluesky => 3,
            Self::LinkedIn | Self::Mastodon | Self::Instagram => 5,
            Self::Threads => 1,
        }
    }

    /// The words of a post that is read to its end, hashtags aside.
    pub(super) const fn usual_words(self) -> u32 {
        match self {
            Self::X => 35,
            Self::Bluesky => 40,
            Self::Threads | Self::Mastodon => 60,
            Self::Facebook => 80,
            Self::Instagram => 100,
            Self::LinkedIn => 150,
        }
    }

    /// How posts are written there, for the model.
    pub(super) const fn manner(self) -> &'static str {
        match self {
            Self::X => "one sharp point, plain and quick, with the news in the first words",
            Self::LinkedIn => {
                "professional and personal at once: a strong first line, short paragraphs, what it means for \
                 work, and a question or a next step at the end"
            }
            Self::Facebook => "warm and conversational, as to people one knows, with a reason to comment",
            Self::Instagram => {
                "a caption for a picture: the hook in the first line, lively, with some line breaks"
            }
            Self::Threads => "casual and conversational, as one starts a talk; no sales talk",
            Self::Mastodon => {
                "informative and free of advertising; hashtags in CamelCase, so that screen readers can read \
                 them"
            }
            Self::Bluesky => "friendly and to the point, with some wit; no sales talk",
        }
    }

    /// The name that people write.
    pub const fn title(self) -> &'static str {
        match self {
            Self::X => "X",
            Self::LinkedIn => "LinkedIn",
            Self::Facebook => "Facebook",
            Self::Instagram => "Instagram",
            Self::Threads => "Threads",
            Self::Mastodon => "Mastodon",
            Self::Bluesky => "Bluesky",
        }
    }

    /// The beginning of a text that fits with its hashtags, and those that are left: up to
    /// the end of a sentence; where the first sentence is too long already, up to a word.
    pub(super) fn shortened(self, text: &str, hashtags: &[String]) -> (String, Vec<String>) {
        let text = text.trim();
        let mut kept = hashtags.to_vec();
        loop {
            let fits = |body: &str| self.takes(&put_together(body, &kept));
            let ends = text.split_sentence_bound_indices().map(|(start, sentence)| start + sentence.len());
            if let Some(body) = longest(text, ends, fits) {
                return (body.to_owned(), kept);
            }
            let words = text.split_word_bound_indices().filter(|(_, word)| word.trim().is_empty());
            let with_mark = |body: &str| fits(&format!("{body}{ELLIPSIS}"));
            if let Some(body) = longest(text, words.map(|(start, _)| start), with_mark) {
                let body = body.trim_end_matches([',', ';', ':', '-', '\u{2013}', '\u{2014}', ' ']);
                return (format!("{body}{ELLIPSIS}"), kept);
            }
            if kept.is_empty() {
                let clusters = text.grapheme_indices(true).map(|(start, _)| start);
                let body = longest(text, clusters, with_mark).unwrap_or_default();
                return (format!("{body}{ELLIPSIS}"), kept);
            }
            kept.pop();
        }
    }
}

const ELLIPSIS: &str = "\u{2026}";

/// The longest beginning that ends at one of these places, is not blank and fits. Lengths
/// grow with the text, so the first that does not fit ends the search.
fn longest(text: &str, ends: impl Iterator<Item = usize>, fits: impl Fn(&str) -> bool) -> Option<&str> {
    ends.map(|end| text[..end].trim_end())
        .filter(|body| !body.is_empty())
        .take_while(|body| fits(body))
        .last()
}

/// The post as it appears: its text, and its hashtags in a line of their own.
pub(super) fn put_together(text: &str, hashtags: &[String]) -> String {
    let text = text.trim();
    let words: Vec<String> = hashtags.iter().map(|tag| format!("#{tag}")).collect();
    match (text.is_empty(), words.is_empty()) {
        (_, true) => text.to_owned(),
        (true, false) => words.join(" "),
        (false, false) => format!("{text}\n\n{}", words.join(" ")),
    }
}

/// The hashtags that can be used, without `#`: letters, digits and `_`, each once, none that
/// stands in the text already, and no more than fit the platform.
pub(super) fn usable_hashtags(platform: Platform, given: &[String], text: &str) -> Vec<String> {
    let in_text: Vec<String> = hashtags_in(text).map(str::to_lowercase).collect();
    let room = platform.max_hashtags().saturating_sub(in_text.len());
    let mut usable: Vec<String> = Vec::new();
    for tag in given {
        let tag: String = tag.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
        let lower = tag.to_lowercase();
        let known = in_text.contains(&lower) || usable.iter().any(|known| known.to_lowercase() == lower);
        if tag.chars().any(char::is_alphabetic) && !known && usable.len() < room {
            usable.push(tag);
        }
    }
    usable
}

/// The hashtags that a text holds, without `#`.
pub(super) fn hashtags_in(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('#').filter_map(|(at, _)| {
        let begins = !text[..at].ends_with(|c: char| c.is_alphanumeric() || "/&#".contains(c));
        let rest = &text[at + 1..];
        let tag = &rest[..rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len())];
        (begins && tag.chars().any(char::is_alphabetic)).then_some(tag)
    })
}

/// The limit in words, for the model.
pub(super) fn told_limit(platform: Platform) -> String {
    let count = platform.max_length();
    match platform {
        Platform::X => format!("{count} characters (a link counts 23, an emoji or a CJK character 2)"),
        Platform::Mastodon => format!("{count} characters (a link counts 23)"),
        Platform::Threads => format!("{count} characters (an emoji counts 4 or more)"),
        _ => format!("{count} characters"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Platform, hashtags_in, put_together, usable_hashtags};
    use crate::tasks::vocabulary::Vocabulary as _;

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_just_fits_is_taken_and_one_more_is_not() {
        for &(name, platform) in Platform::NAMES {
            let most = platform.max_length();
            assert!(platform.takes(&"a".repeat(most)), "{name}");
            assert!(!platform.takes(&"a".repeat(most + 1)), "{name}");
        }
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        assert_eq!(Platform::Bluesky.length(&family.repeat(200)), 200);
        assert!(!Platform::Bluesky.takes(&family.repeat(200)), "3,600 bytes are more than it takes");
        assert!(Platform::X.takes(&"\u{6771}".repeat(140)) && !Platform::X.takes(&"\u{6771}".repeat(141)));
        assert!(Platform::Threads.takes(&"\u{1f600}".repeat(125)));
        assert!(!Platform::Threads.takes(&"\u{1f600}".repeat(126)));
        assert_eq!(Platform::from_word("twitter"), Some(Platform::X));
    }

    #[test]
    fn a_post_is_cut_at_a_sentence_and_keeps_its_hashtags() {
        let text = "The bridge is open. It has a lane of its own for cyclists. ".repeat(8);
        let (body, kept) = Platform::X.shortened(&text, &tags(&["Graz"]));
        assert!(body.ends_with("cyclists.") || body.ends_with("open."), "{body}");
        assert_eq!(kept, ["Graz"]);
        let post = put_together(&body, &kept);
        assert!(Platform::X.takes(&post) && Platform::X.length(&post) > 200, "{post}");
        assert!(post.ends_with("\n\n#Graz"));
    }

    #[test]
    fn a_sentence_that_is_too_long_is_cut_at_a_word_and_a_word_anywhere() {
        let text = format!("This one sentence {}", "goes on and on, ".repeat(40));
        let (body, _) = Platform::X.shortened(&text, &[]);
        assert!(
            body.ends_with("on\u{2026}") || body.ends_with("and\u{2026}") || body.ends_with("goes\u{2026}"),
            "{body}"
        );
        assert!(Platform::X.takes(&body));
        let (body, kept) = Platform::Bluesky.shortened(&"x".repeat(1000), &tags(&["one", "two"]));
        assert_eq!((body.chars().count(), kept.len()), (300, 0));
        assert!(Platform::Bluesky.takes(&body));
    }

    #[test]
    fn hashtags_are_made_usable() {
        let given = tags(&[
            "#Open Source",
            "rust-lang",
            "RUSTLANG",
            "2024",
            "",
            "#",
            "caf\u{e9}",
            "one",
            "two",
            "three",
        ]);
        assert_eq!(
            usable_hashtags(Platform::LinkedIn, &given, ""),
            ["OpenSource", "rustlang", "caf\u{e9}", "one", "two"]
        );
        assert_eq!(usable_hashtags(Platform::X, &given, "We love #opensource!"), ["rustlang"]);
        assert_eq!(usable_hashtags(Platform::Threads, &given, "Say #hello"), [""; 0]);
        let found: Vec<&str> = hashtags_in("#One, a#b, https://a.co/#c, #2, &#x; (#Two_3)").collect();
        assert_eq!(found, ["One", "Two_3"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_shortened_post_is_taken_by_its_platform(
            text in "(\\PC{0,80}|[a-z]{1,12}[ .,!?]{1,2}|\u{1f600}|https://example\\.com/[a-z]{0,9} ){1,60}",
            hashtags in prop::collection::vec("[A-Za-z]{1,40}", 0..5),
        ) {
            for &(_, platform) in Platform::NAMES {
                let (body, kept) = platform.shortened(&text, &hashtags);
                prop_assert!(platform.takes(&put_together(&body, &kept)), "{platform:?} {body:?}");
            }
        }
    }
}
