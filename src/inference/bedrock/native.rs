//! The models' own words: what `InvokeModel` carries, one file per family.
//!
//! Bytes on one side, the port's words on the other; nothing here knows the SDK. A family
//! owns its names and its template; what all have in common is owned here and beside it:
//! folding of rules, breaking of control literals, reasoning inside of text, counts, the
//! order of events. The one rule: only the answer is text, whatever the family mixes into it.

mod ai21_jurassic;
mod amazon_nova;
mod amazon_titan_text;
mod anthropic_messages;
mod anthropic_text;
mod asked;
mod chat;
mod cohere_command;
mod cohere_command_r;
mod control;
mod decoder;
mod deepseek;
mod meta_llama;
mod mistral;
mod prose;
mod said;
mod trace;

pub(super) use decoder::Decoder;
pub(super) use said::{Billing, Counts};

use serde_json::{Value, json};

use crate::domain::{CallFailure, GuardrailStream};
use crate::inference::{BackendError, Completion, ModelCall, NativeFormat, StopReason};
use asked::Asked;
use prose::Prose;
use said::Said;

/// What Bedrock adds to the last chunk of a stream.
const METRICS: &str = "amazon-bedrock-invocationMetrics";

/// How an answer is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    Streamed,
}

/// The body of a request. A guarded one names its tags by 64 random bits, so that no
/// document can close them.
pub(super) fn request(format: NativeFormat, call: &ModelCall, delivery: Delivery) -> Value {
    request_with(format, call, delivery, &format!("{:016x}", rand::random::<u64>()))
}

fn request_with(format: NativeFormat, call: &ModelCall, delivery: Delivery, tag_suffix: &str) -> Value {
    let asked = Asked::of(format, call, delivery, tag_suffix);
    let mut body = match format {
        NativeFormat::AnthropicMessages => anthropic_messages::request(asked),
        NativeFormat::AnthropicText => anthropic_text::request(&asked),
        NativeFormat::AmazonNova => amazon_nova::request(asked),
        NativeFormat::AmazonTitanText => amazon_titan_text::request(&asked),
        NativeFormat::MetaLlama2 => meta_llama::request_2(&asked),
        NativeFormat::MetaLlama3 => meta_llama::request_3(&asked),
        NativeFormat::MetaLlama4 => meta_llama::request_4(&asked),
        NativeFormat::Mistral => mistral::request(&asked),
        NativeFormat::CohereCommand => cohere_command::request(&asked),
        NativeFormat::CohereCommandR => cohere_command_r::request(asked),
        NativeFormat::Ai21Jurassic => ai21_jurassic::request(&asked),
        NativeFormat::DeepSeek => deepseek::request(&asked),
        NativeFormat::Ai21Jamba | NativeFormat::OpenAi => chat::request(&asked),
    };
    if let Some(guardrail) = &call.guardrail {
        let mut config = json!({ "tagSuffix": tag_suffix });
        if delivery == Delivery::Streamed {
            config["streamProcessingMode"] = Value::from(match guardrail.stream {
                GuardrailStream::Sync => "SYNCHRONOUS",
                GuardrailStream::Async => "ASYNCHRONOUS",
            });
        }
        body["amazon-bedrock-guardrailConfig"] = config;
    }
    body
}

/// Reads a whole answer.
///
/// # Errors
/// [`CallFailure::BadResponse`] when the body is no answer of its family.
pub(super) fn completion(
    format: NativeFormat,
    call: &ModelCall,
    billing: &Billing,
    bytes: &[u8],
) -> Result<Completion, BackendError> {
    let no_answer = || BackendError::new(CallFailure::BadResponse, "the body is no answer of its format");
    let body: Value = serde_json::from_slice(bytes).map_err(|_| no_answer())?;
    let intervened = has_intervened(&body) && !trace::only_masks(&body);
    trace::tell(call.guardrail.as_deref(), &body);
    let said = match answer_of(format, &body) {
        Some(said) => said,
        None if intervened => Said::default(),
        None => return Err(no_answer()),
    };
    let mut prose = Prose::of(format);
    let mut text = prose.push(&said.text).text;
    text.push_str(&prose.end(intervened && trace::blocks(&body)));
    let stop_reason = match said.stop {
        _ if intervened => StopReason::GuardrailIntervened,
        stop => stop.unwrap_or(StopReason::Other),
    };
    let usage = billing.metered(said.counts, stop_reason);
    Ok(Completion { text, stop_reason, usage })
}

fn answer_of(format: NativeFormat, body: &Value) -> Option<Said> {
    match format {
        NativeFormat::AnthropicMessages => anthropic_messages::answer(body),
        NativeFormat::AnthropicText => anthropic_text::answer(body),
        NativeFormat::AmazonNova => amazon_nova::answer(body),
        NativeFormat::AmazonTitanText => amazon_titan_text::answer(body),
        NativeFormat::MetaLlama2 | NativeFormat::MetaLlama3 | NativeFormat::MetaLlama4 => {
            meta_llama::answer(body)
        }
        NativeFormat::Mistral => mistral::answer(body),
        NativeFormat::CohereCommand => cohere_command::answer(body),
        NativeFormat::CohereCommandR => cohere_command_r::answer(body),
        NativeFormat::Ai21Jurassic => ai21_jurassic::answer(body),
        NativeFormat::DeepSeek => deepseek::answer(body),
        NativeFormat::Ai21Jamba | NativeFormat::OpenAi => chat::answer(body),
    }
}

/// What a chunk says; one that is not known says nothing.
fn chunk_of(format: NativeFormat, body: &Value) -> Said {
    match format {
        NativeFormat::AnthropicMessages => anthropic_messages::chunk(body),
        NativeFormat::AnthropicText => anthropic_text::chunk(body),
        NativeFormat::AmazonNova => amazon_nova::chunk(body),
        NativeFormat::AmazonTitanText => amazon_titan_text::chunk(body),
        NativeFormat::MetaLlama2 | NativeFormat::MetaLlama3 | NativeFormat::MetaLlama4 => {
            meta_llama::chunk(body)
        }
        NativeFormat::Mistral => mistral::chunk(body),
        NativeFormat::CohereCommand => cohere_command::chunk(body),
        NativeFormat::CohereCommandR => cohere_command_r::chunk(body),
        NativeFormat::Ai21Jurassic => ai21_jurassic::answer(body).unwrap_or_default(),
        NativeFormat::DeepSeek => deepseek::chunk(body),
        NativeFormat::Ai21Jamba | NativeFormat::OpenAi => chat::chunk(body),
    }
}

/// Whether a guardrail has put its own text in the answer's place: Bedrock says so beside
/// the family's words.
fn has_intervened(body: &Value) -> bool {
    body["amazon-bedrock-guardrailAction"] == "INTERVENED"
}

/// Of the families that know but two reasons.
fn length_or_stop(word: &str) -> StopReason {
    match word {
        "stop" => StopReason::EndTurn,
        "length" => StopReason::MaxTokens,
        _ => StopReason::Other,
    }
}

#[cfg(test)]
mod tests;
