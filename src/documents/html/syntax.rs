//! A page as tags and text, in the syntax of HTML or of XML.
//!
//! Owns what tells the two apart, and what the tokenizer must know about it. What the tags
//! mean is `guard`'s.
//!
//! The one rule: only in XML does a tag end itself and a CDATA section hold text. HTML says
//! otherwise, and a page read by the wrong rule loses its text.

use html5gum::{DefaultEmitter, Emitter, ForwardingEmitter, StringReader, Token, Tokenizer};

const XHTML_NAMESPACE: &[u8] = b"http://www.w3.org/1999/xhtml";
const XML_DECLARATION: &[u8] = b"?xml";

/// Whether a page says at its beginning that it is XHTML, whatever its media type is.
pub(super) fn is_xhtml(html: &str) -> bool {
    for token in Tokenizer::new(html) {
        let Ok(token) = token;
        match token {
            // To a reader of HTML, a declaration of XML is a comment.
            Token::Comment(comment) if comment.starts_with(XML_DECLARATION) => return true,
            Token::Doctype(doctype) => {
                let public = doctype.public_identifier.unwrap_or_default().to_ascii_uppercase();
                if String::from_utf8_lossy(&public).contains("XHTML") {
                    return true;
                }
            }
            Token::StartTag(tag) => {
                let namespace = tag.attributes.get(&b"xmlns"[..]);
                return tag.name.as_slice() == b"html"
                    && namespace.is_some_and(|name| name.as_slice() == XHTML_NAMESPACE);
            }
            Token::String(text) if !text.trim_ascii().is_empty() => return false,
            Token::EndTag(_) => return false,
            Token::String(_) | Token::Comment(_) | Token::Error(_) => {}
        }
    }
    false
}

/// Takes a page apart. It reads every content as tags and text; who knows better sets its state.
pub(super) fn tokenizer(html: &str, is_xhtml: bool) -> Tokenizer<StringReader<'_>, PageEmitter> {
    Tokenizer::new_with_emitter(html, PageEmitter { tokens: DefaultEmitter::default(), is_xhtml })
}

pub(super) struct PageEmitter {
    tokens: DefaultEmitter,
    is_xhtml: bool,
}

impl ForwardingEmitter for PageEmitter {
    type Token = Token;

    fn inner(&mut self) -> &mut impl Emitter<Token = Self::Token> {
        &mut self.tokens
    }

    /// Asked about CDATA sections only, which are comments in HTML.
    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.is_xhtml
    }
}

#[cfg(test)]
mod tests {
    use super::is_xhtml;

    #[test]
    fn a_page_is_xhtml_when_it_begins_so() {
        for page in [
            "<?xml version='1.0'?><html>",
            "\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'xhtml1-strict.dtd'>\n<html>",
            "<!-- saved --><!DOCTYPE html><html lang=de xmlns='http://www.w3.org/1999/xhtml'>",
        ] {
            assert!(is_xhtml(page), "{page}");
        }
        for page in [
            "<!DOCTYPE html><html>",
            "<!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'><html>",
            "<p>text<?xml version='1.0'?>",
            "text <html xmlns='http://www.w3.org/1999/xhtml'>",
            "<svg xmlns='http://www.w3.org/2000/svg'>",
            "",
        ] {
            assert!(!is_xhtml(page), "{page}");
        }
    }
}
