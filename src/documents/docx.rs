//! DOCX becomes Markdown: headings, lists, tables and footnotes survive.
//!
//! Owns which parts of the package are read, and in which order. `archive` bounds what
//! is inflated, `body` walks a part, `styles` and `numbering` say what a paragraph is.

mod archive;
mod body;
mod numbering;
mod styles;
mod xml;

use archive::Archive;
use numbering::Numbering;
use styles::Styles;

use super::error::Refusal;
use super::report::{Extracted, Note};
use super::text;

const USUAL_MAIN_PART: &str = "word/document.xml";

/// Reads a document.
pub(super) fn read(bytes: &[u8], max_text_bytes: usize) -> Result<Extracted, Refusal> {
    let mut archive = Archive::open(bytes)?;
    // Without it, the archive is none of an office program.
    archive.part("[Content_Types].xml")?.ok_or(Refusal::TypeMismatch)?;
    let main_part = main_part(&mut archive)?;
    let main = archive.part(&main_part)?.ok_or(Refusal::TypeMismatch)?;
    let folder = main_part.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let mut beside = |name: &str| archive.part(&format!("{folder}/{name}")).map(Option::unwrap_or_default);

    let styles = Styles::read(&beside("styles.xml")?)?;
    let numbering = Numbering::read(&beside("numbering.xml")?)?;
    let footnotes = beside("footnotes.xml")?;
    let endnotes = beside("endnotes.xml")?;

    let mut reader = body::Reader::new(&styles, &numbering, max_text_bytes);
    reader.document(&main)?;
    for notes in [footnotes, endnotes] {
        reader.notes(&notes)?;
    }
    let has_images = reader.has_images();
    Ok(Extracted {
        text: text::tidy(&text::clean(&reader.into_markdown())),
        notes: if has_images { vec![Note::ImagesDropped] } else { Vec::new() },
    })
}

/// Where the package says that its text is; nearly always at one place.
fn main_part(archive: &mut Archive) -> Result<String, Refusal> {
    let relations = archive.part("_rels/.rels")?.unwrap_or_default();
    let mut found = None;
    xml::walk(&relations, |event| {
        if let xml::Event::Start(element) = event
            && element.name == "Relationship"
            && element.attribute("Type").is_some_and(|kind| kind.ends_with("/officeDocument"))
        {
            found = element.attribute("Target");
        }
        Ok(())
    })?;
    let target = found.map(|target| target.trim_start_matches('/').to_owned());
    // A workbook or a set of slides is packed the same way.
    target.filter(|target| !target.contains("..")).map_or_else(|| Ok(USUAL_MAIN_PART.to_owned()), Ok)
}
