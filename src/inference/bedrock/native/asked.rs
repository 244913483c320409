//! What a call asks of a model, before it is put into the model's own shape.
//!
//! Folds the rules into the user's text where the model has no place for them, and puts
//! the document, with what else is quoted of it, between the tags of a guardrail. The one rule: an option
//! that the call does not have is not in the request either.

use serde_json::Value;

use super::Delivery;
use crate::inference::{ModelCall, NativeFormat};

/// The members of a request, whatever a family calls them.
pub(super) struct Asked {
    /// `None` where there are no rules, or where they lead the user's text.
    pub(super) system: Option<String>,
    pub(super) user: String,
    pub(super) max_tokens: u32,
    pub(super) temperature: Option<f64>,
    pub(super) delivery: Delivery,
}

impl Asked {
    /// `tag_suffix` names the guardrail's tags; it stands in no request without a guardrail.
    pub(super) fn of(format: NativeFormat, call: &ModelCall, delivery: Delivery, tag_suffix: &str) -> Self {
        let turn = &call.prompt.user;
        let (rules, user) = if call.guardrail.is_some() {
            let tag = format!("amazon-bedrock-guardrails-guardContent_{tag_suffix}");
            let watched = |text: &str| match text.is_empty() {
                true => String::new(),
                // On a line of its own, so that what is broken at the begin of lines is found.
                false => format!("<{tag}>\n{text}</{tag}>"),
            };
            let [before, quotation, behind] = call.prompt.around_quotation();
            let parts = [&watched(&turn.before), &turn.opening, &watched(&turn.document), &turn.closing];
            ([before, &watched(quotation), behind].concat(), parts.map(String::as_str).concat())
        } else {
            (call.prompt.system.clone(), turn.assemble())
        };
        let (system, user) = if rules.is_empty() {
            (None, user)
        } else if format.has_system() && call.terms.accepts_system {
            (Some(rules), user)
        } else {
            (None, [rules.as_str(), "\n\n", &user].concat())
        };
        // By its decimal digits: 0.3 is not to become 0.30000001192092896.
        let temperature = call.temperature.and_then(|temperature| temperature.to_string().parse().ok());
        Self { system, user, max_tokens: call.max_tokens, temperature, delivery }
    }
}

/// Puts a member into an object, if there is one.
pub(super) fn put<T: Into<Value>>(object: &mut Value, name: &str, value: Option<T>) {
    if let Some(value) = value {
        object[name] = value.into();
    }
}
