//! `POST /v1/measure`: what a request would take, before it is made.
//!
//! The body is that of the task with `task` beside it. No model is asked to write
//! anything. The figures are those by which the task's own route goes.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, id_of};
use super::{Api, intake, representation, submission};
use serde_json::Value;

use crate::domain::FailureCode;
use crate::pipeline::{Live, Measure};
use crate::tasks::{Fields, Wanted};
use crate::telemetry::Dialect;

/// What a request would take.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Measure)]
pub(super) struct MeasureBody<'a> {
    #[schema(example = "measure")]
    pub object: &'a str,
    #[schema(example = "summarize")]
    pub task: &'a str,
    pub chain: &'a str,
    /// The model that is asked first; tokens and costs are its own.
    pub model: &'a str,
    /// What `input_usage` and `input_quota` count.
    #[schema(example = "tokens")]
    pub unit: &'a str,
    /// Of the text.
    pub input_usage: u32,
    /// The most that the task takes.
    pub input_quota: u32,
    /// Whether `input_usage` is the model's own count.
    pub exact: bool,
    /// Where `input_usage` comes from: `estimate`, or `count_tokens` near a limit.
    #[schema(example = "estimate")]
    pub method: &'a str,
    /// Whether the request would be taken.
    pub fits: bool,
    /// The `code` that it would be refused with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refusal: Option<&'a str>,
    /// How the text would be worked on.
    #[schema(example = "single")]
    pub strategy: &'a str,
    /// The parts of the text.
    pub chunks: u32,
    /// Rounds in which the summaries of parts would be merged.
    pub levels: u32,
    /// Without repetitions and fallbacks.
    pub model_calls: u32,
    /// Expected tokens of the answer.
    pub output_tokens: u32,
    /// Of all calls; `null` when a price is not known.
    #[schema(required)]
    pub estimated_cost_usd: Option<f64>,
    /// Without waiting for admission or for busy models.
    pub estimated_time_ms: u64,
}

pub(super) async fn run(State(api): State<Api>, request: Request) -> Response {
    let request_id = id_of(&request);
    match measure(&api, request).await {
        Ok(response) => response,
        Err(error) => {
            if let Some(cause) = &error.cause {
                tracing::info!(request.id = %request_id, error = error.code.as_str(), cause, "measure failed");
            }
            error.response(&request_id)
        }
    }
}

async fn measure(api: &Api, request: Request) -> Result<Response, ApiError> {
    let began = tokio::time::Instant::now();
    let (parts, body) = request.into_parts();
    let mut intake = intake::read(&parts, body, api).await?;
    let stream = intake.stream.take();
    // A body for the task's own route is taken as it is, with what it says about its answer.
    representation::choose(stream.as_deref(), &mut intake.fields, &parts.headers)?;
    let live = api.0.pipeline.live();
    let deadline = submission::deadline(&parts.headers, live.deadlines, Dialect::Json, began.elapsed())?;
    let (mut fields, held, _) = intake.with_text(api, deadline).await?;
    let wanted = wanted(&mut fields, &live);
    let chain = submission::chain_choice(&mut fields, &live.catalogue);
    submission::check_answer_options(&mut fields);
    let Some(wanted) = wanted else {
        // Which other members there may be is not known without the task.
        return Err(ApiError::invalid(fields.into_problems()));
    };
    let task = wanted.read(&mut fields);
    let task = submission::finish(fields, task)?;
    let measure = api.0.pipeline.measure(&live, &task, &chain, deadline).await?;
    drop(held);
    let name = wanted.name();
    Ok(Json(told(name.as_str(), &measure)).into_response())
}

/// The task, which a body for the task's own route does not name.
fn wanted(fields: &mut Fields, live: &Live) -> Option<Wanted> {
    let known = || live.tasks().map(|wanted| format!("`{}`", wanted.name())).collect::<Vec<_>>().join(", ");
    if !fields.contains("task") {
        fields.problem("/task", format!("`task` is missing; send one of {}.", known()));
        return None;
    }
    let named = fields.value("task");
    let name = named.as_ref().and_then(Value::as_str).unwrap_or_default();
    let wanted = live.task(name);
    if wanted.is_none() {
        fields.problem("/task", format!("`task` must be one of {}.", known()));
    }
    if matches!(wanted, Some(Wanted::Refine)) {
        // There, `task` names the task that the result comes from, which changes no size.
        fields.set_default("task", Wanted::Refine.name().as_str());
    }
    wanted
}

fn told<'a>(task: &'a str, measure: &'a Measure) -> MeasureBody<'a> {
    let forecast = &measure.forecast;
    MeasureBody {
        object: "measure",
        task,
        chain: &measure.chain,
        model: measure.model.as_str(),
        unit: "tokens",
        input_usage: forecast.input_tokens,
        input_quota: measure.quota,
        exact: measure.exact,
        method: if measure.exact { "count_tokens" } else { "estimate" },
        fits: measure.excess.is_none(),
        refusal: measure.excess.as_ref().map(|_| FailureCode::InputTooLarge.as_str()),
        strategy: forecast.strategy.as_str(),
        chunks: forecast.chunks,
        levels: forecast.levels,
        model_calls: forecast.model_calls,
        output_tokens: forecast.output_tokens,
        estimated_cost_usd: forecast.cost.map(|cost| cost.usd()),
        estimated_time_ms: u64::try_from(forecast.time.as_millis()).unwrap_or(u64::MAX),
    }
}
