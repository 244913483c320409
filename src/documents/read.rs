//! One document, one reader: the step from bytes to text, without any process around it.

use super::error::Refusal;
use super::format::DocumentFormat;
use super::report::Extracted;
use super::{docx, html, sniff, text};

/// Reads a document whole.
pub(super) fn document(
    format: DocumentFormat,
    bytes: &[u8],
    max_text_bytes: usize,
) -> Result<Extracted, Refusal> {
    sniff::agrees(format, bytes)?;
    let extracted = match format {
        DocumentFormat::PlainText { charset } | DocumentFormat::Markdown { charset } => {
            text::read(bytes, charset)
        }
        DocumentFormat::Html { charset, is_xhtml } => html::read(bytes, charset, is_xhtml),
        DocumentFormat::Docx => docx::read(bytes, max_text_bytes),
        DocumentFormat::Pdf => read_pdf(bytes, max_text_bytes),
    }?;
    if text::is_blank(&extracted.text) {
        return Err(Refusal::NoText);
    }
    if extracted.text.len() > max_text_bytes {
        return Err(Refusal::TooLarge);
    }
    Ok(extracted)
}

#[cfg(feature = "pdf")]
fn read_pdf(bytes: &[u8], max_text_bytes: usize) -> Result<Extracted, Refusal> {
    super::pdf::read(bytes, max_text_bytes)
}

#[cfg(not(feature = "pdf"))]
fn read_pdf(_bytes: &[u8], _max_text_bytes: usize) -> Result<Extracted, Refusal> {
    Err(Refusal::Unsupported)
}
