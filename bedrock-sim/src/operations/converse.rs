//! Converse: the whole answer in one JSON body.
//!
//! Owns the shape of the Converse response and what each scenario does to its content. Faults of
//! the body as such (cuts, stalls) are shared by all operations that answer in one piece.
//! The one rule it protects: keys are in alphabetical order, as on the real wire.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::answering::Wanted;
use super::{Call, Received, answering, in_one_piece};
use crate::call_log::Operation;
use crate::models::Preamble;
use crate::pacing::Pacing;
use crate::request::ConverseRequest;
use crate::scenario::Scenario;
use crate::script::{REASONING_SIGNATURE, REASONING_TEXT};

pub(super) async fn answer(received: Received) -> Response {
    converse(received).await.unwrap_or_else(|refused| refused)
}

async fn converse(received: Received) -> Result<Response, Response> {
    let (call, body) = Call::open(received, Operation::Converse)?;
    let request =
        ConverseRequest::read(call.guard.model_id(), &body).map_err(|refusal| call.refuse(&refusal))?;
    let scenario = call.scenario(Some(&request.user_text)).await?;
    if let Scenario::StreamError { error, .. } = &scenario {
        let refusal = error.as_status().refusal(call.guard.model_id());
        return Err(call.refuse(&refusal));
    }
    let (answer, memory) = answering::write(&call, request, &scenario, Wanted::Whole).await?;
    let pacing = call.backend.pacing;
    if pacing != Pacing::default() {
        let deltas = answer.deltas().len();
        tokio::time::sleep(pacing.whole_answer(deltas)).await;
    }
    if let Some(memory) = memory {
        memory.keep();
    }
    let json = response_json(&answer, &scenario, call.guard.elapsed_ms()).to_string();
    Ok(in_one_piece::respond(call, json, &scenario, Some(answer.billed())).await)
}

fn response_json(answer: &Answer, scenario: &Scenario, latency_ms: u64) -> Value {
    let mut content = Vec::new();
    match answer.preamble {
        Preamble::None => {}
        Preamble::Reasoning => content.push(json!({ "reasoningContent": { "reasoningText": {
            "signature": REASONING_SIGNATURE,
            "text": REASONING_TEXT,
        } } })),
        Preamble::EmptyTextAndReasoning => {
            content.push(json!({ "text": "" }));
            content.push(json!({ "reasoningContent": { "reasoningText": {
                "text": REASONING_TEXT,
            } } }));
        }
    }
    if *scenario != Scenario::EmptyContent {
        content.push(match &answer.tool {
            None => json!({ "text": &*answer.text }),
            Some(tool) => json!({ "toolUse": {
                "input": tool_input(&answer.text),
                "name": &*tool.name,
                "toolUseId": &*tool.id,
            } }),
        });
    }
    let mut response = Map::new();
    response.insert("metrics".to_owned(), json!({ "latencyMs": latency_ms }));
    let message = json!({ "message": { "content": content, "role": "assistant" } });
    response.insert("output".to_owned(), message);
    if let Some(latency) = &answer.echo.latency {
        let config = json!({ "latency": latency });
        response.insert("performanceConfig".to_owned(), config);
    }
    if let Some(tier) = &answer.echo.service_tier {
        response.insert("serviceTier".to_owned(), json!({ "type": tier }));
    }
    if let Scenario::UnknownEvent { .. } = scenario {
        let news = json!({ "note": "a member of a later version" });
        response.insert("somethingNew".to_owned(), news);
    }
    let stop_reason = Value::from(answer.stop_reason.as_str());
    response.insert("stopReason".to_owned(), stop_reason);
    if let Some(trace) = &answer.echo.trace {
        response.insert("trace".to_owned(), trace.clone());
    }
    if *scenario != Scenario::EndWithoutMetadata {
        response.insert("usage".to_owned(), answer.told_usage.to_value());
    }
    Value::Object(response)
}

/// The input of a tool as JSON. One that was cut is none, and empty.
fn tool_input(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!({}))
}
