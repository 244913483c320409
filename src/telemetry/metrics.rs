//! Every metric of the service, declared once: name, help, labels, buckets.
//!
//! Names follow the Prometheus rules and, where they exist, the OpenTelemetry
//! semantic conventions. Every label set that can be known at start exists at
//! zero from the start, so that rates and alerts work from the first scrape.

use std::collections::BTreeSet;

use prometheus::{
    CounterVec, Encoder as _, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::labels::{Api, CallOutcome, CallStage, Dialect, Outcome, RejectReason, StreamEnd, TokenDirection};
use crate::domain::{CallFailure, FailureCode, ModelId, TaskKind};

/// HTTP latencies: the semantic conventions' buckets, and long ones for streams.
const HTTP_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0,
    300.0, 600.0,
];
/// Whole requests: from a short answer of a fast model to the longest stream.
const REQUEST_SECONDS: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0];
/// First tokens: dense around the 2.5 s that the service level objective names.
const FIRST_TOKEN_SECONDS: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 7.5, 10.0, 20.0, 30.0, 60.0];
/// The conventions' buckets for the time of one output token.
const PER_TOKEN_SECONDS: &[f64] = &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
/// Our own share of a request: the budget is 1 ms.
const OVERHEAD_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
/// The conventions' buckets for a client's model operations.
const GEN_AI_SECONDS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// The conventions' buckets for tokens of one call: powers of four.
const GEN_AI_TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Waiting for admission: usually nothing, at worst the request's deadline.
const QUEUE_SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
const INPUT_BYTES: &[f64] = &[1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6];

pub(super) const OPERATION: &str = "chat";
pub(super) const PROVIDER: &str = "aws.bedrock";
const ROUTES_AT_START: [&str; 6] =
    ["/v1/summarize", "/v1/rephrase", "/v1/expand", "/api/summarize", "/api/rephrase", "/api/expand"];

/// A chain's name and its models in order.
#[derive(Debug, Clone)]
pub struct ChainScope {
    pub name: String,
    pub models: Vec<ModelId>,
}

/// What label values can name besides the closed lists.
#[derive(Debug, Clone, Default)]
pub struct MetricScope {
    pub chains: Vec<ChainScope>,
    /// Failures after which a call is repeated on the same target.
    pub retried: Vec<CallFailure>,
}

impl MetricScope {
    /// Models that can be called: those of the chains, each once.
    fn models(&self) -> BTreeSet<&ModelId> {
        self.chains.iter().flat_map(|chain| &chain.models).collect()
    }
}

/// All metrics, in a registry of their own.
pub struct Metrics {
    registry: Registry,
    pub http_request_duration: HistogramVec,
    pub http_active_requests: IntGaugeVec,
    pub requests: IntCounterVec,
    pub request_duration: HistogramVec,
    pub time_to_first_token: HistogramVec,
    pub time_per_output_token: HistogramVec,
    pub overhead: HistogramVec,
    pub input_bytes: HistogramVec,
    pub operation_duration: HistogramVec,
    pub time_to_first_chunk: HistogramVec,
    pub token_usage: HistogramVec,
    pub tokens: IntCounterVec,
    pub cost_usd: CounterVec,
    pub unpriced_requests: IntCounterVec,
    pub model_calls: IntCounterVec,
    pub retries: IntCounterVec,
    pub fallbacks: IntCounterVec,
    pub fallback_exhausted: IntCounterVec,
    pub streams_active: IntGaugeVec,
    pub stream_terminations: IntCounterVec,
    pub admission_inflight: IntGauge,
    pub admission_queued: IntGauge,
    pub admission_rejected: IntCounterVec,
    pub queue_wait: HistogramVec,
    pub ready: IntGauge,
    pub panics: IntCounter,
}

impl Metrics {
    /// Declares every metric and sets the known label sets to zero.
    pub fn new(scope: &MetricScope) -> Self {
        let registry = Registry::new();
        let declare = Declare { registry: &registry };
        let build = declare.gauge_f64(
            "redraft_build_info",
            "Always 1; the label tells the version.",
            env!("CARGO_PKG_VERSION"),
        );
        build.set(1.0);
        let call_labels = [
            "gen_ai_operation_name",
            "gen_ai_provider_name",
            "gen_ai_request_model",
            "gen_ai_response_model",
        ];
        let labels_with = |last: &'static str| [&call_labels[..], &[last]].concat();
        let metrics = Self {
            http_request_duration: declare.histogram(
                "http_server_request_duration_seconds",
                "Time from the request's head to the end of the answer's body.",
                &["http_request_method", "http_route", "http_response_status_code", "error_type"],
                HTTP_SECONDS,
            ),
            http_active_requests: declare.gauges(
                "http_server_active_requests",
                "HTTP requests whose answer has not ended.",
                &["http_request_method"],
            ),
            requests: declare.counters(
                "redraft_requests_total",
                "Task requests by how they ended; a stream that ends with an error event counts as failed.",
                &["task", "stream", "outcome", "error", "api"],
            ),
            request_duration: declare.histogram(
                "redraft_request_duration_seconds",
                "Time of a task request, up to the end of its work.",
                &["task", "stream", "outcome"],
                REQUEST_SECONDS,
            ),
            time_to_first_token: declare.histogram(
                "redraft_time_to_first_token_seconds",
                "Time from the request to the first piece of streamed text.",
                &["task", "stream", "fallback"],
                FIRST_TOKEN_SECONDS,
            ),
            time_per_output_token: declare.histogram(
                "redraft_time_per_output_token_seconds",
                "Time per output token after the first, of a streamed model call.",
                &["model"],
                PER_TOKEN_SECONDS,
            ),
            overhead: declare.histogram(
                "redraft_overhead_seconds",
                "Time of a JSON task request that was not spent on the client's sending, on admission or on models.",
                &["task"],
                OVERHEAD_SECONDS,
            ),
            input_bytes: declare.histogram(
                "redraft_input_bytes",
                "Size of the document.",
                &["task"],
                INPUT_BYTES,
            ),
            operation_duration: declare.histogram(
                "gen_ai_client_operation_duration_seconds",
                "Time of one model call.",
                &labels_with("error_type"),
                GEN_AI_SECONDS,
            ),
            time_to_first_chunk: declare.histogram(
                "gen_ai_client_operation_time_to_first_chunk_seconds",
                "Time from a streamed model call to its first piece of text.",
                &call_labels,
                GEN_AI_SECONDS,
            ),
            token_usage: declare.histogram(
                "gen_ai_client_token_usage",
                "Tokens of one model call.",
                &labels_with("gen_ai_token_type"),
                GEN_AI_TOKENS,
            ),
            tokens: declare.counters(
                "redraft_tokens_total",
                "Tokens used; estimated where a call ended before the model told.",
                &["task", "model", "direction"],
            ),
            cost_usd: declare.counters_f64(
                "redraft_cost_usd_total",
                "Cost at the catalogue's prices; calls of models without a price are not in it.",
                &["task", "model"],
            ),
            unpriced_requests: declare.counters(
                "redraft_unpriced_requests_total",
                "Requests per model whose cost is unknown because a price is missing.",
                &["model"],
            ),
            model_calls: declare.counters(
                "redraft_model_calls_total",
                "Model calls by how they ended.",
                &["model", "outcome", "stage"],
            ),
            retries: declare.counters(
                "redraft_retries_total",
                "Calls repeated on the same target, by what failed before.",
                &["model", "reason"],
            ),
            fallbacks: declare.counters(
                "redraft_fallbacks_total",
                "Changes to the next target of a chain, by what failed before.",
                &["task", "from", "to", "reason"],
            ),
            fallback_exhausted: declare.counters(
                "redraft_fallback_exhausted_total",
                "Requests for which no target of the chain gave an answer.",
                &["task", "chain"],
            ),
            streams_active: declare.gauges("redraft_streams_active", "Streams that are open.", &["stream"]),
            stream_terminations: declare.counters(
                "redraft_stream_terminations_total",
                "Streams by how they ended.",
                &["stream", "reason"],
            ),
            admission_inflight: declare.gauge("redraft_admission_inflight", "Requests that run."),
            admission_queued: declare.gauge("redraft_admission_queued", "Requests that wait to run."),
            admission_rejected: declare.counters(
                "redraft_admission_rejected_total",
                "Requests that were refused before any model call.",
                &["reason"],
            ),
            queue_wait: declare.histogram(
                "redraft_queue_wait_seconds",
                "Time an admitted request waited to run.",
                &["task"],
                QUEUE_SECONDS,
            ),
            ready: declare.gauge("redraft_ready", "1 while /readyz says ready."),
            panics: declare.counter("redraft_panics_total", "Panics caught while a request was handled."),
            registry: registry.clone(),
        };
        #[cfg(target_os = "linux")]
        register(&registry, prometheus::process_collector::ProcessCollector::for_self());
        metrics.create_known_label_sets(scope);
        metrics
    }

    /// The exposition text, version 0.0.4.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(64 * 1024);
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("writing to a vector does not fail, and every family has metrics");
        text
    }

    fn create_known_label_sets(&self, scope: &MetricScope) {
        self.http_active_requests.with_label_values(&["POST"]);
        self.http_active_requests.with_label_values(&["GET"]);
        for route in ROUTES_AT_START {
            self.http_request_duration.with_label_values(&["POST", route, "200", ""]);
        }
        for reason in RejectReason::ALL {
            self.admission_rejected.with_label_values(&[reason.as_str()]);
        }
        for dialect in Dialect::ALL.iter().filter(|dialect| **dialect != Dialect::Json) {
            self.streams_active.with_label_values(&[dialect.as_str()]);
            for end in StreamEnd::ALL {
                self.stream_terminations.with_label_values(&[dialect.as_str(), end.as_str()]);
            }
        }
        for task in TaskKind::ALL {
            self.create_task_label_sets(task, scope);
        }
        for model in scope.models() {
            self.create_model_label_sets(model.as_str(), &scope.retried);
        }
    }

    fn create_task_label_sets(&self, task: TaskKind, scope: &MetricScope) {
        let task = task.as_str();
        self.overhead.with_label_values(&[task]);
        self.input_bytes.with_label_values(&[task]);
        self.queue_wait.with_label_values(&[task]);
        for &dialect in Dialect::ALL {
            for &outcome in Outcome::ALL {
                self.request_duration.with_label_values(&[task, dialect.as_str(), outcome.as_str()]);
            }
            if dialect != Dialect::Json {
                for fallback in ["false", "true"] {
                    self.time_to_first_token.with_label_values(&[task, dialect.as_str(), fallback]);
                }
            }
            for &api in Api::ALL {
                if api == Api::Compat && dialect != Dialect::Json {
                    continue;
                }
                let ended = |outcome: Outcome, error: &str| {
                    let labels = [task, dialect.as_str(), outcome.as_str(), error, api.as_str()];
                    self.requests.with_label_values(&labels);
                };
                ended(Outcome::Ok, "");
                let elsewhere = [FailureCode::NotFound, FailureCode::MethodNotAllowed];
                for code in FailureCode::ALL.into_iter().filter(|code| !elsewhere.contains(code)) {
                    ended(Outcome::from(code), code.as_str());
                }
            }
        }
        for model in scope.models() {
            self.cost_usd.with_label_values(&[task, model.as_str()]);
            for direction in TokenDirection::ALL {
                self.tokens.with_label_values(&[task, model.as_str(), direction.as_str()]);
            }
        }
        for chain in &scope.chains {
            self.fallback_exhausted.with_label_values(&[task, &chain.name]);
            let later = |index: usize| chain.models.iter().skip(index + 1);
            let models = chain.models.iter().enumerate();
            for (from, to) in models.flat_map(|(index, from)| later(index).map(move |to| (from, to))) {
                for failure in CallFailure::ALL {
                    let labels = [task, from.as_str(), to.as_str(), failure.as_str()];
                    self.fallbacks.with_label_values(&labels);
                }
            }
        }
    }

    fn create_model_label_sets(&self, model: &str, retried: &[CallFailure]) {
        self.time_per_output_token.with_label_values(&[model]);
        self.unpriced_requests.with_label_values(&[model]);
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
        for failure in retried {
            self.retries.with_label_values(&[model, failure.as_str()]);
        }
    }
}

/// Makes a metric and registers it. Definitions are constants of this file, so a
/// bad one is a defect that the first test shows.
struct Declare<'a> {
    registry: &'a Registry,
}

const SOUND: &str = "the metric's definition is a constant of this file and its name is used once";

impl Declare<'_> {
    fn histogram(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(HistogramVec::new(opts, labels).expect(SOUND))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help).expect(SOUND))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels).expect(SOUND))
    }

    fn counters_f64(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.add(CounterVec::new(Opts::new(name, help), labels).expect(SOUND))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels).expect(SOUND))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help).expect(SOUND))
    }

    fn gauge_f64(&self, name: &str, help: &str, version: &str) -> Gauge {
        self.add(Gauge::with_opts(Opts::new(name, help).const_label("version", version)).expect(SOUND))
    }

    fn add<M: prometheus::core::Collector + Clone + 'static>(&self, metric: M) -> M {
        register(self.registry, metric.clone());
        metric
    }
}

fn register(registry: &Registry, collector: impl prometheus::core::Collector + 'static) {
    registry.register(Box::new(collector)).expect(SOUND);
}
