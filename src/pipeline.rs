//! One use case: a writing task from admission to its last event.
//!
//! Owns admission, the plan (which chain, in which parts, at what cost) and the run,
//! which tells the work as a stream of [`Event`]s. There is one pipeline and there are
//! two folds of it, both in `http`: one JSON answer, or the events one by one.
//! Nothing is spawned for a run: whoever drops it ends it, every call upstream included.

pub mod admission;
mod books;
mod choice;
mod desk;
mod estimator;
mod event;
mod fan_out;
mod forecast;
mod kept_parts;
mod layout;
mod ledger;
mod live;
mod patience;
mod plan;
mod prefixes;
mod progress;
mod run;
mod work;
mod workflow;

pub use choice::{ChainChoice, Preference};
pub use desk::Manners;
pub use event::{
    AttemptReport, ChunkChange, ChunkCounts, ChunkState, Done, Event, Failure, FallbackReport, OnChunkError,
    OnFailover, Partial, ProgressReport, Reset, Stage, Started, SuggestionReport, Timing, UsageReport,
    Warning, WarningCode,
};
pub use forecast::Forecast;
pub use kept_parts::KeepPolicy;
pub use ledger::ModelUsage;
pub use live::{Deadlines, Limits, Live, OwnTasks};
pub use plan::{Plan, PlanError};
pub use run::Run;

// Words of routing and telemetry that are part of this room's own interface.
pub use crate::routing::{Catalogue, Chain, Deadline, Fallback, FinishReason, Mode, Model, WeightedTarget};
pub use crate::telemetry::Strategy;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use admission::{Admission, AdmissionPolicy, Permit, Refusal};
use tokio_util::sync::CancellationToken;

use self::books::Books;
use self::desk::Desk;
use self::estimator::Estimator;
use self::kept_parts::KeptParts;
use self::layout::Layout;
use self::plan::{Draft, Order};
use self::prefixes::{Alike, Prefixes};
use crate::domain::{Fences, InputSize, ModelId, OutputSize, Prompt, RequestMetadata, TaskName};
use crate::routing::{RouteRequest, Router};
use crate::tasks::{Task, Wanted};
use crate::telemetry::{Metrics, RequestRecord};

/// Documents of more bytes than this are looked at off the threads that serve requests.
const LARGE_DOCUMENT_BYTES: usize = 128 * 1024;

/// How long a model's own count of a text may take, when it could change the plan.
const COUNT_PATIENCE: Duration = Duration::from_secs(1);

/// The pipeline, built once.
pub struct Pipeline {
    router: Arc<Router>,
    /// Replaced as a whole; a request keeps the one that it began with.
    live: RwLock<Arc<Live>>,
    admission: Admission,
    estimator: Arc<Estimator>,
    kept: Arc<KeptParts>,
    prefixes: Arc<Prefixes>,
    fences: Arc<Fences>,
    metrics: Arc<Metrics>,
    cut: CancellationToken,
}

/// What a request would take, for whoever asks before it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    pub chain: Arc<str>,
    /// The model that is asked first.
    pub model: ModelId,
    pub forecast: Forecast,
    /// The most tokens that the task takes.
    pub quota: u32,
    /// Whether the input tokens are the model's own count.
    pub exact: bool,
    /// The limit that the request exceeds, if it does.
    pub excess: Option<PlanError>,
}

impl Pipeline {
    /// Puts the pipeline together.
    pub fn new(router: Router, live: Live, admission: AdmissionPolicy, metrics: Arc<Metrics>) -> Self {
        let admission = Admission::new(admission, Arc::clone(&metrics));
        router.adopt(&live.catalogue, &live.routing);
        Self {
            router: Arc::new(router),
            live: RwLock::new(Arc::new(live)),
            admission,
            estimator: Arc::new(Estimator::new(Arc::clone(&metrics))),
            kept: Arc::new(KeptParts::new()),
            prefixes: Arc::default(),
            fences: Arc::default(),
            metrics,
            cut: CancellationToken::new(),
        }
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
    pub fn input_quota(&self, wanted: &Wanted) -> u32 {
        plan::quota(wanted, &self.live(), &self.estimator, &self.kept, &self.fences)
    }

    /// Finds the chain and lays the work out. It calls no model to write anything; where
    /// the text is close to a limit, a model may be asked to count it.
    ///
    /// # Errors
    /// When the chain does not exist or the request is beyond a limit.
    pub async fn plan(
        &self,
        live: &Arc<Live>,
        task: &Task,
        choice: &ChainChoice,
        deadline: Deadline,
    ) -> Result<Plan, PlanError> {
        let (draft, _) = self.draft(live, task, choice, deadline, Order::draft).await?;
        draft.excess.map_or(Ok(draft.plan), Err)
    }

    /// What the request would take, also when it is beyond a limit.
    ///
    /// # Errors
    /// When the chain does not exist or no model of it could take any part of the text.
    pub async fn measure(
        &self,
        live: &Arc<Live>,
        task: &Task,
        choice: &ChainChoice,
        deadline: Deadline,
    ) -> Result<Measure, PlanError> {
        let (draft, exact) = self.draft(live, task, choice, deadline, Order::full_draft).await?;
        let Draft { plan, excess, quota, .. } = draft;
        let model = plan.chain.stages[0].targets[0].target.model.id.clone();
        let chain = Arc::clone(&plan.chain.name);
        Ok(Measure { chain, model, forecast: plan.forecast, quota, exact, excess })
    }

    /// The plan, and whether it stands on an exact count.
    async fn draft(
        &self,
        live: &Arc<Live>,
        task: &Task,
        choice: &ChainChoice,
        deadline: Deadline,
        way: fn(&Order) -> Result<Draft, PlanError>,
    ) -> Result<(Draft, bool), PlanError> {
        let mut order = Order::new(task, choice, live, &self.estimator, &self.kept, &self.fences)?;
        let draft = drafted(&mut order, way).await?;
        if !draft.is_close {
            return Ok((draft, false));
        }
        let target = &order.chain.stages[0].targets[0].target;
        let patience = COUNT_PATIENCE.min(deadline.time_left() / 4);
        let Some(tokens) = self.router.count_tokens(&document_alone(&order), target, patience).await else {
            return Ok((draft, false));
        };
        order.correction = Some(self.estimator.correction(&order.profile, &target.model, tokens));
        Ok((drafted(&mut order, way).await?, true))
    }

    /// Waits for the right to run.
    ///
    /// # Errors
    /// [`Refusal`] when it cannot be had before the deadline or the service stops.
    pub async fn admit(&self, task: &TaskName, deadline: Deadline) -> Result<Permit, Refusal> {
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

    /// How many calls of the work begin alike.
    fn alike(&self, plan: &Plan) -> Alike {
        let max_parallel = plan.live.limits.max_parallel;
        let calls = plan.layout.parts().len().max(1);
        match &plan.layout {
            Layout::Single(_) | Layout::Checked { .. } | Layout::Refined { .. } => {
                Alike { calls, at_once: 1 }
            }
            Layout::Joined { .. } | Layout::Reduced { .. } => {
                Alike { calls, at_once: max_parallel.min(calls) }
            }
            // Where an earlier request began so, the next ones will, and it pays as for one call alone.
            Layout::Several { first, .. }
                if self.prefixes.was_sent(first.request.prompt.split_system().0, &plan.chain.name) =>
            {
                Alike { calls: 1, at_once: 1 }
            }
            Layout::Several { task, .. } => {
                let calls = usize::try_from(task.suggestions()).unwrap_or(usize::MAX);
                Alike { calls, at_once: max_parallel.min(calls) }
            }
        }
    }

    /// Starts the work; the first event is there at once, before any model is called.
    pub fn run(
        &self,
        plan: Plan,
        permit: Permit,
        manners: Manners,
        warnings: Vec<Warning>,
        deadline: Deadline,
        record: RequestRecord,
    ) -> Run {
        let alike = self.alike(&plan);
        let catalogue = &plan.live.catalogue;
        let guardrail = catalogue.task_guardrails.get(&plan.task).or(plan.chain.guardrail.as_ref()).cloned();
        let metadata = Arc::new(metadata(&plan.task, &record));
        let desk = Desk {
            task: plan.task,
            guardrail,
            metadata,
            chain: plan.chain,
            live: plan.live,
            temperature: plan.temperature,
            deadline,
            owner: self.router.owner(),
            manners,
            router: Arc::clone(&self.router),
            estimator: Arc::clone(&self.estimator),
            kept: Arc::clone(&self.kept),
            prefixes: Arc::clone(&self.prefixes),
            fences: Arc::clone(&self.fences),
            alike,
            books: Arc::new(Books::default()),
            metrics: Arc::clone(&self.metrics),
        };
        Run::new(desk, plan.layout, plan.cut, warnings, permit, record, self.cut.clone())
    }
}

/// Looks at the document and makes the plan, off the threads that serve requests where
/// it takes long.
async fn drafted(order: &mut Order, way: fn(&Order) -> Result<Draft, PlanError>) -> Result<Draft, PlanError> {
    if order.task.text_bytes() <= LARGE_DOCUMENT_BYTES {
        order.look();
        return way(order);
    }
    let mut elsewhere = order.clone();
    let work = tokio::task::spawn_blocking(move || {
        elsewhere.look();
        let draft = way(&elsewhere);
        (elsewhere.profile, draft)
    });
    match work.await {
        Ok((profile, draft)) => {
            order.profile = profile;
            draft
        }
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The document as a prompt of its own, for a model to count.
fn document_alone(order: &Order) -> RouteRequest {
    let document = order.document.clone();
    let output = OutputSize { expected_tokens: 1, max_tokens: 1 };
    RouteRequest::of(
        Prompt::of_document(document),
        InputSize::of_any_model(order.profile.base_tokens()),
        output,
    )
}

/// What the account's own log is told about every call of a request.
fn metadata(task: &TaskName, record: &RequestRecord) -> RequestMetadata {
    let metadata = RequestMetadata::default()
        .with("task", task.as_str())
        .with("request_id", record.request_id().as_str());
    match record.tenant() {
        Some(tenant) => metadata.with("tenant", tenant.as_str()),
        None => metadata,
    }
}
