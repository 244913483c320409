//! Which label values can occur: the closed lists, and what the configuration names.
//!
//! Every label set that can be known exists at zero from the start, so that rates
//! and alerts work from the first scrape. A changed configuration adds its own.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{
    Api, BreakerState, CallOutcome, CallStage, ChunkStatus, CountResult, Dialect, DocumentKind, Outcome,
    ReadResult, RejectReason, ReloadResult, ScreeningResult, Strategy, StreamEnd, TokenDirection,
};
use super::metrics::{Metrics, OPERATION, PROVIDER};
use crate::domain::{CalendarDate, CallFailure, FailureCode, ModelId, Region, TaskName};

const ROUTES_AT_START: [&str; 12] = [
    "/v1/summarize",
    "/v1/rephrase",
    "/v1/expand",
    "/v1/refine",
    "/v1/generate/blog-post",
    "/v1/generate/product-description",
    "/v1/generate/social-posts",
    "/v1/chat/completions",
    "/v1/tasks/{name}",
    "/api/summarize",
    "/api/rephrase",
    "/api/expand",
];

/// The label value of the region that the service runs in.
const OWN_REGION: &str = "own";

/// A target, as labels name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetScope {
    pub model: ModelId,
    /// `None` is the region the service runs in.
    pub region: Option<Region>,
}

/// A chain's name and its targets, stage by stage.
#[derive(Debug, Clone)]
pub struct ChainScope {
    pub name: String,
    pub targets: Vec<TargetScope>,
}

/// What label values can name besides the closed lists.
#[derive(Debug, Clone, Default)]
pub struct MetricScope {
    /// Every task that can be asked for.
    pub tasks: Vec<TaskName>,
    pub chains: Vec<ChainScope>,
    /// Names of guardrails.
    pub guardrails: Vec<String>,
    /// The last days of models of the chains, where they are known.
    pub ends_of_life: BTreeMap<ModelId, CalendarDate>,
    /// Failures after which a call is repeated on the same target.
    pub retried: Vec<CallFailure>,
    /// Failures after which another target is asked.
    pub passed_on: Vec<CallFailure>,
    /// Failures that take a target out for minutes.
    pub taking_out: Vec<CallFailure>,
}

impl TargetScope {
    /// The label value of the region.
    pub fn region(&self) -> &str {
        self.region.as_ref().map_or(OWN_REGION, Region::as_str)
    }
}

impl ChainScope {
    /// Every change from one model to another that can happen, each once.
    fn changes(&self) -> BTreeSet<(&ModelId, &ModelId)> {
        let places = self.targets.iter().enumerate();
        let pairs = places.flat_map(|(place, from)| {
            let others = self.targets.iter().enumerate().filter(move |(other, _)| *other != place);
            others.map(move |(_, to)| (&from.model, &to.model))
        });
        pairs.collect()
    }
}

impl MetricScope {
    /// Targets that can be called: those of the chains, each once.
    fn targets(&self) -> BTreeSet<&TargetScope> {
        self.chains.iter().flat_map(|chain| &chain.targets).collect()
    }

    /// Their models, each once.
    fn models(&self) -> BTreeSet<&ModelId> {
        self.targets().into_iter().map(|target| &target.model).collect()
    }
}

impl Metrics {
    /// Label sets that no configuration changes.
    pub(super) fn create_fixed_label_sets(&self) {
        self.http_active_requests.with_label_values(&["POST"]);
        self.http_active_requests.with_label_values(&["GET"]);
        for route in ROUTES_AT_START {
            self.http_request_duration.with_label_values(&["POST", route, "200", ""]);
        }
        for reason in RejectReason::ALL {
            self.admission_rejected.with_label_values(&[reason.as_str()]);
        }
        for result in ReloadResult::ALL {
            self.config_reloads.with_label_values(&[result.as_str()]);
        }
        for dialect in Dialect::ALL.iter().filter(|dialect| **dialect != Dialect::Json) {
            self.streams_active.with_label_values(&[dialect.as_str()]);
            for end in StreamEnd::ALL {
                self.stream_terminations.with_label_values(&[dialect.as_str(), end.as_str()]);
            }
        }
        for kind in DocumentKind::ALL {
            self.document_read_duration.with_label_values(&[kind.as_str()]);
            for result in ReadResult::ALL {
                self.documents_read.with_label_values(&[kind.as_str(), result.as_str()]);
            }
        }
        for strategy in Strategy::ALL.iter().filter(|strategy| **strategy != Strategy::Single) {
            self.workflow_duration.with_label_values(&[strategy.as_str()]);
        }
        for task in TaskName::BUILT_IN {
            self.create_fixed_task_label_sets(task.as_str());
        }
    }

    /// Creates the label sets of these chains and models, at zero where they are new.
    /// Ends of life are those of this scope alone.
    pub fn know(&self, scope: &MetricScope) {
        self.model_ends.replace(&scope.ends_of_life);
        for task in &scope.tasks {
            self.create_fixed_task_label_sets(task.as_str());
            self.create_task_label_sets(task.as_str(), scope);
        }
        for model in scope.models() {
            self.create_model_label_sets(model.as_str(), &scope.retried);
        }
        for target in scope.targets() {
            self.create_target_label_sets(target, scope);
        }
        for guardrail in &scope.guardrails {
            for result in ScreeningResult::ALL {
                self.guardrail_screenings.with_label_values(&[guardrail, result.as_str()]);
            }
        }
    }

    fn create_fixed_task_label_sets(&self, task: &str) {
        self.overhead.with_label_values(&[task]);
        self.input_bytes.with_label_values(&[task]);
        self.document_chunks.with_label_values(&[task]);
        self.document_levels.with_label_values(&[task]);
        for status in ChunkStatus::ALL {
            self.chunks.with_label_values(&[task, status.as_str()]);
        }
        self.queue_wait.with_label_values(&[task]);
        for &dialect in Dialect::ALL {
            // A histogram has a series for each bucket. How many requests ended otherwise is counted
            // below; how long those took is of interest once there are some.
            self.request_duration.with_label_values(&[task, dialect.as_str(), Outcome::Ok.as_str()]);
            if dialect != Dialect::Json {
                for fallback in ["false", "true"] {
                    self.time_to_first_token.with_label_values(&[task, dialect.as_str(), fallback]);
                }
            }
            for &api in Api::ALL.iter().filter(|api| api.speaks(dialect) && api.has(task)) {
                let ended = |outcome: Outcome, error: &str| {
                    let labels = [task, dialect.as_str(), outcome.as_str(), error, api.as_str()];
                    self.requests.with_label_values(&labels);
                };
                ended(Outcome::Ok, "");
                for code in FailureCode::ALL.into_iter().filter(|code| api.ends_with(*code)) {
                    ended(Outcome::from(code), code.as_str());
                }
            }
        }
    }

    fn create_task_label_sets(&self, task: &str, scope: &MetricScope) {
        for model in scope.models() {
            for costs in [&self.cost_usd, &self.estimated_cost_usd] {
                costs.with_label_values(&[task, model.as_str()]);
            }
            for direction in TokenDirection::ALL {
                for tokens in [&self.tokens, &self.estimated_tokens] {
                    tokens.with_label_values(&[task, model.as_str(), direction.as_str()]);
                }
            }
        }
        for chain in &scope.chains {
            self.fallback_exhausted.with_label_values(&[task, &chain.name]);
            for (from, to) in chain.changes() {
                for failure in &scope.passed_on {
                    self.fallbacks.with_label_values(&[task, from.as_str(), to.as_str(), failure.as_str()]);
                }
            }
        }
    }

    fn create_target_label_sets(&self, target: &TargetScope, scope: &MetricScope) {
        let labels = [target.model.as_str(), target.region()];
        self.retries_refused.with_label_values(&labels);
        self.breaker_state.with_label_values(&labels);
        self.target_in_flight.with_label_values(&labels);
        self.target_limit.with_label_values(&labels);
        self.target_limit_ceiling.with_label_values(&labels);
        let [model, region] = labels;
        for to in BreakerState::ALL {
            self.breaker_transitions.with_label_values(&[model, region, to.as_str()]);
        }
        for failure in &scope.taking_out {
            self.targets_taken_out.with_label_values(&[model, region, failure.as_str()]);
        }
        for reason in [CallFailure::BreakerOpen, CallFailure::TargetBusy] {
            self.targets_skipped.with_label_values(&[model, region, reason.as_str()]);
        }
    }

    fn create_model_label_sets(&self, model: &str, retried: &[CallFailure]) {
        self.time_per_output_token.with_label_values(&[model]);
        self.unpriced_requests.with_label_values(&[model]);
        self.estimate_error.with_label_values(&[model]);
        self.estimate_ratio.with_label_values(&[model]);
        self.operation_duration.with_label_values(&[OPERATION, PROVIDER, model, model, ""]);
        self.time_to_first_chunk.with_label_values(&[OPERATION, PROVIDER, model, model]);
        for direction in ["input", "output"] {
            self.token_usage.with_label_values(&[OPERATION, PROVIDER, model, model, direction]);
        }
        for &stage in CallStage::ALL {
            for &outcome in CallOutcome::ALL {
                self.model_calls.with_label_values(&[model, outcome.as_str(), stage.as_str()]);
            }
        }
        for result in CountResult::ALL {
            self.count_tokens.with_label_values(&[model, result.as_str()]);
        }
        for failure in retried {
            self.retries.with_label_values(&[model, failure.as_str()]);
        }
    }
}
