//! What a guardrail found, as the body of an answer tells it.
//!
//! A trace holds the very words that a guardrail stumbled over. So only the kinds of
//! findings are told, and only where the catalogue asks for a trace.

use serde_json::Value;

use crate::domain::Guardrail;

/// Where findings stand in an assessment, what they are called, and by which member.
const PLACES: [(&str, &str, Kind); 7] = [
    ("/topicPolicy/topics", "topic", Kind::Member("name")),
    ("/contentPolicy/filters", "content", Kind::Member("type")),
    ("/wordPolicy/customWords", "word", Kind::Fixed("custom")),
    ("/wordPolicy/managedWordLists", "word", Kind::Fixed("managed")),
    ("/sensitiveInformationPolicy/piiEntities", "pii", Kind::Member("type")),
    ("/sensitiveInformationPolicy/regexes", "pattern", Kind::Member("name")),
    ("/contextualGroundingPolicy/filters", "grounding", Kind::Member("type")),
];

#[derive(Clone, Copy)]
enum Kind {
    Member(&'static str),
    /// The word itself is none of the log's business.
    Fixed(&'static str),
}

/// Tells what the guardrail of a call found, if the body has a trace and anything was found.
pub(super) fn tell(guardrail: Option<&Guardrail>, body: &Value) {
    let Some(guardrail) = guardrail.filter(|guardrail| guardrail.trace) else { return };
    let trace = &body["amazon-bedrock-trace"]["guardrail"];
    for (side, assessments) in [("input", &trace["input"]), ("output", &trace["outputs"])] {
        let findings = kinds(assessments);
        if !findings.is_empty() {
            let (name, findings) = (&*guardrail.name, findings.join(", "));
            tracing::info!(guardrail = name, side, findings, "a guardrail found something");
        }
    }
}

/// Whether the body's trace shows that something was masked and nothing blocked.
pub(super) fn only_masks(body: &Value) -> bool {
    let trace = &body["amazon-bedrock-trace"]["guardrail"];
    let actions: Vec<&str> = [&trace["input"], &trace["outputs"]].into_iter().flat_map(actions).collect();
    !actions.is_empty() && actions.iter().all(|action| *action == "ANONYMIZED")
}

/// Whether the body's trace shows that something was blocked.
pub(super) fn blocks(body: &Value) -> bool {
    let trace = &body["amazon-bedrock-trace"]["guardrail"];
    let mut actions = [&trace["input"], &trace["outputs"]].into_iter().flat_map(actions);
    actions.any(|action| action != "ANONYMIZED")
}

/// What was done about each finding.
fn actions(assessments: &Value) -> Vec<&str> {
    let findings = assessments_of(assessments).into_iter().flat_map(|assessment| {
        PLACES.into_iter().filter_map(|(place, ..)| assessment.pointer(place)?.as_array()).flatten()
    });
    findings.filter_map(|finding| finding["action"].as_str()).filter(|action| *action != "NONE").collect()
}

/// Assessments by guardrail, or in a list of such.
fn assessments_of(assessments: &Value) -> Vec<&Value> {
    let list = assessments.as_array().map_or_else(|| vec![assessments], |list| list.iter().collect());
    list.into_iter().filter_map(Value::as_object).flat_map(|by| by.values()).collect()
}

/// The kinds of findings in assessments by guardrail, or in a list of such.
fn kinds(assessments: &Value) -> Vec<String> {
    let mut kinds: Vec<String> = assessments_of(assessments).into_iter().flat_map(findings).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn findings(assessment: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (place, policy, kind) in PLACES {
        let list = assessment.pointer(place).and_then(Value::as_array);
        let acted = |finding: &&Value| finding["action"].as_str().is_some_and(|action| action != "NONE");
        for finding in list.into_iter().flatten().filter(acted) {
            let kind = match kind {
                Kind::Member(name) => finding[name].as_str().unwrap_or_default(),
                Kind::Fixed(word) => word,
            };
            found.push(format!("{policy} {kind}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::kinds;
    use serde_json::json;

    #[test]
    fn kinds_of_findings_are_told_once_and_never_the_words() {
        let assessment = json!({
            "topicPolicy": { "topics": [{ "name": "Weapons", "type": "DENY", "action": "BLOCKED" }] },
            "contentPolicy": { "filters": [
                { "type": "INSULTS", "confidence": "HIGH", "action": "BLOCKED" },
                { "type": "HATE", "confidence": "LOW", "action": "NONE" },
            ] },
            "wordPolicy": { "customWords": [{ "match": "secret", "action": "BLOCKED" }] },
            "sensitiveInformationPolicy": { "piiEntities": [
                { "type": "EMAIL", "match": "a@example.org", "action": "ANONYMIZED" },
                { "type": "EMAIL", "match": "b@example.org", "action": "ANONYMIZED" },
            ] },
        });
        let found = ["content INSULTS", "pii EMAIL", "topic Weapons", "word custom"];
        assert_eq!(kinds(&json!({ "g1": assessment })), found);
        assert_eq!(kinds(&json!([{ "g1": assessment }, {}])), found);
        assert_eq!(kinds(&json!(null)), Vec::<String>::new());
    }
}
