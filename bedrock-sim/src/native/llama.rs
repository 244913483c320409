//! Meta Llama 2, 3 and 4.
//!
//! Owns the members of a request, which all generations share, and the shape of answers and chunks.
//! The one rule it protects: the older generations write at most 2,048 tokens.

use serde_json::{Value, json};

use super::schema::{self, Faults, Kind, Member, Object, inference, optional, required, text};
use super::stream::NativeStream;
use super::turns::length_or_stop;
use super::{Told, template};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

const MEMBERS: &[Member] = &members(2_048);
const MEMBERS_OF_LLAMA_4: &[Member] = &members(8_192);

const fn members(most_tokens: i64) -> [Member; 5] {
    [
        required("prompt", Kind::Text),
        optional("max_gen_len", Kind::Integer(1, most_tokens)),
        optional("temperature", Kind::Number(0.0, 1.0)),
        optional("top_p", Kind::Number(0.0, 1.0)),
        optional("images", Kind::List),
    ]
}

/// What a model writes that is not told how much.
const DEFAULT_MAX_GEN_LEN: u64 = 512;

pub(super) fn read(model_id: &str, body: &Object) -> Result<ConverseRequest, Refusal> {
    let prompt = text(body, "prompt");
    let is_llama_4 = model_id.contains("meta.llama4") || template::is_llama_4(prompt);
    let members = if is_llama_4 { MEMBERS_OF_LLAMA_4 } else { MEMBERS };
    Faults::of_body(body, members).finish()?;
    let prompt = schema::prompt(body, "prompt")?;
    let mut inference = inference(body, ["max_gen_len", "temperature", "top_p", "stop"]);
    inference.max_tokens.get_or_insert(DEFAULT_MAX_GEN_LEN);
    Ok(template::llama(prompt).into_prompt(prompt, inference))
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    let mut answer = json!({ "generation": told.text, "stop_reason": length_or_stop(told.reason) });
    if told.tells_usage {
        answer["prompt_token_count"] = Value::from(told.label.usage.input_tokens);
        answer["generation_token_count"] = Value::from(told.label.usage.output_tokens);
    }
    answer
}

pub(super) fn chunk(stream: &NativeStream, text: &str) -> Value {
    let prompt_tokens = (stream.chunks <= 1).then_some(stream.label.usage.input_tokens);
    json!({
        "generation": text,
        "prompt_token_count": prompt_tokens,
        "generation_token_count": stream.told_tokens(),
        "stop_reason": null,
    })
}

pub(super) fn last(stream: &NativeStream, reason: StopReason) -> Value {
    json!({
        "generation": "",
        "prompt_token_count": null,
        "generation_token_count": stream.label.usage.output_tokens,
        "stop_reason": length_or_stop(reason),
    })
}
