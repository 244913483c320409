//! One connection, from its first byte to its end.
//!
//! Owns the clock of the first bytes, the limits of both protocols, and what a
//! connection does when the service drains: one that has served a request takes no
//! other, and one that is new gets an answer to its first. It accepts nothing and
//! ends nothing by force; that is the server's.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::future::{MapOk, TryFutureExt as _};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::Service;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::{TowerToHyperService, TowerToHyperServiceFuture};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::server::ServerSettings;
use super::stream_clock::{StreamTasks, WatchedBody};
use super::write_clock::WriteClock;

/// How often a silent HTTP/2 client is asked whether it is there, and how long it may take.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Streams of one HTTP/2 connection: a browser opens a handful.
const MAX_STREAMS_PER_CONNECTION: u32 = 100;

/// How long an idle HTTP/2 client may take to agree that its connection ends. Who is
/// there answers within a round trip; who is not must not hold a shutdown up.
const FAREWELL: Duration = Duration::from_secs(1);

/// What all connections of a server share.
#[derive(Clone)]
pub(super) struct Connections {
    streams: StreamTasks,
    routes: Router,
    settings: ServerSettings,
    /// Holds a token of every connection that has been asked something.
    in_use: TaskTracker,
    drain: CancellationToken,
}

impl Connections {
    pub(super) fn new(
        routes: Router,
        settings: ServerSettings,
        streams: StreamTasks,
        in_use: TaskTracker,
        drain: CancellationToken,
    ) -> Self {
        Self { streams, routes, settings, in_use, drain }
    }

    /// Serves one connection to its end. Errors are the client's going away; its
    /// requests were recorded.
    pub(super) async fn serve(self, stream: TcpStream) {
        // Until the first bytes tell HTTP/1 from HTTP/2, hyper has no clock running.
        if !matches!(timeout(self.settings.header_read_timeout, has_begun(&stream)).await, Ok(Ok(true))) {
            return;
        }
        let streams = self.streams.of_connection();
        let http = protocols(streams.clone(), self.settings);
        let use_of_connection = Arc::new(OnceLock::new());
        let service = Requests {
            routes: TowerToHyperService::new(self.routes),
            in_use: self.in_use,
            drain: self.drain.clone(),
            use_of_connection: Arc::clone(&use_of_connection),
        };
        let stream = WriteClock::new(stream, self.settings.write_timeout);
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        let mut draining = pin!(self.drain.cancelled());
        let mut asked_to_end = false;
        let mut farewell = pin!(sleep(FAREWELL));
        std::future::poll_fn(|cx| {
            loop {
                if connection.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                // Ended before its first request, a connection would be closed without an answer.
                let Some(used) = use_of_connection.get() else { return Poll::Pending };
                if !asked_to_end {
                    ready!(draining.as_mut().poll(cx));
                    asked_to_end = true;
                    connection.as_mut().graceful_shutdown();
                    farewell.as_mut().reset(Instant::now() + FAREWELL);
                    continue;
                }
                if used.version != Version::HTTP_2 {
                    return Poll::Pending;
                }
                ready!(farewell.as_mut().poll(cx));
                if !streams.any_open() {
                    return Poll::Ready(());
                }
                farewell.as_mut().reset(Instant::now() + FAREWELL);
            }
        })
        .await;
    }
}

/// Both protocols with their limits.
fn protocols(streams: StreamTasks, settings: ServerSettings) -> auto::Builder<StreamTasks> {
    let mut http = auto::Builder::new(streams);
    http.http1().timer(TokioTimer::new()).header_read_timeout(settings.header_read_timeout);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION);
    http
}

/// Waits until the client has sent enough to tell HTTP/1 from HTTP/2; `false` when
/// it left before. Nothing is taken from the stream.
async fn has_begun(stream: &TcpStream) -> io::Result<bool> {
    const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /// A preface in pieces: what is already there would be told as readable again at once.
    const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);
    /// Who sends the rest so late is asked rarely: ten thousand of these must cost nothing.
    const LOOK_AGAIN_AT_MOST_AFTER: Duration = Duration::from_secs(1);
    let mut look_again_after = LOOK_AGAIN_AFTER;
    let mut seen = [0; HTTP2_PREFACE.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        if length == 0 {
            return Ok(false);
        }
        if length == seen.len() || !HTTP2_PREFACE.starts_with(&seen[..length]) {
            return Ok(true);
        }
        sleep(look_again_after).await;
        look_again_after = (look_again_after * 2).min(LOOK_AGAIN_AT_MOST_AFTER);
    }
}

/// Hands requests to the routes and notes that the connection is in use.
struct Requests {
    routes: TowerToHyperService<Router>,
    in_use: TaskTracker,
    drain: CancellationToken,
    use_of_connection: Arc<OnceLock<Use>>,
}

/// A connection that has been asked something.
struct Use {
    version: Version,
    _token: TaskTrackerToken,
}

type Watch = fn(Response<Body>) -> Response<WatchedBody>;

impl Service<Request<Incoming>> for Requests {
    type Response = Response<WatchedBody>;
    type Error = Infallible;
    type Future = MapOk<TowerToHyperServiceFuture<Router, Request<Incoming>>, Watch>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let version = request.version();
        self.use_of_connection.get_or_init(|| Use { version, _token: self.in_use.token() });
        // HTTP/2 has a frame of its own to say that a connection ends.
        let last = self.drain.is_cancelled() && version != Version::HTTP_2;
        let watch: Watch = if last { watch_last } else { watch };
        self.routes.call(request).map_ok(watch)
    }
}

fn watch(response: Response<Body>) -> Response<WatchedBody> {
    response.map(WatchedBody::new)
}

fn watch_last(response: Response<Body>) -> Response<WatchedBody> {
    let mut response = watch(response);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
