//! One use case: a writing task from admission to its last event.
//!
//! Owns admission, the plan (which chain, does the text fit) and the run, which
//! tells the work as a stream of [`Event`]s. There is one pipeline and there are
//! two folds of it, both in `http`: one JSON answer, or the events one by one.
//! Nothing is spawned: whoever drops a run ends it, upstream included.

pub mod admission;
mod event;
mod ledger;
mod live;
mod plan;
mod run;

pub use event::{
    AttemptReport, Done, Event, Failure, OnFailover, Reset, Started, Timing, UsageReport, Warning,
    WarningCode,
};
pub use ledger::ModelUsage;
pub use live::{Deadlines, Live};
pub use plan::{ChainChoice, Limits, Plan, PlanError, Preference};
pub use run::Run;

// Words of routing that are part of this room's own interface.
pub use crate::routing::{Catalogue, Chain, Deadline, Fallback, FinishReason, Mode, Model, WeightedTarget};

use std::sync::{Arc, PoisonError, RwLock};

use admission::{Admission, AdmissionPolicy, Permit, Refusal};
use tokio_util::sync::CancellationToken;

use crate::domain::TaskKind;
use crate::routing::{RouteOptions, Router};
use crate::telemetry::{Metrics, RequestRecord};

/// What a model of ordinary speed (60 tokens a second) writes well within the
/// `answer` clock's default of 25 s.
const LONGEST_WHOLE_ANSWER_TOKENS: u32 = 1000;

/// The pipeline, built once.
pub struct Pipeline {
    router: Arc<Router>,
    /// Replaced as a whole; a request keeps the one that it began with.
    live: RwLock<Arc<Live>>,
    admission: Admission,
    metrics: Arc<Metrics>,
    cut: CancellationToken,
}

impl Pipeline {
    /// Puts the pipeline together.
    pub fn new(router: Router, live: Live, admission: AdmissionPolicy, metrics: Arc<Metrics>) -> Self {
        let admission = Admission::new(admission, Arc::clone(&metrics));
        router.adopt(&live.catalogue, &live.routing);
        let live = RwLock::new(Arc::new(live));
        Self { router: Arc::new(router), live, admission, metrics, cut: CancellationToken::new() }
    }

    /// What requests that begin now go by.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets requests that begin from now on go by `live`; those that run keep theirs.
    pub fn replace(&self, live: Live) {
        let live = Arc::new(live);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&live);
        self.router.adopt(&live.catalogue, &live.routing);
    }

    /// The most tokens a document of this task may have on its default chain, with
    /// its default options.
    pub fn input_quota(&self, kind: TaskKind) -> u32 {
        let live = self.live();
        plan::quota(kind, live.catalogue.task_chain(kind), live.limits)
    }

    /// Waits for the right to run.
    ///
    /// # Errors
    /// [`Refusal`] when it cannot be had before the deadline or the service stops.
    pub async fn admit(&self, task: TaskKind, deadline: Deadline) -> Result<Permit, Refusal> {
        self.admission.admit(task, deadline).await
    }

    /// Changes how many requests run and wait; nobody who does is sent away.
    pub fn set_admission(&self, policy: AdmissionPolicy) {
        self.admission.set_policy(policy);
    }

    /// Takes no more requests; those that run go on.
    pub fn close(&self) {
        self.admission.close();
    }

    /// Ends every run: each tells that the service stops, and its call ends.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// Comes back once [`Pipeline::cut`] was called.
    pub async fn until_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Starts the work; the first event is there at once, before any model is called.
    ///
    /// A long answer is asked for in pieces whatever the caller wants: the `answer`
    /// clock of a whole call would end it on every model, and each would be billed.
    pub fn run(
        &self,
        plan: Plan,
        permit: Permit,
        mode: Mode,
        on_failover: OnFailover,
        deadline: Deadline,
        record: RequestRecord,
    ) -> Run {
        let long = plan.request.output.expected_tokens > LONGEST_WHOLE_ANSWER_TOKENS;
        let mode = if long { Mode::Pieces } else { mode };
        let route = self.router.start(RouteOptions {
            chain: Arc::clone(&plan.chain),
            task: plan.task,
            request: plan.request.clone(),
            policy: Arc::clone(&plan.live.routing),
            mode,
            deadline,
            owner: self.router.owner(),
        });
        Run::new(plan, route, permit, on_failover, Arc::clone(&self.metrics), record, self.cut.clone())
    }
}
