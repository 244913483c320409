//! The elements of HTML by what becomes of them: kept, dropped, or neither.
//!
//! Owns the lists and nothing else; what an element in one of them does is `guard`'s and
//! `dropping`'s. Whatever is in no list leaves its text.

/// Dropped with everything inside.
const DROPPED: [&str; 16] = [
    "audio", "canvas", "iframe", "math", "nav", "noembed", "noframes", "noscript", "object", "script",
    "select", "style", "svg", "template", "textarea", "video",
];
pub(super) const INLINE: [&str; 7] = ["a", "b", "code", "em", "i", "strong", "kbd"];
const BLOCKS: [&str; 34] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
];
const MORE_BLOCKS: [&str; 3] = ["thead", "tr", "ul"];
pub(super) const HEADINGS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];
pub(super) const ROW_GROUPS: [&str; 3] = ["tbody", "tfoot", "thead"];
/// An end tag of something else does not reach beyond these.
pub(super) const SCOPES: [&str; 4] = ["caption", "table", "td", "th"];
/// A cell or a row that starts ends the one of these before it.
pub(super) const CELLS: [&str; 3] = ["caption", "td", "th"];

/// The element with this name, if it is one that is dropped.
pub(super) fn dropped(name: &[u8]) -> Option<&'static str> {
    DROPPED.into_iter().find(|dropped| dropped.as_bytes() == name)
}

fn known(names: &[&'static str], name: &[u8]) -> Option<&'static str> {
    names.iter().find(|known| known.as_bytes() == name).copied()
}

/// The element with this name, if it is one that is kept.
pub(super) fn kept(name: &[u8]) -> Option<&'static str> {
    known(&INLINE, name).or_else(|| known(&BLOCKS, name)).or_else(|| known(&MORE_BLOCKS, name))
}

/// The name of an element whose end tag also ends what is open inside.
pub(super) fn flow_name(name: &[u8]) -> Option<&'static str> {
    kept(name).filter(|name| !INLINE.contains(name))
}

/// Whether an element that starts ends the cell before it.
pub(super) fn ends_cell(name: &[u8]) -> bool {
    known(&CELLS, name).or_else(|| known(&ROW_GROUPS, name)).is_some() || name == b"tr"
}

/// Whether a tag of this element may end itself in HTML as well.
pub(super) fn is_xml(name: &str) -> bool {
    matches!(name, "svg" | "math")
}
