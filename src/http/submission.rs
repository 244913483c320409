//! A request for a task, fully understood: what to do, how to answer, how long it
//! may take. All problems of the body are reported at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, Version};

use super::body_buffers::HeldBytes;
use super::error::{ApiError, unknown_chain};
use super::{Api, intake, own_tasks, representation};
use crate::domain::{FailureCode, TaskKind};
use crate::pipeline::{
    Catalogue, ChainChoice, Deadline, Deadlines, Live, Manners, Mode, OnChunkError, OnFailover, Preference,
    Warning,
};
use crate::tasks::{Fields, Task, Vocabulary, Wanted};
use crate::telemetry::{Dialect, RequestRecord};

/// A request that can be handed to the pipeline.
pub(super) struct Submission {
    pub task: Task,
    pub chain: ChainChoice,
    pub dialect: Dialect,
    pub deadline: Deadline,
    /// What it goes by to its end, whatever changes in the meantime.
    pub live: Arc<Live>,
    pub manners: Manners,
    /// What the caller should know about the document that was read.
    pub warnings: Vec<Warning>,
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
    wanted: Wanted,
    api: &Api,
    request: Request,
    record: &mut RequestRecord,
) -> Result<Submission, ApiError> {
    let (parts, body) = request.into_parts();
    let can_be_cut = parts.version != Version::HTTP_10;
    let mut intake = match wanted.takes_files() {
        true => intake::read(&parts, body, api).await?,
        false => intake::read_json(&parts, body, api).await?,
    };
    record.body_arrived();
    let stream = intake.stream.take();
    let dialect = representation::choose(stream.as_deref(), &mut intake.fields, &parts.headers)?;
    record.set_dialect(dialect);
    let live = api.0.pipeline.live();
    let wanted = own_tasks::current(wanted, &live)?;
    let deadline = deadline(&parts.headers, live.deadlines, dialect, record.elapsed())?;
    let (mut fields, held, warnings) = intake.with_text(api, deadline).await?;
    let chain = chain_choice(&mut fields, &live.catalogue);
    let Included { text: include_text, partials: tell_partials } = include(&mut fields);
    let manners = Manners {
        mode: if dialect == Dialect::Json { Mode::Whole } else { Mode::Pieces },
        on_failover: on_failover(&mut fields, dialect, can_be_cut),
        on_chunk_error: fields.word("on_chunk_error").unwrap_or_default(),
        tell_partials,
    };
    if dialect == Dialect::Text {
        refuse_several(
            &wanted,
            &mut fields,
            "Plain text cannot hold several suggestions. Ask for `json`, `sse`, `ndjson` or `ui`, or leave `n` out.",
        );
    }
    let task = wanted.read(&mut fields);
    let task = finish(fields, task)?;
    record.set_input_bytes(task.text_bytes());
    Ok(Submission { task, chain, dialect, deadline, live, manners, warnings, can_be_cut, include_text, held })
}

/// Records that there is no place for several suggestions in the answer.
pub(super) fn refuse_several(wanted: &Wanted, fields: &mut Fields, detail: &'static str) {
    // Other tasks do not know `n` at all, and say so.
    if matches!(wanted, Wanted::OnText(TaskKind::Rephrase)) && fields.wants_several() {
        fields.problem("/n", detail);
    }
}

/// The task, if nothing was wrong anywhere.
pub(super) fn finish(fields: Fields, task: Option<Task>) -> Result<Task, ApiError> {
    fields.finish().map_err(ApiError::invalid)?;
    // A task that is missing has left a problem, so this is not reached without one.
    task.ok_or_else(|| {
        let cause = Some("a task was missing without a problem".to_owned());
        ApiError { cause, ..ApiError::new(FailureCode::Internal) }
    })
}

/// The time this request has, from its header or from the settings. It runs from the
/// request's head on, which was `elapsed` ago: a slow upload is the request's own time.
pub(super) fn deadline(
    headers: &HeaderMap,
    deadlines: Deadlines,
    dialect: Dialect,
    elapsed: Duration,
) -> Result<Deadline, ApiError> {
    let usual = if dialect == Dialect::Json { deadlines.json } else { deadlines.stream };
    let Some(value) = headers.get(TIMEOUT_HEADER) else {
        return Ok(Deadline::after(usual.saturating_sub(elapsed)));
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
    Ok(Deadline::after(time.saturating_sub(elapsed)))
}

pub(super) fn chain_choice(fields: &mut Fields, catalogue: &Catalogue) -> ChainChoice {
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

/// Reads what a body says about its answer, for whoever makes none: a slip is told all the same.
pub(super) fn check_answer_options(fields: &mut Fields) {
    include(fields);
    fields.word::<OnFailover>("on_failover");
    fields.word::<OnChunkError>("on_chunk_error");
}

/// What the answer is to hold besides the usual.
struct Included {
    text: bool,
    partials: bool,
}

fn include(fields: &mut Fields) -> Included {
    let words = fields.strings("include", 8, 32).unwrap_or_default();
    let known = |word: &str| matches!(word, "text" | "partials");
    for (index, _) in words.iter().enumerate().filter(|(_, word)| !known(word)) {
        fields.problem(format!("/include/{index}"), "What can be included is \"text\" and \"partials\".");
    }
    let asked = |wanted: &str| words.iter().any(|word| word == wanted);
    Included { text: asked("text"), partials: asked("partials") }
}

impl Vocabulary for OnChunkError {
    const NAMES: &'static [(&'static str, Self)] = &[("fail", Self::Fail), ("skip", Self::Skip)];
}

impl Vocabulary for OnFailover {
    const NAMES: &'static [(&'static str, Self)] = &[("error", Self::Error), ("restart", Self::Restart)];
}

/// What a break in mid-stream leads to. As long as nothing has left, starting over
/// costs the caller nothing; what has left can be taken back by native events alone.
pub(super) fn on_failover(fields: &mut Fields, dialect: Dialect, can_be_cut: bool) -> OnFailover {
    let asked = fields.word::<OnFailover>("on_failover").unwrap_or_default();
    let told_at_the_end = dialect == Dialect::Json || (dialect == Dialect::Text && !can_be_cut);
    match (dialect, asked) {
        _ if told_at_the_end => OnFailover::Restart,
        (Dialect::Text | Dialect::Ui, OnFailover::Restart) => {
            let detail =
                "Text that was sent so cannot be taken back. Ask for `sse` or `ndjson`, or for `error`.";
            fields.problem("/on_failover", detail);
            asked
        }
        (Dialect::OpenAi, OnFailover::Restart) => {
            let detail =
                "Chunks that were sent cannot be taken back. Leave `stream` out, or ask for `error`.";
            fields.problem("/on_failover", detail);
            asked
        }
        _ => asked,
    }
}
