//! What the service tells about itself: models, capabilities, version, contract.
//! What it tells of models stands in `catalogue`.
//!
//! Nothing here is secret: no credentials, no endpoints, no account.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::catalogue::ModelsBody;
use super::error::{ApiError, describe_problem, id_of};
use super::{Api, openapi, own_tasks};
use crate::domain::FailureCode;
use crate::tasks::Wanted;

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn models(State(api): State<Api>) -> Response {
    let live = api.0.pipeline.live();
    Json(ModelsBody::from(&*live.catalogue)).into_response()
}

/// The options of each task, with the values they take; the default stands first.
pub(super) async fn capabilities(State(api): State<Api>) -> Json<Value> {
    let live = api.0.pipeline.live();
    let catalogue = &live.catalogue;
    let availability = if api.0.readiness.is_ready() { "available" } else { "unavailable" };
    let task = |wanted: Wanted| {
        let (name, path) = (wanted.name(), path_of(&wanted));
        let mut told = json!({
            "task": name.as_str(),
            "path": path,
            "availability": availability,
            "default_chain": &*catalogue.task_chain(&name).name,
            "input_quota_tokens": api.0.pipeline.input_quota(&wanted),
        });
        let more = match &wanted {
            Wanted::OnText(_) | Wanted::Generate(_) | Wanted::Refine => json!({
                "options": openapi::options(&wanted),
                "output_languages": "any BCP 47 tag; without one, the language of the text",
            }),
            Wanted::Own(spec) => own_tasks::capabilities(spec),
        };
        if let (Value::Object(told), Value::Object(more)) = (&mut told, more) {
            told.extend(more);
        }
        told
    };
    Json(json!({
        "tasks": live.tasks().map(task).collect::<Vec<_>>(),
        "representations": openapi::REPRESENTATIONS,
        "chains": catalogue.chains.keys().map(|name| &**name).collect::<Vec<_>>(),
        "limits": {
            "max_body_bytes": api.0.settings.max_body_bytes,
            "max_file_bytes": api.0.settings.max_file_bytes,
        },
    }))
}

/// Where a task is asked for.
pub(super) fn path_of(wanted: &Wanted) -> String {
    match wanted {
        Wanted::OnText(kind) => format!("/v1/{kind}"),
        Wanted::Generate(generator) => format!("/v1/generate/{}", generator.as_str()),
        Wanted::Refine => "/v1/refine".to_owned(),
        Wanted::Own(spec) => format!("/v1/tasks/{}", spec.name()),
    }
}

/// Which build this is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Version)]
pub(super) struct VersionBody {
    #[schema(example = "redraft")]
    pub name: &'static str,
    #[schema(example = "0.1.0")]
    pub version: &'static str,
    /// The commit it was built from, where the build knew it.
    #[schema(required)]
    pub git_sha: Option<&'static str>,
    #[schema(required)]
    pub rustc: Option<&'static str>,
}

impl VersionBody {
    pub(super) const fn of_this_build() -> Self {
        Self {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            git_sha: option_env!("REDRAFT_GIT_SHA"),
            rustc: option_env!("REDRAFT_RUSTC"),
        }
    }
}

pub(super) async fn version() -> Json<VersionBody> {
    Json(VersionBody::of_this_build())
}

pub(super) async fn openapi(State(api): State<Api>) -> Response {
    ([(CONTENT_TYPE, "application/json")], api.openapi_json().to_string()).into_response()
}

pub(super) async fn metrics(State(api): State<Api>) -> Response {
    api.0.metrics.ready.set(i64::from(api.0.readiness.is_ready()));
    ([(CONTENT_TYPE, PROMETHEUS_TEXT)], api.0.metrics.encode()).into_response()
}

/// The page that a problem's `type` points to.
pub(super) async fn problem(code: Result<Path<String>, PathRejection>, request: Request) -> Response {
    match code.ok().and_then(|Path(code)| describe_problem(&code)) {
        Some(page) => page.into_response(),
        None => ApiError::new(FailureCode::NotFound).response(&id_of(&request)),
    }
}
