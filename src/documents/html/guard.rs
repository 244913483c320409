//! A page written anew, with what carries meaning and nothing else.
//!
//! Works on tags, not on a tree. What it keeps has no attributes but the target of a
//! link and the start of a list, so no page can grow in the converter; what only shows
//! things is dropped and its text stays; what nobody reads is dropped whole, and `dropping`
//! says what that is and when it ends.
//!
//! The one rule: at most [`MAX_LEVELS`] elements are open at a time, and the work per
//! tag is bounded by that number. Deeper elements are dropped, their text stays. Where
//! HTML ends an element by itself, the count must too, or long flat pages would look deep.

use std::collections::HashMap;

use html5gum::{EndTag, StartTag, State, Token, naive_next_state};

use super::dropping::{Dropping, Ends, Unclosed};
use super::elements::{CELLS, HEADINGS, INLINE, ROW_GROUPS, SCOPES, dropped, ends_cell, is_xml, kept};
use super::syntax;
use crate::documents::sniff;

/// No page that people read comes near, and the converter recurses by level.
const MAX_LEVELS: usize = 256;
/// Each of these shifts every line inside it, so that the text grows with their number.
const INDENTING: [&str; 4] = ["blockquote", "li", "ol", "ul"];
const MAX_INDENTING: usize = 32;
/// What some servers add after the end of a page is shorter.
const WHOLE_ENDS_WITHIN_BYTES: usize = 1024;

/// The page for the converter.
pub(super) struct Page {
    pub html: String,
    /// The title, when no first heading says it.
    pub title: Option<String>,
    pub has_images: bool,
}

/// Rewrites a page. XHTML that is sent as HTML may say what it is.
pub(super) fn rewrite(html: &str, is_xhtml: bool) -> Page {
    let is_xhtml = is_xhtml || syntax::is_xhtml(html);
    let mut spared = Vec::new();
    // Each name is spared once, so the number of readings is bounded by that of names.
    let guard = loop {
        let guard = read(html, Guard { is_xhtml, spared: spared.clone(), ..Guard::default() });
        match guard.unclosed {
            Some(unclosed) => spared.push(unclosed),
            None => break guard,
        }
    };
    let title = guard.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let needed = !guard.has_heading && !title.is_empty();
    Page { html: guard.html, title: needed.then_some(title), has_images: guard.has_images }
}

fn read(html: &str, mut guard: Guard) -> Guard {
    guard.html.reserve(html.len());
    let mut tokens = syntax::tokenizer(html, guard.is_xhtml);
    while let Some(token) = tokens.next() {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let state = guard.state_after(&tag);
                guard.start(&tag);
                if let Some(state) = state {
                    tokens.set_state(state);
                }
            }
            Token::EndTag(tag) => guard.end(&tag),
            Token::String(text) => guard.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
        if guard.unclosed.is_some() {
            return guard;
        }
    }
    guard.finish(is_whole(html));
    guard
}

#[derive(Default)]
struct Guard {
    is_xhtml: bool,
    /// What is not dropped although its name says so, because the page never closes it.
    spared: Vec<Unclosed>,
    /// Found out just now: the page is to be read again, with this one spared.
    unclosed: Option<Unclosed>,
    /// How many start tags there were.
    tags: usize,
    html: String,
    open: Vec<&'static str>,
    /// Open elements that were one level too deep, by name.
    flattened: HashMap<&'static str, usize>,
    dropping: Option<Dropping>,
    in_title: Option<Unclosed>,
    title: String,
    has_heading: bool,
    has_images: bool,
}

impl Guard {
    /// Scripts are no mark-up, and a `<p>` in a string of theirs is no paragraph.
    fn state_after(&self, tag: &StartTag<()>) -> Option<State> {
        let is_markup = self.is_empty(tag) || self.is_spared(&tag.name);
        naive_next_state(&tag.name).filter(|_| !is_markup)
    }

    /// A tag that ends itself, where that counts.
    fn is_empty(&self, tag: &StartTag<()>) -> bool {
        let is_xml = || {
            self.is_xhtml
                || self.dropping.as_ref().is_some_and(Dropping::is_xml)
                || dropped(&tag.name).is_some_and(is_xml)
        };
        tag.self_closing && is_xml()
    }

    fn is_spared(&self, name: &[u8]) -> bool {
        self.spared.iter().any(|spared| spared.name.as_bytes() == name && spared.since_tag <= self.tags)
    }

    fn start(&mut self, tag: &StartTag<()>) {
        let name = tag.name.as_slice();
        let is_empty = self.is_empty(tag);
        let is_spared = self.is_spared(name);
        let since_tag = self.tags;
        self.tags += 1;
        if let Some(mut dropping) = self.dropping.take() {
            if !(ends_cell(name) && dropping.lets_cells_out() && self.is_in_cell()) {
                if !is_empty {
                    dropping.start(name);
                }
                self.dropping = Some(dropping);
                return;
            }
            self.unclosed = dropping.ended_by_parent();
        }
        if name == b"nav" {
            self.stand_apart();
        }
        if let Some(name) = dropped(name).filter(|_| !is_spared) {
            self.has_images |= name == "svg" || name == "canvas";
            if !is_empty {
                self.dropping = Some(Dropping::new(Unclosed { name, since_tag }, tag.self_closing));
            }
            return;
        }
        match name {
            b"title" if is_empty || is_spared => {}
            b"title" => self.in_title = Some(Unclosed { name: "title", since_tag }),
            b"br" => self.html.push_str("<br>"),
            b"hr" => {
                self.end_paragraph();
                self.html.push_str("<hr>");
            }
            b"img" | b"picture" | b"embed" => self.image(tag),
            _ => {
                if let Some(name) = kept(name) {
                    self.open(name, tag);
                    if is_empty {
                        self.close(name);
                    }
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
        if let Some(mut dropping) = self.dropping.take() {
            match dropping.end(name) {
                Ends::Dropped => return,
                Ends::Around(name) if self.is_open(name) => self.unclosed = dropping.ended_by_parent(),
                Ends::Inside | Ends::Around(_) => {
                    self.dropping = Some(dropping);
                    return;
                }
            }
        }
        if name == b"title" {
            self.in_title = None;
        }
        if name == b"nav" {
            self.stand_apart();
        }
        if let Some(name) = kept(name) {
            self.close(name);
        }
    }

    fn close(&mut self, name: &'static str) {
        if let Some(count) = self.flattened.get_mut(name).filter(|count| **count > 0) {
            *count -= 1;
            self.keep_apart(name);
        } else if let Some(position) = self.position(name) {
            self.open.truncate(position);
            self.html.push_str("</");
            self.html.push_str(name);
            self.html.push('>');
        }
    }

    /// Where an end tag of this name finds its element.
    fn position(&self, name: &str) -> Option<usize> {
        let is_of_table = SCOPES.contains(&name) || ROW_GROUPS.contains(&name) || name == "tr";
        let within_scope = |open: &&'static str| is_of_table || !SCOPES.contains(open);
        let reachable = self.open.iter().rev().take_while(|open| within_scope(open)).count();
        let from = self.open.len() - reachable;
        self.open[from..].iter().rposition(|open| *open == name).map(|position| from + position)
    }

    fn is_open(&self, name: &str) -> bool {
        self.flattened.get(name).is_some_and(|count| *count > 0) || self.position(name).is_some()
    }

    fn is_in_cell(&self) -> bool {
        let of_table = self.open.iter().rev().take_while(|open| **open != "table");
        of_table.into_iter().any(|open| CELLS.contains(open))
    }

    /// The page is over.
    fn finish(&mut self, is_whole: bool) {
        let dropped = self.dropping.take().and_then(|dropping| dropping.ended_by_page(is_whole));
        self.unclosed = dropped.or(self.in_title);
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

    /// A menu ends the paragraph before it, and nothing around it runs into its text.
    fn stand_apart(&mut self) {
        let levels = self.open.len();
        self.end_paragraph();
        if self.open.len() < levels {
            self.html.push_str("</p>");
        }
        self.keep_apart("nav");
    }

    fn text(&mut self, text: &str) {
        if self.dropping.is_some() {
            return;
        }
        if self.in_title.is_some() {
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

/// Whether a page goes to its end: one that breaks off lacks the last tags.
fn is_whole(html: &str) -> bool {
    let tail = &html.as_bytes()[html.len().saturating_sub(WHOLE_ENDS_WITHIN_BYTES)..];
    let has = |tag: &[u8]| tail.windows(tag.len()).any(|window| window.eq_ignore_ascii_case(tag));
    has(b"</body") || has(b"</html")
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
