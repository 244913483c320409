//! One table of a file of models or of a task, read key by key.
//!
//! Owns the key paths and the messages. A key that nobody read is unknown, and
//! that is a problem too.

use toml::{Table, Value};

use crate::config::layers::Origin;
use crate::config::problems::{Problems, advice};

/// A table and what has been read of it.
pub(in crate::config) struct Section<'a> {
    path: &'a str,
    table: &'a Table,
    origin: &'a Origin,
    /// Added to messages, so that an entry is found without counting.
    note: String,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(in crate::config) fn new(path: &'a str, table: &'a Table, origin: &'a Origin) -> Self {
        Self { path, table, origin, note: String::new(), known: Vec::new() }
    }

    /// Ends every message from now on.
    pub(in crate::config) fn set_note(&mut self, note: String) {
        self.note = note;
    }

    /// The value of a key that must be there. `None` comes with a problem.
    pub(in crate::config) fn required<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        problems: &mut Problems,
        parse: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            self.refuse(key, &format!("is missing, expected {expected}"), problems);
            return None;
        }
        self.optional(key, expected, problems, parse).flatten()
    }

    /// The value of a key that may be missing: `Some(None)` then. `None` comes with a problem.
    pub(in crate::config) fn optional<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        problems: &mut Problems,
        parse: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<Option<T>> {
        self.known.push(key);
        let Some(value) = self.table.get(key) else { return Some(None) };
        let parsed = parse(value);
        if parsed.is_none() {
            self.refuse(key, &format!("expected {expected}, found {value}"), problems);
        }
        parsed.map(Some)
    }

    /// A key that is read elsewhere.
    pub(in crate::config) fn know(&mut self, key: &'static str) {
        self.known.push(key);
    }

    /// Adds a problem about a key.
    pub(in crate::config) fn refuse(&self, key: &str, message: &str, problems: &mut Problems) {
        problems.add(path_of(self.path, key), self.origin, format!("{message}{}", self.note));
    }

    /// Tells the keys that nobody read.
    pub(in crate::config) fn finish(self, problems: &mut Problems) {
        for key in self.table.keys().filter(|key| !self.known.contains(&key.as_str())) {
            self.refuse(key, &format!("unknown key, {}", advice(key, &self.known)), problems);
        }
    }
}

/// The path of a key in the table at `path`, which is empty for the whole file.
pub(in crate::config) fn path_of(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
