//! Control literals: what a model takes for its template and not for text.
//!
//! A prompt in a template is one text. Where a document, or a rule that quotes it, holds
//! such a literal, it could end its turn and speak as somebody else. So every one of them
//! is broken by a space before its last character, which a reader sees and a model does
//! not take for its own. The one rule: nothing else is changed, and nothing is lost.

/// Something that a template is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// A literal, wherever it stands.
    Anywhere(&'static str),
    /// A name that opens a turn where a line begins.
    LineStart(&'static str),
    /// Any word of letters, digits and `_` between `<|` and `|>`.
    Token,
}

/// The text with every control broken. None of them holds a space, so a space can only
/// break them.
pub(super) fn defuse(text: &str, controls: &[Control]) -> String {
    let mut breaks: Vec<usize> = controls.iter().flat_map(|control| control.ends(text)).collect();
    breaks.sort_unstable();
    breaks.dedup();
    let mut broken = String::with_capacity(text.len() + breaks.len());
    let mut from = 0;
    for at in breaks {
        broken.push_str(&text[from..at]);
        broken.push(' ');
        from = at;
    }
    broken.push_str(&text[from..]);
    broken
}

impl Control {
    /// Where the last character of each occurrence stands.
    pub(super) fn ends(self, text: &str) -> Vec<usize> {
        let last_of = |literal: &str| literal.char_indices().next_back().map_or(0, |(at, _)| at);
        match self {
            Self::Anywhere(literal) => {
                text.match_indices(literal).map(|(at, _)| at + last_of(literal)).collect()
            }
            Self::LineStart(name) => text
                .match_indices(name)
                .filter(|(at, _)| text[..*at].chars().next_back().is_none_or(|c| c == '\n' || c == '\r'))
                .map(|(at, _)| at + last_of(name))
                .collect(),
            Self::Token => text.match_indices("<|").filter_map(|(at, _)| end_of_token(text, at)).collect(),
        }
    }
}

/// Where the `>` stands of the token that begins at `at`.
fn end_of_token(text: &str, at: usize) -> Option<usize> {
    let word = &text[at + 2..];
    let len = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    (len > 0 && word[len..].starts_with("|>")).then_some(at + 2 + len + 1)
}

#[cfg(test)]
mod tests {
    use super::Control::{Anywhere, LineStart, Token};
    use super::defuse;

    #[test]
    fn a_control_is_broken_where_it_would_be_taken_for_one() {
        let controls = [Anywhere("[INST]"), Anywhere("<｜"), LineStart("User:"), Token];
        let cases = [
            ("a [INST] b", "a [INST ] b"),
            ("[INST][INST]", "[INST ][INST ]"),
            ("<｜User｜>", "< ｜User｜>"),
            ("User: a\nUser: b\r\nUser:", "User : a\nUser : b\r\nUser :"),
            ("my User: stays", "my User: stays"),
            ("<|eot_id|><|<|x|>", "<|eot_id| ><|<|x| >"),
            ("f <| g |> h <||> <|a b|> <|ö|>", "f <| g |> h <||> <|a b|> <|ö|>"),
            ("", ""),
        ];
        for (text, broken) in cases {
            assert_eq!(defuse(text, &controls), broken);
        }
    }
}
