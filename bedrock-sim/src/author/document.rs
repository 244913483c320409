//! The document in a prompt: where it begins and ends.
//!
//! Owns the search for fences: a line `<name>` and a later line `</name>`. What stands outside is
//! handed back too, because instructions may stand there.
//! The one rule it protects: one pass over the lines, whatever they hold.

use std::collections::HashMap;

/// The longest fenced region, and the text around it. Without fences the document is all there is.
pub(super) fn find(user_text: &str) -> (&str, String) {
    let Some((outer, inner)) = longest_region(user_text) else {
        return (user_text.trim(), String::new());
    };
    let around = format!("{}\n{}", &user_text[..outer.start], &user_text[outer.end..]);
    (user_text[inner.start..inner.end].trim(), around)
}

/// The text without its fenced regions, which are material and no instructions.
pub(super) fn outside_fences(text: &str) -> String {
    match longest_region(text) {
        Some((outer, _)) => format!("{}\n{}", &text[..outer.start], &text[outer.end..]),
        None => text.to_owned(),
    }
}

/// Whether a line is a tag and nothing else.
pub(super) fn is_tag(line: &str) -> bool {
    tag(line).is_some()
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

fn longest_region(text: &str) -> Option<(Span, Span)> {
    let mut opened: HashMap<&str, Span> = HashMap::new();
    let mut longest: Option<(Span, Span)> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        match tag(line) {
            Some(Tag::Opens(name)) => {
                opened.entry(name).or_insert(Span { start, end });
            }
            Some(Tag::Closes(name)) => {
                if let Some(open) = opened.get(name) {
                    let inner = Span { start: open.end, end: start };
                    if longest.is_none_or(|(_, kept)| kept.end - kept.start < inner.end - inner.start) {
                        longest = Some((Span { start: open.start, end }, inner));
                    }
                }
            }
            None => {}
        }
        start = end;
    }
    longest
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
