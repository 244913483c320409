//! `POST /v1/{task}`: parse, admit, run, and fold the run into the dialect asked for.
//!
//! Dropping the handler or the body at any point drops the run, and with it the
//! call upstream. Whatever fails before the run starts is an HTTP status.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::body_buffers::HeldBytes;
use super::error::{ApiError, id_of};
use super::submission::{self, Submission};
use super::{Api, dialect, whole};
use crate::domain::{FailureCode, GenerationId, RequestId, TaskName, Tenant};
use crate::pipeline::Run;
use crate::tasks::{Generator, Wanted};
use crate::telemetry::{Api as ApiFamily, Dialect, RequestRecord};

/// What an answer says about the request it belongs to.
#[derive(Debug, Clone)]
pub(super) struct AnswerContext {
    pub generation_id: GenerationId,
    pub request_id: RequestId,
    pub task: TaskName,
    /// What the answer is, such as `summary`.
    pub object: &'static str,
    pub format: &'static str,
    /// Unix time in seconds.
    pub created: u64,
    pub include_text: bool,
    /// The memory of a long document, which counts until its request has ended.
    pub _held: Option<Arc<HeldBytes>>,
}

/// A document of more bytes counts as memory that is held until its request has ended;
/// the memory of smaller ones is bounded by how many requests run.
const LONG_DOCUMENT_BYTES: usize = 1 << 20;

pub(super) async fn run(wanted: Wanted, State(api): State<Api>, request: Request) -> Response {
    let request_id = id_of(&request);
    let mut record = RequestRecord::start(&api.0.metrics, wanted.name(), ApiFamily::V1, &request_id);
    record.set_tenant(tenant(&request, &api));
    let submission = match submission::read(wanted, &api, request, &mut record).await {
        Ok(submission) => submission,
        Err(error) => return refuse(record, &error, &request_id),
    };
    let (dialect, can_be_cut) = (submission.dialect, submission.can_be_cut);
    let (run, context) = match start(&api, submission, record, request_id.clone()).await {
        Ok(started) => started,
        Err((record, error)) => return refuse(record, &error, &request_id),
    };
    match dialect {
        Dialect::Json => whole::answer(run, &context).await,
        Dialect::Sse => dialect::sse(run, context, api.0.settings.heartbeat, &api.0.metrics),
        Dialect::Ndjson => dialect::ndjson(run, context, &api.0.metrics),
        Dialect::Text if can_be_cut => dialect::text(run, context, &api.0.metrics).await,
        Dialect::Text => whole::text(run, &context).await,
        Dialect::Ui => dialect::ui(run, context, api.0.settings.heartbeat, &api.0.metrics),
        // It has a path of its own, and no word of `stream` asks for it.
        Dialect::OpenAi => ApiError::new(FailureCode::Internal).response(&request_id),
    }
}

pub(super) async fn blog_post(api: State<Api>, request: Request) -> Response {
    run(Wanted::Generate(Generator::BlogPost), api, request).await
}

pub(super) async fn product_description(api: State<Api>, request: Request) -> Response {
    run(Wanted::Generate(Generator::ProductDescription), api, request).await
}

pub(super) async fn social_posts(api: State<Api>, request: Request) -> Response {
    run(Wanted::Generate(Generator::SocialPosts), api, request).await
}

/// Plans the request, waits for its turn and starts it.
pub(super) async fn start(
    api: &Api,
    submission: Submission,
    mut record: RequestRecord,
    request_id: RequestId,
) -> Result<(Run, AnswerContext), (RequestRecord, ApiError)> {
    let Submission { task, chain, deadline, live, manners, warnings, include_text, held, .. } = submission;
    let plan = match api.0.pipeline.plan(&live, &task, &chain, deadline).await {
        Ok(plan) => plan,
        Err(error) => return Err((record, error.into())),
    };
    let permit = match api.0.pipeline.admit(&task.name(), deadline).await {
        Ok(permit) => permit,
        Err(error) => return Err((record, error.into())),
    };
    // From here on admission bounds the memory of ordinary documents.
    let held = (task.text_bytes() > LONG_DOCUMENT_BYTES).then(|| Arc::new(held));
    let context = AnswerContext {
        generation_id: GenerationId::generate(),
        request_id,
        task: task.name(),
        object: task.object(),
        format: task.format(),
        created: unix_seconds(),
        include_text,
        _held: held,
    };
    record.served.generation = Some(context.generation_id.as_str().to_owned());
    Ok((api.0.pipeline.run(plan, permit, manners, warnings, deadline, record), context))
}

/// Who the request is made for, where a header is believed about it.
pub(super) fn tenant(request: &Request, api: &Api) -> Option<Tenant> {
    let header = api.0.settings.tenant_header.as_deref()?;
    Tenant::of(&String::from_utf8_lossy(request.headers().get(header)?.as_bytes()))
}

/// Ends the record and answers with the problem.
pub(super) fn refuse(record: RequestRecord, error: &ApiError, request_id: &RequestId) -> Response {
    end(record, error);
    error.response(request_id)
}

/// Ends the record of a request that never ran.
pub(super) fn end(record: RequestRecord, error: &ApiError) {
    record.failed(error.code, error.cause.as_deref());
}

fn unix_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs())
}
