//! Routes over a scripted backend on paused time: what a chain does as a whole.

mod balance;
mod counting;
mod health;
mod quota;
mod restart;

use std::sync::Arc;
use std::time::Duration;

use super::{
    Answer, Attempt, Backoff, BreakerPolicy, Chain, Clocks, Deadline, Fallback, LimitPolicy, Mode, Model,
    Piece, Progress, RouteError, RouteOptions, RouteRequest, Router, RoutingPolicy, Stage, Target,
    WeightedTarget,
};
use crate::domain::{CallFailure, InputSize, OutputSize, Prompt, Region, TaskKind, TokenUsage};
use crate::inference::scripted::{ScriptedBackend, Turn};
use crate::inference::{BackendError, Completion, ModelBackend, StopReason};
use crate::telemetry::{CallStage, MetricScope, Metrics};

pub(super) const POLICY: RoutingPolicy = RoutingPolicy {
    clocks: Clocks {
        answer: Duration::from_secs(25),
        first_event: Duration::from_secs(15),
        idle: Duration::from_secs(20),
        attempt: Duration::from_secs(240),
    },
    backoff: Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(2) },
    max_retries: 1,
    retry_budget_percent: 20,
    place_wait: Duration::from_secs(5),
    breaker: BreakerPolicy {
        consecutive_failures: 3,
        failure_percent: 50,
        window: Duration::from_secs(30),
        min_calls: 20,
        open: Duration::from_secs(5),
        open_cap: Duration::from_secs(120),
        probe: Duration::from_secs(60),
        out: Duration::from_secs(300),
    },
    limit: LimitPolicy { max_in_flight: 256, min_in_flight: 1, decrease_percent: 50 },
};

/// A router, a chain and the way to ask it.
pub(super) struct Bench {
    pub backend: Arc<ScriptedBackend>,
    pub router: Arc<Router>,
    pub metrics: Arc<Metrics>,
    pub policy: RoutingPolicy,
    pub chain: Arc<Chain>,
}

/// How a request went.
#[derive(Debug)]
pub(super) struct Went {
    /// The model that answered, or the error.
    pub end: Result<String, RouteError>,
    pub attempts: Vec<Attempt>,
    pub fallbacks: Vec<Fallback>,
    pub text: String,
}

impl Bench {
    /// A chain of stages, written as `"a.one|b.two, c.three"`.
    pub(super) fn of(stages: &str) -> Self {
        let backend = Arc::new(ScriptedBackend::default());
        Self::over(Arc::clone(&backend), backend as Arc<dyn ModelBackend>, stages)
    }

    pub(super) fn over(scripted: Arc<ScriptedBackend>, backend: Arc<dyn ModelBackend>, stages: &str) -> Self {
        let metrics = Arc::new(Metrics::new(&MetricScope::default()));
        let router = Arc::new(Router::new(backend, Arc::clone(&metrics)));
        let chain = Arc::new(Chain {
            name: "main".into(),
            stages: stages.split(", ").map(stage).collect(),
            guardrail: None,
        });
        Self { backend: scripted, router, metrics, policy: POLICY, chain }
    }

    pub(super) fn options(&self, mode: Mode, deadline: Duration) -> RouteOptions {
        RouteOptions {
            chain: Arc::clone(&self.chain),
            task: TaskKind::Summarize.into(),
            stage: CallStage::Single,
            request: request(),
            policy: Arc::new(self.policy),
            mode,
            deadline: Deadline::after(deadline),
            owner: self.router.owner(),
        }
    }

    /// Asks for a whole answer.
    pub(super) async fn ask(&self) -> Went {
        self.ask_within(Duration::from_secs(60)).await
    }

    pub(super) async fn ask_within(&self, deadline: Duration) -> Went {
        self.drive(self.options(Mode::Whole, deadline), false).await
    }

    /// Asks for an answer in pieces and reads it to its end.
    pub(super) async fn stream(&self, may_restart: bool) -> Went {
        self.drive(self.options(Mode::Pieces, Duration::from_secs(300)), may_restart).await
    }

    async fn drive(&self, options: RouteOptions, may_restart: bool) -> Went {
        let mut route = self.router.start(options);
        route.first_model();
        let (mut fallbacks, mut text) = (Vec::new(), String::new());
        let end = loop {
            match route.advance().await {
                Ok(Progress::FellBack(fallback)) => fallbacks.push(fallback),
                Ok(Progress::Answered(model, Answer::Whole { text: whole, .. })) => {
                    text = whole;
                    break Ok(model.as_str().to_owned());
                }
                Ok(Progress::Answered(model, Answer::Open(mut answer))) => {
                    let broken = loop {
                        match answer.next().await {
                            Ok(Piece::Text(piece)) => text.push_str(&piece),
                            Ok(Piece::End { .. }) => break None,
                            Err(broken) => break Some(broken),
                        }
                    };
                    let Some(broken) = broken else { break Ok(model.as_str().to_owned()) };
                    match route.broke_off(&broken.error, may_restart) {
                        Ok(()) => text.clear(),
                        Err(error) => break Err(error),
                    }
                }
                Err(error) => break Err(error),
            }
        };
        Went { end, attempts: route.attempts().to_vec(), fallbacks, text }
    }

    /// The next call of `model` is answered after that time.
    pub(super) fn answers(&self, model: &str, after: Duration) {
        self.backend.then(model, answer(after));
    }

    /// The next call of `model` fails at once.
    pub(super) fn fails(&self, model: &str, failure: CallFailure) {
        self.backend.then(model, fail(failure));
    }

    /// The models called so far, in order.
    pub(super) fn called(&self) -> Vec<String> {
        self.backend.calls().iter().map(|call| call.model.as_str().to_owned()).collect()
    }
}

impl Went {
    /// Model and what became of it, in order.
    pub(super) fn trail(&self) -> Vec<(&str, &str)> {
        let word = |attempt: &Attempt| attempt.failure.map_or("ok", CallFailure::as_str);
        self.attempts.iter().map(|attempt| (attempt.model.as_str(), word(attempt))).collect()
    }

    pub(super) fn model(&self) -> &str {
        self.end.as_deref().unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    pub(super) fn error(&self) -> &RouteError {
        self.end.as_ref().err().unwrap_or_else(|| panic!("an answer of {}", self.model()))
    }
}

pub(super) fn answer(after: Duration) -> Turn {
    let usage = TokenUsage { input_tokens: 100, output_tokens: 10, ..TokenUsage::default() };
    let completion = Completion {
        text: "A short answer.".into(),
        stop_reason: StopReason::EndTurn,
        usage: Some(usage.into()),
    };
    Turn::Answer { after, completion }
}

pub(super) fn fail(failure: CallFailure) -> Turn {
    Turn::Fail { after: Duration::ZERO, error: BackendError::new(failure, "scripted") }
}

/// `"a.one@eu-west-1*3|b.two"`: targets with a region and a weight.
fn stage(text: &str) -> Stage {
    let target = |text: &str| {
        let (text, weight) = text.split_once('*').unwrap_or((text, "1"));
        let (id, region) = match text.split_once('@') {
            Some((id, region)) => (id, Some(Region::new(region))),
            None => (text, None),
        };
        let target = Target { model: model(id), region };
        WeightedTarget { target, weight: weight.parse().unwrap() }
    };
    Stage { targets: text.split('|').map(target).collect() }
}

fn model(id: &str) -> Arc<Model> {
    Arc::new(Model::sample(id, 100_000, 5_000))
}

fn request() -> RouteRequest {
    let output = OutputSize { expected_tokens: 50, max_tokens: 75 };
    RouteRequest::of(Prompt::of_document("x".into()), InputSize::of_any_model(100), output)
}
