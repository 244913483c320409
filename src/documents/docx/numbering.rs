//! Lists: which are counted, which have bullets, and what comes next in each.

use std::collections::{HashMap, HashSet};

use super::styles::{ListPlace, number};
use super::xml::{Event, walk};
use crate::documents::error::Refusal;

/// The standard has nine.
const MAX_LEVELS: usize = 9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    Bullet,
    Counted {
        start: u32,
    },
    /// Part of a list, and shown without any mark.
    Unmarked,
}

type Levels = [Option<Marker>; MAX_LEVELS];

#[derive(Default)]
pub(super) struct Numbering {
    abstracts: HashMap<u32, Levels>,
    /// The list behind a number, and levels that start elsewhere.
    lists: HashMap<u32, (u32, Levels)>,
}

impl Numbering {
    pub fn read(xml: &str) -> Result<Self, Refusal> {
        let mut numbering = Self::default();
        let mut place = Place::default();
        walk(xml, |event| {
            match event {
                Event::Start(element) => match element.name {
                    "abstractNum" => {
                        let id = element.attribute("abstractNumId").and_then(|id| id.parse().ok());
                        place = Place { abstract_id: id, ..Place::default() };
                    }
                    "num" => {
                        let id = element.attribute("numId").and_then(|id| id.parse().ok());
                        place = Place { number_id: id, ..Place::default() };
                    }
                    "abstractNumId" => {
                        if let (Some(id), Some(abstract_id)) = (place.number_id, number(&element)) {
                            numbering.lists.insert(id, (abstract_id, Levels::default()));
                        }
                    }
                    "lvl" | "lvlOverride" => {
                        let level = element.attribute("ilvl").and_then(|level| level.parse().ok());
                        place.level = level.filter(|level| *level < MAX_LEVELS);
                        place.start = 1;
                    }
                    // It stands before the kind, says the schema.
                    "start" => place.start = number(&element).unwrap_or(1),
                    "startOverride" => {
                        let start = number(&element).unwrap_or(1);
                        place.set(&mut numbering, Marker::Counted { start });
                    }
                    "numFmt" => {
                        let start = place.start;
                        place.set(
                            &mut numbering,
                            match element.value().as_deref() {
                                Some("bullet") => Marker::Bullet,
                                Some("none") => Marker::Unmarked,
                                _ => Marker::Counted { start },
                            },
                        );
                    }
                    _ => {}
                },
                Event::End(_) | Event::Text(_) => {}
            }
            Ok(())
        })?;
        Ok(numbering)
    }

    /// How an item at this place is marked. A list that the document does not define has
    /// bullets.
    fn marker(&self, place: ListPlace) -> Marker {
        let level = place.level.min(MAX_LEVELS - 1);
        let Some((abstract_id, overrides)) = self.lists.get(&place.number_id) else {
            return Marker::Bullet;
        };
        let shared = self.abstracts.get(abstract_id).and_then(|levels| levels[level]);
        match (overrides[level], shared) {
            // An override of the start alone says nothing about the kind.
            (Some(Marker::Counted { .. }), Some(kind @ (Marker::Bullet | Marker::Unmarked))) => kind,
            (Some(own), _) => own,
            (None, shared) => shared.unwrap_or(Marker::Bullet),
        }
    }

    /// Where the list of this number starts anew at this level, if it does.
    fn restart(&self, place: ListPlace) -> Option<u32> {
        let (_, overrides) = self.lists.get(&place.number_id)?;
        match overrides[place.level.min(MAX_LEVELS - 1)] {
            Some(Marker::Counted { start }) => Some(start),
            _ => None,
        }
    }

    /// Numbers that share a definition are one list.
    fn list(&self, number_id: u32) -> List {
        self.lists.get(&number_id).map_or(List::Undefined(number_id), |(id, _)| List::Defined(*id))
    }
}

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum List {
    Defined(u32),
    Undefined(u32),
}

#[derive(Default)]
struct Place {
    abstract_id: Option<u32>,
    number_id: Option<u32>,
    level: Option<usize>,
    start: u32,
}

impl Place {
    fn set(&self, numbering: &mut Numbering, marker: Marker) {
        if let Some(slot) = self.slot(numbering) {
            *slot = Some(marker);
        }
    }

    fn slot<'a>(&self, numbering: &'a mut Numbering) -> Option<&'a mut Option<Marker>> {
        let level = self.level?;
        match (self.abstract_id, self.number_id) {
            (Some(id), _) => Some(&mut numbering.abstracts.entry(id).or_default()[level]),
            (None, Some(id)) => numbering.lists.get_mut(&id).map(|(_, overrides)| &mut overrides[level]),
            (None, None) => None,
        }
    }
}

/// Counts items as they come.
#[derive(Default)]
pub(super) struct Counters {
    last: HashMap<List, [Option<u32>; MAX_LEVELS]>,
    /// A number starts its list anew once, when it is first used at a level.
    used: HashSet<(u32, usize)>,
}

impl Counters {
    /// The mark of the next item at this place, if it has one.
    pub fn next(&mut self, numbering: &Numbering, place: ListPlace) -> Option<String> {
        let level = place.level.min(MAX_LEVELS - 1);
        let last = self.last.entry(numbering.list(place.number_id)).or_default();
        last[level + 1..].fill(None);
        let is_first = self.used.insert((place.number_id, level));
        match numbering.marker(place) {
            Marker::Bullet => Some("-".to_owned()),
            Marker::Unmarked => None,
            Marker::Counted { start } => {
                let restart = numbering.restart(place).filter(|_| is_first);
                let next =
                    restart.unwrap_or_else(|| last[level].map_or(start, |last| last.saturating_add(1)));
                last[level] = Some(next);
                Some(format!("{next}."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counters, ListPlace, Numbering};

    fn numbering() -> Numbering {
        let level = |level: usize, start: u32, kind: &str| {
            format!("<lvl ilvl='{level}'><start val='{start}'/><numFmt val='{kind}'/></lvl>")
        };
        let xml = format!(
            "<numbering><abstractNum abstractNumId='1'>{}{}{}</abstractNum>\
             <num numId='1'><abstractNumId val='1'/></num><num numId='2'><abstractNumId val='1'/></num>\
             <num numId='3'><abstractNumId val='1'/>\
             <lvlOverride ilvl='0'><startOverride val='7'/></lvlOverride></num></numbering>",
            level(0, 1, "decimal"),
            level(1, 3, "lowerLetter"),
            level(2, 1, "none"),
        );
        Numbering::read(&xml).unwrap()
    }

    fn marks(places: &[(u32, usize)]) -> Vec<Option<String>> {
        let numbering = numbering();
        let mut counters = Counters::default();
        places
            .iter()
            .map(|(number_id, level)| {
                counters.next(&numbering, ListPlace { number_id: *number_id, level: *level })
            })
            .collect()
    }

    fn some(marks: &[&str]) -> Vec<Option<String>> {
        marks.iter().map(|mark| Some((*mark).to_owned())).collect()
    }

    #[test]
    fn numbers_of_one_definition_go_on_counting_and_deeper_levels_begin_anew() {
        assert_eq!(
            marks(&[(1, 0), (2, 0), (1, 1), (1, 1), (1, 0), (1, 1)]),
            some(&["1.", "2.", "3.", "4.", "3.", "3."])
        );
    }

    #[test]
    fn a_number_that_says_where_to_start_starts_there_once() {
        assert_eq!(marks(&[(1, 0), (3, 0), (3, 0), (1, 0)]), some(&["1.", "7.", "8.", "9."]));
    }

    #[test]
    fn an_unknown_list_has_bullets_and_an_unmarked_level_nothing() {
        assert_eq!(marks(&[(9, 0), (9, 99)]), some(&["-", "-"]));
        assert_eq!(marks(&[(1, 2)]), [None]);
    }
}
