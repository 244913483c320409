//! ApplyGuardrail: what a guardrail says of texts, without a model.
//!
//! Owns the shape of the answer. What is found in the texts is the guardrail's matter.
//! The one rule it protects: a guardrail that does not exist is refused as the resource it is.

use axum::response::Response;
use serde_json::{Value, json};

use super::{Call, Received, in_one_piece};
use crate::call_log::Operation;
use crate::errors::Refusal;
use crate::guardrails::NO_SUCH_GUARDRAIL;
use crate::request::ApplyGuardrailRequest;

pub(super) async fn answer(received: Received) -> Response {
    apply(received).await.unwrap_or_else(|refused| refused)
}

async fn apply(received: Received) -> Result<Response, Response> {
    let version = received.version.clone().unwrap_or_default();
    let (call, body) = Call::open(received, Operation::ApplyGuardrail)?;
    let identifier = call.guard.model_id();
    let request =
        ApplyGuardrailRequest::read(identifier, &version, &body).map_err(|refusal| call.refuse(&refusal))?;
    let scenario = call.scenario(None).await?;
    let guardrail = call.backend.guardrails.find(identifier, &version);
    let Some(guardrail) = guardrail else {
        return Err(call.refuse(&Refusal::new(404, "ResourceNotFoundException", NO_SUCH_GUARDRAIL)));
    };
    let rules = &guardrail.rules;
    let found = rules.assess(request.source, &request.texts, 0, true);
    let outputs: Vec<Value> = if found.is_blocked() {
        vec![json!({ "text": rules.message(request.source) })]
    } else if found.is_masked() {
        request.texts.iter().map(|text| json!({ "text": rules.mask(text) })).collect()
    } else {
        Vec::new()
    };
    let action = if found.intervenes() { "GUARDRAIL_INTERVENED" } else { "NONE" };
    let json = json!({
        "action": action,
        "actionReason": found.action_reason(),
        "assessments": [guardrail.told(&found)],
        "guardrailCoverage": found.coverage(),
        "outputs": outputs,
        "usage": found.usage(),
    });
    Ok(in_one_piece::respond(call, json.to_string(), &scenario, None).await)
}
