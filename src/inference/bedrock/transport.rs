//! What the connections are made of: sockets, proxies, trust.
//!
//! Owns the pool of the SDK's HTTP crate and translates its events. Which call
//! uses which partition is not decided here. The one rule: nothing stands between
//! the service and its own machine, and root certificates are read once.

use std::time::Duration;

use aws_smithy_http_client::pool::{
    Client as Partitioned, ConnectionEvent, ConnectionInfo, ConnectionPool, ConnectionProtocol,
    DriverSpawner, OriginKey, Partition, PartitionId,
};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::runtime::Handle;

use super::BedrockSettings;

/// An idle connection is probed this often, so that NAT gateways and firewalls
/// (350 s at AWS) do not forget it.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// What happened to a connection.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) host: OriginKey,
    pub(super) lane: usize,
    pub(super) kind: ChangeKind,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ChangeKind {
    /// `shared`: many calls at once can use it.
    Opened { shared: bool },
    /// A connection that calls could share takes no more of them.
    Closed,
}

/// The parts of one pool, each with connections of its own, in order. `listener`
/// hears of those that open and close.
pub(super) fn partitions(
    settings: &BedrockSettings,
    endpoint: Option<&str>,
    count: usize,
    listener: impl Fn(&Change) + Send + Sync + 'static,
) -> Vec<Partitioned> {
    // A proxy that the environment names must not stand between the service and its own machine.
    let proxy = match endpoint {
        Some(url) if is_loopback(url) => ProxyConfig::disabled(),
        _ => ProxyConfig::from_env(),
    };
    let spawner = DriverSpawner::tokio(Handle::current());
    let partition = |index| Partition::new(PartitionId::from_index(index), spawner.clone());
    let builder = ConnectionPool::builder()
        .tcp_nodelay(true)
        .tcp_keepalive(TCP_KEEPALIVE)
        .proxy_config(proxy)
        .partitions((0..count).map(partition))
        .event_listener(move |event: &ConnectionEvent<'_>| {
            if let Some(change) = change(event, count) {
                listener(&change);
            }
        });
    let pool = if is_tls(endpoint) {
        builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).tls_context(trust(settings)).build_https()
    } else {
        // No root certificates to load.
        builder.build_http()
    };
    let pool = pool.expect("the partitions differ, and nothing else can be wrong with it");
    let part = |index| Partitioned::from_partition(&pool, PartitionId::from_index(index));
    (0..count).map(|index| part(index).expect("it was declared above")).collect()
}

/// A client for the calls that look for credentials. They are few, and always
/// over TLS: what stands in for Bedrock does not stand in for them.
pub(super) fn for_credentials(settings: &BedrockSettings) -> SharedHttpClient {
    SharedHttpClient::new(partitions(settings, None, 1, |_| {}).remove(0))
}

/// Whether an endpoint is reached over TLS, as AWS's own are.
pub(super) fn is_tls(endpoint: Option<&str>) -> bool {
    !endpoint.is_some_and(|url| url.starts_with("http://"))
}

fn trust(settings: &BedrockSettings) -> TlsContext {
    let store = match &settings.trusted_authorities {
        None => TrustStore::default(),
        Some(authorities) => TrustStore::empty().with_pem_certificate(authorities.as_pem()),
    };
    TlsContext::builder().with_trust_store(store).build().expect("a trust store is all it needs")
}

fn change(event: &ConnectionEvent<'_>, count: usize) -> Option<Change> {
    let of = |connection: &ConnectionInfo, kind| {
        let owner = connection.owner_partition();
        let lane = (0..count).find(|index| PartitionId::from_index(*index) == owner)?;
        Some(Change { host: connection.origin().clone(), lane, kind })
    };
    let shared = |connection: &ConnectionInfo| connection.protocol() == ConnectionProtocol::Http2;
    match event {
        ConnectionEvent::Opened(opened) => {
            let connection = opened.connection();
            of(connection, ChangeKind::Opened { shared: shared(connection) })
        }
        ConnectionEvent::LogicalClose(closed) if shared(closed.connection()) => {
            of(closed.connection(), ChangeKind::Closed)
        }
        _ => None,
    }
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_scheme, host)| host);
    ["127.", "localhost", "[::1]"].iter().any(|prefix| host.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, is_tls};

    #[test]
    fn loopback_is_known_with_and_without_tls() {
        for url in ["http://127.0.0.1:9911", "https://localhost:1", "https://[::1]:1"] {
            assert!(is_loopback(url), "{url}");
        }
        assert!(!is_loopback("https://bedrock.example.com/127.0.0.1"));
    }

    #[test]
    fn only_a_plain_endpoint_is_without_tls() {
        assert!(is_tls(None) && is_tls(Some("https://127.0.0.1:1")));
        assert!(!is_tls(Some("http://127.0.0.1:1")));
    }
}
