//! CountTokens: what a request would be billed as input.
//!
//! Owns which models can count and both forms of the input. It counts with the one token rule.
//! The one rule it protects: the count equals the `inputTokens` of the same Converse request without
//! cache points.

use axum::response::Response;
use serde_json::json;

use super::{Call, Received, in_one_piece};
use crate::call_log::Operation;
use crate::models;
use crate::request::CountTokensRequest;

pub(super) async fn answer(received: Received) -> Response {
    count(received).await.unwrap_or_else(|refused| refused)
}

async fn count(received: Received) -> Result<Response, Response> {
    let (call, body) = Call::open(received, Operation::CountTokens)?;
    let request = CountTokensRequest::read(&body).map_err(|refusal| call.refuse(&refusal))?;
    let scenario = call.scenario(None).await?;
    models::check_counting(call.guard.model_id()).map_err(|refusal| call.refuse(&refusal))?;
    let json = json!({ "inputTokens": request.input_tokens }).to_string();
    Ok(in_one_piece::respond(call, json, &scenario, None).await)
}
