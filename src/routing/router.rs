//! The router: what all requests share on their way to models.
//!
//! Owns the backend, a gate per target, and what the operator is told about
//! targets that reject what they are asked. It outlives every configuration:
//! what was learnt about a target is kept when the chains around it change.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::attempt::AttemptError;
use super::catalogue::{Catalogue, Target};
use super::counting::Counting;
use super::decide::Next;
use super::gate::{Gate, Owner};
use super::route::{Route, RouteOptions, RoutingPolicy};
use super::screening::LOOKS_AT_ONCE;
use crate::domain::{CallFailure, ModelId, Region};
use crate::inference::{ModelBackend, ModelCall};
use crate::telemetry::Metrics;

/// A fault of the set-up is told once in this time per model, not once per request.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The gates of one model, by region: a handful at most.
type GatesOfModel = Vec<(Option<Region>, Arc<Gate>)>;

/// Sends requests along chains.
pub struct Router {
    pub(super) backend: Arc<dyn ModelBackend>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) counting: Counting,
    /// Places for guardrails' looks at documents.
    pub(super) looks: Semaphore,
    gates: RwLock<HashMap<ModelId, GatesOfModel>>,
    owners: AtomicU64,
    /// When the operator was last told of a fault of a model's set-up.
    told: Mutex<HashMap<(ModelId, CallFailure), Instant>>,
}

impl Router {
    /// A router over `backend`.
    pub fn new(backend: Arc<dyn ModelBackend>, metrics: Arc<Metrics>) -> Self {
        Self {
            backend,
            metrics,
            counting: Counting::default(),
            looks: Semaphore::new(LOOKS_AT_ONCE),
            gates: RwLock::default(),
            owners: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    /// A name for the calls of one request.
    pub fn owner(&self) -> Owner {
        Owner(self.owners.fetch_add(1, Ordering::Relaxed))
    }

    /// Starts at the chain's first stage; nothing is called yet.
    pub fn start(self: &Arc<Self>, options: RouteOptions) -> Route {
        Route::new(Arc::clone(self), options)
    }

    /// Gets ready for the targets of a configuration and forgets those that it does
    /// not name. What was learnt about the others is kept, and calls that run are
    /// not touched.
    pub fn adopt(&self, catalogue: &Catalogue, policy: &RoutingPolicy) {
        let targets: Vec<&Target> = catalogue.chains.values().flat_map(|chain| chain.targets()).collect();
        let named = |model: &ModelId, region: &Option<Region>| {
            targets.iter().any(|target| target.model.id == *model && target.region == *region)
        };
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|model, by_region| {
            for (_, gate) in by_region.extract_if(.., |(region, _)| !named(model, region)) {
                gate.forget();
            }
            !by_region.is_empty()
        });
        drop(gates);
        for target in targets {
            self.gate(target).show_limit(policy);
        }
    }

    /// The gate of a target.
    pub(super) fn gate(&self, target: &Target) -> Arc<Gate> {
        let known = |gates: &HashMap<ModelId, GatesOfModel>| {
            let by_region = gates.get(&target.model.id)?;
            by_region.iter().find(|(region, _)| *region == target.region).map(|(_, gate)| Arc::clone(gate))
        };
        if let Some(gate) = known(&self.gates.read().unwrap_or_else(PoisonError::into_inner)) {
            return gate;
        }
        let mut gates = self.gates.write().unwrap_or_else(PoisonError::into_inner);
        // Another request may have been quicker.
        known(&gates).unwrap_or_else(|| {
            let gate = Arc::new(Gate::new(target, Arc::clone(&self.metrics)));
            let by_region = gates.entry(target.model.id.clone()).or_default();
            by_region.push((target.region.clone(), Arc::clone(&gate)));
            gate
        })
    }

    /// A fault of the set-up deserves the operator's eye even when the next target
    /// answers; what passes by itself does not.
    pub(super) fn tell_operator(&self, call: &ModelCall, error: &AttemptError, next: Next) {
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
                next = next.as_str(),
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
