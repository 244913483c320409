//! A request for a task, fully understood: what to do, how to answer, how long it
//! may take. All problems of the body are reported at once.

use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderMap;

use super::error::ApiError;
use super::{Api, body, query, representation};
use crate::domain::{FailureCode, TaskKind};
use crate::pipeline::{ChainChoice, Deadline, Preference};
use crate::tasks::{Fields, Task, Vocabulary};
use crate::telemetry::{Dialect, RequestRecord};

/// A request that can be handed to the pipeline.
pub(super) struct Submission {
    pub task: Task,
    pub chain: ChainChoice,
    pub dialect: Dialect,
    pub deadline: Deadline,
    /// Whether `done` repeats the whole text.
    pub include_text: bool,
}

/// The longest chain name that is looked up.
const MAX_CHAIN_CHARS: usize = 64;
/// A shorter time would end before anything could be answered.
const SHORTEST_DEADLINE: Duration = Duration::from_millis(100);
const TIMEOUT_HEADER: &str = "x-request-timeout-ms";

/// Reads a request of the `/v1` family.
pub(super) async fn read(
    kind: TaskKind,
    api: &Api,
    request: Request,
    record: &mut RequestRecord,
) -> Result<Submission, ApiError> {
    let (parts, body) = request.into_parts();
    let stream = query::stream_parameter(&parts.uri)?;
    let mut fields = Fields::new(body::read_object(&parts.headers, body, &api.0.settings).await?);
    let dialect = representation::choose(stream.as_deref(), &mut fields, &parts.headers)?;
    record.set_dialect(dialect);
    let deadline = deadline(&parts.headers, api, dialect)?;
    let chain = chain_choice(&mut fields);
    let include_text = include(&mut fields);
    failover(&mut fields);
    let task = Task::read(kind, &mut fields);
    finish(fields, task, record).map(|task| Submission { task, chain, dialect, deadline, include_text })
}

/// The task, if nothing was wrong anywhere.
pub(super) fn finish(
    fields: Fields,
    task: Option<Task>,
    record: &mut RequestRecord,
) -> Result<Task, ApiError> {
    fields.finish().map_err(ApiError::invalid)?;
    // A task that is missing has left a problem, so this is not reached without one.
    let task = task.ok_or_else(|| ApiError::new(FailureCode::Internal))?;
    record.set_input_bytes(task.document().len());
    Ok(task)
}

/// The time this request has, from its header or from the settings.
pub(super) fn deadline(headers: &HeaderMap, api: &Api, dialect: Dialect) -> Result<Deadline, ApiError> {
    let usual =
        if dialect == Dialect::Json { api.0.settings.json_deadline } else { api.0.settings.stream_deadline };
    let Some(value) = headers.get(TIMEOUT_HEADER) else {
        return Ok(Deadline::after(usual));
    };
    let wished =
        value.to_str().ok().and_then(|text| text.trim().parse::<u64>().ok()).filter(|time| *time > 0);
    let wished = wished.ok_or_else(|| {
        let detail = "The header X-Request-Timeout-Ms must be a whole number of milliseconds, at least 1.";
        ApiError::detailed(FailureCode::MalformedBody, detail)
    })?;
    let time = Duration::from_millis(wished).clamp(SHORTEST_DEADLINE, api.0.settings.longest_deadline);
    Ok(Deadline::after(time))
}

fn chain_choice(fields: &mut Fields) -> ChainChoice {
    let both = fields.contains("chain") && fields.contains("preference");
    let preference = fields.word::<Preference>("preference").unwrap_or_default();
    let chain = fields.string("chain", MAX_CHAIN_CHARS);
    if both {
        fields.problem("/preference", "Send either `chain` or `preference`, not both.");
    }
    chain.map_or(ChainChoice::Preferred(preference), ChainChoice::Named)
}

impl Vocabulary for Preference {
    const NAMES: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("speed", Self::Speed), ("capability", Self::Capability)];
}

fn include(fields: &mut Fields) -> bool {
    let words = fields.strings("include", 8, 32).unwrap_or_default();
    for (index, _) in words.iter().enumerate().filter(|(_, word)| *word != "text") {
        fields.problem(format!("/include/{index}"), "The only thing to include is \"text\".");
    }
    words.iter().any(|word| word == "text")
}

/// What happens when a model breaks off in the middle of a streamed answer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum OnFailover {
    #[default]
    Error,
}

impl Vocabulary for OnFailover {
    const NAMES: &'static [(&'static str, Self)] = &[("error", Self::Error)];
}

/// The only answer so far is the default one; asking for another is a problem.
fn failover(fields: &mut Fields) {
    let OnFailover::Error = fields.word::<OnFailover>("on_failover").unwrap_or_default();
}
