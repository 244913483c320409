//! InvokeModel: the whole answer in the words of its model family.
//!
//! Owns the order of the steps, and the headers that tell tokens and time. How bodies are read and
//! written is the matter of `native`; faults of the body as such are shared with Converse.
//! The one rule it protects: the headers tell the same tokens as the body and the log.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::response::Response;
use http::{HeaderMap, HeaderValue};

use super::answer::Answer;
use super::answering::Wanted;
use super::{Call, Received, answering, in_one_piece};
use crate::call_log::Operation;
use crate::models::Preamble;
use crate::native::{Format, Guarded, Label, NativeRequest, Told};
use crate::pacing::Pacing;
use crate::request::{Echo, InvokeHeaders};
use crate::scenario::Scenario;

pub(super) async fn answer(received: Received) -> Response {
    invoke(received).await.unwrap_or_else(|refused| refused)
}

async fn invoke(received: Received) -> Result<Response, Response> {
    let (call, request) = open(received, Operation::InvokeModel)?;
    let scenario = call.scenario(Some(&request.asked.user_text)).await?;
    if let Scenario::StreamError { error, .. } = &scenario {
        let refusal = error.as_status().refusal(call.guard.model_id());
        return Err(call.refuse(&refusal));
    }
    let preamble = request.check(call.guard.model_id()).map_err(|refusal| call.refuse(&refusal))?;
    let answer = write(&call, &request, preamble, &scenario, Wanted::Whole).await?;
    let pacing = call.backend.pacing;
    if pacing != Pacing::default() {
        let deltas = answer.deltas().len();
        tokio::time::sleep(pacing.whole_answer(deltas)).await;
    }
    let label = label(&call, &request, &answer);
    let told = Told {
        label: &label,
        text: &answer.text,
        preamble: answer.preamble,
        has_content: scenario != Scenario::EmptyContent,
        reason: answer.stop_reason,
        tells_usage: scenario != Scenario::EndWithoutMetadata,
    };
    let mut json = request.format.answer(&told);
    if let Scenario::UnknownEvent { .. } = scenario {
        json["somethingNew"] = serde_json::json!({ "note": "a member of a later version" });
    }
    if let Some(guarded) = &label.guarded {
        guarded.add_to(&mut json);
    }
    let latency_ms = call.guard.elapsed_ms();
    let billed = Some(answer.billed());
    let mut response = in_one_piece::respond(call, json.to_string(), &scenario, billed).await;
    let headers = response.headers_mut();
    if told.tells_usage {
        headers.insert("x-amzn-bedrock-input-token-count", label.usage.input_tokens.into());
        headers.insert("x-amzn-bedrock-output-token-count", label.usage.output_tokens.into());
        if request.format == Format::ClaudeMessages {
            // Nothing is ever cached here.
            headers.insert("x-amzn-bedrock-cache-read-input-token-count", 0.into());
            headers.insert("x-amzn-bedrock-cache-write-input-token-count", 0.into());
        }
    }
    headers.insert("x-amzn-bedrock-invocation-latency", latency_ms.into());
    tell_back(&answer.echo, headers);
    Ok(response)
}

/// Records the call and reads its headers and its body.
pub(super) fn open(received: Received, operation: Operation) -> Result<(Call, NativeRequest), Response> {
    let headers = received.headers.clone();
    let (call, body) = Call::open(received, operation)?;
    let mut request = InvokeHeaders::read(&headers)
        .and_then(|headers| NativeRequest::read(call.guard.model_id(), &body, headers))
        .map_err(|refusal| call.refuse(&refusal))?;
    if let Some(guarding) = &mut request.asked.guarding {
        // Only a stream can flow.
        guarding.asynchronous &= operation == Operation::InvokeModelWithResponseStream;
    }
    Ok((call, request))
}

/// Answers a request that its model takes. Native bodies have no cache points, so nothing is kept.
pub(super) async fn write(
    call: &Call,
    request: &NativeRequest,
    preamble: Preamble,
    scenario: &Scenario,
    wanted: Wanted,
) -> Result<Answer, Response> {
    let playable = request.playable(scenario);
    let asked = request.asked.clone();
    let (answer, _) = answering::write_checked(call, asked, preamble, &playable, wanted).await?;
    Ok(answer)
}

pub(super) fn label(call: &Call, request: &NativeRequest, answer: &Answer) -> Label {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Label {
        request_id: call.guard.request_id().to_owned(),
        model_id: call.guard.model_id().to_owned(),
        created_unix_s: now.as_secs(),
        stop_sequence: answer.stop_sequence.clone(),
        usage: answer.told_usage,
        guarded: request
            .asked
            .guarding
            .as_ref()
            .map(|_| Guarded { intervened: answer.message_at.is_some(), trace: answer.echo.trace.clone() }),
    }
}

/// Tells the service tier and the latency that were asked for.
pub(super) fn tell_back(echo: &Echo, headers: &mut HeaderMap) {
    let told = [
        ("x-amzn-bedrock-service-tier", &echo.service_tier),
        ("x-amzn-bedrock-performanceconfig-latency", &echo.latency),
    ];
    for (name, word) in told {
        if let Some(word) = word.as_deref().and_then(|word| HeaderValue::from_str(word).ok()) {
            headers.insert(name, word);
        }
    }
}
