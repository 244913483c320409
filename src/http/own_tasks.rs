//! `POST /v1/tasks/{name}`: tasks from files, by the routes and rules of the others.
//!
//! Owns how such a task is found by its name, and what is told about it. Which tasks there
//! are can change while the service runs; a request goes by those that there are when it
//! has been read. The rule it protects: a name that nobody gave to a task is never a label.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::error::{ApiError, id_of};
use super::{Api, openapi, task_routes};
use crate::domain::FailureCode;
use crate::pipeline::Live;
use crate::tasks::{OwnTaskSpec, Wanted};

pub(super) async fn run(
    State(api): State<Api>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let live = api.0.pipeline.live();
    let name = name.map(|Path(name)| name).unwrap_or_default();
    match find(&name, &live) {
        Ok(wanted) => task_routes::run(wanted, State(api), request).await,
        Err(error) => error.response(&id_of(&request)),
    }
}

/// The task of that name.
pub(super) fn find(name: &str, live: &Live) -> Result<Wanted, ApiError> {
    live.own_tasks.get(name).map(|spec| Wanted::Own(spec.clone())).ok_or_else(|| unknown(live))
}

/// The task that is wanted, as it is now.
pub(super) fn current(wanted: Wanted, live: &Live) -> Result<Wanted, ApiError> {
    match wanted {
        Wanted::OnText(_) | Wanted::Generate(_) | Wanted::Refine => Ok(wanted),
        Wanted::Own(spec) => find(spec.name().as_str(), live),
    }
}

fn unknown(live: &Live) -> ApiError {
    let known: Vec<String> = live.own_tasks.keys().map(|name| format!("`{name}`")).collect();
    let detail = if known.is_empty() {
        "There is no task of this name: this service has none under `/v1/tasks`.".to_owned()
    } else {
        format!("There is no task of this name. There are {}.", known.join(", "))
    };
    ApiError::detailed(FailureCode::NotFound, detail)
}

/// What `GET /v1/capabilities` tells of a task beside what it tells of all.
pub(super) fn capabilities(spec: &Arc<OwnTaskSpec>) -> Value {
    json!({
        "description": spec.description(),
        "options": openapi::options(&Wanted::Own(Arc::clone(spec))),
        "input_schema": spec.input_schema(),
        "output_languages": match spec.common_options().output_language {
            true => "any BCP 47 tag; without one, what the task says",
            false => "what the task says",
        },
    })
}
