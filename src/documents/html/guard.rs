//! A page written anew, with what carries meaning and nothing else.
//!
//! Works on tags, not on a tree. What it keeps has no attributes but the target of a
//! link and the start of a list, so no page can grow in the converter; what only shows
//! things is dropped and its text stays; what nobody reads is dropped whole.
//!
//! The one rule: at most [`MAX_LEVELS`] elements are open at a time, and the work per
//! tag is bounded by that number. Deeper elements are dropped, their text stays. Where
//! HTML ends an element by itself, the count must too, or long flat pages would look deep.

use std::collections::HashMap;

use html5gum::{DefaultEmitter, EndTag, StartTag, Token, Tokenizer};

use crate::documents::sniff;

/// No page that people read comes near, and the converter recurses by level.
const MAX_LEVELS: usize = 256;
/// Each of these shifts every line inside it, so that the text grows with their number.
const INDENTING: [&str; 4] = ["blockquote", "li", "ol", "ul"];
const MAX_INDENTING: usize = 32;

/// The page for the converter.
pub(super) struct Page {
    pub html: String,
    /// The title, when no first heading says it.
    pub title: Option<String>,
    pub has_images: bool,
}

/// Dropped with everything inside.
const DROPPED: [&str; 16] = [
    "audio", "canvas", "iframe", "math", "nav", "noembed", "noframes", "noscript", "object", "script",
    "select", "style", "svg", "template", "textarea", "video",
];
const INLINE: [&str; 7] = ["a", "b", "code", "em", "i", "strong", "kbd"];
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
const HEADINGS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];
const ROW_GROUPS: [&str; 3] = ["tbody", "tfoot", "thead"];
/// An end tag of something else does not reach beyond these.
const SCOPES: [&str; 4] = ["caption", "table", "td", "th"];

/// Rewrites a page.
pub(super) fn rewrite(html: &str) -> Page {
    let mut guard = Guard { html: String::with_capacity(html.len()), ..Guard::default() };
    let mut emitter = DefaultEmitter::default();
    // Scripts are no mark-up, and a `<p>` in a string of theirs is no paragraph.
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => guard.start(&tag),
            Token::EndTag(tag) => guard.end(&tag),
            Token::String(text) => guard.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    let title = guard.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let needed = !guard.has_heading && !title.is_empty();
    Page { html: guard.html, title: needed.then_some(title), has_images: guard.has_images }
}

#[derive(Default)]
struct Guard {
    html: String,
    open: Vec<&'static str>,
    /// Open elements that were one level too deep, by name.
    flattened: HashMap<&'static str, usize>,
    /// Inside something dropped: its name, and how often it is open.
    dropping: Option<(&'static str, usize)>,
    in_title: bool,
    title: String,
    has_heading: bool,
    has_images: bool,
}

impl Guard {
    fn start(&mut self, tag: &StartTag<()>) {
        let name = tag.name.as_slice();
        if let Some((dropped, count)) = &mut self.dropping {
            if dropped.as_bytes() == name {
                *count += 1;
            }
            return;
        }
        if let Some(dropped) = known(&DROPPED, name) {
            self.has_images |= dropped == "svg" || dropped == "canvas";
            let is_whole = tag.self_closing && matches!(dropped, "svg" | "math");
            if !is_whole {
                self.dropping = Some((dropped, 1));
            }
            return;
        }
        match name {
            b"title" => self.in_title = true,
            b"br" => self.html.push_str("<br>"),
            b"hr" => {
                self.end_paragraph();
                self.html.push_str("<hr>");
            }
            b"img" | b"picture" | b"embed" => self.image(tag),
            _ => {
                if let Some(name) = kept(name) {
                    self.open(name, tag);
                }
            }
        }
    }

    fn open(&mut self, name: &'static str, tag: &StartTag<()>) {
        self.end_what_ends_by_itself(name);
        self.has_heading |= name == "h1";
        if self.open.len() >= MAX_LEVELS || self.is_too_far_in(name) {
            *self.flattened.entry(name).or_default() += 1;
            self.keep_apart(name);
            return;
        }
        self.open.push(name);
        self.html.push('<');
        self.html.push_str(name);
        let kept = match name {
            "a" => {
                attribute(tag, "href").filter(|target| leads_somewhere(target)).map(|target| ("href", target))
            }
            "ol" => attribute(tag, "start").map(|start| ("start", start)),
            _ => None,
        };
        if let Some((name, value)) = kept {
            self.html.push(' ');
            self.html.push_str(name);
            self.html.push_str("=\"");
            self.push_escaped(&value);
            self.html.push('"');
        }
        self.html.push('>');
    }

    fn end(&mut self, tag: &EndTag<()>) {
        let name = tag.name.as_slice();
        if let Some((dropped, count)) = &mut self.dropping {
            if dropped.as_bytes() == name {
                *count -= 1;
                if *count == 0 {
                    self.dropping = None;
                }
            }
            return;
        }
        if name == b"title" {
            self.in_title = false;
        }
        let Some(name) = kept(name) else { return };
        if let Some(count) = self.flattened.get_mut(name).filter(|count| **count > 0) {
            *count -= 1;
            self.keep_apart(name);
            return;
        }
        let is_of_table = SCOPES.contains(&name) || ROW_GROUPS.contains(&name) || name == "tr";
        let within_scope = |open: &&'static str| is_of_table || !SCOPES.contains(open);
        let reachable = self.open.iter().rev().take_while(|open| within_scope(open)).count();
        let from = self.open.len() - reachable;
        if let Some(position) = self.open[from..].iter().rposition(|open| *open == name) {
            self.open.truncate(from + position);
            self.html.push_str("</");
            self.html.push_str(name);
            self.html.push('>');
        }
    }

    fn is_too_far_in(&self, name: &str) -> bool {
        let is_indenting = |name: &&&str| INDENTING.contains(*name);
        is_indenting(&&name) && self.open.iter().filter(is_indenting).count() >= MAX_INDENTING
    }

    /// What stood apart must not run together when its element is dropped.
    fn keep_apart(&mut self, name: &str) {
        if !INLINE.contains(&name) && !self.html.ends_with('\n') {
            self.html.push('\n');
        }
    }

    fn text(&mut self, text: &str) {
        if self.dropping.is_some() {
            return;
        }
        if self.in_title {
            self.title.push_str(text);
            return;
        }
        self.push_escaped(text);
    }

    fn image(&mut self, tag: &StartTag<()>) {
        self.has_images = true;
        if let Some(description) = attribute(tag, "alt") {
            self.push_escaped(&description);
        }
    }

    /// Character references were resolved, also those to control characters.
    fn push_escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.html.push_str("&amp;"),
                '<' => self.html.push_str("&lt;"),
                '>' => self.html.push_str("&gt;"),
                '"' => self.html.push_str("&quot;"),
                c if sniff::is_control(c) => {}
                c => self.html.push(c),
            }
        }
    }

    fn end_what_ends_by_itself(&mut self, starting: &'static str) {
        match starting {
            "li" => self.end_nearest(&["li"], &["address", "div", "p"]),
            "dt" | "dd" => self.end_nearest(&["dt", "dd"], &["address", "div", "p"]),
            "td" | "th" => self.end_in_table(&["td", "th"], &["tr"]),
            "tr" => self.end_in_table(&["tr"], &ROW_GROUPS),
            "tbody" | "thead" | "tfoot" => self.end_in_table(&ROW_GROUPS, &[]),
            _ => {}
        }
        if !INLINE.contains(&starting) {
            self.end_paragraph();
        }
        if HEADINGS.contains(&starting) && self.open.last().is_some_and(|open| HEADINGS.contains(open)) {
            self.open.pop();
        }
    }

    fn end_paragraph(&mut self) {
        self.end_nearest(&["p"], &[]);
    }

    /// Ends the innermost of `names`, if nothing but inline elements and `passed` is
    /// open inside it.
    fn end_nearest(&mut self, names: &[&str], passed: &[&str]) {
        let is_passed = |open: &&&'static str| INLINE.contains(*open) || passed.contains(*open);
        let inside =
            self.open.iter().rev().take_while(|open| !names.contains(*open) && is_passed(open)).count();
        let outside = self.open.len() - inside;
        if self.open[..outside].last().is_some_and(|open| names.contains(open)) {
            self.open.truncate(outside - 1);
        }
    }

    /// Ends the innermost of `names` with all that is inside, within this table and not
    /// beyond `bounds`.
    fn end_in_table(&mut self, names: &[&str], bounds: &[&str]) {
        let bound = self.open.iter().rposition(|open| *open == "table" || bounds.contains(open)).unwrap_or(0);
        if let Some(position) = self.open[bound..].iter().position(|open| names.contains(open)) {
            self.open.truncate(bound + position);
        }
    }
}

fn known(names: &[&'static str], name: &[u8]) -> Option<&'static str> {
    names.iter().find(|known| known.as_bytes() == name).copied()
}

fn kept(name: &[u8]) -> Option<&'static str> {
    known(&INLINE, name).or_else(|| known(&BLOCKS, name)).or_else(|| known(&MORE_BLOCKS, name))
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    let value = tag.attributes.get(name.as_bytes())?;
    Some(String::from_utf8_lossy(value).trim().to_owned())
}

/// A target within the page, or one that is code or data, says nothing in a text.
fn leads_somewhere(target: &str) -> bool {
    let scheme = target.split_once(':').map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    matches!(scheme.as_str(), "http" | "https" | "mailto")
}
