//! On which line of a TOML file a key stands.
//!
//! Owns nothing but the search. It knows no key. The one rule: where a key is missing,
//! the line is that of the table that should have it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML file whose keys are looked up.
pub(super) struct Lines<'t> {
    text: &'t str,
    root: Option<Spanned<DeTable<'t>>>,
}

impl<'t> Lines<'t> {
    /// Of a text; one that is no TOML has no keys.
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, root: DeTable::parse(text).ok() }
    }

    /// The line of a key, or else of the table that should have it; `None` for the whole file.
    pub(super) fn of_key(&self, keys: &[&str]) -> Option<usize> {
        self.spans(keys).0.map(|span| self.line_at(span.start))
    }

    /// The line that is the `inside`-th of the text that a key has.
    pub(super) fn of_text(&self, keys: &[&str], inside: usize) -> Option<usize> {
        let value = self.spans(keys).1?;
        let written = self.text.get(value.clone()).unwrap_or_default();
        // A line break right behind the opening signs is no part of the text.
        let begins_below = ["\"\"\"", "'''"]
            .iter()
            .any(|signs| written.strip_prefix(signs).is_some_and(|rest| rest.starts_with(['\n', '\r'])));
        Some(self.line_at(value.start) + inside - usize::from(!begins_below))
    }

    /// Where the deepest of these keys stands that there is, and the value of the last one.
    fn spans(&self, keys: &[&str]) -> (Option<Range<usize>>, Option<Range<usize>>) {
        let mut table = self.root.as_ref().map(Spanned::get_ref);
        let mut found = None;
        let mut value = None;
        for key in keys {
            // Entries of a list stand where the list does.
            let key = key.split('[').next().unwrap_or_default();
            let Some((name, entry)) = table.and_then(|table| table.get_key_value(key)) else {
                return (found, None);
            };
            found = Some(name.span());
            value = Some(entry.span());
            table = match entry.get_ref() {
                DeValue::Table(inner) => Some(inner),
                _ => None,
            };
        }
        (found, value)
    }

    fn line_at(&self, byte: usize) -> usize {
        self.text.get(..byte).unwrap_or_default().matches('\n').count() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn keys_and_lines_of_texts_are_found() {
        let text =
            "a = 1\nprompt = '''\none\ntwo\n'''\nshort = \"one\"\n\n[input.properties.tone]\ntype = 1\n";
        let lines = Lines::of(text);
        assert_eq!(lines.of_key(&["a"]), Some(1));
        assert_eq!(lines.of_key(&["input", "properties", "tone", "type"]), Some(9));
        assert_eq!(lines.of_key(&["input", "properties", "tone", "maxLength"]), Some(8), "its table");
        assert_eq!(lines.of_key(&["other"]), None);
        assert_eq!(lines.of_text(&["prompt"], 2), Some(4));
        assert_eq!(lines.of_text(&["short"], 1), Some(6));
        assert_eq!(Lines::of("a = ").of_key(&["a"]), None);
    }
}
