//! PDF becomes plain text, page by page.
//!
//! A page says where each character stands and nothing about paragraphs; `pdf_text`
//! makes lines readable again. The parser panics where others return errors, so each
//! page is tried by itself, and what it loses is told.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Document, PlainTextOutput, output_doc_page};

use super::error::Refusal;
use super::report::{Extracted, Note};
use super::{pdf_text, sniff, text};

/// Reads a document.
pub(super) fn read(bytes: &[u8], max_text_bytes: usize) -> Result<Extracted, Refusal> {
    let start = sniff::pdf_start(bytes).ok_or(Refusal::TypeMismatch)?;
    let mut document = Document::load_mem(&bytes[start..]).map_err(|error| refusal_of(&error))?;
    if document.is_encrypted() {
        // Many are locked against changes only and open with an empty password.
        document.decrypt("").map_err(|_| Refusal::Encrypted)?;
    }
    let numbers: Vec<u32> = document.get_pages().into_keys().collect();
    if numbers.is_empty() {
        return Err(Refusal::Malformed);
    }
    let mut printed = String::new();
    let mut is_whole = true;
    for number in numbers {
        let page = page(&document, number);
        is_whole &= page.is_whole;
        printed.push_str(&page.text);
        printed.push_str("\n\n");
        if printed.len() > max_text_bytes {
            return Err(Refusal::TooLarge);
        }
    }
    let text = text::tidy(&pdf_text::readable(&text::clean(&printed)));
    if !is_whole && text::is_blank(&text) {
        return Err(Refusal::Malformed);
    }
    let notes = if is_whole { Vec::new() } else { vec![Note::PagesDropped] };
    Ok(Extracted { text, notes })
}

struct Page {
    text: String,
    is_whole: bool,
}

fn page(document: &Document, number: u32) -> Page {
    let mut text = String::new();
    let mut output = PlainTextOutput::new(&mut text);
    // What a panic leaves behind is the text up to there, which is kept, and told as a part.
    let reading = catch_unwind(AssertUnwindSafe(|| output_doc_page(document, &mut output, number)));
    Page { text, is_whole: matches!(reading, Ok(Ok(()))) }
}

fn refusal_of(error: &pdf_extract::Error) -> Refusal {
    match error {
        pdf_extract::Error::InvalidPassword | pdf_extract::Error::Decryption(_) => Refusal::Encrypted,
        _ => Refusal::Malformed,
    }
}
