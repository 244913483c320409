//! The HTTP client under the SDK: as many connections per host as its calls need.
//!
//! Over HTTP/2 the SDK's own client keeps one connection per host, and calls
//! beyond the server's limit wait in it without a word. Here each lane is a
//! partition of one pool, with a connection of its own; trust and DNS are shared.
//! Owns which call goes where and what becomes of a connection that fell silent;
//! what the pool is made of stands in `transport`. The one rule: a call that was
//! given up in silence leaves no connection for the next.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_http_client::pool::{Client as Partitioned, OriginKey};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{RuntimeComponents, RuntimeComponentsBuilder};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use http::Uri;
use http_body::{Body, Frame, SizeHint};

use super::door::{Entry, OnItsWay};
use super::lanes::{Lanes, Lease};
use super::{BedrockSettings, transport};

/// A call that is given up after this long without a sign of life on its
/// connection, from this call or another, condemns the connection. Shorter is a
/// reader who left, or a model that thinks.
const CONDEMNED_AFTER: Duration = Duration::from_secs(5);

/// A client with lanes, for Bedrock's own calls. Cheap to clone into every region.
pub(super) fn for_calls(settings: &BedrockSettings) -> SharedHttpClient {
    let max = settings.max_connections_per_region.get();
    let endpoint = settings.endpoint_url.as_deref();
    let hosts = Arc::<Hosts>::default();
    let told = Arc::clone(&hosts);
    let partitions = transport::partitions(settings, endpoint, max, move |event| told.take_note(event));
    let shares = transport::is_tls(endpoint);
    let shared = Shared { connectors: OnceLock::new(), hosts, max, shares };
    SharedHttpClient::new(Connections { partitions, shared: Arc::new(shared) })
}

/// The client that the SDK holds.
struct Connections {
    partitions: Vec<Partitioned>,
    shared: Arc<Shared>,
}

struct Shared {
    /// One per lane, made at the first call: all calls come with the same time-outs.
    connectors: OnceLock<Lines>,
    hosts: Arc<Hosts>,
    max: usize,
    /// Whether calls may share a connection. Without TLS each has its own.
    shares: bool,
}

struct Lines {
    lanes: Vec<SharedHttpConnector>,
    connect_timeout: Option<Duration>,
}

/// Lanes by scheme, host and port. Regions have hosts of their own, unless they share an endpoint.
#[derive(Default)]
struct Hosts(RwLock<HashMap<OriginKey, Arc<Lanes>>>);

impl Hosts {
    fn get(&self, host: &OriginKey) -> Option<Arc<Lanes>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(host).map(Arc::clone)
    }

    fn lease(&self, host: OriginKey, max: usize) -> Lease {
        let lanes = self.get(&host).unwrap_or_else(|| {
            let mut hosts = self.0.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(host).or_insert_with(|| Arc::new(Lanes::new(max))))
        });
        lanes.take()
    }

    /// Follows what the pool does.
    fn take_note(&self, change: &transport::Change) {
        let door = self.get(&change.host).and_then(|lanes| lanes.door(change.lane));
        match (door, change.kind) {
            (Some(door), transport::ChangeKind::Opened { shared }) => door.opened(shared),
            (Some(door), transport::ChangeKind::Closed) => door.closed(),
            (None, _) => {}
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("max", &self.shared.max).finish_non_exhaustive()
    }
}

impl HttpClient for Connections {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.shared.connectors.get_or_init(|| Lines {
            lanes: self.partitions.iter().map(|lane| lane.http_connector(settings, components)).collect(),
            connect_timeout: settings.connect_timeout(),
        });
        SharedHttpConnector::new(Balanced(Arc::clone(&self.shared)))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        // Reads the root certificates now; all partitions share them.
        self.partitions[0].validate_base_client_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.partitions[0].connector_metadata()
    }
}

/// Puts each call on the lane that has the fewest.
struct Balanced(Arc<Shared>);

impl fmt::Debug for Balanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Balanced")
    }
}

impl HttpConnector for Balanced {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let shared = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { shared.send(request).await })
    }
}

impl Shared {
    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let lines = self.connectors.get().expect("they are made before the first connector");
        let lease = self.hosts.lease(host(request.uri())?, self.max);
        let connection = request.extension::<CaptureSmithyConnection>().cloned();
        let call = InFlight { lease, connection };
        let entry = match lines.connect_timeout {
            Some(patience) if self.shares => call.lease.door().enter(patience).await,
            _ => Entry::Go,
        };
        let opener = match entry {
            Entry::Go => None,
            Entry::Opener(opener) => {
                let (body, on_its_way) = (request.take_body(), Some(opener.on_its_way()));
                *request.body_mut() = SdkBody::from_body_1_x(First { body, on_its_way });
                Some(opener)
            }
            Entry::Failed => return Err(ConnectorError::io(Box::new(NotOpened))),
        };
        let mut response = match lines.lanes[call.lease.index()].call(request).await {
            Ok(response) => response,
            Err(error) => {
                if let Some(opener) = opener {
                    opener.failed();
                }
                return Err(error);
            }
        };
        call.lease.heard();
        let body = response.take_body();
        *response.body_mut() = SdkBody::from_body_1_x(Counted { body, call });
        Ok(response)
    }
}

fn host(uri: &str) -> Result<OriginKey, ConnectorError> {
    let uri = uri.parse::<Uri>().map_err(|error| ConnectorError::user(error.into()))?;
    OriginKey::from_uri(&uri).map_err(|error| ConnectorError::user(error.into()))
}

#[derive(Debug, thiserror::Error)]
#[error("the connection that this call waited for could not be opened")]
struct NotOpened;

/// A call until its end, or until nobody wants it any more.
struct InFlight {
    lease: Lease,
    connection: Option<CaptureSmithyConnection>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.lease.silence() < CONDEMNED_AFTER {
            return;
        }
        // Only its own clock can end a call on a dead connection. The next call
        // must not meet the same fate: it gets a new one. Those that are open stay.
        if let Some(connection) = self.connection.take().and_then(|capture| capture.get()) {
            tracing::info!("a connection to Bedrock fell silent and is not used for further calls");
            connection.poison();
            // What is silent from here on is the next connection of this lane.
            self.lease.heard();
        }
    }
}

/// The body of the first request over a connection. It is asked for when the
/// request's head is on its way.
struct First {
    body: SdkBody,
    on_its_way: Option<OnItsWay>,
}

impl Body for First {
    type Data = Bytes;
    type Error = aws_smithy_types::body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(on_its_way) = self.on_its_way.take() {
            on_its_way.tell();
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}

/// The body of an answer; with it goes the call's place on its lane.
struct Counted {
    body: SdkBody,
    call: InFlight,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = aws_smithy_types::body::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_ready() {
            self.call.lease.heard();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        Body::size_hint(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn one_server_is_one_host_however_it_is_spelled() {
        let of = |uri| host(uri).unwrap();
        let bedrock = of("https://bedrock-runtime.eu-west-1.amazonaws.com/model/x/converse");
        assert_eq!(bedrock, of("https://Bedrock-Runtime.eu-west-1.amazonaws.com:443"));
        assert_ne!(bedrock, of("https://bedrock-runtime.eu-west-2.amazonaws.com"));
        assert!(host("/no/host").is_err());
    }
}
