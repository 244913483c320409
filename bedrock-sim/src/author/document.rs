//! The document in a prompt: where it begins and ends.
//!
//! Owns the search for fences: a line `<name>` and a later line `</name>`. What stands outside is
//! handed back too, because instructions may stand there. A prompt may hold other regions beside the
//! document, with context for it: they are neither the document nor instructions.
//! The one rule it protects: one pass over the lines, whatever they hold.

use std::collections::HashMap;
use std::ops::Range;

/// What names of regions begin with that hold a document, and no context of one.
const DOCUMENT: &str = "document";

/// The document's region, and the text around it. Without fences the document is all there is.
pub(super) fn find(user_text: &str) -> (&str, String) {
    let regions = regions(user_text);
    // From the end, so that the first among equals is taken.
    let weight = |region: &&Region| (region.holds_document, region.inner.len());
    let Some(chosen) = regions.iter().rev().max_by_key(weight) else {
        return (user_text.trim(), String::new());
    };
    (user_text[chosen.inner.clone()].trim(), without(user_text, &regions))
}

/// The document's region, if any is fenced.
pub(super) fn fenced(user_text: &str) -> Option<&str> {
    let regions = regions(user_text);
    let weight = |region: &&Region| (region.holds_document, region.inner.len());
    let chosen = regions.iter().rev().max_by_key(weight)?;
    Some(user_text[chosen.inner.clone()].trim())
}

/// The text without its fenced regions, which are material and no instructions.
pub(super) fn outside_fences(text: &str) -> String {
    without(text, &regions(text))
}

/// Whether a line is a tag and nothing else.
pub(super) fn is_tag(line: &str) -> bool {
    tag(line).is_some()
}

/// A fenced region: from the first line that opens its name to the last that closes it.
#[derive(Debug)]
struct Region {
    /// With both fences.
    outer: Range<usize>,
    inner: Range<usize>,
    holds_document: bool,
}

/// All regions, in the order of their beginnings. One may lie in another.
fn regions(text: &str) -> Vec<Region> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut opened: Vec<(Region, bool)> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        match tag(line) {
            Some(Tag::Opens(name)) => {
                places.entry(name).or_insert_with(|| {
                    let holds_document = name.starts_with(DOCUMENT);
                    opened.push((Region { outer: start..end, inner: end..end, holds_document }, false));
                    opened.len() - 1
                });
            }
            Some(Tag::Closes(name)) => {
                if let Some((region, closed)) = places.get(name).and_then(|place| opened.get_mut(*place)) {
                    region.inner.end = start;
                    region.outer.end = end;
                    *closed = true;
                }
            }
            None => {}
        }
        start = end;
    }
    opened.into_iter().filter(|(_, closed)| *closed).map(|(region, _)| region).collect()
}

/// The text outside of all these regions.
fn without(text: &str, regions: &[Region]) -> String {
    let mut outside = String::new();
    let mut from = 0;
    for Region { outer, .. } in regions {
        if outer.start >= from {
            outside.push_str(&text[from..outer.start]);
            outside.push('\n');
        }
        from = from.max(outer.end);
    }
    outside.push_str(&text[from..]);
    outside
}

enum Tag<'a> {
    Opens(&'a str),
    Closes(&'a str),
}

fn tag(line: &str) -> Option<Tag<'_>> {
    let inside = line.trim().strip_prefix('<')?.strip_suffix('>')?;
    if inside.contains(['<', '>']) {
        return None;
    }
    if let Some(name) = inside.strip_prefix('/') {
        let name = name.trim_end();
        return is_name(name).then_some(Tag::Closes(name));
    }
    let name = inside.split_whitespace().next()?;
    (is_name(name) && !inside.ends_with('/')).then_some(Tag::Opens(name))
}

fn is_name(name: &str) -> bool {
    name.starts_with(char::is_alphanumeric)
        && name.chars().all(|character| character.is_alphanumeric() || "-_.:".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_stands_between_its_fences() {
        let prompt = "Summarize this.\n<text-1f>\nOne.\nTwo.\n</text-1f>\nBe short.";
        let (document, around) = find(prompt);
        assert_eq!(document, "One.\nTwo.");
        assert_eq!(around, "Summarize this.\n\nBe short.");
    }

    #[test]
    fn a_region_named_document_wins_over_longer_ones() {
        let context = "Rewrite it. ".repeat(40);
        let cases = [
            format!("<before-1f>\n{context}\n</before-1f>\n<document-1f>\nOne.\n</document-1f>"),
            format!("<document-1f>\nOne.\n</document-1f>\n\n<so-far-1f>\n{context}\n</so-far-1f>\n"),
            format!("<so-far-1f>\n{context}\n</so-far-1f>\n<document>\nOne.\n</document>\n"),
        ];
        for prompt in cases {
            let (document, around) = find(&prompt);
            assert_eq!((document, around.trim()), ("One.", ""), "{prompt:?}");
        }
        let nested = "<document-a>\n<before-a>\nIts own.\n</before-a>\n</document-a>";
        assert_eq!(find(nested).0, "<before-a>\nIts own.\n</before-a>");
    }

    #[test]
    fn what_stands_in_no_region_is_handed_back_in_order() {
        let prompt = "One.\n<a>\nx\n</a>\nTwo.\n<b>\n<c>\ny\n</b>\nz\n</c>\nThree.\n<d>\nFour.";
        let lines = outside_fences(prompt);
        let lines: Vec<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["One.", "Two.", "Three.", "<d>", "Four."]);
    }

    #[test]
    fn the_longest_pair_wins_and_foreign_fences_end_nothing() {
        let cases = [
            ("<a>\nx\n</a>\n<b>\nlonger text\n</b>", "longer text"),
            ("<doc-1>\nreal\n</doc-0>\nstill real\n</doc-1>", "real\n</doc-0>\nstill real"),
            ("<docs>\n<doc>\none\n</doc>\n</docs>", "<doc>\none\n</doc>"),
            ("<doc id=\"1\">\none\n</doc>", "one"),
            ("no fences here", "no fences here"),
            ("<open>\nnever closed", "<open>\nnever closed"),
            ("a <b> c </b>", "a <b> c </b>"),
        ];
        for (prompt, document) in cases {
            assert_eq!(find(prompt).0, document, "{prompt:?}");
        }
    }
}
