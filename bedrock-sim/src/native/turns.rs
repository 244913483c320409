//! Turns: what a native body says, by who says it.
//!
//! Owns the sum of a conversation: system text, the last user text and the tokens of all.
//! How a family writes its turns is the family's matter.
//! The one rule it protects: the same texts cost the same tokens as in Converse.

use serde_json::Value;

use super::{Format, reasoning_marks};
use crate::models::Preamble;
use crate::request::{Around, ConverseRequest, Inference, Speaker};
use crate::scenario::StopReason;
use crate::script::REASONING_TEXT;
use crate::tokens;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    pub(super) fn of(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "system" | "developer" => Self::System,
            "assistant" | "chatbot" => Self::Assistant,
            _ => Self::User,
        }
    }
}

/// A conversation, as far as it matters for an answer and its bill.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turns {
    pub(super) system: String,
    /// The text of the last user turn.
    pub(super) user_text: String,
    pub(super) around: Around,
    /// The texts of all user turns.
    pub(super) user_texts: Vec<String>,
    pub(super) ends_with_assistant: bool,
    pub(super) has_cache_point: bool,
    pub(super) input_tokens: u64,
}

impl Turns {
    /// Adds a turn and its tokens.
    pub(super) fn add(&mut self, role: Role, text: &str) {
        self.add_texts(role, &[text]);
    }

    /// Adds a turn of several texts, each of which is counted by itself.
    pub(super) fn add_texts(&mut self, role: Role, texts: &[&str]) {
        self.hear(role, &texts.join("\n"));
        self.keep(role, texts);
        let tokens: u64 = texts.iter().map(|text| tokens::count(text)).sum();
        self.input_tokens += tokens + tokens::PER_BLOCK_TOKENS;
    }

    /// Adds a turn of a prompt, whose tokens are those of the prompt as a whole.
    pub(super) fn say(&mut self, role: Role, text: &str) {
        self.hear(role, text);
        self.keep(role, &[text]);
    }

    fn keep(&mut self, role: Role, texts: &[&str]) {
        if role == Role::User {
            self.user_texts.extend(texts.iter().map(|&text| text.to_owned()));
        }
    }

    fn hear(&mut self, role: Role, text: &str) {
        match role {
            Role::System => {
                if !self.system.is_empty() && !text.is_empty() {
                    self.system.push('\n');
                }
                self.system.push_str(text);
                return;
            }
            Role::User => self.around.take(Speaker::User, text.to_owned(), &mut self.user_text),
            Role::Assistant => self.around.take(Speaker::Assistant, text.to_owned(), &mut self.user_text),
        }
        self.ends_with_assistant = role == Role::Assistant;
    }

    /// Counts what is no text, such as a tool or an image, as the text of its JSON.
    pub(super) fn add_json(&mut self, value: &Value) {
        self.input_tokens += tokens::count(&value.to_string());
    }

    pub(super) fn into_request(self, inference: Inference, output_schema: Option<Value>) -> ConverseRequest {
        ConverseRequest {
            system: self.system,
            user_text: self.user_text,
            around: self.around,
            user_texts: self.user_texts,
            inference,
            output_schema,
            has_cache_point: self.has_cache_point,
            ends_with_assistant: self.ends_with_assistant,
            input_tokens: self.input_tokens,
            ..ConverseRequest::default()
        }
    }

    /// A request that is one prompt: the prompt counts as one message, templates and all.
    pub(super) fn into_prompt(mut self, prompt: &str, inference: Inference) -> ConverseRequest {
        self.input_tokens = tokens::count(prompt) + tokens::PER_BLOCK_TOKENS;
        // A prompt ends where the assistant has to begin; that is no prefill.
        self.ends_with_assistant = false;
        self.into_request(inference, None)
    }
}

/// The text of an answer whose format has no place of its own for reasoning.
pub(super) fn with_reasoning(format: Format, preamble: Preamble, text: &str) -> String {
    if preamble == Preamble::None {
        return text.to_owned();
    }
    let (open, close) = reasoning_marks(format);
    format!("{open}{REASONING_TEXT}{close}{text}")
}

/// The reason in the words of the families that know but two.
pub(super) fn length_or_stop(reason: StopReason) -> &'static str {
    match reason {
        StopReason::MaxTokens => "length",
        StopReason::Unknown => reason.as_str(),
        _ => "stop",
    }
}
