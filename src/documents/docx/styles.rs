//! What a paragraph's style makes of it: a heading, an item of a list, or plain text.
//!
//! A style's id is translated in some languages, so the outline level decides, and the
//! name, which is the same everywhere.

use std::collections::HashMap;

use super::xml::{Element, Event, walk};
use crate::documents::error::Refusal;

/// Outline levels end here; the next means text.
const BODY_LEVEL: u8 = 9;
/// Styles are based on others. A longer chain is a loop.
const MAX_ANCESTORS: usize = 20;

/// Which list, and how deep in it. Number 0 means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListPlace {
    pub number_id: u32,
    pub level: usize,
}

/// What a paragraph or a style says for itself; the rest is inherited.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties {
    pub style_id: Option<String>,
    pub outline_level: Option<u8>,
    pub number_id: Option<u32>,
    pub list_level: Option<usize>,
}

impl Properties {
    /// Takes what an element inside `pPr` says.
    pub fn take(&mut self, element: &Element<'_>) {
        match element.name {
            "pStyle" => self.style_id = element.value(),
            "outlineLvl" => self.outline_level = number(element),
            "numId" => self.number_id = number(element),
            "ilvl" => self.list_level = number(element),
            _ => {}
        }
    }
}

pub(super) fn number<T: std::str::FromStr>(element: &Element<'_>) -> Option<T> {
    element.value()?.parse().ok()
}

#[derive(Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    own: Properties,
}

#[derive(Default)]
pub(super) struct Styles {
    by_id: HashMap<String, Style>,
}

impl Styles {
    pub fn read(xml: &str) -> Result<Self, Refusal> {
        let mut styles = Self::default();
        let mut current: Option<(String, Style)> = None;
        walk(xml, |event| {
            match event {
                Event::Start(element) => match (element.name, &mut current) {
                    ("style", _) => {
                        let id = element.attribute("styleId").unwrap_or_default();
                        current = Some((id, Style::default()));
                    }
                    ("name", Some((_, style))) => {
                        style.name = element.value().unwrap_or_default().to_lowercase();
                    }
                    ("basedOn", Some((_, style))) => style.based_on = element.value(),
                    (_, Some((_, style))) => style.own.take(&element),
                    (_, None) => {}
                },
                Event::End("style") => styles.by_id.extend(current.take()),
                Event::End(_) | Event::Text(_) => {}
            }
            Ok(())
        })?;
        Ok(styles)
    }

    /// The level of the heading, from 1, that a paragraph is.
    pub fn heading_level(&self, paragraph: &Properties) -> Option<u8> {
        let level = paragraph.outline_level.or_else(|| self.lineage(paragraph).find_map(outline_level))?;
        (level < BODY_LEVEL).then_some(level + 1)
    }

    /// The list that a paragraph is an item of.
    pub fn list_place(&self, paragraph: &Properties) -> Option<ListPlace> {
        let inherited = || self.lineage(paragraph).find_map(|style| style.own.number_id);
        let number_id = paragraph.number_id.or_else(inherited).filter(|id| *id != 0)?;
        let inherited = || self.lineage(paragraph).find_map(|style| style.own.list_level);
        let level = paragraph.list_level.or_else(inherited).unwrap_or(0);
        Some(ListPlace { number_id, level })
    }

    /// The paragraph's style and the ones it is based on.
    fn lineage<'a>(&'a self, paragraph: &'a Properties) -> impl Iterator<Item = &'a Style> {
        let first = paragraph.style_id.as_ref().and_then(|id| self.by_id.get(id));
        let parent = |style: &&'a Style| style.based_on.as_ref().and_then(|id| self.by_id.get(id));
        std::iter::successors(first, parent).take(MAX_ANCESTORS)
    }
}

fn outline_level(style: &Style) -> Option<u8> {
    if let Some(level) = style.own.outline_level {
        return Some(level);
    }
    match style.name.as_str() {
        "title" => Some(0),
        name => name.strip_prefix("heading ")?.parse::<u8>().ok()?.checked_sub(1),
    }
}
