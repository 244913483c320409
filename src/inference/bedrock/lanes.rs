//! Which of a host's connections carries the next call: pure bookkeeping.
//!
//! A lane stands for one HTTP/2 connection, over which a server lets about a
//! hundred calls run; those beyond would wait without a word. Owns the count of
//! calls in flight per lane and when a lane last gave a sign of life. It opens no
//! connection. The one rule: a call counts until its [`Lease`] is dropped.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::door::Door;

/// So many calls share a lane before the next one is opened. Servers allow 100
/// and more; the rest is for calls that ended here and not yet there.
pub(super) const COMFORTABLE_CALLS: usize = 64;

/// The lanes of one host.
#[derive(Debug)]
pub(super) struct Lanes {
    opened: Mutex<Vec<Arc<Lane>>>,
    max: usize,
    epoch: Instant,
}

#[derive(Debug, Default)]
struct Lane {
    calls: AtomicUsize,
    /// Milliseconds since the epoch at the last sign of life.
    heard_ms: AtomicU64,
    door: Arc<Door>,
}

/// A call's place on a lane.
#[derive(Debug)]
pub(super) struct Lease {
    lane: Arc<Lane>,
    index: usize,
    epoch: Instant,
    taken_ms: u64,
}

impl Lanes {
    /// At most `max` lanes, of which none is open yet.
    pub(super) fn new(max: usize) -> Self {
        Self { opened: Mutex::default(), max: max.max(1), epoch: Instant::now() }
    }

    /// A place on the lane with the fewest calls, and among equals the oldest, so
    /// that lanes nobody needs fall idle. When all are busy, a new lane is opened.
    pub(super) fn take(&self) -> Lease {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = |lane: &Arc<Lane>| lane.calls.load(Ordering::Relaxed);
        let least = opened.iter().enumerate().min_by_key(|(_, lane)| calls(lane)).map(|(index, _)| index);
        let index = match least {
            Some(index) if calls(&opened[index]) < COMFORTABLE_CALLS || opened.len() >= self.max => index,
            _ => {
                opened.push(Arc::default());
                opened.len() - 1
            }
        };
        let lane = Arc::clone(&opened[index]);
        lane.calls.fetch_add(1, Ordering::Relaxed);
        Lease { lane, index, epoch: self.epoch, taken_ms: millis_since(self.epoch) }
    }

    /// The door of a lane that is open.
    pub(super) fn door(&self, index: usize) -> Option<Arc<Door>> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.get(index).map(|lane| Arc::clone(&lane.door))
    }
}

impl Lease {
    /// Which lane, counted from zero.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn door(&self) -> &Arc<Door> {
        &self.lane.door
    }

    /// Remembers a sign of life.
    pub(super) fn heard(&self) {
        self.lane.heard_ms.fetch_max(millis_since(self.epoch), Ordering::Relaxed);
    }

    /// How long this call has been waiting on a lane that says nothing to anybody.
    pub(super) fn silence(&self) -> Duration {
        let since_ms = self.lane.heard_ms.load(Ordering::Relaxed).max(self.taken_ms);
        Duration::from_millis(millis_since(self.epoch).saturating_sub(since_ms))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lane.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis_since(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{COMFORTABLE_CALLS, Lanes, Lease};
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    fn calls(lanes: &Lanes) -> Vec<usize> {
        lanes.opened.lock().unwrap().iter().map(|lane| lane.calls.load(Ordering::Relaxed)).collect()
    }

    fn take(lanes: &Lanes, count: usize) -> Vec<Lease> {
        (0..count).map(|_| lanes.take()).collect()
    }

    #[test]
    fn the_next_lane_is_opened_when_all_are_busy_and_never_more_than_allowed() {
        let lanes = Lanes::new(3);
        let mut leases = take(&lanes, COMFORTABLE_CALLS);
        assert_eq!(calls(&lanes), [COMFORTABLE_CALLS]);
        leases.push(lanes.take());
        assert_eq!(calls(&lanes), [COMFORTABLE_CALLS, 1]);
        leases.extend(take(&lanes, 2 * COMFORTABLE_CALLS - 1));
        assert_eq!(calls(&lanes), [COMFORTABLE_CALLS; 3]);
        leases.extend(take(&lanes, 6));
        assert_eq!(calls(&lanes), [COMFORTABLE_CALLS + 2; 3], "beyond the bound they share alike");
        drop(leases);
        assert_eq!(calls(&lanes), [0; 3]);
    }

    #[test]
    fn a_call_goes_where_the_fewest_are_and_to_the_oldest_lane_among_equals() {
        let lanes = Lanes::new(2);
        let mut leases = take(&lanes, COMFORTABLE_CALLS + 1);
        leases.truncate(COMFORTABLE_CALLS - 1);
        assert_eq!(calls(&lanes), [COMFORTABLE_CALLS - 1, 0]);
        assert_eq!(lanes.take().index(), 1);
        drop(leases);
        assert_eq!(lanes.take().index(), 0, "so that the second falls idle");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_measured_from_the_call_or_from_what_any_call_heard_since() {
        let lanes = Lanes::new(1);
        let other = lanes.take();
        tokio::time::advance(Duration::from_secs(5)).await;
        let call = lanes.take();
        assert_eq!(call.silence(), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((call.silence(), other.silence()), (Duration::from_secs(3), Duration::from_secs(8)));
        other.heard();
        assert_eq!((call.silence(), other.silence()), (Duration::ZERO, Duration::ZERO));
    }
}
