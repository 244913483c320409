//! A run: drives the work and tells what happens, one event at a time.
//!
//! It is a plain state machine without a task or a channel of its own: the next
//! event is computed when it is asked for, so a slow reader slows the models and
//! a reader that leaves ends them. Whatever was used is counted once, at the end
//! or on drop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::admission::Permit;
use super::books::Accounts;
use super::desk::Desk;
use super::event::{ChunkCounts, Done, Event, Failure, Started, Timing, UsageReport, Warning, WarningCode};
use super::kept_parts::Cut;
use super::layout::Layout;
use super::workflow::{Ending, Step, Workflow};
use crate::domain::{CallFailure, FailureCode, ModelId, OnBlock, Passage};
use crate::routing::{FinishReason, Mode, RouteError, ScreeningOptions, Verdict};
use crate::tasks::Part;
use crate::telemetry::{RequestRecord, Strategy};

/// A request at work. Dropping it abandons the work.
pub struct Run {
    desk: Desk,
    workflow: Workflow,
    strategy: Strategy,
    document_cut: Option<Cut>,
    told: VecDeque<Event>,
    /// Taken when the outcome is recorded.
    record: Option<RequestRecord>,
    queue: Duration,
    began: Instant,
    output: Output,
    fell_back: bool,
    /// The guardrail's look at the document, until it has passed.
    screening: Option<BoxFuture<'static, Result<Verdict, RouteError>>>,
    /// Cancelled when the service ends what still runs.
    cut: CancellationToken,
    _permit: Permit,
}

/// What has been told of the answer so far.
#[derive(Default)]
struct Output {
    chars: usize,
    /// Whether a suggestion was told.
    suggested: bool,
    first_at: Option<(Instant, Duration)>,
}

impl Run {
    pub(super) fn new(
        desk: Desk,
        layout: Layout,
        document_cut: Option<Cut>,
        warnings: Vec<Warning>,
        permit: Permit,
        mut record: RequestRecord,
        cut: CancellationToken,
    ) -> Self {
        let strategy = layout.strategy();
        let chunks = u32::try_from(layout.parts().len()).unwrap_or(u32::MAX).max(1);
        let screening = screening(&desk, &layout);
        let mut workflow = Workflow::new(layout, &desk);
        let first = || desk.chain.stages[0].targets[0].target.model.id.clone();
        let model = workflow.first_model().unwrap_or_else(first);
        let started = Started { chain: Arc::clone(&desk.chain.name), model, strategy, chunks };
        record.served.chain = Some(Arc::clone(&desk.chain.name));
        record.served.queue = permit.waited;
        record.served.strategy = Some(strategy);
        record.served.chunks = chunks;
        let told = std::iter::once(Event::Started(started)).chain(warnings.into_iter().map(Event::Warning));
        Self {
            workflow,
            strategy,
            document_cut,
            told: told.collect(),
            record: Some(record),
            queue: permit.waited,
            began: Instant::now(),
            output: Output::default(),
            fell_back: false,
            screening,
            desk,
            cut,
            _permit: permit,
        }
    }

    /// The answer's head has left; the rest follows as a stream.
    pub fn stream_opened(&mut self) {
        if let Some(record) = &mut self.record {
            record.stream_opened();
        }
    }

    /// How long the request waited for admission.
    pub fn waited(&self) -> Duration {
        self.queue
    }

    /// The next event; `None` after `Done` or `Failed`.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.told.pop_front() {
                return Some(event);
            }
            // The record goes with the end.
            self.record.as_ref()?;
            if let Some(screening) = &mut self.screening {
                let looked = unless(&self.cut, screening).await;
                self.screening = None;
                self.screened(looked);
                continue;
            }
            match unless(&self.cut, self.workflow.next(&self.desk)).await {
                Some(Step::Text { text, whole }) => {
                    self.wrote(&text, whole);
                    return Some(Event::Delta(text));
                }
                Some(Step::Tell(event)) => {
                    self.note(&event);
                    return Some(event);
                }
                Some(Step::Finished { model, finish, chunks }) => self.finish(model, finish, chunks),
                Some(Step::Failed(ending)) => self.end_in_failure(ending),
                None => self.end_in_failure(Ending::of(FailureCode::ShuttingDown, "")),
            }
        }
    }

    /// What follows from the guardrail's look at the document: no model has been called.
    fn screened(&mut self, looked: Option<Result<Verdict, RouteError>>) {
        let on_block = self.desk.guardrail.as_ref().map(|guardrail| guardrail.on_block);
        match looked {
            Some(Ok(Verdict::Passed)) => {}
            Some(Ok(Verdict::Blocked(text)))
                if on_block == Some(OnBlock::Answer) && !text.trim().is_empty() =>
            {
                self.wrote(&text, self.desk.manners.mode == Mode::Whole);
                self.told.push_back(Event::Delta(text));
                let first = self.desk.chain.stages[0].targets[0].target.model.id.clone();
                let parts = self.record.as_ref().map_or(1, |record| record.served.chunks);
                let chunks = ChunkCounts { total: parts, failed: 0, levels: 0 };
                self.finish(first, FinishReason::Guardrail, chunks);
            }
            Some(Ok(Verdict::Blocked(_))) => self.end_in_failure(Ending::of(
                FailureCode::ContentFiltered,
                "the guardrail blocked the text before any model was called",
            )),
            Some(Err(error)) => self.end_in_failure(unscreened(error)),
            None => self.end_in_failure(Ending::of(FailureCode::ShuttingDown, "")),
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Fallback(_) => {
                self.fell_back = true;
                if let Some(record) = &mut self.record {
                    record.served.fallback = true;
                }
            }
            // The first word was told, and when that was stays true.
            Event::Reset(_) => self.output.chars = 0,
            Event::Suggestion(_) => self.output.suggested = true,
            _ => {}
        }
    }

    fn wrote(&mut self, text: &str, whole: bool) {
        self.output.chars += text.chars().count();
        if !whole
            && self.output.first_at.is_none()
            && let Some(record) = &mut self.record
        {
            record.first_token();
            self.output.first_at = Some((Instant::now(), record.elapsed()));
        }
    }

    fn finish(&mut self, model: ModelId, finish: FinishReason, chunks: ChunkCounts) {
        // An answer that was told whole needs nothing of its parts any more.
        drop(self.workflow.end());
        self.told.extend(warning_of(finish).map(Event::Warning));
        if self.desk.books.lock().ledger.cost().is_none() {
            let detail = "The cost of this answer is unknown: a price is missing in the catalogue.".into();
            self.told.push_back(Event::Warning(Warning { code: WarningCode::UnpricedModel, detail }));
        }
        self.told.push_back(Event::Usage(self.usage_report()));
        let (attempts, model_calls) = {
            let accounts = self.desk.books.lock();
            (accounts.attempts.clone(), accounts.calls)
        };
        self.told.push_back(Event::Done(Done {
            finish,
            model,
            fallback: self.fell_back,
            model_calls,
            attempts,
            output_chars: self.output.chars,
            chunks,
        }));
        let levels = self.desk.metrics.document_levels.with_label_values(&[self.desk.task.as_str()]);
        if self.strategy == Strategy::MapReduce {
            levels.observe(f64::from(chunks.levels));
        }
        if let Some(mut record) = self.settle() {
            record.served.chunks_failed = chunks.failed;
            record.succeeded();
        }
    }

    /// Every call that runs is left at once; what the parts have given is kept for a retry.
    fn end_in_failure(&mut self, ending: Ending) {
        let Ending { code, retry_after, cause, detail } = ending;
        // Parts that were too large for a model must not be cut so again.
        let cut = self.document_cut.filter(|_| code != FailureCode::InputTooLarge);
        self.leave_work(cut);
        let partial = self.output.chars > 0 || self.output.suggested;
        if partial || !self.desk.books.lock().ledger.is_empty() {
            self.told.push_back(Event::Usage(self.usage_report()));
        }
        let attempts = self.desk.books.lock().attempts.clone();
        self.told.push_back(Event::Failed(Failure { code, retry_after, detail, partial, attempts }));
        if let Some(record) = self.settle() {
            record.failed(code, (!cause.is_empty()).then_some(&cause));
        }
    }

    fn leave_work(&mut self, cut: Option<Cut>) {
        let kept = self.workflow.end();
        if !kept.is_empty() {
            self.desk.kept.keep(kept, cut, self.desk.live.limits.keep);
        }
    }

    /// Counts what was used and hands the record over to be ended.
    fn settle(&mut self) -> Option<RequestRecord> {
        let mut record = self.record.take()?;
        let (metrics, task) = (&self.desk.metrics, &self.desk.task);
        if self.strategy != Strategy::Single {
            let duration = metrics.workflow_duration.with_label_values(&[self.strategy.as_str()]);
            duration.observe(self.began.elapsed().as_secs_f64());
        }
        metrics.document_chunks.with_label_values(&[task.as_str()]).observe(f64::from(record.served.chunks));
        let upstream = self.upstream();
        let mut accounts = self.desk.books.lock();
        accounts.ledger.count(metrics, task);
        let served = &mut record.served;
        served.attempts = accounts.calls + accounts.left;
        served.model = accounts.last_model.take();
        served.usage = accounts.ledger.usage();
        served.usage_estimated = accounts.ledger.estimated();
        served.cost = (!accounts.ledger.is_empty()).then(|| accounts.ledger.cost()).flatten();
        served.upstream = upstream;
        drop(accounts);
        Some(record)
    }

    /// The time that models took. Of parts that are worked on side by side, it is the time
    /// in which some of them were.
    fn upstream(&self) -> Duration {
        match self.strategy {
            Strategy::Single => self.desk.books.lock().upstream,
            Strategy::MapReduce | Strategy::MapConcat | Strategy::Refine | Strategy::Several => {
                self.began.elapsed()
            }
        }
    }

    fn is_timed_as_a_whole(&self, accounts: &Accounts) -> bool {
        let answers = accounts.attempts.iter().filter(|attempt| attempt.failure.is_none()).count();
        match self.strategy {
            Strategy::Several => true,
            Strategy::Single => answers > 1 || self.desk.manners.mode == Mode::Pieces,
            Strategy::MapReduce | Strategy::MapConcat | Strategy::Refine => false,
        }
    }

    fn usage_report(&self) -> UsageReport {
        let timing = self.timing();
        let accounts = self.desk.books.lock();
        UsageReport {
            usage: accounts.ledger.usage(),
            model_calls: accounts.calls,
            cost: accounts.ledger.cost(),
            estimated: accounts.ledger.estimated(),
            by_model: accounts.ledger.by_model(),
            timing,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^52")]
    fn timing(&self) -> Timing {
        let upstream = self.upstream();
        let accounts = self.desk.books.lock();
        let total = self.record.as_ref().map(RequestRecord::elapsed).unwrap_or_default();
        let (time_to_first_token, generation) = match self.output.first_at {
            Some((first, after)) => (Some(after), Some(first.elapsed())),
            // Suggestions are written side by side, and their tokens are told together; so are
            // those of an answer that was held, or asked for twice.
            None if self.is_timed_as_a_whole(&accounts) => (None, Some(upstream)),
            None => (None, accounts.last_call),
        };
        let seconds = generation.map_or(0.0, |time| time.as_secs_f64());
        let tokens = accounts.ledger.usage().output_tokens as f64;
        let tokens_per_second = (seconds > 0.001 && tokens > 0.0).then(|| tokens / seconds);
        let upload = self.record.as_ref().map(RequestRecord::upload).unwrap_or_default();
        Timing {
            queue: self.queue,
            time_to_first_token,
            generation,
            total,
            tokens_per_second,
            upstream,
            overhead: total.saturating_sub(upstream + self.queue + upload),
        }
    }
}

impl Drop for Run {
    /// The client went away.
    fn drop(&mut self) {
        if self.record.is_some() {
            self.leave_work(self.document_cut);
            if let Some(record) = self.settle() {
                record.abandoned();
            }
        }
    }
}

/// The end of a request whose document the guardrail could not look at. A guardrail that
/// is not there, or may not be asked, is no fault of the caller's: an operator has to act.
fn unscreened(error: RouteError) -> Ending {
    let set_up = matches!(
        error.failure,
        CallFailure::ModelGone
            | CallFailure::AccessDenied
            | CallFailure::ParameterRejected
            | CallFailure::RequestRejected
    );
    let ending = Ending::from(error);
    let code = if set_up { FailureCode::UpstreamAuth } else { ending.code };
    let detail = "The service could not check the text against its content policy.";
    Ending { code, detail: Some(detail.into()), ..ending }
}

/// The guardrail's look before any model is called: at a document that is worked on in parts,
/// so that a blocked one costs no model call, and at answers that came back by way of the
/// caller, which stand in turns that no guardrail looks at. Everything else of a document
/// that goes out whole is looked at by the call that takes it.
fn screening(desk: &Desk, layout: &Layout) -> Option<BoxFuture<'static, Result<Verdict, RouteError>>> {
    let guardrail = desk.guardrail.as_ref()?;
    let text = match layout {
        Layout::Single(call) => call.request.prompt.answers_so_far()?,
        Layout::Several { .. } | Layout::Checked { .. } => return None,
        Layout::Joined { .. } | Layout::Reduced { .. } | Layout::Refined { .. } => whole(layout.parts())?,
    };
    let options = ScreeningOptions {
        guardrail: Arc::clone(guardrail),
        region: desk.chain.stages[0].targets[0].target.region.clone(),
        text,
        policy: Arc::clone(&desk.live.routing),
        deadline: desk.deadline,
    };
    Some(Box::pin(Arc::clone(&desk.router).screen(options)))
}

/// The text that parts were cut from; `None` where there are none.
fn whole(parts: &[Part]) -> Option<Passage> {
    let (first, last) = (parts.first()?, parts.last()?);
    Some(first.text.through(&last.text))
}

/// What comes of the work; `None` when the service is cut before it is done. The work
/// is asked first, so a delta that is ready costs nothing more.
async fn unless<T>(cut: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = cut.cancelled() => None,
    }
}

fn warning_of(finish: FinishReason) -> Option<Warning> {
    let detail = match finish {
        FinishReason::Stop | FinishReason::Other => return None,
        FinishReason::Length => "The answer reached its length limit and is cut short.".into(),
        FinishReason::ContentFilter => "The model's provider cut the answer short.".into(),
        FinishReason::Guardrail => {
            let detail =
                "The content policy stopped the request or its answer: these are its own words.".into();
            return Some(Warning { code: WarningCode::GuardrailIntervened, detail });
        }
    };
    Some(Warning { code: WarningCode::Truncated, detail })
}
