//! An element that is dropped with everything inside, for as long as it is open.
//!
//! Owns which end tag ends it. Pages forget end tags, so
//! the end of what is around it ends it, too; whether something of that name is open
//! around it, `guard` knows.
//!
//! The one rule: nothing is dropped to the end of a page without a word. An element that
//! was never closed and may hold the text of the page is [`Unclosed`], and `guard` reads
//! the page again with it.

use std::collections::HashMap;

use super::elements::{flow_name, is_xml};

/// A page that breaks off breaks off in one of these more often than not.
const CODE: [&str; 2] = ["script", "style"];

/// From this start tag on, counted from the beginning, the page closes no such element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclosed {
    pub name: &'static str,
    pub since_tag: usize,
}

/// What an end tag ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    Dropped,
    /// Something inside, or nothing at all.
    Inside,
    /// What is around the dropped element, if there is such a thing.
    Around(&'static str),
}

/// The element that is being dropped.
pub(super) struct Dropping {
    element: Unclosed,
    /// It looked as if it ended itself, which HTML does not know.
    has_solidus: bool,
    /// How often its own name is open.
    levels: usize,
    /// What else is open inside, by name.
    inside: HashMap<&'static str, usize>,
}

impl Dropping {
    pub fn new(element: Unclosed, has_solidus: bool) -> Self {
        Self { element, has_solidus, levels: 1, inside: HashMap::new() }
    }

    /// Drawings and formulas are written in XML, wherever they stand.
    pub fn is_xml(&self) -> bool {
        is_xml(self.element.name)
    }

    pub fn start(&mut self, name: &[u8]) {
        if self.element.name.as_bytes() == name {
            // One list of choices in another is the second after the first, which lacks its end.
            if self.element.name != "select" {
                self.levels += 1;
            }
        } else if let Some(name) = flow_name(name) {
            *self.inside.entry(name).or_default() += 1;
        }
    }

    pub fn end(&mut self, name: &[u8]) -> Ends {
        if self.element.name.as_bytes() == name {
            self.levels -= 1;
            return if self.levels == 0 { Ends::Dropped } else { Ends::Inside };
        }
        let Some(name) = flow_name(name) else { return Ends::Inside };
        if let Some(count) = self.inside.get_mut(name).filter(|count| **count > 0) {
            *count -= 1;
            return Ends::Inside;
        }
        if self.is_sealed() { Ends::Inside } else { Ends::Around(name) }
    }

    /// Whether a cell or row that starts now is one of the table around it.
    pub fn lets_cells_out(&self) -> bool {
        !self.is_sealed() && self.inside.get("table").is_none_or(|count| *count == 0)
    }

    /// Templates are pieces of pages, and what a piece ends is the template's affair.
    fn is_sealed(&self) -> bool {
        self.element.name == "template"
    }

    /// What around it ended, it did not: whether that lost something that people read.
    pub fn ended_by_parent(self) -> Option<Unclosed> {
        // Of everything that is dropped, only menus are shown as text.
        (self.element.name == "nav").then_some(self.element)
    }

    /// The page ended and it did not.
    pub fn ended_by_page(self, is_whole: bool) -> Option<Unclosed> {
        let is_cut_off = CODE.contains(&self.element.name) && !self.has_solidus && !is_whole;
        (!is_cut_off).then_some(self.element)
    }
}
