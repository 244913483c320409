//! The admin calls under `/_sim`: the log, the scenarios and the guardrails over HTTP.
//!
//! Owns the JSON of these calls and its errors. It adds nothing that the library cannot do.
//! The one rule it protects: a body that is not understood changes nothing and is answered with
//! what is wrong with it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::guardrails::GuardrailRules;
use crate::operations::Backend;
use crate::scenario::Scenario;

pub(crate) fn routes() -> Router<Arc<Backend>> {
    Router::new()
        .route("/_sim/health", get(health))
        .route("/_sim/calls", get(list_calls).delete(clear_calls))
        .route("/_sim/scenarios", get(list_scenarios).post(set_scenario).delete(clear_scenarios))
        .route("/_sim/guardrails", get(list_guardrails).post(set_guardrail).delete(clear_guardrails))
        .route_layer(from_fn(refuse_pages))
}

/// Pages have no business here: the log holds whole prompts, and orders need no leave of a browser.
async fn refuse_pages(request: Request, next: Next) -> Response {
    if is_of_a_page(request.headers()) {
        let error = "admin calls are not for pages; call by address or as localhost, without an origin";
        return (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response();
    }
    next.run(request).await
}

/// Browsers name the page's origin, except to the origin itself: then a domain that was made to lead
/// here still stands in `Host`.
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    let is_address = name.starts_with('[') || name.parse::<IpAddr>().is_ok();
    headers.contains_key(ORIGIN) || (name.contains('.') && !is_address)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetScenario {
    #[serde(default = "everything")]
    model: String,
    scenario: Option<Value>,
    sequence: Option<Vec<Value>>,
    times: Option<u32>,
}

/// A guardrail by its id; without one, the rules hold for all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetGuardrail {
    #[serde(default = "everything")]
    guardrail: String,
    rules: GuardrailRules,
}

/// Without a guardrail, everything is cleared.
#[derive(Debug, Deserialize)]
struct ClearGuardrails {
    guardrail: Option<String>,
}

/// Without a model, everything is cleared.
#[derive(Debug, Deserialize)]
struct ClearScenarios {
    model: Option<String>,
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn list_calls(State(backend): State<Arc<Backend>>) -> Response {
    Json(backend.log.records()).into_response()
}

async fn clear_calls(State(backend): State<Arc<Backend>>) -> StatusCode {
    backend.log.clear();
    StatusCode::NO_CONTENT
}

async fn list_scenarios(State(backend): State<Arc<Backend>>) -> Response {
    Json(json!({ "set": backend.book.pages(), "names": Scenario::names() })).into_response()
}

async fn clear_scenarios(
    State(backend): State<Arc<Backend>>,
    Query(which): Query<ClearScenarios>,
) -> StatusCode {
    match which.model {
        Some(model) => backend.book.clear_model(&model),
        None => backend.book.clear(),
    }
    StatusCode::NO_CONTENT
}

async fn list_guardrails(State(backend): State<Arc<Backend>>) -> Response {
    Json(json!({ "set": backend.guardrails.all(), "usual": GuardrailRules::default() })).into_response()
}

async fn clear_guardrails(
    State(backend): State<Arc<Backend>>,
    Query(which): Query<ClearGuardrails>,
) -> StatusCode {
    match which.guardrail {
        Some(id) => backend.guardrails.clear_one(&id),
        None => backend.guardrails.clear(),
    }
    StatusCode::NO_CONTENT
}

async fn set_guardrail(State(backend): State<Arc<Backend>>, body: Bytes) -> Response {
    changed(understood(&body).map(|SetGuardrail { guardrail, rules }| {
        backend.guardrails.set(&guardrail, rules);
    }))
}

async fn set_scenario(State(backend): State<Arc<Backend>>, body: Bytes) -> Response {
    changed(set(&backend, &body))
}

fn changed(done: Result<(), String>) -> Response {
    match done {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(message) => (StatusCode::BAD_REQUEST, Json(json!({ "message": message }))).into_response(),
    }
}

fn set(backend: &Backend, body: &[u8]) -> Result<(), String> {
    let request: SetScenario = understood(body)?;
    match (request.scenario, request.sequence, request.times) {
        (Some(scenario), None, None) => {
            backend.book.set(&request.model, read(scenario)?);
        }
        (Some(scenario), None, Some(times)) if times > 0 => {
            backend.book.add(&request.model, read(scenario)?, times);
        }
        (None, Some(sequence), None) if !sequence.is_empty() => {
            let sequence: Vec<Scenario> = sequence.into_iter().map(read).collect::<Result<_, _>>()?;
            for scenario in sequence {
                backend.book.add(&request.model, scenario, 1);
            }
        }
        _ => {
            return Err("give either `scenario`, with `times` of at least 1 or without, or a `sequence` \
                 that is not empty"
                .to_owned());
        }
    }
    Ok(())
}

fn understood<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not understood: {error}"))
}

fn read(scenario: Value) -> Result<Scenario, String> {
    if let Value::String(name) = &scenario {
        return Scenario::from_name(name)
            .ok_or_else(|| format!("there is no scenario named {name:?}; GET /_sim/scenarios lists them"));
    }
    serde_json::from_value(scenario).map_err(|error| format!("the scenario is not understood: {error}"))
}

fn everything() -> String {
    "*".to_owned()
}

#[cfg(test)]
mod tests {
    use super::is_of_a_page;
    use http::header::{HOST, ORIGIN};
    use http::{HeaderMap, HeaderValue};

    #[test]
    fn a_page_is_known_by_its_origin_or_by_a_domain_that_leads_here() {
        let headers = |name, value| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        for host in ["127.0.0.1:9911", "[::1]:9911", "localhost:9911", "bedrock-sim:9911", "10.0.0.7"] {
            assert!(!is_of_a_page(&headers(HOST, host)), "{host}");
        }
        for host in ["evil.example:9911", "127.0.0.1.evil.example"] {
            assert!(is_of_a_page(&headers(HOST, host)), "{host}");
        }
        assert!(is_of_a_page(&headers(ORIGIN, "http://localhost:5173")));
    }
}
