//! What the child says: one line, and after it the text.
//!
//! Both sides of the pipe are written here, so that they cannot disagree. The line is
//! made of closed words: a document has no way to speak in it.

use super::error::Refusal;

/// The text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    pub text: String,
    pub notes: Vec<Note>,
}

/// What was lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Some bytes are no characters of the charset; U+FFFD stands in their place.
    UndecodableBytes,
    /// The document shows images, whose content is not in the text.
    ImagesDropped,
    /// Some pages could not be read, or not to their end.
    PagesDropped,
}

impl Note {
    const ALL: [Self; 3] = [Self::UndecodableBytes, Self::ImagesDropped, Self::PagesDropped];

    /// The stable text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UndecodableBytes => "undecodable_bytes",
            Self::ImagesDropped => "images_dropped",
            Self::PagesDropped => "pages_dropped",
        }
    }
}

/// The line cannot be longer than this, whatever it says.
pub(super) const MAX_LINE_BYTES: usize = 256;
const TITLE: &str = "redraft-extract";
const TOLD: &str = "text";
const REFUSED: &str = "refused";

/// The report of a reader, as bytes for the pipe.
pub(super) fn line(outcome: &Result<Extracted, Refusal>) -> String {
    match outcome {
        Ok(extracted) => {
            let mut line = format!("{TITLE} {TOLD}");
            for note in &extracted.notes {
                line.push(' ');
                line.push_str(note.as_str());
            }
            line.push('\n');
            line
        }
        Err(refusal) => format!("{TITLE} {REFUSED} {}\n", refusal.as_str()),
    }
}

/// Reads a whole report; `None` when it is none.
pub(super) fn parse(bytes: Vec<u8>) -> Option<Result<Extracted, Refusal>> {
    let mut text = String::from_utf8(bytes).ok()?;
    let end = text.find('\n')?;
    let head = text[..end].to_owned();
    text.drain(..=end);
    let mut words = head.split(' ');
    if words.next() != Some(TITLE) {
        return None;
    }
    match words.next()? {
        TOLD => {
            let notes = words.map(|word| Note::ALL.into_iter().find(|note| note.as_str() == word));
            Some(Ok(Extracted { notes: notes.collect::<Option<_>>()?, text }))
        }
        REFUSED => {
            let word = words.next()?;
            Refusal::ALL.into_iter().find(|refusal| refusal.as_str() == word).map(Err)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Extracted, MAX_LINE_BYTES, Note, line, parse};
    use crate::documents::error::Refusal;

    fn said(outcome: &Result<Extracted, Refusal>) -> Vec<u8> {
        let line = line(outcome);
        assert!(line.len() <= MAX_LINE_BYTES);
        let text = outcome.as_ref().map_or("", |extracted| &extracted.text);
        [line.as_bytes(), text.as_bytes()].concat()
    }

    #[test]
    fn a_report_is_understood_as_it_was_meant() {
        let mut outcomes: Vec<_> = Refusal::ALL.into_iter().map(Err).collect();
        for notes in [&Note::ALL[..], &[]] {
            outcomes.push(Ok(Extracted {
                text: "redraft-extract refused malformed\n\n".to_owned(),
                notes: notes.to_vec(),
            }));
        }
        for outcome in outcomes {
            assert_eq!(parse(said(&outcome)), Some(outcome));
        }
    }

    #[test]
    fn anything_else_is_no_report() {
        for other in ["", "redraft-extract text", "redraft-extract text fun\n", "hello\n", "\n"] {
            assert_eq!(parse(other.as_bytes().to_vec()), None, "{other:?}");
        }
        assert_eq!(parse(b"redraft-extract text\n\xff".to_vec()), None);
    }
}
