//! `POST /v1/chat/completions`: the tasks for clients of OpenAI's.
//!
//! A task is a model here, the user's message is what it works on. `chat/request.rs` reads
//! the body, `chat/members.rs` knows OpenAI's own members, `chat/wire.rs` has the shapes;
//! planning, limits and models are those of the task's own path.

mod members;
mod request;
pub(super) mod wire;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use tokio::time::Instant;

use super::error::{ApiError, X_SHOULD_RETRY, id_of};
use super::task_routes::AnswerContext;
use super::{Api, dialect, task_routes, whole};
use crate::domain::{FailureCode, RequestId, Tenant};
use crate::pipeline::Run;
use crate::tasks::FieldProblem;
use crate::telemetry::{Api as ApiFamily, Dialect, RequestRecord};
use wire::{ChatUsageBody, ChoiceBody, CompletionBody, MessageBody, ServedBody, finish_reason};

pub(super) use members::{MEMBERS, Rule};
pub(super) use request::MODEL_PREFIX;

/// What an answer repeats of its request, and how it tells the usage.
#[derive(Debug, Clone)]
pub(super) struct ChatShape {
    /// As the request named it.
    pub model: String,
    /// Whether a stream ends with a chunk that tells the usage.
    pub include_usage: bool,
}

/// How often OpenAI's clients have sent this request before.
const RETRY_COUNT: &str = "x-stainless-retry-count";

pub(super) async fn run(State(api): State<Api>, request: Request) -> Response {
    let began = Instant::now();
    let request_id = id_of(&request);
    let tenant = task_routes::tenant(&request, &api);
    let tried_again = has_tried_again(request.headers());
    let mut response = answer(&api, request, began, &request_id, tenant).await;
    // These clients try again by themselves, twice. The service has asked every model of the
    // chain each time, so once is enough.
    if tried_again && let Some(advice) = response.headers_mut().get_mut(X_SHOULD_RETRY) {
        *advice = HeaderValue::from_static("false");
    }
    response
}

async fn answer(
    api: &Api,
    request: Request,
    began: Instant,
    request_id: &RequestId,
    tenant: Option<Tenant>,
) -> Response {
    let (parts, body) = request.into_parts();
    // Until the task is known, there is nothing that a failure could be counted for.
    let asked = match request::open(&parts, body, api).await {
        Ok(asked) => asked,
        Err(error) => return error.response(request_id),
    };
    let (metrics, heartbeat) = (&api.0.metrics, api.0.settings.heartbeat);
    let mut record =
        RequestRecord::started_at(began, metrics, asked.task.name(), ApiFamily::OpenAi, request_id);
    record.body_arrived();
    record.set_tenant(tenant);
    let (submission, shape) = match request::read(asked, &parts.headers, &mut record) {
        Ok(read) => read,
        Err(error) => return task_routes::refuse(record, &error, request_id),
    };
    let streamed = submission.dialect == Dialect::OpenAi;
    match task_routes::start(api, submission, record, request_id.clone()).await {
        Err((record, error)) => task_routes::refuse(record, &error, request_id),
        Ok((run, context)) if streamed => dialect::openai(run, context, shape, heartbeat, metrics).await,
        Ok((run, context)) => completion(run, &context, &shape).await,
    }
}

fn has_tried_again(headers: &HeaderMap) -> bool {
    let count = headers.get(RETRY_COUNT).and_then(|value| value.to_str().ok());
    count.and_then(|count| count.trim().parse::<u32>().ok()).is_some_and(|count| count > 0)
}

/// The whole answer.
async fn completion(run: Run, context: &AnswerContext, shape: &ChatShape) -> Response {
    let gathered = match whole::gather(run).await {
        Ok(gathered) => gathered,
        Err(error) => return error.response(&context.request_id),
    };
    let whole::Gathered { text, chain, strategy, warnings, usage, done, .. } = &gathered;
    let message = MessageBody { role: "assistant", content: text, refusal: None };
    let body = CompletionBody {
        id: context.generation_id.as_str(),
        object: "chat.completion",
        created: context.created,
        model: &shape.model,
        choices: [ChoiceBody {
            index: 0,
            message,
            logprobs: None,
            finish_reason: finish_reason(done.finish),
        }],
        usage: ChatUsageBody::from(usage),
        redraft: ServedBody::new(chain, strategy.as_str(), warnings, usage, done),
    };
    let body = serde_json::to_vec(&body).expect("strings and numbers always serialize");
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    whole::tell_served(headers, &gathered, context);
    response
}

/// The error of a request for a model that there is not.
fn model_not_found(detail: String) -> ApiError {
    let problem = FieldProblem { pointer: "/model".to_owned(), detail: detail.clone() };
    ApiError { problems: vec![problem], ..ApiError::detailed(FailureCode::ModelNotFound, detail) }
}
