//! A connection that gives a client up when it leaves bytes unread for too long.
//!
//! A stream is driven by its reader: when the reader stops, nothing asks the run
//! for events any more, and with that its own clocks stand still. This clock is
//! on the socket, so it runs exactly then; its end drops the run and the call.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// A stream whose writes have a clock.
pub(super) struct WriteClock {
    stream: TcpStream,
    time: Duration,
    /// Runs while a write waits for the client; kept to be set again.
    waiting: Option<Pin<Box<Sleep>>>,
    runs: bool,
}

impl WriteClock {
    pub(super) fn new(stream: TcpStream, time: Duration) -> Self {
        Self { stream, time, waiting: None, runs: false }
    }

    /// Passes a finished write on and lets a waiting one wait so long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.runs = false;
            return write;
        }
        let time = self.time;
        let clock = self.waiting.get_or_insert_with(|| Box::pin(sleep(time)));
        if !self.runs {
            self.runs = true;
            clock.as_mut().reset(Instant::now() + time);
        }
        ready!(clock.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl AsyncRead for WriteClock {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for WriteClock {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.watch(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
