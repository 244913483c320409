//! The adapter to the AWS Bedrock Runtime, through its Rust SDK.
//!
//! The only place that knows AWS crates. Clients are built once, one per region.
//! The SDK neither retries nor watches the clock here: `routing` owns both, and
//! an SDK retry would multiply a bill behind its back. The connect time-out is
//! the exception, since only the connector can enforce it.

mod classify;
mod convert;
mod events;
mod sign_in;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder as HttpClientBuilder, Connector};
use futures_util::future::BoxFuture;
use sign_in::SignIn;
use tokio::time::timeout;

use super::{BackendError, Completion, ModelBackend, ModelCall, ModelStream};
use crate::domain::{CallFailure, Region};

/// What the adapter needs to know to reach Bedrock.
#[derive(Debug, Clone)]
pub struct BedrockSettings {
    /// The region to call; `None` asks the AWS default chain (environment, profile, instance).
    pub region: Option<Region>,
    /// Regions that single targets name besides it.
    pub other_regions: Vec<Region>,
    /// Another address than AWS's own: a private endpoint, or a simulator.
    pub endpoint_url: Option<String>,
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
    /// Replaced as a whole when a region is found later than at start.
    clients: RwLock<Arc<Clients>>,
    sign_in: SignIn,
}

/// One client per region; none while no region is known.
#[derive(Default)]
struct Clients {
    config: Option<SdkConfig>,
    by_region: HashMap<Option<Region>, Client>,
}

impl BedrockBackend {
    /// Builds the clients and looks for credentials once.
    ///
    /// Never fails: without a region or credentials the backend exists, answers
    /// every call with [`CallFailure::CredentialsRejected`] at once, and
    /// [`Self::sign_in_problem`] says what to set.
    pub async fn connect(settings: BedrockSettings) -> Self {
        let backend = Self { settings, clients: RwLock::default(), sign_in: SignIn::default() };
        backend.check_sign_in().await;
        backend
    }

    /// Why requests cannot be signed, as a sentence for the operator; `None` when
    /// all is well, as far as is known.
    pub fn sign_in_problem(&self) -> Option<String> {
        self.sign_in.problem()
    }

    /// Looks for a region, if there is none yet, and for credentials.
    pub async fn check_sign_in(&self) {
        let time = self.settings.sign_in_timeout;
        if self.clients().config.is_none()
            && let Ok(config) = timeout(time, load(&self.settings)).await
            && config.region().is_some()
        {
            let clients = Arc::new(Clients::build(config, &self.settings));
            *self.clients.write().unwrap_or_else(PoisonError::into_inner) = clients;
        }
        let clients = self.clients();
        let found = sign_in::search(clients.config.as_ref(), self.settings.credentials, time).await;
        self.sign_in.searched(found);
    }

    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn client(&self, call: &ModelCall) -> Result<Client, BackendError> {
        if let Some(problem) = self.sign_in.missing() {
            return Err(BackendError::new(CallFailure::CredentialsRejected, problem));
        }
        self.clients().by_region.get(&call.region).cloned().ok_or_else(|| {
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
    fn build(config: SdkConfig, settings: &BedrockSettings) -> Self {
        let regions = settings.other_regions.iter().cloned().map(Some).chain([None]);
        let client = |region: Option<Region>| {
            let mut ours = aws_sdk_bedrockruntime::config::Builder::from(&config);
            if let Some(region) = &region {
                ours.set_region(Some(aws_config::Region::new(region.as_str().to_owned())));
            }
            if let Some(url) = &settings.endpoint_url {
                ours.set_endpoint_url(Some(url.clone()));
                // On this client alone: the credentials' own calls still need TLS.
                if url.starts_with("http://") {
                    ours.set_http_client(Some(plain_http_client(is_loopback(url))));
                }
            }
            (region, Client::from_conf(ours.build()))
        };
        let by_region = regions.map(client).collect();
        Self { config: Some(config), by_region }
    }
}

impl ModelBackend for BedrockBackend {
    fn complete<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        Box::pin(async move {
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
    if settings.credentials == CredentialsSource::Simulator {
        loader = loader.credentials_provider(Credentials::from_keys("simulator", "simulator", None));
    }
    loader.load().await
}

/// A client without TLS: no root certificates to load. A proxy that the
/// environment names must not stand between the service and its own machine.
fn plain_http_client(loopback: bool) -> SharedHttpClient {
    HttpClientBuilder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().enable_tcp_nodelay(true);
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|known| known.sleep_impl()));
        if loopback {
            connector = connector.proxy_config(ProxyConfig::disabled());
        }
        connector.build_http()
    })
}

fn is_loopback(url: &str) -> bool {
    let host = url.trim_start_matches("http://");
    ["127.", "localhost", "[::1]"].iter().any(|prefix| host.starts_with(prefix))
}
