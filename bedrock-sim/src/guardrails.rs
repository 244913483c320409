//! Guardrails: the rules of each, and the book that holds them.
//!
//! Owns what a guardrail looks for, the grammar of its identifier and version, and which guardrails
//! there are. A rule is a phrase, not a classifier. What is found in a text is [`assessment`]'s matter;
//! when a text is looked at is an operation's.
//! The one rule it protects: every identifier names a guardrail, unless it begins with `unknown`.

mod assessment;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

pub(crate) use assessment::{Assessment, Source};

/// Stands for every guardrail.
const ALL_GUARDRAILS: &str = "*";
/// Guardrails of such an identifier do not exist, unless they were set.
const UNKNOWN_PREFIX: &str = "unknown";

pub(crate) const IDENTIFIER_PATTERN: &str =
    "(|([a-z0-9]+)|(arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+))";
pub(crate) const VERSION_PATTERN: &str = "(|([1-9][0-9]{0,7})|(DRAFT))";
/// What AWS says of a guardrail that is not there.
pub(crate) const NO_SUCH_GUARDRAIL: &str =
    "The guardrail identifier or version provided in the request does not exist.";

/// What a guardrail looks for. Phrases are compared letter by letter; an empty one is never found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardrailRules {
    /// Phrases that block a request.
    pub blocked_input: Vec<String>,
    /// Phrases that block an answer.
    pub blocked_output: Vec<String>,
    /// Phrases that are replaced by a tag.
    pub masked: Vec<MaskedPhrase>,
    /// What is answered in place of a model that was not asked.
    pub input_message: String,
    /// What stands in place of a blocked answer.
    pub output_message: String,
}

/// A phrase that appears as `{NAME}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedPhrase {
    pub phrase: String,
    /// A type of AWS's, such as `EMAIL`; any other is told as the name of a regular expression.
    pub name: String,
}

/// One phrase that is blocked in both directions, and AWS's manner of saying so.
impl Default for GuardrailRules {
    fn default() -> Self {
        let phrase = || vec!["SIMULATED FORBIDDEN TOPIC".to_owned()];
        let message = || "Sorry, the simulated guardrail blocked this.".to_owned();
        Self {
            blocked_input: phrase(),
            blocked_output: phrase(),
            masked: Vec::new(),
            input_message: message(),
            output_message: message(),
        }
    }
}

/// A guardrail that a request names.
#[derive(Debug, Clone)]
pub(crate) struct Guardrail {
    pub(crate) id: String,
    pub(crate) rules: GuardrailRules,
    arn: String,
    version: String,
}

/// The rules that were set, by guardrail.
#[derive(Debug, Default)]
pub(crate) struct GuardrailBook {
    set: Mutex<BTreeMap<String, GuardrailRules>>,
}

impl GuardrailBook {
    pub(crate) fn set(&self, id: &str, rules: GuardrailRules) {
        self.lock().insert(id.to_owned(), rules);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn clear_one(&self, id: &str) {
        self.lock().remove(id);
    }

    pub(crate) fn all(&self) -> BTreeMap<String, GuardrailRules> {
        self.lock().clone()
    }

    /// The guardrail of an id or an ARN. None where AWS would know none.
    pub(crate) fn find(&self, identifier: &str, version: &str) -> Option<Guardrail> {
        let id = identifier.rsplit('/').next().unwrap_or(identifier);
        if id.is_empty() || version.is_empty() {
            return None;
        }
        let set = self.lock();
        let rules = match set.get(id) {
            Some(rules) => rules.clone(),
            None if id.starts_with(UNKNOWN_PREFIX) => return None,
            None => set.get(ALL_GUARDRAILS).cloned().unwrap_or_default(),
        };
        let arn = match identifier.starts_with("arn:") {
            true => identifier.to_owned(),
            false => format!("arn:aws:bedrock:us-east-1:123456789012:guardrail/{id}"),
        };
        Some(Guardrail { id: id.to_owned(), rules, arn, version: version.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, GuardrailRules>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether AWS's pattern allows this identifier: an id, an ARN, or nothing.
pub(crate) fn is_identifier(identifier: &str) -> bool {
    identifier.is_empty() || is_id(identifier) || is_arn(identifier)
}

/// Whether AWS's pattern allows this version: a number, `DRAFT`, or nothing.
pub(crate) fn is_version(version: &str) -> bool {
    let numbered =
        version.len() <= 8 && !version.starts_with('0') && version.bytes().all(|byte| byte.is_ascii_digit());
    version == "DRAFT" || numbered
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "bedrock", region, account, resource] = parts.as_slice() else {
        return false;
    };
    let region_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (*partition == "aws" || partition.strip_prefix("aws-").is_some_and(|rest| !rest.is_empty()))
        && (1..=20).contains(&region.len())
        && region.bytes().all(region_char)
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.strip_prefix("guardrail/").is_some_and(is_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_and_versions_are_those_of_the_published_patterns() {
        let arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc1";
        for good in ["", "abc1", arn, "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:guardrail/a"] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["ABC", "a-b", "arn:aws:bedrock:us-east-1:12:guardrail/a", "arn:aws:bedrock:guardrail/a"] {
            assert!(!is_identifier(bad), "{bad}");
        }
        for bad in [format!("{arn}/x"), arn.replace("aws:", "aws-:"), arn.replace("guardrail", "prompt")] {
            assert!(!is_identifier(&bad), "{bad}");
        }
        for (version, expected) in [
            ("", true),
            ("1", true),
            ("12345678", true),
            ("DRAFT", true),
            ("01", false),
            ("123456789", false),
        ] {
            assert_eq!(is_version(version), expected, "{version}");
        }
    }

    #[test]
    fn rules_set_for_one_guardrail_win_over_rules_set_for_all() {
        let book = GuardrailBook::default();
        let with = |message: &str| GuardrailRules { input_message: message.into(), ..Default::default() };
        let message = |id: &str| book.find(id, "1").map(|guardrail| guardrail.rules.input_message);
        let usual = GuardrailRules::default().input_message;
        assert_eq!(message("abc"), Some(usual.clone()));
        book.set("*", with("all"));
        book.set("abc", with("one"));
        assert_eq!(message("abc").as_deref(), Some("one"));
        let arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/abc";
        assert_eq!(message(arn).as_deref(), Some("one"), "an ARN names the same guardrail");
        assert_eq!(message("def").as_deref(), Some("all"));
        book.clear_one("*");
        assert_eq!(message("def"), Some(usual));
    }

    #[test]
    fn an_unknown_guardrail_is_known_once_it_is_set() {
        let book = GuardrailBook::default();
        assert!(book.find("unknownguardrail", "1").is_none());
        assert!(book.find("abc", "").is_none(), "a guardrail without a version");
        book.set("*", GuardrailRules::default());
        assert!(book.find("unknownguardrail", "1").is_none());
        book.set("unknownguardrail", GuardrailRules::default());
        assert!(book.find("unknownguardrail", "1").is_some());
        book.clear();
        assert!(book.find("unknownguardrail", "1").is_none());
    }
}
