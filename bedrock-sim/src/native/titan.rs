//! Amazon Titan Text.
//!
//! Owns the members of a request and the shape of answers and chunks.
//! The one rule it protects: the input's tokens stand in the answer, and in the first chunk alone.

use serde_json::{Value, json};

use super::schema::{Faults, Kind, Member, Object, inference, optional, prompt, required};
use super::stream::NativeStream;
use super::{Told, template};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

const MEMBERS: &[Member] =
    &[required("inputText", Kind::Text), optional("textGenerationConfig", Kind::Object)];
const CONFIG: &[Member] = &[
    optional("maxTokenCount", Kind::Integer(1, 8_192)),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("topP", Kind::Number(0.0, 1.0)),
    optional("stopSequences", Kind::Texts(usize::MAX)),
];

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    let mut faults = Faults::of_body(body, MEMBERS);
    faults.check_member(body, "#", "textGenerationConfig", CONFIG);
    faults.finish()?;
    let prompt = prompt(body, "inputText")?;
    let none = Object::new();
    let config = body.get("textGenerationConfig").and_then(Value::as_object).unwrap_or(&none);
    let inference = inference(config, ["maxTokenCount", "temperature", "topP", "stopSequences"]);
    Ok(template::titan(prompt).into_prompt(prompt, inference))
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    let usage = told.label.usage;
    let mut result = json!({ "outputText": told.text, "completionReason": word(told.reason) });
    if told.tells_usage {
        result["tokenCount"] = Value::from(usage.output_tokens);
    }
    let mut answer = json!({ "results": if told.has_content { vec![result] } else { Vec::new() } });
    if told.tells_usage {
        answer["inputTextTokenCount"] = Value::from(usage.input_tokens);
    }
    answer
}

pub(super) fn chunk(stream: &NativeStream, text: &str) -> Value {
    part(stream, text, None)
}

pub(super) fn last(stream: &NativeStream, reason: StopReason) -> Value {
    let mut chunk = part(stream, "", Some(word(reason)));
    chunk["totalOutputTextTokenCount"] = Value::from(stream.label.usage.output_tokens);
    chunk
}

fn part(stream: &NativeStream, text: &str, reason: Option<&str>) -> Value {
    let first = stream.chunks <= 1 && reason.is_none();
    json!({
        "outputText": text,
        "index": 0,
        "totalOutputTextTokenCount": null,
        "completionReason": reason,
        "inputTextTokenCount": first.then_some(stream.label.usage.input_tokens),
    })
}

fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::MaxTokens => "LENGTH",
        StopReason::StopSequence => "STOP_CRITERIA_MET",
        StopReason::ContentFiltered => "CONTENT_FILTERED",
        StopReason::Unknown => reason.as_str(),
        _ => "FINISH",
    }
}
