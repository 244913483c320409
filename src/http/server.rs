//! The accept loop: connections with time limits, a cap, and a bounded end.
//!
//! axum's own loop sets no timer: a client that sends its head one byte a minute
//! would hold a connection for ever. Here every head has a clock, TCP_NODELAY is
//! set (without it a first token waits 40 ms for the client's ACK), and the
//! number of connections is bounded.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::write_clock::WriteClock;

/// How often a silent HTTP/2 client is asked whether it is there, and how long it may take.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Streams of one HTTP/2 connection: a browser opens a handful.
const MAX_STREAMS_PER_CONNECTION: u32 = 100;

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// How long a client may take to send a request's head.
    pub header_read_timeout: Duration,
    /// How long a client may leave bytes unread before it is given up.
    pub write_timeout: Duration,
    pub max_connections: usize,
    /// How long open requests may run on once the end was asked for.
    pub drain: Duration,
}

/// The listener could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ServeError {
    pub address: SocketAddr,
    pub source: io::Error,
}

/// A bound listener with its routes.
pub struct Server {
    listener: TcpListener,
    routes: Router,
    settings: ServerSettings,
}

impl Server {
    /// Binds the address; port 0 picks a free one.
    ///
    /// # Errors
    /// [`ServeError`] when the address is taken or not ours.
    pub async fn bind(
        address: SocketAddr,
        routes: Router,
        settings: ServerSettings,
    ) -> Result<Self, ServeError> {
        let listener = TcpListener::bind(address).await.map_err(|source| ServeError { address, source })?;
        Ok(Self { listener, routes, settings })
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` is cancelled, then lets open requests run on for
    /// at most the drain time. Returns whether all of them ended by themselves.
    pub async fn run(self, shutdown: CancellationToken) -> bool {
        let connections = Arc::new(Semaphore::new(self.settings.max_connections));
        let graceful = GracefulShutdown::new();
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(self.settings.header_read_timeout);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION);
        loop {
            // The permit is taken first: above the cap, clients wait in the kernel's backlog.
            let accepted = async {
                let permit = Arc::clone(&connections).acquire_owned().await;
                (permit, self.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accepted => accepted,
            };
            let Some(stream) = settle(accepted).await else { continue };
            let (http, watcher) = (http.clone(), graceful.watcher());
            let service = TowerToHyperService::new(self.routes.clone());
            let (first_byte, write_timeout) =
                (self.settings.header_read_timeout, self.settings.write_timeout);
            let end = shutdown.clone();
            tokio::spawn(async move {
                // Until the first bytes tell HTTP/1 from HTTP/2, hyper has no clock running.
                let began = tokio::select! {
                    () = end.cancelled() => false,
                    began = timeout(first_byte, has_begun(&stream)) => matches!(began, Ok(Ok(true))),
                };
                if began {
                    let stream = WriteClock::new(stream, write_timeout);
                    // Errors of one connection are the client's going away; its requests were recorded.
                    let _ended = watcher
                        .watch(http.serve_connection(TokioIo::new(stream), service).into_owned())
                        .await;
                }
                drop(permit);
            });
        }
        drop(self.listener);
        timeout(self.settings.drain, graceful.shutdown()).await.is_ok()
    }
}

/// Waits until the client has sent enough to tell HTTP/1 from HTTP/2; `false` when
/// it left before. Nothing is taken from the stream.
async fn has_begun(stream: &TcpStream) -> io::Result<bool> {
    const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /// A preface in pieces: what is already there would be told as readable again at once.
    const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);
    let mut seen = [0; HTTP2_PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        if length == 0 {
            return Ok(false);
        }
        if length == seen.len() || !HTTP2_PREFACE.starts_with(&seen[..length]) {
            return Ok(true);
        }
        sleep(LOOK_AGAIN_AFTER).await;
    }
}

/// Prepares an accepted connection; a failure to accept is passed over.
async fn settle(accepted: io::Result<(TcpStream, SocketAddr)>) -> Option<TcpStream> {
    /// Out of file descriptors: trying again at once would spin.
    const PAUSE: Duration = Duration::from_millis(50);
    match accepted {
        Ok((stream, _peer)) => stream.set_nodelay(true).ok().map(|()| stream),
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => None,
        Err(error) => {
            tracing::warn!(cause = %error, "cannot accept a connection");
            sleep(PAUSE).await;
            None
        }
    }
}
