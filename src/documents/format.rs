//! The formats that are read, and how a sender names them.
//!
//! What a sender says decides the reader; `sniff` then asks the bytes whether they agree.

use encoding_rs::Encoding;

/// What a document is, as its sender says or its name ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    PlainText {
        charset: Option<Charset>,
    },
    Markdown {
        charset: Option<Charset>,
    },
    /// XHTML follows the rules of XML for what a tag may leave out.
    Html {
        charset: Option<Charset>,
        is_xhtml: bool,
    },
    Pdf,
    Docx,
}

/// A character encoding that can be read.
///
/// Only the names of the Encoding Standard get here, never a caller's own words: it
/// becomes an argument of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// The encoding with this label, if it is one that browsers know.
    pub fn of_label(label: &str) -> Option<Self> {
        Encoding::for_label_no_replacement(label.trim().as_bytes()).map(Self)
    }

    /// Its name in the Encoding Standard.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    pub(super) fn encoding(self) -> &'static Encoding {
        self.0
    }
}

const XHTML: &str = "application/xhtml+xml";
const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

impl DocumentFormat {
    /// What `Accept-Post` lists: the one name of each format that a client should use.
    pub const MEDIA_TYPES: &'static [&'static str] =
        &["text/plain", "text/markdown", "text/html", "application/pdf", DOCX];

    /// The format that a `Content-Type` names. An unknown charset counts as none: the
    /// bytes are asked instead.
    pub fn of_media_type(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts.find_map(charset_of_parameter);
        match essence.as_str() {
            "text/plain" => Some(Self::PlainText { charset }),
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown { charset }),
            "text/html" => Some(Self::Html { charset, is_xhtml: false }),
            XHTML => Some(Self::Html { charset, is_xhtml: true }),
            "application/pdf" | "application/x-pdf" => Some(Self::Pdf),
            DOCX => Some(Self::Docx),
            _ => None,
        }
    }

    /// The format that a file name ends with.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        if stem.is_empty() {
            return None;
        }
        match extension.to_ascii_lowercase().as_str() {
            "txt" | "text" | "log" => Some(Self::PlainText { charset: None }),
            "md" | "markdown" => Some(Self::Markdown { charset: None }),
            "html" | "htm" => Some(Self::Html { charset: None, is_xhtml: false }),
            "xhtml" => Some(Self::Html { charset: None, is_xhtml: true }),
            "pdf" => Some(Self::Pdf),
            "docx" => Some(Self::Docx),
            _ => None,
        }
    }

    /// The first of its media types.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::PlainText { .. } => "text/plain",
            Self::Markdown { .. } => "text/markdown",
            Self::Html { is_xhtml: false, .. } => "text/html",
            Self::Html { is_xhtml: true, .. } => XHTML,
            Self::Pdf => "application/pdf",
            Self::Docx => DOCX,
        }
    }
}

fn charset_of_parameter(parameter: &str) -> Option<Charset> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("charset") {
        return None;
    }
    Charset::of_label(value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::{Charset, DocumentFormat};

    #[test]
    fn a_media_type_names_a_format_and_perhaps_a_charset() {
        let latin = Charset::of_label("latin1");
        for (content_type, expected) in [
            ("text/plain", Some(DocumentFormat::PlainText { charset: None })),
            ("Text/Plain; charset=ISO-8859-1", Some(DocumentFormat::PlainText { charset: latin })),
            (
                "text/html;q=1 ; Charset=\"windows-1252\"",
                Some(DocumentFormat::Html { charset: latin, is_xhtml: false }),
            ),
            ("text/plain; charset=klingon", Some(DocumentFormat::PlainText { charset: None })),
            ("text/x-markdown; variant=GFM", Some(DocumentFormat::Markdown { charset: None })),
            ("application/xhtml+xml", Some(DocumentFormat::Html { charset: None, is_xhtml: true })),
            ("application/pdf", Some(DocumentFormat::Pdf)),
            ("application/json", None),
            ("", None),
        ] {
            assert_eq!(DocumentFormat::of_media_type(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn every_listed_media_type_is_read_and_is_the_format_s_own() {
        for media_type in DocumentFormat::MEDIA_TYPES {
            let format = DocumentFormat::of_media_type(media_type).unwrap();
            assert_eq!(format.media_type(), *media_type);
        }
    }

    #[test]
    fn a_file_name_tells_the_format_by_its_end() {
        assert_eq!(DocumentFormat::of_file_name("Report v2.PDF"), Some(DocumentFormat::Pdf));
        assert_eq!(DocumentFormat::of_file_name("a/b.docx"), Some(DocumentFormat::Docx));
        for name in ["pdf", ".pdf", "report.pdf.exe", "report.", ""] {
            assert_eq!(DocumentFormat::of_file_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_charset_that_hides_text_is_no_charset() {
        // The standard maps these to an encoding that yields one replacement character.
        assert_eq!(Charset::of_label("iso-2022-kr"), None);
        assert_eq!(Charset::of_label(" UTF8 ").map(Charset::name), Some("UTF-8"));
    }
}
