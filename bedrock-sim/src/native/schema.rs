//! Schemas: which members a native body may have, of which types and in which ranges.
//!
//! Owns the check of one object against its members and the texts of what is wrong. The members of
//! each format are the format's own matter. A value is only read after its object has been checked.
//! The one rule it protects: an unknown member, a wrong type and a value out of range are refused
//! in AWS's words; of several faults only the number is told, as AWS does it.

use serde_json::{Map, Value};

use super::guarding;
use crate::errors::Refusal;
use crate::request::Inference;

pub(super) type Object = Map<String, Value>;

/// What a member holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A text of at least one character.
    Text,
    /// A text that may be empty.
    AnyText,
    Integer(i64, i64),
    Number(f64, f64),
    Flag,
    Word(&'static [&'static str]),
    /// At most so many texts.
    Texts(usize),
    List,
    Object,
    TextOrList,
    /// Letters and digits, at least one and at most so many.
    Suffix(usize),
    Any,
}

#[derive(Debug)]
pub(super) struct Member {
    name: &'static str,
    kind: Kind,
    required: bool,
}

pub(super) const fn required(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: true }
}

pub(super) const fn optional(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: false }
}

/// Gathers what is wrong with a body.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    /// The faults of the members of a whole body.
    pub(super) fn of_body(body: &Object, members: &[Member]) -> Self {
        let mut faults = Self::default();
        faults.check_known(body, "#", members, &[guarding::CONFIG]);
        if let Some(config) = body.get(guarding::CONFIG) {
            faults.check_value(config, &format!("#/{}", guarding::CONFIG), guarding::CONFIG_MEMBERS);
        }
        faults
    }

    /// Checks a value that has to be an object of these members.
    pub(super) fn check_value(&mut self, value: &Value, at: &str, members: &[Member]) {
        match value {
            Value::Object(object) => self.check_known(object, at, members, &[]),
            other => self.wrong_type(at, "JSONObject", other),
        }
    }

    /// Checks the member of that name, if it is there, as an object of these members.
    pub(super) fn check_member(&mut self, object: &Object, at: &str, name: &str, members: &[Member]) {
        if let Some(value @ Value::Object(_)) = object.get(name) {
            self.check_value(value, &format!("{at}/{name}"), members);
        }
    }

    /// Checks each item of the list of that name, if it is there.
    pub(super) fn check_items(&mut self, object: &Object, name: &str, members: &[Member]) {
        for (index, item) in list(object, name).iter().enumerate() {
            self.check_value(item, &format!("#/{name}/{index}"), members);
        }
    }

    fn check_known(&mut self, object: &Object, at: &str, members: &[Member], more: &[&str]) {
        for name in object.keys() {
            let known = members.iter().any(|member| member.name == name) || more.contains(&name.as_str());
            if !known {
                self.add(at, &format!("extraneous key [{name}] is not permitted"));
            }
        }
        for member in members {
            match object.get(member.name) {
                None if member.required => {
                    self.add(at, &format!("required key [{}] not found", member.name));
                }
                None => {}
                Some(value) => self.check_kind(value, &format!("{at}/{}", member.name), member.kind),
            }
        }
    }

    pub(super) fn check_kind(&mut self, value: &Value, at: &str, kind: Kind) {
        match (kind, value) {
            (Kind::Text | Kind::Suffix(_), Value::String(text)) if text.is_empty() => {
                self.add(at, "expected minLength: 1, actual: 0");
            }
            (Kind::Suffix(most), Value::String(text)) => {
                if text.len() > most {
                    self.add(at, &format!("expected maxLength: {most}, actual: {}", text.len()));
                }
                if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                    self.add(at, &format!("string [{text}] does not match pattern ^[a-zA-Z0-9]*$"));
                }
            }
            (Kind::Integer(least, most), Value::Number(number)) if number.is_i64() || number.is_u64() => {
                let number = number.as_i64().unwrap_or(i64::MAX);
                self.check_range(&number, &least, &most, at);
            }
            (Kind::Number(least, most), Value::Number(number)) => {
                self.check_range(&number.as_f64().unwrap_or(f64::MAX), &least, &most, at);
            }
            (Kind::Word(words), Value::String(word)) => {
                if !words.contains(&word.as_str()) {
                    self.add(at, &format!("{word} is not a valid enum value"));
                }
            }
            (Kind::Texts(most), Value::Array(texts)) => {
                if texts.len() > most {
                    let found = texts.len();
                    self.add(at, &format!("expected maximum item count: {most}, found: {found}"));
                }
                for (index, text) in texts.iter().enumerate() {
                    self.check_kind(text, &format!("{at}/{index}"), Kind::Text);
                }
            }
            (Kind::Text | Kind::AnyText | Kind::TextOrList, Value::String(_))
            | (Kind::Flag, Value::Bool(_))
            | (Kind::List | Kind::TextOrList, Value::Array(_))
            | (Kind::Object, Value::Object(_))
            | (Kind::Any, _) => {}
            (kind, other) => self.wrong_type(at, expected(kind), other),
        }
    }

    fn check_range<T: PartialOrd + std::fmt::Display>(&mut self, number: &T, least: &T, most: &T, at: &str) {
        if number < least {
            self.add(at, &format!("{number} is not greater or equal to {least}"));
        } else if number > most {
            self.add(at, &format!("{number} is not less or equal to {most}"));
        }
    }

    pub(super) fn wrong_type(&mut self, at: &str, expected: &str, found: &Value) {
        self.add(at, &format!("expected type: {expected}, found: {}", type_name(found)));
    }

    pub(super) fn add(&mut self, at: &str, what: &str) {
        self.0.push(format!("{at}: {what}"));
    }

    /// Ends the check: Ok if nothing is wrong.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.0.as_slice() {
            [] => Ok(()),
            [fault] => Err(malformed(fault)),
            faults => Err(malformed(&format!("{} schema violations found", faults.len()))),
        }
    }
}

pub(super) fn malformed(what: &str) -> Refusal {
    Refusal::validation(format!("Malformed input request: {what}, please reformat your input and try again."))
}

pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "BigDecimal",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::AnyText | Kind::Word(_) | Kind::Suffix(_) => "String",
        Kind::Integer(..) => "Integer",
        Kind::Number(..) => "Number",
        Kind::Flag => "Boolean",
        Kind::Texts(_) | Kind::List | Kind::TextOrList => "JSONArray",
        Kind::Object | Kind::Any => "JSONObject",
    }
}

// Values of objects that have been checked.

pub(super) fn text<'v>(object: &'v Object, name: &str) -> &'v str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn integer(object: &Object, name: &str) -> Option<u64> {
    object.get(name).and_then(Value::as_u64)
}

pub(super) fn list<'v>(object: &'v Object, name: &str) -> &'v [Value] {
    object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn texts(object: &Object, name: &str) -> Vec<String> {
    list(object, name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// How the model is asked to write: the names are those of the most tokens, the temperature, the
/// share of the nucleus and the stop sequences.
pub(super) fn inference(object: &Object, [max_tokens, temperature, top_p, stops]: [&str; 4]) -> Inference {
    let number = |name| object.get(name).and_then(Value::as_f64);
    Inference {
        max_tokens: integer(object, max_tokens),
        temperature: number(temperature),
        top_p: number(top_p),
        stop_sequences: texts(object, stops),
    }
}

/// The text of that name, which must not be blank.
pub(super) fn prompt<'v>(body: &'v Object, name: &str) -> Result<&'v str, Refusal> {
    match text(body, name) {
        blank if blank.trim().is_empty() => Err(malformed(&format!("#/{name}: the text is blank"))),
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MEMBERS: &[Member] = &[
        required("prompt", Kind::Text),
        optional("count", Kind::Integer(1, 10)),
        optional("share", Kind::Number(0.0, 1.0)),
        optional("stop", Kind::Texts(1)),
        optional("word", Kind::Word(&["A"])),
    ];

    fn refused(body: &Value) -> String {
        let faults = Faults::of_body(body.as_object().unwrap(), MEMBERS);
        faults.finish().map_or_else(|refusal| refusal.message, |()| String::new())
    }

    #[test]
    fn each_fault_has_the_words_of_aws() {
        let cases = [
            (json!({}), "#: required key [prompt] not found"),
            (json!({"prompt": ""}), "#/prompt: expected minLength: 1, actual: 0"),
            (json!({"prompt": 1}), "#/prompt: expected type: String, found: Integer"),
            (json!({"prompt": "a", "x": 1}), "#: extraneous key [x] is not permitted"),
            (json!({"prompt": "a", "count": 0}), "#/count: 0 is not greater or equal to 1"),
            (json!({"prompt": "a", "count": 11}), "#/count: 11 is not less or equal to 10"),
            (json!({"prompt": "a", "count": 1.5}), "#/count: expected type: Integer, found: BigDecimal"),
            (json!({"prompt": "a", "share": 1.5}), "#/share: 1.5 is not less or equal to 1"),
            (json!({"prompt": "a", "stop": ["b", "c"]}), "#/stop: expected maximum item count: 1, found: 2"),
            (json!({"prompt": "a", "word": "B"}), "#/word: B is not a valid enum value"),
            (json!({"x": 1}), "2 schema violations found"),
            (
                json!({"prompt": "a", "amazon-bedrock-guardrailConfig": {"y": 1}}),
                "#/amazon-bedrock-guardrailConfig: extraneous key [y] is not permitted",
            ),
            (
                json!({"prompt": "a", "amazon-bedrock-guardrailConfig": {"tagSuffix": ""}}),
                "#/amazon-bedrock-guardrailConfig/tagSuffix: expected minLength: 1, actual: 0",
            ),
            (
                json!({"prompt": "a", "amazon-bedrock-guardrailConfig": {"tagSuffix": "x".repeat(21)}}),
                "#/amazon-bedrock-guardrailConfig/tagSuffix: expected maxLength: 20, actual: 21",
            ),
            (
                json!({"prompt": "a", "amazon-bedrock-guardrailConfig": {"tagSuffix": "a-b"}}),
                "#/amazon-bedrock-guardrailConfig/tagSuffix: string [a-b] does not match pattern ^[a-zA-Z0-9]*$",
            ),
        ];
        for (body, text) in cases {
            let expected =
                format!("Malformed input request: {text}, please reformat your input and try again.");
            assert_eq!(refused(&body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_described_is_allowed() {
        let guarded = json!({"tagSuffix": "x", "streamProcessingMode": "SYNCHRONOUS"});
        let body = json!({"prompt": "a", "count": 10, "share": 0, "stop": ["b"], "word": "A",
            "amazon-bedrock-guardrailConfig": guarded});
        assert_eq!(refused(&body), "");
    }
}
