//! Which JSON schemas are taken for the input of a task.
//!
//! Owns the words of a schema that mean something here, the names that are taken, and
//! what is said of everything else. The rule it protects: a word that would be ignored is
//! a problem.

use jsonschema::ValidationError;
use serde_json::{Map, Value};

use super::Kind;
use crate::tasks::fields::nearest;
use crate::tasks::own::SpecProblem;

/// The longest text of a caller, in characters.
pub(super) const LONGEST_TEXT: u64 = 10_000;

/// A text of more characters is no word: it has a fence of its own.
const LONGEST_WORD: u64 = 200;

/// The most entries of a list.
pub(super) const MOST_ENTRIES: u64 = 100;

/// The most members of an input.
pub(super) const MOST_MEMBERS: usize = 32;

/// What the words of a schema of an input may be.
pub(super) const OF_OBJECT: [&str; 7] =
    ["type", "title", "description", "properties", "required", "dependentRequired", "additionalProperties"];

/// What the words of a schema of a member may be.
const OF_MEMBER: [&str; 20] = [
    "type",
    "title",
    "description",
    "default",
    "examples",
    "enum",
    "const",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "deprecated",
];

/// Names that every request gives a meaning to.
const RESERVED: [&str; 26] = [
    "text",
    "prompt",
    "input",
    "bullets",
    "messages",
    "model",
    "stream_options",
    "file",
    "options",
    "task",
    "result",
    "instruction",
    "stream",
    "chain",
    "preference",
    "include",
    "on_failover",
    "on_chunk_error",
    "metadata",
    "output",
    "n",
    "context",
    "shared_context",
    "output_language",
    "expected_input_languages",
    "max_words",
];

/// The problems of a schema so far.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<SpecProblem>);

impl Problems {
    pub(super) fn add(&mut self, path: &[&str], message: String) {
        let path = path.iter().map(ToString::to_string).collect();
        self.0.push(SpecProblem { path, line: None, message });
    }

    /// A word of a schema that means nothing here.
    pub(super) fn word(&mut self, path: &[&str], word: &str, known: &[&'static str]) {
        if known.contains(&word) {
            return;
        }
        let advice = match (word, nearest(word, known.iter().copied())) {
            ("$ref" | "$dynamicRef", _) => {
                "a schema is written out in its place and refers to nothing".to_owned()
            }
            (_, Some(near)) => format!("did you mean {near}?"),
            (_, None) => format!("known are {}", known.join(", ")),
        };
        self.add(path, format!("unknown word of a schema, {advice}"));
    }

    pub(super) fn name(&mut self, name: &str) {
        let path = ["properties", name];
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_name = name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(allowed);
        if !is_name {
            self.add(
                &path,
                "expected a name of 1 to 64 characters of a-z 0-9 _ that begins with a letter".to_owned(),
            );
        } else if RESERVED.contains(&name) {
            self.add(&path, "the name is taken: every task gives it a meaning of its own".to_owned());
        }
    }

    /// Which kind a member is, if it can be told.
    pub(super) fn member(&mut self, name: &str, schema: &Value) -> Option<Kind> {
        let path = ["properties", name];
        let kind = self.value(&path, schema)?;
        if kind != Kind::List {
            return Some(kind);
        }
        self.bound(&path, schema, "maxItems", MOST_ENTRIES);
        let path = ["properties", name, "items"];
        match schema.get("items") {
            None => self.add(&path, "is missing, expected the schema of an entry".to_owned()),
            Some(entry) => match self.value(&path, entry) {
                Some(Kind::List) => self.add(&path, "expected no lists in a list".to_owned()),
                Some(Kind::Material) => {
                    self.add(&path, format!("expected maxLength of at most {LONGEST_WORD} for an entry"));
                }
                _ => {}
            },
        }
        Some(kind)
    }

    fn value(&mut self, path: &[&str], schema: &Value) -> Option<Kind> {
        let Value::Object(words) = schema else {
            self.add(path, format!("expected a table with a JSON schema, found {schema}"));
            return None;
        };
        for word in words.keys() {
            let path: Vec<&str> = path.iter().copied().chain([word.as_str()]).collect();
            self.word(&path, word, &OF_MEMBER);
        }
        if words.contains_key("$ref") {
            return None;
        }
        if schema.get("enum").or_else(|| schema.get("const")).is_some() {
            return Some(Kind::Closed);
        }
        match schema["type"].as_str() {
            Some("string") => {
                let most = self.bound(path, schema, "maxLength", LONGEST_TEXT)?;
                Some(if most <= LONGEST_WORD { Kind::Word } else { Kind::Material })
            }
            Some("integer" | "number") => Some(Kind::Number),
            Some("boolean") => Some(Kind::Boolean),
            Some("array") => Some(Kind::List),
            found => {
                let path: Vec<&str> = path.iter().copied().chain(["type"]).collect();
                let expected = "expected \"string\", \"integer\", \"number\", \"boolean\" or \"array\"";
                let found = found.map_or_else(|| schema["type"].to_string(), |word| format!("\"{word}\""));
                self.add(&path, format!("{expected}, found {found}"));
                None
            }
        }
    }

    /// A bound that must be there.
    fn bound(&mut self, path: &[&str], schema: &Value, word: &str, most: u64) -> Option<u64> {
        let bound = schema.get(word).and_then(Value::as_u64).filter(|bound| (1..=most).contains(bound));
        if bound.is_none() {
            let path: Vec<&str> = path.iter().copied().chain([word]).collect();
            let found = schema.get(word).map_or_else(|| "none".to_owned(), Value::to_string);
            self.add(&path, format!("expected a whole number from 1 to {most}, found {found}"));
        }
        bound
    }

    pub(super) fn required(&mut self, given: Option<&Value>, properties: &Map<String, Value>) -> Vec<String> {
        let names: Vec<&str> = properties.keys().map(String::as_str).collect();
        let Some(given) = given else { return Vec::new() };
        let Some(required) = given.as_array() else {
            self.add(&["required"], format!("expected a list of members, found {given}"));
            return Vec::new();
        };
        for name in required {
            let known = name.as_str().is_some_and(|name| properties.contains_key(name));
            if !known {
                let advice = match name.as_str().and_then(|name| nearest(name, names.iter().copied())) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("known are {}", names.join(", ")),
                };
                self.add(&["required"], format!("{name} is no member of properties, {advice}"));
            }
        }
        required.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// What the meta-schema says.
    pub(super) fn of_schema(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str().to_owned();
        let path: Vec<&str> = pointer.split('/').skip(1).collect();
        self.add(&path, format!("is no JSON schema: {error}"));
    }
}
