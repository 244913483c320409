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

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

use super::counting;
use super::links::links;
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
        let sentences = sentence_ends(text);
        let begin = text.find(|c| !is_open_end(c)).unwrap_or(text.len());
        let spaces = text.char_indices().filter(|(_, c)| c.is_whitespace());
        let words: Vec<usize> = spaces.map(|(start, _)| start).filter(|&end| end > begin).collect();
        loop {
            let fits = |body: &str| self.takes(&put_together(body, &kept));
            if let Some(body) = longest(&sentences, |end| text[..end].trim_end().to_owned(), fits) {
                return (body, kept);
            }
            if let Some(body) = longest(&words, |end| with_mark(&text[..end]), fits) {
                return (body, kept);
            }
            if kept.is_empty() {
                let clusters = text.grapheme_indices(true).map(|(start, _)| start);
                let clusters: Vec<usize> = clusters.filter(|&end| end > begin).collect();
                let outside = outside_links(text, &clusters);
                let cut = |ends: &[usize]| longest(ends, |end| with_mark(&text[..end]), fits);
                let body = cut(&outside).or_else(|| cut(&clusters));
                return (body.unwrap_or_else(|| ELLIPSIS.to_owned()), kept);
            }
            kept.pop();
        }
    }
}

const ELLIPSIS: &str = "\u{2026}";

/// A beginning of a text, with the mark that it is one.
fn with_mark(beginning: &str) -> String {
    format!("{}{ELLIPSIS}", beginning.trim_end_matches(is_open_end))
}

/// What no text that is cut ends in.
fn is_open_end(character: char) -> bool {
    character.is_whitespace() || ",;:-\u{2013}\u{2014}".contains(character)
}

/// Where the sentences of a text end. Links hold `?`, `!` and `.` too: behind these, only
/// white space or the end of the text ends a sentence.
fn sentence_ends(text: &str) -> Vec<usize> {
    let ends = |end: &usize| {
        let last = text[..*end].chars().next_back();
        *end == text.len() || last.is_some_and(|c| c.is_whitespace() || !c.is_ascii())
    };
    text.split_sentence_bound_indices().map(|(start, sentence)| start + sentence.len()).filter(ends).collect()
}

/// Of these places, in order, those that are not within a link.
fn outside_links(text: &str, places: &[usize]) -> Vec<usize> {
    let mut links = links(text, true).into_iter().map(|link| link.range).peekable();
    let mut outside = Vec::with_capacity(places.len());
    for &place in places {
        while links.next_if(|link| link.end <= place).is_some() {}
        if links.peek().is_none_or(|link| place <= link.start) {
            outside.push(place);
        }
    }
    outside
}

/// The longest of the bodies that end at these places, in order, that fits. A longer text may
/// count less, where its end makes a link of what was none: then what is found may not be the
/// longest, but it always fits. It looks at few bodies, and at none that is much longer than
/// what fits.
fn longest(ends: &[usize], body: impl Fn(usize) -> String, fits: impl Fn(&str) -> bool) -> Option<String> {
    let fitting = |index: usize| ends.get(index).map(|&end| body(end)).filter(|body| fits(body));
    let mut best = None;
    let (mut low, mut step) = (0, 1);
    // Steps that double, then halves of what is between.
    let mut high = loop {
        let index = low + step - 1;
        let Some(found) = fitting(index) else { break index.min(ends.len()) };
        best = Some(found);
        low = index + 1;
        step *= 2;
    };
    while low < high {
        let middle = low + (high - low) / 2;
        match fitting(middle) {
            Some(found) => {
                best = Some(found);
                low = middle + 1;
            }
            None => high = middle,
        }
    }
    best
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

/// The hashtags that can be used, without `#`: letters with their marks, digits and `_`, each
/// once, none that stands in the text already, and no more than fit the platform.
pub(super) fn usable_hashtags(platform: Platform, given: &[String], text: &str) -> Vec<String> {
    // Composed or not, and large or small: to readers it is the same.
    let key = |tag: &str| tag.nfc().collect::<String>().to_lowercase();
    let in_text = hashtags_in(text).map(key);
    let room = platform.max_hashtags().saturating_sub(hashtags_in(text).count());
    let mut known: HashSet<String> = in_text.collect();
    let mut usable: Vec<String> = Vec::new();
    for tag in given {
        let tag = usable_chars(tag);
        if usable.len() < room && tag.chars().any(char::is_alphabetic) && known.insert(key(&tag)) {
            usable.push(tag);
        }
    }
    usable
}

/// The characters of a hashtag that every platform takes. A mark belongs to the character
/// before it, and goes with it.
fn usable_chars(tag: &str) -> String {
    let mut usable = String::with_capacity(tag.len());
    let mut is_kept = false;
    for character in tag.chars() {
        is_kept = is_of_hashtag(character) && (is_kept || !is_combining_mark(character));
        if is_kept {
            usable.push(character);
        }
    }
    usable
}

/// The hashtags that a text holds, without `#`.
pub(super) fn hashtags_in(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('#').filter_map(|(at, _)| {
        let begins = !text[..at].ends_with(|c: char| is_of_word(c) || "/&#".contains(c));
        let rest = &text[at + 1..];
        let tag = &rest[..rest.find(|c: char| !is_of_hashtag(c)).unwrap_or(rest.len())];
        (begins && tag.chars().any(char::is_alphabetic)).then_some(tag)
    })
}

fn is_of_hashtag(character: char) -> bool {
    is_of_word(character) || character == '_'
}

/// Letters, digits, and the marks that vowels and accents are written with; not those that
/// make emojis.
fn is_of_word(character: char) -> bool {
    let is_of_emoji = matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{20d0}'..='\u{20ff}');
    character.is_alphanumeric() || (is_combining_mark(character) && !is_of_emoji)
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
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::Instant;

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

    #[test]
    fn links_are_not_cut() {
        // A question mark within a link, right at the limit.
        let link = "https://example.com/watch?v=abcdefghijklmnop";
        for (platform, filler) in [(Platform::Bluesky, 270), (Platform::X, 270), (Platform::LinkedIn, 2_970)]
        {
            let text = format!("It is open. {} {link} and so on", "A".repeat(filler));
            let (body, _) = platform.shortened(&text, &[]);
            assert_eq!(body, "It is open.", "{platform:?}");
            let text = format!("{} {link} and so on", "a".repeat(filler));
            let (body, _) = platform.shortened(&text, &[]);
            assert_eq!(body, format!("{}\u{2026}", "a".repeat(filler)), "{platform:?}");
            // Without white space before it.
            let text = format!("{}\u{3001}{link}", "\u{e4}".repeat(filler));
            let (body, _) = platform.shortened(&text, &[]);
            assert!(!body.contains("ttp") && platform.takes(&body), "{platform:?} {body}");
        }
        let text = "\u{4eca}\u{65e5}\u{306f}\u{3002}".repeat(100);
        let (body, _) = Platform::Bluesky.shortened(&text, &[]);
        assert_eq!(body.chars().count(), 300, "sentences that end in no white space");
        assert!(body.ends_with('\u{3002}'));
    }

    #[test]
    fn what_the_mark_makes_a_link_is_counted_as_one() {
        // With `-`, `foo.co-` is none and fits.
        let text = format!("{} foo.co- {}", "a".repeat(270), "b".repeat(50));
        let (body, _) = Platform::X.shortened(&text, &[]);
        assert!(Platform::X.takes(&body), "{body}");
        assert_eq!(body, format!("{}\u{2026}", "a".repeat(270)));
    }

    #[test]
    fn a_text_that_counts_less_when_it_is_longer_is_cut_where_it_fits() {
        let text = "a.com a.comx ".repeat(40);
        for &(_, platform) in Platform::NAMES {
            let (body, _) = platform.shortened(&text, &[]);
            assert!(platform.takes(&body) && !body.is_empty(), "{platform:?}");
        }
        // Each cluster of a link that is cut counts, and then all of them 23.
        let text = format!("{}/{}", "example.com", "a".repeat(5_000));
        let (body, _) = Platform::X.shortened(&format!("{text} {}", "b".repeat(300)), &[]);
        assert_eq!(body, format!("{text}\u{2026}"));
    }

    #[test]
    fn hostile_texts_are_cut_within_a_second() {
        let parts = [
            ")",
            "(",
            "a.co/(",
            "a.co ",
            "a.co,",
            "a.",
            "http://",
            "http://a.co/(a",
            "@a@",
            "#a",
            "?",
            "! ",
            ", ",
            "e\u{301}",
        ];
        for part in parts {
            let size = if "()".contains(part) { 200_000 } else { 50_000 };
            for start in ["", "https://example.com/"] {
                let text = format!("{start}{}", part.repeat(size / part.len()));
                for platform in [Platform::X, Platform::Mastodon] {
                    let begun = Instant::now();
                    let (body, kept) = platform.shortened(&text, &tags(&["one"]));
                    assert!(platform.takes(&put_together(&body, &kept)));
                    usable_hashtags(platform, &tags(&["one"]), &text);
                    let taken = begun.elapsed();
                    assert!(taken < Duration::from_secs(1), "{start}{part}: {taken:?}");
                }
            }
        }
    }

    #[test]
    fn hashtags_keep_their_marks() {
        let hindi = "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}";
        let thai = "\u{e20}\u{e32}\u{e29}\u{e32}\u{e44}\u{e17}\u{e22}\u{e17}\u{e35}\u{e48}";
        let decomposed = "cafe\u{301}";
        let given = tags(&[
            hindi,
            thai,
            &format!("#{decomposed}"),
            "caf\u{e9}",
            "I\u{2764}\u{fe0f}Graz",
            "1\u{fe0f}\u{20e3}st",
            "\u{301}",
        ]);
        assert_eq!(
            usable_hashtags(Platform::LinkedIn, &given, ""),
            [hindi, thai, decomposed, "IGraz", "1st"]
        );
        let text = format!("#{hindi} #{thai}, (#{decomposed}) {hindi}#no");
        assert_eq!(hashtags_in(&text).collect::<Vec<_>>(), [hindi, thai, decomposed]);
        assert_eq!(usable_hashtags(Platform::LinkedIn, &given, &text), ["IGraz", "1st"]);
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
