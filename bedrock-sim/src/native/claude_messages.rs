//! Anthropic Messages.
//!
//! Owns the members of a request, the content blocks of an answer and the named events of a stream.
//! Tools and images are read and checked, but have no effect on the answer.
//! The one rule it protects: every block of a stream starts, has its deltas and stops.

use serde_json::{Value, json};

use super::schema::{
    Faults, Kind, Member, Object, inference, integer, list, malformed, optional, required, text,
};
use super::stream::NativeStream;
use super::turns::{Role, Turns};
use super::{Label, Told};
use crate::errors::Refusal;
use crate::frames::Event;
use crate::models::Preamble;
use crate::request::{ConverseRequest, native_document};
use crate::scenario::StopReason;
use crate::script::{REASONING_SIGNATURE, REASONING_TEXT};

const VERSION: &str = "bedrock-2023-05-31";
const MIN_BUDGET_TOKENS: i64 = 1_024;

const MEMBERS: &[Member] = &[
    required("anthropic_version", Kind::Word(&[VERSION])),
    required("max_tokens", Kind::Integer(1, i64::MAX)),
    required("messages", Kind::List),
    optional("anthropic_beta", Kind::Texts(usize::MAX)),
    optional("system", Kind::TextOrList),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("top_p", Kind::Number(0.0, 1.0)),
    optional("top_k", Kind::Integer(0, 500)),
    optional("stop_sequences", Kind::Texts(8_191)),
    optional("tools", Kind::List),
    optional("tool_choice", Kind::Object),
    optional("thinking", Kind::Object),
    optional("metadata", Kind::Object),
    optional("output_config", Kind::Object),
    optional("context_management", Kind::Object),
];
const MESSAGE: &[Member] =
    &[required("role", Kind::Word(&["user", "assistant", "system"])), required("content", Kind::TextOrList)];
const THINKING: &[Member] = &[
    required("type", Kind::Word(&["enabled", "disabled", "adaptive"])),
    optional("budget_tokens", Kind::Integer(MIN_BUDGET_TOKENS, i64::MAX)),
    optional("display", Kind::Word(&["summarized", "omitted"])),
];

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    let mut faults = Faults::of_body(body, MEMBERS);
    faults.check_items(body, "messages", MESSAGE);
    faults.check_member(body, "#", "thinking", THINKING);
    faults.finish()?;
    let mut turns = Turns::default();
    read_content(&mut turns, Role::System, body.get("system"), "system")?;
    for (index, message) in list(body, "messages").iter().enumerate() {
        let role = Role::of(message["role"].as_str().unwrap_or_default());
        if index == 0 && role != Role::User {
            return Err(Refusal::validation("messages: first message must use the \"user\" role"));
        }
        read_content(&mut turns, role, message.get("content"), &format!("messages.{index}"))?;
    }
    if list(body, "messages").is_empty() {
        return Err(Refusal::validation("messages: at least one message is required"));
    }
    let budget = body.get("thinking").and_then(|thinking| thinking["budget_tokens"].as_u64());
    if budget.is_some_and(|budget| integer(body, "max_tokens") <= Some(budget)) {
        return Err(Refusal::validation("`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    if let Some(tools) = body.get("tools") {
        turns.add_json(tools);
    }
    let schema = body.get("output_config").and_then(|config| config.pointer("/format/schema")).cloned();
    let inference = inference(body, ["max_tokens", "temperature", "top_p", "stop_sequences"]);
    Ok(turns.into_request(inference, schema))
}

/// Whether the body asks for thinking blocks.
pub(super) fn thinks(body: &Object) -> bool {
    let thinking = body.get("thinking").and_then(|thinking| thinking["type"].as_str());
    matches!(thinking, Some("enabled" | "adaptive"))
}

/// What is said to more tokens than the model can write.
pub(super) fn over_cap(model: &str, asked: u64, cap: u64) -> Refusal {
    Refusal::validation(format!(
        "max_tokens: {asked} > {cap}, which is the maximum allowed number of output tokens for {}",
        short_name(model)
    ))
}

fn read_content(turns: &mut Turns, role: Role, content: Option<&Value>, at: &str) -> Result<(), Refusal> {
    match content {
        None => Ok(()),
        Some(Value::Array(blocks)) => read_blocks(turns, role, blocks, at),
        Some(content) => {
            let words = content.as_str().unwrap_or_default();
            if words.trim().is_empty() && role != Role::Assistant {
                return Err(Refusal::validation(format!("{at}: text content blocks must be non-empty")));
            }
            turns.add(role, words);
            Ok(())
        }
    }
}

fn read_blocks(turns: &mut Turns, role: Role, blocks: &[Value], at: &str) -> Result<(), Refusal> {
    if blocks.is_empty() && role == Role::User {
        return Err(Refusal::validation(format!("{at}: user messages must have non-empty content")));
    }
    let mut words = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("{at}.content.{index}");
        let Some(members) = block.as_object() else {
            return Err(malformed(&format!("{at}: a content block is an object")));
        };
        turns.has_cache_point |= members.contains_key("cache_control");
        match text(members, "type") {
            "text" if text(members, "text").trim().is_empty() => {
                return Err(Refusal::validation(format!("{at}: text content blocks must be non-empty")));
            }
            "text" => words.push(text(members, "text")),
            "" => return Err(Refusal::validation(format!("{at}.type: Field required"))),
            "document" => match native_document(block) {
                Some(document) => words.push(document),
                None => turns.add_json(block),
            },
            "image" | "tool_use" | "tool_result" | "thinking" | "redacted_thinking" | "search_result" => {
                turns.add_json(block);
            }
            other => {
                let message = format!("{at}: Input tag '{other}' found using 'type' does not match any tag");
                return Err(Refusal::validation(message));
            }
        }
    }
    turns.add_texts(role, &words);
    Ok(())
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    let mut content = Vec::new();
    if told.preamble == Preamble::EmptyTextAndReasoning {
        content.push(json!({ "type": "text", "text": "" }));
    }
    if told.preamble != Preamble::None {
        let (thinking, signature) = (REASONING_TEXT, REASONING_SIGNATURE);
        content.push(json!({ "type": "thinking", "thinking": thinking, "signature": signature }));
    }
    if told.has_content {
        content.push(json!({ "type": "text", "text": told.text }));
    }
    let mut answer = message(told.label, &content);
    answer["stop_reason"] = Value::from(word(told.reason));
    answer["stop_sequence"] = json!(told.label.stop_sequence);
    if told.tells_usage {
        answer["usage"] = usage(told.label, told.label.usage.output_tokens);
    }
    answer
}

pub(super) fn chunks(stream: &mut NativeStream, event: &Event<'_>) -> Vec<Value> {
    match event {
        Event::MessageStart => {
            let mut message = message(&stream.label, &[]);
            // One token is what a stream says before it has said anything.
            message["usage"] = usage(&stream.label, 1);
            vec![json!({ "type": "message_start", "message": message })]
        }
        Event::Text { block, text } => {
            let delta = json!({ "type": "text_delta", "text": text });
            in_block(stream, *block, json!({ "type": "text", "text": "" }), Some(delta))
        }
        Event::Reasoning { block, text } => {
            let delta = json!({ "type": "thinking_delta", "thinking": text });
            in_block(
                stream,
                *block,
                json!({ "type": "thinking", "thinking": "", "signature": "" }),
                Some(delta),
            )
        }
        Event::ReasoningSignature { block, signature } => {
            let delta = json!({ "type": "signature_delta", "signature": signature });
            in_block(
                stream,
                *block,
                json!({ "type": "thinking", "thinking": "", "signature": "" }),
                Some(delta),
            )
        }
        Event::BlockStop { block } => {
            let mut chunks = in_block(stream, *block, json!({ "type": "text", "text": "" }), None);
            stream.open_block = None;
            chunks.push(json!({ "type": "content_block_stop", "index": block }));
            chunks
        }
        _ => Vec::new(),
    }
}

pub(super) fn stop(stream: &NativeStream, reason: StopReason) -> Vec<Value> {
    let label = &stream.label;
    let delta = json!({ "stop_reason": word(reason), "stop_sequence": label.stop_sequence });
    let usage = json!({ "output_tokens": label.usage.output_tokens });
    vec![
        json!({ "type": "message_delta", "delta": delta, "usage": usage }),
        json!({ "type": "message_stop" }),
    ]
}

/// Starts the block if it has not started, and tells the delta.
fn in_block(stream: &mut NativeStream, block: u32, start: Value, delta: Option<Value>) -> Vec<Value> {
    let mut chunks = Vec::new();
    if stream.open_block != Some(block) {
        stream.open_block = Some(block);
        chunks.push(json!({ "type": "content_block_start", "index": block, "content_block": start }));
    }
    if let Some(delta) = delta {
        chunks.push(json!({ "type": "content_block_delta", "index": block, "delta": delta }));
    }
    chunks
}

fn message(label: &Label, content: &[Value]) -> Value {
    json!({
        "id": format!("msg_bdrk_{}", label.request_id.replace('-', "")),
        "type": "message",
        "role": "assistant",
        "model": short_name(&label.model_id),
        "content": content,
        "stop_reason": null,
        "stop_sequence": null,
    })
}

fn usage(label: &Label, output_tokens: i64) -> Value {
    json!({
        "input_tokens": label.usage.input_tokens,
        "cache_creation": { "ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 0 },
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    })
}

/// The model's name at Anthropic: without provider, geography and version.
fn short_name(model_id: &str) -> &str {
    let name = model_id.rsplit_once("anthropic.").map_or(model_id, |(_, name)| name);
    name.rsplit_once("-v").filter(|(_, version)| version.ends_with(":0")).map_or(name, |(name, _)| name)
}

fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::ContentFiltered => "refusal",
        StopReason::ToolUse
        | StopReason::MaxTokens
        | StopReason::StopSequence
        | StopReason::ModelContextWindowExceeded
        | StopReason::Unknown => reason.as_str(),
        StopReason::EndTurn
        | StopReason::GuardrailIntervened
        | StopReason::MalformedModelOutput
        | StopReason::MalformedToolUse => StopReason::EndTurn.as_str(),
    }
}
