//! The walk through a part: paragraphs, tables and notes become Markdown.
//!
//! Nothing recurses; what is open stands on stacks. Deleted text, the old side of a move
//! and the second copy that newer programs add for older ones are passed over, so that
//! every word comes once.

use super::numbering::{Counters, Numbering};
use super::styles::{Properties, Styles};
use super::xml::{Element, Event, walk};
use crate::documents::error::Refusal;
use crate::documents::markdown;

/// Read by nobody, or read already.
const PASSED_OVER: [&str; 9] =
    ["Fallback", "del", "delText", "instrText", "moveFrom", "pPrChange", "rPrChange", "rt", "sectPr"];
/// Every level copies its text once more.
const MAX_TABLE_LEVELS: usize = 64;
const DEEPEST_HEADING: u8 = 6;
/// Every note is looked for among the references.
const MAX_NOTES: usize = 5000;

pub(super) struct Reader<'a> {
    styles: &'a Styles,
    numbering: &'a Numbering,
    counters: Counters,
    max_text_bytes: usize,
    taken_bytes: usize,
    /// The document itself, then every open cell, text box or note.
    flows: Vec<Flow>,
    tables: Vec<Vec<Vec<String>>>,
    paragraphs: Vec<Paragraph>,
    /// How many elements are open that are passed over.
    passing_over: usize,
    in_text: bool,
    in_run: bool,
    is_hidden: bool,
    has_images: bool,
    /// The notes that the text refers to, in its order.
    references: Vec<NoteId>,
    notes: Vec<(usize, String)>,
}

/// A note's own number, which programs give as they like, and whether it is an endnote.
type NoteId = (bool, u32);

#[derive(Default)]
struct Paragraph {
    text: String,
    properties: Properties,
    /// Text boxes that are anchored in it, told after it.
    boxes: Vec<String>,
}

/// Blocks below one another.
#[derive(Default)]
struct Flow {
    text: String,
    /// The list item that stands last: its level, and whether its list's top has bullets.
    last_item: Option<(usize, bool)>,
    /// Of a cell: columns it covers, and whether it continues the one above.
    span: usize,
    is_continued: bool,
    note: Option<NoteId>,
}

impl Flow {
    fn block(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
        self.last_item = None;
    }

    fn item(&mut self, level: usize, mark: &str, text: &str) {
        // A level that was left out would turn the item into a block of code.
        let level = level.min(self.last_item.map_or(0, |(last, _)| last + 1));
        let is_bullet = mark == "-";
        let top_is_bullet = self.last_item.filter(|_| level > 0).map_or(is_bullet, |(_, top)| top);
        if self.last_item.is_some_and(|(_, top)| top == top_is_bullet) {
            self.text.push('\n');
        } else if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let indent = "    ".repeat(level);
        self.text.push_str(&format!("{indent}{mark} {}", text.replace('\n', &format!("\n{indent}  "))));
        self.last_item = Some((level, top_is_bullet));
    }
}

impl<'a> Reader<'a> {
    pub fn new(styles: &'a Styles, numbering: &'a Numbering, max_text_bytes: usize) -> Self {
        Self {
            styles,
            numbering,
            counters: Counters::default(),
            max_text_bytes,
            taken_bytes: 0,
            flows: vec![Flow::default()],
            tables: Vec::new(),
            paragraphs: Vec::new(),
            passing_over: 0,
            in_text: false,
            in_run: false,
            is_hidden: false,
            has_images: false,
            references: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Reads the main part.
    pub fn document(&mut self, xml: &str) -> Result<(), Refusal> {
        let mut has_body = false;
        walk(xml, |event| {
            has_body |= matches!(&event, Event::Start(element) if element.name == "body");
            self.visit(event)
        })?;
        // The main part of a workbook or of slides has none.
        if has_body { Ok(()) } else { Err(Refusal::TypeMismatch) }
    }

    /// Reads a part with footnotes or endnotes, if there is one.
    pub fn notes(&mut self, xml: &str) -> Result<(), Refusal> {
        walk(xml, |event| self.visit(event))
    }

    pub fn has_images(&self) -> bool {
        self.has_images
    }

    /// What was read, notes last.
    pub fn into_markdown(mut self) -> String {
        let mut text = self.flows.drain(..).next().map(|flow| flow.text).unwrap_or_default();
        self.notes.sort();
        for (number, note) in self.notes {
            text.push_str(&format!("\n\n[^{number}]: {note}"));
        }
        text
    }

    fn visit(&mut self, event: Event<'_>) -> Result<(), Refusal> {
        match event {
            Event::Start(element) if self.passing_over > 0 || PASSED_OVER.contains(&element.name) => {
                self.passing_over += 1;
                Ok(())
            }
            Event::End(_) if self.passing_over > 0 => {
                self.passing_over -= 1;
                Ok(())
            }
            Event::Start(element) => self.start(&element),
            Event::End(name) => {
                self.end(name);
                Ok(())
            }
            Event::Text(text) if self.in_text && self.passing_over == 0 && !self.is_hidden => self.push(text),
            Event::Text(_) => Ok(()),
        }
    }

    fn start(&mut self, element: &Element<'_>) -> Result<(), Refusal> {
        match element.name {
            "p" => self.paragraphs.push(Paragraph::default()),
            "r" => {
                self.in_run = true;
                self.is_hidden = false;
            }
            "t" => self.in_text = true,
            "tab" if self.in_run => self.push("\t")?,
            "br" | "cr" if self.in_run => self.push("\n")?,
            "noBreakHyphen" => self.push("-")?,
            "vanish" if self.in_run => self.is_hidden = !is_off(element),
            "footnoteReference" | "endnoteReference" => self.reference(element)?,
            "blip" | "imagedata" => self.has_images = true,
            "tbl" => {
                if self.tables.len() == MAX_TABLE_LEVELS {
                    return Err(Refusal::Malformed);
                }
                self.tables.push(Vec::new());
            }
            "tr" => {
                if let Some(rows) = self.tables.last_mut() {
                    rows.push(Vec::new());
                }
            }
            "tc" | "txbxContent" => self.flows.push(Flow::default()),
            "footnote" | "endnote" => {
                self.flows.push(Flow { note: note_id(element), ..Flow::default() });
            }
            "gridSpan" => {
                if let Some(flow) = self.flows.last_mut() {
                    flow.span = super::styles::number(element).unwrap_or(1);
                }
            }
            "vMerge" => {
                if let Some(flow) = self.flows.last_mut() {
                    flow.is_continued = element.value().is_none_or(|value| value == "continue");
                }
            }
            _ => {
                if let Some(paragraph) = self.paragraphs.last_mut().filter(|_| !self.in_run) {
                    paragraph.properties.take(element);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, name: &str) {
        match name {
            "p" => self.end_paragraph(),
            "r" => {
                self.in_run = false;
                self.is_hidden = false;
            }
            "t" => self.in_text = false,
            "tc" => {
                let cell = self.flows.pop().unwrap_or_default();
                if let Some(row) = self.tables.last_mut().and_then(|rows| rows.last_mut()) {
                    row.push(if cell.is_continued { String::new() } else { cell.text });
                    // A table is not wider than people can read, whatever a cell claims.
                    row.extend((1..cell.span.min(64)).map(|_| String::new()));
                }
            }
            "tbl" => {
                let table = markdown::table(&self.tables.pop().unwrap_or_default());
                self.block(table.trim_end());
            }
            "txbxContent" => {
                let text = self.flows.pop().unwrap_or_default().text;
                match self.paragraphs.last_mut() {
                    Some(paragraph) => paragraph.boxes.push(text),
                    None => self.block(&text),
                }
            }
            "footnote" | "endnote" => {
                let Flow { text, note, .. } = self.flows.pop().unwrap_or_default();
                // One that nothing refers to is a line that separates notes.
                let number = note.and_then(|id| self.references.iter().position(|known| *known == id));
                if let Some(number) = number {
                    let words: Vec<&str> = text.split_whitespace().collect();
                    self.notes.push((number + 1, words.join(" ")));
                }
            }
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        let Some(Paragraph { text, properties, boxes }) = self.paragraphs.pop() else { return };
        let text = text.trim();
        if !text.is_empty() {
            if let Some(level) = self.styles.heading_level(&properties) {
                let marks = "#".repeat(level.min(DEEPEST_HEADING).into());
                self.block(&format!("{marks} {}", text.replace('\n', " ")));
            } else {
                let place = self.styles.list_place(&properties);
                let mark = place.and_then(|place| Some((place, self.counters.next(self.numbering, place)?)));
                match (mark, self.flows.last_mut()) {
                    (Some((place, mark)), Some(flow)) => flow.item(place.level, &mark, text),
                    _ => self.block(text),
                }
            }
        }
        for text in boxes {
            self.block(&text);
        }
    }

    fn block(&mut self, text: &str) {
        if let Some(flow) = self.flows.last_mut().filter(|_| !text.is_empty()) {
            flow.block(text);
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Refusal> {
        self.taken_bytes += text.len();
        if self.taken_bytes > self.max_text_bytes {
            return Err(Refusal::TooLarge);
        }
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
        Ok(())
    }

    fn reference(&mut self, element: &Element<'_>) -> Result<(), Refusal> {
        let Some(id) = note_id(element).filter(|_| self.references.len() < MAX_NOTES) else {
            return Ok(());
        };
        self.references.push(id);
        self.push(&format!("[^{}]", self.references.len()))
    }
}

fn note_id(element: &Element<'_>) -> Option<NoteId> {
    let id = element.attribute("id")?.parse().ok()?;
    Some((element.name.starts_with("endnote"), id))
}

fn is_off(element: &Element<'_>) -> bool {
    matches!(element.value().as_deref(), Some("0" | "false" | "off"))
}
