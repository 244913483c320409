//! The server: a socket, its connections, and the handle that owns both.
//!
//! Owns start, stop and everything about connections: no delay on small writes, HTTP/1.1 or HTTP/2
//! with TLS or without, and the reset of a connection on request. It knows no operation.
//! The one rule it protects: when the handle goes, the socket and every connection go with it.

mod connection;
mod tls;

pub use tls::TlsIdentity;

pub(crate) use connection::Connection;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

use crate::author::Author;
use crate::call_log::{CallLog, CallRecord};
use crate::guardrails::{GuardrailBook, GuardrailRules};
use crate::operations::Backend;
use crate::pacing::Pacing;
use crate::scenario::Scenario;
use crate::scenario::book::ScenarioBook;
use crate::upstream::Writer;
use crate::{admin, operations};
use connection::Socket;

/// After a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a simulator is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimOptions {
    /// Port 0 takes a free port.
    pub listen: SocketAddr,
    pub author: Author,
    /// Of the usual author. A real model has a pace of its own, which this adds nothing to.
    pub pacing: Pacing,
    /// Whether bytes reach the socket in pieces of random size, as they do from AWS.
    /// Without it, frames that are ready together leave together, which is faster.
    pub split_frames: bool,
    /// How many calls the log keeps.
    pub log_capacity: usize,
    /// What clients that speak TLS are shown. Without it the socket speaks plain HTTP.
    pub tls: Option<TlsIdentity>,
    /// Requests at once on one HTTP/2 connection. A client has to wait with those beyond.
    pub max_concurrent_streams: u32,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            author: Author::default(),
            pacing: Pacing::default(),
            split_frames: true,
            log_capacity: 10_000,
            tls: None,
            max_concurrent_streams: 128,
        }
    }
}

/// A running simulator. Dropping it stops the server and ends its connections.
#[derive(Debug)]
pub struct Sim {
    addr: SocketAddr,
    scheme: &'static str,
    backend: Arc<Backend>,
    connections: Arc<AtomicUsize>,
    stopping: CancellationToken,
    server: AbortOnDropHandle<()>,
}

impl Sim {
    /// Binds the socket and serves it from a task of its own. Whether an upstream is there is not asked.
    pub async fn start(options: SimOptions) -> io::Result<Self> {
        let tls = options.tls.as_ref().map(TlsIdentity::acceptor).transpose()?;
        let pacing = match options.author {
            Author::Sentences => options.pacing,
            Author::Upstream(_) => Pacing::default(),
        };
        let writer = Writer::new(options.author)?;
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let backend = Arc::new(Backend {
            log: CallLog::new(options.log_capacity),
            book: ScenarioBook::default(),
            guardrails: GuardrailBook::default(),
            cache: Arc::default(),
            writer,
            pacing,
            split_frames: options.split_frames,
        });
        let router = operations::routes().merge(admin::routes()).with_state(Arc::clone(&backend));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let stopping = CancellationToken::new();
        let connections = Arc::<AtomicUsize>::default();
        let site = Site { router, tls, max_concurrent_streams: options.max_concurrent_streams };
        let server = tokio::spawn(serve(listener, site, Arc::clone(&connections), stopping.clone()));
        let server = AbortOnDropHandle::new(server);
        Ok(Self { addr, scheme, backend, connections, stopping, server })
    }

    /// The address that is listened on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client takes as its endpoint.
    pub fn endpoint_url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// How many connections were accepted so far.
    pub fn connections_accepted(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Sets the scenario of every call of `model` from now on; `*` stands for all models.
    pub fn set_scenario(&self, model: &str, scenario: Scenario) {
        self.backend.book.set(model, scenario);
    }

    /// Sets the scenario of the next `times` calls of `model`, after those set so before.
    pub fn set_scenario_times(&self, model: &str, scenario: Scenario, times: u32) {
        self.backend.book.add(model, scenario, times);
    }

    /// Forgets every scenario that was set. Model ids named `sim.<name>` keep theirs.
    pub fn clear_scenarios(&self) {
        self.backend.book.clear();
    }

    /// Sets the rules of a guardrail, by its id, from now on; `*` stands for all guardrails.
    pub fn set_guardrail(&self, id: &str, rules: GuardrailRules) {
        self.backend.guardrails.set(id, rules);
    }

    /// Forgets all rules that were set: every guardrail has the usual ones again.
    pub fn clear_guardrails(&self) {
        self.backend.guardrails.clear();
    }

    /// The calls in the log, oldest first.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.backend.log.records()
    }

    /// The calls that arrived after the call of that number, oldest first: for whoever follows a
    /// log that is too long to be read again and again.
    pub fn calls_after(&self, sequence: u64) -> Vec<CallRecord> {
        self.backend.log.records_after(sequence)
    }

    /// The most calls for which `of` holds that were under way at once, of those in the log.
    pub fn peak_concurrency(&self, of: impl Fn(&CallRecord) -> bool) -> usize {
        self.backend.log.peak_concurrency(of)
    }

    /// Empties the log. Calls that are still open are forgotten too.
    pub fn clear_calls(&self) {
        self.backend.log.clear();
    }

    /// Waits until the log holds a call for which `predicate` holds, and returns the oldest such.
    pub async fn wait_for_call(
        &self,
        predicate: impl Fn(&CallRecord) -> bool + Send,
        within: Duration,
    ) -> Option<CallRecord> {
        self.backend.log.wait_for(predicate, within).await
    }

    /// Stops the server, ends its connections and returns when both are gone.
    pub async fn stop(self) {
        self.stopping.cancel();
        // The task can only end by itself or with this handle; a panic in it has been printed.
        let _ = self.server.await;
    }
}

/// What every connection is served with.
#[derive(Clone)]
struct Site {
    router: Router,
    tls: Option<TlsAcceptor>,
    max_concurrent_streams: u32,
}

async fn serve(
    listener: TcpListener,
    site: Site,
    accepted_so_far: Arc<AtomicUsize>,
    stopping: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    accepted_so_far.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(serve_connection(stream, site.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn serve_connection(stream: TcpStream, site: Site) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let connection = Connection::default();
    let socket = Socket::new(stream, connection.clone());
    match site.tls.clone() {
        None => serve_http(socket, connection, site).await,
        // A client that speaks no TLS, or does not trust the certificate, is gone already.
        Some(tls) => {
            if let Ok(socket) = tls.accept(socket).await {
                serve_http(socket, connection, site).await;
            }
        }
    }
}

async fn serve_http<S>(socket: S, connection: Connection, site: Site)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let on_request = connection.clone();
    let router = site.router;
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(on_request.clone());
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(site.max_concurrent_streams);
    let serving = builder.serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        // How a connection ended is in the log of calls, as far as it matters.
        _ = serving => {}
        () = connection.is_reset() => {}
    }
}
