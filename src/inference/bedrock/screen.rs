//! `ApplyGuardrail`: a guardrail's look at a text before any model is called.
//!
//! The operation says "intervened" of what it blocks and of what it would only mask.
//! The one rule: where it cannot be told that it is only masked, it is blocked.

use aws_sdk_bedrockruntime::operation::apply_guardrail::ApplyGuardrailOutput;
use aws_sdk_bedrockruntime::operation::apply_guardrail::builders::ApplyGuardrailFluentBuilder;
use aws_sdk_bedrockruntime::types::{
    GuardrailAction, GuardrailContentBlock, GuardrailContentSource, GuardrailTextBlock,
};

use super::findings;
use crate::domain::CallFailure;
use crate::inference::{BackendError, Screening, Verdict};

/// The question as `ApplyGuardrail` takes it.
pub(super) fn request(
    screening: &Screening,
    request: ApplyGuardrailFluentBuilder,
) -> Result<ApplyGuardrailFluentBuilder, BackendError> {
    let text = GuardrailTextBlock::builder()
        .text(screening.text.to_string())
        .build()
        .map_err(|error| BackendError::new(CallFailure::RequestRejected, error.to_string()))?;
    Ok(request
        .guardrail_identifier(&screening.guardrail.id)
        .guardrail_version(&screening.guardrail.version)
        .source(GuardrailContentSource::Input)
        .content(GuardrailContentBlock::Text(text)))
}

/// What it said.
///
/// # Errors
/// When the answer says neither that nothing was found nor that something was.
pub(super) fn verdict(screening: &Screening, answer: &ApplyGuardrailOutput) -> Result<Verdict, BackendError> {
    match answer.action {
        GuardrailAction::None => return Ok(Verdict::Passed),
        GuardrailAction::GuardrailIntervened => {}
        _ => return Err(BackendError::new(CallFailure::BadResponse, "the guardrail said nothing")),
    }
    if screening.guardrail.trace {
        findings::tell_of(&screening.guardrail, "input", answer.assessments.iter());
    }
    let only_masks =
        answer.assessments.iter().any(findings::masks) && !answer.assessments.iter().any(findings::blocks);
    if only_masks {
        return Ok(Verdict::Passed);
    }
    let words: Vec<&str> = answer.outputs.iter().filter_map(|output| output.text.as_deref()).collect();
    Ok(Verdict::Blocked(words.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::verdict;
    use crate::domain::{CallFailure, Guardrail, GuardrailStream, OnBlock};
    use crate::inference::{Screening, Verdict};
    use aws_sdk_bedrockruntime::operation::apply_guardrail::ApplyGuardrailOutput;
    use aws_sdk_bedrockruntime::types::{
        GuardrailAction, GuardrailAssessment, GuardrailOutputContent, GuardrailPiiEntityFilter,
        GuardrailPiiEntityType, GuardrailSensitiveInformationPolicyAction,
        GuardrailSensitiveInformationPolicyAssessment,
    };
    use std::sync::Arc;

    fn screening() -> Screening {
        let guardrail = Guardrail {
            name: "g".into(),
            id: "g".to_owned(),
            version: "1".to_owned(),
            stream: GuardrailStream::Sync,
            on_block: OnBlock::Refuse,
            trace: false,
        };
        Screening { guardrail: Arc::new(guardrail), region: None, text: "x".into() }
    }

    fn assessed(action: GuardrailSensitiveInformationPolicyAction) -> GuardrailAssessment {
        let entity = GuardrailPiiEntityFilter::builder()
            .r#match("someone@example.com")
            .r#type(GuardrailPiiEntityType::Email)
            .action(action)
            .build()
            .unwrap();
        let policy = GuardrailSensitiveInformationPolicyAssessment::builder().pii_entities(entity);
        let policy = policy.set_regexes(Some(Vec::new())).build().unwrap();
        GuardrailAssessment::builder().sensitive_information_policy(policy).build()
    }

    fn said(action: GuardrailAction, assessments: Vec<GuardrailAssessment>) -> Verdict {
        let output = GuardrailOutputContent::builder().text("No.").build();
        let answer = ApplyGuardrailOutput::builder()
            .action(action)
            .outputs(output)
            .set_assessments(Some(assessments))
            .build()
            .unwrap();
        verdict(&screening(), &answer).unwrap()
    }

    #[test]
    fn what_is_only_masked_passes_and_what_is_not_known_is_blocked() {
        use GuardrailSensitiveInformationPolicyAction::{Anonymized, Blocked};
        let blocked = Verdict::Blocked("No.".to_owned());
        assert_eq!(said(GuardrailAction::None, Vec::new()), Verdict::Passed);
        assert_eq!(said(GuardrailAction::GuardrailIntervened, vec![assessed(Anonymized)]), Verdict::Passed);
        assert_eq!(said(GuardrailAction::GuardrailIntervened, vec![assessed(Blocked)]), blocked);
        let both = vec![assessed(Anonymized), assessed(Blocked)];
        assert_eq!(said(GuardrailAction::GuardrailIntervened, both), blocked);
        assert_eq!(said(GuardrailAction::GuardrailIntervened, Vec::new()), blocked);
    }

    #[test]
    fn an_answer_without_a_word_is_none() {
        let answer = ApplyGuardrailOutput::builder()
            .action(GuardrailAction::from(""))
            .set_outputs(Some(Vec::new()))
            .set_assessments(Some(Vec::new()))
            .build()
            .unwrap();
        assert_eq!(verdict(&screening(), &answer).unwrap_err().kind, CallFailure::BadResponse);
    }
}
