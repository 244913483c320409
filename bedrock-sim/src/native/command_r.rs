//! Cohere Command R and R+.
//!
//! Owns the members of a request and the shape of answers and of the named events of a stream.
//! Documents and tools are read and checked, but have no effect on the answer.
//! The one rule it protects: the preamble is the system text, and the message the last user text.

use serde_json::{Value, json};

use super::Told;
use super::command::{id, word};
use super::schema::{Faults, Kind, Member, Object, inference, list, optional, prompt, required, text};
use super::stream::NativeStream;
use super::turns::{Role, Turns};
use crate::errors::Refusal;
use crate::request::ConverseRequest;
use crate::scenario::StopReason;

const MEMBERS: &[Member] = &[
    required("message", Kind::Text),
    optional("chat_history", Kind::List),
    optional("preamble", Kind::AnyText),
    optional("max_tokens", Kind::Integer(1, 4_096)),
    optional("temperature", Kind::Number(0.0, 1.0)),
    optional("p", Kind::Number(0.01, 0.99)),
    optional("k", Kind::Integer(0, 500)),
    optional("stop_sequences", Kind::Texts(5)),
    optional("frequency_penalty", Kind::Number(0.0, 1.0)),
    optional("presence_penalty", Kind::Number(0.0, 1.0)),
    optional("seed", Kind::Integer(0, i64::MAX)),
    optional("documents", Kind::List),
    optional("search_queries_only", Kind::Flag),
    optional("prompt_truncation", Kind::Word(&["OFF", "AUTO_PRESERVE_ORDER"])),
    optional("return_prompt", Kind::Flag),
    optional("raw_prompting", Kind::Flag),
    optional("tools", Kind::List),
    optional("tool_results", Kind::List),
];
const TURN: &[Member] =
    &[required("role", Kind::Word(&["USER", "CHATBOT"])), required("message", Kind::AnyText)];

pub(super) fn read(body: &Object) -> Result<ConverseRequest, Refusal> {
    let mut faults = Faults::of_body(body, MEMBERS);
    faults.check_items(body, "chat_history", TURN);
    faults.finish()?;
    let message = prompt(body, "message")?;
    let mut turns = Turns::default();
    if body.contains_key("preamble") {
        turns.add(Role::System, text(body, "preamble"));
    }
    for turn in list(body, "chat_history") {
        let role = Role::of(turn["role"].as_str().unwrap_or_default());
        turns.add(role, turn["message"].as_str().unwrap_or_default());
    }
    for name in ["documents", "tools", "tool_results"] {
        body.get(name).into_iter().for_each(|value| turns.add_json(value));
    }
    turns.add(Role::User, message);
    let inference = inference(body, ["max_tokens", "temperature", "p", "stop_sequences"]);
    Ok(turns.into_request(inference, None))
}

pub(super) fn answer(told: &Told<'_>) -> Value {
    json!({
        "response_id": id(told.label),
        "generation_id": id(told.label),
        "text": told.text,
        "finish_reason": word(told.reason),
    })
}

pub(super) fn first(stream: &NativeStream) -> Value {
    json!({ "event_type": "stream-start", "is_finished": false, "generation_id": id(&stream.label) })
}

pub(super) fn chunk(text: &str) -> Value {
    json!({ "event_type": "text-generation", "is_finished": false, "text": text })
}

pub(super) fn last(stream: &NativeStream, reason: StopReason) -> Value {
    json!({
        "event_type": "stream-end",
        "is_finished": true,
        "finish_reason": word(reason),
        "response": { "generation_id": id(&stream.label), "finish_reason": word(reason) },
    })
}
