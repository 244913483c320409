//! The ways to work on a document: at once, once or several times side by side; or in
//! parts that are joined, merged or gone through one after the other.
//!
//! Owns the choice between them at run time and the words that they all use. Each way
//! is a file of its own below. The rule it protects: whatever the way, the texts of
//! the steps together are the answer.

mod checked;
mod joined;
mod reduced;
mod refined;
mod several;

use std::borrow::Cow;
use std::time::Duration;

use super::desk::Desk;
use super::event::{ChunkCounts, Event, FallbackReport, OnChunkError, Stage, Warning, WarningCode};
use super::kept_parts::KeptPart;
use super::layout::Layout;
use super::work::{Work, WorkEvent};
use crate::domain::{FailureCode, ModelId};
use crate::routing::{Fallback, FinishReason, RouteError};
use crate::telemetry::CallStage;
use checked::CheckedRun;
use joined::JoinedRun;
use reduced::ReducedRun;
use refined::RefinedRun;
use several::SeveralRun;

/// One step of the work.
pub(super) enum Step {
    /// A piece of the answer; `whole` says that it came at once.
    Text {
        text: String,
        whole: bool,
    },
    Tell(Event),
    Finished {
        model: ModelId,
        finish: FinishReason,
        chunks: ChunkCounts,
    },
    Failed(Ending),
}

/// Why the work failed.
#[derive(Debug)]
pub(super) struct Ending {
    pub code: FailureCode,
    pub retry_after: Option<Duration>,
    /// For the operator.
    pub cause: String,
    /// For the caller, where more is known than the code says.
    pub detail: Option<Cow<'static, str>>,
}

impl Ending {
    /// An end of which nothing more is known.
    pub(super) fn of(code: FailureCode, cause: &str) -> Self {
        Self { code, retry_after: None, cause: cause.to_owned(), detail: None }
    }
}

impl From<RouteError> for Ending {
    fn from(error: RouteError) -> Self {
        let cause = error.to_string();
        Self { code: error.failure.code(), retry_after: error.retry_after, cause, detail: None }
    }
}

/// The work on a document.
pub(super) enum Workflow {
    Single(Box<Work>),
    Checked(Box<CheckedRun>),
    Joined(Box<JoinedRun>),
    Reduced(Box<ReducedRun>),
    Refined(Box<RefinedRun>),
    Several(Box<SeveralRun>),
    /// Nothing is left to do.
    Over,
}

impl Workflow {
    /// The work that was laid out; no model is called yet.
    pub(super) fn new(layout: Layout, desk: &Desk) -> Self {
        match layout {
            Layout::Single(call) => Self::Single(Box::new(desk.answer(call, CallStage::Single))),
            Layout::Checked { task, call } => Self::Checked(Box::new(CheckedRun::new(task, call, desk))),
            Layout::Joined { task, parts } => Self::Joined(Box::new(JoinedRun::new(task, parts, desk))),
            Layout::Reduced { task, parts, room } => {
                Self::Reduced(Box::new(ReducedRun::new(task, parts, room, desk)))
            }
            Layout::Refined { task, parts } => Self::Refined(Box::new(RefinedRun::new(task, parts))),
            Layout::Several { task, first } => {
                Self::Several(Box::new(SeveralRun::new(task, first.request.output, desk)))
            }
        }
    }

    /// The next step; none comes after `Finished` or `Failed`.
    pub(super) async fn next(&mut self, desk: &Desk) -> Step {
        match self {
            Self::Single(work) => single(work.next().await),
            Self::Checked(run) => run.next(desk).await,
            Self::Joined(run) => run.next(desk).await,
            Self::Reduced(run) => run.next(desk).await,
            Self::Refined(run) => run.next(desk).await,
            Self::Several(run) => run.next(desk).await,
            Self::Over => std::future::pending().await,
        }
    }

    /// The model that is asked first, where that is known before any part has begun.
    pub(super) fn first_model(&mut self) -> Option<ModelId> {
        match self {
            Self::Single(work) => work.first_model(),
            Self::Checked(run) => run.first_model(),
            Self::Joined(_) | Self::Reduced(_) | Self::Refined(_) | Self::Several(_) | Self::Over => None,
        }
    }

    /// Ends the work: every call that runs is left at once. What parts have given stays.
    pub(super) fn end(&mut self) -> Vec<KeptPart> {
        match std::mem::replace(self, Self::Over) {
            Self::Single(_) | Self::Checked(_) | Self::Several(_) | Self::Over => Vec::new(),
            Self::Joined(run) => run.into_kept(),
            Self::Reduced(run) => run.into_kept(),
            Self::Refined(run) => run.into_kept(),
        }
    }
}

fn single(event: WorkEvent) -> Step {
    match event {
        WorkEvent::FellBack(fallback) => Step::Tell(fell_back(fallback, Stage::Final, None)),
        WorkEvent::Text { text, whole } => Step::Text { text, whole },
        WorkEvent::Reset(reset) => Step::Tell(Event::Reset(reset)),
        WorkEvent::Ended { model, finish } => {
            Step::Finished { model, finish, chunks: ChunkCounts { total: 1, failed: 0, levels: 0 } }
        }
        WorkEvent::Failed(error) => Step::Failed(error.into()),
    }
}

fn fell_back(fallback: Fallback, stage: Stage, chunk: Option<usize>) -> Event {
    let chunk = chunk.map(|index| u32::try_from(index).unwrap_or(u32::MAX));
    Event::Fallback(FallbackReport { fallback, stage, chunk })
}

/// Whether the work goes on without a part that failed so. When the request's own time
/// is over, nothing goes on, and what a guardrail blocked is not left out of an answer as
/// if it had never been asked for.
fn goes_on_without(error: &RouteError, desk: &Desk) -> bool {
    let ends_all =
        matches!(error.failure.code(), FailureCode::DeadlineExceeded | FailureCode::ContentFiltered);
    desk.manners.on_chunk_error == OnChunkError::Skip && !ends_all
}

/// The end of a run whose part failed; `place` as [`place_of`] says it.
fn failed_in(error: RouteError, place: &str) -> Ending {
    let ending = Ending::from(error);
    let cause = format!("{place}: {}", ending.cause);
    let detail = Some(format!("{place} of the text could not be worked on.").into());
    Ending { cause, detail, ..ending }
}

/// Where parts stand: "Part 3 of 12", or "Parts 3 to 9 of 12".
fn place_of(numbers: &[u32], total: u32) -> String {
    match numbers {
        [first, .., last] => format!("Parts {first} to {last} of {total}"),
        [only] => format!("Part {only} of {total}"),
        [] => format!("Nothing of {total}"),
    }
}

/// What is said of a part whose answer ended early.
fn cut_short(place: &str) -> Warning {
    let detail = format!("What was written about {} is cut short.", place.to_lowercase());
    Warning { code: WarningCode::Truncated, detail: detail.into() }
}

/// What is told behind an answer of which parts are missing.
fn gap(missing: &[u32], total: u32) -> String {
    let numbers: Vec<String> = missing.iter().map(u32::to_string).collect();
    let parts = if numbers.len() == 1 { "part" } else { "parts" };
    format!("\n\n[Not covered: {parts} {} of {total}.]", numbers.join(", "))
}

/// What is said of an answer that one of several calls had to end early: the worst of all.
fn worse(one: FinishReason, other: FinishReason) -> FinishReason {
    let badness = |finish: FinishReason| match finish {
        FinishReason::Stop => 0,
        FinishReason::Other => 1,
        FinishReason::Length => 2,
        FinishReason::ContentFilter => 3,
        FinishReason::Guardrail => 4,
    };
    if badness(other) > badness(one) { other } else { one }
}
