//! A running service and a small HTTP client, for tests.

pub mod book;
mod client;
mod frames;
pub mod http2;
mod raw;
mod samples;
mod sse;

pub use client::{Answer, OpenStream, Request};
pub use frames::{error_frame, frame};
pub use raw::{FreezingRelay, NoListener, RawUpstream, ServiceOver, read_request};
pub use samples::Samples;
pub use sse::Transcript;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bedrock_sim::{ApiError, CallRecord, Scenario, Sim, SimOptions};
use redraft::app::App;
use redraft::config::{self, Environment, RunMode, Sources};
use redraft::inference::ModelBackend;
use redraft::inference::bedrock::CredentialsSource;
use redraft::inference::scripted::ScriptedBackend;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The models of the default chain, in order.
pub struct DefaultChain {
    pub first: String,
    pub second: String,
    pub len: usize,
}

/// The service over the simulator.
pub struct TestApp {
    pub sim: Sim,
    pub api: SocketAddr,
    pub ops: SocketAddr,
    pub shutdown: CancellationToken,
    running: JoinHandle<bool>,
}

const SIM_TIME: Duration = Duration::from_secs(10);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

impl TestApp {
    /// With the shipped settings.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With settings from the environment, for example `("CLOCKS__IDLE_MS", "50")`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        Self::over(sim, settings).await
    }

    /// Over a simulator that is already set up.
    pub async fn over(sim: Sim, settings: &[(&str, &str)]) -> Self {
        let mut config = load(settings);
        config.bedrock.endpoint_url = Some(sim.endpoint_url());
        Self::run(sim, App::build(&config).await.unwrap())
    }

    /// Runs an app that was built over this simulator.
    pub fn run(sim: Sim, app: App) -> Self {
        let addresses = app.addresses().unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(app.run(shutdown.clone()));
        Self { sim, api: addresses.public, ops: addresses.ops, shutdown, running }
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: Value) -> Request {
        Request::post(self.api, path).header("content-type", "application/json").body(body.to_string())
    }

    pub fn get(&self, path: &str) -> Request {
        Request::get(self.api, path)
    }

    /// The chain that every task uses by default.
    pub async fn default_chain(&self) -> DefaultChain {
        let models = self.get("/v1/models").send().await.json();
        let chains = models["chains"].as_array().unwrap();
        let serves = |chain: &&Value| chain["default_for"].as_array().unwrap().contains(&json!("summarize"));
        let models = chains.iter().find(serves).unwrap()["models"].as_array().unwrap().clone();
        let name = |index: usize| models[index].as_str().unwrap().to_owned();
        DefaultChain { first: name(0), second: name(1), len: models.len() }
    }

    /// Makes every call of a model fail with an exception.
    pub fn fail(&self, model: &str, error: ApiError) {
        self.sim.set_scenario(model, Scenario::Error { error });
    }

    /// Model ids of the calls that the simulator received, in order.
    pub fn models_called(&self) -> Vec<String> {
        self.sim.calls().into_iter().map(|call| call.model_id).collect()
    }

    /// The first call for which `wanted` holds, waited for.
    pub async fn call(&self, wanted: impl Fn(&CallRecord) -> bool + Send) -> CallRecord {
        self.sim.wait_for_call(wanted, SIM_TIME).await.expect("the simulator sees such a call")
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> String {
        Request::get(self.ops, "/metrics").send().await.text()
    }

    /// The value of one series, with its labels in any order.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.metrics().await;
        series(&text, name, labels).unwrap_or_else(|| panic!("no series {name} {labels:?}"))
    }

    /// Waits until a series has a value.
    pub async fn until_metric(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        // A scrape is work for the service, too.
        let mut pace = tokio::time::interval(LOOK_AGAIN_AFTER);
        let look = async {
            while self.metric(name, labels).await != value {
                pace.tick().await;
            }
        };
        let seen = tokio::time::timeout(SIM_TIME, look).await;
        assert!(seen.is_ok(), "{name} {labels:?} never was {value}");
    }

    /// Asks the service to stop and waits until it says so.
    pub async fn begin_shutdown(&self) {
        self.shutdown.cancel();
        let look =
            async { while !Request::get(self.ops, "/readyz").send().await.text().contains("not ready") {} };
        tokio::time::timeout(SIM_TIME, look).await.expect("it says that it stops");
    }

    /// Stops the service and says whether all requests ended by themselves.
    pub async fn stop(self) -> bool {
        self.shutdown.cancel();
        let drained = self.running.await.unwrap();
        self.sim.stop().await;
        drained
    }
}

/// A series of an exposition text.
pub fn series(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (found, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let all = labels.iter().all(|(label, value)| found.contains(&format!("{label}=\"{value}\"")));
        let count = found.matches("=\"").count();
        (all && count == labels.len()).then(|| value.parse().unwrap())
    })
}

/// The service over a scripted backend: no socket upstream.
pub struct ScriptedApp {
    pub backend: Arc<ScriptedBackend>,
    pub api: SocketAddr,
    _shutdown: tokio_util::sync::DropGuard,
}

impl ScriptedApp {
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let backend = Arc::new(ScriptedBackend::default());
        let config = load(settings);
        let app = App::build_over(Arc::clone(&backend) as Arc<dyn ModelBackend>, &config).await.unwrap();
        let api = app.addresses().unwrap().public;
        let shutdown = CancellationToken::new();
        tokio::spawn(app.run(shutdown.clone()));
        Self { backend, api, _shutdown: shutdown.drop_guard() }
    }
}

/// The shipped configuration with free ports and these settings.
pub fn load(settings: &[(&str, &str)]) -> config::Config {
    let mut config = config::load(&sources(settings)).unwrap_or_else(|problems| panic!("{problems}")).config;
    config.bedrock.credentials = CredentialsSource::Simulator;
    // The test itself is another program.
    config.extraction.program = env!("CARGO_BIN_EXE_redraft").into();
    config
}

/// The sources of that configuration.
pub fn sources(settings: &[(&str, &str)]) -> Sources {
    let free_ports = [("HTTP__LISTEN", "127.0.0.1:0"), ("OPS__LISTEN", "127.0.0.1:0")];
    let ours = free_ports.iter().chain(settings).map(|(key, value)| (format!("REDRAFT__{key}"), *value));
    let environment: Environment = ours.chain([("AWS_REGION".to_owned(), "us-east-1")]).collect();
    Sources { mode: RunMode::Serve, file: None, listen: None, environment }
}
