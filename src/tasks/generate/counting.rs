//! How long a post is, as its platform counts.
//!
//! Owns the ways of counting and what counts as a mention or an emoji in them. Limits stand
//! in `platform`, and what is a link in `links`. Pure. In doubt, it counts too much. Sources:
//!
//! - X: the configuration of `twitter-text`, version 3. Of the normalized text (NFC), every
//!   link counts 23, every emoji 2, and a character 1 in `U+0000..=U+10FF`,
//!   `U+2000..=U+200D`, `U+2010..=U+201F` and `U+2032..=U+2037`, else 2.
//! - Mastodon: `StatusLengthValidator`. Grapheme clusters; a link with its scheme counts
//!   23, and of a mention the part behind the name counts nothing.
//! - Threads: "Emojis are counted as the number of UTF-8 bytes" (Threads API, posts).
//! - Bluesky: the lexicon `app.bsky.feed.post`, which counts grapheme clusters.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_segmentation::UnicodeSegmentation as _;

use super::links::links;

/// What every link counts on X and Mastodon.
const LINK_LENGTH: usize = 23;

/// X: weighted.
pub(super) fn weighted(text: &str) -> usize {
    let text: String = text.nfc().collect();
    with_links(&text, true, |part| {
        if part.is_ascii() {
            return part.len();
        }
        part.graphemes(true)
            .map(|cluster| if is_emoji(cluster) { 2 } else { cluster.chars().map(weight).sum() })
            .sum()
    })
}

/// Grapheme clusters: what readers take for one character.
pub(super) fn graphemes(text: &str) -> usize {
    if text.is_ascii() {
        // The only two of these that are seen as one.
        return text.len() - text.matches("\r\n").count();
    }
    text.graphemes(true).count()
}

/// Mastodon: grapheme clusters, links short, mentions without their server.
pub(super) fn federated(text: &str) -> usize {
    with_links(text, false, |part| {
        let mut from = 0;
        let mut sum = 0;
        for server in servers(part) {
            sum += graphemes(&part[from..server.start]);
            from = server.end;
        }
        sum + graphemes(&part[from..])
    })
}

/// Threads: characters, and emojis by their bytes.
pub(super) fn emoji_bytes(text: &str) -> usize {
    text.graphemes(true)
        .map(|cluster| if is_emoji(cluster) { cluster.len() } else { cluster.chars().count() })
        .sum()
}

/// UTF-16 code units, as JavaScript and Java count characters: never less than the number of
/// characters, so what fits by this count fits by either.
pub(super) fn utf16_units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The length of a text whose links all count the same, and all else by its own length.
fn with_links(text: &str, also_without_scheme: bool, length: impl Fn(&str) -> usize) -> usize {
    let mut sum = 0;
    let mut from = 0;
    for link in links(text, also_without_scheme) {
        sum += length(&text[from..link.range.start]);
        sum += if link.is_certain { LINK_LENGTH } else { LINK_LENGTH.max(length(&text[link.range.clone()])) };
        from = link.range.end;
    }
    sum + length(&text[from..])
}

fn weight(character: char) -> usize {
    match u32::from(character) {
        0..=0x10ff | 0x2000..=0x200d | 0x2010..=0x201f | 0x2032..=0x2037 => 1,
        _ => 2,
    }
}

/// Whether a grapheme cluster is shown as an emoji.
fn is_emoji(cluster: &str) -> bool {
    const TEXT_STYLE: char = '\u{fe0e}';
    const EMOJI_STYLE: char = '\u{fe0f}';
    const KEYCAP: char = '\u{20e3}';
    let Some(first) = cluster.chars().next() else { return false };
    !cluster.contains(TEXT_STYLE) && (cluster.contains([EMOJI_STYLE, KEYCAP]) || is_shown_as_emoji(first))
}

/// Characters that are emojis without a sign that says so.
fn is_shown_as_emoji(character: char) -> bool {
    matches!(character,
        '\u{1f000}'..='\u{1faff}'
        | '\u{231a}'..='\u{231b}' | '\u{23e9}'..='\u{23ec}' | '\u{23f0}' | '\u{23f3}'
        | '\u{25fd}'..='\u{25fe}' | '\u{2614}'..='\u{2615}' | '\u{2648}'..='\u{2653}' | '\u{267f}'
        | '\u{2693}' | '\u{26a1}' | '\u{26aa}'..='\u{26ab}' | '\u{26bd}'..='\u{26be}'
        | '\u{26c4}'..='\u{26c5}' | '\u{26ce}' | '\u{26d4}' | '\u{26ea}' | '\u{26f2}'..='\u{26f3}'
        | '\u{26f5}' | '\u{26fa}' | '\u{26fd}' | '\u{2705}' | '\u{270a}'..='\u{270b}' | '\u{2728}'
        | '\u{274c}' | '\u{274e}' | '\u{2753}'..='\u{2755}' | '\u{2757}' | '\u{2795}'..='\u{2797}'
        | '\u{27b0}' | '\u{27bf}' | '\u{2b1b}'..='\u{2b1c}' | '\u{2b50}' | '\u{2b55}')
}

/// Of mentions such as `@ana@example.social`, the parts that name the server.
fn servers(text: &str) -> Vec<Range<usize>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(sign) = text[at..].find('@').map(|offset| at + offset) {
        at = sign + 1;
        if text[..sign].ends_with(|c: char| is_word(c) || "/=".contains(c)) {
            continue;
        }
        let rest = &text[at..];
        let name = &rest[..rest.find(|c| !(is_word(c) || ".-".contains(c))).unwrap_or(rest.len())];
        let Some(server) = rest[name.len()..].strip_prefix('@').filter(|_| name.starts_with(is_word)) else {
            continue;
        };
        let server = &server[..server.find(|c| !(is_word(c) || ".-".contains(c))).unwrap_or(server.len())];
        let server = server.trim_end_matches(['.', '-']);
        if !server.is_empty() {
            let start = at + name.len();
            at = start + 1 + server.len();
            found.push(start..at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{emoji_bytes, federated, graphemes, utf16_units, weighted};

    const FAMILY: &str = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";

    #[test]
    fn x_counts_by_the_published_weights() {
        let table = [
            ("", 0),
            ("Hello, world!", 13),
            ("\u{e9}", 1),
            // Normalized first.
            ("e\u{301}", 1),
            ("\u{10ff}\u{1100}", 3),
            ("\u{200d}\u{200e}\u{2010}\u{201f}\u{2020}\u{2032}\u{2037}\u{2038}", 11),
            ("\u{6771}\u{4eac}", 4),
            ("\u{ff01}", 2),
            ("\u{1f600}", 2),
            (FAMILY, 2),
            ("\u{1f44b}\u{1f3fd}", 2),
            ("\u{1f1e6}\u{1f1f9}", 2),
            ("1\u{fe0f}\u{20e3}", 2),
            ("\u{2764}\u{fe0f}", 2),
            ("\u{a9} \u{a9}\u{fe0f}", 4),
            ("https://example.com/a/very/long/path?with=a&query=in#it", 23),
            ("See https://example.com.", 28),
            ("(https://example.com/a_(b))", 25),
            ("http://a.co", 23),
            ("HTTP://example.com", 23),
            ("https://localhost/x", 19),
            ("https://example.com\u{3067}\u{3059}", 27),
            ("example.com", 23),
            ("example.com/path, or", 27),
            ("example.de", 23),
            ("example.de/path", 23),
            ("www.orf.at", 23),
            ("bbc.co.uk", 23),
            ("https://a.com,https://b.com", 47),
            ("https://a.com#part", 28),
            ("Info:example.com", 28),
            ("one,example.com", 27),
            ("a.com,b.com", 47),
            ("https://m\u{fc}nchen.de", 23),
            ("https://\u{6771}\u{4eac}.jp", 23),
            // Not known to be a link: the longer of both.
            ("https://a.nowhere", 23),
            ("https://example.nowhere/a/long/path", 35),
            ("example.co", 23),
            ("e.g. 3.5 and so on...", 21),
            ("node.js and config.toml", 23),
            ("ana@example.com", 15),
            ("@example.com", 12),
        ];
        for (text, length) in table {
            assert_eq!(weighted(text), length, "{text:?}");
        }
    }

    #[test]
    fn mastodon_counts_clusters_short_links_and_names_without_servers() {
        let table = [
            ("Hello", 5),
            ("\u{6771}\u{4eac}", 2),
            (FAMILY, 1),
            ("e\u{301}", 1),
            ("https://example.com/a/very/long/path/that/goes/on", 23),
            ("example.com", 11),
            ("www.orf.at", 10),
            ("https://a.com,https://b.com", 47),
            ("https://a.com,b.com", 29),
            ("Info:https://example.com", 28),
            ("https://m\u{fc}nchen.de", 23),
            ("https://example.nowhere/a/long/path", 35),
            ("Hi @ana@example.social!", 8),
            ("@ana@example.social @bob", 9),
            ("ana@example.com", 15),
            ("https://example.social/@ana@other.example", 23),
            ("a@b @ana@nowhere", 8),
        ];
        for (text, length) in table {
            assert_eq!(federated(text), length, "{text:?}");
        }
    }

    #[test]
    fn threads_counts_emojis_by_their_bytes_and_bluesky_by_what_is_seen() {
        let table = [
            ("Hello", 5, 5, 5),
            ("\u{6771}\u{4eac}", 2, 2, 2),
            ("\u{1f600}", 4, 1, 2),
            (FAMILY, 18, 1, 8),
            ("\u{2728}", 3, 1, 1),
            ("\u{2764}\u{fe0f}", 6, 1, 2),
            ("e\u{301}", 2, 1, 2),
            ("a\r\nb", 4, 3, 4),
        ];
        for (text, threads, seen, units) in table {
            assert_eq!(
                (emoji_bytes(text), graphemes(text), utf16_units(text)),
                (threads, seen, units),
                "{text:?}"
            );
        }
    }
}
