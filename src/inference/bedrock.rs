//! The adapter to the AWS Bedrock Runtime, through its Rust SDK.
//!
//! The only place that knows AWS crates. Clients are built once, one per region,
//! over one set of connections. The SDK neither retries nor watches the clock
//! here: `routing` owns both, and an SDK retry would multiply a bill behind its
//! back. The connect time-out is the exception, since only the connector can
//! enforce it.

#[cfg(feature = "account-check")]
pub mod account;
mod authorities;
mod classify;
mod connections;
mod convert;
mod document;
mod door;
mod events;
mod findings;
mod held;
mod invoke;
mod lanes;
mod native;
mod renewal;
mod request;
mod screen;
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
use renewal::Renewal;
use sign_in::SignIn;
use tokio::time::timeout;

use super::{Api, BackendError, Completion, ModelBackend, ModelCall, ModelStream, Screening, Verdict};
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
    renewal: Renewal,
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
        let (sign_in, renewal) = (SignIn::default(), Renewal::default());
        let backend = Self { settings, connections, clients, sign_in, renewal };
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
        let _search = self.renewal.searching.lock().await;
        self.search_sign_in(false).await;
    }

    /// Whether other credentials than before were found. A renewal leaves the clients as
    /// they are when there are none: whoever waits for it looks at them.
    async fn search_sign_in(&self, is_renewal: bool) -> bool {
        let time = self.settings.sign_in_timeout;
        let config =
            timeout(time, load(&self.settings)).await.ok().filter(|config| config.region().is_some());
        let found = sign_in::search(config.as_ref(), self.settings.credentials, time).await;
        let others = self.renewal.uses(found.as_ref().ok().cloned().flatten());
        if let Some(config) = config
            && (self.clients().config.is_none() || (found.is_ok() && (others || !is_renewal)))
        {
            self.replace_clients(|clients| {
                clients.config = Some(config);
                clients.by_region.clear();
            });
        }
        self.sign_in.searched(found.map(drop));
        others
    }

    /// Makes a call, and once more when its signature was refused and others can be made.
    async fn signed<T, F>(
        &self,
        region: Option<&Region>,
        call: impl Fn(Client) -> F,
    ) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        let used = self.clients();
        let outcome = call(self.client(&used, region)?).await;
        let rejected = outcome.as_ref().is_err_and(|error| error.kind == CallFailure::CredentialsRejected);
        if !rejected || !self.renewed_since(&used).await {
            return self.noted(outcome);
        }
        self.noted(call(self.client(&self.clients(), region)?).await)
    }

    /// Whether the clients sign with other credentials than `used` by now.
    async fn renewed_since(&self, used: &Arc<Clients>) -> bool {
        if self.settings.credentials != CredentialsSource::DefaultChain {
            return false;
        }
        let _search = self.renewal.searching.lock().await;
        // Another call may have been quicker.
        !Arc::ptr_eq(used, &self.clients()) || (self.renewal.may_search() && self.search_sign_in(true).await)
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

    fn client(&self, clients: &Clients, region: Option<&Region>) -> Result<Client, BackendError> {
        if let Some(problem) = self.sign_in.missing() {
            return Err(BackendError::new(CallFailure::CredentialsRejected, problem));
        }
        clients.serving(region).ok_or_else(|| {
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
        Box::pin(self.signed(call.region.as_ref(), move |client| async move {
            if let Api::Invoke(format) = call.terms.api {
                return invoke::complete(&client, call, format).await;
            }
            let request = request::converse(call, client.converse())?;
            convert::completion(call, request.send().await.map_err(classify::converse)?)
        }))
    }

    fn stream<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        Box::pin(self.signed(call.region.as_ref(), move |client| async move {
            if let Api::Invoke(format) = call.terms.api {
                return invoke::stream(&client, call, format).await;
            }
            let request = request::converse_stream(call, client.converse_stream())?;
            let answer = request.send().await.map_err(classify::converse_stream)?;
            Ok(events::read(answer.stream, call))
        }))
    }

    fn screen<'a>(&'a self, screening: &'a Screening) -> BoxFuture<'a, Result<Verdict, BackendError>> {
        Box::pin(self.signed(screening.region.as_ref(), move |client| async move {
            let request = screen::request(screening, client.apply_guardrail())?;
            let answer = request.send().await.map_err(classify::apply_guardrail)?;
            screen::verdict(screening, &answer)
        }))
    }

    fn count_tokens<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<u64, BackendError>> {
        Box::pin(self.signed(call.region.as_ref(), move |client| async move {
            let model = call.terms.count_as.as_ref().ok_or_else(|| {
                BackendError::uncountable("tokens are counted for models of the family Claude alone")
            })?;
            let request = client.count_tokens().model_id(model.as_str()).input(request::count_input(call)?);
            convert::token_count(request.send().await.map_err(classify::count_tokens)?.input_tokens)
        }))
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
