//! The shape that an answer is to have, where it is data and not prose.

use serde_json::Value;

/// A JSON schema with a name for the model: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSchema {
    name: String,
    schema: Value,
    /// The schema as it is sent: a model fills members in the order in which they stand here.
    text: String,
}

/// The name is none that every model takes, or the schema is no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an output schema has a name of 1 to 64 characters of A-Z a-z 0-9 _ - and describes an object")]
pub struct InvalidOutputSchema;

impl OutputSchema {
    /// Accepts a schema of an object: a forced tool takes nothing else.
    ///
    /// # Errors
    /// [`InvalidOutputSchema`].
    pub fn new(name: &str, schema: Value) -> Result<Self, InvalidOutputSchema> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_name = (1..=64).contains(&name.len()) && name.bytes().all(allowed);
        if is_name && schema["type"] == "object" {
            let text = schema.to_string();
            Ok(Self { name: name.to_owned(), schema, text })
        } else {
            Err(InvalidOutputSchema)
        }
    }

    /// The same from JSON text, whose order of members is kept for the model.
    ///
    /// # Errors
    /// [`InvalidOutputSchema`], also where the text is no JSON.
    pub fn of_text(name: &str, text: &str) -> Result<Self, InvalidOutputSchema> {
        let schema = serde_json::from_str(text).map_err(|_| InvalidOutputSchema)?;
        let in_one_line: Vec<&str> = text.lines().map(str::trim).collect();
        Self::new(name, schema).map(|known| Self { text: in_one_line.concat(), ..known })
    }

    /// What the model is told the data is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The JSON schema as text, on one line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The JSON schema.
    pub fn schema(&self) -> &Value {
        &self.schema
    }
}

#[cfg(test)]
mod tests {
    use super::OutputSchema;
    use serde_json::json;

    #[test]
    fn a_schema_describes_an_object_and_has_a_name_that_models_take() {
        let object = json!({"type": "object", "properties": {}});
        assert!(OutputSchema::new("social_posts", object.clone()).is_ok());
        for name in ["", "social posts", "ü", &"x".repeat(65)] {
            assert!(OutputSchema::new(name, object.clone()).is_err(), "{name}");
        }
        assert!(OutputSchema::new("list", json!({"type": "array"})).is_err());
    }

    #[test]
    fn a_schema_from_text_keeps_the_order_of_its_members() {
        let text = "{\n  \"type\": \"object\",\n  \"properties\": {\"z\": {}, \"a\": {}}\n}";
        let schema = OutputSchema::of_text("x", text).unwrap();
        assert_eq!(schema.text(), r#"{"type": "object","properties": {"z": {}, "a": {}}}"#);
        assert_eq!(*schema.schema(), json!({"type": "object", "properties": {"a": {}, "z": {}}}));
        assert!(OutputSchema::of_text("x", "{").is_err() && OutputSchema::of_text("x", "[]").is_err());
    }
}
