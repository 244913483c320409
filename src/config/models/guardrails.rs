//! `[guardrails.<name>]`: guardrails of the account, and what their word means here.
//!
//! Whether a guardrail exists only AWS knows; what its id and version can look like
//! is checked here, because a wrong one fails every call.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::{Table, Value};

use crate::config::layers::Origin;
use crate::config::problems::{Problems, advice};
use crate::config::section::{Section, path_of};
use crate::domain::{Guardrail, GuardrailStream, OnBlock};

/// Guardrails by name; `None` for one with problems.
pub(super) struct KnownGuardrails<'a>(BTreeMap<&'a str, Option<Arc<Guardrail>>>);

impl<'a> KnownGuardrails<'a> {
    pub(super) fn read(table: Option<&'a Table>, origin: &Origin, problems: &mut Problems) -> Self {
        let read = |(name, value): (&'a String, &Value)| {
            let path = path_of("guardrails", name);
            (name.as_str(), read_guardrail(&path, name, value, origin, problems).map(Arc::new))
        };
        Self(table.into_iter().flatten().map(read).collect())
    }

    /// Names of those that are not among these.
    pub(super) fn others_than<'g>(&self, used: impl Iterator<Item = &'g Arc<Guardrail>>) -> Vec<Arc<str>> {
        let used: Vec<&str> = used.map(|guardrail| &*guardrail.name).collect();
        self.0.keys().filter(|name| !used.contains(name)).map(|name| (*name).into()).collect()
    }

    /// The guardrail that a key names, if it is there: `Some(None)` when it is not.
    /// `None` comes with a problem, here or at the guardrail's own entry.
    pub(super) fn named(
        &self,
        section: &mut Section<'_>,
        problems: &mut Problems,
    ) -> Option<Option<Arc<Guardrail>>> {
        let name = section.optional("guardrail", "the name of a guardrail", problems, Value::as_str)?;
        let Some(name) = name else { return Some(None) };
        if let Some(known) = self.0.get(name) {
            return known.clone().map(Some);
        }
        let known: Vec<&str> = self.0.keys().copied().collect();
        let message = match known.is_empty() {
            true => format!("no guardrail is called {name}, add a table [guardrails.{name}]"),
            false => format!("no guardrail is called {name}, {}", advice(name, &known)),
        };
        section.refuse("guardrail", &message, problems);
        None
    }
}

fn read_guardrail(
    path: &str,
    name: &str,
    value: &Value,
    origin: &Origin,
    problems: &mut Problems,
) -> Option<Guardrail> {
    let Some(table) = value.as_table() else {
        problems.add(path, origin, format!("expected a table with an id and a version, found {value}"));
        return None;
    };
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let name_is_sound = (1..=64).contains(&name.len()) && name.bytes().all(is_name);
    if !name_is_sound {
        problems.add(path, origin, "expected a name of 1 to 64 characters of a-z 0-9 _ -");
    }
    let mut section = Section::new(path, table, origin);
    let id = section
        .required("id", "a guardrail id or ARN", problems, |value| value.as_str().filter(|id| is_id(id)));
    let version = section.required("version", "a number in quotes, or \"DRAFT\"", problems, |value| {
        value.as_str().filter(|version| is_version(version))
    });
    let stream =
        section.optional("stream", "\"sync\" or \"async\"", problems, |value| match value.as_str()? {
            "sync" => Some(GuardrailStream::Sync),
            "async" => Some(GuardrailStream::Async),
            _ => None,
        });
    let on_block =
        section.optional("on_block", "\"refuse\" or \"answer\"", problems, |value| match value.as_str()? {
            "refuse" => Some(OnBlock::Refuse),
            "answer" => Some(OnBlock::Answer),
            _ => None,
        });
    let trace = section.optional("trace", "true or false", problems, Value::as_bool);
    section.finish(problems);
    name_is_sound.then_some(())?;
    Some(Guardrail {
        name: name.into(),
        id: id?.to_owned(),
        version: version?.to_owned(),
        stream: stream?.unwrap_or(GuardrailStream::Sync),
        on_block: on_block?.unwrap_or(OnBlock::Refuse),
        trace: trace?.unwrap_or(false),
    })
}

/// `GuardrailIdentifier` of the API model, which must not be empty here.
fn is_id(text: &str) -> bool {
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let of_arn = || {
        let mut parts = text.splitn(6, ':');
        let partition = parts.nth(1).is_some_and(|part| part == "aws" || part.starts_with("aws-"));
        let service = parts.next() == Some("bedrock");
        let region = parts.next().is_some_and(|region| !region.is_empty() && region.len() <= 20);
        let account = parts.next().is_some_and(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()));
        let resource = parts.next().and_then(|rest| rest.strip_prefix("guardrail/")).is_some_and(is_word);
        partition && service && region && account && resource
    };
    text.len() <= 2048 && (is_word(text) || (text.starts_with("arn:") && of_arn()))
}

/// `GuardrailVersion` of the API model, which must not be empty here.
fn is_version(text: &str) -> bool {
    let numbered =
        (1..=8).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text == "DRAFT" || numbered
}

#[cfg(test)]
mod tests {
    use super::{is_id, is_version};

    #[test]
    fn ids_and_versions_are_those_that_the_api_takes() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/gr7abc";
        for good in ["gr7abc", arn, "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:guardrail/x"] {
            assert!(is_id(good), "{good}");
        }
        let other = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x";
        for bad in ["", "GR7", "gr 7", "arn:aws:s3:us-east-1:123456789012:guardrail/x", other, "arn:aws"] {
            assert!(!is_id(bad), "{bad}");
        }
        for good in ["1", "12345678", "DRAFT"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["", "0", "01", "123456789", "draft", "1.0"] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
