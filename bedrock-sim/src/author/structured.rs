//! Answers that follow a JSON schema.
//!
//! Owns the filling of a schema from a document: strings get sentences, lists get several, and what
//! no sentence can fill gets its smallest value.
//! The one rule it protects: any schema ends, whatever it refers to.

use serde_json::{Map, Value};

use super::brief::Brief;
use super::{headline, rank, text};

/// References are followed this deep.
const MAX_DEPTH: usize = 16;
/// A schema that refers to itself twice would grow without this.
const MAX_VALUES: usize = 2_000;
const USUAL_ITEMS: u64 = 3;

pub(super) fn write(schema: &Value, document: &str) -> Value {
    let sentences = rank::best(document).map(|best| text::one_line(best.text)).collect();
    let mut filler = Filler { root: schema, document, sentences, next: 0, values_left: MAX_VALUES };
    filler.fill(schema, "", 0)
}

#[derive(Debug)]
struct Filler<'a> {
    root: &'a Value,
    document: &'a str,
    sentences: Vec<String>,
    next: usize,
    values_left: usize,
}

impl Filler<'_> {
    fn fill(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        if depth > MAX_DEPTH || self.values_left == 0 {
            return Value::Null;
        }
        self.values_left -= 1;
        if let Some(reference) = schema["$ref"].as_str() {
            let root = self.root;
            let target = reference.strip_prefix('#').and_then(|path| root.pointer(path));
            return target.map_or(Value::Null, |target| self.fill(target, name, depth + 1));
        }
        if let Some(fixed) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return fixed.clone();
        }
        if let Some(choice) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)) {
            return self.fill(choice, name, depth + 1);
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match kind {
            Some("string") => self.sentence(schema, name),
            Some("array") => self.list(schema, name, depth),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(Value::from(0)),
            Some("boolean") => Value::from(false),
            Some("null") => Value::Null,
            _ => self.object(schema, depth),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            object.insert(name.clone(), self.fill(member, name, depth + 1));
        }
        Value::Object(object)
    }

    fn list(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(1);
        let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
        let items = USUAL_ITEMS.clamp(least.min(most), most).min(100);
        (0..items).map(|_| self.fill(&schema["items"], name, depth + 1)).collect()
    }

    fn sentence(&mut self, schema: &Value, name: &str) -> Value {
        let text = if ["title", "headline", "subject"].iter().any(|word| name.to_lowercase().contains(word)) {
            headline::write(self.document, &Brief::read("Write a headline.", ""))
        } else {
            let at = self.next % self.sentences.len().max(1);
            self.next += 1;
            self.sentences.get(at).cloned().unwrap_or_default()
        };
        match schema["maxLength"].as_u64() {
            Some(most) => {
                text.chars().take(usize::try_from(most).unwrap_or(usize::MAX)).collect::<String>().into()
            }
            None => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_filled_from_the_document() {
        let schema = json!({
            "type": "object",
            "properties": {
                "title": {"type": "string", "maxLength": 10},
                "points": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
                "mood": {"enum": ["calm", "loud"]},
                "count": {"type": "integer", "minimum": 1},
                "self": {"$ref": "#"},
            },
        });
        let filled = write(&schema, "The bridge is open to all. It cost four million euros in the end.");
        assert_eq!(filled["points"].as_array().unwrap().len(), 2);
        assert!(filled["points"].to_string().contains("The bridge is open to all."));
        assert!(filled["title"].as_str().unwrap().chars().count() <= 10);
        assert_eq!(filled["mood"], "calm");
        assert_eq!(filled["count"], 1);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"one": {"$ref": "#"}, "other": {"$ref": "#"}}});
        assert!(write(&schema, "Some text.").to_string().len() < 100_000);
    }
}
