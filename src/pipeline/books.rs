//! The books of a run: every call's tokens, attempts and time, whoever makes the call.
//!
//! Owns the sums that the answer, the log line and the counters tell. Calls of one
//! run may end in any order and also by being dropped; each writes itself down
//! exactly once. Closed once, by the run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::event::AttemptReport;
use super::ledger::Ledger;
use crate::domain::{Metered, ModelId};
use crate::routing::{Attempt, Model, Route};

/// The books, shared by all work of a run.
#[derive(Default)]
pub(super) struct Books(Mutex<Accounts>);

/// What stands in them.
#[derive(Default)]
pub(super) struct Accounts {
    pub ledger: Ledger,
    pub attempts: Vec<AttemptReport>,
    /// Calls made whose end is known.
    pub calls: u32,
    /// Calls that were left while they ran.
    pub left: u32,
    /// The model that worked last.
    pub last_model: Option<ModelId>,
    /// Of work that was done one after the other.
    pub upstream: Duration,
    /// Of the last call, to the end of its answer.
    pub last_call: Option<Duration>,
}

impl Books {
    /// Adds the tokens of one call.
    pub(super) fn add(&self, model: &Arc<Model>, metered: Metered, estimated: bool) {
        self.lock().ledger.add(model, metered, estimated);
    }

    /// Writes down the calls of a route that has ended or is left. `writing` is how long the
    /// last one went on after its first word.
    pub(super) fn close(&self, route: &Route, upstream: Duration, writing: Duration) {
        let mut accounts = self.lock();
        let in_flight = route.in_flight();
        accounts.calls = accounts.calls.saturating_add(route.calls_made());
        accounts.left += u32::from(in_flight.is_some());
        let last = in_flight.or(route.attempts().last().map(|attempt| &attempt.model));
        if let Some(model) = last {
            accounts.last_model = Some(model.clone());
        }
        if let Some(attempt) = route.attempts().last() {
            accounts.last_call = Some(attempt.latency + writing);
        }
        accounts.upstream += upstream;
        accounts.attempts.extend(route.attempts().iter().map(report));
    }

    /// What stands in them now.
    pub(super) fn lock(&self) -> MutexGuard<'_, Accounts> {
        // Sums stay right wherever a panic stopped: each change is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report(attempt: &Attempt) -> AttemptReport {
    AttemptReport {
        model: attempt.model.clone(),
        region: attempt.region.clone(),
        failure: attempt.failure,
        called: attempt.was_called(),
        latency: attempt.latency,
    }
}
