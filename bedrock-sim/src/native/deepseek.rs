//! DeepSeek R1 and V3.1 in their prompt form.
//!
//! Owns the members of a request and the shape of answers and chunks. The reasoning is told as text
//! before `</think>`; the template of the prompt has opened it.
//! The one rule it protects: at most 32,768 tokens and ten stops.

use serde_json::{Value, json};

use super::schema::{Faults, Kind, Member, Object, inference, optional, prompt, required};
use super::turns::{length_or_stop, with_reasoning};
use super::{Format, Told, template};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

const MEMBERS: &[Member] = &[
    required("prompt", Kind::Text),
    optional("max_tokens", Kind::Integer(1, 32_768)),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("top_p", Kind::Number(0.0, 1.0)),
    optional("stop", Kind::Texts(10)),
];

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    Faults::of_body(body, MEMBERS).finish()?;
    let prompt = prompt(body, "prompt")?;
    let inference = inference(body, ["max_tokens", "temperature", "top_p", "stop"]);
    Ok(template::deepseek(prompt).into_prompt(prompt, inference))
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    if !told.has_content {
        return json!({ "choices": [] });
    }
    chunk(&with_reasoning(Format::DeepSeek, told.preamble, told.text), Some(told.reason))
}

pub(super) fn chunk(text: &str, reason: Option<StopReason>) -> Value {
    json!({ "choices": [{ "index": 0, "text": text, "stop_reason": reason.map(length_or_stop) }] })
}
