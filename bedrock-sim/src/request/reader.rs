//! Reading JSON as AWS reads it: types are checked on the way, constraints are collected.
//!
//! Owns the two ways a body is refused before any meaning is looked at: a value of the wrong type
//! ends the reading with a SerializationException, and broken constraints are gathered into one
//! ValidationException. It knows no shape of the API. A null counts as absent, as it does at AWS.
//! The one rule it protects: all broken constraints of a request are told at once.

use std::fmt;

use serde_json::{Map, Value};

use crate::errors::Refusal;

pub(super) type Object = Map<String, Value>;

/// Where a value stands in the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Member(&'a str),
    Item(usize),
}

impl<'a> At<'a> {
    pub(super) const ROOT: At<'static> = At { parent: None, step: Step::Root };

    pub(super) fn member(&'a self, name: &'a str) -> At<'a> {
        At { parent: Some(self), step: Step::Member(name) }
    }

    pub(super) fn item(&'a self, index: usize) -> At<'a> {
        At { parent: Some(self), step: Step::Item(index) }
    }

    /// The path as the service's own messages tell it: `messages.0.content.1`.
    pub(super) fn plain(self) -> String {
        self.steps()
            .iter()
            .map(|step| match step {
                Step::Root => String::new(),
                Step::Member(name) => (*name).to_owned(),
                Step::Item(index) => index.to_string(),
            })
            .collect::<Vec<_>>()
            .join(".")
    }

    fn steps(self) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(here) = at {
            if !matches!(here.step, Step::Root) {
                steps.push(here.step);
            }
            at = here.parent.copied();
        }
        steps.reverse();
        steps
    }
}

/// The path as constraint messages tell it: `messages.1.member.role`, counted from 1.
impl fmt::Display for At<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps().iter().enumerate() {
            if position > 0 {
                formatter.write_str(".")?;
            }
            match step {
                Step::Root => {}
                Step::Member(name) => formatter.write_str(name)?,
                Step::Item(index) => write!(formatter, "{}.member", index + 1)?,
            }
        }
        Ok(())
    }
}

/// Gathers the constraints that a body breaks.
#[derive(Debug, Default)]
pub(super) struct Reader {
    violations: Vec<String>,
}

impl Reader {
    /// Ends the reading: Ok if no constraint was broken.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.violations.len() {
            0 => Ok(()),
            1 => Err(Refusal::validation(format!("1 validation error detected: {}", self.violations[0]))),
            count => Err(Refusal::validation(format!(
                "{count} validation errors detected: {}",
                self.violations.join("; ")
            ))),
        }
    }

    pub(super) fn violated(&mut self, value: &dyn fmt::Display, at: At<'_>, constraint: &str) {
        self.violations.push(format!("Value '{value}' at '{at}' failed to satisfy constraint: {constraint}"));
    }

    pub(super) fn missing(&mut self, at: At<'_>) {
        self.violations
            .push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
    }

    pub(super) fn length(&mut self, text: &str, at: At<'_>, min: usize, max: usize) {
        let length = text.chars().take(max + 1).count();
        if length < min {
            let constraint = format!("Member must have length greater than or equal to {min}");
            self.violated(&text, at, &constraint);
        } else if length > max {
            let constraint = format!("Member must have length less than or equal to {max}");
            self.violated(&text, at, &constraint);
        }
    }

    pub(super) fn word(&mut self, text: &str, at: At<'_>, words: &[&str]) {
        if !words.contains(&text) {
            let constraint = format!("Member must satisfy enum value set: [{}]", words.join(", "));
            self.violated(&text, at, &constraint);
        }
    }

    pub(super) fn number(&mut self, number: f64, at: At<'_>, min: f64, max: f64) {
        if number < min {
            let constraint = format!("Member must have value greater than or equal to {min}");
            self.violated(&number, at, &constraint);
        } else if number > max {
            let constraint = format!("Member must have value less than or equal to {max}");
            self.violated(&number, at, &constraint);
        }
    }
}

pub(super) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| mismatch("Unable to parse the body as JSON".to_owned()))
}

pub(super) fn object(value: &Value) -> Result<&Object, Refusal> {
    value.as_object().ok_or_else(|| mismatch("Unexpected value type in payload".to_owned()))
}

pub(super) fn member_object<'v>(parent: &'v Object, name: &str) -> Result<Option<&'v Object>, Refusal> {
    present(parent, name).map(object).transpose()
}

pub(super) fn member_list<'v>(parent: &'v Object, name: &str) -> Result<Option<&'v [Value]>, Refusal> {
    let list = present(parent, name).map(|value| {
        value.as_array().map(Vec::as_slice).ok_or_else(|| mismatch("Expected list or null".to_owned()))
    });
    list.transpose()
}

pub(super) fn member_text<'v>(parent: &'v Object, name: &str) -> Result<Option<&'v str>, Refusal> {
    present(parent, name).map(text).transpose()
}

pub(super) fn text(value: &Value) -> Result<&str, Refusal> {
    value.as_str().ok_or_else(|| converted(value, "String"))
}

pub(super) fn member_integer(parent: &Object, name: &str) -> Result<Option<i64>, Refusal> {
    let integer =
        present(parent, name).map(|value| value.as_i64().ok_or_else(|| converted(value, "Integer")));
    integer.transpose()
}

pub(super) fn member_number(parent: &Object, name: &str) -> Result<Option<f64>, Refusal> {
    let number = present(parent, name).map(|value| value.as_f64().ok_or_else(|| converted(value, "Float")));
    number.transpose()
}

pub(super) fn present<'v>(parent: &'v Object, name: &str) -> Option<&'v Value> {
    parent.get(name).filter(|value| !value.is_null())
}

fn converted(value: &Value, to: &str) -> Refusal {
    let from = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) if value.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    mismatch(format!("{from} cannot be converted to {to}"))
}

fn mismatch(message: String) -> Refusal {
    Refusal::new(400, "SerializationException", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_in_both_ways() {
        let messages = At::ROOT.member("messages");
        let first = messages.item(0);
        let content = first.member("content");
        let block = content.item(2);
        assert_eq!(block.plain(), "messages.0.content.2");
        assert_eq!(block.to_string(), "messages.1.member.content.3.member");
    }

    #[test]
    fn broken_constraints_are_told_together() {
        let mut reader = Reader::default();
        reader.number(0.0, At::ROOT.member("maxTokens"), 1.0, f64::MAX);
        reader.word("robot", At::ROOT.member("role"), &["user", "assistant"]);
        reader.length("", At::ROOT.member("text"), 1, 10);
        reader.missing(At::ROOT.member("name"));
        let refusal = reader.finish().unwrap_err();
        assert_eq!(
            refusal.message,
            "4 validation errors detected: \
             Value '0' at 'maxTokens' failed to satisfy constraint: \
             Member must have value greater than or equal to 1; \
             Value 'robot' at 'role' failed to satisfy constraint: \
             Member must satisfy enum value set: [user, assistant]; \
             Value '' at 'text' failed to satisfy constraint: \
             Member must have length greater than or equal to 1; \
             Value null at 'name' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn a_wrong_type_is_told_by_both_types() {
        let json: Value = serde_json::json!({"a": "x", "b": 1.5, "c": null, "d": []});
        let object = object(&json).unwrap();
        let message = |result: Result<Option<i64>, Refusal>| result.unwrap_err().message;
        assert_eq!(message(member_integer(object, "a")), "STRING_VALUE cannot be converted to Integer");
        assert_eq!(message(member_integer(object, "b")), "DECIMAL_VALUE cannot be converted to Integer");
        assert!(member_integer(object, "c").unwrap().is_none());
        assert!(member_text(object, "d").is_err());
    }
}
