//! Amazon Nova.
//!
//! Owns the members of a request and the shape of answers and chunks, which are those of Converse
//! but for the metrics. Tools and images are read, but have no effect on the answer.
//! The one rule it protects: a text block has no start, as in Converse.

use serde_json::{Value, json};

use super::Told;
use super::schema::{Faults, Kind, Member, Object, inference, integer, list, malformed, optional, required};
use super::stream::Metrics;
use super::turns::{Role, Turns};
use crate::errors::Refusal;
use crate::frames::Event;
use crate::models::Preamble;
use crate::operations::ToldUsage;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;
use crate::script::REASONING_TEXT;

const MEMBERS: &[Member] = &[
    optional("schemaVersion", Kind::Word(&["messages-v1"])),
    optional("system", Kind::List),
    required("messages", Kind::List),
    optional("inferenceConfig", Kind::Object),
    optional("toolConfig", Kind::Object),
    optional("additionalModelRequestFields", Kind::Object),
];
const MESSAGE: &[Member] =
    &[required("role", Kind::Word(&["user", "assistant"])), required("content", Kind::List)];
const SYSTEM: &[Member] = &[required("text", Kind::Text), optional("cachePoint", Kind::Object)];
const INFERENCE: &[Member] = &[
    optional("maxTokens", Kind::Integer(1, i64::MAX)),
    // Nova 1 took this name first.
    optional("max_new_tokens", Kind::Integer(1, i64::MAX)),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("topP", Kind::Number(0.0, 1.0)),
    optional("topK", Kind::Integer(0, 128)),
    optional("stopSequences", Kind::Texts(4)),
    optional("reasoningConfig", Kind::Object),
];

/// Whether the messages hold blocks as Nova writes them: without a type.
pub(super) fn has_blocks(body: &Object) -> bool {
    let first = body.get("messages").and_then(|messages| messages.pointer("/0/content/0"));
    first.is_some_and(|block| block.is_object() && block.get("type").is_none())
}

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    let mut faults = Faults::of_body(body, MEMBERS);
    faults.check_items(body, "messages", MESSAGE);
    faults.check_items(body, "system", SYSTEM);
    faults.check_member(body, "#", "inferenceConfig", INFERENCE);
    faults.finish()?;
    let mut turns = Turns::default();
    for block in list(body, "system") {
        turns.has_cache_point |= block.get("cachePoint").is_some();
        turns.add(Role::System, block["text"].as_str().unwrap_or_default());
    }
    for (index, message) in list(body, "messages").iter().enumerate() {
        let role = Role::of(message["role"].as_str().unwrap_or_default());
        let blocks = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let words = read_blocks(&mut turns, blocks, index)?;
        turns.add_texts(role, &words);
    }
    if list(body, "messages").is_empty() {
        return Err(malformed("#/messages: expected minimum item count: 1, found: 0"));
    }
    if let Some(tools) = body.get("toolConfig") {
        turns.add_json(tools);
    }
    let none = Object::new();
    let config = body.get("inferenceConfig").and_then(Value::as_object).unwrap_or(&none);
    let mut inference = inference(config, ["maxTokens", "temperature", "topP", "stopSequences"]);
    inference.max_tokens = inference.max_tokens.or_else(|| integer(config, "max_new_tokens"));
    Ok(turns.into_request(inference, None))
}

fn read_blocks<'v>(turns: &mut Turns, blocks: &'v [Value], index: usize) -> Result<Vec<&'v str>, Refusal> {
    let mut words = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let at = format!("#/messages/{index}/content/{at}");
        match block.as_object().and_then(|block| block.get("text")) {
            Some(Value::String(text)) => words.push(text.as_str()),
            Some(other) => {
                let mut faults = Faults::default();
                faults.wrong_type(&format!("{at}/text"), "String", other);
                faults.finish()?;
            }
            None => {
                let others = ["image", "document", "video", "audio", "toolUse", "toolResult", "cachePoint"];
                let names = others.iter().chain(&["reasoningContent"]);
                if !names.into_iter().any(|name| block.get(*name).is_some()) {
                    return Err(malformed(&format!("{at}: required key [text] not found")));
                }
                turns.has_cache_point |= block.get("cachePoint").is_some();
                turns.add_json(block);
            }
        }
    }
    if words.iter().all(|text| text.trim().is_empty()) && words.len() == blocks.len() {
        return Err(Refusal::validation(format!("messages.{index}.content: the text is blank")));
    }
    Ok(words)
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    let mut content = Vec::new();
    if told.preamble == Preamble::EmptyTextAndReasoning {
        content.push(json!({ "text": "" }));
    }
    if told.preamble != Preamble::None {
        content.push(json!({ "reasoningContent": { "reasoningText": { "text": REASONING_TEXT } } }));
    }
    if told.has_content {
        content.push(json!({ "text": told.text }));
    }
    let message = json!({ "content": content, "role": "assistant" });
    let mut answer = json!({ "output": { "message": message }, "stopReason": word(told.reason) });
    if told.tells_usage {
        answer["usage"] = usage(told.label.usage);
    }
    answer
}

pub(super) fn chunks(event: &Event<'_>) -> Vec<Value> {
    let delta = |block: u32, delta: Value| {
        vec![json!({ "contentBlockDelta": { "delta": delta, "contentBlockIndex": block } })]
    };
    match event {
        Event::MessageStart => vec![json!({ "messageStart": { "role": "assistant" } })],
        Event::Text { block, text } => delta(*block, json!({ "text": text })),
        Event::Reasoning { block, text } => {
            delta(*block, json!({ "reasoningContent": { "reasoningText": { "text": text } } }))
        }
        Event::BlockStop { block } => vec![json!({ "contentBlockStop": { "contentBlockIndex": block } })],
        _ => Vec::new(),
    }
}

/// The stop and, if it is told, the metadata.
pub(super) fn stop(reason: StopReason, metrics: Option<&Metrics>) -> Vec<Value> {
    let mut chunks = vec![json!({ "messageStop": { "stopReason": word(reason) } })];
    chunks.extend(metrics.map(metadata));
    chunks
}

pub(super) fn metadata(metrics: &Metrics) -> Value {
    json!({ "metadata": { "usage": usage(metrics.usage), "metrics": {}, "trace": {} } })
}

fn usage(usage: ToldUsage) -> Value {
    json!({
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens(),
        "cacheReadInputTokenCount": 0,
        "cacheWriteInputTokenCount": 0,
    })
}

fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::MalformedModelOutput
        | StopReason::MalformedToolUse
        | StopReason::GuardrailIntervened
        | StopReason::ModelContextWindowExceeded => StopReason::EndTurn.as_str(),
        reason => reason.as_str(),
    }
}
