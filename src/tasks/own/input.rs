//! The input of a task from a file: a JSON schema of flat members.
//!
//! Owns the check of a request's members against a schema, and the words in which a caller
//! learns what is wrong. Which schemas are taken, `schema` says. The rule it protects: every
//! string of a caller has a bound.

mod schema;

use std::collections::BTreeMap;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value, json};

use self::schema::{LONGEST_TEXT, MOST_ENTRIES, MOST_MEMBERS, OF_OBJECT, Problems};
use super::SpecProblem;
use crate::tasks::fields::{FieldProblem, MAX_PROBLEMS, nearest};
use crate::tasks::shape::validator;

/// How a member may stand in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of some words that the schema lists.
    Closed,
    /// A short text, on one line.
    Word,
    /// A longer text, in a fence of its own.
    Material,
    Number,
    Boolean,
    List,
}

/// A schema that was checked.
#[derive(Debug)]
pub(super) struct Input {
    schema: Value,
    validator: Validator,
    /// Of the members, by name.
    kinds: BTreeMap<String, Kind>,
    required: Vec<String>,
}

impl Input {
    /// Checks a schema.
    ///
    /// # Errors
    /// Every problem, with the path to it from the schema's root.
    pub(super) fn new(schema: &Value) -> Result<Self, Vec<SpecProblem>> {
        let mut problems = Problems::default();
        let Value::Object(given) = schema else {
            problems.add(&[], format!("expected a table with a JSON schema of an object, found {schema}"));
            return Err(problems.0);
        };
        for (name, value) in given {
            match (name.as_str(), value) {
                ("type", Value::String(kind)) if kind == "object" => {}
                ("type", _) => problems.add(&["type"], format!("expected \"object\", found {value}")),
                ("additionalProperties", Value::Bool(false)) => {}
                ("additionalProperties", _) => {
                    let message = "expected false: members that the schema does not list are refused";
                    problems.add(&["additionalProperties"], message.to_owned());
                }
                (word, _) => problems.word(&[word], word, &OF_OBJECT),
            }
        }
        let none = Map::new();
        let properties = match given.get("properties") {
            None => &none,
            Some(Value::Object(properties)) => properties,
            Some(other) => {
                problems.add(&["properties"], format!("expected a table of members, found {other}"));
                &none
            }
        };
        if properties.len() > MOST_MEMBERS {
            problems.add(&["properties"], format!("has more than {MOST_MEMBERS} members"));
        }
        let mut kinds = BTreeMap::new();
        for (name, member) in properties {
            problems.name(name);
            if let Some(kind) = problems.member(name, member) {
                kinds.insert(name.clone(), kind);
            }
        }
        let required = problems.required(given.get("required"), properties);
        let mut schema = schema.clone();
        schema["type"] = json!("object");
        schema["additionalProperties"] = json!(false);
        // A schema whose words are unsound would be told once more by its meta-schema.
        if !problems.0.is_empty() {
            return Err(problems.0);
        }
        let validator = match validator(&schema) {
            Ok(validator) => validator,
            Err(error) => {
                problems.of_schema(&error);
                return Err(problems.0);
            }
        };
        let input = Self { schema, validator, kinds, required };
        input.check_samples(properties, &mut problems);
        if problems.0.is_empty() { Ok(input) } else { Err(problems.0) }
    }

    /// The schema as it is published.
    pub(super) fn schema(&self) -> &Value {
        &self.schema
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.kinds.contains_key(name)
    }

    /// The members, in the order of the alphabet.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.kinds.get(name).copied()
    }

    fn property(&self, name: &str) -> &Value {
        &self.schema["properties"][name]
    }

    /// The default of a member that a request leaves out.
    pub(super) fn default_of(&self, name: &str) -> Option<&Value> {
        self.property(name).get("default")
    }

    /// An input with nothing but what must be there.
    pub(super) fn least_sample(&self) -> Map<String, Value> {
        let wanted = self.names().filter(|name| {
            self.required.iter().any(|required| required == name) || self.default_of(name).is_some()
        });
        wanted.map(|name| (name.to_owned(), sample(self.property(name)))).collect()
    }

    /// An input with every member.
    pub(super) fn full_sample(&self) -> Map<String, Value> {
        self.names().map(|name| (name.to_owned(), sample(self.property(name)))).collect()
    }

    /// The value that a member has whose text stands in a query or a form; what is no such
    /// value stays as it is, and is told.
    pub(super) fn of_text(&self, name: &str, value: Value) -> Value {
        let Value::String(text) = &value else { return value };
        let property = self.property(name);
        let read = match self.kind(name) {
            Some(Kind::List) => {
                let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                Some(entries.map(|entry| typed(entry, &property["items"])).collect())
            }
            Some(_) => Some(typed(text, property)),
            None => None,
        };
        read.unwrap_or(value)
    }

    /// What is wrong with the members of a request, and no more of it than anybody reads.
    /// Pointers name the members as the schema does.
    pub(super) fn problems(&self, members: &Value) -> Vec<FieldProblem> {
        self.validator.iter_errors(members).take(MAX_PROBLEMS).map(|error| self.told(&error)).collect()
    }

    fn told(&self, error: &ValidationError<'_>) -> FieldProblem {
        let mut pointer = error.instance_path().as_str().to_owned();
        let mut segments = pointer.split('/').skip(1);
        let name = segments.next().unwrap_or_default();
        let entry = segments.next().and_then(|index| index.parse::<usize>().ok());
        let subject = match entry {
            Some(index) => format!("Entry {} of `{name}`", index + 1),
            None => format!("`{name}`"),
        };
        let property = self.property(name);
        let schema = if entry.is_some() { &property["items"] } else { property };
        let detail = match error.kind() {
            ValidationErrorKind::Required { property } => {
                let missing = property.as_str().unwrap_or_default().to_owned();
                pointer = format!("/{missing}");
                let about = self.property(&missing)["description"].as_str();
                match about {
                    Some(about) => format!("`{missing}` is missing. {about}"),
                    None => format!("`{missing}` is missing."),
                }
            }
            kind => {
                let rule = rule(kind, schema, error.instance());
                let end = if rule.ends_with('?') { "" } else { "." };
                format!("{subject} {rule}{end}")
            }
        };
        FieldProblem { pointer, detail }
    }

    /// Defaults and examples are input, too.
    fn check_samples(&self, properties: &Map<String, Value>, problems: &mut Problems) {
        for (name, member) in properties {
            let default = member.get("default").map(|value| (vec![name.as_str(), "default"], value));
            let examples = member["examples"].as_array().into_iter().flatten();
            let examples = examples.map(|value| (vec![name.as_str(), "examples"], value));
            for (path, value) in default.into_iter().chain(examples) {
                let alone = json!({ name: value });
                let wrong = self
                    .validator
                    .iter_errors(&alone)
                    .find(|error| !matches!(error.kind(), ValidationErrorKind::Required { .. }));
                if let Some(error) = wrong {
                    let path: Vec<&str> = ["properties"].into_iter().chain(path).collect();
                    problems.add(&path, format!("breaks the schema: {}", self.told(&error).detail));
                }
            }
        }
    }
}

/// The number, truth value or listed value that a text stands for, else the text.
fn typed(text: &str, schema: &Value) -> Value {
    let listed = |value: &Value| {
        let listed = schema["enum"].as_array().is_some_and(|values| values.contains(value));
        listed || schema.get("const") == Some(value)
    };
    let read: Option<Value> = serde_json::from_str(text.trim()).ok();
    let fits = |value: &Value| match schema["type"].as_str() {
        Some("integer" | "number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some(_) => false,
        None => listed(value) && !listed(&Value::from(text)),
    };
    read.filter(fits).unwrap_or_else(|| Value::from(text))
}

/// What a value has to be, as the end of a sentence.
fn rule(kind: &ValidationErrorKind, schema: &Value, given: &Value) -> String {
    use ValidationErrorKind as K;
    match kind {
        K::Type { kind: TypeKind::Single(kind) } => match kind.to_string().as_str() {
            "string" => "must be a string".to_owned(),
            "integer" => "must be a whole number".to_owned(),
            "number" => "must be a number".to_owned(),
            "boolean" => "must be `true` or `false`".to_owned(),
            "array" => "must be a list".to_owned(),
            other => format!("must be of type {other}"),
        },
        K::Enum { options } => {
            let words: Vec<String> = options.as_array().into_iter().flatten().map(word).collect();
            let near = given.as_str().and_then(|given| {
                nearest(given, options.as_array().into_iter().flatten().filter_map(Value::as_str))
            });
            match near {
                Some(near) => format!("must be {}; did you mean `{near}`?", either(&words)),
                None => format!("must be {}", either(&words)),
            }
        }
        K::Constant { expected_value } => format!("must be {}", word(expected_value)),
        K::MinLength { limit: 1 } => "must not be empty".to_owned(),
        K::MinLength { limit } => format!("must have at least {limit} characters"),
        K::MaxLength { limit } => format!("must have at most {limit} characters"),
        K::MinItems { limit } => format!("must have at least {limit} entries"),
        K::MaxItems { limit } => format!("must have at most {limit} entries"),
        K::UniqueItems => "must not hold the same entry twice".to_owned(),
        K::Minimum { limit } => format!("must be at least {limit}"),
        K::Maximum { limit } => format!("must be at most {limit}"),
        K::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        K::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        K::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        K::Pattern { .. } => match schema["description"].as_str() {
            Some(about) => format!("does not have the form that is wanted: {}", about.trim_end_matches('.')),
            None => "does not have the form that is wanted".to_owned(),
        },
        other => format!("breaks the rule `{}` of the task's input", other.keyword()),
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), |word| format!("`{word}`"))
}

fn either(words: &[String]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// A value that fits a schema, as far as that can be told without searching.
fn sample(schema: &Value) -> Value {
    let given = schema
        .get("default")
        .or_else(|| schema["examples"].get(0))
        .or_else(|| schema.get("const"))
        .or_else(|| schema["enum"].get(0));
    if let Some(given) = given {
        return given.clone();
    }
    match schema["type"].as_str() {
        Some("string") => {
            let length = schema["minLength"].as_u64().unwrap_or(0).clamp(1, LONGEST_TEXT);
            Value::from("a".repeat(usize::try_from(length).unwrap_or(1)))
        }
        Some("integer" | "number") => {
            schema.get("minimum").or_else(|| schema.get("maximum")).cloned().unwrap_or(json!(1))
        }
        Some("array") => {
            let count = schema["minItems"].as_u64().unwrap_or(0).clamp(1, MOST_ENTRIES);
            (0..count).map(|_| sample(&schema["items"])).collect()
        }
        _ => Value::from(true),
    }
}

#[cfg(test)]
mod tests {
    use super::{Input, Kind};
    use serde_json::{Value, json};

    fn properties(properties: Value) -> Value {
        json!({"type": "object", "properties": properties})
    }

    #[test]
    fn members_are_told_apart_by_how_they_may_stand_in_a_prompt() {
        let schema = properties(json!({
            "a": {"type": "string", "maxLength": 200},
            "b": {"type": "string", "maxLength": 201},
            "c": {"enum": ["x", "y"]},
            "d": {"type": "integer"},
            "e": {"type": "boolean", "default": true},
            "f": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 10}},
        }));
        let input = Input::new(&schema).unwrap();
        let kinds = ["a", "b", "c", "d", "e", "f", "g"].map(|name| input.kind(name));
        let expected = [
            Some(Kind::Word),
            Some(Kind::Material),
            Some(Kind::Closed),
            Some(Kind::Number),
            Some(Kind::Boolean),
            Some(Kind::List),
            None,
        ];
        assert_eq!(kinds, expected);
        assert_eq!(Value::Object(input.least_sample()), json!({"e": true}));
        assert_eq!(input.schema()["additionalProperties"], json!(false));
    }

    #[test]
    fn what_a_schema_may_not_hold_is_told_with_its_path() {
        let table = [
            (json!("text"), "", "expected a table with a JSON schema"),
            (json!({"type": "array"}), "type", "expected \"object\", found \"array\""),
            (json!({"propertys": {}}), "propertys", "did you mean properties?"),
            (json!({"$ref": "https://example.com/x.json"}), "$ref", "refers to nothing"),
            (json!({"additionalProperties": true}), "additionalProperties", "expected false"),
            (json!({"required": ["tone"]}), "required", "\"tone\" is no member of properties"),
            (properties(json!({"stream": {"type": "boolean"}})), "properties.stream", "the name is taken"),
            (properties(json!({"Tone": {"type": "boolean"}})), "properties.Tone", "expected a name"),
            (
                properties(json!({"a": {"type": "string"}})),
                "properties.a.maxLength",
                "from 1 to 10000, found none",
            ),
            (
                properties(json!({"a": {"type": "string", "maxLength": 10_001}})),
                "properties.a.maxLength",
                "from 1 to 10000, found 10001",
            ),
            (
                properties(json!({"a": {"type": "string", "maxlength": 10, "maxLength": 10}})),
                "properties.a.maxlength",
                "did you mean maxLength?",
            ),
            (properties(json!({"a": {"$ref": "#/x"}})), "properties.a.$ref", "refers to nothing"),
            (properties(json!({"a": {"type": "object"}})), "properties.a.type", "found \"object\""),
            (properties(json!({"a": {}})), "properties.a.type", "found null"),
            (properties(json!({"a": {"type": "array", "maxItems": 2}})), "properties.a.items", "is missing"),
            (
                properties(json!({"a": {"type": "array", "items": {"type": "boolean"}}})),
                "properties.a.maxItems",
                "found none",
            ),
            (
                properties(json!({"a": {"type": "string", "maxLength": 5, "pattern": "("}})),
                "properties.a.pattern",
                "is no JSON schema",
            ),
            (
                properties(json!({"a": {"type": "integer", "minimum": "three"}})),
                "properties.a.minimum",
                "is no JSON schema",
            ),
            (
                properties(json!({"a": {"type": "integer", "maximum": 3, "default": 4}})),
                "properties.a.default",
                "breaks the schema: `a` must be at most 3.",
            ),
            (
                properties(json!({"a": {"enum": ["x"], "examples": ["x", "z"]}})),
                "properties.a.examples",
                "breaks the schema: `a` must be `x`; did you mean `x`?",
            ),
        ];
        for (schema, path, message) in table {
            let problems = Input::new(&schema).err().unwrap_or_else(|| panic!("{schema} was taken"));
            let told: Vec<(String, &str)> =
                problems.iter().map(|problem| (problem.path.join("."), problem.message.as_str())).collect();
            let found = told.iter().any(|(at, told)| at == path && told.contains(message));
            assert!(found && told.len() == 1, "{schema}: {told:?}");
        }
    }

    #[test]
    fn every_problem_of_an_input_is_told_with_a_pointer_and_without_the_callers_words() {
        let schema = json!({
            "required": ["language"],
            "properties": {
                "language": {"type": "string", "maxLength": 10, "description": "Send a language."},
                "tone": {"enum": ["formal", "casual"]},
                "code": {"type": "string", "maxLength": 9, "pattern": "^[A-Z]+$", "description": "Capitals."},
                "count": {"type": "integer", "minimum": 1, "maximum": 5},
                "names": {
                    "type": "array", "maxItems": 2, "uniqueItems": true,
                    "items": {"type": "string", "minLength": 1, "maxLength": 3},
                },
            },
        });
        let input = Input::new(&schema).unwrap();
        let table = [
            (json!({}), "/language", "`language` is missing. Send a language."),
            (json!({"language": 3}), "/language", "`language` must be a string."),
            (json!({"language": "secretsecret"}), "/language", "`language` must have at most 10 characters."),
            (
                json!({"tone": "formale"}),
                "/tone",
                "`tone` must be `formal` or `casual`; did you mean `formal`?",
            ),
            (json!({"code": "secret"}), "/code", "`code` does not have the form that is wanted: Capitals."),
            (json!({"count": 0}), "/count", "`count` must be at least 1."),
            (json!({"count": 1.5}), "/count", "`count` must be a whole number."),
            (json!({"names": ["a", "a"]}), "/names", "`names` must not hold the same entry twice."),
            (json!({"names": ["a", ""]}), "/names/1", "Entry 2 of `names` must not be empty."),
            (json!({"names": ["a", "b", "c"]}), "/names", "`names` must have at most 2 entries."),
        ];
        for (mut body, pointer, detail) in table {
            if pointer != "/language" {
                body["language"] = json!("German");
            }
            let problems = input.problems(&body);
            let told: Vec<(&str, &str)> =
                problems.iter().map(|problem| (problem.pointer.as_str(), problem.detail.as_str())).collect();
            assert_eq!(told, [(pointer, detail)], "{body}");
            assert!(!told[0].1.contains("secret"));
        }
        assert_eq!(input.problems(&json!({"language": "German", "names": ["a"], "count": 5.0})), []);
    }
}
