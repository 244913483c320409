//! Chats in the manner of OpenAI: gpt-oss, Qwen, Kimi, GLM and others, AI21 Jamba, newer Mistral.
//!
//! Owns the members of a request and the shape of answers and chunks, and how the dialects differ:
//! which members and ranges they know, and which name their answers go by. Tools are read, but have
//! no effect on the answer. The one rule it protects: an answer has one choice, and more are refused.

use serde_json::{Value, json};

use super::schema::{
    Faults, Kind, Member, Object, inference, integer, list, malformed, optional, required, texts,
};
use super::stream::NativeStream;
use super::turns::{Role, Turns, with_reasoning};
use super::{Format, Label, Told};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

/// Whose chat it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    /// As OpenAI, with the reasoning told inside of the text.
    GptOss,
    Jamba,
    Mistral,
}

const OPEN_AI: &[Member] = &[
    required("messages", Kind::List),
    optional("model", Kind::Text),
    optional("max_tokens", Kind::Integer(1, i64::MAX)),
    optional("max_completion_tokens", Kind::Integer(1, i64::MAX)),
    optional("temperature", Kind::Number(0.0, 2.0)),
    optional("top_p", Kind::Number(0.0, 1.0)),
    optional("top_k", Kind::Integer(-1, i64::MAX)),
    optional("stop", Kind::Any),
    optional("stream", Kind::Flag),
    optional("stream_options", Kind::Object),
    optional("n", Kind::Integer(1, 1)),
    optional("frequency_penalty", Kind::Number(-2.0, 2.0)),
    optional("presence_penalty", Kind::Number(-2.0, 2.0)),
    optional("repetition_penalty", Kind::Number(0.0, 2.0)),
    optional("logit_bias", Kind::Object),
    optional("logprobs", Kind::Flag),
    optional("top_logprobs", Kind::Integer(0, 20)),
    optional("seed", Kind::Integer(i64::MIN, i64::MAX)),
    optional("response_format", Kind::Object),
    optional("reasoning_effort", Kind::Word(&["none", "minimal", "low", "medium", "high", "xhigh"])),
    optional("tools", Kind::List),
    optional("tool_choice", Kind::Any),
    optional("parallel_tool_calls", Kind::Flag),
    optional("user", Kind::AnyText),
    optional("metadata", Kind::Object),
    optional("chat_template_kwargs", Kind::Object),
];
const JAMBA: &[Member] = &[
    required("messages", Kind::List),
    optional("max_tokens", Kind::Integer(1, 4_096)),
    optional("temperature", Kind::Number(0.0, 2.0)),
    optional("top_p", Kind::Number(0.01, 1.0)),
    optional("stop", Kind::Any),
    optional("n", Kind::Integer(1, 1)),
    optional("frequency_penalty", Kind::Number(0.0, 2.0)),
    optional("presence_penalty", Kind::Number(0.0, 5.0)),
    optional("response_format", Kind::Object),
    optional("documents", Kind::List),
    optional("tools", Kind::List),
];
const MISTRAL: &[Member] = &[
    required("messages", Kind::List),
    optional("max_tokens", Kind::Integer(1, i64::MAX)),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("top_p", Kind::Number(0.0, 1.0)),
    optional("stop", Kind::Any),
    optional("random_seed", Kind::Integer(0, i64::MAX)),
    optional("response_format", Kind::Object),
    optional("safe_prompt", Kind::Flag),
    optional("tools", Kind::List),
    optional("tool_choice", Kind::Any),
];
const MESSAGE: &[Member] = &[
    required("role", Kind::Word(&["system", "developer", "user", "assistant", "tool"])),
    optional("content", Kind::Any),
    optional("name", Kind::Text),
    optional("tool_calls", Kind::List),
    optional("tool_call_id", Kind::Text),
    optional("refusal", Kind::Any),
];

pub(super) fn read(dialect: Dialect, body: &Object) -> Result<ConverseRequest, Refusal> {
    let (members, most_stops) = match dialect {
        Dialect::OpenAi | Dialect::GptOss => (OPEN_AI, 4),
        Dialect::Jamba => (JAMBA, 16),
        Dialect::Mistral => (MISTRAL, 4),
    };
    let mut faults = Faults::of_body(body, members);
    faults.check_items(body, "messages", MESSAGE);
    let stops = match body.get("stop") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(_) => {
            faults.check_kind(&body["stop"], "#/stop", Kind::Texts(most_stops));
            texts(body, "stop")
        }
    };
    faults.finish()?;
    let messages = list(body, "messages");
    if messages.is_empty() {
        return Err(malformed("#/messages: expected minimum item count: 1, found: 0"));
    }
    let mut turns = Turns::default();
    for (index, message) in messages.iter().enumerate() {
        let role = Role::of(message["role"].as_str().unwrap_or_default());
        let words = words(&mut turns, message, index)?;
        if message["role"] == "user" && words.iter().all(|text| text.trim().is_empty()) {
            return Err(malformed(&format!("#/messages/{index}/content: the text is blank")));
        }
        turns.add_texts(if message["role"] == "tool" { Role::Assistant } else { role }, &words);
    }
    // What a tool said is no prefill.
    turns.ends_with_assistant &= messages.last().is_some_and(|message| message["role"] == "assistant");
    for name in ["tools", "documents"] {
        body.get(name).into_iter().for_each(|value| turns.add_json(value));
    }
    let mut inference = inference(body, ["max_tokens", "temperature", "top_p", "stop"]);
    inference.max_tokens = integer(body, "max_completion_tokens").or(inference.max_tokens);
    inference.stop_sequences = stops;
    let schema =
        body.get("response_format").and_then(|format| format.pointer("/json_schema/schema")).cloned();
    Ok(turns.into_request(inference, schema))
}

fn words<'v>(turns: &mut Turns, message: &'v Value, index: usize) -> Result<Vec<&'v str>, Refusal> {
    let blocks = match &message["content"] {
        Value::Null => return Ok(Vec::new()),
        Value::String(words) => return Ok(vec![words.as_str()]),
        Value::Array(blocks) => blocks,
        other => {
            let mut faults = Faults::default();
            faults.wrong_type(&format!("#/messages/{index}/content"), "String", other);
            return faults.finish().map(|()| Vec::new());
        }
    };
    let mut words = Vec::new();
    for block in blocks {
        match block["text"].as_str() {
            Some(text) => words.push(text),
            None => turns.add_json(block),
        }
    }
    Ok(words)
}

pub(super) fn answer(dialect: Dialect, told: &Told<'_>) -> Value {
    let text = with_reasoning(Format::Chat(dialect), told.preamble, told.text);
    let choice = json!({
        "index": 0,
        "message": { "role": "assistant", "content": text },
        "finish_reason": word(told.reason),
    });
    let mut answer = envelope(dialect, told.label, "chat.completion");
    answer["choices"] = if told.has_content { json!([choice]) } else { json!([]) };
    if told.tells_usage {
        answer["usage"] = usage(told.label);
    }
    answer
}

pub(super) fn first(dialect: Dialect, stream: &NativeStream) -> Value {
    part(dialect, stream, &json!({ "role": "assistant", "content": "" }), None)
}

pub(super) fn chunk(dialect: Dialect, stream: &NativeStream, text: &str) -> Value {
    part(dialect, stream, &json!({ "content": text }), None)
}

pub(super) fn last(dialect: Dialect, stream: &NativeStream, reason: StopReason, tells_usage: bool) -> Value {
    let mut chunk = part(dialect, stream, &json!({}), Some(word(reason)));
    if tells_usage {
        chunk["usage"] = usage(&stream.label);
    }
    chunk
}

fn part(dialect: Dialect, stream: &NativeStream, delta: &Value, reason: Option<&str>) -> Value {
    let mut chunk = envelope(dialect, &stream.label, "chat.completion.chunk");
    chunk["choices"] = json!([{ "index": 0, "delta": delta, "finish_reason": reason }]);
    chunk
}

fn envelope(dialect: Dialect, label: &Label, object: &str) -> Value {
    let id = format!("chatcmpl-{}", label.request_id);
    match dialect {
        Dialect::Jamba => json!({ "id": id }),
        Dialect::OpenAi | Dialect::GptOss | Dialect::Mistral => json!({
            "id": id,
            "object": object,
            "created": label.created_unix_s,
            "model": label.model_id,
        }),
    }
}

fn usage(label: &Label) -> Value {
    json!({
        "prompt_tokens": label.usage.input_tokens,
        "completion_tokens": label.usage.output_tokens,
        "total_tokens": label.usage.total_tokens(),
    })
}

fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::MaxTokens | StopReason::ModelContextWindowExceeded => "length",
        StopReason::ToolUse => "tool_calls",
        StopReason::ContentFiltered => "content_filter",
        StopReason::Unknown => reason.as_str(),
        _ => "stop",
    }
}
