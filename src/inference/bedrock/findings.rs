//! What a guardrail found, as far as an operator may read it in a log.
//!
//! A trace holds the very words that a guardrail stumbled over. So only the kinds of
//! findings are told, and only where the catalogue asks for a trace.

use aws_sdk_bedrockruntime::types::{GuardrailAssessment, GuardrailTraceAssessment};

use crate::domain::Guardrail;
use crate::inference::ModelCall;

/// Tells what the guardrail of a call found, if it found anything.
pub(super) fn tell(call: &ModelCall, trace: &GuardrailTraceAssessment) {
    let Some(guardrail) = call.guardrail.as_deref().filter(|guardrail| guardrail.trace) else { return };
    let input = trace.input_assessment.iter().flat_map(|by_guardrail| by_guardrail.values());
    let output = trace.output_assessments.iter().flat_map(|by_guardrail| by_guardrail.values().flatten());
    tell_of(guardrail, "input", input);
    tell_of(guardrail, "output", output);
}

/// Whether a guardrail masked something and blocked nothing: the answer is one.
pub(super) fn only_masks(trace: &GuardrailTraceAssessment) -> bool {
    let input = trace.input_assessment.iter().flat_map(|by_guardrail| by_guardrail.values());
    let output = trace.output_assessments.iter().flat_map(|by_guardrail| by_guardrail.values().flatten());
    let found: Vec<Finding> = input.chain(output).flat_map(findings).collect();
    !found.is_empty() && found.iter().all(|finding| !finding.blocked)
}

/// Tells what a guardrail found on one side of a model.
pub(super) fn tell_of<'a>(
    guardrail: &Guardrail,
    side: &'static str,
    assessments: impl Iterator<Item = &'a GuardrailAssessment>,
) {
    let mut kinds: Vec<String> = assessments.flat_map(findings).map(|finding| finding.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if !kinds.is_empty() {
        let (name, findings) = (&*guardrail.name, kinds.join(", "));
        tracing::info!(guardrail = name, side, findings, "a guardrail found something");
    }
}

/// Whether anything was found that the guardrail masks.
pub(super) fn masks(assessment: &GuardrailAssessment) -> bool {
    findings(assessment).iter().any(|finding| !finding.blocked)
}

/// Whether anything was found that the guardrail blocks, and does not just mask or note.
pub(super) fn blocks(assessment: &GuardrailAssessment) -> bool {
    findings(assessment).iter().any(|finding| finding.blocked)
}

struct Finding {
    kind: String,
    blocked: bool,
}

fn findings(assessment: &GuardrailAssessment) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut note = |policy: &str, kind: &str, action: &str| {
        if action != "NONE" {
            // What this version does not know is taken for a block.
            found.push(Finding { kind: format!("{policy} {kind}"), blocked: action != "ANONYMIZED" });
        }
    };
    if let Some(policy) = &assessment.topic_policy {
        policy.topics.iter().for_each(|topic| note("topic", &topic.name, topic.action.as_str()));
    }
    if let Some(policy) = &assessment.content_policy {
        policy
            .filters
            .iter()
            .for_each(|filter| note("content", filter.r#type.as_str(), filter.action.as_str()));
    }
    if let Some(policy) = &assessment.word_policy {
        policy.custom_words.iter().for_each(|word| note("word", "custom", word.action.as_str()));
        policy.managed_word_lists.iter().for_each(|word| note("word", "managed", word.action.as_str()));
    }
    if let Some(policy) = &assessment.sensitive_information_policy {
        policy
            .pii_entities
            .iter()
            .for_each(|entity| note("pii", entity.r#type.as_str(), entity.action.as_str()));
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        policy.regexes.iter().for_each(|regex| note("pattern", &name(&regex.name), regex.action.as_str()));
    }
    if let Some(policy) = &assessment.contextual_grounding_policy {
        let filters = policy.filters.iter().flatten();
        filters.for_each(|filter| note("grounding", filter.r#type.as_str(), filter.action.as_str()));
    }
    found
}
