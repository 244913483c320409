//! Checks a value against a schema of the document.
//!
//! Knows the keywords that this document uses and panics at any other, so that
//! no rule is passed over in silence. Stricter than JSON Schema in one way: a
//! member that no schema names is a fault.

use serde_json::Value;

/// What a schema or a reference to one says.
pub fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolve(document, document.pointer(&reference[1..]).unwrap()),
        None => schema,
    }
}

/// Panics where a value breaks its schema or has a member that the schema does not name.
pub fn assert_fits(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(problem) = misfit(document, schema, value).or_else(|| unnamed(document, schema, value)) {
        panic!("{place}: {problem}\n{value:#}");
    }
}

/// What is wrong with a value, as far as this document's keywords can say.
fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let schema = resolve(document, schema);
    let fits = |schema: &Value| misfit(document, schema, value).is_none();
    for (keyword, rule) in schema.as_object()? {
        let list = || rule.as_array().unwrap();
        let number = || rule.as_f64().unwrap();
        let count = || usize::try_from(rule.as_u64().unwrap()).unwrap();
        let broken = match keyword.as_str() {
            "description" | "format" | "default" | "example" | "examples" | "contentMediaType"
            | "contentSchema" | "discriminator" | "pattern" => false,
            "type" => !type_names(rule).any(|name| is_a(value, name)),
            "enum" => !list().contains(value),
            "oneOf" => list().iter().filter(|schema| fits(schema)).count() != 1,
            "anyOf" => !list().iter().any(fits),
            "allOf" => match list().iter().find_map(|schema| misfit(document, schema, value)) {
                Some(problem) => return Some(problem),
                None => false,
            },
            "required" => {
                value.is_object() && list().iter().any(|name| value.get(name.as_str().unwrap()).is_none())
            }
            "minimum" => value.as_f64().is_some_and(|value| value < number()),
            "maximum" => value.as_f64().is_some_and(|value| value > number()),
            "contains" => value
                .as_array()
                .is_some_and(|items| !items.iter().any(|item| misfit(document, rule, item).is_none())),
            "minItems" => value.as_array().is_some_and(|items| items.len() < count()),
            "maxItems" => value.as_array().is_some_and(|items| items.len() > count()),
            "minLength" => value.as_str().is_some_and(|text| text.chars().count() < count()),
            "maxLength" => value.as_str().is_some_and(|text| text.chars().count() > count()),
            "items" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                match items.iter().find_map(|item| misfit(document, rule, item)) {
                    Some(problem) => return Some(problem),
                    None => false,
                }
            }
            "properties" => {
                let known = rule.as_object().unwrap();
                let broken = known.iter().find_map(|(name, schema)| {
                    misfit(document, schema, value.get(name)?).map(|problem| format!("{name}: {problem}"))
                });
                match broken {
                    Some(problem) => return Some(problem),
                    None => false,
                }
            }
            "additionalProperties" => {
                let known = &schema["properties"];
                let more =
                    value.as_object().into_iter().flatten().filter(|(name, _)| known.get(name).is_none());
                let mut more = more.map(|(_, member)| member);
                if rule.is_object() {
                    more.any(|member| misfit(document, rule, member).is_some())
                } else {
                    more.next().is_some()
                }
            }
            other => panic!("this test does not know the keyword {other}"),
        };
        if broken {
            return Some(format!("against {keyword} {rule}"));
        }
    }
    None
}

/// A member that is nowhere named; schemas of answers are open, but this test is not.
fn unnamed(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    match value {
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let schemas = named(document, schema, value, name);
            match schemas.first() {
                None => Some(format!("{name} is not described")),
                Some(schema) => unnamed(document, schema, member),
            }
        }),
        Value::Array(items) => {
            let schema = &resolve(document, schema)["items"];
            items.iter().filter(|_| schema.is_object()).find_map(|item| unnamed(document, schema, item))
        }
        _ => None,
    }
}

/// The schemas of a member, from wherever the schema has it.
fn named<'a>(document: &'a Value, schema: &'a Value, value: &Value, name: &str) -> Vec<&'a Value> {
    let schema = resolve(document, schema);
    let own = schema["properties"]
        .get(name)
        .or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()));
    // A free-form object, such as this document itself, names nothing.
    let free = (schema["type"] == "object" && schema.get("properties").is_none()).then_some(schema);
    let parts =
        ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|keyword| schema[keyword].as_array()).flatten();
    let parts = parts.filter(|part| misfit(document, part, value).is_none());
    own.into_iter().chain(free).chain(parts.flat_map(|part| named(document, part, value, name))).collect()
}

fn type_names(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_str().into_iter().chain(rule.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("an unknown type {other}"),
    }
}
