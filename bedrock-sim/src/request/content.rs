//! Messages and system blocks: their unions, their roles, their texts.
//!
//! Owns which members a block may have, the refusals for blank texts and wrong beginnings, and what
//! of a block is text for the author and tokens for the bill.
//! The one rule it protects: a block sets exactly one member of its union.

use aws_smithy_types::base64;
use serde_json::Value;

use super::reader::{At, Object, Reader, member_list, member_object, member_text, object, present, text};
use super::turns::{Around, Speaker};
use crate::errors::Refusal;
use crate::tokens;

const CONTENT_MEMBERS: [&str; 14] = [
    "text",
    "image",
    "document",
    "video",
    "audio",
    "toolUse",
    "toolResult",
    "guardContent",
    "cachePoint",
    "reasoningContent",
    "citationsContent",
    "searchResult",
    "toolAddition",
    "toolRemoval",
];
const SYSTEM_MEMBERS: [&str; 3] = ["text", "guardContent", "cachePoint"];
const ROLES: [&str; 3] = ["user", "assistant", "system"];
const DOCUMENT_FORMATS: [&str; 9] = ["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];
/// Documents of these formats are read as text.
const TEXT_FORMATS: [&str; 4] = ["csv", "html", "txt", "md"];

/// What an image, a video or a sound costs, whatever its size.
const MEDIA_TOKENS: u64 = 1_600;
const BYTES_PER_TOKEN: u64 = 4;

/// The conversation, as far as it matters for an answer and its bill.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: String,
    /// The text of the last user message.
    pub(super) user_text: String,
    pub(super) around: Around,
    pub(super) ends_with_assistant: bool,
    pub(super) has_cache_point: bool,
    /// The tokens before each cache point, in order.
    pub(super) tokens_at_cache_points: Vec<u64>,
    pub(super) input_tokens: u64,
}

/// What one message says.
#[derive(Debug, Default)]
struct Said {
    text: String,
    tokens: u64,
    has_text: bool,
    has_document: bool,
    /// The tokens before each cache point in it.
    cache_points: Vec<u64>,
}

impl Conversation {
    /// Reads what of the tools is part of the prompt. They are checked elsewhere.
    pub(super) fn read_tools(&mut self, reader: &mut Reader, request: &Object) -> Result<(), Refusal> {
        let Some(config) = member_object(request, "toolConfig")? else {
            return Ok(());
        };
        self.input_tokens += tokens::count(&Value::Object(config.clone()).to_string());
        let at = At::ROOT.member("toolConfig");
        let at = at.member("tools");
        for (index, tool) in items(config, "tools")?.enumerate() {
            if let Some(point) = member_object(object(tool)?, "cachePoint")? {
                let at = at.item(index);
                read_cache_point(reader, point, at.member("cachePoint"))?;
                self.take_cache_points(&[0]);
            }
        }
        Ok(())
    }

    /// Takes the cache points of what is read next, before its tokens.
    fn take_cache_points(&mut self, tokens_before: &[u64]) {
        self.has_cache_point |= !tokens_before.is_empty();
        let before = self.input_tokens;
        self.tokens_at_cache_points.extend(tokens_before.iter().map(|tokens| before + tokens));
    }

    pub(super) fn read_system(&mut self, reader: &mut Reader, request: &Object) -> Result<(), Refusal> {
        let at = At::ROOT.member("system");
        for (index, block) in items(request, "system")?.enumerate() {
            let at = at.item(index);
            let block = object(block)?;
            let mut said = Said::default();
            match sole_member(block, &SYSTEM_MEMBERS, "SystemContentBlock", at)? {
                ("text", value) => {
                    let words = text(value)?;
                    if words.is_empty() {
                        reader.length(words, at.member("text"), 1, usize::MAX - 1);
                    } else if words.trim().is_empty() {
                        return Err(blank("SystemContentBlock", at));
                    }
                    said.add_text(words);
                }
                (name, value) => said.add_other(reader, name, value, at)?,
            }
            self.take_cache_points(&said.cache_points);
            self.input_tokens += said.tokens + tokens::PER_BLOCK_TOKENS * u64::from(said.has_text);
            push_paragraph(&mut self.system, &said.text);
        }
        Ok(())
    }

    pub(super) fn read_messages(&mut self, reader: &mut Reader, request: &Object) -> Result<(), Refusal> {
        let at = At::ROOT.member("messages");
        let mut late = None;
        let mut first_role = None;
        for (index, message) in items(request, "messages")?.enumerate() {
            let at = at.item(index);
            let message = object(message)?;
            let role = member_text(message, "role")?;
            match role {
                None => reader.missing(at.member("role")),
                Some(role) => reader.word(role, at.member("role"), &ROLES),
            }
            first_role = first_role.or(role);
            let Some(content) = member_list(message, "content")? else {
                reader.missing(at.member("content"));
                continue;
            };
            let said = match read_content(reader, content, at) {
                Ok(said) => said,
                // Constraints of the whole body are told before what a single block lacks.
                Err(refusal) if refusal.type_name == "ValidationException" => {
                    late.get_or_insert(refusal);
                    continue;
                }
                Err(refusal) => return Err(refusal),
            };
            self.take_cache_points(&said.cache_points);
            self.input_tokens += said.tokens + tokens::PER_BLOCK_TOKENS;
            self.ends_with_assistant = role == Some("assistant");
            if let Some(role) = role {
                self.around.take(Speaker::of(role), said.text, &mut self.user_text);
            }
        }
        std::mem::take(reader).finish()?;
        if let Some(refusal) = late {
            return Err(refusal);
        }
        if first_role != Some("user") {
            return Err(Refusal::validation(
                "A conversation must start with a user message. Try again with a conversation \
                 that starts with a user message.",
            ));
        }
        Ok(())
    }
}

impl Said {
    fn add_text(&mut self, words: &str) {
        self.has_text = true;
        self.tokens += tokens::count(words);
        push_paragraph(&mut self.text, words);
    }

    /// Adds a block that is no plain text.
    fn add_other(
        &mut self,
        reader: &mut Reader,
        name: &str,
        value: &Value,
        at: At<'_>,
    ) -> Result<(), Refusal> {
        let here = at.member(name);
        match name {
            "cachePoint" => {
                self.cache_points.push(self.tokens);
                read_cache_point(reader, object(value)?, here)
            }
            "guardContent" => {
                if let Some(text_block) = member_object(object(value)?, "text")? {
                    let at = here.member("text");
                    match member_text(text_block, "text")? {
                        None => reader.missing(at.member("text")),
                        Some(words) if words.trim().is_empty() => {
                            return Err(blank("GuardrailConverseTextBlock", here));
                        }
                        Some(words) => self.add_text(words),
                    }
                }
                Ok(())
            }
            "document" => self.add_document(reader, object(value)?, here),
            "image" | "video" | "audio" => {
                self.tokens += MEDIA_TOKENS;
                object(value).map(|_| ())
            }
            _ => {
                self.tokens += tokens::count(&value.to_string());
                object(value).map(|_| ())
            }
        }
    }

    fn add_document(&mut self, reader: &mut Reader, document: &Object, at: At<'_>) -> Result<(), Refusal> {
        self.has_document = true;
        match member_text(document, "name")? {
            None => reader.missing(at.member("name")),
            Some(name) => reader.length(name, at.member("name"), 1, 200),
        }
        let format = member_text(document, "format")?.unwrap_or("txt");
        reader.word(format, at.member("format"), &DOCUMENT_FORMATS);
        let Some(source) = member_object(document, "source")? else {
            reader.missing(at.member("source"));
            return Ok(());
        };
        if let Some(words) = member_text(source, "text")? {
            self.tokens += tokens::count(words);
            push_paragraph(&mut self.text, words);
        }
        if let Some(encoded) = member_text(source, "bytes")? {
            let bytes = base64::decode(encoded)
                .map_err(|_| Refusal::new(400, "SerializationException", "Unable to decode a blob"))?;
            match String::from_utf8(bytes) {
                Ok(words) if TEXT_FORMATS.contains(&format) => {
                    self.tokens += tokens::count(&words);
                    push_paragraph(&mut self.text, &words);
                }
                Ok(words) => self.tokens += (words.len() as u64).div_ceil(BYTES_PER_TOKEN),
                Err(other) => {
                    self.tokens += (other.as_bytes().len() as u64).div_ceil(BYTES_PER_TOKEN);
                }
            }
        }
        Ok(())
    }
}

fn read_content(reader: &mut Reader, content: &[Value], at: At<'_>) -> Result<Said, Refusal> {
    if content.is_empty() {
        return Err(Refusal::validation(format!(
            "The content field in the Message object at {} is empty. Add a ContentBlock object \
             to the content field and try again.",
            at.plain()
        )));
    }
    let mut said = Said::default();
    let at_content = at.member("content");
    for (index, block) in content.iter().enumerate() {
        let at = at_content.item(index);
        match sole_member(object(block)?, &CONTENT_MEMBERS, "ContentBlock", at)? {
            ("text", value) => {
                let words = text(value)?;
                // A text of spaces alone is let through among other blocks, but not by itself.
                if words.is_empty() || (content.len() == 1 && words.trim().is_empty()) {
                    return Err(blank("ContentBlock", at));
                }
                said.add_text(words);
            }
            (name, value) => said.add_other(reader, name, value, at)?,
        }
    }
    if said.has_document && !said.has_text {
        return Err(Refusal::validation(format!(
            "The Message object at {} has a document but no text. Add a ContentBlock object with \
             a text field and try again.",
            at.plain()
        )));
    }
    Ok(said)
}

fn read_cache_point(reader: &mut Reader, cache_point: &Object, at: At<'_>) -> Result<(), Refusal> {
    match member_text(cache_point, "type")? {
        None => reader.missing(at.member("type")),
        Some(kind) => reader.word(kind, at.member("type"), &["default"]),
    }
    if let Some(ttl) = member_text(cache_point, "ttl")? {
        reader.word(ttl, at.member("ttl"), &["5m", "1h"]);
    }
    Ok(())
}

/// The one member of a union that is set.
pub(super) fn sole_member<'v>(
    block: &'v Object,
    members: &[&'static str],
    shape: &str,
    at: At<'_>,
) -> Result<(&'static str, &'v Value), Refusal> {
    let mut set = members.iter().filter_map(|name| present(block, name).map(|value| (*name, value)));
    match (set.next(), set.next()) {
        (Some(sole), None) => Ok(sole),
        _ => Err(Refusal::validation(format!(
            "{shape} object at {} must set one of the following keys: {}.",
            at.plain(),
            members.join(", ")
        ))),
    }
}

fn blank(shape: &str, at: At<'_>) -> Refusal {
    Refusal::validation(format!(
        "The text field in the {shape} object at {} is blank. Add text to the text field, and try \
         again.",
        at.plain()
    ))
}

fn items<'v>(request: &'v Object, name: &str) -> Result<impl Iterator<Item = &'v Value> + use<'v>, Refusal> {
    Ok(member_list(request, name)?.into_iter().flatten())
}

fn push_paragraph(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}
