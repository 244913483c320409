//! A request for a task, fully understood: what to do, how to answer, how long it
//! may take. All problems of the body are reported at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, Version};

use super::body_buffers::HeldBytes;
use super::error::{ApiError, unknown_chain};
use super::{Api, body, query, representation};
use crate::domain::{FailureCode, TaskKind};
use crate::pipeline::{Catalogue, ChainChoice, Deadline, Deadlines, Live, OnFailover, Preference};
use crate::tasks::{Fields, Task, Vocabulary};
use crate::telemetry::{Dialect, RequestRecord};

/// A request that can be handed to the pipeline.
pub(super) struct Submission {
    pub task: Task,
    pub chain: ChainChoice,
    pub dialect: Dialect,
    pub deadline: Deadline,
    /// What it goes by to its end, whatever changes in the meantime.
    pub live: Arc<Live>,
    pub on_failover: OnFailover,
    /// HTTP/1.0 has no way to tell a cut body from a whole one.
    pub can_be_cut: bool,
    /// Whether `done` repeats the whole text.
    pub include_text: bool,
    /// The body's share of the memory for requests that do not run yet.
    pub held: HeldBytes,
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
    let can_be_cut = parts.version != Version::HTTP_10;
    let stream = query::stream_parameter(&parts.uri)?;
    let (members, held) = body::read_object(&parts.headers, body, api).await?;
    let mut fields = Fields::new(members);
    record.body_arrived();
    let dialect = representation::choose(stream.as_deref(), &mut fields, &parts.headers)?;
    record.set_dialect(dialect);
    let live = api.0.pipeline.live();
    let deadline = deadline(&parts.headers, live.deadlines, dialect, record)?;
    let chain = chain_choice(&mut fields, &live.catalogue);
    let include_text = include(&mut fields);
    let on_failover = on_failover(&mut fields, dialect, can_be_cut);
    let task = Task::read(kind, &mut fields);
    let task = finish(fields, task, record)?;
    Ok(Submission { task, chain, dialect, deadline, live, on_failover, can_be_cut, include_text, held })
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
pub(super) fn deadline(
    headers: &HeaderMap,
    deadlines: Deadlines,
    dialect: Dialect,
    record: &RequestRecord,
) -> Result<Deadline, ApiError> {
    let usual = if dialect == Dialect::Json { deadlines.json } else { deadlines.stream };
    let Some(value) = headers.get(TIMEOUT_HEADER) else {
        return Ok(from_the_start(usual, record));
    };
    let digits =
        value.to_str().ok().map(str::trim).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    // More digits than a number can hold is more than the longest time, too.
    let wished = digits.filter(|text| !text.is_empty()).map(|text| text.parse().unwrap_or(u64::MAX));
    let wished = wished.filter(|time| *time > 0).ok_or_else(|| {
        let detail = "The header X-Request-Timeout-Ms must be a whole number of milliseconds, at least 1.";
        ApiError::detailed(FailureCode::MalformedBody, detail)
    })?;
    let time = Duration::from_millis(wished).clamp(SHORTEST_DEADLINE, deadlines.longest);
    Ok(from_the_start(time, record))
}

/// The time runs from the request's head on: a slow upload is the request's own time.
fn from_the_start(time: Duration, record: &RequestRecord) -> Deadline {
    Deadline::after(time.saturating_sub(record.elapsed()))
}

fn chain_choice(fields: &mut Fields, catalogue: &Catalogue) -> ChainChoice {
    let both = fields.contains("chain") && fields.contains("preference");
    let preference = fields.word::<Preference>("preference").unwrap_or_default();
    let chain = fields.string("chain", MAX_CHAIN_CHARS);
    if both {
        fields.problem("/preference", "Send either `chain` or `preference`, not both.");
    }
    if let Some(name) = &chain
        && catalogue.chain(name).is_none()
    {
        let problem = unknown_chain(catalogue.chains.keys().map(|name| &**name));
        fields.problem(problem.pointer, problem.detail);
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

impl Vocabulary for OnFailover {
    const NAMES: &'static [(&'static str, Self)] = &[("error", Self::Error), ("restart", Self::Restart)];
}

/// What a break in mid-stream leads to. As long as nothing has left, starting over
/// costs the caller nothing; plain text that has left cannot be taken back.
fn on_failover(fields: &mut Fields, dialect: Dialect, can_be_cut: bool) -> OnFailover {
    let asked = fields.word::<OnFailover>("on_failover").unwrap_or_default();
    let told_at_the_end = dialect == Dialect::Json || (dialect == Dialect::Text && !can_be_cut);
    match (dialect, asked) {
        _ if told_at_the_end => OnFailover::Restart,
        (Dialect::Text, OnFailover::Restart) => {
            let detail =
                "Plain text that was sent cannot be taken back. Ask for `sse` or `ndjson`, or for `error`.";
            fields.problem("/on_failover", detail);
            asked
        }
        _ => asked,
    }
}
