//! Gives an HTTP/2 stream up when its reader takes nothing for too long.
//!
//! The clock on the socket does not see such a reader: the connection is read, but
//! the stream's window stays closed. So each stream has a clock of its own, which
//! runs while bytes of its answer wait to be sent. The one rule: only this stream
//! ends, because behind a proxy the others belong to other people.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::task::TaskTracker;

tokio::task_local! {
    /// The clock of the stream that the task works on.
    static CLOCK: Arc<StreamClock>;
}

/// Runs the tasks of HTTP/2 streams, each with its clock. They belong to the server:
/// when the last handle goes, they end.
#[derive(Clone)]
pub(super) struct StreamTasks {
    tasks: Arc<Mutex<JoinSet<()>>>,
    alive: TaskTracker,
    /// Streams of one connection alone.
    open: TaskTracker,
    write_timeout: Duration,
}

impl StreamTasks {
    pub(super) fn new(write_timeout: Duration) -> Self {
        let (alive, open) = (TaskTracker::new(), TaskTracker::new());
        Self { tasks: Arc::default(), alive, open, write_timeout }
    }

    /// The same for one connection, whose open streams it counts.
    pub(super) fn of_connection(&self) -> Self {
        Self { open: TaskTracker::new(), ..self.clone() }
    }

    /// Whether a stream of this connection is open.
    pub(super) fn any_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Ends every stream and comes back when nothing of them is left.
    pub(super) async fn end(&self) {
        self.lock().abort_all();
        self.alive.close();
        self.alive.wait().await;
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> hyper::rt::Executor<F> for StreamTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let mut tasks = self.lock();
        // Those that have ended make room for this one.
        while tasks.try_join_next().is_some() {}
        let stream = self.open.track_future(under_clock(stream, self.write_timeout));
        tasks.spawn(self.alive.track_future(stream));
    }
}

/// Works on the stream until it ends or its reader has taken nothing for `time`.
/// Leaving it unfinished makes the connection reset it.
async fn under_clock(stream: impl Future<Output = ()>, time: Duration) {
    let clock = Arc::new(StreamClock::default());
    let mut stream = pin!(CLOCK.scope(Arc::clone(&clock), stream));
    let mut timer = pin!(sleep(time));
    std::future::poll_fn(|cx| match stream.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => clock.poll_overdue(cx, timer.as_mut(), time),
    })
    .await;
}

/// What of an answer has been handed to the connection and not been sent yet.
#[derive(Debug, Default)]
struct StreamClock(Mutex<Unsent>);

#[derive(Debug, Default)]
struct Unsent {
    pieces: usize,
    /// When bytes were last sent, or began to wait.
    since: Option<Instant>,
    /// Told when nothing waits any more.
    last_sent: Option<Waker>,
}

impl StreamClock {
    fn lock(&self) -> MutexGuard<'_, Unsent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when bytes have waited for `time`. The timer is set again only when it
    /// fires, so that most pieces cost no timer work.
    fn poll_overdue(&self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>, time: Duration) -> Poll<()> {
        loop {
            let Some(since) = self.waiting_since() else { return Poll::Pending };
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= since + time {
                return Poll::Ready(());
            }
            timer.as_mut().reset(since + time);
        }
    }

    fn waiting_since(&self) -> Option<Instant> {
        let unsent = self.lock();
        unsent.since.filter(|_| unsent.pieces > 0)
    }

    fn handed_over(&self) {
        let mut unsent = self.lock();
        if unsent.pieces == 0 {
            unsent.since = Some(Instant::now());
        }
        unsent.pieces += 1;
    }

    fn some_sent(&self) {
        self.lock().since = Some(Instant::now());
    }

    fn piece_sent(&self) {
        let mut unsent = self.lock();
        unsent.pieces -= 1;
        unsent.since = Some(Instant::now());
        if unsent.pieces == 0
            && let Some(waker) = unsent.last_sent.take()
        {
            waker.wake();
        }
    }

    /// Ready when every piece has been sent.
    fn poll_all_sent(&self, cx: &Context<'_>) -> Poll<()> {
        let mut unsent = self.lock();
        if unsent.pieces == 0 {
            return Poll::Ready(());
        }
        unsent.last_sent = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The body of an answer; over HTTP/2 it ends only when all of it has been sent, so
/// that the stream's task, and with it the clock, lives as long as bytes wait.
pub(super) struct WatchedBody {
    body: Body,
    clock: Option<Arc<StreamClock>>,
}

impl WatchedBody {
    /// Takes the clock of the task that it is called in, if there is one.
    pub(super) fn new(body: Body) -> Self {
        Self { body, clock: CLOCK.try_with(Arc::clone).ok() }
    }
}

impl http_body::Body for WatchedBody {
    type Data = Piece;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, axum::Error>>> {
        let this = &mut *self;
        if let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            let piece = |bytes| Piece::handed_over(bytes, this.clock.as_ref());
            return Poll::Ready(Some(frame.map(|frame| frame.map_data(piece))));
        }
        if let Some(clock) = &this.clock {
            ready!(clock.poll_all_sent(cx));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        let all_sent = self.clock.as_ref().is_none_or(|clock| clock.lock().pieces == 0);
        all_sent && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes on their way to the socket.
pub(super) struct Piece {
    bytes: Bytes,
    clock: Option<Arc<StreamClock>>,
}

impl Piece {
    fn handed_over(bytes: Bytes, clock: Option<&Arc<StreamClock>>) -> Self {
        if let Some(clock) = clock {
            clock.handed_over();
        }
        Self { bytes, clock: clock.cloned() }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some(clock) = &self.clock {
            clock.some_sent();
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(clock) = &self.clock {
            clock.piece_sent();
        }
    }
}
