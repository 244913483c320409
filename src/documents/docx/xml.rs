//! XML as a walk: elements by their local names, and text with its references resolved.
//!
//! The one rule: only the five entities of XML and numbers are resolved. A document type
//! that defines others is not read, so none can multiply.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event as Raw};

use crate::documents::error::Refusal;

pub(super) enum Event<'a> {
    Start(Element<'a>),
    /// Follows every start, also that of an empty element.
    End(&'a str),
    Text(&'a str),
}

pub(super) struct Element<'a> {
    pub name: &'a str,
    tag: &'a BytesStart<'a>,
}

impl Element<'_> {
    /// An attribute by its local name: the standard's prefixes are a habit, not a rule.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let mut attributes = self.tag.attributes();
        let found = attributes
            .with_checks(false)
            .flatten()
            .find(|attribute| local(attribute.key.as_ref()) == name)?;
        found.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
    }

    /// The attribute that most elements have.
    pub fn value(&self) -> Option<String> {
        self.attribute("val")
    }
}

/// Calls `visit` for everything in the document, in order.
pub(super) fn walk(
    xml: &str,
    mut visit: impl FnMut(Event<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut reader = Reader::from_str(xml);
    loop {
        match reader.read_event().map_err(|_| Refusal::Malformed)? {
            Raw::Start(tag) => visit(Event::Start(element(&tag)))?,
            Raw::Empty(tag) => {
                visit(Event::Start(element(&tag)))?;
                visit(Event::End(element(&tag).name))?;
            }
            Raw::End(tag) => visit(Event::End(local(tag.name().as_ref())))?,
            Raw::Text(text) => visit(Event::Text(&text))?,
            Raw::CData(text) => visit(Event::Text(&text))?,
            Raw::GeneralRef(reference) => {
                let number = reference.resolve_char_ref().ok().flatten();
                let mut buffer = [0; 4];
                let text = match number {
                    Some(c) => Some(&*c.encode_utf8(&mut buffer)),
                    None => resolve_predefined_entity(&reference),
                };
                if let Some(text) = text {
                    visit(Event::Text(text))?;
                }
            }
            Raw::Eof => return Ok(()),
            Raw::Comment(_) | Raw::Decl(_) | Raw::PI(_) | Raw::DocType(_) => {}
        }
    }
}

fn element<'a>(tag: &'a BytesStart<'a>) -> Element<'a> {
    Element { name: local_of(tag), tag }
}

fn local_of<'a>(tag: &'a BytesStart<'a>) -> &'a str {
    let name: &str = tag;
    let end = name.find(|c: char| c.is_ascii_whitespace()).unwrap_or(name.len());
    local(&name[..end])
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
