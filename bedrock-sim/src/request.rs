//! Requests: from the bytes of a body to what an operation needs.
//!
//! Owns the constraints of the published API model and the texts AWS refuses with. Limits of single
//! models are not its matter. Members that no model describes are ignored, as they are at AWS.
//! The one rule it protects: what has been read has been checked.

mod cache_points;
mod content;
mod guarding;
mod invoke_headers;
mod reader;
mod settings;
mod tools;
mod turns;

use aws_smithy_types::base64;
use serde_json::Value;

use crate::errors::Refusal;
use crate::scenario::StopReason;
use crate::tokens;
pub(crate) use cache_points::CachePoint;
use content::Conversation;
pub(crate) use guarding::{ApplyGuardrailRequest, Guarding};
pub(crate) use invoke_headers::InvokeHeaders;
use reader::{At, Object, Reader, member_object, member_text, object};
pub(crate) use settings::Echo;
pub(crate) use tools::Tools;
pub(crate) use turns::{Around, Speaker};

/// A Converse or ConverseStream request, or what a native body asks in the same terms.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConverseRequest {
    pub(crate) system: String,
    /// The text of the last user message.
    pub(crate) user_text: String,
    /// What was said before and after it.
    pub(crate) around: Around,
    /// The texts of all user messages of a native body, for a guardrail.
    pub(crate) user_texts: Vec<String>,
    pub(crate) inference: Inference,
    pub(crate) echo: Echo,
    pub(crate) output_schema: Option<Value>,
    pub(crate) tools: Tools,
    pub(crate) guarding: Option<Guarding>,
    pub(crate) has_cache_point: bool,
    pub(crate) cache_points: Vec<CachePoint>,
    pub(crate) ends_with_assistant: bool,
    pub(crate) input_tokens: u64,
}

/// How the model is asked to write.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Inference {
    pub(crate) max_tokens: Option<u64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) stop_sequences: Vec<String>,
}

impl Inference {
    /// The stop sequence that comes first in `text`.
    pub(crate) fn stop_sequence_in(&self, text: &str) -> Option<&str> {
        self.first_stop(text).map(|(_, sequence)| sequence)
    }

    fn first_stop(&self, text: &str) -> Option<(usize, &str)> {
        let stops = self.stop_sequences.iter();
        stops.filter_map(|sequence| Some((text.find(sequence.as_str())?, sequence.as_str()))).min()
    }

    /// Ends `text` at the first stop sequence or after the last allowed token.
    pub(crate) fn end_of(&self, mut text: String) -> (String, StopReason) {
        let stop = self.first_stop(&text).map(|(at, _)| at);
        let room = self.max_tokens.map_or(text.len(), |max| tokens::prefix_within(&text, max));
        match stop {
            Some(stop) if stop <= room => {
                text.truncate(stop);
                (text, StopReason::StopSequence)
            }
            _ if room < text.len() => {
                text.truncate(room);
                (text, StopReason::MaxTokens)
            }
            _ => (text, StopReason::EndTurn),
        }
    }
}

impl ConverseRequest {
    /// Reads the body of a Converse call of `model_id`.
    pub(crate) fn read(model_id: &str, body: &[u8]) -> Result<Self, Refusal> {
        Self::read_as(model_id, body, false)
    }

    /// Reads the body of a ConverseStream call of `model_id`.
    pub(crate) fn read_for_stream(model_id: &str, body: &[u8]) -> Result<Self, Refusal> {
        Self::read_as(model_id, body, true)
    }

    fn read_as(model_id: &str, body: &[u8], in_stream: bool) -> Result<Self, Refusal> {
        let json = reader::parse(body)?;
        let request = object(&json)?;
        let mut reader = Reader::default();
        let inference = settings::read_inference(&mut reader, request)?;
        settings::read_metadata(&mut reader, request)?;
        let mut guarding = guarding::read_config(&mut reader, request, in_stream)?;
        let tools = tools::read(&mut reader, request)?;
        settings::read_response_paths(&mut reader, request)?;
        let echo = settings::read_echo(&mut reader, request)?;
        let output_schema = settings::read_output_schema(&mut reader, request)?;
        let is_prompt = is_prompt(model_id);
        let conversation = if is_prompt {
            settings::refuse_members_of_prompt(request)?;
            reader.finish()?;
            prompt(request)?
        } else {
            conversation(reader, request)?
        };
        if let Some(guarding) = &mut guarding {
            guarding.take_texts(request, is_prompt.then_some(conversation.user_text.as_str()));
        }
        Ok(Self {
            system: conversation.system,
            user_text: conversation.user_text,
            around: conversation.around,
            user_texts: Vec::new(),
            inference,
            echo,
            output_schema,
            tools,
            guarding,
            has_cache_point: conversation.has_cache_point,
            cache_points: cache_points::find(request, &conversation.tokens_at_cache_points),
            ends_with_assistant: conversation.ends_with_assistant,
            input_tokens: conversation.input_tokens,
        })
    }

    /// The JSON schema that the answer has to follow: that of a tool, or else of the text.
    pub(crate) fn answer_schema(&self) -> Option<&Value> {
        self.tools.forced.as_ref().map(|tool| &tool.schema).or(self.output_schema.as_ref())
    }

    pub(crate) fn prompt_bytes(&self) -> usize {
        let earlier: usize = self.around.before().iter().map(|(_, text)| text.len()).sum();
        self.system.len() + earlier + self.user_text.len()
    }
}

/// A CountTokens request.
#[derive(Debug)]
pub(crate) struct CountTokensRequest {
    pub(crate) input_tokens: u64,
}

impl CountTokensRequest {
    pub(crate) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let json = reader::parse(body)?;
        let request = object(&json)?;
        let at = At::ROOT.member("input");
        let mut reader = Reader::default();
        let Some(input) = member_object(request, "input")? else {
            reader.missing(at);
            return Err(refused(reader));
        };
        let converse = member_object(input, "converse")?;
        let invoke_model = member_object(input, "invokeModel")?;
        let input_tokens = match (converse, invoke_model) {
            (Some(converse), None) => {
                tools::read(&mut reader, converse)?;
                conversation(reader, converse)?.input_tokens
            }
            (None, Some(invoke_model)) => {
                let Some(body) = member_text(invoke_model, "body")? else {
                    let at = at.member("invokeModel");
                    reader.missing(at.member("body"));
                    return Err(refused(reader));
                };
                native_tokens(body)?
            }
            _ => {
                return Err(Refusal::validation(
                    "CountTokensInput object at input must set one of the following keys: \
                     invokeModel, converse.",
                ));
            }
        };
        Ok(Self { input_tokens })
    }
}

fn conversation(mut reader: Reader, request: &Object) -> Result<Conversation, Refusal> {
    let mut conversation = Conversation::default();
    conversation.read_tools(&mut reader, request)?;
    conversation.read_system(&mut reader, request)?;
    conversation.read_messages(&mut reader, request)?;
    Ok(conversation)
}

fn prompt(request: &Object) -> Result<Conversation, Refusal> {
    let user_text = settings::read_prompt_variables(request)?;
    Ok(Conversation {
        input_tokens: tokens::count(&user_text) + tokens::PER_BLOCK_TOKENS,
        user_text,
        ..Conversation::default()
    })
}

fn is_prompt(model_id: &str) -> bool {
    model_id.starts_with("arn:") && model_id.contains(":prompt/")
}

/// The tokens of a body in the form that Claude models take natively.
fn native_tokens(encoded: &str) -> Result<u64, Refusal> {
    let malformed = || {
        Refusal::validation(
            "Malformed input request: the body is no valid JSON, please reformat your input and \
             try again.",
        )
    };
    let body = base64::decode(encoded).map_err(|_| malformed())?;
    let body: Value = serde_json::from_slice(&body).map_err(|_| malformed())?;
    let messages = body["messages"].as_array().ok_or_else(malformed)?;
    let contents = messages.iter().map(|message| &message["content"]);
    let tokens: u64 = contents
        .chain(present_value(&body["system"]))
        .map(|content| native_text_tokens(content) + tokens::PER_BLOCK_TOKENS)
        .sum();
    let tools = present_value(&body["tools"]).map_or(0, |tools| tokens::count(&tools.to_string()));
    Ok(tokens + tools)
}

fn native_text_tokens(content: &Value) -> u64 {
    match content {
        Value::String(text) => tokens::count(text),
        Value::Array(blocks) => blocks
            .iter()
            .map(|block| match block["text"].as_str().or_else(|| native_document(block)) {
                Some(text) => tokens::count(text),
                None => tokens::count(&block.to_string()),
            })
            .sum(),
        _ => 0,
    }
}

/// The text of a document that a native body holds as text.
pub(crate) fn native_document(block: &Value) -> Option<&str> {
    let source = &block["source"];
    (source["type"] == "text").then(|| source["data"].as_str()).flatten()
}

fn present_value(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

fn refused(reader: Reader) -> Refusal {
    match reader.finish() {
        Err(refusal) => refusal,
        Ok(()) => Refusal::validation("Malformed input request."),
    }
}

#[cfg(test)]
mod tests;
