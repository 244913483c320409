//! What of a request is for a guardrail, and the request of ApplyGuardrail.
//!
//! Owns the constraints of both, and which texts of a conversation a guardrail looks at. What it finds
//! there is not decided here.
//! The one rule it protects: where parts of a conversation are marked as guarded, the others are not
//! looked at.

use serde_json::Value;

use super::reader::{self, At, Object, Reader, member_list, member_object, member_text, object};
use crate::errors::Refusal;
use crate::guardrails::{IDENTIFIER_PATTERN, Source, VERSION_PATTERN, is_identifier, is_version};

const QUALIFIERS: [&str; 3] = ["grounding_source", "query", "guard_content"];
const CONTENT_MEMBERS: [&str; 2] = ["text", "image"];

/// The guardrail that a conversation is to pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Guarding {
    pub(crate) identifier: String,
    pub(crate) version: String,
    /// Whether the answer tells what was found.
    pub(crate) traced: bool,
    /// Whether a stream flows while it is looked at.
    pub(crate) asynchronous: bool,
    /// The texts to look at.
    pub(crate) texts: Vec<String>,
    /// The characters of all texts that could have been looked at.
    pub(crate) total_chars: u64,
}

/// Reads `guardrailConfig`; None if it names no guardrail. Only a stream has a processing mode: in
/// another request it is a member that no model describes.
pub(super) fn read_config(
    reader: &mut Reader,
    request: &Object,
    in_stream: bool,
) -> Result<Option<Guarding>, Refusal> {
    let at = At::ROOT.member("guardrailConfig");
    let Some(config) = member_object(request, "guardrailConfig")? else {
        return Ok(None);
    };
    let identifier = member_text(config, "guardrailIdentifier")?.unwrap_or_default();
    let version = member_text(config, "guardrailVersion")?.unwrap_or_default();
    check_name(reader, identifier, version, at);
    let trace = member_text(config, "trace")?;
    if let Some(trace) = trace {
        reader.word(trace, at.member("trace"), &["enabled", "disabled", "enabled_full"]);
    }
    let mut asynchronous = false;
    if in_stream && let Some(mode) = member_text(config, "streamProcessingMode")? {
        reader.word(mode, at.member("streamProcessingMode"), &["sync", "async"]);
        asynchronous = mode == "async";
    }
    Ok((!identifier.is_empty()).then(|| Guarding {
        identifier: identifier.to_owned(),
        version: version.to_owned(),
        traced: matches!(trace, Some("enabled" | "enabled_full")),
        asynchronous,
        ..Guarding::default()
    }))
}

impl Guarding {
    /// Takes the texts to look at out of a request that has been read: the guarded texts of the
    /// messages, or all texts of the user where there are none, and the guarded texts of the system.
    pub(super) fn take_texts(&mut self, request: &Object, prompt: Option<&str>) {
        let mut of_user: Vec<String> = prompt.map(str::to_owned).into_iter().collect();
        let mut guarded = Vec::new();
        for message in items(request.get("messages")) {
            for block in items(message.get("content")) {
                let marked = guarded_text(block);
                guarded.extend(marked.map(str::to_owned));
                if message["role"] == "user" {
                    of_user.extend(marked.or_else(|| block["text"].as_str()).map(str::to_owned));
                }
            }
        }
        let of_system = items(request.get("system")).filter_map(guarded_text).map(str::to_owned);
        let of_system: Vec<String> = of_system.collect();
        self.total_chars = of_user.iter().chain(&of_system).map(|text| text.chars().count() as u64).sum();
        self.texts = if guarded.is_empty() { of_user } else { guarded };
        self.texts.extend(of_system);
    }
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

fn guarded_text(block: &Value) -> Option<&str> {
    block["guardContent"]["text"]["text"].as_str()
}

/// An ApplyGuardrail request.
#[derive(Debug)]
pub(crate) struct ApplyGuardrailRequest {
    pub(crate) source: Source,
    pub(crate) texts: Vec<String>,
}

impl ApplyGuardrailRequest {
    pub(crate) fn read(identifier: &str, version: &str, body: &[u8]) -> Result<Self, Refusal> {
        let json = reader::parse(body)?;
        let request = object(&json)?;
        let mut reader = Reader::default();
        check_name(&mut reader, identifier, version, At::ROOT);
        let source = member_text(request, "source")?;
        match source {
            None => reader.missing(At::ROOT.member("source")),
            Some(source) => reader.word(source, At::ROOT.member("source"), &["INPUT", "OUTPUT"]),
        }
        if let Some(scope) = member_text(request, "outputScope")? {
            reader.word(scope, At::ROOT.member("outputScope"), &["INTERVENTIONS", "FULL"]);
        }
        let at = At::ROOT.member("content");
        let mut texts = Vec::new();
        match member_list(request, "content")? {
            None => reader.missing(at),
            Some(content) => {
                for (index, block) in content.iter().enumerate() {
                    texts.extend(read_block(&mut reader, object(block)?, at.item(index))?);
                }
            }
        }
        reader.finish()?;
        let source = if source == Some("OUTPUT") { Source::Output } else { Source::Input };
        Ok(Self { source, texts })
    }
}

/// The text of a block; an image has none.
fn read_block(reader: &mut Reader, block: &Object, at: At<'_>) -> Result<Option<String>, Refusal> {
    let (name, value) = super::content::sole_member(block, &CONTENT_MEMBERS, "GuardrailContentBlock", at)?;
    let block = object(value)?;
    if name == "image" {
        return Ok(None);
    }
    let at = at.member("text");
    let at_qualifiers = at.member("qualifiers");
    for (index, qualifier) in member_list(block, "qualifiers")?.into_iter().flatten().enumerate() {
        reader.word(reader::text(qualifier)?, at_qualifiers.item(index), &QUALIFIERS);
    }
    let text = member_text(block, "text")?;
    if text.is_none() {
        reader.missing(at.member("text"));
    }
    Ok(text.map(str::to_owned))
}

pub(super) fn check_name(reader: &mut Reader, identifier: &str, version: &str, at: At<'_>) {
    let at_identifier = at.member("guardrailIdentifier");
    reader.length(identifier, at_identifier, 0, 2_048);
    for (value, fits, at, pattern) in [
        (identifier, is_identifier(identifier), at_identifier, IDENTIFIER_PATTERN),
        (version, is_version(version), at.member("guardrailVersion"), VERSION_PATTERN),
    ] {
        if !fits {
            let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
            reader.violated(&value, at, &constraint);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(request: &Value) -> (Vec<String>, u64) {
        let mut guarding = Guarding::default();
        guarding.take_texts(request.as_object().unwrap(), None);
        (guarding.texts, guarding.total_chars)
    }

    #[test]
    fn guarded_parts_are_looked_at_alone_and_else_all_texts_of_the_user() {
        let guarded = |text: &str| json!({"guardContent": {"text": {"text": text}}});
        let messages = json!([
            {"role": "user", "content": [{"text": "one"}, {"image": {}}]},
            {"role": "assistant", "content": [{"text": "two"}]},
            {"role": "user", "content": [{"text": "three"}]},
        ]);
        let mut request = json!({"messages": messages, "system": [{"text": "be"}]});
        assert_eq!(texts(&request), (vec!["one".into(), "three".into()], 8));
        request["system"] = json!([{"text": "be"}, guarded("kind")]);
        assert_eq!(texts(&request), (vec!["one".into(), "three".into(), "kind".into()], 12));
        request["messages"][2]["content"] = json!([{"text": "three"}, guarded("four")]);
        assert_eq!(texts(&request), (vec!["four".into(), "kind".into()], 16));
    }

    #[test]
    fn what_breaks_the_published_shape_is_told() {
        let read = |id: &str, version: &str, body: Value| {
            ApplyGuardrailRequest::read(id, version, body.to_string().as_bytes())
                .map_err(|refusal| refusal.message)
        };
        let text = json!([{"text": {"text": "x", "qualifiers": ["query"]}}, {"image": {}}]);
        let good = json!({"source": "OUTPUT", "content": text, "outputScope": "FULL"});
        let request = read("abc", "DRAFT", good.clone()).unwrap();
        assert_eq!((request.source, request.texts), (Source::Output, vec!["x".to_owned()]));
        let cases = [
            (read("A", "1", good.clone()), "Value 'A' at 'guardrailIdentifier'"),
            (read("a", "0", good), "Value '0' at 'guardrailVersion'"),
            (read("a", "1", json!({})), "Value null at 'source'"),
            (read("a", "1", json!({"source": "INPUT"})), "Value null at 'content'"),
            (read("a", "1", json!({"source": "BOTH", "content": []})), "set: [INPUT, OUTPUT]"),
            (
                read("a", "1", json!({"source": "INPUT", "content": [{}]})),
                "GuardrailContentBlock object at content.0 must set one of the following keys",
            ),
            (
                read("a", "1", json!({"source": "INPUT", "content": [{"text": {}}]})),
                "Value null at 'content.1.member.text.text'",
            ),
            (
                read(
                    "a",
                    "1",
                    json!({"source": "INPUT", "content": [{"text": {"text": "x", "qualifiers": ["y"]}}]}),
                ),
                "at 'content.1.member.text.qualifiers.1.member'",
            ),
            (
                read("a", "1", json!({"source": "INPUT", "content": [], "outputScope": "ALL"})),
                "set: [INTERVENTIONS, FULL]",
            ),
        ];
        for (read, expected) in cases {
            let message = read.unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
