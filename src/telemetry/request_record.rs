//! Records one task request exactly once: its metrics and its one log line.
//!
//! The record travels with the answer, inside the stream's body, so a client
//! that goes away drops it and is counted as cancelled. It holds sizes, names
//! and times; it has no field that could hold a word of the document.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::labels::{Api, Dialect, Outcome, Strategy, StreamEnd};
use super::metrics::Metrics;
use crate::domain::{Cost, FailureCode, ModelId, RequestId, TaskName, Tenant, TokenUsage};

/// What is known about how a request was served, as far as it got.
#[derive(Debug, Clone, Default)]
pub struct Served {
    pub generation: Option<String>,
    pub chain: Option<Arc<str>>,
    pub model: Option<ModelId>,
    pub strategy: Option<Strategy>,
    /// Parts of the document, and those of which nothing is in the answer.
    pub chunks: u32,
    pub chunks_failed: u32,
    pub attempts: u32,
    pub fallback: bool,
    pub usage: TokenUsage,
    /// Whether some of the usage is an estimate.
    pub usage_estimated: bool,
    /// `None` while nothing was billed or when a price is missing.
    pub cost: Option<Cost>,
    pub queue: Duration,
    /// Time spent on model calls and waits between them.
    pub upstream: Duration,
}

/// A task request that runs.
pub struct RequestRecord {
    metrics: Arc<Metrics>,
    started: Instant,
    task: TaskName,
    api: Api,
    dialect: Dialect,
    streaming: bool,
    request_id: RequestId,
    /// Who the request is made for, where that is told.
    tenant: Option<Tenant>,
    input_bytes: Option<usize>,
    /// How long the client took to send the body.
    upload: Duration,
    time_to_first_token: Option<Duration>,
    pub served: Served,
    ended: bool,
}

impl RequestRecord {
    /// Starts the clock. The dialect is JSON until the request says otherwise.
    pub fn start(
        metrics: &Arc<Metrics>,
        task: impl Into<TaskName>,
        api: Api,
        request_id: &RequestId,
    ) -> Self {
        Self::started_at(Instant::now(), metrics, task, api, request_id)
    }

    /// The same for a request that came in earlier, and whose body had to be read to know its task.
    pub fn started_at(
        started: Instant,
        metrics: &Arc<Metrics>,
        task: impl Into<TaskName>,
        api: Api,
        request_id: &RequestId,
    ) -> Self {
        Self {
            metrics: Arc::clone(metrics),
            started,
            task: task.into(),
            api,
            dialect: Dialect::Json,
            streaming: false,
            request_id: request_id.clone(),
            tenant: None,
            input_bytes: None,
            upload: Duration::ZERO,
            time_to_first_token: None,
            served: Served::default(),
            ended: false,
        }
    }

    /// The id of the request.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Who the request is made for, where that was told.
    pub fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }

    /// Who the request is made for.
    pub fn set_tenant(&mut self, tenant: Option<Tenant>) {
        self.tenant = tenant;
    }

    /// The body has been read: what came before was the client's time.
    pub fn body_arrived(&mut self) {
        self.upload = self.started.elapsed();
    }

    /// How long the client took to send the body.
    pub fn upload(&self) -> Duration {
        self.upload
    }

    /// The representation that was asked for.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// The size of the document.
    #[expect(clippy::cast_precision_loss, reason = "document sizes stay far below 2^52")]
    pub fn set_input_bytes(&mut self, bytes: usize) {
        self.input_bytes = Some(bytes);
        self.metrics.input_bytes.with_label_values(&[self.task.as_str()]).observe(bytes as f64);
    }

    /// The answer's head has been sent, its body follows piece by piece.
    pub fn stream_opened(&mut self) {
        self.streaming = true;
        self.metrics.streams_active.with_label_values(&[self.dialect.as_str()]).inc();
    }

    /// The first piece of text leaves.
    pub fn first_token(&mut self) {
        if self.time_to_first_token.is_none() && self.dialect != Dialect::Json {
            let time = self.started.elapsed();
            self.time_to_first_token = Some(time);
            let fallback = if self.served.fallback { "true" } else { "false" };
            self.metrics
                .time_to_first_token
                .with_label_values(&[self.task.as_str(), self.dialect.as_str(), fallback])
                .observe(time.as_secs_f64());
        }
    }

    /// Time since the request came in.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The request was answered.
    pub fn succeeded(mut self) {
        self.end(None, None);
    }

    /// The request failed; `cause` is the operator's text, if it says more than the code.
    pub fn failed(mut self, code: FailureCode, cause: Option<&str>) {
        self.end(Some(code), cause);
    }

    /// The work was dropped: the client went away, or the work panicked.
    pub fn abandoned(mut self) {
        self.end(Some(abandonment()), None);
    }

    fn end(&mut self, code: Option<FailureCode>, cause: Option<&str>) {
        self.ended = true;
        let total = self.started.elapsed();
        let outcome = code.map_or(Outcome::Ok, Outcome::from);
        let (task, dialect) = (self.task.as_str(), self.dialect.as_str());
        let error = code.map_or("", FailureCode::as_str);
        let metrics = &self.metrics;
        metrics
            .requests
            .with_label_values(&[task, dialect, outcome.as_str(), error, self.api.as_str()])
            .inc();
        metrics
            .request_duration
            .with_label_values(&[task, dialect, outcome.as_str()])
            .observe(total.as_secs_f64());
        if outcome == Outcome::Ok && self.dialect == Dialect::Json {
            let others = self.served.upstream + self.served.queue + self.upload;
            let ours = total.saturating_sub(others);
            metrics.overhead.with_label_values(&[task]).observe(ours.as_secs_f64());
        }
        if self.streaming {
            let end = match code {
                None => StreamEnd::Done,
                Some(FailureCode::Cancelled) => StreamEnd::ClientDisconnect,
                Some(FailureCode::ShuttingDown) => StreamEnd::Shutdown,
                Some(_) => StreamEnd::Error,
            };
            metrics.streams_active.with_label_values(&[dialect]).dec();
            metrics.stream_terminations.with_label_values(&[dialect, end.as_str()]).inc();
        }
        self.log(outcome, error, cause, total);
    }

    fn log(&self, outcome: Outcome, error: &str, cause: Option<&str>, total: Duration) {
        let served = &self.served;
        let milliseconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    request.id = %self.request_id,
                    generation.id = served.generation.as_deref(),
                    tenant = self.tenant.as_ref().map(Tenant::as_str),
                    task = self.task.as_str(),
                    api = self.api.as_str(),
                    stream = self.dialect.as_str(),
                    outcome = outcome.as_str(),
                    error = (!error.is_empty()).then_some(error),
                    cause,
                    chain = served.chain.as_deref(),
                    model = served.model.as_ref().map(ModelId::as_str),
                    strategy = served.strategy.map(Strategy::as_str),
                    chunks.total = (served.chunks > 0).then_some(served.chunks),
                    chunks.failed = (served.chunks_failed > 0).then_some(served.chunks_failed),
                    attempts = served.attempts,
                    fallback = served.fallback,
                    input_bytes = self.input_bytes,
                    tokens.input = served.usage.input_tokens,
                    tokens.output = served.usage.output_tokens,
                    tokens.estimated = served.usage_estimated,
                    cost.usd = served.cost.map(Cost::usd),
                    time.queue_ms = milliseconds(served.queue),
                    time.first_token_ms = self.time_to_first_token.map(milliseconds),
                    time.total_ms = milliseconds(total),
                    "{} {}", self.task, outcome.as_str()
                )
            };
        }
        match outcome {
            Outcome::Ok | Outcome::ClientError | Outcome::Cancelled => line!(tracing::Level::INFO),
            Outcome::Rejected | Outcome::UpstreamError => line!(tracing::Level::WARN),
            Outcome::InternalError => line!(tracing::Level::ERROR),
        }
    }
}

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Some(abandonment()), None);
        }
    }
}

/// A drop while the thread unwinds is our own defect, not the client's leaving.
fn abandonment() -> FailureCode {
    if std::thread::panicking() { FailureCode::Internal } else { FailureCode::Cancelled }
}
