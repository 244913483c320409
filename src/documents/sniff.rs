//! Whether bytes are what their sender says.
//!
//! The one rule: a text is never refused for how it begins. `BMW`, `MZ` and `ID3` are
//! words as well as the first bytes of a picture, a program and a song, so a signature
//! counts against a text only together with characters that no text has.

use super::error::Refusal;
use super::format::DocumentFormat;

const PDF_MARK: &[u8] = b"%PDF-";
/// Where readers of PDF look for the mark: some producers write something before it.
const PDF_MARK_WITHIN_BYTES: usize = 1024;
const ZIP_MARK: &[u8] = b"PK\x03\x04";
/// The container of old Office files, and of new ones that a password protects.
const COMPOUND_MARK: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";
/// How much of a text is looked at for characters that are none.
const HEAD_BYTES: usize = 4096;
/// One strange character among so many, and the bytes are no text.
const STRANGE_SHARE: usize = 20;

/// Asks the bytes.
pub(super) fn agrees(format: DocumentFormat, bytes: &[u8]) -> Result<(), Refusal> {
    let as_declared = match format {
        DocumentFormat::PlainText { .. } | DocumentFormat::Markdown { .. } | DocumentFormat::Html { .. } => {
            !is_other_format(bytes)
        }
        DocumentFormat::Pdf => pdf_start(bytes).is_some(),
        DocumentFormat::Docx => {
            if bytes.starts_with(COMPOUND_MARK) && holds_protected_package(bytes) {
                return Err(Refusal::Encrypted);
            }
            bytes.starts_with(ZIP_MARK)
        }
    };
    if as_declared { Ok(()) } else { Err(Refusal::TypeMismatch) }
}

/// Where the PDF begins. Its own offsets count from there.
pub(super) fn pdf_start(bytes: &[u8]) -> Option<usize> {
    let head = &bytes[..bytes.len().min(PDF_MARK_WITHIN_BYTES + PDF_MARK.len())];
    head.windows(PDF_MARK.len()).position(|window| window == PDF_MARK)
}

fn is_other_format(bytes: &[u8]) -> bool {
    if bytes.starts_with(PDF_MARK) {
        return true;
    }
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let known = infer::get(head).is_some_and(|kind| kind.matcher_type() != infer::MatcherType::Text);
    known && head.iter().any(|byte| is_control(char::from(*byte)))
}

/// Whether decoded text is none: the bytes of something that has no signature.
pub(super) fn is_noise(text: &str) -> bool {
    let head = || text.chars().take(HEAD_BYTES);
    let strange = head().filter(|c| is_control(*c) || *c == char::REPLACEMENT_CHARACTER).count();
    strange > 1 && strange * STRANGE_SHARE > head().count()
}

/// A control character that is not part of any text's layout. Escape begins the colours
/// of a terminal's log.
pub(super) fn is_control(c: char) -> bool {
    matches!(c, '\0'..='\x08' | '\x0E'..='\x1A' | '\x1C'..='\x1F' | '\x7F')
}

/// The name of the stream that holds an encrypted package, in the container's UTF-16.
fn holds_protected_package(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::{agrees, is_noise};
    use crate::documents::error::Refusal;
    use crate::documents::format::DocumentFormat;

    const TEXT: DocumentFormat = DocumentFormat::PlainText { charset: None };

    #[test]
    fn a_text_may_begin_like_a_picture_a_program_or_a_song() {
        for text in ["BMW builds cars", "MZ means nothing", "ID3 is a tag", "GIF or JIF?", "#!/bin/sh\n"] {
            assert_eq!(agrees(TEXT, text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn text_of_two_bytes_a_character_is_text() {
        for mark in [&b"\xFF\xFE"[..], b""] {
            let wide: Vec<u8> = "BM GIF PK text".encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(agrees(TEXT, &[mark, &wide].concat()), Ok(()));
        }
    }

    #[test]
    fn bytes_of_another_format_are_told_apart() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        let elf = [&b"\x7fELF\x02\x01\x01"[..], &[0; 60]].concat();
        for other in [&b"%PDF-1.7\n"[..], b"PK\x03\x04\x14\0\0\0", png, &elf] {
            assert_eq!(agrees(TEXT, other), Err(Refusal::TypeMismatch));
            assert_eq!(
                agrees(DocumentFormat::Html { charset: None, is_xhtml: false }, other),
                Err(Refusal::TypeMismatch)
            );
        }
        assert_eq!(agrees(DocumentFormat::Pdf, b"<html>"), Err(Refusal::TypeMismatch));
        assert_eq!(agrees(DocumentFormat::Pdf, b"\r\njunk%PDF-1.4"), Ok(()));
        assert_eq!(agrees(DocumentFormat::Docx, b"%PDF-1.4"), Err(Refusal::TypeMismatch));
    }

    #[test]
    fn a_protected_docx_is_known_by_its_container() {
        let mut bytes = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
        assert_eq!(agrees(DocumentFormat::Docx, &bytes), Err(Refusal::TypeMismatch));
        bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(agrees(DocumentFormat::Docx, &bytes), Err(Refusal::Encrypted));
    }

    #[test]
    fn noise_has_more_strange_characters_than_any_text() {
        assert!(!is_noise("a\0 stray zero in a sentence"));
        assert!(!is_noise("\u{FFFD}"));
        assert!(is_noise("\0\0\0"));
        assert!(is_noise("ab\u{1}\u{2}cdefgh\u{FFFD}"));
    }
}
