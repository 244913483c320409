//! What a generator writes about: the caller's words, as labelled lines of the document.
//!
//! Owns the reading of such words and the shape of the document that is made of them. The
//! rule it protects: all of a caller's words stand in the document, between its fences; a
//! word that is one line stays one line, so that it cannot pretend to be another label.

use serde_json::Value;

use crate::domain::Passage;
use crate::tasks::fields::{Fields, is_longer};

/// The document in the making.
#[derive(Debug, Default)]
pub(super) struct Material(String);

impl Material {
    /// Adds a line, unless there is nothing to say.
    pub(super) fn line(&mut self, label: &str, words: Option<&str>) {
        if let Some(words) = words {
            self.break_line();
            self.0.push_str(&format!("{label}: {words}"));
        }
    }

    /// Adds a list, unless it is empty.
    pub(super) fn list(&mut self, label: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.break_line();
        self.0.push_str(label);
        self.0.push(':');
        for item in items {
            self.0.push_str(&format!("\n- {item}"));
        }
    }

    pub(super) fn into_document(self) -> Passage {
        self.0.into()
    }

    fn break_line(&mut self) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
    }
}

/// A few words that a generator cannot do without.
pub(super) fn needed_line(
    fields: &mut Fields,
    name: &'static str,
    max_chars: usize,
    what: &str,
) -> Option<String> {
    if !fields.contains(name) {
        fields.problem(format!("/{name}"), format!("`{name}` is missing; send {what}."));
        return None;
    }
    let words = fields.string(name, max_chars)?;
    let line = one_line(&words);
    if line.is_empty() {
        let spelled = fields.spelling(name).to_owned();
        fields.refuse(&spelled, &format!("is empty or holds only white space; send {what}"));
        return None;
    }
    Some(line)
}

/// A few words that may be missing.
pub(super) fn line(fields: &mut Fields, name: &'static str, max_chars: usize) -> Option<String> {
    fields.string(name, max_chars).map(|words| one_line(&words)).filter(|line| !line.is_empty())
}

/// A list of a few words each; blank ones are left out.
pub(super) fn lines(
    fields: &mut Fields,
    name: &'static str,
    max_items: usize,
    max_chars: usize,
) -> Vec<String> {
    let items = fields.strings(name, max_items, max_chars).unwrap_or_default();
    items.iter().map(|item| one_line(item)).filter(|item| !item.is_empty()).collect()
}

/// A list of points, or a string with one point per line.
pub(super) fn points(
    fields: &mut Fields,
    name: &'static str,
    max_items: usize,
    max_chars: usize,
) -> Vec<String> {
    let Some(member) = fields.take(name) else { return Vec::new() };
    let items = match member.value {
        Value::Array(items) => {
            fields.string_items(&member.name, items, max_items, max_chars).unwrap_or_default()
        }
        Value::String(lines) => lines.lines().map(str::to_owned).collect(),
        _ => {
            fields.refuse(&member.name, "must be a list of strings, or a string with one point per line");
            return Vec::new();
        }
    };
    let points: Vec<String> =
        items.iter().map(|item| one_line(item)).filter(|item| !item.is_empty()).collect();
    if points.len() > max_items {
        fields.refuse(&member.name, &format!("must have at most {max_items} points"));
    } else if points.iter().any(|point| is_longer(point, max_chars)) {
        fields.refuse(&member.name, &format!("must have at most {max_chars} characters per point"));
    }
    points
}

/// Words on one line, without the sign of a list before them.
fn one_line(words: &str) -> String {
    let line: Vec<&str> = words.split_whitespace().collect();
    let line = line.join(" ");
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).unwrap_or(&line).to_owned()
}
