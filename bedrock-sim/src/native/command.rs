//! Cohere Command.
//!
//! Owns the members of a request and the shape of answers and chunks. A body that asks for a stream
//! gets chunks of text; the chunks of one that does not look like answers.
//! The one rule it protects: an answer has one generation, and more are refused.

use serde_json::{Value, json};

use super::schema::{Faults, Kind, Member, Object, inference, optional, prompt, required};
use super::turns::{Role, Turns};
use super::{Label, Told};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

const MEMBERS: &[Member] = &[
    required("prompt", Kind::Text),
    optional("max_tokens", Kind::Integer(1, 4_096)),
    optional("temperature", Kind::Number(0.0, 5.0)),
    optional("p", Kind::Number(0.0, 1.0)),
    optional("k", Kind::Integer(0, 500)),
    optional("stop_sequences", Kind::Texts(4)),
    optional("stream", Kind::Flag),
    optional("num_generations", Kind::Integer(1, 1)),
    optional("return_likelihoods", Kind::Word(&["GENERATION", "ALL", "NONE"])),
    optional("logit_bias", Kind::Object),
    optional("truncate", Kind::Word(&["NONE", "START", "END"])),
];
/// Members that no other format with a prompt has.
pub(super) const MEMBERS_OF_ITS_OWN: [&str; 8] =
    ["p", "k", "stop_sequences", "stream", "num_generations", "return_likelihoods", "logit_bias", "truncate"];

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    Faults::of_body(body, MEMBERS).finish()?;
    let prompt = prompt(body, "prompt")?;
    let mut turns = Turns::default();
    turns.say(Role::User, prompt);
    let inference = inference(body, ["max_tokens", "temperature", "p", "stop_sequences"]);
    Ok(turns.into_prompt(prompt, inference))
}

pub(super) fn streams(body: &Object) -> bool {
    body.get("stream") == Some(&Value::Bool(true))
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    let mut answer = generations(told.text, Some(told.reason));
    if !told.has_content {
        answer["generations"] = json!([]);
    }
    answer["id"] = Value::from(id(told.label));
    answer
}

/// A chunk in the form that the body asks for.
pub(super) fn chunk(streams: bool, text: &str, reason: Option<StopReason>) -> Value {
    match reason {
        _ if !streams => generations(text, reason),
        None => json!({ "text": text, "is_finished": false }),
        Some(reason) => json!({ "is_finished": true, "finish_reason": word(reason) }),
    }
}

fn generations(text: &str, reason: Option<StopReason>) -> Value {
    json!({ "generations": [{ "text": text, "finish_reason": reason.map(word) }] })
}

pub(super) fn id(label: &Label) -> &str {
    &label.request_id
}

pub(super) fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::MaxTokens => "MAX_TOKENS",
        StopReason::ContentFiltered => "ERROR_TOXIC",
        StopReason::MalformedModelOutput => "ERROR",
        StopReason::ModelContextWindowExceeded => "ERROR_LIMIT",
        StopReason::Unknown => reason.as_str(),
        _ => "COMPLETE",
    }
}
