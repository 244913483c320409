//! Signals: those that end the process (the first asks, the second insists), and
//! the one that has the configuration read again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// SIGTERM, SIGINT and SIGHUP, caught from the moment this exists.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Catches the signals. Done before anything is announced, so that whoever
    /// reads the announcement can end the process in good order.
    ///
    /// # Errors
    /// When the operating system refuses the handlers.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Cancels `stop` at the first signal that ends the process and returns at the
    /// second, with its number. Passes each SIGHUP on to `reload`.
    pub(super) async fn watch(mut self, stop: CancellationToken, reload: &Notify) -> u8 {
        self.next_end(reload).await;
        stop.cancel();
        self.next_end(reload).await
    }

    /// The number of the first signal that ends the process, before there is anything
    /// to read again.
    pub(super) async fn end(&mut self) -> u8 {
        self.next_end(&Notify::new()).await
    }

    async fn next_end(&mut self, reload: &Notify) -> u8 {
        const INTERRUPT: u8 = 2;
        const TERMINATE: u8 = 15;
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return TERMINATE,
                _ = self.interrupt.recv() => return INTERRUPT,
                _ = self.hang_up.recv() => reload.notify_one(),
            }
        }
    }
}
