//! What the service has to make of a capture: a plain fold over what was sent.
//!
//! It knows the interface of Bedrock and `docs/FAULTS.md`, and nothing of the
//! service's own code: both come to the same end, or one of them is wrong.

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use bytes::Bytes;
use serde_json::Value;

use super::capture::{Capture, Operation};
use crate::faults::table::words::WORDS;

/// Shorter strings come up by chance.
const TELLING_CHARS: usize = 8;

/// What a capture says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// The answer, as far as it was written.
    pub text: String,
    pub end: End,
    /// `None` where nobody told it.
    pub usage: Option<Usage>,
    /// Whether it says that it was served on a tier that costs otherwise.
    pub other_tier: bool,
    /// Whether a model began to work on the call.
    pub begun: bool,
    /// Everything else that was said: none of it is for the caller.
    pub hidden: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// The `finish_reason`.
    Finished(&'static str),
    /// The word of `attempts`.
    Failed(&'static str),
}

impl Default for End {
    /// Nothing said that it was over.
    fn default() -> Self {
        Self::Failed("stream_cut")
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

impl Expected {
    pub fn of(capture: &Capture, body: &[u8]) -> Self {
        if capture.is_refusal() {
            return Self::of_refusal(capture, body);
        }
        match capture.operation {
            Operation::ConverseStream => Self::of_stream(body),
            Operation::Converse => Self::of_answer(body),
            Operation::CountTokens => panic!("a count is no answer of a model"),
        }
    }

    fn of_stream(body: &[u8]) -> Self {
        let mut expected = Self::default();
        let mut stop = None;
        for message in messages(body) {
            let mut payload = serde_json::from_slice(message.payload()).unwrap_or(Value::Null);
            if header(&message, ":message-type") != "event" {
                strings(&payload, &mut expected.hidden);
                // After its stop, an answer is whole.
                if stop.is_none() {
                    expected.end = End::Failed(exception(&header(&message, ":exception-type"), &payload));
                }
                break;
            }
            match header(&message, ":event-type").as_str() {
                "messageStart" => expected.begun = true,
                "contentBlockDelta" => {
                    if let Value::String(text) = payload["delta"]["text"].take() {
                        expected.text.push_str(&text);
                    }
                }
                "messageStop" => stop = Some(payload["stopReason"].take().as_str().unwrap().to_owned()),
                "metadata" => {
                    expected.usage = Usage::of(&payload["usage"]);
                    expected.other_tier = is_other_tier(&payload);
                }
                _ => {}
            }
            payload["p"].take();
            strings(&payload, &mut expected.hidden);
        }
        if let Some(reason) = stop {
            expected.end = End::after(&reason, &expected.text);
        }
        // What cannot be understood may have been written and billed all the same.
        expected.begun |= expected.end == End::Failed("bad_response");
        expected
    }

    fn of_answer(body: &[u8]) -> Self {
        let mut answer: Value = serde_json::from_slice(body).unwrap();
        let (usage, other_tier) = (Usage::of(&answer["usage"]), is_other_tier(&answer));
        let mut expected = Self { begun: true, usage, other_tier, ..Self::default() };
        for block in answer["output"]["message"]["content"].as_array_mut().unwrap() {
            if let Value::String(text) = block["text"].take() {
                expected.text.push_str(&text);
            }
        }
        let reason = answer["stopReason"].take();
        expected.end = End::after(reason.as_str().unwrap(), &expected.text);
        strings(&answer, &mut expected.hidden);
        expected
    }

    fn of_refusal(capture: &Capture, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap();
        let word = match &capture.error_type {
            Some(name) => refusal(name.split(':').next().unwrap(), &body),
            None => untyped(capture.status),
        };
        let mut hidden = Vec::new();
        strings(&body, &mut hidden);
        Self { end: End::Failed(word), hidden, ..Self::default() }
    }

    /// What must not stand in anything that the caller gets.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let telling = |said: &&str| said.chars().count() >= TELLING_CHARS && !self.text.contains(*said);
        self.hidden.iter().map(|said| said.trim()).filter(telling)
    }
}

/// The model that is asked has prices for its default tier alone.
fn is_other_tier(said: &Value) -> bool {
    ["priority", "flex", "reserved"].iter().any(|tier| said["serviceTier"]["type"] == *tier)
}

impl End {
    /// The end of a turn.
    fn after(reason: &str, text: &str) -> Self {
        let wrote = !text.trim().is_empty();
        match (reason, wrote) {
            ("end_turn" | "stop_sequence", true) => Self::Finished("stop"),
            ("max_tokens" | "model_context_window_exceeded", true) => Self::Finished("length"),
            ("content_filtered", true) => Self::Finished("content_filter"),
            ("guardrail_intervened", _) | ("content_filtered", false) => Self::Failed("content_filtered"),
            ("tool_use" | "malformed_model_output" | "malformed_tool_use", _) => {
                Self::Failed("malformed_answer")
            }
            ("model_context_window_exceeded", false) => Self::Failed("input_too_long"),
            (_, true) => Self::Finished("other"),
            (_, false) => Self::Failed("empty_answer"),
        }
    }
}

impl Usage {
    fn of(told: &Value) -> Option<Self> {
        let count = |name: &str| told.get(name).map_or(0, |count| count.as_u64().unwrap());
        let usage = Self {
            input: count("inputTokens"),
            output: count("outputTokens"),
            cache_read: count("cacheReadInputTokens"),
            cache_write: count("cacheWriteInputTokens"),
        };
        told.is_object().then(|| {
            assert_eq!(usage.total(), count("totalTokens"), "the capture counts right");
            usage
        })
    }

    pub fn total(self) -> u64 {
        self.input + self.output + self.cache_read + self.cache_write
    }

    pub fn times(self, calls: u64) -> Self {
        Self {
            input: self.input * calls,
            output: self.output * calls,
            cache_read: self.cache_read * calls,
            cache_write: self.cache_write * calls,
        }
    }
}

/// Status and `code` of the problem that a word leads to when it is the last one.
pub fn problem_of(word: &str) -> (u16, &'static str) {
    if word == "model_refused" {
        return (502, "upstream_error");
    }
    let word = WORDS.iter().find(|known| known.word == word).unwrap_or_else(|| panic!("no word {word}"));
    (word.status, word.code)
}

fn exception(name: &str, payload: &Value) -> &'static str {
    let said = payload["message"].as_str().unwrap_or_default();
    match name {
        "internalServerException" | "serviceUnavailableException" => "unavailable",
        "throttlingException" if said.contains("per day") => "daily_quota_used_up",
        "throttlingException" => "throttled",
        "validationException" => complaint(said),
        "modelStreamErrorException" => model_error(payload),
        "" => "bad_response",
        _ if said.contains("timed out") => "model_timed_out",
        _ => "model_failed",
    }
}

fn refusal(name: &str, body: &Value) -> &'static str {
    let said = body["message"].as_str().unwrap_or_default();
    match name {
        "ThrottlingException" if said.contains("per day") => "daily_quota_used_up",
        "ThrottlingException" => "throttled",
        "ModelNotReadyException" => "not_ready",
        "InternalServerException" | "ServiceUnavailableException" => "unavailable",
        "ModelErrorException" => model_error(body),
        "ModelTimeoutException" => "model_timed_out",
        "AccessDeniedException" => "access_denied",
        "ResourceNotFoundException" => "model_gone",
        "ServiceQuotaExceededException" => "account_quota_exceeded",
        "ValidationException" => complaint(said),
        other => panic!("{other} is unknown here"),
    }
}

fn untyped(status: u16) -> &'static str {
    match status {
        429 => "throttled",
        500.. => "unavailable",
        _ => "bad_response",
    }
}

fn complaint(said: &str) -> &'static str {
    match said {
        _ if said.contains("is too long") => "input_too_long",
        _ if said.contains("model identifier is invalid") => "model_gone",
        _ => "request_rejected",
    }
}

fn model_error(payload: &Value) -> &'static str {
    match payload["originalStatusCode"].as_u64() {
        Some(400..=499) => "model_refused",
        _ => "model_failed",
    }
}

fn messages(body: &[u8]) -> Vec<Message> {
    let mut rest = Bytes::copy_from_slice(body);
    let mut messages = Vec::new();
    while !rest.is_empty() {
        messages.push(read_message_from(&mut rest).unwrap());
    }
    messages
}

/// Empty where there is none.
fn header(message: &Message, name: &str) -> String {
    let header = message.headers().iter().find(|header| header.name().as_str() == name);
    header.map_or_else(String::new, |header| header.value().as_string().unwrap().as_str().to_owned())
}

/// Every string in a value.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        Value::Object(members) => members.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}
