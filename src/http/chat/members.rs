//! OpenAI's own members, and what becomes of each.
//!
//! Owns one table, from which the reader refuses and the contract is written. The rule it
//! protects: a member that would change the answer is never passed over.

use serde_json::{Map, Value};

/// What happens to a member of OpenAI's.
pub(in crate::http) enum Rule {
    /// It has no bearing on the answer.
    Harmless,
    /// Only a value that asks for what is done anyway; else the words say what to do instead.
    Only(fn(&Value) -> bool, &'static str),
    /// No value.
    Never(&'static str),
}

impl Rule {
    /// What is wrong with a value, to be read after the member's name.
    pub(super) fn problem(&self, value: &Value) -> Option<&'static str> {
        match self {
            Self::Harmless => None,
            Self::Only(asks_for_nothing, advice) => (!asks_for_nothing(value)).then_some(advice),
            Self::Never(advice) => Some(advice),
        }
    }
}

const SETS_ITSELF: &str = "is set by the task itself; leave it out";
const NO_TOOLS: &str = "has no use here: a task calls no tools; leave it out";
const USE_LENGTH: &str =
    "cannot be kept to, because a task sets it by its options; leave it out and use `length` or `max_words`";
const NO_LOGPROBS: &str = "is not possible: the models tell no probabilities; leave it out";

/// Members of OpenAI's that a task does not have.
pub(in crate::http) const MEMBERS: [(&str, Rule); 33] = [
    ("user", Rule::Harmless),
    ("safety_identifier", Rule::Harmless),
    ("metadata", Rule::Harmless),
    ("store", Rule::Harmless),
    ("prompt_cache_key", Rule::Harmless),
    ("prompt_cache_retention", Rule::Harmless),
    ("n", Rule::Only(|value| value == 1, "must be 1: a task gives one answer")),
    ("temperature", Rule::Never(SETS_ITSELF)),
    ("top_p", Rule::Only(|value| value.as_f64() == Some(1.0), SETS_ITSELF)),
    ("frequency_penalty", Rule::Only(is_zero, SETS_ITSELF)),
    ("presence_penalty", Rule::Only(is_zero, SETS_ITSELF)),
    ("seed", Rule::Never("is not possible: the models take none; leave it out")),
    ("max_tokens", Rule::Never(USE_LENGTH)),
    ("max_completion_tokens", Rule::Never(USE_LENGTH)),
    ("stop", Rule::Only(is_empty, "is not possible: an answer ends where it is whole; leave it out")),
    ("logit_bias", Rule::Only(is_empty, SETS_ITSELF)),
    ("logprobs", Rule::Only(|value| value == false, NO_LOGPROBS)),
    ("top_logprobs", Rule::Only(is_zero, NO_LOGPROBS)),
    (
        "response_format",
        Rule::Only(
            |value| value["type"] == "text",
            "must be `{\"type\": \"text\"}`: a task decides what its answer is",
        ),
    ),
    ("tools", Rule::Only(is_empty, NO_TOOLS)),
    ("tool_choice", Rule::Only(|value| value == "none", NO_TOOLS)),
    ("parallel_tool_calls", Rule::Never(NO_TOOLS)),
    ("functions", Rule::Only(is_empty, NO_TOOLS)),
    ("function_call", Rule::Only(|value| value == "none", NO_TOOLS)),
    (
        "modalities",
        Rule::Only(|value| *value == Value::from(vec!["text"]), "must be `[\"text\"]`: answers are text"),
    ),
    ("audio", Rule::Never("is not possible: answers are text; leave it out")),
    ("prediction", Rule::Never("is not possible; leave it out")),
    ("web_search_options", Rule::Never("is not possible: a task works on its text alone; leave it out")),
    ("reasoning_effort", Rule::Never(SETS_ITSELF)),
    ("verbosity", Rule::Never("is not known to the tasks; leave it out and use `length`")),
    (
        "service_tier",
        Rule::Only(
            |value| value == "auto" || value == "default",
            "is chosen by the service's operator; leave it out",
        ),
    ),
    ("include", Rule::Never("has no place in a chat completion; leave it out")),
    ("moderation", Rule::Never("is decided by the service's operator; leave it out")),
];

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::MEMBERS;

    #[test]
    fn a_member_is_harmless_or_asks_for_what_is_done_anyway() {
        let takes = |name: &str, value: Value| {
            let (_, rule) = MEMBERS.iter().find(|(known, _)| *known == name).unwrap();
            rule.problem(&value).is_none()
        };
        for (name, value) in [
            ("user", json!("u1")),
            ("store", json!(true)),
            ("n", json!(1)),
            ("top_p", json!(1)),
            ("presence_penalty", json!(0)),
            ("stop", json!([])),
            ("tools", json!([])),
            ("tool_choice", json!("none")),
            ("response_format", json!({"type": "text"})),
            ("modalities", json!(["text"])),
            ("logit_bias", json!({})),
            ("service_tier", json!("auto")),
        ] {
            assert!(takes(name, value), "{name}");
        }
        for (name, value) in [
            ("n", json!(2)),
            ("temperature", json!(1)),
            ("top_p", json!(0.9)),
            ("seed", json!(7)),
            ("max_tokens", json!(100)),
            ("stop", json!("\n")),
            ("tools", json!([{}])),
            ("response_format", json!({"type": "json_object"})),
            ("modalities", json!(["text", "audio"])),
            ("service_tier", json!("flex")),
            ("include", json!(["text"])),
        ] {
            assert!(!takes(name, value), "{name}");
        }
    }
}
