//! The shape that an answer is to have, where it is data and not prose.

use serde_json::Value;

/// A JSON schema with a name for the model: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSchema {
    name: String,
    schema: Value,
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
            Ok(Self { name: name.to_owned(), schema })
        } else {
            Err(InvalidOutputSchema)
        }
    }

    /// What the model is told the data is called.
    pub fn name(&self) -> &str {
        &self.name
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
}
