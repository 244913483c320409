//! Mistral in its prompt form.
//!
//! Owns the members of a request and the shape of answers and chunks. The newer models take the
//! form of a chat, which is another file's matter. No token is counted in these bodies.
//! The one rule it protects: a chunk looks like an answer.

use serde_json::{Value, json};

use super::schema::{Faults, Kind, Member, Object, inference, optional, prompt, required};
use super::turns::length_or_stop;
use super::{Told, template};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

const MEMBERS: &[Member] = &[
    required("prompt", Kind::Text),
    optional("max_tokens", Kind::Integer(1, 8_192)),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("top_p", Kind::Number(0.0, 1.0)),
    optional("top_k", Kind::Integer(1, 200)),
    optional("stop", Kind::Texts(10)),
];

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    Faults::of_body(body, MEMBERS).finish()?;
    let prompt = prompt(body, "prompt")?;
    let inference = inference(body, ["max_tokens", "temperature", "top_p", "stop"]);
    Ok(template::instructions(prompt).into_prompt(prompt, inference))
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    if told.has_content { chunk(told.text, Some(told.reason)) } else { json!({ "outputs": [] }) }
}

pub(super) fn chunk(text: &str, reason: Option<StopReason>) -> Value {
    json!({ "outputs": [{ "text": text, "stop_reason": reason.map(length_or_stop) }] })
}
