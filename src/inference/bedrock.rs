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

pub use sign_in::SignIn;

use std::collections::HashMap;
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
    clients: HashMap<Option<Region>, Client>,
    sign_in: SignIn,
}

impl BedrockBackend {
    /// Builds the clients and looks for credentials once.
    ///
    /// Never fails: without a region or credentials the backend exists, answers
    /// every call with [`CallFailure::CredentialsRejected`] at once, and
    /// [`SignIn::problem`] says what to set.
    pub async fn connect(settings: BedrockSettings) -> Self {
        let config = tokio::time::timeout(settings.sign_in_timeout, load(&settings)).await.ok();
        let sign_in = SignIn::new(config.clone(), settings.credentials, settings.sign_in_timeout);
        sign_in.check().await;
        let mut clients = HashMap::new();
        if let Some(config) = config.filter(|config| config.region().is_some()) {
            clients.insert(None, Client::new(&config));
            for region in settings.other_regions {
                let there = aws_config::Region::new(region.as_str().to_owned());
                let regional = config.to_builder().region(there).build();
                clients.insert(Some(region), Client::new(&regional));
            }
        }
        Self { clients, sign_in }
    }

    /// Whether the service can sign requests, and what is missing if not.
    pub fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    fn client(&self, call: &ModelCall) -> Result<&Client, BackendError> {
        if let Some(problem) = self.sign_in.problem() {
            return Err(BackendError::new(CallFailure::CredentialsRejected, problem));
        }
        let region = call.region.as_ref();
        self.clients.get(&region.cloned()).ok_or_else(|| {
            BackendError::new(CallFailure::CredentialsRejected, "no client exists for the target's region")
        })
    }
}

impl ModelBackend for BedrockBackend {
    fn complete<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        Box::pin(async move {
            let request = self.client(call)?.converse().model_id(call.model.as_str());
            let answer = request
                .set_system(convert::system(call))
                .messages(convert::user_turn(call)?)
                .inference_config(convert::inference_config(call))
                .send()
                .await
                .map_err(classify::converse)?;
            convert::completion(answer)
        })
    }

    fn stream<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        Box::pin(async move {
            let request = self.client(call)?.converse_stream().model_id(call.model.as_str());
            let answer = request
                .set_system(convert::system(call))
                .messages(convert::user_turn(call)?)
                .inference_config(convert::inference_config(call))
                .send()
                .await
                .map_err(classify::converse_stream)?;
            Ok(events::read(answer.stream))
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
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
        if url.starts_with("http://") {
            loader = loader.http_client(plain_http_client(is_loopback(url)));
        }
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
