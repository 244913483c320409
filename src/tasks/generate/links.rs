//! The links in a post, as X and Mastodon find them.
//!
//! Owns what is a link and where it ends. Both platforms go by `twitter-text`, version 3;
//! Mastodon takes only links with a scheme. The rule it protects: where it is not sure that
//! a platform sees a link, it says so, and the longer of both lengths counts; nothing is
//! taken for part of a link that might count besides it. It reads a text once, whatever
//! stands in it.

use std::ops::Range;

use super::top_domains::is_top_domain;

/// A link, or what may be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub range: Range<usize>,
    /// Whether the platform surely takes it for a link.
    pub is_certain: bool,
}

/// The links in a text, in order.
pub(super) fn links(text: &str, also_without_scheme: bool) -> Vec<Link> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(is_bare_char).map(|offset| at + offset) {
        let run = start..end_of(text, start, is_bare_char);
        let bare = if also_without_scheme { bare_link(text, &run) } else { None };
        let with_scheme =
            || scheme_at_end(text, &run).map(|scheme| (link_with_scheme(text, scheme), run.end + 3));
        at = run.end;
        if let Some(bare) = bare {
            at = bare.range.end;
            found.extend(bare.is_link.then_some(Link { range: bare.range, is_certain: bare.is_certain }));
        } else if let Some((link, after_scheme)) = with_scheme() {
            at = link.as_ref().map_or(after_scheme, |link| link.range.end);
            found.extend(link);
        }
    }
    found
}

/// The scheme that ends a run of characters, where one does; its range with `://`.
fn scheme_at_end(text: &str, run: &Range<usize>) -> Option<Range<usize>> {
    let end = text[run.end..].starts_with("://").then(|| run.end + 3)?;
    let bytes = text[run.clone()].as_bytes();
    let name = ["https", "http"].into_iter().find(|name| {
        let start = bytes.len().checked_sub(name.len());
        start.is_some_and(|start| bytes[start..].eq_ignore_ascii_case(name.as_bytes()))
    })?;
    let start = run.end - name.len();
    let is_cut_off = text[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || is_sign(c));
    (!is_cut_off).then_some(start..end)
}

fn link_with_scheme(text: &str, scheme: Range<usize>) -> Option<Link> {
    let host = scheme.end..end_of(text, scheme.end, is_host_char);
    if let Some(end) = end_of_host(text, &host, true).filter(|end| is_short(&text[scheme.end..*end])) {
        return Some(Link { range: scheme.start..end_of_path(text, end), is_certain: true });
    }
    // A domain that is not known, or a host longer than any: what follows it counts besides.
    let has_labels = text[host.clone()].trim_end_matches('.').contains('.');
    has_labels.then_some(Link { range: scheme.start..host.end, is_certain: false })
}

/// A host without scheme and what follows it.
struct Bare {
    range: Range<usize>,
    /// Not where it belongs to something else, such as an address of e-mail.
    is_link: bool,
    is_certain: bool,
}

fn bare_link(text: &str, run: &Range<usize>) -> Option<Bare> {
    let lead = text[run.clone()].find(|c| !matches!(c, '.' | '-'))?;
    let start = run.start + lead;
    let host_end = end_of_host(text, &(start..run.end), false)?;
    let end = end_of_path(text, host_end);
    let host = &text[start..host_end];
    let before = text[..start].chars().next_back();
    let is_part = before.is_some_and(|c| is_sign(c) || matches!(c, '.' | '-' | '_' | '/'));
    // Part of a longer host of which X takes the end, or cut off where X cuts elsewhere.
    let outer = text[..start].trim_end_matches(['.', '-', '_']);
    let goes_on = start > outer.len() && outer.ends_with(|c: char| is_host_char(c) && !c.is_whitespace());
    let is_doubtful_part = goes_on || !host.is_ascii();
    // Before version 3, the domain of a country needed a path or a third label.
    let is_country = host.len() - host.rfind('.')? == 3 && host.matches('.').count() == 1;
    let is_certain = !is_part && is_short(host) && (end > host_end || !is_country);
    Some(Bare { range: start..end, is_link: !is_part || is_doubtful_part, is_certain })
}

/// Where the longest host ends that has a known top-level domain. A label neither begins nor
/// ends with `-` or `_`, and only those of subdomains hold `_`.
fn end_of_host(text: &str, run: &Range<usize>, with_scheme: bool) -> Option<usize> {
    let is_label =
        |label: &str| !label.is_empty() && !label.starts_with(['-', '_']) && !label.ends_with(['-', '_']);
    let mut end = None;
    let mut label_start = run.start;
    for (dot, _) in text[run.clone()].match_indices('.') {
        let dot = run.start + dot;
        let label = &text[label_start..dot];
        if !is_label(label) {
            break;
        }
        label_start = dot + 1;
        if !label.contains('_') {
            end = end_of_top_domain(text, label_start, with_scheme).or(end);
        }
    }
    end
}

/// Where the top-level domain ends that begins here. Letters of other scripts may follow it.
fn end_of_top_domain(text: &str, start: usize, with_scheme: bool) -> Option<usize> {
    const PUNYCODE: &str = "xn--";
    let rest = &text[start..];
    if rest.get(..PUNYCODE.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(PUNYCODE)) {
        let end = end_of(text, start, |c| c.is_ascii_alphanumeric() || c == '-');
        return (end > start + PUNYCODE.len()).then_some(end);
    }
    let is_top = |end: usize| {
        let stops = !text[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || "@+-".contains(c));
        stops && is_top_domain(&text[start..end].to_lowercase())
    };
    let latin = end_of(text, start, |c| c.is_ascii_alphanumeric());
    if latin > start {
        return (latin - start <= MAX_LABEL && is_top(latin)).then_some(latin);
    }
    let other = end_of(text, start, |c| with_scheme && is_host_char(c) && !matches!(c, '.' | '-' | '_'));
    (other > start && other - start <= MAX_LABEL && is_top(other)).then_some(other)
}

/// The most characters of a label of a host, in its ASCII form.
const MAX_LABEL: usize = 63;

/// Whether the labels of a host are surely short enough; that of other scripts grow.
fn is_short(host: &str) -> bool {
    let length = |label: &str| match label.chars().filter(|c| !c.is_ascii()).count() {
        0 => label.len(),
        other => label.chars().count() + "xn---".len() + 4 * other,
    };
    host.split('.').all(|label| length(label) <= MAX_LABEL)
}

/// Where a link ends whose host ends here: behind a port, a path and a query.
fn end_of_path(text: &str, host_end: usize) -> usize {
    let mut end = host_end;
    if text[end..].starts_with(':') {
        let port = end_of(text, end + 1, |c| c.is_ascii_digit());
        end = if port > end + 1 { port } else { end };
    }
    if text[end..].starts_with('/') {
        end = end_of_slashes(text, end + 1);
    }
    if text[end..].starts_with('?') {
        let query = &text[end..end_of(text, end + 1, is_query_char)];
        let last = query.rfind(|c: char| c.is_ascii_alphanumeric() || "-_&=#/".contains(c));
        end += last.map_or(0, |last| last + 1);
    }
    end
}

/// Where a path ends: punctuation at its end belongs to the sentence, and so do brackets
/// that are not closed.
fn end_of_slashes(text: &str, start: usize) -> usize {
    let (mut at, mut end) = (start, start);
    while let Some(character) = text[at..].chars().next() {
        if character == '(' {
            let Some(closed) = end_of_brackets(text, at, true) else { break };
            (at, end) = (closed, closed);
        } else if is_path_char(character) {
            at += character.len_utf8();
            end = if is_path_ending(character) { at } else { end };
        } else {
            break;
        }
    }
    end
}

/// Where brackets close that open here; of those within, one pair may be.
fn end_of_brackets(text: &str, open: usize, may_hold_others: bool) -> Option<usize> {
    let inner = open + 1;
    let mut at = end_of(text, inner, is_path_char);
    let mut is_empty = at == inner;
    if may_hold_others && text[at..].starts_with('(') {
        at = end_of(text, end_of_brackets(text, at, false)?, is_path_char);
        is_empty = false;
    }
    (!is_empty && text[at..].starts_with(')')).then_some(at + 1)
}

/// Where the characters of a kind end.
fn end_of(text: &str, start: usize, kind: impl Fn(char) -> bool) -> usize {
    text[start..].find(|c| !kind(c)).map_or(text.len(), |offset| start + offset)
}

/// What makes a name, an amount or a hashtag of what follows it.
fn is_sign(character: char) -> bool {
    matches!(character, '@' | '$' | '#' | '\u{ff20}' | '\u{ff03}')
}

/// Of these, X makes hosts without a scheme.
fn is_bare_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '-') || is_accented(character)
}

fn is_accented(character: char) -> bool {
    matches!(character,
        '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{253}' | '\u{254}' | '\u{256}'
        | '\u{257}' | '\u{259}' | '\u{25b}' | '\u{263}' | '\u{268}' | '\u{26f}' | '\u{272}' | '\u{289}'
        | '\u{28b}' | '\u{2bb}' | '\u{300}'..='\u{36f}' | '\u{1e00}'..='\u{1eff}')
}

/// Of these, hosts behind a scheme are made.
fn is_host_char(character: char) -> bool {
    match character {
        '.' | '-' | '_' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => false,
        _ if character.is_ascii() => character.is_ascii_alphanumeric(),
        _ => !character.is_whitespace() && !character.is_control(),
    }
}

fn is_path_char(character: char) -> bool {
    is_path_ending(character) || "!*';:,.$%[]~@|&\u{2013}".contains(character)
}

fn is_path_ending(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || "+-=_#/".contains(character)
        || matches!(character, '\u{400}'..='\u{4ff}')
        || is_accented(character)
}

fn is_query_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!?*'@();:&=+$/%#[]-_.,~|".contains(character)
}

#[cfg(test)]
mod tests {
    use super::links;

    /// The links, marked: `[certain]`, `{perhaps}`.
    fn marked(text: &str, also_without_scheme: bool) -> String {
        let mut marked = String::new();
        let mut from = 0;
        for link in links(text, also_without_scheme) {
            let (open, close) = if link.is_certain { ('[', ']') } else { ('{', '}') };
            marked.push_str(&text[from..link.range.start]);
            marked.push(open);
            marked.push_str(&text[link.range.clone()]);
            marked.push(close);
            from = link.range.end;
        }
        marked + &text[from..]
    }

    fn unmarked(text: &str) -> String {
        text.chars().filter(|c| !"[]{}".contains(*c)).collect()
    }

    #[test]
    fn links_with_a_scheme_are_found_on_both_platforms() {
        let table = [
            "See [https://example.com]. Or",
            "[HTTP://EXAMPLE.COM/A]",
            "[https://a.com],[https://b.com]",
            "[https://a.com];[https://b.com/x]!",
            "[https://a.com:8080/x]: [https://a.com:8080]:x",
            "[https://a.com]#part [https://a.com/#part] [https://a.com?a=b&c]?",
            "[https://a.com/watch?v=a?b=c]",
            "([https://a.com/a_(b)]) ([https://a.com/a_(b_(c)_d)]) [https://a.com/](()",
            "[https://a.com/x]\" <[https://b.com/]>",
            "[https://m\u{fc}nchen.de] [https://\u{6771}\u{4eac}.jp/x]",
            "[https://\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.\u{440}\u{444}]",
            "[https://example.com]\u{3067}\u{3059}",
            "\u{4e2d}[http://t.co/abc]\u{d55c}",
            "...[https://a.com] -[https://a.com]",
            "[https://sub_domain-dash.example.com] [http://xn--80ak6aa92e.xn--p1ai]",
            "[https://example.berlin/long/path/that/is/longer]",
            // Not known, and what follows counts besides.
            "{https://example.nowhere}/a",
            "{https://127.0.0.1}/a {http://example.com-or-so} {http://_a.b.com}",
            "https://localhost/x https://nothing. xhttps://localhost https://",
        ];
        for expected in table {
            let text = unmarked(expected);
            assert_eq!(marked(&text, true), expected);
            assert_eq!(marked(&text, false), expected);
        }
        let long = format!("https://{}.com/a", "\u{3042}".repeat(60));
        assert!(!links(&long, false)[0].is_certain, "no host is that long");
    }

    #[test]
    fn x_finds_links_without_a_scheme() {
        let table = [
            "[example.com] [example.com/a?b=c].",
            "[www.orf.at] [bbc.co.uk] {orf.at} {foo.co} [orf.at/a]",
            "Info:[example.com] one,[example.com] ([example.com]) \"[example.com]\"",
            "[a.com],[b.com];[www.c.de]",
            "[example.com]:x [example.com:80/x]",
            "[example.com].nowhere {README.md}.bak",
            "\u{65e5}\u{672c}[example.com]\u{4e2d}\u{56fd}",
            "sub_{domain.example.com}",
            "[elpa\u{ed}s.com] [m\u{fc}nchen.museum]",
            "node.js config.toml e.g. i.e. 3.5 wait...example.com ..example.com",
            "ana@example.com ana.com@example @example.com $a.com #a.com and/a.com",
            "example.comx example.com-or",
        ];
        for expected in table {
            let text = unmarked(expected);
            assert_eq!(marked(&text, true), expected);
            assert_eq!(marked(&text, false), text);
        }
    }
}
