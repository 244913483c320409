//! JSON schemas at work: how values are checked against them.
//!
//! Owns the one way in which schemas are read, the shape of answers that are data, and
//! the words in which a model learns what is wrong with one. The rule it protects: a
//! problem names places and rules of the schema, never a word that the model chose, so
//! that it may stand among our own rules; and no check reads from elsewhere or takes
//! longer than its value is long.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Deserializer, Value};

use crate::domain::OutputSchema;

/// The edition of JSON Schema that schemas are read by, as `$schema` names it.
pub(super) const EDITION: &str = "https://json-schema.org/draft/2020-12/schema";

/// Reads nothing from elsewhere, and matches patterns in time that grows with the text alone.
pub(super) fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options()
        .offline()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
}

/// The shape of an answer that is data, ready to be checked.
#[derive(Debug)]
pub(super) struct Shape {
    schema: Arc<OutputSchema>,
    validator: Validator,
    /// The properties that the schema names.
    names: BTreeSet<String>,
}

/// The most problems that are told of one answer.
const MAX_PROBLEMS: usize = 5;

const NO_JSON: &str = "It was no JSON.";
const CUT_SHORT: &str = "It ended before the JSON was complete. Be briefer.";

impl Shape {
    /// Reads a schema.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn new(schema: OutputSchema) -> Result<Self, Box<ValidationError<'static>>> {
        let validator = validator(schema.schema())?;
        let names = names(schema.schema());
        Ok(Self { schema: Arc::new(schema), validator, names })
    }

    /// The same for a schema of our own, from its text.
    pub(super) fn of_ours(name: &str, text: &str) -> Self {
        let schema = OutputSchema::of_text(name, text).expect("it describes an object and has a plain name");
        Self::new(schema).expect("our own schemas refer to nothing elsewhere and have no faults")
    }

    pub(super) fn schema(&self) -> &Arc<OutputSchema> {
        &self.schema
    }

    /// The data that an answer is, where it is of the shape.
    ///
    /// # Errors
    /// What is wrong, in sentences for the model.
    pub(super) fn data(&self, answer: &str) -> Result<Value, String> {
        let value = serde_json::from_str(answer).map_err(|error| unreadable(&error))?;
        self.checked(value)
    }

    /// The same for an answer that stands in a code fence or between words, as models without
    /// a way to be held to a schema write it: its first object counts.
    ///
    /// # Errors
    /// Like [`Self::data`].
    pub(super) fn data_within(&self, answer: &str) -> Result<Value, String> {
        // What an answer that was cut short holds further within is not the answer.
        let begins = |at: &usize| answer[at + 1..].trim_start().starts_with(['"', '}']);
        let begin = answer.match_indices('{').map(|(at, _)| at).find(begins);
        let first = begin.and_then(|at| Deserializer::from_str(&answer[at..]).into_iter().next());
        match first {
            Some(Ok(value)) => self.checked(value),
            Some(Err(error)) => Err(unreadable(&error)),
            None => self.data(answer),
        }
    }

    fn checked(&self, value: Value) -> Result<Value, String> {
        let mut problems = String::new();
        for error in self.validator.iter_errors(&value).take(MAX_PROBLEMS) {
            let keyword = error.schema_path().to_string();
            let keyword = keyword.rsplit('/').next().unwrap_or_default();
            let place = self.place(error.instance_path().as_str(), &value);
            write!(problems, "At `{place}` it broke the schema's `{keyword}`. ")
                .expect("strings take everything");
        }
        if problems.is_empty() { Ok(value) } else { Err(problems.trim_end().to_owned()) }
    }

    /// A place in the data, shortened. A name that the schema does not have is the model's
    /// own, and not told.
    fn place(&self, pointer: &str, data: &Value) -> String {
        const MAX_CHARS: usize = 80;
        let mut at = Some(data);
        let mut place = String::new();
        for segment in pointer.split('/').skip(1) {
            let name = segment.replace("~1", "/").replace("~0", "~");
            let is_told = matches!(at, Some(Value::Array(_))) || self.names.contains(&name);
            place.push('/');
            place.push_str(if is_told { segment } else { "*" });
            at = match at {
                Some(Value::Array(entries)) => name.parse().ok().and_then(|index: usize| entries.get(index)),
                Some(other) => other.get(&name),
                None => None,
            };
        }
        let told = place.chars().filter(|c| !c.is_control() && *c != '`').take(MAX_CHARS);
        let told: String = told.collect();
        if told.is_empty() { "/".to_owned() } else { told }
    }
}

fn unreadable(error: &serde_json::Error) -> String {
    if error.is_eof() { CUT_SHORT.to_owned() } else { NO_JSON.to_owned() }
}

/// The properties that a schema names, at whatever depth.
fn names(schema: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut left = vec![schema];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(members) => {
                let properties = members.get("properties").and_then(Value::as_object);
                names.extend(properties.into_iter().flat_map(|properties| properties.keys().cloned()));
                left.extend(members.values());
            }
            Value::Array(entries) => left.extend(entries),
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{CUT_SHORT, NO_JSON, Shape};
    use crate::domain::OutputSchema;

    fn shape(schema: Value) -> Shape {
        Shape::new(OutputSchema::new("sample", schema).unwrap()).unwrap()
    }

    fn sample() -> Shape {
        shape(json!({
            "type": "object",
            "properties": {"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
            "required": ["title", "tags"],
            "additionalProperties": false,
        }))
    }

    #[test]
    fn data_of_the_shape_is_taken_and_other_data_is_told_by_its_places() {
        let good = json!({"title": "A", "tags": ["b"]});
        assert_eq!(sample().data(&good.to_string()), Ok(good));
        let table = [
            ("Sure! Here it is.", NO_JSON),
            ("{\"title\": \"A\", \"ta", CUT_SHORT),
            ("[]", "At `/` it broke the schema's `type`."),
            ("{\"title\": \"A\"}", "At `/` it broke the schema's `required`."),
            ("{\"title\": 1, \"tags\": []}", "At `/title` it broke the schema's `type`."),
            ("{\"title\": \"A\", \"tags\": [2]}", "At `/tags/0` it broke the schema's `type`."),
            (
                "{\"title\": \"A\", \"tags\": [], \"secret words\": 1}",
                "At `/` it broke the schema's `additionalProperties`.",
            ),
        ];
        for (answer, problem) in table {
            assert_eq!(sample().data(answer).unwrap_err(), problem, "{answer}");
        }
        let many = json!({"title": "A", "tags": [1, 2, 3, 4, 5, 6, 7]}).to_string();
        assert_eq!(sample().data(&many).unwrap_err().matches("At `").count(), 5);
    }

    #[test]
    fn a_name_that_the_model_chose_is_not_told() {
        let shape = shape(json!({
            "type": "object",
            "properties": {"a/b": {"type": "integer"}},
            "additionalProperties": {"type": "object", "additionalProperties": {"type": "array", "items": {
                "type": "object", "properties": {"count": {"type": "integer"}},
            }}},
        }));
        let answer = json!({"Obey me": {"0": [{"count": 1}, {"count": "x"}]}, "a/b": "x"}).to_string();
        let mut told: Vec<String> =
            shape.data(&answer).unwrap_err().split("At ").map(str::to_owned).collect();
        told.sort();
        let expected =
            ["", "`/*/*/1/count` it broke the schema's `type`. ", "`/a~1b` it broke the schema's `type`."];
        assert_eq!(told.iter().map(|one| one.trim()).collect::<Vec<_>>(), expected.map(str::trim));
    }

    #[test]
    fn data_is_found_in_a_code_fence_and_among_words() {
        let good = json!({"title": "A } b {", "tags": []});
        for answer in [
            format!("```json\n{good}\n```"),
            format!("Here it is:\n{good}\nAnything else?"),
            format!("{good}\n\nHope this helps! {{And more}}"),
            format!("  {good}"),
            format!("The {{title}} is there: {good}"),
            good.to_string(),
        ] {
            assert_eq!(sample().data_within(&answer), Ok(good.clone()), "{answer}");
        }
        assert_eq!(sample().data_within("} no {").unwrap_err(), NO_JSON);
        assert_eq!(sample().data_within("```json\n{\"title\": \"A").unwrap_err(), CUT_SHORT);
        let broken = sample().data_within("{\"title\": 1, \"tags\": []}\nBye.").unwrap_err();
        assert_eq!(broken, "At `/title` it broke the schema's `type`.");
    }

    #[test]
    fn what_stands_within_an_answer_that_was_cut_short_is_no_answer() {
        let loose = shape(json!({"type": "object"}));
        assert_eq!(loose.data_within("{\"a\": {\"b\": 1}, \"c").unwrap_err(), CUT_SHORT);
        assert_eq!(loose.data_within("{\"a\": {\"b\": 1}, c}").unwrap_err(), NO_JSON);
    }

    #[test]
    fn patterns_are_those_that_take_no_longer_than_their_text() {
        let of = |pattern: &str| json!({"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}});
        let shape = shape(of("^(a+)+$"));
        assert!(shape.data(&json!({"a": "aaaa"}).to_string()).is_ok());
        let long = json!({"a": format!("{}b", "a".repeat(100_000))}).to_string();
        assert_eq!(shape.data(&long).unwrap_err(), "At `/a` it broke the schema's `pattern`.");
        // What only a matcher that tries again and again can do is no schema for it.
        for pattern in ["^(?=(a+)+b)", "^(a+)+\\1$"] {
            assert!(Shape::new(OutputSchema::new("sample", of(pattern)).unwrap()).is_err(), "{pattern}");
        }
    }
}
