//! The service under one fault: started for a cell, and stopped with nothing left.
//!
//! Owns the settings of a cell, the ways to Bedrock that lead nowhere, and the
//! proof that a request left nothing behind.

use std::net::SocketAddr;
use std::time::Duration;

use bedrock_sim::{Outcome, Sim, SimOptions};
use redraft::app::App;
use redraft::config::Config;
use redraft::inference::bedrock::CredentialsSource;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cell::short;
use super::leaks::sockets_at;
use super::table::words::Clock;
use super::table::{Clocks, Fault, Row};
use crate::support::{NoListener, Request, Samples, load};

/// A label may have 63 letters. A longer one is refused before anybody is asked.
const NO_HOST: &str =
    "http://an-address-whose-first-label-is-longer-than-the-63-letters-that-are-allowed.invalid";
/// What counts open things, and is zero when there are none.
const GAUGES_AT_REST: [&str; 5] = [
    "redraft_admission_inflight",
    "redraft_admission_queued",
    "redraft_streams_active",
    "redraft_target_in_flight",
    "http_server_active_requests",
];
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Subject {
    pub sim: Sim,
    api: SocketAddr,
    ops: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<bool>,
    /// Kept, so that nobody else listens there meanwhile.
    _nobody: Option<NoListener>,
}

impl Subject {
    /// With the row's clocks and the row's way to Bedrock.
    pub async fn start(row: &Row) -> Self {
        let nobody = NoListener::take();
        let set_up = |config: &mut Config| {
            let clocks = &mut config.routing.clocks;
            match row.clocks {
                Clocks::Shipped => {}
                Clocks::ShortSilence => {
                    clocks.answer = short(Clock::Answer);
                    clocks.first_event = short(Clock::FirstEvent);
                    clocks.idle = short(Clock::Idle);
                }
                Clocks::ShortWhole => {
                    clocks.answer = short(Clock::Answer);
                    clocks.attempt = short(Clock::Attempt);
                }
            }
            let simulator = config.bedrock.endpoint_url.take().unwrap_or_default();
            config.bedrock.endpoint_url = Some(match row.fault {
                Fault::NoListener => nobody.url("http"),
                Fault::NoSuchHost => NO_HOST.to_owned(),
                Fault::NoTls => simulator.replace("http://", "https://"),
                Fault::Named | Fault::Played(_) | Fault::NoCredentials => simulator,
            });
            if row.fault == Fault::NoCredentials {
                config.bedrock.credentials = CredentialsSource::DefaultChain;
                // A search that gets no time finds nothing, and asks nobody.
                config.bedrock.sign_in_timeout = Duration::ZERO;
            }
        };
        let subject = Self::with(set_up).await;
        Self { _nobody: Some(nobody), ..subject }
    }

    /// Over a simulator, with quick retries and what `set_up` changes.
    pub async fn with(set_up: impl FnOnce(&mut Config)) -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let mut config = load(&[("ROUTING__BACKOFF_BASE_MS", "1"), ("ROUTING__BACKOFF_CAP_MS", "500")]);
        config.bedrock.endpoint_url = Some(sim.endpoint_url());
        set_up(&mut config);
        let app = App::build(&config).await.unwrap();
        let addresses = app.addresses().unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(app.run(shutdown.clone()));
        Self { sim, api: addresses.public, ops: addresses.ops, shutdown, running, _nobody: None }
    }

    /// The models of the default chain, in order.
    pub async fn chain(&self) -> Vec<String> {
        let models = Request::get(self.api, "/v1/models").send().await.json();
        let chains = models["chains"].as_array().unwrap();
        let default = chains.iter().find(|chain| chain["name"] == "default").unwrap();
        let models = default["models"].as_array().unwrap().iter();
        models.map(|model| model.as_str().unwrap().to_owned()).collect()
    }

    pub fn post(&self, path: &str, body: &Value) -> Request {
        Request::post(self.api, path).header("content-type", "application/json").body(body.to_string())
    }

    /// Waits until nothing is open any more: no request, no stream, no place taken,
    /// no call upstream. Then the counters are what they will be.
    pub async fn settled(&self) -> Samples {
        let deadline = Instant::now() + PATIENCE;
        let open = || self.sim.calls().into_iter().filter(|call| call.outcome == Outcome::InProgress).count();
        while open() > 0 {
            assert!(Instant::now() < deadline, "{} calls are left open upstream", open());
            tokio::task::yield_now().await;
        }
        loop {
            let metrics = self.metrics().await;
            let open: Vec<(&str, i64)> = GAUGES_AT_REST
                .map(|gauge| (gauge, metrics.sum(gauge, &[])))
                .into_iter()
                .filter(|(_, value)| *value != 0)
                .collect();
            if open.is_empty() {
                return metrics;
            }
            assert!(Instant::now() < deadline, "left open: {open:?}");
        }
    }

    pub async fn metrics(&self) -> Samples {
        Samples::read(&Request::get(self.ops, "/metrics").send().await.text())
    }

    /// Stops the service, which has nothing to wait for, and the simulator.
    pub async fn stop(self) {
        self.shutdown.cancel();
        assert!(self.running.await.unwrap(), "every request had ended");
        self.sim.stop().await;
    }

    /// The sockets that are open now and must be gone after the stop.
    pub fn sockets(&self) -> Vec<String> {
        let sockets = sockets_at([self.sim.addr().port(), self.api.port(), self.ops.port()]);
        assert!(!cfg!(target_os = "linux") || sockets.len() >= 3, "three listeners: {sockets:?}");
        sockets
    }
}
