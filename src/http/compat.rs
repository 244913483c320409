//! `POST /api/{task}`: the same tasks for clients of an older interface.
//!
//! Small bodies in, small bodies out, errors as one friendly sentence. Status
//! codes, limits and metrics are those of `/v1`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::error::{ACCEPT_POST, ApiError, id_of};
use super::submission::{self, Submission};
use super::{Api, body, task_routes, whole};
use crate::domain::{RequestId, TaskKind};
use crate::pipeline::{ChainChoice, Manners, Mode, OnChunkError, OnFailover, Preference};
use crate::tasks::{Fields, Task, Wanted};
use crate::telemetry::{Api as ApiFamily, Dialect, RequestRecord};

/// What `max_length` is when the request does not say; it counts paragraphs.
const USUAL_PARAGRAPHS: u32 = 2;

pub(super) async fn run(kind: TaskKind, State(api): State<Api>, request: Request) -> Response {
    let request_id = id_of(&request);
    let mut record = RequestRecord::start(&api.0.metrics, kind, ApiFamily::Compat, &request_id);
    record.set_tenant(task_routes::tenant(&request, &api));
    let outcome = match read(kind, &api, request, &mut record).await {
        Ok(submission) => answer(kind, &api, submission, record, request_id).await,
        Err(error) => {
            task_routes::end(record, &error);
            Err(error)
        }
    };
    let mut response = match outcome {
        Ok(body) => Json(body).into_response(),
        Err(error) => {
            let mut response = error.with_headers(Json(json!({ "error": sentence(&error) })));
            // These paths take no files.
            if let Some(types) = response.headers_mut().get_mut(ACCEPT_POST) {
                *types = HeaderValue::from_static("application/json");
            }
            response
        }
    };
    response.headers_mut().insert(LINK, successor(kind));
    response
}

async fn read(
    kind: TaskKind,
    api: &Api,
    request: Request,
    record: &mut RequestRecord,
) -> Result<Submission, ApiError> {
    let (parts, body) = request.into_parts();
    let (members, held) = body::read_object(&parts.headers, body, api).await?;
    let mut fields = Fields::new(members);
    record.body_arrived();
    if kind == TaskKind::Summarize {
        fields.rename("max_length", "paragraphs");
        fields.set_default("paragraphs", USUAL_PARAGRAPHS);
    }
    let live = api.0.pipeline.live();
    let deadline = submission::deadline(&parts.headers, live.deadlines, Dialect::Json, record.elapsed())?;
    let detail = "This path answers with one text; for several suggestions (`n`) ask `/v1/rephrase`.";
    submission::refuse_several(&Wanted::OnText(kind), &mut fields, detail);
    let task = Task::read(kind, &mut fields);
    let task = submission::finish(fields, task)?;
    record.set_input_bytes(task.text_bytes());
    let chain = ChainChoice::Preferred(Preference::Auto);
    Ok(Submission {
        task,
        chain,
        dialect: Dialect::Json,
        deadline,
        live,
        manners: Manners {
            mode: Mode::Whole,
            on_failover: OnFailover::Restart,
            on_chunk_error: OnChunkError::Fail,
            tell_partials: false,
        },
        warnings: Vec::new(),
        can_be_cut: true,
        include_text: false,
        held,
    })
}

async fn answer(
    kind: TaskKind,
    api: &Api,
    submission: Submission,
    record: RequestRecord,
    request_id: RequestId,
) -> Result<Map<String, Value>, ApiError> {
    let (run, _context) = match task_routes::start(api, submission, record, request_id).await {
        Ok(started) => started,
        Err((record, error)) => {
            task_routes::end(record, &error);
            return Err(error);
        }
    };
    let gathered = whole::gather(run).await?;
    let name = match kind {
        TaskKind::Summarize => "summary",
        TaskKind::Rephrase => "rephrased_text",
        TaskKind::Expand => "expanded_text",
    };
    let latency_seconds = gathered.usage.timing.total.as_secs_f64();
    Ok(Map::from_iter([
        (name.to_owned(), Value::from(gathered.text)),
        ("latency".to_owned(), Value::from(latency_seconds)),
    ]))
}

/// One sentence, or one per problem.
fn sentence(error: &ApiError) -> String {
    if error.problems.is_empty() {
        return error.detail().to_owned();
    }
    error.problems.iter().map(|problem| problem.detail.as_str()).collect::<Vec<_>>().join(" ")
}

fn successor(kind: TaskKind) -> HeaderValue {
    HeaderValue::from_static(match kind {
        TaskKind::Summarize => "</v1/summarize>; rel=\"successor-version\"",
        TaskKind::Rephrase => "</v1/rephrase>; rel=\"successor-version\"",
        TaskKind::Expand => "</v1/expand>; rel=\"successor-version\"",
    })
}
