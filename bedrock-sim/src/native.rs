//! Native formats: the bodies that InvokeModel carries, in the words of each model family.
//!
//! Owns which format a body is in: read off the model id where the id names the model, and off the
//! shape of the body where it does not. Each family is a file of its own: how its requests are
//! read, how its answers and the chunks of its streams look.
//! The one rule it protects: a body that the family does not describe is refused, never guessed at.

mod chat;
mod claude_messages;
mod claude_text;
mod command;
mod command_r;
mod deepseek;
mod guarding;
mod jurassic;
mod llama;
mod mistral;
mod nova;
mod schema;
mod stream;
mod template;
mod titan;
mod turns;

use serde_json::{Map, Value};

use crate::errors::Refusal;
use crate::models::{self, Preamble};
use crate::operations::ToldUsage;
use crate::request::{ConverseRequest, InvokeHeaders};
use crate::scenario::{Scenario, StopReason};
use chat::Dialect;
pub(crate) use guarding::Guarded;
use guarding::Tags;
use schema::malformed;
pub(crate) use stream::{Metrics, NativeStream};

/// A family's way to write requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    ClaudeMessages,
    ClaudeText,
    Nova,
    Titan,
    Llama,
    Mistral,
    Command,
    CommandR,
    Jurassic,
    DeepSeek,
    Chat(Dialect),
}

/// A native body, read and checked.
#[derive(Debug, Clone)]
pub(crate) struct NativeRequest {
    pub(crate) format: Format,
    pub(crate) asked: ConverseRequest,
    /// Whether the body asks the model to show its reasoning.
    thinks: bool,
    /// Whether the body asks for the chunks that Cohere Command calls a stream.
    streams: bool,
}

/// What tells one answer from another, and does not change while it is told.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) request_id: String,
    pub(crate) model_id: String,
    pub(crate) created_unix_s: u64,
    pub(crate) stop_sequence: Option<String>,
    pub(crate) usage: ToldUsage,
    /// None if no guardrail was named.
    pub(crate) guarded: Option<Guarded>,
}

/// A whole answer as a family tells it.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) label: &'a Label,
    pub(crate) text: &'a str,
    pub(crate) preamble: Preamble,
    /// False for an answer without any content block.
    pub(crate) has_content: bool,
    pub(crate) reason: StopReason,
    /// False for an answer that keeps its usage to itself.
    pub(crate) tells_usage: bool,
}

impl NativeRequest {
    /// Reads the body of a call of `model_id` with these headers.
    pub(crate) fn read(model_id: &str, body: &[u8], headers: InvokeHeaders) -> Result<Self, Refusal> {
        let json: Value = serde_json::from_slice(body).map_err(|_| malformed("the body is no valid JSON"))?;
        let Value::Object(body) = &json else {
            let found = schema::type_name(&json);
            return Err(malformed(&format!("#: expected type: JSONObject, found: {found}")));
        };
        let Some(format) = Format::of(model_id, body) else {
            models::check_id(model_id)?;
            return Err(malformed("#: the keys are those of no known format"));
        };
        let asked = format.read_guarded(model_id, body, headers)?;
        Ok(Self {
            format,
            asked,
            thinks: format == Format::ClaudeMessages && claude_messages::thinks(body),
            streams: format == Format::Command && command::streams(body),
        })
    }

    /// Checks the request against the limits of its model, and tells how the model begins.
    pub(crate) fn check(&self, model_id: &str) -> Result<Preamble, Refusal> {
        let preamble = models::check_native(model_id, &self.asked, |model, asked, cap| match self.format {
            Format::ClaudeMessages => claude_messages::over_cap(model, asked, cap),
            format => {
                malformed(&format!("#/{}: {asked} is not less or equal to {cap}", format.max_tokens_at()))
            }
        })?;
        let preamble = if self.thinks { Preamble::Reasoning } else { preamble };
        Ok(self.format.preamble(preamble))
    }

    /// The scenario as far as this format can tell it.
    pub(crate) fn playable(&self, scenario: &Scenario) -> Scenario {
        let preamble = match scenario {
            Scenario::Reasoning => self.format.preamble(Preamble::Reasoning),
            Scenario::GptOssOrder => self.format.preamble(Preamble::EmptyTextAndReasoning),
            _ => return scenario.clone(),
        };
        match preamble {
            Preamble::None => Scenario::Normal,
            Preamble::Reasoning => Scenario::Reasoning,
            Preamble::EmptyTextAndReasoning => Scenario::GptOssOrder,
        }
    }

    /// The writer of the chunks of the answer.
    pub(crate) fn stream(&self, label: Label) -> NativeStream {
        NativeStream::new(self.format, self.streams, label)
    }
}

impl Format {
    fn of(model_id: &str, body: &Map<String, Value>) -> Option<Self> {
        models::base_of(model_id).and_then(|base| Self::of_base(base, body)).or_else(|| Self::of_shape(body))
    }

    fn of_base(base: &str, body: &Map<String, Value>) -> Option<Self> {
        let (provider, name) = base.split_once('.')?;
        let starts = |beginnings: &[&str]| beginnings.iter().any(|beginning| name.starts_with(beginning));
        let format = match provider {
            // Claude 2 takes both forms.
            "anthropic" if starts(&["claude-v", "claude-instant"]) && body.contains_key("prompt") => {
                Self::ClaudeText
            }
            "anthropic" => Self::ClaudeMessages,
            "amazon" if starts(&["nova"]) => Self::Nova,
            "amazon" if starts(&["titan-text"]) => Self::Titan,
            "meta" => Self::Llama,
            "mistral" if starts(&["mistral-7b", "mixtral", "mistral-large-2402", "mistral-small-2402"]) => {
                Self::Mistral
            }
            "mistral" => Self::Chat(Dialect::Mistral),
            "cohere" if starts(&["command-r"]) => Self::CommandR,
            "cohere" => Self::Command,
            "ai21" if starts(&["j2"]) => Self::Jurassic,
            "ai21" => Self::Chat(Dialect::Jamba),
            "deepseek" if starts(&["r1", "v3-"]) => Self::DeepSeek,
            "openai" if starts(&["gpt-oss"]) => Self::Chat(Dialect::GptOss),
            "deepseek" | "openai" | "qwen" | "moonshot" | "moonshotai" | "zai" | "google" | "nvidia"
            | "minimax" | "writer" => Self::Chat(Dialect::OpenAi),
            _ => return None,
        };
        Some(format)
    }

    /// The format that a body of an unknown model is in.
    fn of_shape(body: &Map<String, Value>) -> Option<Self> {
        let has = |names: &[&str]| names.iter().any(|name| body.contains_key(*name));
        let prompt = body.get("prompt").and_then(Value::as_str).unwrap_or_default();
        let format = if has(&["anthropic_version"]) {
            Self::ClaudeMessages
        } else if has(&["inputText"]) {
            Self::Titan
        } else if has(&["message"]) {
            Self::CommandR
        } else if has(&["messages"]) && (has(&["inferenceConfig", "schemaVersion"]) || nova::has_blocks(body))
        {
            Self::Nova
        } else if has(&["messages"]) {
            // Only gpt-oss shows its reasoning, and an unknown model may be one.
            Self::Chat(Dialect::GptOss)
        } else if !has(&["prompt"]) {
            return None;
        } else if has(&["max_tokens_to_sample"]) || prompt.starts_with("\n\nHuman:") {
            Self::ClaudeText
        } else if has(&["max_gen_len"]) || (!has(&["max_tokens"]) && template::is_llama(prompt)) {
            Self::Llama
        } else if has(&["maxTokens", "topP", "stopSequences"]) {
            Self::Jurassic
        } else if template::is_deepseek(prompt) {
            Self::DeepSeek
        } else if has(&command::MEMBERS_OF_ITS_OWN) {
            Self::Command
        } else {
            Self::Mistral
        };
        Some(format)
    }

    /// Reads a body without the tags of its guarded parts, and what of it is for a guardrail.
    fn read_guarded(
        self,
        model_id: &str,
        body: &Map<String, Value>,
        headers: InvokeHeaders,
    ) -> Result<ConverseRequest, Refusal> {
        let mut asked = self.read(model_id, body)?;
        if headers.guarding.is_none() && body.contains_key(guarding::CONFIG) {
            let name = guarding::CONFIG;
            let message = format!("{name} is given, but the request names no guardrail identifier.");
            return Err(Refusal::validation(message));
        }
        if let Some(mut guarding) = headers.guarding {
            let mut tagged = None;
            if let Some(tags) = Tags::of(body) {
                let mut bare = body.clone();
                tags.take_out(&mut bare);
                let with_tags = std::mem::replace(&mut asked, self.read(model_id, &bare)?);
                tagged = Some((tags, with_tags));
            }
            guarding.asynchronous = guarding::flows(body);
            guarding.take_native_texts(&asked, tagged.as_ref());
            asked.guarding = Some(guarding);
        }
        asked.user_texts = Vec::new();
        asked.echo = headers.echo;
        Ok(asked)
    }

    fn read(self, model_id: &str, body: &Map<String, Value>) -> Result<ConverseRequest, Refusal> {
        match self {
            Self::ClaudeMessages => claude_messages::read(body),
            Self::ClaudeText => claude_text::read(body),
            Self::Nova => nova::read(body),
            Self::Titan => titan::read(body),
            Self::Llama => llama::read(model_id, body),
            Self::Mistral => mistral::read(body),
            Self::Command => command::read(body),
            Self::CommandR => command_r::read(body),
            Self::Jurassic => jurassic::read(body),
            Self::DeepSeek => deepseek::read(body),
            Self::Chat(dialect) => chat::read(dialect, body),
        }
    }

    /// Whether InvokeModelWithResponseStream serves this format.
    pub(crate) fn can_stream(self) -> bool {
        self != Self::Jurassic
    }

    /// The whole answer.
    pub(crate) fn answer(self, told: &Told<'_>) -> Value {
        match self {
            Self::ClaudeMessages => claude_messages::answer(told),
            Self::ClaudeText => claude_text::answer(told),
            Self::Nova => nova::answer(told),
            Self::Titan => titan::answer(told),
            Self::Llama => llama::answer(told),
            Self::Mistral => mistral::answer(told),
            Self::Command => command::answer(told),
            Self::CommandR => command_r::answer(told),
            Self::Jurassic => jurassic::answer(told),
            Self::DeepSeek => deepseek::answer(told),
            Self::Chat(dialect) => chat::answer(dialect, told),
        }
    }

    /// How an answer can begin that would begin so in Converse.
    fn preamble(self, preamble: Preamble) -> Preamble {
        match self {
            Self::ClaudeMessages | Self::Nova => preamble,
            Self::DeepSeek | Self::Chat(Dialect::GptOss) if preamble != Preamble::None => Preamble::Reasoning,
            _ => Preamble::None,
        }
    }

    fn max_tokens_at(self) -> &'static str {
        match self {
            Self::Nova => "inferenceConfig/maxTokens",
            Self::Titan => "textGenerationConfig/maxTokenCount",
            Self::Llama => "max_gen_len",
            Self::ClaudeText => "max_tokens_to_sample",
            Self::Jurassic => "maxTokens",
            _ => "max_tokens",
        }
    }
}

/// What opens and what closes reasoning that is told inside of the text.
fn reasoning_marks(format: Format) -> (&'static str, &'static str) {
    match format {
        // The template of the prompt has opened it already.
        Format::DeepSeek => ("", "\n</think>\n\n"),
        _ => ("<reasoning>", "</reasoning>"),
    }
}

#[cfg(test)]
mod tests;
