//! A run: drives the route and tells what happens, one event at a time.
//!
//! It is a plain state machine without a task or a channel of its own: the next
//! event is computed when it is asked for, so a slow reader slows the model and
//! a reader that leaves ends it. Whatever was used is counted once, at the end
//! or on drop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::admission::Permit;
use super::event::{
    AttemptReport, Done, Event, Failure, OnFailover, Reset, Started, Timing, UsageReport, Warning,
    WarningCode,
};
use super::ledger::Ledger;
use super::plan::Plan;
use crate::chunk::estimate_tokens;
use crate::domain::{FailureCode, ModelId, TokenUsage};
use crate::routing::{Answer, FinishReason, Model, OpenAnswer, Piece, Progress, Route, RouteError, Spent};
use crate::telemetry::{Metrics, RequestRecord};

/// A request at work. Dropping it abandons the work.
pub struct Run {
    plan: Plan,
    route: Route,
    phase: Phase,
    told: VecDeque<Event>,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    /// Taken when the outcome is recorded.
    record: Option<RequestRecord>,
    queue: Duration,
    upstream: Duration,
    attempts_booked: usize,
    output: Output,
    fell_back: bool,
    on_failover: OnFailover,
    /// Cancelled when the service ends what still runs.
    cut: CancellationToken,
    _permit: Permit,
}

enum Phase {
    Routing,
    Writing { model: Arc<Model>, answer: Box<OpenAnswer>, since: Instant },
    Over,
}

/// What has been told of the answer so far.
#[derive(Default)]
struct Output {
    chars: usize,
    estimated_tokens: u32,
    first_at: Option<(Instant, Duration)>,
}

impl Run {
    pub(super) fn new(
        plan: Plan,
        mut route: Route,
        permit: Permit,
        on_failover: OnFailover,
        metrics: Arc<Metrics>,
        mut record: RequestRecord,
        cut: CancellationToken,
    ) -> Self {
        let started = Started {
            chain: Arc::clone(&plan.chain.name),
            model: route.first_model().unwrap_or(&plan.chain.stages[0].targets[0].target.model.id).clone(),
        };
        record.served.chain = Some(Arc::clone(&plan.chain.name));
        record.served.queue = permit.waited;
        Self {
            plan,
            route,
            phase: Phase::Routing,
            told: VecDeque::from([Event::Started(started)]),
            ledger: Ledger::default(),
            metrics,
            record: Some(record),
            queue: permit.waited,
            upstream: Duration::ZERO,
            attempts_booked: 0,
            output: Output::default(),
            fell_back: false,
            on_failover,
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
            match &mut self.phase {
                Phase::Over => return None,
                Phase::Routing => {
                    let started = Instant::now();
                    let progress = unless(&self.cut, self.route.advance()).await;
                    self.upstream += started.elapsed();
                    self.book_attempts();
                    match progress {
                        Some(Ok(progress)) => self.progressed(progress),
                        Some(Err(error)) => self.fail(error),
                        None => self.cut_short(),
                    }
                }
                Phase::Writing { answer, .. } => match unless(&self.cut, answer.next()).await {
                    Some(Ok(Piece::Text(text))) => {
                        self.wrote(&text);
                        return Some(Event::Delta(text));
                    }
                    Some(Ok(Piece::End { finish, usage })) => self.written(finish, usage),
                    Some(Err(error)) => self.broke_off(error),
                    None => self.cut_short(),
                },
            }
        }
    }

    fn progressed(&mut self, progress: Progress) {
        match progress {
            Progress::FellBack(fallback) => {
                self.fell_back = true;
                if let Some(record) = &mut self.record {
                    record.served.fallback = true;
                }
                self.told.push_back(Event::Fallback(fallback));
            }
            Progress::Answered(model, Answer::Whole { text, finish, usage }) => {
                self.output.chars = text.chars().count();
                if usage.is_none() {
                    self.output.estimated_tokens = estimate_tokens(&text);
                    let model = self.model(&model);
                    self.book_open_answer(&model, None);
                }
                self.told.push_back(Event::Delta(text));
                self.finish(&model, finish);
            }
            Progress::Answered(model, Answer::Open(answer)) => {
                let model = self.model(&model);
                self.phase = Phase::Writing { model, answer, since: Instant::now() };
            }
        }
    }

    fn wrote(&mut self, text: &str) {
        self.output.chars += text.chars().count();
        self.output.estimated_tokens = self.output.estimated_tokens.saturating_add(estimate_tokens(text));
        if self.output.first_at.is_none()
            && let Some(record) = &mut self.record
        {
            record.first_token();
            self.output.first_at = Some((Instant::now(), record.elapsed()));
        }
    }

    fn written(&mut self, finish: FinishReason, usage: Option<TokenUsage>) {
        let Some(model) = self.stop_writing() else { return };
        self.book_open_answer(&model, usage);
        self.finish(&model.id, finish);
    }

    fn broke_off(&mut self, error: RouteError) {
        let Some(model) = self.stop_writing() else { return };
        self.book_open_answer(&model, None);
        match self.route.broke_off(&error, self.on_failover == OnFailover::Restart) {
            Ok(()) => {
                let written = std::mem::take(&mut self.output);
                // The first word was told, and when that was stays true.
                self.output.first_at = written.first_at;
                let reset = Reset { reason: error.failure, discarded_chars: written.chars };
                self.told.push_back(Event::Reset(reset));
                self.phase = Phase::Routing;
            }
            Err(error) => self.fail(error),
        }
    }

    /// The answer that was being written is over: its time counts as the model's.
    fn stop_writing(&mut self) -> Option<Arc<Model>> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Writing { model, since, .. } => {
                self.upstream += since.elapsed();
                Some(model)
            }
            Phase::Routing | Phase::Over => None,
        }
    }

    fn finish(&mut self, model: &ModelId, finish: FinishReason) {
        self.phase = Phase::Over;
        self.told.extend(truncation(finish).map(Event::Warning));
        if self.ledger.cost().is_none() {
            let detail = "The cost of this answer is unknown: a price is missing in the catalogue.";
            self.told.push_back(Event::Warning(Warning { code: WarningCode::UnpricedModel, detail }));
        }
        let attempts = self.attempts();
        self.told.push_back(Event::Usage(self.usage_report()));
        self.told.push_back(Event::Done(Done {
            finish,
            model: model.clone(),
            fallback: self.fell_back,
            model_calls: self.route.calls_made(),
            attempts,
            output_chars: self.output.chars,
        }));
        if let Some(record) = self.settle() {
            record.succeeded();
        }
    }

    fn fail(&mut self, error: RouteError) {
        self.end_in_failure(error.failure.code(), error.retry_after, Some(&error.to_string()));
    }

    /// The service ends what still runs; the call that is under way ends with it.
    fn cut_short(&mut self) {
        if matches!(self.phase, Phase::Writing { .. }) {
            self.route.cut_off();
        }
        self.book_unfinished();
        self.end_in_failure(FailureCode::ShuttingDown, None, None);
    }

    fn end_in_failure(&mut self, code: FailureCode, retry_after: Option<Duration>, cause: Option<&str>) {
        self.phase = Phase::Over;
        let partial = self.output.chars > 0;
        if partial || !self.ledger.is_empty() {
            self.told.push_back(Event::Usage(self.usage_report()));
        }
        let attempts = self.attempts();
        self.told.push_back(Event::Failed(Failure { code, retry_after, partial, attempts }));
        if let Some(record) = self.settle() {
            record.failed(code, cause);
        }
    }

    /// Counts what was used and hands the record over to be ended.
    fn settle(&mut self) -> Option<RequestRecord> {
        let mut record = self.record.take()?;
        self.ledger.count(&self.metrics, self.plan.task);
        let attempts = self.route.attempts();
        let in_flight = self.route.in_flight();
        let served = &mut record.served;
        served.attempts = self.route.calls_made() + u32::from(in_flight.is_some());
        served.model = in_flight.or(attempts.last().map(|attempt| &attempt.model)).cloned();
        served.usage = self.ledger.usage();
        served.usage_estimated = self.ledger.estimated();
        served.cost = (!self.ledger.is_empty()).then(|| self.ledger.cost()).flatten();
        served.upstream = self.upstream;
        Some(record)
    }

    /// Books the calls that have ended since the last time.
    fn book_attempts(&mut self) {
        for attempt in &self.route.attempts()[self.attempts_booked..] {
            let open = attempt.failure.is_none() && attempt.spent == Spent::Unknown;
            let (usage, estimated) = match attempt.spent {
                Spent::Nothing => continue,
                // An open answer is booked when it ends.
                Spent::Unknown if open => continue,
                Spent::Exact(usage) => (usage, false),
                Spent::Unknown => (self.plan.estimated_usage(0), true),
            };
            if let Some(model) = self.plan.model(&attempt.model) {
                self.ledger.add(model, usage, estimated);
            }
        }
        self.attempts_booked = self.route.attempts().len();
    }

    /// What the model has written of an answer that nobody waits for has its price all
    /// the same.
    fn book_unfinished(&mut self) {
        self.book_attempts();
        if let Some(model) = self.stop_writing() {
            self.book_open_answer(&model, None);
        } else if let Some(model) = self.route.in_flight().and_then(|id| self.plan.model(id)) {
            self.ledger.add(model, self.plan.estimated_usage(0), true);
        }
    }

    fn book_open_answer(&mut self, model: &Arc<Model>, usage: Option<TokenUsage>) {
        let estimate = || self.plan.estimated_usage(self.output.estimated_tokens);
        let (usage, estimated) = usage.map_or_else(|| (estimate(), true), |usage| (usage, false));
        self.ledger.add(model, usage, estimated);
    }

    fn model(&self, id: &ModelId) -> Arc<Model> {
        Arc::clone(self.plan.model(id).expect("a route answers with a model of its own chain"))
    }

    fn attempts(&self) -> Vec<AttemptReport> {
        let report = |attempt: &crate::routing::Attempt| AttemptReport {
            model: attempt.model.clone(),
            region: attempt.region.clone(),
            failure: attempt.failure,
            called: attempt.was_called(),
            latency: attempt.latency,
        };
        self.route.attempts().iter().map(report).collect()
    }

    fn usage_report(&self) -> UsageReport {
        UsageReport {
            usage: self.ledger.usage(),
            model_calls: self.route.calls_made(),
            cost: self.ledger.cost(),
            estimated: self.ledger.estimated(),
            by_model: self.ledger.entries().to_vec(),
            timing: self.timing(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "token counts stay far below 2^52")]
    fn timing(&self) -> Timing {
        let total = self.record.as_ref().map(RequestRecord::elapsed).unwrap_or_default();
        let (time_to_first_token, generation) = match self.output.first_at {
            Some((first, after)) => (Some(after), Some(first.elapsed())),
            None => (None, self.route.attempts().last().map(|attempt| attempt.latency)),
        };
        let seconds = generation.map_or(0.0, |time| time.as_secs_f64());
        let tokens = self.ledger.usage().output_tokens as f64;
        let tokens_per_second = (seconds > 0.001 && tokens > 0.0).then(|| tokens / seconds);
        let upload = self.record.as_ref().map(RequestRecord::upload).unwrap_or_default();
        Timing {
            queue: self.queue,
            time_to_first_token,
            generation,
            total,
            tokens_per_second,
            upstream: self.upstream,
            overhead: total.saturating_sub(self.upstream + self.queue + upload),
        }
    }
}

impl Drop for Run {
    /// The client went away.
    fn drop(&mut self) {
        if self.record.is_some() {
            self.book_unfinished();
            if let Some(record) = self.settle() {
                record.abandoned();
            }
        }
    }
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

fn truncation(finish: FinishReason) -> Option<Warning> {
    let detail = match finish {
        FinishReason::Stop | FinishReason::Other => return None,
        FinishReason::Length => "The answer reached its length limit and is cut short.",
        FinishReason::ContentFilter => "The model's provider cut the answer short.",
    };
    Some(Warning { code: WarningCode::Truncated, detail })
}
