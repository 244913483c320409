//! Counting a prompt's tokens: what a model makes of it, before it is called.
//!
//! Owns how often and how long models are asked, and which of them cannot count.
//! A count is an answer worth having only if it comes soon, so every failure is
//! simply no count: the caller has an estimate. Counting is free and has a quota of
//! its own, so it passes by the gates and teaches them nothing. The one rule: a
//! model that cannot count is not asked again on every request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::catalogue::Target;
use super::fit::{RouteRequest, call};
use super::router::Router;
use crate::domain::ModelId;
use crate::inference::BackendError;
use crate::telemetry::CountResult;

/// More would wait in line for an answer that is wanted at once.
const AT_ONCE: usize = 8;
/// Accounts and models change: a model that could not count may be asked again then.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// What the router knows about counting.
#[derive(Debug)]
pub(super) struct Counting {
    places: Semaphore,
    /// Models that cannot count, and when they said so.
    uncountable: Mutex<HashMap<ModelId, Instant>>,
}

impl Default for Counting {
    fn default() -> Self {
        Self { places: Semaphore::new(AT_ONCE), uncountable: Mutex::default() }
    }
}

impl Counting {
    fn may_ask(&self, model: &ModelId) -> bool {
        self.lock().get(model).is_none_or(|since| since.elapsed() >= ASK_AGAIN_AFTER)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ModelId, Instant>> {
        self.uncountable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Router {
    /// The input tokens that the target's model makes of the request, also when the
    /// request is too large for it. `None` when it cannot count, did not within
    /// `patience`, or too many others are being asked: then an estimate has to do.
    pub async fn count_tokens(
        &self,
        request: &RouteRequest,
        target: &Target,
        patience: Duration,
    ) -> Option<u64> {
        let model = &target.model.id;
        if !self.counting.may_ask(model) {
            return None;
        }
        let _place = self.counting.places.try_acquire().ok()?;
        // Only the prompt is counted, so that it need not fit.
        let call = call(request, target, request.output.max_tokens);
        let outcome = timeout(patience, self.backend.count_tokens(&call)).await;
        let (result, count) = match outcome {
            Ok(Ok(count)) => (CountResult::Counted, Some(count)),
            Ok(Err(error)) => (self.no_count(model, &error), None),
            Err(_) => (CountResult::TimedOut, None),
        };
        self.metrics.count_tokens.with_label_values(&[model.as_str(), result.as_str()]).inc();
        count
    }

    fn no_count(&self, model: &ModelId, error: &BackendError) -> CountResult {
        let (failure, cause) = (error.kind.as_str(), &error.cause);
        if error.means_uncountable() {
            self.counting.lock().insert(model.clone(), Instant::now());
            tracing::info!(model = model.as_str(), failure, cause, "a model does not count tokens");
            CountResult::Unsupported
        } else {
            tracing::debug!(model = model.as_str(), failure, cause, "counting tokens failed");
            CountResult::Failed
        }
    }
}
