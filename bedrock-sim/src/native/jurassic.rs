//! AI21 Jurassic-2.
//!
//! Owns the members of a request and the shape of answers. There is no stream.
//! The one rule it protects: an answer has one completion, and more are refused.

use serde_json::{Value, json};

use super::Told;
use super::schema::{Faults, Kind, Member, Object, inference, optional, prompt, required};
use super::turns::{Role, Turns};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

const MEMBERS: &[Member] = &[
    required("prompt", Kind::Text),
    optional("maxTokens", Kind::Integer(0, 8_191)),
    optional("minTokens", Kind::Integer(0, 8_191)),
    optional("numResults", Kind::Integer(1, 1)),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("topP", Kind::Number(0.0, 1.0)),
    optional("topKReturn", Kind::Integer(0, 64)),
    optional("stopSequences", Kind::Texts(usize::MAX)),
    optional("countPenalty", Kind::Object),
    optional("presencePenalty", Kind::Object),
    optional("frequencyPenalty", Kind::Object),
];

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    Faults::of_body(body, MEMBERS).finish()?;
    let prompt = prompt(body, "prompt")?;
    let mut turns = Turns::default();
    turns.say(Role::User, prompt);
    let inference = inference(body, ["maxTokens", "temperature", "topP", "stopSequences"]);
    Ok(turns.into_prompt(prompt, inference))
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    let reason = match told.reason {
        StopReason::MaxTokens => json!({ "reason": "length" }),
        StopReason::StopSequence => json!({ "reason": "stop", "sequence": told.label.stop_sequence }),
        StopReason::Unknown => json!({ "reason": told.reason.as_str() }),
        _ => json!({ "reason": "endoftext" }),
    };
    let completion = json!({ "data": { "text": told.text, "tokens": [] }, "finishReason": reason });
    json!({
        "id": told.label.request_id,
        "prompt": { "tokens": [] },
        "completions": if told.has_content { vec![completion] } else { Vec::new() },
    })
}
