//! InvokeModelWithResponseStream: the answer as chunks of its model family's own JSON.
//!
//! Owns the order of the steps and the headers of the response. When an event comes and how a
//! scenario spoils the stream is the script's matter, as in ConverseStream.
//! The one rule it protects: a format without a stream is refused before any byte of one.

use axum::response::Response;
use http::HeaderValue;

use super::answering::Wanted;
use super::{Received, converse_stream, invoke_model};
use crate::call_log::Operation;
use crate::errors::Refusal;
use crate::script::Wire;

pub(super) async fn answer(received: Received) -> Response {
    stream(received).await.unwrap_or_else(|refused| refused)
}

async fn stream(received: Received) -> Result<Response, Response> {
    let (call, request) = invoke_model::open(received, Operation::InvokeModelWithResponseStream)?;
    let scenario = call.scenario(Some(&request.asked.user_text)).await?;
    converse_stream::refuse_to_stream(&call, &scenario)?;
    let preamble = request.check(call.guard.model_id()).map_err(|refusal| call.refuse(&refusal))?;
    if !request.format.can_stream() {
        return Err(call.refuse(&Refusal::validation("The model is unsupported for streaming.")));
    }
    let answer = invoke_model::write(&call, &request, preamble, &scenario, Wanted::Pieces).await?;
    let native = request.stream(invoke_model::label(&call, &request, &answer));
    let echo = answer.echo.clone();
    let mut response =
        converse_stream::respond(call, answer, None, &scenario, Wire::Native(Box::new(native)));
    let headers = response.headers_mut();
    headers.insert("x-amzn-bedrock-content-type", HeaderValue::from_static("application/json"));
    invoke_model::tell_back(&echo, headers);
    Ok(response)
}
