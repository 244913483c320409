//! Every setting, read with its bounds, section by section.
//!
//! The order is that of `config/default.toml`, and so is the order of the report.
//! Nothing here returns early: each section reads all it has before it gives up.
//! Settings that contradict each other are judged only when each is sound alone.

mod documents;

use std::fmt::Display;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::problems::nearest;
use super::reader::Reader;
use super::{Config, RunMode, Sources, address};
use crate::documents::{ExtractionPolicy, this_program};
use crate::domain::Region;
use crate::http::{HttpSettings, ServerSettings, ShutdownPolicy};
use crate::inference::bedrock::{BedrockSettings, CredentialsSource, TrustedAuthorities};
use crate::pipeline::admission::AdmissionPolicy;
use crate::pipeline::{Deadlines, Limits};
use crate::routing::{Backoff, BreakerPolicy, Catalogue, Clocks, LimitPolicy, RoutingPolicy};
use crate::telemetry::{LogFormat, LogSettings};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// All settings but the catalogue.
pub(super) struct Values {
    http: Http,
    ops_listen: SocketAddr,
    clocks: AllClocks,
    routing: RoutingPolicy,
    admission: AdmissionPolicy,
    limits: Limits,
    files: documents::Files,
    playground: bool,
    shutdown: ShutdownPolicy,
    log: LogSettings,
    region: Option<Region>,
    endpoint_url: Option<String>,
    sign_in_timeout: Duration,
    sign_in_retry: Duration,
    max_connections_per_region: NonZeroUsize,
}

struct Http {
    listen: SocketAddr,
    heartbeat: Duration,
    max_body_bytes: usize,
    max_buffered_bytes: usize,
    body_read_timeout: Duration,
    header_read_timeout: Duration,
    write_timeout: Duration,
    max_connections: usize,
    allowed_origins: Vec<String>,
    tenant_header: Option<String>,
}

#[derive(Clone, Copy)]
struct AllClocks {
    connect: Duration,
    per_call: Clocks,
    request: Duration,
    stream: Duration,
    max_request: Duration,
}

/// Reads every setting. `None` comes with at least one problem.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Values> {
    let http = http(reader);
    let ops_listen = reader.parsed("ops.listen", address::LISTEN, address::listen);
    if let (Some(http), Some(ops)) = (&http, ops_listen)
        && address::collide(http.listen, ops)
    {
        reader.refuse("ops.listen", format_args!("expected another address or port than http.listen"));
    }
    let clocks = clocks(reader);
    let routing = routing(reader, clocks.map(|clocks| clocks.per_call));
    let max_running = reader.whole("admission.max_running", 1..=1_000_000, "requests");
    let max_waiting = reader.whole("admission.max_waiting", 0..=1_000_000, "requests");
    let limits = documents::limits(reader);
    let files = documents::files(reader);
    if let (Some(files), Some(http)) = (&files, &http) {
        let all = ("http.max_buffered_bytes", http.max_buffered_bytes);
        bound(reader, ("documents.max_file_bytes", files.max_file_bytes), all);
    }
    let playground = reader.switch("playground.enabled");
    let shutdown = shutdown(reader);
    let format = reader.parsed("log.format", "json or pretty", log_format);
    let filter = log_filter(reader);
    let region = reader.parsed("bedrock.region", "a region such as eu-central-1, or nothing", |text| {
        (text.is_empty() || address::is_region(text)).then(|| some_text(text).map(Region::new))
    });
    let endpoint_url = reader.parsed("bedrock.endpoint_url", address::ENDPOINT, |text| {
        (text.is_empty() || address::is_endpoint(text)).then(|| some_text(text).map(str::to_owned))
    });
    let sign_in_timeout = reader.millis("bedrock.sign_in_ms", 1..=MINUTE);
    let sign_in_retry = reader.millis("bedrock.sign_in_retry_ms", 100..=HOUR);
    let max_connections_per_region =
        reader.whole("bedrock.max_connections_per_region", 1..=1024, "connections");
    Some(Values {
        http: http?,
        ops_listen: ops_listen?,
        clocks: clocks?,
        routing: routing?,
        admission: AdmissionPolicy { max_running: max_running?, max_waiting: max_waiting? },
        limits: limits?,
        files: files?,
        playground: playground?,
        shutdown: shutdown?,
        log: LogSettings { format: format?, filter: filter? },
        region: region?,
        endpoint_url: endpoint_url?,
        sign_in_timeout: sign_in_timeout?,
        sign_in_retry: sign_in_retry?,
        max_connections_per_region: max_connections_per_region.and_then(NonZeroUsize::new)?,
    })
}

impl Values {
    pub(super) fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    /// Hands each module its policy.
    pub(super) fn into_config(
        self,
        catalogue: Arc<Catalogue>,
        trusted_authorities: Option<TrustedAuthorities>,
        sources: &Sources,
    ) -> Config {
        let (http, clocks) = (self.http, self.clocks);
        // The demo's simulator has its own address, which is known once it listens.
        let (endpoint_url, credentials) = match sources.mode {
            RunMode::Demo | RunMode::DemoWithLlm { .. } => (None, CredentialsSource::Simulator),
            RunMode::Serve if sources.environment.has_bearer_token() => {
                (self.endpoint_url, CredentialsSource::BearerToken)
            }
            RunMode::Serve => (self.endpoint_url, CredentialsSource::DefaultChain),
        };
        Config {
            listen: http.listen,
            http: HttpSettings {
                heartbeat: http.heartbeat,
                max_body_bytes: http.max_body_bytes,
                max_file_bytes: self.files.max_file_bytes,
                max_buffered_bytes: http.max_buffered_bytes,
                body_read_timeout: http.body_read_timeout,
                allowed_origins: http.allowed_origins,
                tenant_header: http.tenant_header,
                playground: self.playground,
                // The demo has a switch, which is made with its simulator.
                faults: None,
            },
            server: ServerSettings {
                header_read_timeout: http.header_read_timeout,
                write_timeout: http.write_timeout,
                max_connections: http.max_connections,
            },
            shutdown: self.shutdown,
            ops_listen: self.ops_listen,
            deadlines: Deadlines { json: clocks.request, stream: clocks.stream, longest: clocks.max_request },
            routing: self.routing,
            admission: self.admission,
            limits: self.limits,
            extraction: ExtractionPolicy {
                // Where the system does not tell, its own way of finding a program is left.
                program: this_program().unwrap_or_else(|_| PathBuf::from("redraft")),
                max_parallel: self.files.max_parallel,
                max_memory_bytes: self.files.max_memory_bytes,
                max_cpu: self.files.max_cpu,
                timeout: self.files.timeout,
                max_text_bytes: self.files.max_text_bytes,
            },
            log: self.log,
            sign_in_retry: self.sign_in_retry,
            bedrock: BedrockSettings {
                region: self.region,
                other_regions: catalogue.regions(),
                endpoint_url,
                max_connections_per_region: self.max_connections_per_region,
                trusted_authorities,
                connect_timeout: clocks.connect,
                sign_in_timeout: self.sign_in_timeout,
                credentials,
            },
            catalogue,
            own_tasks: Arc::default(),
        }
    }
}

fn http(reader: &mut Reader<'_, '_>) -> Option<Http> {
    let listen = reader.parsed("http.listen", address::LISTEN, address::listen);
    let heartbeat = reader.millis("http.heartbeat_ms", 10..=MINUTE);
    let max_body_bytes = reader.whole("http.max_body_bytes", 1..=1 << 30, "bytes");
    let max_buffered_bytes = reader.whole("http.max_buffered_bytes", 1..=1 << 40, "bytes");
    if let (Some(one), Some(all)) = (max_body_bytes, max_buffered_bytes) {
        bound(reader, ("http.max_body_bytes", one), ("http.max_buffered_bytes", all));
    }
    let body_read_timeout = reader.millis("http.body_read_ms", 1..=10 * MINUTE);
    let header_read_timeout = reader.millis("http.header_read_ms", 1..=10 * MINUTE);
    let write_timeout = reader.millis("http.write_ms", 1..=10 * MINUTE);
    let max_connections = reader.whole("http.max_connections", 1..=1_000_000, "connections");
    let allowed_origins = reader.list("http.allowed_origins", address::origin_rule);
    let tenant_header = reader.parsed(
        "http.tenant_header",
        "the name of a header such as x-tenant, which holds no secret, or nothing",
        |text| (text.is_empty() || address::is_header_name(text)).then(|| some_text(text).map(str::to_owned)),
    );
    Some(Http {
        listen: listen?,
        heartbeat: heartbeat?,
        max_body_bytes: max_body_bytes?,
        max_buffered_bytes: max_buffered_bytes?,
        body_read_timeout: body_read_timeout?,
        header_read_timeout: header_read_timeout?,
        write_timeout: write_timeout?,
        max_connections: max_connections?,
        allowed_origins: allowed_origins?,
        tenant_header: tenant_header?,
    })
}

fn clocks(reader: &mut Reader<'_, '_>) -> Option<AllClocks> {
    let connect = reader.millis("clocks.connect_ms", 1..=MINUTE);
    let answer = reader.millis("clocks.answer_ms", 1..=HOUR);
    let first_event = reader.millis("clocks.first_event_ms", 1..=HOUR);
    let idle = reader.millis("clocks.idle_ms", 1..=HOUR);
    let attempt = reader.millis("clocks.attempt_ms", 1..=HOUR);
    let request = reader.millis("clocks.request_ms", 1..=HOUR);
    let stream = reader.millis("clocks.stream_ms", 1..=HOUR);
    let max_request = reader.millis("clocks.max_request_ms", 1..=HOUR);
    if let (Some(first_event), Some(attempt)) = (first_event, attempt) {
        bound_time(reader, ("clocks.first_event_ms", first_event), ("clocks.attempt_ms", attempt));
    }
    for (key, bounded) in [("clocks.request_ms", request), ("clocks.stream_ms", stream)] {
        if let (Some(bounded), Some(bound)) = (bounded, max_request)
            && bounded > bound
        {
            let least = bounded.as_millis();
            reader.refuse("clocks.max_request_ms", format_args!("expected at least {key}, which is {least}"));
        }
    }
    Some(AllClocks {
        connect: connect?,
        per_call: Clocks { answer: answer?, first_event: first_event?, idle: idle?, attempt: attempt? },
        request: request?,
        stream: stream?,
        max_request: max_request?,
    })
}

/// The policy of every route; `None` as well when a clock of a call is unsound.
fn routing(reader: &mut Reader<'_, '_>, clocks: Option<Clocks>) -> Option<RoutingPolicy> {
    let max_retries = reader.whole("routing.max_retries", 0..=5, "retries");
    let backoff = backoff(reader);
    let retry_budget_percent = reader.whole("routing.retry_budget_percent", 0..=100, "percent");
    let place_wait = reader.millis("routing.place_wait_ms", 0..=10 * MINUTE);
    let breaker = breaker(reader);
    let limit = adaptive_limit(reader);
    Some(RoutingPolicy {
        clocks: clocks?,
        backoff: backoff?,
        max_retries: max_retries?,
        retry_budget_percent: retry_budget_percent?,
        place_wait: place_wait?,
        breaker: breaker?,
        limit: limit?,
    })
}

fn backoff(reader: &mut Reader<'_, '_>) -> Option<Backoff> {
    let base = reader.millis("routing.backoff_base_ms", 1..=MINUTE);
    let cap = reader.millis("routing.backoff_cap_ms", 1..=MINUTE);
    let (base, cap) = (base?, cap?);
    bound_time(reader, ("routing.backoff_base_ms", base), ("routing.backoff_cap_ms", cap));
    Some(Backoff { base, cap })
}

fn breaker(reader: &mut Reader<'_, '_>) -> Option<BreakerPolicy> {
    let consecutive_failures = reader.whole("breaker.consecutive_failures", 1..=1000, "calls");
    let failure_percent = reader.whole("breaker.failure_percent", 1..=100, "percent");
    let window = reader.millis("breaker.window_ms", SECOND..=HOUR);
    let min_calls = reader.whole("breaker.min_calls", 1..=100_000, "calls");
    let open = reader.millis("breaker.open_ms", 1..=HOUR);
    let open_cap = reader.millis("breaker.open_cap_ms", 1..=HOUR);
    let probe = reader.millis("breaker.probe_ms", 1..=HOUR);
    let out = reader.millis("breaker.out_ms", 1..=24 * HOUR);
    let (open, open_cap) = (open?, open_cap?);
    bound_time(reader, ("breaker.open_ms", open), ("breaker.open_cap_ms", open_cap));
    Some(BreakerPolicy {
        consecutive_failures: consecutive_failures?,
        failure_percent: failure_percent?,
        window: window?,
        min_calls: min_calls?,
        open,
        open_cap,
        probe: probe?,
        out: out?,
    })
}

fn adaptive_limit(reader: &mut Reader<'_, '_>) -> Option<LimitPolicy> {
    let max_in_flight = reader.whole::<u32>("adaptive.max_in_flight", 1..=100_000, "calls");
    let min_in_flight = reader.whole::<u32>("adaptive.min_in_flight", 1..=100_000, "calls");
    let decrease_percent = reader.whole("adaptive.decrease_percent", 1..=100, "percent");
    let (max_in_flight, min_in_flight) = (max_in_flight?, min_in_flight?);
    bound(reader, ("adaptive.min_in_flight", min_in_flight), ("adaptive.max_in_flight", max_in_flight));
    Some(LimitPolicy { max_in_flight, min_in_flight, decrease_percent: decrease_percent? })
}

fn shutdown(reader: &mut Reader<'_, '_>) -> Option<ShutdownPolicy> {
    let delay = reader.millis("shutdown.delay_ms", 0..=10 * MINUTE);
    let drain = reader.millis("shutdown.drain_ms", 1..=HOUR);
    let (delay, drain) = (delay?, drain?);
    bound_time(reader, ("shutdown.delay_ms", delay), ("shutdown.drain_ms", drain));
    Some(ShutdownPolicy { delay, drain })
}

fn bound_time(reader: &mut Reader<'_, '_>, (key, time): (&str, Duration), bounded_by: (&str, Duration)) {
    bound(reader, (key, time.as_millis()), (bounded_by.0, bounded_by.1.as_millis()));
}

/// Judges a value that another one bounds. Two values that somebody chose
/// contradict each other. One against a default is plain enough: the smaller
/// one holds, and a warning says so.
fn bound<T: PartialOrd + Display>(
    reader: &mut Reader<'_, '_>,
    (key, value): (&str, T),
    (bound_key, bound): (&str, T),
) {
    if value <= bound {
        return;
    }
    if reader.is_set(key) && reader.is_set(bound_key) {
        reader.refuse(bound_key, format_args!("expected at least {key}, which is {value}"));
    } else {
        reader.warn(format!("{key} is {value}, but {bound_key} is {bound} and holds first"));
    }
}

fn log_format(text: &str) -> Option<LogFormat> {
    match text {
        "json" => Some(LogFormat::Json),
        "pretty" => Some(LogFormat::Pretty),
        _ => None,
    }
}

/// A level or directives. One word that only looks like a level would be taken
/// for a module's name, and then nothing would be logged.
fn log_filter(reader: &mut Reader<'_, '_>) -> Option<String> {
    reader.parsed("log.level", "a level such as info, or directives such as info,redraft=debug", |text| {
        let misspelt = text.split(',').any(|word| is_misspelt_level(word.trim()));
        (!text.is_empty() && !misspelt && EnvFilter::try_new(text).is_ok()).then(|| text.to_owned())
    })
}

fn is_misspelt_level(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let has_level =
        |level: &str| word.starts_with(level) && word.bytes().all(|byte| byte.is_ascii_lowercase());
    // A bare word names a module, and only the service's own would ever say something.
    let names_nothing = word.bytes().all(|byte| byte.is_ascii_lowercase()) && !word.starts_with("redraft");
    !LEVELS.contains(&word.as_str())
        && (names_nothing || nearest(&word, LEVELS).is_some() || LEVELS.into_iter().any(has_level))
}

fn some_text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
