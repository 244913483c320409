//! The attempt loop: goes through a chain until a target answers.
//!
//! One loop for whole and streamed answers. It stops at every change of target,
//! so that whoever drives it can tell the client; retries on the same target are
//! its own business. Dropping it at any await abandons the call that runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::adaptive_limit::LimitPolicy;
use super::attempt::{self, Answer, AttemptError, Spent};
use super::backoff::Backoff;
use super::breaker::BreakerPolicy;
use super::catalogue::{Chain, Target};
use super::clocks::{Clocks, Deadline};
use super::decide::{Next, Situation, decide};
use super::fit::{RouteRequest, fit};
use crate::domain::{CallFailure, ModelId, TaskKind};
use crate::inference::{ModelBackend, ModelCall};
use crate::telemetry::{CallRecord, CallStage, Metrics};

/// The limits that every route obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutingPolicy {
    pub clocks: Clocks,
    pub backoff: Backoff,
    /// Repetitions on the same target, before the next one.
    pub max_retries: u32,
    /// Repetitions per target, as a share of its calls.
    pub retry_budget_percent: u32,
    /// How long a call may wait for a place on a target whose limit is reached,
    /// when no other target is free.
    pub place_wait: Duration,
    pub breaker: BreakerPolicy,
    pub limit: LimitPolicy,
}

/// Whether the last call is to be answered whole or in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Whole,
    Pieces,
}

/// Sends requests along chains.
pub struct Router {
    backend: Arc<dyn ModelBackend>,
    metrics: Arc<Metrics>,
    /// When the operator was last told of a fault of a model's set-up.
    told: Mutex<HashMap<(ModelId, CallFailure), Instant>>,
}

/// A fault of the set-up is told once in this time per model, not once per request.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// One call, as the answer's `attempts` tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    pub model: ModelId,
    /// `None` when the call gave the answer.
    pub failure: Option<CallFailure>,
    /// Up to the whole answer, the first word, or the failure.
    pub latency: Duration,
    pub spent: Spent,
}

/// A change to the next target.
#[derive(Debug, Clone, PartialEq)]
pub struct Fallback {
    pub from: ModelId,
    pub to: ModelId,
    pub reason: CallFailure,
    /// Calls made so far.
    pub attempt: u32,
}

/// What [`Route::advance`] comes back with.
pub enum Progress {
    /// The target changed; go on.
    FellBack(Fallback),
    /// The chain has an answer, from the model named.
    Answered(ModelId, Answer),
}

/// No target gave an answer, or an answer broke off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {cause}", failure.as_str())]
pub struct RouteError {
    /// The failure that helps the caller most.
    pub failure: CallFailure,
    /// For the operator's log only.
    pub cause: String,
    /// When trying again could help, where that is known.
    pub retry_after: Option<Duration>,
}

impl RouteError {
    pub(super) fn from_last(error: AttemptError) -> Self {
        Self { failure: error.error.kind, cause: error.error.cause, retry_after: error.error.retry_after }
    }
}

/// One request on its way along a chain.
pub struct Route {
    router: Arc<Router>,
    chain: Arc<Chain>,
    task: TaskKind,
    request: RouteRequest,
    policy: RoutingPolicy,
    mode: Mode,
    deadline: Deadline,
    stage: usize,
    larger_than_tokens: u32,
    retries_made: u32,
    attempts: Vec<Attempt>,
    /// The model that works at the moment, for whoever drops the route.
    in_flight: Option<ModelId>,
    most_helpful: Option<RouteError>,
}

impl Router {
    /// A router over `backend`.
    pub fn new(backend: Arc<dyn ModelBackend>, metrics: Arc<Metrics>) -> Self {
        Self { backend, metrics, told: Mutex::default() }
    }

    /// Starts at the first target of `chain`; nothing is called yet.
    pub fn start(
        self: &Arc<Self>,
        chain: &Arc<Chain>,
        task: TaskKind,
        request: RouteRequest,
        policy: RoutingPolicy,
        mode: Mode,
        deadline: Deadline,
    ) -> Route {
        Route {
            router: Arc::clone(self),
            chain: Arc::clone(chain),
            task,
            request,
            policy,
            mode,
            deadline,
            stage: 0,
            larger_than_tokens: 0,
            retries_made: 0,
            attempts: Vec::new(),
            in_flight: None,
            most_helpful: None,
        }
    }

    /// A fault of the set-up deserves the operator's eye even when the next target
    /// answers; what passes by itself does not.
    fn tell_operator(&self, call: &ModelCall, error: &AttemptError, next: Next) {
        use CallFailure as F;
        let (model, failure, cause) = (call.model.as_str(), error.error.kind, &error.error.cause);
        let set_up = matches!(
            failure,
            F::ModelGone
                | F::AccessDenied
                | F::CredentialsRejected
                | F::ParameterRejected
                | F::RequestRejected
        );
        if set_up && self.is_news(&call.model, failure) {
            tracing::warn!(
                model,
                failure = failure.as_str(),
                cause,
                ?next,
                "a model rejects what it is asked"
            );
        } else {
            tracing::debug!(
                model,
                failure = failure.as_str(),
                cause,
                next = next.as_str(),
                "a model call failed"
            );
        }
    }

    fn is_news(&self, model: &ModelId, failure: CallFailure) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let key = (model.clone(), failure);
        let news = told.get(&key).is_none_or(|last| now - *last >= TELL_AGAIN_AFTER);
        if news {
            told.insert(key, now);
        }
        news
    }
}

impl Route {
    /// Calls made so far, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The model whose call was under way when the route was left.
    pub fn in_flight(&self) -> Option<&ModelId> {
        self.in_flight.as_ref()
    }

    /// The model that is asked first: the first of the chain that can take the request.
    pub fn first_model(&self) -> Option<&ModelId> {
        let fits = |target: &&Target| fit(&self.request, target).is_ok();
        self.chain.targets().find(fits).map(|target| &target.model.id)
    }

    /// The answer that the last call had begun broke off.
    pub fn broke_off(&mut self, failure: CallFailure) {
        if let Some(last) = self.attempts.last_mut() {
            last.failure = Some(failure);
        }
    }

    /// Goes on until the target changes or an answer is there.
    ///
    /// # Errors
    /// When nothing more will be tried: the most helpful failure of all calls.
    pub async fn advance(&mut self) -> Result<Progress, RouteError> {
        let Some(call) = self.next_call(self.stage) else {
            return Err(self.exhausted(misfit()));
        };
        loop {
            // A call that no time is left for would be abandoned at once, and billed all the same.
            if self.deadline.time_left().is_zero() {
                return Err(self.exhausted(too_late()));
            }
            let error = match self.attempt(&call).await {
                Ok(answer) => return Ok(Progress::Answered(call.model, answer)),
                Err(error) => error,
            };
            let failure = error.error.kind;
            let next = decide(failure, &self.situation(&error));
            self.router.tell_operator(&call, &error, next);
            self.remember(RouteError::from_last(error));
            match next {
                Next::Retry(delay) => {
                    let labels = [call.model.as_str(), failure.as_str()];
                    self.router.metrics.retries.with_label_values(&labels).inc();
                    self.retries_made += 1;
                    tokio::time::sleep(delay).await;
                }
                Next::NextTarget | Next::NextLargerTarget => {
                    if next == Next::NextLargerTarget {
                        self.larger_than_tokens = self.target().model.context_tokens;
                    }
                    let from = call.model;
                    let Some(to) = self.next_call(self.stage + 1) else {
                        return Err(self.exhausted(misfit()));
                    };
                    if next == Next::NextLargerTarget {
                        // A larger model is asked: its word counts, not the smaller one's.
                        self.most_helpful = None;
                    }
                    return Ok(Progress::FellBack(self.fell_back(from, to.model, failure)));
                }
                Next::GiveUp(_) => return Err(self.exhausted(misfit())),
            }
        }
    }

    async fn attempt(&mut self, call: &ModelCall) -> Result<Answer, AttemptError> {
        let router = Arc::clone(&self.router);
        let (backend, clocks) = (router.backend.as_ref(), &self.policy.clocks);
        let record = CallRecord::start(&router.metrics, &call.model, CallStage::Single);
        let started = Instant::now();
        let others_remain = self.others_remain();
        self.in_flight = Some(call.model.clone());
        let outcome = match self.mode {
            Mode::Whole => {
                let limit = self.deadline.limit(clocks.answer, others_remain);
                attempt::complete(backend, call, record, limit).await
            }
            Mode::Pieces => attempt::open(backend, call, record, clocks, self.deadline, others_remain).await,
        };
        let spent = match &outcome {
            Ok(Answer::Whole { usage, .. }) => Spent::of(*usage),
            Ok(Answer::Open(_)) => Spent::Unknown,
            Err(error) => error.spent,
        };
        self.in_flight = None;
        self.attempts.push(Attempt {
            model: call.model.clone(),
            failure: outcome.as_ref().err().map(|error| error.error.kind),
            latency: started.elapsed(),
            spent,
        });
        outcome
    }

    /// The call of the first target from `stage` on that can take the request;
    /// the route then stands at that target.
    fn next_call(&mut self, stage: usize) -> Option<ModelCall> {
        let candidates = self.chain.targets().enumerate().skip(stage);
        let (stage, call) = candidates
            .filter(|(_, target)| target.model.context_tokens > self.larger_than_tokens)
            .find_map(|(stage, target)| Some((stage, fit(&self.request, target).ok()?)))?;
        self.stage = stage;
        Some(call)
    }

    /// Whether a later target could take the request.
    fn others_remain(&self) -> bool {
        let later = self.chain.targets().skip(self.stage + 1);
        later
            .filter(|target| target.model.context_tokens > self.larger_than_tokens)
            .any(|target| fit(&self.request, target).is_ok())
    }

    fn target(&self) -> &Target {
        self.chain.targets().nth(self.stage).expect("the route stands at a target of its chain")
    }

    fn situation(&self, error: &AttemptError) -> Situation {
        let policy = &self.policy;
        Situation {
            retries_made: self.retries_made,
            max_retries: policy.max_retries,
            targets_left: self.others_remain(),
            time_left: self.deadline.time_left(),
            backoff: policy.backoff.delay(self.retries_made + 1, rand::random()),
            longest_backoff: policy.backoff.cap,
            retry_after: error.error.retry_after,
            begun: error.spent != Spent::Nothing,
            committed: false,
        }
    }

    fn fell_back(&mut self, from: ModelId, to: ModelId, reason: CallFailure) -> Fallback {
        let labels = [self.task.as_str(), from.as_str(), to.as_str(), reason.as_str()];
        self.router.metrics.fallbacks.with_label_values(&labels).inc();
        self.retries_made = 0;
        let attempt = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        Fallback { from, to, reason, attempt }
    }

    fn remember(&mut self, error: RouteError) {
        let better = |known: &RouteError| helpfulness(error.failure) >= helpfulness(known.failure);
        if self.most_helpful.as_ref().is_none_or(better) {
            self.most_helpful = Some(error);
        }
    }

    fn exhausted(&mut self, otherwise: RouteError) -> RouteError {
        let labels = [self.task.as_str(), &self.chain.name];
        self.router.metrics.fallback_exhausted.with_label_values(&labels).inc();
        self.most_helpful.take().unwrap_or(otherwise)
    }
}

fn too_late() -> RouteError {
    RouteError {
        failure: CallFailure::Deadline,
        cause: "the deadline came before the call".to_owned(),
        retry_after: None,
    }
}

fn misfit() -> RouteError {
    RouteError {
        failure: CallFailure::InputTooLong,
        cause: "no target of the chain can hold the text".to_owned(),
        retry_after: None,
    }
}

/// Which of several failures tells the caller most about what to do: change the
/// text, then wait, then try again, then ask the operator.
const fn helpfulness(failure: CallFailure) -> u8 {
    use CallFailure as F;
    match failure {
        F::Filtered | F::InputTooLong | F::RequestRejected | F::Deadline => 4,
        F::Throttled | F::DailyQuotaUsedUp | F::AccountQuotaExceeded | F::NotReady => 3,
        F::ModelTimedOut
        | F::AnswerClock
        | F::FirstEventClock
        | F::IdleClock
        | F::AttemptClock
        | F::Unavailable
        | F::Unreachable => 2,
        F::ModelFailed
        | F::ModelRefused
        | F::BadResponse
        | F::StreamCut
        | F::EmptyAnswer
        | F::MalformedAnswer => 1,
        F::ModelGone | F::AccessDenied | F::CredentialsRejected | F::ParameterRejected => 0,
    }
}
