//! The contract as OpenAPI.

use serde_json::Value;

use crate::domain::TaskKind;

/// As JSON.
pub fn json() -> String {
    String::from("{}")
}

pub(super) fn options(_kind: TaskKind) -> Value {
    Value::Null
}

/// As YAML.
pub fn yaml() -> String {
    String::new()
}
