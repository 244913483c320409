//! Anthropic text completions, of Claude 2 and Claude Instant.
//!
//! Owns the members of a request, the rule for its prompt, and the shape of answers and chunks.
//! The one rule it protects: a prompt leaves the last word to the assistant, or it is refused.

use serde_json::{Value, json};

use super::schema::{Faults, Kind, Member, Object, inference, optional, prompt, required};
use super::stream::NativeStream;
use super::{Told, template};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

/// What ends an answer that nothing else ended.
const OWN_STOP: &str = "\n\nHuman:";

const MEMBERS: &[Member] = &[
    required("prompt", Kind::Text),
    required("max_tokens_to_sample", Kind::Integer(1, i64::MAX)),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("top_p", Kind::Number(0.0, 1.0)),
    optional("top_k", Kind::Integer(0, 500)),
    optional("stop_sequences", Kind::Texts(8_191)),
    optional("anthropic_version", Kind::Text),
];

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    Faults::of_body(body, MEMBERS).finish()?;
    let prompt = prompt(body, "prompt")?;
    let Some(turns) = template::claude(prompt) else {
        return Err(Refusal::validation(
            "Invalid prompt: prompt must start with \"\n\nHuman:\" turn, prompt must end with \
             \"\n\nAssistant:\" turn",
        ));
    };
    let inference = inference(body, ["max_tokens_to_sample", "temperature", "top_p", "stop_sequences"]);
    Ok(turns.into_prompt(prompt, inference))
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    completion(told.text, Some(told.reason), told.label.stop_sequence.as_deref())
}

pub(super) fn chunk(text: &str) -> Value {
    completion(text, None, None)
}

pub(super) fn last(stream: &NativeStream, reason: StopReason) -> Value {
    completion("", Some(reason), stream.label.stop_sequence.as_deref())
}

fn completion(text: &str, reason: Option<StopReason>, stop_sequence: Option<&str>) -> Value {
    let word = reason.map(|reason| match reason {
        StopReason::MaxTokens => "max_tokens",
        StopReason::Unknown => reason.as_str(),
        _ => "stop_sequence",
    });
    let stop = (word == Some("stop_sequence")).then(|| stop_sequence.unwrap_or(OWN_STOP));
    json!({ "type": "completion", "completion": text, "stop_reason": word, "stop": stop })
}
