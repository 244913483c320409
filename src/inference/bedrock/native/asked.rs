//! What a call asks of a model, before it is put into the model's own shape.
//!
//! Folds the rules into the user's text where the model has no place for them, and puts
//! the document, with what else is quoted of it, and the user's wishes between the tags of a
//! guardrail. The one rule: an option that the call does not have is not in the request either.

use serde_json::Value;

use super::Delivery;
use crate::inference::{ModelCall, NativeFormat};

/// The members of a request, whatever a family calls them.
pub(super) struct Asked {
    /// `None` where there are no rules, or where they lead the user's text.
    pub(super) system: Option<String>,
    pub(super) user: String,
    /// What was said after it.
    pub(super) later: Vec<Later>,
    pub(super) max_tokens: u32,
    pub(super) temperature: Option<f64>,
    pub(super) delivery: Delivery,
}

/// An answer, and what the user said to it.
pub(super) struct Later {
    pub(super) assistant: String,
    pub(super) user: String,
}

impl Asked {
    /// `tag_suffix` names the guardrail's tags; it stands in no request without a guardrail.
    pub(super) fn of(format: NativeFormat, call: &ModelCall, delivery: Delivery, tag_suffix: &str) -> Self {
        let turn = &call.prompt.user;
        let tag = format!("amazon-bedrock-guardrails-guardContent_{tag_suffix}");
        let watched = |text: &str| match text.is_empty() {
            true => String::new(),
            // On a line of its own, so that what is broken at the begin of lines is found.
            false => format!("<{tag}>\n{text}</{tag}>"),
        };
        let later = call.prompt.later.iter().map(|exchange| Later {
            assistant: exchange.answer.to_string(),
            user: if call.guardrail.is_some() { watched(&exchange.wish) } else { exchange.wish.to_string() },
        });
        let later = later.collect();
        let (rules, user) = if call.guardrail.is_some() {
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
        Self { system, user, later, max_tokens: call.max_tokens, temperature, delivery }
    }

    /// The turns in order, the user's first.
    pub(super) fn turns(&self) -> impl Iterator<Item = (Speaker, &str)> {
        let later = self.later.iter().flat_map(|later| {
            [(Speaker::Assistant, later.assistant.as_str()), (Speaker::User, later.user.as_str())]
        });
        [(Speaker::User, self.user.as_str())].into_iter().chain(later)
    }

    /// All turns as one text, for a model that knows none.
    pub(super) fn folded(&self) -> String {
        let mut text = self.user.clone();
        for Later { assistant, user } in &self.later {
            text.push_str(&format!(
                "\n\nYour answer so far:\n\n{assistant}\n\nWhat the user wishes of the next answer:\n\n{user}"
            ));
        }
        text
    }
}

/// Who has a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    User,
    Assistant,
}

impl Speaker {
    /// The word that the chat formats have for it.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// Puts a member into an object, if there is one.
pub(super) fn put<T: Into<Value>>(object: &mut Value, name: &str, value: Option<T>) {
    if let Some(value) = value {
        object[name] = value.into();
    }
}
