//! The body of a streamed answer.
//!
//! It asks the run for events when the connection can take them, writes those
//! that are ready together in one piece, and sends a heartbeat when nothing came
//! for a while. It holds at most one piece; a slow reader slows the model. A defect
//! in the work ends this stream in good order and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::domain::FailureCode;
use crate::pipeline::{Event, Failure, Run};
use crate::telemetry::Metrics;

/// One line feed: a blank line would be an empty event to some clients.
const HEARTBEAT: &[u8] = b": hb\n";
/// A piece is sent when it has grown to this, even if more is ready.
const PIECE_BYTES: usize = 16 * 1024;

/// Writes events of a run into a piece of the body.
pub(super) trait Encode: Unpin {
    /// Appends what `event` looks like on the wire.
    ///
    /// # Errors
    /// [`Broken`] when the dialect has no words for a failure: the connection is cut.
    fn encode(&mut self, event: Event, piece: &mut BytesMut) -> Result<(), Broken>;

    /// What stands before the first event.
    fn preface(&mut self) -> Option<Bytes> {
        None
    }
}

/// The answer ended before it was complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer ended before it was complete")]
pub(super) struct Broken;

/// The body.
pub(super) struct StreamBody<E> {
    events: BoxStream<'static, Event>,
    encoder: E,
    heartbeat: Option<Heartbeat>,
    state: State,
    /// Whether part of the answer has been told.
    partial: bool,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// What was encoded is flushed at the next poll, and the one after cuts the connection.
    Flushing,
    Breaking,
    Ended,
}

struct Heartbeat {
    after: Duration,
    last_sent: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<E: Encode> StreamBody<E> {
    pub(super) fn new(run: Run, encoder: E, heartbeat: Option<Duration>, metrics: &Arc<Metrics>) -> Self {
        // Boxed, because the generator hands the run over at every event.
        let events = stream::unfold(Box::new(run), |mut run| async move {
            let event = run.next().await?;
            Some((event, run))
        });
        let heartbeat = heartbeat.map(|after| {
            let now = Instant::now();
            Heartbeat { after, last_sent: now, timer: Box::pin(sleep_until(now + after)) }
        });
        let (events, metrics) = (events.boxed(), Arc::clone(metrics));
        Self { events, encoder, heartbeat, state: State::Open, partial: false, metrics }
    }

    /// Says whether part of the answer stands in the preface.
    pub(super) fn having_told(self, partial: bool) -> Self {
        Self { partial, ..self }
    }

    /// Writes the next event, if it is there.
    fn write_next(&mut self, cx: &mut Context<'_>, piece: &mut BytesMut) -> Poll<()> {
        self.events.poll_next_unpin(cx).map(|event| match event {
            Some(event) => {
                match &event {
                    Event::Delta(_) | Event::Suggestion(_) => self.partial = true,
                    Event::Reset(_) => self.partial = false,
                    _ => {}
                }
                if self.encoder.encode(event, piece).is_err() {
                    self.state = State::Flushing;
                }
            }
            None => self.state = State::Ended,
        })
    }

    /// The work panicked: its run is gone, and has been recorded as it went.
    fn panicked(&mut self, piece: &mut BytesMut) {
        self.metrics.panics.inc();
        self.events = stream::empty().boxed();
        let failure = Failure {
            code: FailureCode::Internal,
            retry_after: None,
            detail: None,
            partial: self.partial,
            attempts: Vec::new(),
        };
        let told = catch_unwind(AssertUnwindSafe(|| self.encoder.encode(Event::Failed(failure), piece)));
        self.state = if matches!(told, Ok(Ok(()))) { State::Ended } else { State::Flushing };
    }
}

impl<E> StreamBody<E> {
    /// An error makes the connection drop what it has not written yet, head and all.
    /// So it is asked to wait once, which makes it write first.
    fn flush_first(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.state = State::Breaking;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<E: Encode> http_body::Body for StreamBody<E> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        match this.state {
            State::Ended => return Poll::Ready(None),
            State::Flushing => return this.flush_first(cx),
            State::Breaking => {
                this.state = State::Ended;
                return Poll::Ready(Some(Err(Broken)));
            }
            State::Open => {}
        }
        if let Some(preface) = this.encoder.preface() {
            return Poll::Ready(Some(Ok(Frame::data(preface))));
        }
        let mut piece = BytesMut::new();
        while piece.len() < PIECE_BYTES && this.state == State::Open {
            let whole = piece.len();
            match catch_unwind(AssertUnwindSafe(|| this.write_next(cx, &mut piece))) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => break,
                Err(_panic) => {
                    piece.truncate(whole);
                    this.panicked(&mut piece);
                }
            }
        }
        if !piece.is_empty() {
            if let Some(heartbeat) = &mut this.heartbeat {
                heartbeat.last_sent = Instant::now();
            }
            return Poll::Ready(Some(Ok(Frame::data(piece.freeze()))));
        }
        match this.state {
            State::Ended => Poll::Ready(None),
            State::Flushing | State::Breaking => this.flush_first(cx),
            State::Open => match &mut this.heartbeat {
                Some(heartbeat) => heartbeat.poll(cx),
                None => Poll::Pending,
            },
        }
    }
}

impl Heartbeat {
    /// The timer is set again only when it fires, so that events cost no timer work.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let due = self.last_sent + self.after;
            if now >= due {
                self.last_sent = now;
                self.timer.as_mut().reset(now + self.after);
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(HEARTBEAT)))));
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

/// The dialect that is nothing but the text.
pub(super) struct PlainText {
    first: Option<Bytes>,
}

impl PlainText {
    /// The word that the head waited for.
    pub(super) fn starting_with(text: String) -> Self {
        Self { first: Some(Bytes::from(text)) }
    }
}

impl Encode for PlainText {
    fn encode(&mut self, event: Event, piece: &mut BytesMut) -> Result<(), Broken> {
        match event {
            Event::Delta(text) => piece.extend_from_slice(text.as_bytes()),
            // Text that has left cannot be taken back, so this dialect never asks for a restart.
            Event::Failed(_) | Event::Reset(_) => return Err(Broken),
            Event::Started(_)
            | Event::Progress(_)
            | Event::Fallback(_)
            | Event::Warning(_)
            | Event::Partial(_)
            | Event::Suggestion(_)
            | Event::Usage(_)
            | Event::Done(_) => {}
        }
        Ok(())
    }

    fn preface(&mut self) -> Option<Bytes> {
        self.first.take()
    }
}
