//! The accept loop: connections with time limits, a cap, and a bounded end.
//!
//! axum's own loop sets no timer: a client that sends its head one byte a minute
//! would hold a connection for ever. Here every head has a clock, TCP_NODELAY is
//! set (without it a first token waits 40 ms for the client's ACK), and the
//! number of connections is bounded. The one rule: when [`Server::run`] returns,
//! no task of a connection is left.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connections;
use super::stream_clock::StreamTasks;

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// How long a client may take to send a request's head.
    pub header_read_timeout: Duration,
    /// How long a client may leave bytes unread before it is given up.
    pub write_timeout: Duration,
    pub max_connections: usize,
}

/// The times of a shutdown, counted from its begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownPolicy {
    /// How long idle connections are kept.
    pub delay: Duration,
    /// How long open requests may run on.
    pub drain: Duration,
}

/// The two steps in which a server ends. Whoever stops it decides when.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Connections take no further request. New ones still get an answer each, so
    /// that probes and latecomers are told and not refused.
    pub drain: CancellationToken,
    /// Whatever is open is ended.
    pub now: CancellationToken,
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

    /// Serves until it is asked to drain and no connection is in use, or until it is
    /// ended. Connections that have asked nothing yet hold nothing up.
    pub async fn run(self, ending: Ending) {
        let Self { listener, routes, settings } = self;
        let places = Arc::new(Semaphore::new(settings.max_connections));
        let (in_use, streams) = (TaskTracker::new(), StreamTasks::new(settings.write_timeout));
        let connections =
            Connections::new(routes, settings, streams.clone(), in_use.clone(), ending.drain.clone());
        let mut open = JoinSet::new();
        let mut drained = pin!(async {
            ending.drain.cancelled().await;
            in_use.close();
            in_use.wait().await;
        });
        loop {
            // The place is taken first: above the cap, clients wait in the kernel's backlog.
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = ending.now.cancelled() => break,
                () = &mut drained => break,
                Some(_ended) = open.join_next() => continue,
                accepted = accepted => accepted,
            };
            let Some(stream) = settle(accepted).await else { continue };
            let serving = connections.clone().serve(stream);
            open.spawn(async move {
                serving.await;
                drop(place);
            });
        }
        drop(listener);
        open.shutdown().await;
        streams.end().await;
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
