//! A piece of work: one prompt on its way along the chain, to the end of its answer.
//!
//! Owns the route of one prompt and tells what comes of it, one event at a time. A
//! plain state machine without a task or a channel: the next event is computed when
//! it is asked for, and dropping it ends the call. What was used is written into the
//! run's books exactly once, also then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::books::Books;
use super::estimator::Estimator;
use super::event::Reset;
use crate::chunk::{TextProfile, estimate_tokens};
use crate::domain::{Metered, ModelId, TokenUsage};
use crate::routing::{
    Answer, Broken, Chain, Fallback, FinishReason, Model, OpenAnswer, Piece, Progress, Route, RouteError,
    RouteRequest, Spent,
};

/// What is asked of a model, and what is known about the size of it.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub request: RouteRequest,
    /// Of the whole prompt.
    pub profile: TextProfile,
}

/// When work may start over on another model after its answer broke off.
#[derive(Clone)]
pub(super) enum Restart {
    Never,
    Always,
    /// As long as the flag says that nothing of it has been told.
    UntilTold(Arc<AtomicBool>),
}

impl Restart {
    fn is_allowed(&self) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::UntilTold(told) => !told.load(Ordering::Relaxed),
        }
    }
}

/// What comes of work, in order; nothing comes after `Ended` or `Failed`.
pub(super) enum WorkEvent {
    FellBack(Fallback),
    /// A piece of the answer, or all of it.
    Text {
        text: String,
        whole: bool,
    },
    /// The text so far is void: another model starts over.
    Reset(Reset),
    Ended {
        model: ModelId,
        finish: FinishReason,
    },
    Failed(RouteError),
}

/// One prompt at work.
pub(super) struct Work {
    route: Route,
    call: Call,
    chain: Arc<Chain>,
    restart: Restart,
    books: Arc<Books>,
    estimator: Arc<Estimator>,
    phase: Phase,
    attempts_booked: usize,
    upstream: Duration,
    /// Of the last answer that came in pieces: the time after its first word.
    writing: Duration,
    written: Written,
    /// Whether the books know how it ended.
    closed: bool,
}

enum Phase {
    Routing,
    Writing {
        model: Arc<Model>,
        answer: Box<OpenAnswer>,
        since: Instant,
    },
    /// The whole answer was told.
    Told {
        model: ModelId,
        finish: FinishReason,
    },
    Over,
}

/// What has been written of the answer.
#[derive(Default)]
struct Written {
    chars: usize,
    estimated_tokens: u32,
}

impl Work {
    pub(super) fn new(
        route: Route,
        call: Call,
        chain: Arc<Chain>,
        restart: Restart,
        books: Arc<Books>,
        estimator: Arc<Estimator>,
    ) -> Self {
        Self {
            route,
            call,
            chain,
            restart,
            books,
            estimator,
            phase: Phase::Routing,
            attempts_booked: 0,
            upstream: Duration::ZERO,
            writing: Duration::ZERO,
            written: Written::default(),
            closed: false,
        }
    }

    /// The model that is asked first.
    pub(super) fn first_model(&mut self) -> Option<ModelId> {
        self.route.first_model().cloned()
    }

    /// The next event. Dropping the future at an await loses nothing but the call that runs.
    pub(super) async fn next(&mut self) -> WorkEvent {
        loop {
            match &mut self.phase {
                Phase::Routing => {
                    let started = Instant::now();
                    let progress = self.route.advance().await;
                    self.upstream += started.elapsed();
                    self.book_attempts();
                    match progress {
                        Ok(Progress::FellBack(fallback)) => return WorkEvent::FellBack(fallback),
                        Ok(Progress::Answered(model, Answer::Whole { text, finish, usage })) => {
                            return self.answered(model, text, finish, usage);
                        }
                        Ok(Progress::Answered(model, Answer::Open(answer))) => {
                            let model = self.model(&model);
                            self.phase = Phase::Writing { model, answer, since: Instant::now() };
                        }
                        Err(error) => return self.failed(error),
                    }
                }
                Phase::Writing { answer, .. } => match answer.next().await {
                    Ok(Piece::Text(text)) => {
                        self.wrote(&text);
                        return WorkEvent::Text { text, whole: false };
                    }
                    Ok(Piece::End { finish, usage }) => {
                        if let Some(model) = self.stop_writing() {
                            self.book_open_answer(&model, usage);
                            return self.ended(model.id.clone(), finish);
                        }
                    }
                    Err(broken) => return self.broke_off(broken),
                },
                Phase::Told { model, finish } => {
                    let (model, finish) = (model.clone(), *finish);
                    return self.ended(model, finish);
                }
                Phase::Over => {
                    // Nobody asks a finished piece of work; if somebody does, nothing ever comes.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    fn answered(
        &mut self,
        model: ModelId,
        text: String,
        finish: FinishReason,
        usage: Option<Metered>,
    ) -> WorkEvent {
        self.wrote(&text);
        if usage.is_none() {
            let model = self.model(&model);
            self.book_open_answer(&model, None);
        }
        self.phase = Phase::Told { model, finish };
        WorkEvent::Text { text, whole: true }
    }

    fn wrote(&mut self, text: &str) {
        self.written.chars += text.chars().count();
        self.written.estimated_tokens = self.written.estimated_tokens.saturating_add(estimate_tokens(text));
    }

    fn broke_off(&mut self, Broken { error, usage }: Broken) -> WorkEvent {
        if let Some(model) = self.stop_writing() {
            self.book_open_answer(&model, usage);
        }
        match self.route.broke_off(&error, self.restart.is_allowed()) {
            Ok(()) => {
                let written = std::mem::take(&mut self.written);
                self.writing = Duration::ZERO;
                self.phase = Phase::Routing;
                WorkEvent::Reset(Reset { reason: error.failure, discarded_chars: written.chars })
            }
            Err(error) => self.failed(error),
        }
    }

    fn ended(&mut self, model: ModelId, finish: FinishReason) -> WorkEvent {
        self.phase = Phase::Over;
        self.close();
        WorkEvent::Ended { model, finish }
    }

    fn failed(&mut self, error: RouteError) -> WorkEvent {
        self.phase = Phase::Over;
        self.close();
        WorkEvent::Failed(error)
    }

    /// The answer that was being written is over: its time counts as the model's.
    fn stop_writing(&mut self) -> Option<Arc<Model>> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Writing { model, since, .. } => {
                self.writing = since.elapsed();
                self.upstream += self.writing;
                Some(model)
            }
            Phase::Routing | Phase::Told { .. } | Phase::Over => None,
        }
    }

    /// Books the calls that have ended since the last time.
    fn book_attempts(&mut self) {
        for attempt in &self.route.attempts()[self.attempts_booked..] {
            let open = attempt.failure.is_none() && attempt.spent == Spent::Unknown;
            let model = self.chain.model(&attempt.model);
            let (usage, is_estimate) = match attempt.spent {
                Spent::Nothing => continue,
                // An open answer is booked when it ends.
                Spent::Unknown if open => continue,
                Spent::Exact(usage) => {
                    if let Some(model) = model {
                        learn(&self.estimator, model, &self.call.profile, &usage.tokens);
                        if attempt.failure.is_none() {
                            self.estimator.timed(model, usage.tokens.output_tokens, attempt.latency);
                        }
                    }
                    (usage, false)
                }
                Spent::Unknown => {
                    (model.map(|model| estimated(&self.call, model, 0)).unwrap_or_default(), true)
                }
            };
            if let Some(model) = model {
                self.books.add(model, usage, is_estimate);
            }
        }
        self.attempts_booked = self.route.attempts().len();
    }

    fn book_open_answer(&self, model: &Arc<Model>, usage: Option<Metered>) {
        if let Some(usage) = &usage {
            learn(&self.estimator, model, &self.call.profile, &usage.tokens);
        }
        let estimate = || estimated(&self.call, model, self.written.estimated_tokens);
        let (usage, is_estimate) = usage.map_or_else(|| (estimate(), true), |usage| (usage, false));
        self.books.add(model, usage, is_estimate);
    }

    /// Writes what has not been written into the books: what a model has done of an
    /// answer that nobody waits for has its price all the same.
    fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.book_attempts();
        if let Some(model) = self.stop_writing() {
            self.book_open_answer(&model, None);
            self.route.cut_off();
        } else if let Some(model) = self.route.in_flight().and_then(|id| self.chain.model(id)) {
            self.books.add(model, estimated(&self.call, model, 0), true);
        }
        self.books.close(&self.route, self.upstream, self.writing);
    }

    fn model(&self, id: &ModelId) -> Arc<Model> {
        Arc::clone(self.chain.model(id).expect("a route answers with a model of its own chain"))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a call used when nobody told: the estimated prompt, and what was seen of the
/// answer, on the terms that were asked for.
fn estimated(call: &Call, model: &Model, output_tokens: u32) -> Metered {
    let tokens = TokenUsage {
        input_tokens: call.request.input.expected(&model.id).into(),
        output_tokens: output_tokens.into(),
        ..TokenUsage::default()
    };
    Metered { tokens, terms: model.terms.service() }
}

fn learn(estimator: &Estimator, model: &Model, profile: &TextProfile, usage: &TokenUsage) {
    // Cached tokens were read, too.
    estimator.learn(model, profile, usage.total_tokens().saturating_sub(usage.output_tokens));
}
