//! Configuration: layers of settings become each module's own policy type.
//!
//! Owns the names, bounds and origins of settings, the format of `models.toml`
//! and the report of what is in effect. It starts nothing and calls nobody.
//! The one rule: everything that is wrong is told at once, with its key and
//! where it was set, and nothing wrong ever reaches another module.

mod address;
mod authorities;
mod describe;
mod difference;
mod environment;
mod files;
mod layers;
mod models;
mod problems;
mod reader;
mod section;
mod settings;
mod tasks;
mod warnings;

pub use crate::domain::CalendarDate;
pub use describe::describe;
pub use difference::{Difference, difference};
pub use environment::Environment;
pub use files::SourceFile;
pub use layers::Origin;
pub use problems::{Problem, Problems};
pub use reader::EffectiveSetting;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use files::{Files, Occasion};
use layers::Layers;
use reader::Reader;

use crate::documents::ExtractionPolicy;
use crate::http::{HttpSettings, ServerSettings, ShutdownPolicy};
use crate::inference::bedrock::BedrockSettings;
use crate::pipeline::admission::AdmissionPolicy;
use crate::pipeline::{Deadlines, Limits, Live, OwnTasks};
use crate::routing::{Catalogue, RoutingPolicy};
use crate::telemetry::LogSettings;

/// Every policy of the service, checked.
#[derive(Clone)]
pub struct Config {
    /// Where the API is served.
    pub listen: SocketAddr,
    pub http: HttpSettings,
    pub server: ServerSettings,
    pub shutdown: ShutdownPolicy,
    /// Where metrics and probes are served to operators.
    pub ops_listen: SocketAddr,
    /// The time of whole requests.
    pub deadlines: Deadlines,
    pub routing: RoutingPolicy,
    pub catalogue: Arc<Catalogue>,
    /// Tasks from files.
    pub own_tasks: Arc<OwnTasks>,
    pub admission: AdmissionPolicy,
    /// Bounds on a request, whatever its chain could take.
    pub limits: Limits,
    /// How files are read.
    pub extraction: ExtractionPolicy,
    pub log: LogSettings,
    pub bedrock: BedrockSettings,
    /// How soon a sign-in that failed is looked for again.
    pub sign_in_retry: Duration,
}

impl Config {
    /// What can change while the service runs.
    pub fn live(&self) -> Live {
        Live {
            catalogue: Arc::clone(&self.catalogue),
            own_tasks: Arc::clone(&self.own_tasks),
            limits: self.limits,
            deadlines: self.deadlines,
            routing: Arc::new(self.routing),
        }
    }
}

/// Which subcommand asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunMode {
    /// The service itself, with Bedrock behind it.
    Serve,
    /// The service with a simulator behind it; adds the layer `config/demo.toml`.
    Demo,
    /// The demo with one real model behind the simulator, whatever model a chain names; adds
    /// the layer `config/demo-llm.toml` as well.
    DemoWithLlm {
        /// What that model takes, prompt and answer together.
        context_tokens: u32,
    },
}

impl RunMode {
    fn is_demo(self) -> bool {
        match self {
            Self::Serve => false,
            Self::Demo | Self::DemoWithLlm { .. } => true,
        }
    }
}

/// Where settings come from, besides the compiled-in defaults.
pub struct Sources {
    pub mode: RunMode,
    /// `--config FILE`.
    pub file: Option<PathBuf>,
    /// `--listen ADDRESS`.
    pub listen: Option<String>,
    pub environment: Environment,
}

/// A configuration that can be run, and how it came about.
#[derive(Clone)]
pub struct Loaded {
    pub config: Config,
    /// Every setting in effect, in the order of `config/default.toml`.
    pub settings: Vec<EffectiveSetting>,
    /// What works but deserves a look, one sentence each.
    pub warnings: Vec<String>,
    /// `AWS_PROFILE`, which the AWS default chain reads by itself.
    pub profile: Option<String>,
}

/// What came of reading all sources.
pub struct Reading {
    /// Every problem of every layer when there are any, never just the first.
    pub outcome: Result<Loaded, Problems>,
    /// The files that were read, as they were just before.
    pub files: Vec<SourceFile>,
}

/// Reads all layers and checks them, at the start.
pub fn read(sources: &Sources) -> Reading {
    read_on(sources, Occasion::Start, CalendarDate::today())
}

/// The tasks that are compiled in.
pub fn built_in_tasks() -> OwnTasks {
    tasks::built_in()
}

/// Reads all layers once more and checks them as at the start. What can be read
/// only once, such as a pipe, is a problem then.
pub fn read_again(sources: &Sources) -> Reading {
    read_on(sources, Occasion::Again, CalendarDate::today())
}

/// Reads all layers and checks them.
///
/// # Errors
/// Every problem of every layer, never just the first.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    read(sources).outcome
}

/// Like [`load`], as if it were `today`.
///
/// # Errors
/// Every problem of every layer, never just the first.
pub fn load_on(sources: &Sources, today: CalendarDate) -> Result<Loaded, Problems> {
    read_on(sources, Occasion::Start, today).outcome
}

fn read_on(sources: &Sources, occasion: Occasion, today: CalendarDate) -> Reading {
    let mut files = Files::new(occasion);
    let outcome = read_layers(sources, &mut files, today);
    Reading { outcome, files: files.finish() }
}

fn read_layers(sources: &Sources, files: &mut Files, today: CalendarDate) -> Result<Loaded, Problems> {
    let mut problems = Problems::default();
    let layers = Layers::of(sources, files, &mut problems);
    let mut reader = Reader::new(&layers, &mut problems);
    let values = settings::read(&mut reader);
    let ca_file = reader.text("bedrock.ca_file");
    let models_file = reader.text("models.file");
    let tasks_folder = reader.text("tasks.folder");
    let (settings, mut warnings) = reader.finish();
    let models =
        models_file.and_then(|file| models::load(file, layers.origin("models.file"), files, &mut problems));
    let models = match sources.mode {
        RunMode::DemoWithLlm { context_tokens } => {
            models.map(|models| models::served_by_one(models, context_tokens))
        }
        RunMode::Serve | RunMode::Demo => models,
    };
    let own_tasks = tasks_folder.and_then(|folder| {
        tasks::load(folder, layers.origin("tasks.folder"), models.as_ref(), files, &mut problems)
    });
    let authorities = match sources.mode {
        RunMode::Serve => {
            let set_by = layers.origin("bedrock.ca_file");
            ca_file.and_then(|file| authorities::load(file, set_by, files, &mut problems))
        }
        // The service in a demo calls nobody over TLS.
        RunMode::Demo | RunMode::DemoWithLlm { .. } => None,
    };
    match (values, models, own_tasks) {
        (Some(values), Some(mut models), Some(own_tasks)) if problems.is_empty() => {
            let own_tasks = tasks::adopt(own_tasks, &mut models);
            warnings.extend(warnings::of_endpoint(&layers, sources.mode));
            if sources.mode == RunMode::Serve {
                warnings.extend(warnings::of_models(&models, values.region(), today));
            }
            let config = Config {
                own_tasks: Arc::new(own_tasks),
                ..values.into_config(Arc::new(models), authorities, sources)
            };
            let profile = sources.environment.profile().map(str::to_owned);
            Ok(Loaded { config, settings, warnings, profile })
        }
        _ => Err(problems),
    }
}

impl Loaded {
    /// This configuration as it is in effect once it took the place of `running`:
    /// what needs a restart stays what it was.
    pub fn in_place_of(mut self, running: &Self) -> Self {
        self.config.bedrock.trusted_authorities.clone_from(&running.config.bedrock.trusted_authorities);
        for setting in self.settings.iter_mut().filter(|setting| difference::needs_restart(&setting.key)) {
            if let Some(kept) = running.settings.iter().find(|kept| kept.key == setting.key) {
                setting.clone_from(kept);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::environment::variable_of;
    use super::layers::Layers;
    use super::{CalendarDate, Environment, Loaded, Origin, Problems, RunMode, Sources, load, load_on};
    use crate::domain::{Cost, Region};
    use crate::inference::bedrock::CredentialsSource;
    use crate::pipeline::{KeepPolicy, Limits};
    use crate::routing::{BreakerPolicy, LimitPolicy};
    use crate::telemetry::LogFormat;
    use std::collections::BTreeSet;
    use std::path::PathBuf;
    use std::time::Duration;

    /// A file of one test alone, removed at its end.
    struct TestFile(PathBuf);

    impl TestFile {
        fn new(name: &str, text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("redraft-{}-{name}", std::process::id()));
            std::fs::write(&path, text).unwrap();
            Self(path)
        }

        fn path(&self) -> String {
            self.0.display().to_string()
        }
    }

    impl Drop for TestFile {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }

    fn today() -> CalendarDate {
        CalendarDate::new(2026, 11, 20)
    }

    fn sources(variables: &[(&str, &str)]) -> Sources {
        let environment = variables.iter().copied().collect();
        Sources { mode: RunMode::Serve, file: None, listen: None, environment }
    }

    fn loaded(sources: &Sources) -> Loaded {
        load_on(sources, today()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn problems(sources: &Sources) -> Problems {
        load_on(sources, today()).err().expect("the configuration has a problem")
    }

    fn lines(variables: &[(&str, &str)]) -> Vec<String> {
        problems(&sources(variables)).iter().map(ToString::to_string).collect()
    }

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn without_any_source_the_defaults_hold_and_nothing_is_wrong() {
        let loaded = loaded(&sources(&[]));
        assert_eq!(loaded.warnings, [""; 0]);
        let config = loaded.config;
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.ops_listen.to_string(), "127.0.0.1:9464");
        assert_eq!(config.http.max_body_bytes, 4 * 1024 * 1024);
        assert_eq!(config.routing.clocks.answer, Duration::from_secs(25));
        assert_eq!((config.bedrock.region, config.bedrock.endpoint_url), (None, None));
        assert_eq!(config.bedrock.credentials, CredentialsSource::DefaultChain);
        assert!(loaded.settings.iter().all(|setting| setting.origin == Origin::Default));
    }

    #[test]
    fn every_key_of_the_defaults_is_read_exactly_once() {
        let read: Vec<String> =
            loaded(&sources(&[])).settings.into_iter().map(|setting| setting.key).collect();
        let unique: BTreeSet<&str> = read.iter().map(String::as_str).collect();
        assert_eq!(unique.len(), read.len());
        assert_eq!(unique, Layers::compiled_in().keys().collect());
    }

    /// A value for every setting, different from all others and from the default.
    const EVERY_SETTING: [(&str, &str, &str); 64] = [
        ("http.listen", "0.0.0.0:1001", "\"0.0.0.0:1001\""),
        ("http.heartbeat_ms", "1002", "1002"),
        ("http.max_body_bytes", "1003", "1003"),
        ("http.max_buffered_bytes", "1032", "1032"),
        ("http.body_read_ms", "1004", "1004"),
        ("http.header_read_ms", "1005", "1005"),
        ("http.write_ms", "1031", "1031"),
        ("http.max_connections", "1006", "1006"),
        (
            "http.allowed_origins",
            "https://A.example, https://*.b.example,",
            "[\"https://A.example\", \"https://*.b.example\"]",
        ),
        ("http.tenant_header", "x-tenant", "\"x-tenant\""),
        ("ops.listen", "127.0.0.1:1007", "\"127.0.0.1:1007\""),
        ("clocks.connect_ms", "1008", "1008"),
        ("clocks.answer_ms", "1009", "1009"),
        ("clocks.first_event_ms", "1010", "1010"),
        ("clocks.idle_ms", "1011", "1011"),
        ("clocks.attempt_ms", "1012", "1012"),
        ("clocks.request_ms", "1013", "1013"),
        ("clocks.stream_ms", "1014", "1014"),
        ("clocks.max_request_ms", "1015", "1015"),
        ("routing.max_retries", "5", "5"),
        ("routing.backoff_base_ms", "1016", "1016"),
        ("routing.backoff_cap_ms", "1017", "1017"),
        ("routing.retry_budget_percent", "32", "32"),
        ("routing.place_wait_ms", "1033", "1033"),
        ("breaker.consecutive_failures", "34", "34"),
        ("breaker.failure_percent", "35", "35"),
        ("breaker.window_ms", "1036", "1036"),
        ("breaker.min_calls", "37", "37"),
        ("breaker.open_ms", "1038", "1038"),
        ("breaker.open_cap_ms", "1039", "1039"),
        ("breaker.probe_ms", "1040", "1040"),
        ("breaker.out_ms", "1041", "1041"),
        ("adaptive.max_in_flight", "43", "43"),
        ("adaptive.min_in_flight", "42", "42"),
        ("adaptive.decrease_percent", "44", "44"),
        ("admission.max_running", "1018", "1018"),
        ("admission.max_waiting", "0", "0"),
        ("fanout.max_parallel", "64", "64"),
        ("limits.max_input_tokens", "1019", "1019"),
        ("documents.target_chunk_tokens", "1045", "1045"),
        ("documents.target_answer_tokens", "1046", "1046"),
        ("documents.max_chunks", "47", "47"),
        ("documents.max_cost_usd", "0.5", "0.5"),
        ("documents.keep_ms", "1048", "1048"),
        ("documents.keep_max_bytes", "1049", "1049"),
        ("documents.max_file_bytes", "1029", "1029"),
        ("documents.max_readers", "51", "51"),
        ("documents.max_memory_bytes", "268435457", "268435457"),
        ("documents.max_cpu_ms", "1052", "1052"),
        ("documents.read_ms", "1053", "1053"),
        ("documents.max_text_bytes", "1054", "1054"),
        ("playground.enabled", "true", "true"),
        ("shutdown.delay_ms", "33", "33"),
        ("shutdown.drain_ms", "1020", "1020"),
        ("log.format", "pretty", "\"pretty\""),
        ("log.level", "warn,redraft=debug", "\"warn,redraft=debug\""),
        ("bedrock.region", "us-west-2", "\"us-west-2\""),
        ("bedrock.endpoint_url", "http://127.0.0.1:1021", "\"http://127.0.0.1:1021\""),
        ("bedrock.sign_in_ms", "1022", "1022"),
        ("bedrock.sign_in_retry_ms", "1032", "1032"),
        ("bedrock.max_connections_per_region", "1023", "1023"),
        (
            "bedrock.ca_file",
            "bedrock-sim/tests/fixtures/tls/authority.pem",
            "\"bedrock-sim/tests/fixtures/tls/authority.pem\"",
        ),
        ("models.file", "config/models.toml", "\"config/models.toml\""),
        ("tasks.folder", "config/tasks", "\"config/tasks\""),
    ];

    #[test]
    fn every_setting_can_be_made_by_its_variable_and_arrives_where_it_belongs() {
        let names: Vec<String> = EVERY_SETTING.iter().map(|(key, ..)| variable_of(key)).collect();
        let pairs = names.iter().zip(EVERY_SETTING).map(|(name, (_, text, _))| (name.as_str(), text));
        let loaded = loaded(&sources(&pairs.collect::<Vec<_>>()));
        for (setting, (key, _, shown)) in loaded.settings.iter().zip(EVERY_SETTING) {
            assert_eq!((setting.key.as_str(), setting.value.as_str()), (key, shown));
            assert_eq!(setting.origin, Origin::Environment(variable_of(key)));
        }
        assert_eq!(loaded.settings.len(), EVERY_SETTING.len());

        let config = loaded.config;
        assert_eq!(config.listen.to_string(), "0.0.0.0:1001");
        assert_eq!(config.http.heartbeat, millis(1002));
        assert_eq!((config.http.max_body_bytes, config.http.max_buffered_bytes), (1003, 1032));
        assert_eq!(config.http.body_read_timeout, millis(1004));
        assert_eq!(config.server.header_read_timeout, millis(1005));
        assert_eq!(config.server.write_timeout, millis(1031));
        assert_eq!(config.server.max_connections, 1006);
        assert_eq!(config.http.allowed_origins, ["https://a.example", "https://*.b.example"]);
        assert_eq!(config.http.tenant_header.as_deref(), Some("x-tenant"));
        assert_eq!(config.ops_listen.to_string(), "127.0.0.1:1007");
        assert_eq!(config.bedrock.connect_timeout, millis(1008));
        assert_eq!(config.routing.clocks.answer, millis(1009));
        assert_eq!(config.routing.clocks.first_event, millis(1010));
        assert_eq!(config.routing.clocks.idle, millis(1011));
        assert_eq!(config.routing.clocks.attempt, millis(1012));
        assert_eq!(config.deadlines.json, millis(1013));
        assert_eq!(config.deadlines.stream, millis(1014));
        assert_eq!(config.deadlines.longest, millis(1015));
        assert_eq!(config.routing.max_retries, 5);
        assert_eq!(config.routing.backoff.base, millis(1016));
        assert_eq!(config.routing.backoff.cap, millis(1017));
        assert_eq!(config.routing.retry_budget_percent, 32);
        assert_eq!(config.routing.place_wait, millis(1033));
        let breaker = BreakerPolicy {
            consecutive_failures: 34,
            failure_percent: 35,
            window: millis(1036),
            min_calls: 37,
            open: millis(1038),
            open_cap: millis(1039),
            probe: millis(1040),
            out: millis(1041),
        };
        assert_eq!(config.routing.breaker, breaker);
        let limit = LimitPolicy { max_in_flight: 43, min_in_flight: 42, decrease_percent: 44 };
        assert_eq!(config.routing.limit, limit);
        assert_eq!((config.admission.max_running, config.admission.max_waiting), (1018, 0));
        let limits = Limits {
            max_input_tokens: 1019,
            target_chunk_tokens: 1045,
            target_answer_tokens: 1046,
            max_chunks: 47,
            max_cost: Cost::of_usd(0.5).unwrap(),
            max_parallel: 64,
            keep: KeepPolicy { max_bytes: 1049, keep_for: millis(1048) },
        };
        assert_eq!(config.limits, limits);
        assert_eq!(config.http.max_file_bytes, 1029);
        assert!(config.http.playground);
        let files = &config.extraction;
        assert_eq!((files.max_parallel, files.max_memory_bytes), (51, 268_435_457));
        assert_eq!((files.max_cpu, files.timeout, files.max_text_bytes), (millis(1052), millis(1053), 1054));
        assert_eq!((config.shutdown.delay, config.shutdown.drain), (millis(33), millis(1020)));
        assert_eq!(
            (config.log.format, config.log.filter.as_str()),
            (LogFormat::Pretty, "warn,redraft=debug")
        );
        assert_eq!(config.bedrock.region, Some(Region::new("us-west-2")));
        assert_eq!(config.bedrock.endpoint_url.as_deref(), Some("http://127.0.0.1:1021"));
        assert_eq!(config.bedrock.sign_in_timeout, millis(1022));
        assert_eq!(config.sign_in_retry, millis(1032));
        assert_eq!(config.bedrock.max_connections_per_region.get(), 1023);
        assert!(config.bedrock.trusted_authorities.is_some());
    }

    #[test]
    fn every_setting_refuses_what_it_cannot_be_and_all_of_it_is_told_at_once() {
        let expected = [
            (
                "http.listen",
                "localhost",
                "expected an address and port such as 127.0.0.1:8080, found \"localhost\"",
            ),
            ("http.heartbeat_ms", "9", "expected a whole number of milliseconds from 10 to 60000, found 9"),
            ("http.max_body_bytes", "0", "expected a whole number of bytes from 1 to 1073741824, found 0"),
            (
                "http.max_buffered_bytes",
                "0",
                "expected a whole number of bytes from 1 to 1099511627776, found 0",
            ),
            ("http.body_read_ms", "-1", "expected a whole number of milliseconds from 1 to 600000, found -1"),
            (
                "http.header_read_ms",
                "1.5",
                "expected a whole number of milliseconds from 1 to 600000, found \"1.5\"",
            ),
            ("http.write_ms", "0", "expected a whole number of milliseconds from 1 to 600000, found 0"),
            (
                "http.max_connections",
                "0",
                "expected a whole number of connections from 1 to 1000000, found 0",
            ),
            ("ops.listen", ":9464", "expected an address and port such as 127.0.0.1:8080, found \":9464\""),
            (
                "clocks.connect_ms",
                "3s",
                "expected a whole number of milliseconds from 1 to 60000, found \"3s\"",
            ),
            ("clocks.answer_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            (
                "clocks.first_event_ms",
                "0",
                "expected a whole number of milliseconds from 1 to 3600000, found 0",
            ),
            ("clocks.idle_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            ("clocks.attempt_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            ("clocks.request_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            ("clocks.stream_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            (
                "clocks.max_request_ms",
                "0",
                "expected a whole number of milliseconds from 1 to 3600000, found 0",
            ),
            ("routing.max_retries", "6", "expected a whole number of retries from 0 to 5, found 6"),
            (
                "routing.backoff_base_ms",
                "0",
                "expected a whole number of milliseconds from 1 to 60000, found 0",
            ),
            (
                "routing.backoff_cap_ms",
                "0",
                "expected a whole number of milliseconds from 1 to 60000, found 0",
            ),
            (
                "routing.retry_budget_percent",
                "101",
                "expected a whole number of percent from 0 to 100, found 101",
            ),
            (
                "routing.place_wait_ms",
                "-1",
                "expected a whole number of milliseconds from 0 to 600000, found -1",
            ),
            ("breaker.consecutive_failures", "0", "expected a whole number of calls from 1 to 1000, found 0"),
            ("breaker.failure_percent", "0", "expected a whole number of percent from 1 to 100, found 0"),
            (
                "breaker.window_ms",
                "999",
                "expected a whole number of milliseconds from 1000 to 3600000, found 999",
            ),
            ("breaker.min_calls", "0", "expected a whole number of calls from 1 to 100000, found 0"),
            ("breaker.open_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            (
                "breaker.open_cap_ms",
                "0",
                "expected a whole number of milliseconds from 1 to 3600000, found 0",
            ),
            ("breaker.probe_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            ("breaker.out_ms", "0", "expected a whole number of milliseconds from 1 to 86400000, found 0"),
            ("adaptive.max_in_flight", "0", "expected a whole number of calls from 1 to 100000, found 0"),
            ("adaptive.min_in_flight", "0", "expected a whole number of calls from 1 to 100000, found 0"),
            (
                "adaptive.decrease_percent",
                "101",
                "expected a whole number of percent from 1 to 100, found 101",
            ),
            ("admission.max_running", "0", "expected a whole number of requests from 1 to 1000000, found 0"),
            (
                "admission.max_waiting",
                "-1",
                "expected a whole number of requests from 0 to 1000000, found -1",
            ),
            ("fanout.max_parallel", "65", "expected a whole number of model calls from 1 to 64, found 65"),
            (
                "limits.max_input_tokens",
                "0",
                "expected a whole number of tokens from 1 to 100000000, found 0",
            ),
            (
                "documents.target_chunk_tokens",
                "63",
                "expected a whole number of tokens from 64 to 1000000, found 63",
            ),
            (
                "documents.target_answer_tokens",
                "63",
                "expected a whole number of tokens from 64 to 100000, found 63",
            ),
            ("documents.max_chunks", "0", "expected a whole number of parts from 1 to 10000, found 0"),
            ("documents.max_cost_usd", "-1", "expected a number of USD from 0 to 10000, found -1.0"),
            (
                "documents.keep_ms",
                "-1",
                "expected a whole number of milliseconds from 0 to 86400000, found -1",
            ),
            (
                "documents.keep_max_bytes",
                "-1",
                "expected a whole number of bytes from 0 to 1099511627776, found -1",
            ),
            (
                "documents.max_file_bytes",
                "0",
                "expected a whole number of bytes from 1 to 1073741824, found 0",
            ),
            ("documents.max_readers", "0", "expected a whole number of processes from 1 to 256, found 0"),
            (
                "documents.max_memory_bytes",
                "1",
                "expected a whole number of bytes from 268435456 to 68719476736, found 1",
            ),
            (
                "documents.max_cpu_ms",
                "999",
                "expected a whole number of milliseconds from 1000 to 3600000, found 999",
            ),
            ("documents.read_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            (
                "documents.max_text_bytes",
                "0",
                "expected a whole number of bytes from 1 to 1073741824, found 0",
            ),
            ("shutdown.delay_ms", "-1", "expected a whole number of milliseconds from 0 to 600000, found -1"),
            ("shutdown.drain_ms", "0", "expected a whole number of milliseconds from 1 to 3600000, found 0"),
            ("log.format", "JSON", "expected json or pretty, found \"JSON\""),
            (
                "log.level",
                "=",
                "expected a level such as info, or directives such as info,redraft=debug, found \"=\"",
            ),
            (
                "bedrock.region",
                "Frankfurt",
                "expected a region such as eu-central-1, or nothing, found \"Frankfurt\"",
            ),
            (
                "bedrock.endpoint_url",
                "me:secret@example.com",
                "expected a URL such as https://bedrock-runtime.eu-central-1.amazonaws.com, found \"***@example.com\"",
            ),
            ("bedrock.sign_in_ms", "0", "expected a whole number of milliseconds from 1 to 60000, found 0"),
            (
                "bedrock.sign_in_retry_ms",
                "99",
                "expected a whole number of milliseconds from 100 to 3600000, found 99",
            ),
            (
                "bedrock.max_connections_per_region",
                "0",
                "expected a whole number of connections from 1 to 1024, found 0",
            ),
        ];
        let names: Vec<String> = expected.iter().map(|(key, ..)| variable_of(key)).collect();
        let pairs: Vec<(&str, &str)> =
            names.iter().zip(expected).map(|(name, (_, text, _))| (name.as_str(), text)).collect();
        let wanted: Vec<String> = names
            .iter()
            .zip(expected)
            .map(|(name, (key, _, message))| format!("{key} (environment {name}): {message}"))
            .collect();
        assert_eq!(lines(&pairs), wanted);
    }

    #[test]
    fn a_list_tells_which_entry_is_wrong() {
        let origins = "https://a.example,https://b.example/path,ftp";
        assert_eq!(
            lines(&[("REDRAFT__HTTP__ALLOWED_ORIGINS", origins)]),
            [
                "http.allowed_origins[1] (environment REDRAFT__HTTP__ALLOWED_ORIGINS): an origin has no path, write https://b.example, found \"https://b.example/path\"",
                "http.allowed_origins[2] (environment REDRAFT__HTTP__ALLOWED_ORIGINS): expected an origin such as https://app.example.com, https://*.example.com or *, found \"ftp\"",
            ]
        );
    }

    #[test]
    fn a_switch_is_true_or_false_and_nothing_else() {
        assert!(!loaded(&sources(&[])).config.http.playground);
        assert!(loaded(&sources(&[("REDRAFT__PLAYGROUND__ENABLED", "true")])).config.http.playground);
        assert_eq!(
            lines(&[("REDRAFT__PLAYGROUND__ENABLED", "yes")]),
            [
                "playground.enabled (environment REDRAFT__PLAYGROUND__ENABLED): expected true or false, found \"yes\""
            ]
        );
        let demo = Sources { mode: RunMode::Demo, ..sources(&[]) };
        assert!(loaded(&demo).config.http.playground);
    }

    #[test]
    fn unknown_names_are_problems_with_the_name_that_was_meant() {
        for (name, advice) in [
            ("REDRAFT__HTTP__LISTNE", "did you mean REDRAFT__HTTP__LISTEN?"),
            ("REDRAFT__HTTP_LISTEN", "did you mean REDRAFT__HTTP__LISTEN?"),
            ("REDRAFT__http__listen", "did you mean REDRAFT__HTTP__LISTEN?"),
            ("REDRAFT__CLOCKS__DRAIN_MS", "did you mean REDRAFT__SHUTDOWN__DRAIN_MS?"),
            ("REDRAFT__FANOUT__ZZZ", "known are fanout.max_parallel"),
            (
                "REDRAFT__ZZZ",
                "known sections are adaptive, admission, bedrock, breaker, clocks, documents, fanout, http, limits, log, models, ops, playground, routing, shutdown, tasks",
            ),
        ] {
            let lines = lines(&[(name, "1")]);
            assert_eq!(lines.len(), 1, "{lines:?}");
            let end = format!("(environment {name}): unknown setting, {advice}");
            assert!(lines[0].ends_with(&end), "{}", lines[0]);
        }
    }

    #[test]
    fn variables_of_others_and_empty_ones_do_not_count() {
        let variables = [("REDRAFT_SERVICE_HOST", "x"), ("REDRAFT__HTTP__LISTEN", " "), ("AWS_REGION", "")];
        assert!(
            loaded(&sources(&variables)).settings.iter().all(|setting| setting.origin == Origin::Default)
        );
    }

    #[test]
    fn each_layer_wins_over_the_one_before() {
        let file = TestFile::new(
            "layers.toml",
            "[http]\nlisten = \"127.0.0.1:2\"\nheartbeat_ms = 20\n[log]\nformat = \"json\"",
        );
        let mut sources = sources(&[("REDRAFT__HTTP__LISTEN", "127.0.0.1:3")]);
        sources.mode = RunMode::Demo;
        let in_effect = |sources: &Sources, key: &str| {
            let loaded = loaded(sources);
            let setting = loaded.settings.into_iter().find(|setting| setting.key == key).unwrap();
            (setting.value, setting.origin.to_string())
        };
        let is = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());

        assert_eq!(in_effect(&sources, "log.format"), is("\"pretty\"", "demo default"));
        assert_eq!(in_effect(&sources, "http.heartbeat_ms"), is("10000", "default"));
        sources.file = Some(file.0.clone());
        let file_origin = format!("file {}", file.path());
        assert_eq!(in_effect(&sources, "log.format"), is("\"json\"", &file_origin));
        assert_eq!(in_effect(&sources, "http.heartbeat_ms"), is("20", &file_origin));
        assert_eq!(
            in_effect(&sources, "http.listen"),
            is("\"127.0.0.1:3\"", "environment REDRAFT__HTTP__LISTEN")
        );
        sources.listen = Some("127.0.0.1:4".into());
        assert_eq!(in_effect(&sources, "http.listen"), is("\"127.0.0.1:4\"", "flag --listen"));
    }

    #[test]
    fn standard_variables_count_in_their_order_and_below_our_own() {
        let value_of = |variables: &[(&str, &str)], key: &str| {
            let loaded = loaded(&sources(variables));
            loaded.settings.into_iter().find(|setting| setting.key == key).unwrap().value
        };
        let region = [
            ("AWS_DEFAULT_REGION", "us-east-2"),
            ("AWS_REGION", "us-east-1"),
            ("REDRAFT__BEDROCK__REGION", "us-west-1"),
        ];
        assert_eq!(value_of(&region[..1], "bedrock.region"), "\"us-east-2\"");
        assert_eq!(value_of(&region[..2], "bedrock.region"), "\"us-east-1\"");
        assert_eq!(value_of(&region, "bedrock.region"), "\"us-west-1\"");
        let endpoint = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:2"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
            ("REDRAFT__BEDROCK__ENDPOINT_URL", "http://127.0.0.1:3"),
        ];
        assert_eq!(value_of(&endpoint[..1], "bedrock.endpoint_url"), "\"http://127.0.0.1:1\"");
        assert_eq!(value_of(&endpoint[..2], "bedrock.endpoint_url"), "\"http://127.0.0.1:2\"");
        assert_eq!(value_of(&endpoint[..3], "bedrock.endpoint_url"), "\"\"");
        assert_eq!(value_of(&endpoint, "bedrock.endpoint_url"), "\"http://127.0.0.1:3\"");
        let level = [("RUST_LOG", "debug"), ("REDRAFT__LOG__LEVEL", "warn")];
        assert_eq!(value_of(&level[..1], "log.level"), "\"debug\"");
        assert_eq!(value_of(&level, "log.level"), "\"warn\"");
    }

    #[test]
    fn a_bearer_token_changes_how_the_service_signs_in_and_the_demo_signs_in_nowhere() {
        let mut sources = sources(&[("AWS_BEARER_TOKEN_BEDROCK", "secret"), ("AWS_PROFILE", "dev")]);
        let as_service = loaded(&sources);
        assert_eq!(as_service.config.bedrock.credentials, CredentialsSource::BearerToken);
        assert_eq!(as_service.profile.as_deref(), Some("dev"));
        sources.mode = RunMode::Demo;
        let demo = loaded(&sources).config;
        assert_eq!(demo.bedrock.credentials, CredentialsSource::Simulator);
        assert_eq!(demo.bedrock.region, Some(Region::new("us-east-1")));
    }

    #[test]
    fn the_demo_says_that_it_calls_no_other_endpoint() {
        let mut sources = sources(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_REGION", "eu-west-1")]);
        sources.mode = RunMode::Demo;
        let demo = loaded(&sources);
        assert_eq!(demo.config.bedrock.endpoint_url, None);
        assert_eq!(
            demo.warnings,
            [
                "bedrock.endpoint_url (environment AWS_ENDPOINT_URL) is not used: the demo calls its own simulator"
            ]
        );
    }

    #[test]
    fn values_that_contradict_each_other_are_problems_when_both_were_chosen() {
        for (variables, line) in [
            (
                [("REDRAFT__CLOCKS__FIRST_EVENT_MS", "200"), ("REDRAFT__CLOCKS__ATTEMPT_MS", "100")],
                "clocks.attempt_ms (environment REDRAFT__CLOCKS__ATTEMPT_MS): expected at least clocks.first_event_ms, which is 200, found 100",
            ),
            (
                [("REDRAFT__ROUTING__BACKOFF_BASE_MS", "200"), ("REDRAFT__ROUTING__BACKOFF_CAP_MS", "100")],
                "routing.backoff_cap_ms (environment REDRAFT__ROUTING__BACKOFF_CAP_MS): expected at least routing.backoff_base_ms, which is 200, found 100",
            ),
            (
                [("REDRAFT__BREAKER__OPEN_MS", "200"), ("REDRAFT__BREAKER__OPEN_CAP_MS", "100")],
                "breaker.open_cap_ms (environment REDRAFT__BREAKER__OPEN_CAP_MS): expected at least breaker.open_ms, which is 200, found 100",
            ),
            (
                [("REDRAFT__ADAPTIVE__MIN_IN_FLIGHT", "9"), ("REDRAFT__ADAPTIVE__MAX_IN_FLIGHT", "8")],
                "adaptive.max_in_flight (environment REDRAFT__ADAPTIVE__MAX_IN_FLIGHT): expected at least adaptive.min_in_flight, which is 9, found 8",
            ),
            (
                [("REDRAFT__CLOCKS__REQUEST_MS", "600001"), ("REDRAFT__CLOCKS__STREAM_MS", "1")],
                "clocks.max_request_ms (default): expected at least clocks.request_ms, which is 600001, found 600000",
            ),
            (
                [("REDRAFT__CLOCKS__STREAM_MS", "60001"), ("REDRAFT__CLOCKS__MAX_REQUEST_MS", "60000")],
                "clocks.max_request_ms (environment REDRAFT__CLOCKS__MAX_REQUEST_MS): expected at least clocks.stream_ms, which is 60001, found 60000",
            ),
            (
                [("REDRAFT__HTTP__LISTEN", "0.0.0.0:9464"), ("REDRAFT__OPS__LISTEN", "127.0.0.1:9464")],
                "ops.listen (environment REDRAFT__OPS__LISTEN): expected another address or port than http.listen, found \"127.0.0.1:9464\"",
            ),
        ] {
            assert_eq!(lines(&variables), [line]);
        }
    }

    #[test]
    fn a_value_that_only_contradicts_a_default_works_with_a_warning() {
        for (name, value, warning) in [
            (
                "REDRAFT__CLOCKS__ATTEMPT_MS",
                "2000",
                "clocks.first_event_ms is 15000, but clocks.attempt_ms is 2000 and holds first",
            ),
            (
                "REDRAFT__ROUTING__BACKOFF_BASE_MS",
                "5000",
                "routing.backoff_base_ms is 5000, but routing.backoff_cap_ms is 2000 and holds first",
            ),
            (
                "REDRAFT__BREAKER__OPEN_CAP_MS",
                "1000",
                "breaker.open_ms is 5000, but breaker.open_cap_ms is 1000 and holds first",
            ),
            (
                "REDRAFT__ADAPTIVE__MIN_IN_FLIGHT",
                "1025",
                "adaptive.min_in_flight is 1025, but adaptive.max_in_flight is 1024 and holds first",
            ),
        ] {
            assert_eq!(loaded(&sources(&[(name, value)])).warnings, [warning]);
        }
    }

    #[test]
    fn a_word_that_only_looks_like_a_level_is_refused() {
        for bad in ["inof", "warning", "redraft=debug,erorr", "infos"] {
            assert_eq!(lines(&[("RUST_LOG", bad)]).len(), 1, "{bad}");
        }
        for good in ["INFO", "off", "redraft=debug", "warn,hyper::proto=error", "tower_http"] {
            loaded(&sources(&[("RUST_LOG", good)]));
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_with_line_and_column_besides_other_problems() {
        let file = TestFile::new("syntax.toml", "[http]\nlisten = \"127.0.0.1:1\"\nheartbeat_ms = = 5\n");
        let mut sources = sources(&[("REDRAFT__LOG__FORMAT", "xml")]);
        sources.file = Some(file.0.clone());
        let told = problems(&sources).to_string();
        let (first, second) = told.split_once('\n').unwrap();
        assert!(first.starts_with(&format!("file {}: line 3, column 16: ", file.path())), "{first}");
        assert_eq!(
            second,
            "log.format (environment REDRAFT__LOG__FORMAT): expected json or pretty, found \"xml\""
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem() {
        let mut sources = sources(&[]);
        sources.file = Some("no/such/redraft.toml".into());
        let told = problems(&sources).to_string();
        assert!(told.starts_with("file no/such/redraft.toml: cannot be read: "), "{told}");
    }

    #[test]
    fn keys_of_a_file_that_nobody_knows_and_values_of_a_wrong_type_are_all_told() {
        let text = "log = 5\n[http]\nheartbeat = 5\nbody_read_ms = \"5\"\nlisten = 8080\nallowed_origins = \"*\"\n[http.cors]\norigin = 1\n[[model]]\nid = \"x\"";
        let file = TestFile::new("unknown.toml", text);
        let mut sources = sources(&[]);
        sources.file = Some(file.0.clone());
        let told = problems(&sources).to_string().replace(&file.path(), "F");
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "http.cors.origin (file F): unknown setting, did you mean http.allowed_origins?",
                "http.heartbeat (file F): unknown setting, did you mean http.heartbeat_ms?",
                "log (file F): expected a table, [log], found 5",
                "model (file F): unknown setting, models and chains stand in a file of their own, which models.file names",
                "http.listen (file F): expected an address and port such as 127.0.0.1:8080, found 8080",
                "http.body_read_ms (file F): expected a whole number of milliseconds from 1 to 600000, found \"5\"",
                "http.allowed_origins (file F): expected a list of texts, found \"*\"",
            ]
        );
    }

    #[test]
    fn a_file_of_models_stands_beside_the_file_that_names_it() {
        let models = TestFile::new("beside.toml", "");
        let name = models.0.file_name().unwrap().to_string_lossy();
        let file = TestFile::new("names-models.toml", &format!("[models]\nfile = \"{name}\""));
        let mut sources = sources(&[("REDRAFT__LOG__FORMAT", "xml")]);
        sources.file = Some(file.0.clone());
        let told = problems(&sources).to_string().replace(&models.path(), "M");
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "log.format (environment REDRAFT__LOG__FORMAT): expected json or pretty, found \"xml\"",
                "model (file M): is missing, expected [[model]] entries",
                "chains (file M): is missing, expected tables [chains.<name>]",
                "tasks (file M): is missing, expected a table [tasks]",
                "preference (file M): is missing, expected a table [preference]",
            ]
        );
    }

    #[test]
    fn a_file_of_authorities_that_cannot_be_used_stops_the_start_and_not_the_demo() {
        let no_certificate = TestFile::new("authorities.pem", "not a certificate");
        let file = no_certificate.path();
        for (path, reason) in [
            (
                "/nonexistent/ca.pem",
                "/nonexistent/ca.pem cannot be read: No such file or directory (os error 2)",
            ),
            (file.as_str(), &format!("{file} holds no certificate in PEM")),
        ] {
            assert_eq!(
                lines(&[("AWS_CA_BUNDLE", path)]),
                [format!(
                    "bedrock.ca_file (environment AWS_CA_BUNDLE): expected a file of certificates, {reason}"
                )]
            );
            let demo = Sources { mode: RunMode::Demo, ..sources(&[("AWS_CA_BUNDLE", path)]) };
            assert!(load_on(&demo, today()).is_ok());
        }
        let beside = no_certificate.0.file_name().unwrap().to_string_lossy();
        let settings = TestFile::new("names-ca.toml", &format!("[bedrock]\nca_file = \"{beside}\""));
        let sources = Sources { file: Some(settings.0.clone()), ..sources(&[]) };
        assert!(problems(&sources).to_string().contains(&format!("{file} holds no certificate")));
    }

    #[test]
    fn the_flag_is_named_when_it_is_wrong() {
        let mut sources = sources(&[]);
        sources.listen = Some("x".into());
        assert_eq!(
            problems(&sources).to_string(),
            "http.listen (flag --listen): expected an address and port such as 127.0.0.1:8080, found \"x\""
        );
    }

    #[test]
    fn loading_for_today_works_too() {
        let sources = Sources { environment: Environment::default(), ..sources(&[]) };
        assert!(load(&sources).is_ok());
    }

    #[test]
    fn the_documentation_has_a_row_for_every_setting_with_its_variable_and_default() {
        let documentation = include_str!("../docs/CONFIGURATION.md");
        let layers = Layers::compiled_in();
        for key in layers.keys() {
            let row = format!("| `{key}` | `{}` | `{}` |", variable_of(key), layers.setting(key).value);
            assert!(documentation.contains(&row), "docs/CONFIGURATION.md has no row that begins with {row}");
        }
        let rows = documentation.lines().filter(|line| line.contains("` | `REDRAFT__")).count();
        assert_eq!(
            rows,
            layers.keys().count(),
            "docs/CONFIGURATION.md has rows of settings that do not exist"
        );
    }
}
