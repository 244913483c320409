//! The door of a lane: one call opens the connection, the others wait for it.
//!
//! Which protocol a server speaks is known after its handshake. Without a door,
//! every call that finds no connection makes a handshake of its own, and all but
//! one are thrown away: a hundred calls at once would spend their connect
//! time-outs on that. The one rule: whoever waits here is let go when the opener's
//! request is on its way, fails or leaves, and after `patience` in any case.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// Where a lane stands with its connection.
#[derive(Debug, Default)]
pub(super) struct Door {
    state: watch::Sender<State>,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    /// Connections that many calls can share.
    shared: u32,
    /// The server wants a connection for each call: there is nothing to wait for.
    one_each: bool,
    /// The opening that goes on, by its number.
    opening: Option<u64>,
    openings: u64,
    /// Openings that failed so far.
    failures: u64,
}

/// How a call comes through the door.
#[derive(Debug)]
pub(super) enum Entry {
    /// There is a connection, or waiting for one is no use.
    Go,
    /// This call opens it.
    Opener(Opener),
    /// The call that this one waited for could not open it.
    Failed,
}

/// The call that opens the connection. Dropped without a word, it has left, and
/// another call takes its place.
#[derive(Debug)]
pub(super) struct Opener {
    door: Arc<Door>,
    number: u64,
}

/// Tells that the opener's request is on its way.
#[derive(Debug)]
pub(super) struct OnItsWay {
    door: Arc<Door>,
    number: u64,
}

impl State {
    fn is_open(self) -> bool {
        self.one_each || (self.shared > 0 && self.opening.is_none())
    }

    fn end_opening(&mut self, number: u64) -> bool {
        let ends = self.opening == Some(number);
        if ends {
            self.opening = None;
        }
        ends
    }
}

impl Door {
    /// Comes through, or becomes the one who opens.
    pub(super) async fn enter(self: &Arc<Self>, patience: Duration) -> Entry {
        if self.state.borrow().is_open() {
            return Entry::Go;
        }
        let mut watching = self.state.subscribe();
        let failures = watching.borrow().failures;
        loop {
            let mut entry = None;
            self.state.send_if_modified(|state| {
                entry = if state.is_open() {
                    Some(Entry::Go)
                } else if state.failures > failures {
                    Some(Entry::Failed)
                } else if state.opening.is_some() {
                    None
                } else {
                    state.openings += 1;
                    state.opening = Some(state.openings);
                    Some(Entry::Opener(Opener { door: Arc::clone(self), number: state.openings }))
                };
                matches!(entry, Some(Entry::Opener(_)))
            });
            if let Some(entry) = entry {
                return entry;
            }
            let moved = watching.wait_for(|state| state.is_open() || state.opening.is_none());
            if timeout(patience, moved).await.is_err() {
                return Entry::Go;
            }
        }
    }

    /// A connection is there. `shared`: many calls at once can use it.
    pub(super) fn opened(&self, shared: bool) {
        self.state.send_modify(|state| {
            state.shared += u32::from(shared);
            state.one_each |= !shared;
        });
    }

    /// A connection that many calls could share takes no more of them.
    pub(super) fn closed(&self) {
        self.state.send_modify(|state| state.shared = state.shared.saturating_sub(1));
    }
}

impl Opener {
    /// To be told when the request is on its way: the others may follow then, and
    /// not earlier. The pool lets the opener's request go first, and whoever comes
    /// before that makes a handshake of its own.
    pub(super) fn on_its_way(&self) -> OnItsWay {
        OnItsWay { door: Arc::clone(&self.door), number: self.number }
    }

    /// There is no connection, and the ones who wait shall know.
    pub(super) fn failed(self) {
        self.door.state.send_if_modified(|state| {
            let ends = state.end_opening(self.number);
            state.failures += u64::from(ends);
            ends
        });
    }
}

impl OnItsWay {
    pub(super) fn tell(self) {
        self.door.state.send_if_modified(|state| state.end_opening(self.number));
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.door.state.send_if_modified(|state| state.end_opening(self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::{Door, Entry, Opener};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(3);

    async fn opener(door: &Arc<Door>) -> Opener {
        match door.enter(PATIENCE).await {
            Entry::Opener(opener) => opener,
            other => panic!("{other:?}"),
        }
    }

    /// Two calls that stand before the door.
    async fn waiting(door: &Arc<Door>) -> [JoinHandle<Entry>; 2] {
        let enter = || {
            let door = Arc::clone(door);
            tokio::spawn(async move { door.enter(PATIENCE).await })
        };
        let calls = [enter(), enter()];
        tokio::task::yield_now().await;
        assert!(calls.iter().all(|call| !call.is_finished()));
        calls
    }

    #[tokio::test(start_paused = true)]
    async fn one_opens_and_all_go_through() {
        for shared in [true, false] {
            let door = Arc::<Door>::default();
            let opener = opener(&door).await;
            let calls = waiting(&door).await;
            door.opened(shared);
            opener.on_its_way().tell();
            for call in calls {
                assert!(matches!(call.await.unwrap(), Entry::Go));
            }
            assert!(matches!(door.enter(PATIENCE).await, Entry::Go));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_overtakes_the_opener() {
        let door = Arc::<Door>::default();
        let opener = opener(&door).await;
        let calls = waiting(&door).await;
        door.opened(true);
        tokio::task::yield_now().await;
        assert!(calls.iter().all(|call| !call.is_finished()));
        opener.on_its_way().tell();
        for call in calls {
            assert!(matches!(call.await.unwrap(), Entry::Go));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_word_of_an_earlier_opener_counts_no_more() {
        let door = Arc::<Door>::default();
        let first = opener(&door).await;
        let late = first.on_its_way();
        drop(first);
        let second = opener(&door).await;
        late.tell();
        let calls = waiting(&door).await;
        second.failed();
        for call in calls {
            assert!(matches!(call.await.unwrap(), Entry::Failed));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_opening_fails_it_fails_for_all_and_the_next_call_tries_again() {
        let door = Arc::<Door>::default();
        let first = opener(&door).await;
        let calls = waiting(&door).await;
        first.failed();
        for call in calls {
            assert!(matches!(call.await.unwrap(), Entry::Failed));
        }
        opener(&door).await;
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_opener_leaves_another_takes_its_place() {
        let door = Arc::<Door>::default();
        let first = opener(&door).await;
        let [one, other] = waiting(&door).await;
        drop(first);
        let next = tokio::select! {
            entry = one => entry.unwrap(),
            entry = other => entry.unwrap(),
        };
        assert!(matches!(next, Entry::Opener(_)), "{next:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_patience() {
        let door = Arc::<Door>::default();
        let _opener = opener(&door).await;
        let started = Instant::now();
        for call in waiting(&door).await {
            assert!(matches!(call.await.unwrap(), Entry::Go));
        }
        assert_eq!(started.elapsed(), PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_last_connection_closed_the_next_call_opens() {
        let door = Arc::<Door>::default();
        drop(opener(&door).await);
        door.opened(true);
        door.opened(true);
        door.closed();
        assert!(matches!(door.enter(PATIENCE).await, Entry::Go));
        door.closed();
        opener(&door).await;
    }
}
