//! The adapter to the AWS Bedrock Runtime, through its Rust SDK.
//!
//! The only place that knows AWS crates. Clients are built once, one per region,
//! over one set of connections. The SDK neither retries nor watches the clock
//! here: `routing` owns both, and an SDK retry would multiply a bill behind its
//! back. The connect time-out is the exception, since only the connector can
//! enforce it.

mod authorities;
mod base_id;
mod classify;
mod connections;
mod convert;
mod door;
mod events;
mod held;
mod invoke;
mod lanes;
mod native;
mod sign_in;
mod transport;

pub use authorities::{InvalidAuthorities, TrustedAuthorities};

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::SharedHttpClient;
use futures_util::future::BoxFuture;
use sign_in::SignIn;
use tokio::time::timeout;

use super::{Api, BackendError, Completion, ModelBackend, ModelCall, ModelStream};
use crate::domain::{CallFailure, Region};

/// What the adapter needs to know to reach Bedrock.
#[derive(Debug, Clone)]
pub struct BedrockSettings {
    /// The region to call; `None` asks the AWS default chain (environment, profile, instance).
    pub region: Option<Region>,
    /// Regions that single targets name besides it; [`BedrockBackend::serve_regions`] adds more.
    pub other_regions: Vec<Region>,
    /// Another address than AWS's own: a private endpoint, or a simulator.
    pub endpoint_url: Option<String>,
    /// HTTP/2 connections to one region; each carries about a hundred calls.
    pub max_connections_per_region: NonZeroUsize,
    /// Who vouches for servers; `None` is the system's list.
    pub trusted_authorities: Option<TrustedAuthorities>,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long looking for a region and credentials may take at start.
    pub sign_in_timeout: Duration,
    pub credentials: CredentialsSource,
}

/// Where credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsSource {
    /// The AWS default chain: environment, profile, web identity, container, instance.
    DefaultChain,
    /// `AWS_BEARER_TOKEN_BEDROCK`, which the SDK reads by itself and prefers.
    BearerToken,
    /// Fixed values without meaning, for a simulator that checks no signature.
    Simulator,
}

/// Runs models on Bedrock.
pub struct BedrockBackend {
    settings: BedrockSettings,
    connections: SharedHttpClient,
    /// Replaced as a whole; calls that run keep the one they began with.
    clients: RwLock<Arc<Clients>>,
    sign_in: SignIn,
}

/// One client per region; none while no region is known.
#[derive(Clone, Default)]
struct Clients {
    config: Option<SdkConfig>,
    /// Regions that targets name.
    named: HashSet<Region>,
    by_region: HashMap<Region, Client>,
}

impl BedrockBackend {
    /// Builds the clients and looks for credentials once. Its connections live
    /// on the runtime that this is called on.
    ///
    /// Never fails: without a region or credentials the backend exists, answers
    /// every call with [`CallFailure::CredentialsRejected`] at once, and
    /// [`Self::sign_in_problem`] says what to set.
    pub async fn connect(settings: BedrockSettings) -> Self {
        let connections = connections::for_calls(&settings);
        let clients =
            Clients { named: settings.other_regions.iter().cloned().collect(), ..Clients::default() };
        let clients = RwLock::new(Arc::new(clients));
        let backend = Self { settings, connections, clients, sign_in: SignIn::default() };
        backend.check_sign_in().await;
        backend
    }

    /// Why requests cannot be signed, as a sentence for the operator; `None` when
    /// all is well, as far as is known.
    pub fn sign_in_problem(&self) -> Option<String> {
        self.sign_in.problem()
    }

    /// Looks for a region and for credentials.
    ///
    /// It begins from nothing each time: the SDK remembers files that it has
    /// read, also those that were not there, and credentials that have expired.
    pub async fn check_sign_in(&self) {
        let time = self.settings.sign_in_timeout;
        let config =
            timeout(time, load(&self.settings)).await.ok().filter(|config| config.region().is_some());
        let found = sign_in::search(config.as_ref(), self.settings.credentials, time).await;
        if let Some(config) = config
            && (found.is_ok() || self.clients().config.is_none())
        {
            self.replace_clients(|clients| {
                clients.config = Some(config);
                clients.by_region.clear();
            });
        }
        self.sign_in.searched(found);
    }

    /// Lets targets name these regions from now on. Regions that were served
    /// before stay: requests may still run that know them.
    pub fn serve_regions(&self, regions: &[Region]) {
        if !regions.iter().all(|region| self.clients().named.contains(region)) {
            self.replace_clients(|clients| clients.named.extend(regions.iter().cloned()));
        }
    }

    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes what is served, then makes the clients that are missing.
    fn replace_clients(&self, change: impl FnOnce(&mut Clients)) {
        let mut current = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Clients::clone(&current);
        change(&mut next);
        next.complete(&self.settings, &self.connections);
        *current = Arc::new(next);
    }

    fn client(&self, call: &ModelCall) -> Result<Client, BackendError> {
        if let Some(problem) = self.sign_in.missing() {
            return Err(BackendError::new(CallFailure::CredentialsRejected, problem));
        }
        self.clients().serving(call.region.as_ref()).ok_or_else(|| {
            BackendError::new(CallFailure::CredentialsRejected, "no client exists for the target's region")
        })
    }

    /// Remembers what a call says about the credentials.
    fn noted<T>(&self, outcome: Result<T, BackendError>) -> Result<T, BackendError> {
        match &outcome {
            Ok(_) => self.sign_in.signed(true),
            Err(error) if error.kind == CallFailure::CredentialsRejected => self.sign_in.signed(false),
            Err(_) => {}
        }
        outcome
    }
}

impl Clients {
    /// The client of a region; `None` is the region that the service runs in.
    fn serving(&self, region: Option<&Region>) -> Option<Client> {
        match region {
            Some(region) => self.by_region.get(region).cloned(),
            None => self.home().and_then(|home| self.by_region.get(&home).cloned()),
        }
    }

    fn home(&self) -> Option<Region> {
        self.config.as_ref()?.region().map(|region| Region::new(region.as_ref()))
    }

    fn complete(&mut self, settings: &BedrockSettings, connections: &SharedHttpClient) {
        let (Some(config), Some(home)) = (&self.config, self.home()) else { return };
        for region in self.named.iter().chain([&home]) {
            if self.by_region.contains_key(region) {
                continue;
            }
            let mut ours = aws_sdk_bedrockruntime::config::Builder::from(config);
            ours.set_region(Some(aws_config::Region::new(region.as_str().to_owned())));
            // On these clients alone: the credentials' own calls go elsewhere.
            ours.set_http_client(Some(connections.clone()));
            if let Some(url) = &settings.endpoint_url {
                ours.set_endpoint_url(Some(url.clone()));
            }
            self.by_region.insert(region.clone(), Client::from_conf(ours.build()));
        }
    }
}

impl ModelBackend for BedrockBackend {
    fn complete<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        Box::pin(async move {
            if let Api::Invoke(format) = call.terms.api {
                return self.noted(invoke::complete(&self.client(call)?, call, format).await);
            }
            let request = self.client(call)?.converse().model_id(call.model.sent());
            let answer = request
                .set_system(convert::system(call))
                .messages(convert::user_turn(call)?)
                .inference_config(convert::inference_config(call))
                .send()
                .await
                .map_err(classify::converse);
            convert::completion(self.noted(answer)?)
        })
    }

    fn stream<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        Box::pin(async move {
            if let Api::Invoke(format) = call.terms.api {
                return self.noted(invoke::stream(&self.client(call)?, call, format).await);
            }
            let request = self.client(call)?.converse_stream().model_id(call.model.sent());
            let answer = request
                .set_system(convert::system(call))
                .messages(convert::user_turn(call)?)
                .inference_config(convert::inference_config(call))
                .send()
                .await
                .map_err(classify::converse_stream);
            Ok(events::read(self.noted(answer)?.stream))
        })
    }

    fn count_tokens<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<u64, BackendError>> {
        Box::pin(async move {
            let model = base_id::of(call.model.sent()).ok_or_else(|| {
                BackendError::uncountable("tokens are counted by base model ids, not by ARNs")
            })?;
            let request = self.client(call)?.count_tokens().model_id(model);
            let answer = request.input(convert::count_input(call)?).send().await;
            convert::token_count(self.noted(answer.map_err(classify::count_tokens))?.input_tokens)
        })
    }
}

async fn load(settings: &BedrockSettings) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .app_name(AppName::new("redraft").expect("a word of letters is a valid app name"))
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(settings.connect_timeout).build());
    if let Some(region) = &settings.region {
        loader = loader.region(aws_config::Region::new(region.as_str().to_owned()));
    }
    if settings.trusted_authorities.is_some() {
        loader = loader.http_client(transport::for_credentials(settings));
    }
    if settings.credentials == CredentialsSource::Simulator {
        loader = loader.credentials_provider(Credentials::from_keys("simulator", "simulator", None));
    }
    loader.load().await
}

#[cfg(test)]
mod tests;
