//! What the service tells about itself: models, capabilities, version, contract.
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

use super::error::{ApiError, describe_problem, id_of};
use super::{Api, openapi};
use crate::domain::{FailureCode, Region, TaskKind};
use crate::pipeline::{Chain, Model, WeightedTarget};

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A model of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct ModelBody<'a> {
    /// The id that is sent to Bedrock.
    pub id: &'a str,
    pub name: &'a str,
    /// Input and output together.
    pub context_tokens: u32,
    pub max_output_tokens: u32,
    /// `null` when prices are not known.
    #[schema(required)]
    pub usd_per_million_tokens: Option<PricesBody>,
}

/// Prices in USD per million tokens; `null` where not known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Prices)]
pub(super) struct PricesBody {
    pub input: f64,
    pub output: f64,
    #[schema(required)]
    pub cache_read: Option<f64>,
    #[schema(required)]
    pub cache_write: Option<f64>,
}

/// A model in a region: one thing that can be called.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Target)]
pub(super) struct TargetBody<'a> {
    pub model: &'a str,
    /// The region, where it is another than the service's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub region: Option<&'a str>,
    /// Its share of the stage's calls, in proportion to the others.
    pub weight: u32,
}

/// An ordered list of stages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Chain)]
pub(super) struct ChainBody<'a> {
    pub name: &'a str,
    /// Model ids in the order in which they are asked, each once.
    pub models: Vec<&'a str>,
    /// The next stage is asked when the one before fails; calls are balanced over the targets of one.
    pub stages: Vec<Vec<TargetBody<'a>>>,
    /// Tasks that use this chain when the request names none.
    pub default_for: Vec<&'a str>,
}

/// The catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Catalogue)]
pub(super) struct ModelsBody<'a> {
    pub models: Vec<ModelBody<'a>>,
    pub chains: Vec<ChainBody<'a>>,
}

impl<'a> From<&'a Model> for ModelBody<'a> {
    fn from(model: &'a Model) -> Self {
        Self {
            id: model.id.as_str(),
            name: &model.name,
            context_tokens: model.context_tokens,
            max_output_tokens: model.max_output_tokens,
            usd_per_million_tokens: model.prices.map(|prices| PricesBody {
                input: prices.input.usd(),
                output: prices.output.usd(),
                cache_read: prices.cache_read.map(|price| price.usd()),
                cache_write: prices.cache_write.map(|price| price.usd()),
            }),
        }
    }
}

pub(super) async fn models(State(api): State<Api>) -> Response {
    let live = api.0.pipeline.live();
    let catalogue = &live.catalogue;
    let default_for = |chain: &Chain| {
        let served = |task: &TaskKind| catalogue.task_chain(*task).name == chain.name;
        TaskKind::ALL.into_iter().filter(served).map(TaskKind::as_str).collect()
    };
    let body = ModelsBody {
        models: catalogue.models.iter().map(|model| ModelBody::from(&**model)).collect(),
        chains: catalogue
            .chains
            .values()
            .map(|chain| ChainBody {
                name: &chain.name,
                models: models_of(chain),
                stages: chain.stages.iter().map(|stage| stage.targets.iter().map(target).collect()).collect(),
                default_for: default_for(chain),
            })
            .collect(),
    };
    Json(body).into_response()
}

fn models_of(chain: &Chain) -> Vec<&str> {
    let mut models = Vec::new();
    for target in chain.targets() {
        let id = target.model.id.as_str();
        if !models.contains(&id) {
            models.push(id);
        }
    }
    models
}

fn target(weighted: &WeightedTarget) -> TargetBody<'_> {
    let WeightedTarget { target, weight } = weighted;
    TargetBody {
        model: target.model.id.as_str(),
        region: target.region.as_ref().map(Region::as_str),
        weight: *weight,
    }
}

/// The options of each task, with the values they take; the default stands first.
pub(super) async fn capabilities(State(api): State<Api>) -> Json<Value> {
    let live = api.0.pipeline.live();
    let catalogue = &live.catalogue;
    let availability = if api.0.readiness.is_ready() { "available" } else { "unavailable" };
    let task = |kind: TaskKind| {
        json!({
            "task": kind.as_str(),
            "path": format!("/v1/{kind}"),
            "availability": availability,
            "default_chain": &*catalogue.task_chain(kind).name,
            "input_quota_tokens": api.0.pipeline.input_quota(kind),
            "options": openapi::options(kind),
            "output_languages": "any BCP 47 tag; without one, the language of the text",
        })
    };
    Json(json!({
        "tasks": TaskKind::ALL.map(task),
        "representations": ["json", "sse", "ndjson", "text"],
        "chains": catalogue.chains.keys().map(|name| &**name).collect::<Vec<_>>(),
        "limits": {
            "max_body_bytes": api.0.settings.max_body_bytes,
            "max_file_bytes": api.0.settings.max_file_bytes,
        },
    }))
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
    ([(CONTENT_TYPE, "application/json")], api.0.openapi_json.clone()).into_response()
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
