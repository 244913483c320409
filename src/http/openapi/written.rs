//! Schemas from files, as they were written.
//!
//! Owns the way of a JSON schema of a flat member into the document. utoipa keeps words that
//! it does not know in no order at all, so each word goes where it has a place. The rule it
//! protects: the same file makes the same document, to the byte.

use serde_json::{Map, Value};
use utoipa::Number;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{Array, ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Deprecated, RefOr};

/// A member's schema.
pub(super) fn as_written(schema: &Value) -> Schema {
    let Value::Object(words) = schema else { return Schema::default() };
    let mut written = match words.get("items") {
        Some(items) => Schema::Array(list(words, items)),
        None => Schema::Object(one(words)),
    };
    let told = serde_json::to_value(&written).unwrap_or_default();
    let is_left = |(word, _): &(&String, &Value)| told.get(word.as_str()).is_none();
    let left = words.iter().filter(is_left).map(|(word, value)| (word.clone(), value.clone()));
    let extensions = match &mut written {
        Schema::Array(list) => &mut list.extensions,
        Schema::Object(one) => &mut one.extensions,
        _ => return written,
    };
    *extensions = without_a_place(left.collect());
    written
}

/// Words that utoipa has no place for, such as `const`. Several stand in a schema of their own,
/// which keeps their order.
fn without_a_place(words: Map<String, Value>) -> Option<Extensions> {
    match words.len() {
        0 => None,
        1 => Some(Extensions::from_iter(words)),
        _ => Some(Extensions::from_iter([("allOf".to_owned(), Value::Array(vec![Value::Object(words)]))])),
    }
}

fn one(words: &Map<String, Value>) -> Object {
    let number = |word: &str| words.get(word).and_then(number);
    ObjectBuilder::new()
        .schema_type(type_of(words))
        .title(text(words, "title"))
        .description(text(words, "description"))
        .default(words.get("default").cloned())
        .enum_values(words.get("enum").and_then(Value::as_array).cloned())
        .examples(values(words, "examples"))
        .deprecated(deprecated(words))
        .min_length(count(words, "minLength"))
        .max_length(count(words, "maxLength"))
        .pattern(text(words, "pattern"))
        .minimum(number("minimum"))
        .maximum(number("maximum"))
        .exclusive_minimum(number("exclusiveMinimum"))
        .exclusive_maximum(number("exclusiveMaximum"))
        .multiple_of(number("multipleOf"))
        .build()
}

fn list(words: &Map<String, Value>, items: &Value) -> Array {
    ArrayBuilder::new()
        .schema_type(type_of(words))
        .title(text(words, "title"))
        .items(RefOr::T(as_written(items)))
        .description(text(words, "description"))
        .default(words.get("default").cloned())
        .examples(values(words, "examples"))
        .deprecated(deprecated(words))
        .min_items(count(words, "minItems"))
        .max_items(count(words, "maxItems"))
        .unique_items(words.get("uniqueItems") == Some(&Value::Bool(true)))
        .build()
}

fn type_of(words: &Map<String, Value>) -> SchemaType {
    let kind = words.get("type").and_then(|kind| serde_json::from_value::<Type>(kind.clone()).ok());
    kind.map_or(SchemaType::AnyValue, SchemaType::Type)
}

fn text(words: &Map<String, Value>, word: &str) -> Option<String> {
    words.get(word).and_then(Value::as_str).map(str::to_owned)
}

fn values(words: &Map<String, Value>, word: &str) -> Vec<Value> {
    words.get(word).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn count(words: &Map<String, Value>, word: &str) -> Option<usize> {
    words.get(word).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok())
}

fn number(value: &Value) -> Option<Number> {
    let whole = value.as_i64().map(Number::from);
    whole.or_else(|| value.as_f64().map(Number::from))
}

fn deprecated(words: &Map<String, Value>) -> Option<Deprecated> {
    let is_deprecated = words.get("deprecated") == Some(&Value::Bool(true));
    is_deprecated.then_some(Deprecated::True)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::as_written;

    #[test]
    fn every_word_of_a_schema_is_told() {
        for schema in [
            json!({
                "type": "string", "title": "Tone", "description": "How.", "default": "a", "examples": ["b"],
                "minLength": 1, "maxLength": 60, "pattern": "^[a-z]*$", "deprecated": true,
            }),
            json!({"enum": ["a", 1, true], "default": "a", "description": "One of them."}),
            json!({
                "type": "number", "minimum": -1, "maximum": 10, "exclusiveMinimum": -2, "exclusiveMaximum": 10.5,
                "multipleOf": 0.5,
            }),
            json!({
                "type": "array", "items": {"type": "string", "maxLength": 20}, "minItems": 1, "maxItems": 5,
                "uniqueItems": true, "title": "Words", "default": [], "description": "Words.", "examples": [["a"]],
                "deprecated": true,
            }),
            json!({"type": "boolean", "default": false}),
            json!({"const": "a"}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ] {
            assert_eq!(serde_json::to_value(as_written(&schema)).unwrap(), schema);
        }
        // Words without a place keep their order among themselves.
        let odd = json!({"type": "string", "maxLength": 5, "const": "a", "minItems": 1});
        let told = json!({"type": "string", "maxLength": 5, "allOf": [{"const": "a", "minItems": 1}]});
        assert_eq!(serde_json::to_value(as_written(&odd)).unwrap(), told);
    }
}
