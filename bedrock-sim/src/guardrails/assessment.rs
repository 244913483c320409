//! Assessments: what a guardrail finds in texts, and how that is told.
//!
//! Owns the search for phrases, the masking, and the JSON of an assessment, of its usage and of the
//! trace in a Converse answer. It decides nothing about the answer.
//! The one rule it protects: what is told of a text was found in it.

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Guardrail, GuardrailRules, MaskedPhrase};

/// A text unit has this many characters.
const TEXT_UNIT_CHARS: u64 = 1_000;

/// AWS's names for personal data.
const PII_TYPES: [&str; 31] = [
    "ADDRESS",
    "AGE",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "CA_HEALTH_NUMBER",
    "CA_SOCIAL_INSURANCE_NUMBER",
    "CREDIT_DEBIT_CARD_CVV",
    "CREDIT_DEBIT_CARD_EXPIRY",
    "CREDIT_DEBIT_CARD_NUMBER",
    "DRIVER_ID",
    "EMAIL",
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER",
    "IP_ADDRESS",
    "LICENSE_PLATE",
    "MAC_ADDRESS",
    "NAME",
    "PASSWORD",
    "PHONE",
    "PIN",
    "SWIFT_CODE",
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER",
    "UK_NATIONAL_INSURANCE_NUMBER",
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER",
    "URL",
    "USERNAME",
    "US_BANK_ACCOUNT_NUMBER",
    "US_BANK_ROUTING_NUMBER",
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER",
    "US_PASSPORT_NUMBER",
    "US_SOCIAL_SECURITY_NUMBER",
    "VEHICLE_IDENTIFICATION_NUMBER",
];

/// Which side of a model a text stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Input,
    Output,
}

/// What was found in the texts of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assessment {
    blocked: Vec<String>,
    masked: Vec<MaskedPhrase>,
    guarded_chars: u64,
    total_chars: u64,
    units: Units,
    latency_ms: u64,
}

/// Text units by the policies that looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Units {
    words: u64,
    personal_data: u64,
    expressions: u64,
}

impl GuardrailRules {
    fn blocked(&self, source: Source) -> impl Iterator<Item = &String> {
        let phrases = match source {
            Source::Input => &self.blocked_input,
            Source::Output => &self.blocked_output,
        };
        phrases.iter().filter(|phrase| !phrase.is_empty())
    }

    fn masks(&self) -> impl Iterator<Item = &MaskedPhrase> {
        self.masked.iter().filter(|mask| !mask.phrase.is_empty())
    }

    /// What stands in place of a blocked text.
    pub(crate) fn message(&self, source: Source) -> &str {
        match source {
            Source::Input => &self.input_message,
            Source::Output => &self.output_message,
        }
    }

    /// The text with a tag in place of each masked phrase.
    pub(crate) fn mask(&self, text: &str) -> String {
        self.masks()
            .fold(text.to_owned(), |text, mask| text.replace(&mask.phrase, &format!("{{{}}}", mask.name)))
    }

    /// Where in an answer its first blocked phrase is complete, in bytes.
    pub(crate) fn first_blocked_end(&self, text: &str) -> Option<usize> {
        self.blocked(Source::Output)
            .filter_map(|phrase| Some(text.find(phrase.as_str())? + phrase.len()))
            .min()
    }

    /// Looks at `texts`; `total_chars` counts those that were not to be looked at too. Whether
    /// masked phrases are looked for is the caller's choice.
    pub(crate) fn assess(
        &self,
        source: Source,
        texts: &[String],
        total_chars: u64,
        with_masks: bool,
    ) -> Assessment {
        let began = Instant::now();
        let holds = |phrase: &str| texts.iter().any(|text| text.contains(phrase));
        let masks: Vec<&MaskedPhrase> = self.masks().filter(|_| with_masks).collect();
        let guarded_chars = texts.iter().map(|text| text.chars().count() as u64).sum();
        let units = u64::div_ceil(guarded_chars, TEXT_UNIT_CHARS);
        let if_any = |any: bool| if any { units } else { 0 };
        Assessment {
            blocked: self.blocked(source).filter(|phrase| holds(phrase)).cloned().collect(),
            masked: masks.iter().filter(|mask| holds(&mask.phrase)).map(|mask| (*mask).clone()).collect(),
            guarded_chars,
            total_chars: total_chars.max(guarded_chars),
            units: Units {
                words: if_any(self.blocked(source).next().is_some()),
                personal_data: if_any(masks.iter().any(|mask| mask.is_personal_data())),
                expressions: if_any(masks.iter().any(|mask| !mask.is_personal_data())),
            },
            latency_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl MaskedPhrase {
    fn is_personal_data(&self) -> bool {
        PII_TYPES.contains(&self.name.as_str())
    }
}

impl Assessment {
    pub(crate) fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    pub(crate) fn is_masked(&self) -> bool {
        !self.masked.is_empty()
    }

    /// Whether the texts cannot pass as they are.
    pub(crate) fn intervenes(&self) -> bool {
        self.is_blocked() || self.is_masked()
    }

    pub(crate) fn action_reason(&self) -> &'static str {
        match (self.is_blocked(), self.is_masked()) {
            (true, _) => "Guardrail blocked.",
            (false, true) => "Guardrail masked.",
            (false, false) => "No action.",
        }
    }

    pub(crate) fn usage(&self) -> Value {
        json!({
            "automatedReasoningPolicies": 0,
            "automatedReasoningPolicyUnits": 0,
            "contentPolicyImageUnits": 0,
            "contentPolicyUnits": 0,
            "contextualGroundingPolicyUnits": 0,
            "sensitiveInformationPolicyFreeUnits": self.units.expressions,
            "sensitiveInformationPolicyUnits": self.units.personal_data,
            "topicPolicyUnits": 0,
            "wordPolicyUnits": self.units.words,
        })
    }

    pub(crate) fn coverage(&self) -> Value {
        json!({ "textCharacters": { "guarded": self.guarded_chars, "total": self.total_chars } })
    }

    fn words(&self) -> Option<Value> {
        let word = |phrase: &String| json!({ "action": "BLOCKED", "detected": true, "match": phrase });
        let words: Vec<Value> = self.blocked.iter().map(word).collect();
        (!words.is_empty()).then(|| json!({ "customWords": words, "managedWordLists": [] }))
    }

    fn sensitive_information(&self) -> Option<Value> {
        let told = |mask: &MaskedPhrase, name: &str| json!({ "action": "ANONYMIZED", "detected": true, "match": mask.phrase, name: mask.name });
        let (personal, others): (Vec<&MaskedPhrase>, Vec<&MaskedPhrase>) =
            self.masked.iter().partition(|mask| mask.is_personal_data());
        let entities: Vec<Value> = personal.into_iter().map(|mask| told(mask, "type")).collect();
        let regexes: Vec<Value> = others.into_iter().map(|mask| told(mask, "name")).collect();
        self.is_masked().then(|| json!({ "piiEntities": entities, "regexes": regexes }))
    }
}

impl Guardrail {
    /// An assessment as the wire shows it.
    pub(crate) fn told(&self, assessment: &Assessment) -> Value {
        let mut told = Map::new();
        let details = json!({
            "guardrailArn": self.arn,
            "guardrailId": self.id,
            "guardrailOrigin": ["REQUEST"],
            "guardrailOwnership": "SELF",
            "guardrailVersion": self.version,
        });
        told.insert("appliedGuardrailDetails".to_owned(), details);
        let metrics = json!({
            "guardrailCoverage": assessment.coverage(),
            "guardrailProcessingLatency": assessment.latency_ms,
            "usage": assessment.usage(),
        });
        told.insert("invocationMetrics".to_owned(), metrics);
        if let Some(found) = assessment.sensitive_information() {
            told.insert("sensitiveInformationPolicy".to_owned(), found);
        }
        if let Some(found) = assessment.words() {
            told.insert("wordPolicy".to_owned(), found);
        }
        Value::Object(told)
    }

    /// The trace of an answer: its input, and its output with what the model had said, where a model
    /// was asked at all.
    pub(crate) fn trace(&self, input: &Assessment, output: Option<(&Assessment, &str)>) -> Value {
        let mut trace = json!({
            "actionReason": input.action_reason(),
            "inputAssessment": { self.id.as_str(): self.told(input) },
        });
        if let Some((output, said)) = output {
            let withheld: Vec<&str> = output.intervenes().then_some(said).into_iter().collect();
            trace["actionReason"] = Value::from(output.action_reason());
            trace["modelOutput"] = Value::from(withheld);
            trace["outputAssessments"] = json!({ self.id.as_str(): [self.told(output)] });
        }
        json!({ "guardrail": trace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> GuardrailRules {
        let mask = |phrase: &str, name: &str| MaskedPhrase { phrase: phrase.into(), name: name.into() };
        GuardrailRules {
            blocked_input: vec!["in".into(), String::new()],
            blocked_output: vec!["later".into(), "out".into()],
            masked: vec![mask("a@b.at", "EMAIL"), mask("K-17", "case number"), mask("", "AGE")],
            ..GuardrailRules::default()
        }
    }

    #[test]
    fn each_side_has_its_own_phrases() {
        let texts = ["this goes in".to_owned(), "and out".to_owned()];
        let found = |source| rules().assess(source, &texts, 0, true).blocked;
        assert_eq!(found(Source::Input), ["in"]);
        assert_eq!(found(Source::Output), ["out"]);
    }

    #[test]
    fn a_masked_phrase_becomes_a_tag_and_is_told_by_its_kind() {
        assert_eq!(rules().mask("a@b.at on K-17, a@b.at"), "{EMAIL} on {case number}, {EMAIL}");
        let found = rules().assess(Source::Output, &["K-17 of a@b.at".to_owned()], 0, true);
        let told = found.sensitive_information().unwrap();
        assert_eq!(
            (&told["piiEntities"][0]["type"], &told["piiEntities"][0]["match"]),
            (&"EMAIL".into(), &"a@b.at".into())
        );
        assert_eq!(told["regexes"][0]["name"], "case number");
        assert!(rules().assess(Source::Output, &["K-17".to_owned()], 0, false).masked.is_empty());
    }

    #[test]
    fn text_units_are_thousands_of_characters_begun_per_policy() {
        let units = |chars: usize| rules().assess(Source::Input, &["é".repeat(chars)], 0, false).usage();
        let words = |chars| units(chars)["wordPolicyUnits"].as_u64();
        assert_eq!([words(0), words(1), words(1_000), words(1_001)], [Some(0), Some(1), Some(1), Some(2)]);
        assert_eq!(units(1)["sensitiveInformationPolicyUnits"], 0, "nobody looked");
        let both = rules().assess(Source::Input, &["x".to_owned()], 5, true);
        assert_eq!(both.usage()["sensitiveInformationPolicyFreeUnits"], 1);
        assert_eq!(both.coverage(), json!({"textCharacters": {"guarded": 1, "total": 5}}));
    }

    #[test]
    fn the_first_phrase_that_is_complete_is_the_one_that_blocks() {
        assert_eq!(rules().first_blocked_end("out and later"), Some(3));
        assert_eq!(rules().first_blocked_end("fine"), None);
    }
}
