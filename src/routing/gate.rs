//! The gate of a target: who may call it now, and what calls have taught about it.
//!
//! Owns a target's breaker, adaptive limit and retry budget, the places for calls
//! and the bounded queue for them. A place is a [`Ticket`] by value: it says how
//! its call ended, or is dropped and judges nothing. The one rule: a place goes to
//! the request that has the fewest or has waited longest for it, so that neither
//! the parts of one large document starve a small request nor the other way round.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use super::adaptive_limit::AdaptiveLimit;
use super::breaker::{Breaker, Pass, Verdict};
use super::catalogue::Target;
use super::lesson::{Lesson, lesson};
use super::retry_budget::RetryBudget;
use super::route::RoutingPolicy;
use crate::domain::CallFailure;
use crate::telemetry::{BreakerState, Metrics, TargetScope};

/// Calls that wait for a place of one target; those beyond go elsewhere at once.
const MAX_WAITING: usize = 1024;

/// So long a wait outweighs one call in flight; well below the usual `place_wait`.
const ONE_CALL_LESS: Duration = Duration::from_secs(2);

/// Whose call it is: all calls of one request have the same owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(pub(super) u64);

/// The gate. One per target, for as long as a configuration names the target.
pub(super) struct Gate {
    name: TargetScope,
    metrics: Arc<Metrics>,
    gauges: Gauges,
    state: Mutex<State>,
    /// A pause has begun or grown: whoever waits must know when it ends.
    pauses: Notify,
}

struct Gauges {
    in_flight: IntGauge,
    limit: IntGauge,
    ceiling: IntGauge,
    breaker: IntGauge,
}

struct State {
    breaker: Breaker,
    limit: AdaptiveLimit,
    budget: RetryBudget,
    in_flight: u32,
    by_owner: HashMap<Owner, u32>,
    waiting: Vec<Waiter>,
    next_waiter: u64,
    /// What is known to be wrong with a target that was taken out.
    taken_out_by: Option<CallFailure>,
}

struct Waiter {
    id: u64,
    since: Instant,
    entry: Entry,
    place: oneshot::Sender<Ticket>,
}

/// How a call comes to the gate.
#[derive(Clone)]
pub(super) struct Entry {
    pub owner: Owner,
    pub policy: Arc<RoutingPolicy>,
    /// The only target left: called although its breaker is open.
    pub forced: bool,
    /// The request has called this target before.
    pub repeated: bool,
}

/// Whether a target can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Availability {
    Free,
    /// All places are taken, or it pauses until then.
    Busy(Option<Instant>),
    /// Its breaker lets nothing through until then; with the failure that took the
    /// target out, if one did.
    Rejecting(Instant, Option<CallFailure>),
}

/// A place: the right to make one call.
pub(super) struct Ticket {
    gate: Arc<Gate>,
    entry: Entry,
    pass: Pass,
    began: Instant,
    /// `None` until the call has ended with a lesson.
    lesson: Option<(Lesson, Option<Duration>)>,
    failure: Option<CallFailure>,
}

impl Gate {
    /// A gate that knows nothing bad about its target.
    pub(super) fn new(target: &Target, metrics: Arc<Metrics>) -> Self {
        let name = TargetScope { model: target.model.id.clone(), region: target.region.clone() };
        let labels = [name.model.as_str(), name.region()];
        let gauges = Gauges {
            in_flight: metrics.target_in_flight.with_label_values(&labels),
            limit: metrics.target_limit.with_label_values(&labels),
            ceiling: metrics.target_limit_ceiling.with_label_values(&labels),
            breaker: metrics.breaker_state.with_label_values(&labels),
        };
        let state = State {
            breaker: Breaker::default(),
            limit: AdaptiveLimit::new(),
            budget: RetryBudget::default(),
            in_flight: 0,
            by_owner: HashMap::new(),
            waiting: Vec::new(),
            next_waiter: 0,
            taken_out_by: None,
        };
        Self { name, metrics, gauges, state: Mutex::new(state), pauses: Notify::new() }
    }

    /// Whether a call would be let through now.
    pub(super) fn availability(&self, policy: &RoutingPolicy) -> Availability {
        let (state, now) = (self.lock(), Instant::now());
        if !state.breaker.admits(now) {
            return Availability::Rejecting(state.breaker.opens_at().unwrap_or(now), state.taken_out_by);
        }
        match state.limit.paused_until(now) {
            Some(end) => Availability::Busy(Some(end)),
            None if state.has_place(policy) && state.waiting.is_empty() => Availability::Free,
            None => Availability::Busy(None),
        }
    }

    /// How full it would be with one call more, in proportion to its weight.
    pub(super) fn load(&self, weight: u32) -> f64 {
        f64::from(self.lock().in_flight + 1) / f64::from(weight.max(1))
    }

    /// How long its pause after throttling still lasts, if one is on.
    pub(super) fn pause_left(&self) -> Option<Duration> {
        let now = Instant::now();
        self.lock().limit.paused_until(now).map(|end| end - now)
    }

    /// Waits for a place until `patience` ends; a moment that has passed asks once.
    ///
    /// # Errors
    /// [`CallFailure::BreakerOpen`] or [`CallFailure::TargetBusy`].
    pub(super) async fn enter(
        self: &Arc<Self>,
        entry: Entry,
        patience: Instant,
    ) -> Result<Ticket, CallFailure> {
        let (waiting, mut place) = match self.ask(entry, patience)? {
            Asked::Entered(ticket) => return Ok(ticket),
            Asked::Queued(waiting, place) => (waiting, place),
        };
        loop {
            // Asked for before the state is read, so that no pause begins unseen in between.
            let pauses = self.pauses.notified();
            let pause_ends = self.lock().limit.paused_until(Instant::now());
            let wake = pause_ends.map_or(patience, |end| end.min(patience));
            tokio::select! {
                biased;
                // The queue is dissolved when the breaker opens.
                ticket = &mut place => return ticket.map_err(|_dissolved| CallFailure::BreakerOpen),
                () = pauses => {}
                () = sleep_until(wake) => {
                    if wake >= patience {
                        drop(waiting);
                        // A place may have come at this very moment.
                        return place.try_recv().map_err(|_none| CallFailure::TargetBusy);
                    }
                    self.hand_out();
                }
            }
        }
    }

    /// Takes a repetition out of the budget, if there is one left.
    pub(super) fn withdraw_retry(&self, policy: &RoutingPolicy) -> bool {
        self.lock().budget.withdraw(policy.retry_budget_percent)
    }

    /// A repetition was taken out and not made.
    pub(super) fn give_retry_back(&self) {
        self.lock().budget.give_back();
    }

    /// A repetition was due, and the budget refused it.
    pub(super) fn count_refused_retry(&self) {
        self.metrics.retries_refused.with_label_values(&self.labels()).inc();
    }

    /// The first call of a request to this target: it pays into the retry budget.
    pub(super) fn deposit(&self, policy: &RoutingPolicy) {
        self.lock().budget.deposit(policy.retry_budget_percent);
    }

    /// The target was passed over.
    pub(super) fn count_skip(&self, reason: CallFailure) {
        let [model, region] = self.labels();
        self.metrics.targets_skipped.with_label_values(&[model, region, reason.as_str()]).inc();
    }

    /// Lets the gauges say what holds before the first call.
    pub(super) fn show_limit(&self, policy: &RoutingPolicy) {
        self.show(&self.lock(), policy);
    }

    /// The configuration names the target no more: its gauges would stand still.
    pub(super) fn forget(&self) {
        let Metrics { breaker_state, target_in_flight, target_limit, target_limit_ceiling, .. } =
            self.metrics.as_ref();
        for gauge in [breaker_state, target_in_flight, target_limit, target_limit_ceiling] {
            // A label set that is gone already is as good as removed.
            let _removed = gauge.remove_label_values(&self.labels());
        }
    }

    fn ask(self: &Arc<Self>, entry: Entry, patience: Instant) -> Result<Asked<'_>, CallFailure> {
        self.hand_out();
        let now = Instant::now();
        let mut state = self.lock();
        if !entry.forced && !state.breaker.admits(now) {
            return Err(CallFailure::BreakerOpen);
        }
        if state.waiting.is_empty()
            && state.has_place(&entry.policy)
            && state.limit.paused_until(now).is_none()
        {
            let pass = state.take(&entry, now).ok_or(CallFailure::BreakerOpen)?;
            self.show(&state, &entry.policy);
            drop(state);
            return Ok(Asked::Entered(self.ticket(entry, pass, now)));
        }
        // A pause that outlasts the patience is not worth waiting for.
        let in_vain = patience <= now || state.limit.paused_until(now).is_some_and(|end| end > patience);
        if in_vain || state.waiting.len() >= MAX_WAITING {
            return Err(CallFailure::TargetBusy);
        }
        let id = state.next_waiter;
        state.next_waiter += 1;
        let (sender, place) = oneshot::channel();
        state.waiting.push(Waiter { id, since: now, entry, place: sender });
        Ok(Asked::Queued(Waiting { gate: self, id }, place))
    }

    /// Gives free places to those who wait.
    fn hand_out(self: &Arc<Self>) {
        let mut granted = Vec::new();
        let now = Instant::now();
        let mut state = self.lock();
        if state.waiting.is_empty() {
            return;
        }
        if !state.breaker.admits(now) {
            // Nobody waits for a target that will not be called.
            state.waiting.retain(|waiter| waiter.entry.forced);
        }
        state.waiting.retain(|waiter| !waiter.place.is_closed());
        while state.limit.paused_until(now).is_none()
            && let Some(next) = state.next_in_turn(now)
            && state.has_place(&state.waiting[next].entry.policy)
        {
            let Waiter { entry, place, .. } = state.waiting.remove(next);
            match state.take(&entry, now) {
                Some(pass) => {
                    self.show(&state, &entry.policy);
                    granted.push((place, entry, pass));
                }
                // Another call is the probe: this one hears that the breaker is open.
                None => drop(place),
            }
        }
        drop(state);
        for (place, entry, pass) in granted {
            // Whoever left in between drops the ticket, and the place is free again.
            drop(place.send(self.ticket(entry, pass, now)));
        }
    }

    fn ticket(self: &Arc<Self>, entry: Entry, pass: Pass, now: Instant) -> Ticket {
        Ticket { gate: Arc::clone(self), entry, pass, began: now, lesson: None, failure: None }
    }

    fn leave(self: &Arc<Self>, ticket: &Ticket) {
        let (policy, now) = (&ticket.entry.policy, Instant::now());
        let mut state = self.lock();
        let before = state.breaker.state();
        let in_flight = state.in_flight;
        let opened_at = state.breaker.opens_at();
        let (lesson, asked_to_wait) = ticket.lesson.unwrap_or((Lesson::Nothing, None));
        match lesson {
            Lesson::Healthy => {
                state.limit.answered(&policy.limit, in_flight, ticket.began);
                state.breaker.judge(ticket.pass, Verdict::Healthy, &policy.breaker, now);
            }
            Lesson::Sick => state.breaker.judge(ticket.pass, Verdict::Sick, &policy.breaker, now),
            Lesson::Out => state.breaker.judge(ticket.pass, Verdict::Out, &policy.breaker, now),
            Lesson::Throttled => {
                state.limit.throttled(&policy.limit, in_flight, ticket.began, asked_to_wait, now);
                state.breaker.release(ticket.pass, now);
            }
            Lesson::Nothing => state.breaker.release(ticket.pass, now),
        }
        // Late results and forced calls that change nothing take nothing out either.
        if state.breaker.opens_at() != opened_at {
            state.taken_out_by = ticket.failure.filter(|_| lesson == Lesson::Out);
            if let Some(failure) = state.taken_out_by {
                let [model, region] = self.labels();
                self.metrics.targets_taken_out.with_label_values(&[model, region, failure.as_str()]).inc();
            }
        }
        state.in_flight -= 1;
        if let Some(own) = state.by_owner.get_mut(&ticket.entry.owner) {
            *own -= 1;
            if *own == 0 {
                state.by_owner.remove(&ticket.entry.owner);
            }
        }
        self.show(&state, policy);
        let after = state.breaker.state();
        drop(state);
        if after != before {
            self.tell(after);
        }
        if lesson == Lesson::Throttled {
            self.pauses.notify_waiters();
        }
        self.hand_out();
    }

    fn tell(&self, state: BreakerState) {
        let [model, region] = self.labels();
        let breaker = state.as_str();
        match state {
            BreakerState::Open => {
                tracing::warn!(model, region, breaker, "a target's breaker changed");
            }
            BreakerState::Closed | BreakerState::HalfOpen => {
                tracing::info!(model, region, breaker, "a target's breaker changed");
            }
        }
    }

    fn show(&self, state: &State, policy: &RoutingPolicy) {
        self.gauges.in_flight.set(state.in_flight.into());
        self.gauges.limit.set(state.limit.limit(&policy.limit).into());
        self.gauges.ceiling.set(policy.limit.max_in_flight.into());
        let breaker = state.breaker.state();
        let value = match breaker {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        };
        if self.gauges.breaker.get() != value {
            self.gauges.breaker.set(value);
            let [model, region] = self.labels();
            self.metrics.breaker_transitions.with_label_values(&[model, region, breaker.as_str()]).inc();
        }
    }

    fn labels(&self) -> [&str; 2] {
        [self.name.model.as_str(), self.name.region()]
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Asked<'a> {
    Entered(Ticket),
    Queued(Waiting<'a>, oneshot::Receiver<Ticket>),
}

/// A place in the queue; leaving it takes the name off the list.
struct Waiting<'a> {
    gate: &'a Gate,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gate.lock().waiting.retain(|waiter| waiter.id != self.id);
    }
}

impl State {
    fn has_place(&self, policy: &RoutingPolicy) -> bool {
        self.in_flight < self.limit.limit(&policy.limit).max(1)
    }

    /// Takes a place; `None` when the breaker lets no call through.
    fn take(&mut self, entry: &Entry, now: Instant) -> Option<Pass> {
        let pass = match self.breaker.pass(&entry.policy.breaker, now) {
            Some(pass) => pass,
            None if entry.forced => self.breaker.forced(),
            None => return None,
        };
        self.in_flight += 1;
        *self.by_owner.entry(entry.owner).or_default() += 1;
        Some(pass)
    }

    /// Who has the fewest calls here comes first; among equals, who came first. Waiting
    /// outweighs calls in time, so that small requests in a steady row do not starve a
    /// large one either.
    fn next_in_turn(&self, now: Instant) -> Option<usize> {
        let has = |waiter: &Waiter| self.by_owner.get(&waiter.entry.owner).copied().unwrap_or(0);
        let rank = |waiter: &Waiter| {
            let waited = now.saturating_duration_since(waiter.since).as_millis() / ONE_CALL_LESS.as_millis();
            u128::from(has(waiter)).saturating_sub(waited)
        };
        let places = self.waiting.iter().enumerate();
        places.min_by_key(|(_, waiter)| (rank(waiter), waiter.id)).map(|(place, _)| place)
    }
}

impl Ticket {
    /// The call gave an answer, to its end.
    pub(super) fn answered(mut self) {
        self.lesson = Some((Lesson::Healthy, None));
    }

    /// The call failed. `at_fault` is false when the caller's hurry ended it and
    /// not a clock of ours.
    pub(super) fn failed(mut self, failure: CallFailure, at_fault: bool, asked_to_wait: Option<Duration>) {
        let lesson = match lesson(failure) {
            _ if !at_fault => Lesson::Nothing,
            // One request judges a target once: a text that makes models fail is one fault.
            Lesson::Sick if self.entry.repeated => Lesson::Nothing,
            lesson => lesson,
        };
        self.lesson = Some((lesson, asked_to_wait));
        self.failure = Some(failure);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let gate = Arc::clone(&self.gate);
        gate.leave(self);
    }
}
