//! The members of a Converse request besides its conversation.
//!
//! Owns their ranges, words and lengths as published. What a single model allows beyond that is
//! the matter of `models`. The one rule it protects: a value outside its published range never
//! reaches a model.

use serde_json::Value;

use super::Inference;
use super::reader::{
    At, Object, Reader, member_integer, member_list, member_number, member_object, member_text, object,
    present, text,
};
use crate::errors::Refusal;

const MAX_STOP_SEQUENCES: usize = 2_500;
const MAX_METADATA_ENTRIES: usize = 16;
const MAX_RESPONSE_PATHS: usize = 10;
pub(super) const NO_LIMIT: usize = usize::MAX - 1;

/// What an answer tells besides its content: what was asked for, and what a guardrail saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) service_tier: Option<String>,
    pub(crate) latency: Option<String>,
    pub(crate) trace: Option<Value>,
}

pub(super) fn read_inference(reader: &mut Reader, request: &Object) -> Result<Inference, Refusal> {
    let at = At::ROOT.member("inferenceConfig");
    let Some(config) = member_object(request, "inferenceConfig")? else {
        return Ok(Inference::default());
    };
    let max_tokens = member_integer(config, "maxTokens")?;
    if let Some(max_tokens) = max_tokens.filter(|max| *max < 1) {
        let constraint = "Member must have value greater than or equal to 1";
        reader.violated(&max_tokens, at.member("maxTokens"), constraint);
    }
    let temperature = member_number(config, "temperature")?;
    if let Some(temperature) = temperature {
        reader.number(temperature, at.member("temperature"), 0.0, 1.0);
    }
    let top_p = member_number(config, "topP")?;
    if let Some(top_p) = top_p {
        reader.number(top_p, at.member("topP"), 0.0, 1.0);
    }
    let mut stop_sequences = Vec::new();
    let at = at.member("stopSequences");
    let sequences = member_list(config, "stopSequences")?.unwrap_or_default();
    check_count(reader, sequences.len(), at, 0, MAX_STOP_SEQUENCES);
    for (index, sequence) in sequences.iter().enumerate() {
        let sequence = text(sequence)?;
        reader.length(sequence, at.item(index), 1, NO_LIMIT);
        stop_sequences.push(sequence.to_owned());
    }
    Ok(Inference {
        max_tokens: max_tokens.and_then(|max| u64::try_from(max).ok()),
        temperature,
        top_p,
        stop_sequences,
    })
}

pub(super) fn read_metadata(reader: &mut Reader, request: &Object) -> Result<(), Refusal> {
    let at = At::ROOT.member("requestMetadata");
    let Some(metadata) = member_object(request, "requestMetadata")? else {
        return Ok(());
    };
    check_count(reader, metadata.len(), at, 1, MAX_METADATA_ENTRIES);
    for (key, value) in metadata {
        let value = text(value)?;
        reader.length(key, at.member("key"), 1, 256);
        reader.length(value, at.member(key), 0, 256);
        for (words, at) in [(key.as_str(), at.member("key")), (value, at.member(key))] {
            if !words.chars().all(is_metadata_char) {
                let constraint = "Member must satisfy regular expression pattern: \
                                  [a-zA-Z0-9\\s:_@$#=/+,-.]{0,256}";
                reader.violated(&words, at, constraint);
            }
        }
    }
    Ok(())
}

/// Reads the service tier and the latency, which are told back.
pub(super) fn read_echo(reader: &mut Reader, request: &Object) -> Result<Echo, Refusal> {
    let mut echo = Echo::default();
    if let Some(config) = member_object(request, "performanceConfig")?
        && let Some(latency) = member_text(config, "latency")?
    {
        let at = At::ROOT.member("performanceConfig");
        reader.word(latency, at.member("latency"), &["standard", "optimized"]);
        echo.latency = Some(latency.to_owned());
    }
    if let Some(tier) = member_object(request, "serviceTier")? {
        let at = At::ROOT.member("serviceTier");
        match member_text(tier, "type")? {
            None => reader.missing(at.member("type")),
            Some("reserved") => return Err(Refusal::validation("Reservation not found.")),
            Some(tier @ ("priority" | "default" | "flex")) => {
                echo.service_tier = Some(tier.to_owned());
            }
            Some(_) => return Err(Refusal::validation("service tier provided is invalid")),
        }
    }
    Ok(echo)
}

/// The JSON schema that the answer has to follow, if one is asked for.
pub(super) fn read_output_schema(reader: &mut Reader, request: &Object) -> Result<Option<Value>, Refusal> {
    let at = At::ROOT.member("outputConfig");
    let Some(config) = member_object(request, "outputConfig")? else {
        return Ok(None);
    };
    if let Some(effort) = member_text(config, "effort")? {
        reader.length(effort, at.member("effort"), 0, 16);
    }
    let at = at.member("textFormat");
    let Some(format) = member_object(config, "textFormat")? else {
        return Ok(None);
    };
    match member_text(format, "type")? {
        None => reader.missing(at.member("type")),
        Some(kind) => reader.word(kind, at.member("type"), &["json_schema"]),
    }
    let at = at.member("structure");
    let Some(structure) = member_object(format, "structure")? else {
        reader.missing(at);
        return Ok(None);
    };
    let at = at.member("jsonSchema");
    let Some(definition) = member_object(structure, "jsonSchema")? else {
        return Ok(None);
    };
    let Some(schema) = member_text(definition, "schema")? else {
        reader.missing(at.member("schema"));
        return Ok(None);
    };
    serde_json::from_str(schema)
        .map(Some)
        .map_err(|_| Refusal::validation("The JSON schema in outputConfig is no valid JSON."))
}

pub(super) fn read_response_paths(reader: &mut Reader, request: &Object) -> Result<(), Refusal> {
    let name = "additionalModelResponseFieldPaths";
    let at = At::ROOT.member(name);
    let paths = member_list(request, name)?.unwrap_or_default();
    check_count(reader, paths.len(), at, 0, MAX_RESPONSE_PATHS);
    for (index, path) in paths.iter().enumerate() {
        reader.length(text(path)?, at.item(index), 1, 256);
    }
    Ok(())
}

/// A prompt of prompt management brings these members itself.
pub(super) fn refuse_members_of_prompt(request: &Object) -> Result<(), Refusal> {
    let own = ["additionalModelRequestFields", "inferenceConfig", "system", "toolConfig"];
    match own.into_iter().find(|name| present(request, name).is_some()) {
        None => Ok(()),
        Some(name) => Err(Refusal::validation(format!(
            "The {name} field can't be used with a prompt from Prompt management. Remove it and \
             try again."
        ))),
    }
}

/// The values of the prompt variables, which are all that is known of a prompt.
pub(super) fn read_prompt_variables(request: &Object) -> Result<String, Refusal> {
    let mut texts = Vec::new();
    if let Some(variables) = member_object(request, "promptVariables")? {
        for value in variables.values() {
            if let Some(words) = member_text(object(value)?, "text")? {
                texts.push(words);
            }
        }
    }
    Ok(texts.join("\n"))
}

pub(super) fn check_count(reader: &mut Reader, count: usize, at: At<'_>, min: usize, max: usize) {
    if count < min {
        let constraint = format!("Member must have length greater than or equal to {min}");
        reader.violated(&"[]", at, &constraint);
    } else if count > max {
        let constraint = format!("Member must have length less than or equal to {max}");
        reader.violated(&format!("[{count} items]"), at, &constraint);
    }
}

/// `,-.` in the published pattern is a range, which holds exactly its three characters.
fn is_metadata_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || character.is_whitespace() || ":_@$#=/+,-.".contains(character)
}
