//! Every metric of the service, declared once: name, help, labels, buckets.
//!
//! Names follow the Prometheus rules and, where they exist, the OpenTelemetry
//! semantic conventions. Every label set that can be known at start exists at
//! zero from the start, so that rates and alerts work from the first scrape.

use prometheus::{
    CounterVec, Encoder as _, GaugeVec, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Registry, TextEncoder,
};

use super::declare::{Declare, register};
use super::end_of_life::EndsOfLife;
use super::scope::MetricScope;
use crate::domain::CalendarDate;

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
/// Reading a file: a text is decoded in no time, a long PDF takes seconds.
const READ_SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Parts of one document: powers of two.
const CHUNKS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// Rounds of merging: two are much.
const LEVELS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 4.0, 6.0];
/// The conventions' buckets for workflows.
const WORKFLOW_SECONDS: &[f64] = &[1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0];
/// How far an estimate was off, as a share of the exact count; the promise is a quarter.
const ERROR_RATIOS: &[f64] = &[0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0];

/// The labels of a target: a model in a region.
const TARGET: [&str; 2] = ["model", "region"];

pub(super) const OPERATION: &str = "chat";
pub(super) const PROVIDER: &str = "aws.bedrock";

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
    pub documents_read: IntCounterVec,
    pub document_read_duration: HistogramVec,
    pub document_chunks: HistogramVec,
    pub document_levels: HistogramVec,
    pub chunks: IntCounterVec,
    pub workflow_duration: HistogramVec,
    pub estimate_error: HistogramVec,
    pub estimate_ratio: GaugeVec,
    pub operation_duration: HistogramVec,
    pub time_to_first_chunk: HistogramVec,
    pub token_usage: HistogramVec,
    pub tokens: IntCounterVec,
    pub estimated_tokens: IntCounterVec,
    pub cost_usd: CounterVec,
    pub estimated_cost_usd: CounterVec,
    pub unpriced_requests: IntCounterVec,
    pub model_calls: IntCounterVec,
    pub count_tokens: IntCounterVec,
    pub guardrail_screenings: IntCounterVec,
    pub retries: IntCounterVec,
    pub retries_refused: IntCounterVec,
    pub fallbacks: IntCounterVec,
    pub fallback_exhausted: IntCounterVec,
    pub breaker_state: IntGaugeVec,
    pub breaker_transitions: IntCounterVec,
    pub targets_taken_out: IntCounterVec,
    pub targets_skipped: IntCounterVec,
    pub target_in_flight: IntGaugeVec,
    pub target_limit: IntGaugeVec,
    pub target_limit_ceiling: IntGaugeVec,
    pub streams_active: IntGaugeVec,
    pub stream_terminations: IntCounterVec,
    pub admission_inflight: IntGauge,
    pub admission_queued: IntGauge,
    pub admission_rejected: IntCounterVec,
    pub queue_wait: HistogramVec,
    pub(super) model_ends: EndsOfLife,
    pub config_reloads: IntCounterVec,
    pub config_rejected: IntGauge,
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
            documents_read: declare.counters(
                "redraft_documents_read_total",
                "Files whose text was extracted, by what came of it.",
                &["format", "result"],
            ),
            document_read_duration: declare.histogram(
                "redraft_document_read_duration_seconds",
                "Time of extracting the text of a file, with the wait for a place.",
                &["format"],
                READ_SECONDS,
            ),
            document_chunks: declare.histogram(
                "redraft_document_chunks",
                "Parts that a document was worked on in; 1 for one that was worked on at once.",
                &["task"],
                CHUNKS,
            ),
            document_levels: declare.histogram(
                "redraft_document_levels",
                "Rounds of merging that the summaries of a document's parts took.",
                &["task"],
                LEVELS,
            ),
            chunks: declare.counters(
                "redraft_chunks_total",
                "Parts of documents, by what became of them.",
                &["task", "status"],
            ),
            workflow_duration: declare.histogram(
                "gen_ai_workflow_duration_seconds",
                "Time of the work on a document in parts, or on several suggestions, from its plan to its end.",
                &["gen_ai_workflow_name"],
                WORKFLOW_SECONDS,
            ),
            estimate_error: declare.histogram(
                "redraft_token_estimate_error_ratio",
                "Distance of the estimated input tokens of a call from the model's own count, as a share of the count.",
                &["model"],
                ERROR_RATIOS,
            ),
            estimate_ratio: declare.gauges_f64(
                "redraft_token_estimate_ratio",
                "The model's own count of the last call's input, divided by the estimate before any correction; 0 before the first.",
                &["model"],
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
            estimated_tokens: declare.counters(
                "redraft_estimated_tokens_total",
                "Those of redraft_tokens_total that are estimates, because a call ended before the model told.",
                &["task", "model", "direction"],
            ),
            cost_usd: declare.counters_f64(
                "redraft_cost_usd_total",
                "Cost at the catalogue's prices; calls of models without a price are not in it.",
                &["task", "model"],
            ),
            estimated_cost_usd: declare.counters_f64(
                "redraft_estimated_cost_usd_total",
                "That part of redraft_cost_usd_total which is the cost of estimated tokens.",
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
            count_tokens: declare.counters(
                "redraft_count_tokens_total",
                "Times a model was asked to count a prompt's tokens, by what came of it.",
                &["model", "result"],
            ),
            guardrail_screenings: declare.counters(
                "redraft_guardrail_screenings_total",
                "Looks of a guardrail at a document before any model is called, by what came of it.",
                &["guardrail", "result"],
            ),
            retries: declare.counters(
                "redraft_retries_total",
                "Calls repeated on the same target, by what failed before.",
                &["model", "reason"],
            ),
            retries_refused: declare.counters(
                "redraft_retries_refused_total",
                "Calls that were not repeated because the target's retry budget was used up.",
                &TARGET,
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
            breaker_state: declare.gauges(
                "redraft_breaker_state",
                "Whether calls of a target are let through: 0 closed (all), 1 half open (one probe), 2 open (none).",
                &TARGET,
            ),
            breaker_transitions: declare.counters(
                "redraft_breaker_transitions_total",
                "Changes of a target's breaker, by the state it came to.",
                &["model", "region", "to"],
            ),
            targets_taken_out: declare.counters(
                "redraft_targets_taken_out_total",
                "Targets taken out for minutes because the model is gone, denied or used up.",
                &["model", "region", "reason"],
            ),
            targets_skipped: declare.counters(
                "redraft_targets_skipped_total",
                "Targets that were passed over without a call.",
                &["model", "region", "reason"],
            ),
            target_in_flight: declare.gauges(
                "redraft_target_in_flight",
                "Calls of a target that are under way.",
                &TARGET,
            ),
            target_limit: declare.gauges(
                "redraft_target_limit",
                "Calls of a target that may be under way at once; throttling lowers it.",
                &TARGET,
            ),
            target_limit_ceiling: declare.gauges(
                "redraft_target_limit_ceiling",
                "The most that the limit of a target can be, by the settings.",
                &TARGET,
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
            model_ends: declare.add(EndsOfLife::new(
                "redraft_model_end_of_life_days",
                "Days until a model of some chain answers no more; negative once it does not.",
                CalendarDate::today,
            )),
            config_reloads: declare.counters(
                "redraft_config_reloads_total",
                "Times the configuration was read again, by what came of it.",
                &["result"],
            ),
            config_rejected: declare.gauge(
                "redraft_config_rejected",
                "1 while the configuration that was read last does not hold, so that an older one is in effect.",
            ),
            ready: declare.gauge("redraft_ready", "1 while /readyz says ready."),
            panics: declare.counter("redraft_panics_total", "Panics caught while a request was handled."),
            registry: registry.clone(),
        };
        #[cfg(target_os = "linux")]
        register(&registry, prometheus::process_collector::ProcessCollector::for_self());
        metrics.create_fixed_label_sets();
        metrics.know(scope);
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
}
