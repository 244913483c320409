//! The composition root: puts the rooms together, in reading order, and runs them.
//!
//! Everything is built once from a validated configuration. Background work has
//! an owner here: when [`App::run`] returns, nothing of the app is left running.

pub mod cli;
mod demo;
mod healthcheck;
mod models;
mod reload;
mod signals;

pub use reload::Reload;

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::documents::Extractor;
use crate::domain::CallFailure;
use crate::http::{self, Api, Ending, Readiness, ServeError, Server, ShutdownPolicy};
use crate::inference::ModelBackend;
use crate::inference::bedrock::BedrockBackend;
use crate::pipeline::Pipeline;
use crate::routing::{Catalogue, Router, Target, is_passed_on, is_retried, takes_out};
use crate::telemetry::{ChainScope, MetricScope, Metrics, TargetScope};

/// How often readiness follows what calls have found out about the credentials.
const SIGN_IN_PACE: Duration = Duration::from_secs(1);
/// What is left for last words to reach their readers once open requests were ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
const SIGN_IN: &str = "sign_in";

/// The service, bound to its addresses.
pub struct App {
    public: Server,
    ops: Server,
    api: Api,
    shutdown: ShutdownPolicy,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    bedrock: Option<Arc<BedrockBackend>>,
    reload: Option<Reload>,
    sign_in_retry: Duration,
}

/// The service could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] ServeError),
    #[error("cannot read a bound address: {0}")]
    Address(#[from] io::Error),
}

/// Where the service listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub public: SocketAddr,
    pub ops: SocketAddr,
}

impl App {
    /// Builds the service over Bedrock.
    ///
    /// # Errors
    /// [`StartError`] when an address cannot be bound. Missing credentials are no
    /// error: the service starts and is not ready.
    pub async fn build(config: &Config) -> Result<Self, StartError> {
        let bedrock = Arc::new(BedrockBackend::connect(config.bedrock.clone()).await);
        let mut app = Self::build_over(Arc::clone(&bedrock) as Arc<dyn ModelBackend>, config).await?;
        app.readiness.set(SIGN_IN, bedrock.sign_in_problem());
        app.bedrock = Some(bedrock);
        Ok(app)
    }

    /// Builds the service over any backend.
    ///
    /// # Errors
    /// [`StartError`] when an address cannot be bound.
    pub async fn build_over(backend: Arc<dyn ModelBackend>, config: &Config) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new(&scope(&config.catalogue)));
        let router = Router::new(backend, Arc::clone(&metrics));
        let pipeline = Pipeline::new(router, config.live(), config.admission, Arc::clone(&metrics));
        let readiness = Arc::new(Readiness::default());
        let extractor = Extractor::new(config.extraction.clone());
        let api =
            Api::new(pipeline, extractor, config.http.clone(), Arc::clone(&metrics), Arc::clone(&readiness));
        let public = Server::bind(config.listen, http::routes(api.clone()), config.server).await?;
        let ops = Server::bind(config.ops_listen, http::ops_routes(api.clone()), config.server).await?;
        let shutdown = config.shutdown;
        Ok(Self {
            public,
            ops,
            api,
            shutdown,
            readiness,
            metrics,
            bedrock: None,
            reload: None,
            sign_in_retry: config.sign_in_retry,
        })
    }

    /// Lets the configuration change while the service runs.
    pub fn reloading(mut self, reload: Reload) -> Self {
        self.reload = Some(reload);
        self
    }

    /// The bound addresses.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses { public: self.public.local_addr()?, ops: self.ops.local_addr()? })
    }

    /// What the routes share: for whoever serves [`http::routes`] without a socket of ours.
    pub fn api(&self) -> Api {
        self.api.clone()
    }

    /// What keeps the service from being ready, if anything does.
    pub fn problem(&self) -> Option<String> {
        self.bedrock.as_ref().and_then(|bedrock| bedrock.sign_in_problem())
    }

    /// Serves until `stop` is cancelled and open requests have ended, or the drain
    /// time is over. Returns whether all of them ended by themselves.
    pub async fn run(self, stop: CancellationToken) -> bool {
        let Self { public, ops, api, shutdown, readiness, metrics, bedrock, reload, sign_in_retry } = self;
        let ops_ending = Ending::default();
        let serving = async {
            let drained = serve_public(public, &api, shutdown, &stop).await;
            // The operator's port lives as long as there is something to see.
            ops_ending.drain.cancel();
            drained
        };
        let ops = async {
            let mut serving = pin!(ops.run(ops_ending.clone()));
            tokio::select! {
                () = &mut serving => {}
                () = ops_ending.drain.cancelled() => end(serving, &ops_ending).await,
            }
        };
        let watching = async {
            if let Some(bedrock) = &bedrock {
                watch_sign_in(bedrock, &readiness, sign_in_retry).await;
            }
            std::future::pending::<()>().await;
        };
        let reloading = async {
            if let Some(reload) = reload {
                let service = reload::Service { api: &api, metrics: &metrics, bedrock: bedrock.as_deref() };
                reload.run(service).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            (drained, ()) = async { tokio::join!(serving, ops) } => drained,
            () = watching => false,
            () = reloading => false,
        }
    }
}

/// Serves the API to the end of its drain. Returns whether nothing had to be cut.
async fn serve_public(public: Server, api: &Api, shutdown: ShutdownPolicy, stop: &CancellationToken) -> bool {
    let ending = Ending::default();
    let mut serving = pin!(public.run(ending.clone()));
    let draining = async {
        stop.cancelled().await;
        let asked = Instant::now();
        tracing::info!("asked to stop: no new work is taken, open requests may end");
        api.close();
        sleep(shutdown.delay.min(shutdown.drain)).await;
        ending.drain.cancel();
        sleep_until(asked + shutdown.drain).await;
    };
    tokio::select! {
        () = &mut serving => return true,
        () = draining => {}
    }
    api.cut();
    end(serving, &ending).await;
    false
}

/// Gives a server that has been asked to drain a last moment, and then none.
async fn end(mut serving: Pin<&mut impl Future<Output = ()>>, ending: &Ending) {
    if timeout(LAST_WORDS, &mut serving).await.is_err() {
        ending.now.cancel();
        serving.await;
    }
}

/// Keeps readiness true to the sign-in: credentials can appear after the start,
/// and they can expire.
async fn watch_sign_in(bedrock: &BedrockBackend, readiness: &Readiness, retry: Duration) {
    let mut known = bedrock.sign_in_problem();
    let mut searched = Instant::now();
    loop {
        sleep(SIGN_IN_PACE.min(retry)).await;
        if known.is_some() && searched.elapsed() >= retry {
            bedrock.check_sign_in().await;
            searched = Instant::now();
        }
        let now = bedrock.sign_in_problem();
        if now != known {
            match &now {
                None => tracing::info!("AWS credentials work, the service is ready"),
                Some(problem) => tracing::error!("not ready: {problem}"),
            }
            readiness.set(SIGN_IN, now.clone());
            known = now;
        }
    }
}

fn scope(catalogue: &Catalogue) -> MetricScope {
    let target =
        |target: &Target| TargetScope { model: target.model.id.clone(), region: target.region.clone() };
    let chains = catalogue.chains.values().map(|chain| ChainScope {
        name: chain.name.to_string(),
        targets: chain.targets().map(target).collect(),
    });
    let those = |wanted: fn(CallFailure) -> bool| {
        CallFailure::ALL.into_iter().filter(|failure| wanted(*failure)).collect()
    };
    let models = catalogue.chains.values().flat_map(|chain| chain.targets()).map(|target| &target.model);
    let ends = models.filter_map(|model| Some((model.id.clone(), model.end_of_life?)));
    MetricScope {
        tasks: catalogue.tasks().cloned().collect(),
        chains: chains.collect(),
        guardrails: catalogue.guardrails().map(|guardrail| guardrail.name.to_string()).collect(),
        ends_of_life: ends.collect(),
        retried: those(is_retried),
        passed_on: those(is_passed_on),
        taking_out: those(takes_out),
    }
}
