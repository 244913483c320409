//! The attempt loop: goes along a chain until a target answers.
//!
//! One loop for whole and streamed answers. It stops at every change of target,
//! so that whoever drives it can tell the client; retries on the same target are
//! its own business. Dropping it at any await abandons the call that runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::adaptive_limit::LimitPolicy;
use super::attempt::{self, Answer, AttemptError, Spent};
use super::backoff::Backoff;
use super::breaker::BreakerPolicy;
use super::catalogue::Chain;
use super::clocks::{Clocks, Deadline};
use super::decide::{GiveUp, Next, Situation, decide, is_retried};
use super::fit::RouteRequest;
use super::gate::{Entry, Owner, Ticket};
use super::path::{Choice, Manner, Path};
use super::route_error::RouteError;
use super::router::Router;
use super::running_call::RunningCall;
use crate::domain::{CallFailure, ModelId, Region, TaskName};
use crate::inference::ModelCall;
use crate::telemetry::{CallRecord, CallStage};

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

/// What a route is to do and what it must keep to.
pub struct RouteOptions {
    pub chain: Arc<Chain>,
    pub task: TaskName,
    /// What part of the task its calls serve.
    pub stage: CallStage,
    pub request: RouteRequest,
    pub policy: Arc<RoutingPolicy>,
    pub mode: Mode,
    pub deadline: Deadline,
    /// All calls of one request share it.
    pub owner: Owner,
}

/// One target's part in a request, as the answer's `attempts` tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    pub model: ModelId,
    /// `None` is the region the service runs in.
    pub region: Option<Region>,
    /// `None` when the call gave the answer.
    pub failure: Option<CallFailure>,
    /// Up to the whole answer, the first word, or the failure.
    pub latency: Duration,
    pub spent: Spent,
}

impl Attempt {
    /// Whether the target was called at all, and not passed over.
    pub fn was_called(&self) -> bool {
        !matches!(self.failure, Some(CallFailure::BreakerOpen | CallFailure::TargetBusy))
    }
}

/// A change to another target.
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

/// One request on its way along a chain.
pub struct Route {
    router: Arc<Router>,
    options: RouteOptions,
    path: Path,
    /// The target that is asked next, or is being asked.
    standing: Option<Choice>,
    /// The place that the caller believes in: the first one, or where the last fallback went.
    named: Option<usize>,
    retries_made: u32,
    attempts: Vec<Attempt>,
    /// The model that works at the moment, for whoever drops the route.
    in_flight: Option<ModelId>,
    most_helpful: Option<RouteError>,
}

impl Route {
    pub(super) fn new(router: Arc<Router>, options: RouteOptions) -> Self {
        let path = Path::new(&options.chain, &router);
        Self {
            router,
            options,
            path,
            standing: None,
            named: None,
            retries_made: 0,
            attempts: Vec::new(),
            in_flight: None,
            most_helpful: None,
        }
    }

    /// Calls made so far and targets passed over, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Calls made so far.
    pub fn calls_made(&self) -> u32 {
        let made = self.attempts.iter().filter(|attempt| attempt.was_called()).count();
        u32::try_from(made).unwrap_or(u32::MAX)
    }

    /// The model whose call was under way when the route was left.
    pub fn in_flight(&self) -> Option<&ModelId> {
        self.in_flight.as_ref()
    }

    /// The model that is asked first, as the chain has it: when its whole stage has to
    /// be passed over, that is told as a fallback. `None` when no target can take the
    /// request.
    pub fn first_model(&mut self) -> Option<&ModelId> {
        if self.named.is_none() {
            self.stand_at_next();
            let chosen = self.standing.map(|choice| choice.place);
            self.named = self.path.first(chosen, &self.options.request);
        }
        self.named.map(|place| &self.path.target(place).model.id)
    }

    /// Goes on until the target changes or an answer is there.
    ///
    /// # Errors
    /// When nothing more will be tried: the most helpful failure of all targets.
    pub async fn advance(&mut self) -> Result<Progress, RouteError> {
        loop {
            if self.standing.is_none() && !self.stand_at_next() {
                return Err(self.exhausted());
            }
            let Some(Choice { place, manner }) = self.standing else { return Err(self.exhausted()) };
            if let Some(fallback) = self.change_to(place) {
                return Ok(Progress::FellBack(fallback));
            }
            let Some(call) = self.path.call(place, &self.options.request) else {
                return Err(self.exhausted());
            };
            // A call that no time is left for would be abandoned at once, and billed all the same.
            if self.options.deadline.time_left().is_zero() {
                return Err(self.out_of_time());
            }
            let ticket = match self.enter(place, manner).await {
                Ok(ticket) => ticket,
                // Another call was quicker: there may be another free target, or a turn to wait for.
                Err(_taken) if manner == Manner::Now => {
                    self.standing = None;
                    continue;
                }
                Err(reason) => {
                    if self.retries_made > 0 {
                        self.path.gate(place).give_retry_back();
                    }
                    self.passed_over(place, reason);
                    self.path.done(place);
                    self.leave();
                    continue;
                }
            };
            if self.options.deadline.time_left().is_zero() {
                return Err(self.out_of_time());
            }
            let error = match self.attempt(&call, place, ticket).await {
                Ok(answer) => return Ok(Progress::Answered(call.model, answer)),
                Err(error) => error,
            };
            self.after(place, &call, error).await?;
        }
    }

    /// The answer that the last call had begun broke off. When it `may_restart`, the
    /// next [`Self::advance`] starts over on another target.
    ///
    /// # Errors
    /// When nothing more will be tried.
    pub fn broke_off(&mut self, error: &RouteError, may_restart: bool) -> Result<(), RouteError> {
        let failure = error.failure;
        if let Some(last) = self.attempts.last_mut() {
            last.failure = Some(failure);
        }
        let Some(Choice { place, .. }) = self.standing else { return Err(error.clone()) };
        let situation = Situation {
            committed: !may_restart,
            ..self.situation(place, Spent::Unknown, error.retry_after, false)
        };
        match decide(failure, &situation) {
            Next::NextTarget => {}
            Next::NextLargerTarget => self.path.only_larger_than(place),
            Next::GiveUp(GiveUp::ChainExhausted) => {
                self.remember(error.clone());
                return Err(self.exhausted());
            }
            Next::Retry(_) | Next::GiveUp(_) => return Err(error.clone()),
        }
        self.remember(error.clone());
        self.path.done(place);
        self.leave();
        // Nothing is taken back before somebody is there to start over.
        if self.stand_at_next() { Ok(()) } else { Err(self.exhausted()) }
    }

    /// The answer that the last call had begun is ended from here: `attempts` must not
    /// call it whole.
    pub fn cut_off(&mut self) {
        if let Some(last) = self.attempts.last_mut() {
            last.failure = Some(CallFailure::StreamCut);
        }
    }

    /// Takes the decision that follows from a failed call.
    async fn after(&mut self, place: usize, call: &ModelCall, error: AttemptError) -> Result<(), RouteError> {
        let failure = error.error.kind;
        let gate = Arc::clone(self.path.gate(place));
        let may_repeat = is_retried(failure) && self.retries_made < self.options.policy.max_retries;
        let budget_left = may_repeat && gate.withdraw_retry(&self.options.policy);
        // Who wants no repetitions at all has none refused.
        if may_repeat && !budget_left && self.options.policy.retry_budget_percent > 0 {
            gate.count_refused_retry();
        }
        // A repetition would wait for the end of the target's pause, too.
        let retry_after = error.error.retry_after.max(gate.pause_left());
        let next = decide(failure, &self.situation(place, error.spent, retry_after, budget_left));
        if budget_left && !matches!(next, Next::Retry(_)) {
            gate.give_retry_back();
        }
        self.router.tell_operator(call, &error, next);
        self.remember(RouteError::from_last(error));
        match next {
            Next::Retry(delay) => {
                let labels = [call.model.as_str(), failure.as_str()];
                self.router.metrics.retries.with_label_values(&labels).inc();
                self.retries_made += 1;
                self.standing = Some(Choice { place, manner: Manner::Wait });
                tokio::time::sleep(delay).await;
            }
            Next::NextTarget | Next::NextLargerTarget => {
                if next == Next::NextLargerTarget {
                    self.path.only_larger_than(place);
                }
                self.path.done(place);
                self.leave();
                if next == Next::NextLargerTarget && self.stand_at_next() {
                    // A larger model is asked: its word counts, not the smaller one's.
                    self.most_helpful = None;
                }
            }
            Next::GiveUp(GiveUp::ChainExhausted) => return Err(self.exhausted()),
            Next::GiveUp(GiveUp::OutOfTime) => return Err(self.out_of_time()),
            Next::GiveUp(_) => return Err(self.most_helpful_or(RouteError::misfit())),
        }
        Ok(())
    }

    async fn attempt(
        &mut self,
        call: &ModelCall,
        place: usize,
        ticket: Ticket,
    ) -> Result<Answer, AttemptError> {
        let router = Arc::clone(&self.router);
        let policy = Arc::clone(&self.options.policy);
        let (backend, clocks, deadline) = (router.backend.as_ref(), &policy.clocks, self.options.deadline);
        let record = CallRecord::start(&router.metrics, &call.model, self.options.stage);
        let running = RunningCall::new(record, ticket);
        let started = Instant::now();
        let others_remain = self.others_remain(place);
        self.in_flight = Some(call.model.clone());
        // A model without pieces may take as long as its pieces would have taken.
        let (mode, whole) = match self.options.mode {
            Mode::Pieces if !self.path.target(place).model.streams => (Mode::Whole, clocks.attempt),
            mode => (mode, clocks.answer),
        };
        let outcome = match mode {
            Mode::Whole => {
                let limit = deadline.limit(whole, others_remain);
                attempt::complete(backend, call, running, limit).await
            }
            Mode::Pieces => attempt::open(backend, call, running, clocks, deadline, others_remain).await,
        };
        let spent = match &outcome {
            Ok(Answer::Whole { usage, .. }) => Spent::of(*usage),
            Ok(Answer::Open(_)) => Spent::Unknown,
            Err(error) => error.spent,
        };
        self.in_flight = None;
        self.attempts.push(Attempt {
            model: call.model.clone(),
            region: call.region.clone(),
            failure: outcome.as_ref().err().map(|error| error.error.kind),
            latency: started.elapsed(),
            spent,
        });
        outcome
    }

    /// Waits for a place at the target, as long as the manner and the time that is left allow.
    async fn enter(&self, place: usize, manner: Manner) -> Result<Ticket, CallFailure> {
        let policy = &self.options.policy;
        let gate = self.path.gate(place);
        let patience = match manner {
            Manner::Now => Instant::now(),
            // Whoever waits must have time left for the call itself.
            Manner::Wait | Manner::Force => self.options.deadline.limit(policy.place_wait, true).at,
        };
        let entry = Entry {
            owner: self.options.owner,
            policy: Arc::clone(policy),
            forced: manner == Manner::Force,
            repeated: self.retries_made > 0,
        };
        let ticket = gate.enter(entry, patience).await?;
        if self.retries_made == 0 {
            gate.deposit(policy);
        }
        Ok(ticket)
    }

    /// Chooses the next target and notes those that were passed over for it.
    fn stand_at_next(&mut self) -> bool {
        let policy = Arc::clone(&self.options.policy);
        self.standing = self.path.choose(&self.options.request, &policy);
        let chosen = self.standing.map(|choice| choice.place);
        for (place, reason) in self.path.pass_over(chosen, &self.options.request, &policy) {
            self.passed_over(place, reason);
        }
        self.standing.is_some()
    }

    /// Notes that a target was not called.
    fn passed_over(&mut self, place: usize, reason: CallFailure) {
        self.path.gate(place).count_skip(reason);
        let target = self.path.target(place);
        let (model, region) = (target.model.id.clone(), target.region.clone());
        let told =
            |attempt: &Attempt| !attempt.was_called() && attempt.model == model && attempt.region == region;
        if !self.attempts.iter().any(told) {
            let (latency, spent) = (Duration::ZERO, Spent::Nothing);
            self.attempts.push(Attempt { model, region, failure: Some(reason), latency, spent });
        }
        // Of a target that was taken out it is known what is wrong, and that is what helps.
        let error = match self.path.taken_out_by(place, &self.options.policy) {
            Some(failure) => {
                RouteError::without_call(failure, "the target was taken out for it and not called")
            }
            None => RouteError::without_call(reason, "the target was passed over"),
        };
        self.remember(error);
    }

    fn leave(&mut self) {
        self.standing = None;
        self.retries_made = 0;
    }

    /// The change to tell, when `place` is not the target that the caller believes in.
    fn change_to(&mut self, place: usize) -> Option<Fallback> {
        let from = self.named.replace(place).filter(|named| *named != place)?;
        let (from, to) = (self.path.target(from), self.path.target(place));
        let of_from = |attempt: &&Attempt| attempt.model == from.model.id && attempt.region == from.region;
        let last = self.attempts.iter().rev().find(of_from).and_then(|attempt| attempt.failure);
        // Without a word about it, another target of its stage had fewer calls in flight.
        let reason = last.unwrap_or(CallFailure::TargetBusy);
        let (from, to) = (from.model.id.clone(), to.model.id.clone());
        let labels = [self.options.task.as_str(), from.as_str(), to.as_str(), reason.as_str()];
        self.router.metrics.fallbacks.with_label_values(&labels).inc();
        Some(Fallback { from, to, reason, attempt: self.calls_made() })
    }

    fn others_remain(&self, place: usize) -> bool {
        self.path.others_remain(place, &self.options.request, &self.options.policy)
    }

    fn situation(
        &self,
        place: usize,
        spent: Spent,
        retry_after: Option<Duration>,
        budget_left: bool,
    ) -> Situation {
        let policy = &self.options.policy;
        Situation {
            retries_made: self.retries_made,
            max_retries: policy.max_retries,
            budget_left,
            targets_left: self.others_remain(place),
            time_left: self.options.deadline.time_left(),
            backoff: policy.backoff.delay(self.retries_made + 1, rand::random()),
            longest_backoff: policy.backoff.cap,
            retry_after,
            begun: spent != Spent::Nothing,
            committed: false,
        }
    }

    fn remember(&mut self, error: RouteError) {
        if self.most_helpful.as_ref().is_none_or(|known| error.helps_as_much_as(known)) {
            self.most_helpful = Some(error);
        }
    }

    /// No target is left.
    fn exhausted(&mut self) -> RouteError {
        let labels = [self.options.task.as_str(), &self.options.chain.name];
        self.router.metrics.fallback_exhausted.with_label_values(&labels).inc();
        let error = self.most_helpful_or(RouteError::misfit());
        // What the provider asked for comes first, then what is known of the targets.
        let retry_after =
            error.retry_after.or_else(|| self.path.opens_in(&self.options.request, &self.options.policy));
        RouteError { retry_after, ..error }
    }

    /// The request's own time is over, whatever the targets would have done with more.
    fn out_of_time(&mut self) -> RouteError {
        self.remember(RouteError::too_late());
        self.most_helpful_or(RouteError::too_late())
    }

    fn most_helpful_or(&mut self, otherwise: RouteError) -> RouteError {
        self.most_helpful.take().unwrap_or(otherwise)
    }
}
