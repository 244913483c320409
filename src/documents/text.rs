//! Bytes become characters: byte order mark, then what was declared, then a guess.
//!
//! Owns decoding and what every text gets: line ends as `\n`, and no characters that
//! are neither seen nor mean anything. Marks of direction, joiners and everything else
//! that a writer may have meant stays.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::error::Refusal;
use super::format::Charset;
use super::report::{Extracted, Note};
use super::sniff;

/// A guess does not get better with more.
const GUESSED_FROM_BYTES: usize = 1 << 20;
const UTF_16_SIGN_BYTES: usize = 4096;

/// Characters, and whether some bytes gave none.
pub(super) struct Decoded<'a> {
    pub text: Cow<'a, str>,
    pub lossy: bool,
}

impl Decoded<'_> {
    /// What is to be said about it.
    pub fn notes(&self) -> Vec<Note> {
        if self.lossy { vec![Note::UndecodableBytes] } else { Vec::new() }
    }
}

/// Reads plain text or Markdown.
pub(super) fn read(bytes: &[u8], charset: Option<Charset>) -> Result<Extracted, Refusal> {
    let decoded = decode(bytes, charset);
    if sniff::is_noise(&decoded.text) {
        return Err(Refusal::TypeMismatch);
    }
    Ok(Extracted { text: clean(&decoded.text), notes: decoded.notes() })
}

/// Decodes, with the best knowledge of the charset there is.
pub(super) fn decode(bytes: &[u8], declared: Option<Charset>) -> Decoded<'_> {
    let (encoding, mark_bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, mark_bytes)) => (encoding, mark_bytes),
        None => (declared.map_or_else(|| guess(bytes), Charset::encoding), 0),
    };
    let (text, lossy) = encoding.decode_without_bom_handling(&bytes[mark_bytes..]);
    Decoded { text, lossy }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if let Some(encoding) = guess_utf_16(bytes) {
        return encoding;
    }
    // ASCII says nothing, so the sample begins where it ends.
    let telling = &bytes[Encoding::ascii_valid_up_to(bytes)..];
    if telling.is_empty() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let sample = &telling[..telling.len().min(GUESSED_FROM_BYTES)];
    detector.feed(sample, sample.len() == telling.len());
    detector.guess(None, Utf8Detection::Allow)
}

/// Western text in UTF-16 without a mark: every second byte is zero.
fn guess_utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = bytes[..bytes.len().min(UTF_16_SIGN_BYTES)].as_chunks::<2>();
    let first_zeros = pairs.iter().filter(|pair| pair[0] == 0).count();
    let second_zeros = pairs.iter().filter(|pair| pair[1] == 0).count();
    let most = |zeros: usize, others: usize| zeros * 2 > pairs.len() && others * 20 < pairs.len();
    if most(second_zeros, first_zeros) {
        Some(UTF_16LE)
    } else if most(first_zeros, second_zeros) {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Line ends become `\n`; form feeds and vertical tabs, too. Control characters go.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(position) = rest.find(is_cleaned) {
        cleaned.push_str(&rest[..position]);
        let mut following = rest[position..].chars();
        let found = following.next();
        rest = following.as_str();
        match found {
            Some('\r') => {
                rest = rest.strip_prefix('\n').unwrap_or(rest);
                cleaned.push('\n');
            }
            Some('\x0B' | '\x0C') => cleaned.push('\n'),
            _ => {}
        }
    }
    cleaned.push_str(rest);
    cleaned
}

fn is_cleaned(c: char) -> bool {
    matches!(c, '\r' | '\x0B' | '\x0C' | '\x1B') || sniff::is_control(c)
}

/// Trims the end of lines, lets at most one blank line stand, and trims the whole.
pub(super) fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut blank_lines = 0;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            blank_lines += 1;
            continue;
        }
        if !tidied.is_empty() {
            tidied.push_str(if blank_lines > 0 { "\n\n" } else { "\n" });
        }
        blank_lines = 0;
        tidied.push_str(line);
    }
    tidied
}

/// Nothing in it can be seen, as in `domain::SourceText`, which has the last word.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || matches!(c, '\u{200B}' | '\u{2060}' | '\u{FEFF}'))
}

#[cfg(test)]
mod tests {
    use super::{clean, decode, read, tidy};
    use crate::documents::error::Refusal;
    use crate::documents::format::Charset;
    use crate::documents::report::Note;

    const RUSSIAN: &str = "Все счастливые семьи похожи друг на друга, каждая несчастливая по-своему.";

    #[test]
    fn the_mark_wins_then_the_declared_charset_then_the_guess() {
        let latin = Charset::of_label("latin1");
        assert_eq!(decode("\u{FEFF}né".as_bytes(), latin).text, "né");
        assert_eq!(decode(b"\xFF\xFEn\0", latin).text, "n");
        assert_eq!(decode(b"\xFE\xFF\0n", None).text, "n");
        assert_eq!(decode(b"n\xE9", latin).text, "né");
        assert_eq!(decode("né".as_bytes(), None).text, "né");
    }

    #[test]
    fn charsets_that_nobody_declared_are_guessed() {
        for charset in ["windows-1251", "koi8-r", "utf-8", "iso-8859-5"] {
            let (bytes, _, _) = Charset::of_label(charset).unwrap().encoding().encode(RUSSIAN);
            assert_eq!(decode(&bytes, None).text, RUSSIAN, "{charset}");
        }
        let padded = format!("{}{RUSSIAN}", "plain ascii. ".repeat(200_000));
        let (bytes, _, _) = Charset::of_label("windows-1251").unwrap().encoding().encode(&padded);
        assert!(decode(&bytes, None).text.ends_with(RUSSIAN));
        let wide: Vec<u8> = "Ünmarked".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&wide, None).text, "Ünmarked");
        let wide: Vec<u8> = "Ünmarked".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&wide, None).text, "Ünmarked");
    }

    #[test]
    fn bytes_that_are_no_characters_are_replaced_and_told() {
        let utf_8 = Charset::of_label("utf-8");
        let extracted = read(b"a long enough line of good text, n\xE9", utf_8).unwrap();
        assert!(extracted.text.ends_with("n\u{FFFD}"));
        assert_eq!(extracted.notes, [Note::UndecodableBytes]);
        assert_eq!(read(&[0; 64], None), Err(Refusal::TypeMismatch));
    }

    #[test]
    fn line_ends_are_one_kind_and_control_characters_go() {
        assert_eq!(clean("a\r\nb\rc\nd\n\re\x0Cf\0g\x1B[1mh\ti"), "a\nb\nc\nd\n\ne\nfg[1mh\ti");
        let meant = "\u{200F}שלום\u{200E} \u{202E}x\u{202C} 👩\u{200D}🚒\u{2028}";
        assert_eq!(clean(meant), meant);
    }

    #[test]
    fn tidy_text_has_no_trailing_space_and_single_blank_lines() {
        assert_eq!(tidy("\n\n a  \n \n\n\n b\nc\n\n"), " a\n\n b\nc");
    }
}
