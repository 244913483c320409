//! What is made of an answer that has to be of some shape or length.
//!
//! Owns the verdict on a finished answer, and the reading of answers that are data. It
//! calls no model: whoever does asks here whether the answer can be told, and if not,
//! what to tell the model. The rule it protects: a problem names places and limits,
//! never the caller's text, so that it may stand among our own rules.

use std::fmt::Write as _;

use serde_json::Value;

use super::generate::Platform;
use crate::domain::OutputSchema;

/// The verdict on an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Review {
    /// It can be told.
    Good(Reviewed),
    /// It cannot be told as it is; the sentences say to the model what is wrong.
    Poor { problem: String },
}

/// An answer in its final words.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    pub text: String,
    pub remarks: Vec<Remark>,
}

/// Something the caller should know of what was done to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// A post was longer than its platform takes, also when it was written anew.
    PostShortened(Platform),
}

/// The most problems that are told of one answer.
const MAX_PROBLEMS: usize = 5;

/// The data that an answer is, where it is of its schema.
///
/// # Errors
/// What is wrong, in sentences for the model.
pub(super) fn data(schema: &OutputSchema, answer: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(answer).map_err(|error| match error.is_eof() {
        true => "It ended before the JSON was complete. Be briefer.".to_owned(),
        false => "It was no JSON.".to_owned(),
    })?;
    let validator = jsonschema::validator_for(schema.schema())
        .map_err(|_| "There is no usable JSON schema for it.".to_owned())?;
    let mut problems = String::new();
    for error in validator.iter_errors(&value).take(MAX_PROBLEMS) {
        let keyword = error.schema_path().to_string();
        let keyword = keyword.rsplit('/').next().unwrap_or_default();
        write!(
            problems,
            "At `{}` it broke the schema's `{keyword}`. ",
            place(&error.instance_path().to_string())
        )
        .expect("strings take everything");
    }
    if problems.is_empty() { Ok(value) } else { Err(problems.trim_end().to_owned()) }
}

/// The same for an answer that stands in a code fence or between words, as models without
/// a way to be held to a schema write it.
///
/// # Errors
/// Like [`data`].
pub(super) fn data_within(schema: &OutputSchema, answer: &str) -> Result<Value, String> {
    let whole = data(schema, answer);
    if whole.is_ok() || answer.trim_start().starts_with('{') {
        return whole;
    }
    let object = answer.find('{').zip(answer.rfind('}')).filter(|(start, end)| start < end);
    object.map_or(whole, |(start, end)| data(schema, &answer[start..=end]))
}

/// A place in the data, shortened: the names in it are the model's own.
fn place(pointer: &str) -> String {
    const MAX_CHARS: usize = 80;
    let shown: String = pointer.chars().filter(|c| !c.is_control() && *c != '`').take(MAX_CHARS).collect();
    if shown.is_empty() { "/".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{data, data_within};
    use crate::domain::OutputSchema;

    fn schema() -> OutputSchema {
        let schema = json!({
            "type": "object",
            "properties": {"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
            "required": ["title", "tags"],
            "additionalProperties": false,
        });
        OutputSchema::new("sample", schema).unwrap()
    }

    #[test]
    fn data_of_the_schema_is_taken_and_other_data_is_told_by_its_places() {
        let good = json!({"title": "A", "tags": ["b"]});
        assert_eq!(data(&schema(), &good.to_string()), Ok(good));
        let table = [
            ("Sure! Here it is.", "It was no JSON."),
            ("{\"title\": \"A\", \"ta", "It ended before the JSON was complete. Be briefer."),
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
            assert_eq!(data(&schema(), answer).unwrap_err(), problem, "{answer}");
        }
        let many = json!({"title": "A", "tags": [1, 2, 3, 4, 5, 6, 7]}).to_string();
        assert_eq!(data(&schema(), &many).unwrap_err().matches("At `").count(), 5);
    }

    #[test]
    fn data_is_found_within_a_code_fence() {
        let good = json!({"title": "A } b", "tags": []});
        for answer in [
            format!("```json\n{good}\n```"),
            format!("Here it is:\n{good}\nAnything else?"),
            good.to_string(),
        ] {
            assert_eq!(data_within(&schema(), &answer), Ok(good.clone()), "{answer}");
        }
        assert_eq!(data_within(&schema(), "} no {").unwrap_err(), "It was no JSON.");
    }
}
