//! The log of calls: what was received, what happened to it, and when it ended.
//!
//! Owns the records and who may change them: a [`CallGuard`] per call. It keeps the newest calls
//! only, bounded in number and in bytes of request bodies.
//! The one rule it protects: each call ends exactly once. A guard that is dropped before an end was
//! told means that the client went away.

mod record;

pub use record::{CallRecord, Operation, Outcome};

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::prompt_cache::CacheUse;
use crate::scenario::Scenario;
use record::{End, Entry};

/// Bodies of more bytes than this, all calls together, push out the oldest calls.
const MAX_KEPT_BODY_BYTES: usize = 256 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct CallLog {
    capacity: usize,
    started: Instant,
    kept: Mutex<Kept>,
    changed: Notify,
    /// Changes are told only while somebody waits for one: most calls are never waited for.
    waiters: AtomicUsize,
}

#[derive(Debug, Default)]
struct Kept {
    next_sequence: u64,
    body_bytes: usize,
    entries: VecDeque<Arc<Entry>>,
}

/// What is known of a call when it arrives.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) operation: Operation,
    pub(crate) model_id: String,
    pub(crate) guardrail_version: Option<String>,
    pub(crate) request_id: String,
    pub(crate) sdk_request: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) signed_by: Option<String>,
    pub(crate) body: Bytes,
}

impl CallLog {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            capacity: capacity.max(1),
            started: Instant::now(),
            kept: Mutex::default(),
            changed: Notify::new(),
            waiters: AtomicUsize::new(0),
        })
    }

    pub(crate) fn begin(self: &Arc<Self>, arrival: Arrival) -> CallGuard {
        let received_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut kept = self.lock();
        kept.next_sequence += 1;
        kept.body_bytes += arrival.body.len();
        let entry = Arc::new(Entry {
            sequence: kept.next_sequence,
            operation: arrival.operation,
            model_id: arrival.model_id,
            guardrail_version: arrival.guardrail_version,
            request_id: arrival.request_id,
            sdk_request: arrival.sdk_request,
            headers: arrival.headers,
            signed_by: arrival.signed_by,
            received_after: self.started.elapsed(),
            received_at,
            body: arrival.body,
            parsed_body: OnceLock::new(),
            scenario: OnceLock::new(),
            cached: OnceLock::new(),
            end: OnceLock::new(),
            deltas_sent: AtomicU32::new(0),
        });
        kept.entries.push_back(Arc::clone(&entry));
        while kept.entries.len() > self.capacity || kept.body_bytes > MAX_KEPT_BODY_BYTES {
            let Some(oldest) = kept.entries.pop_front() else {
                break;
            };
            kept.body_bytes -= oldest.body.len();
        }
        drop(kept);
        self.tell();
        CallGuard { log: Arc::clone(self), entry }
    }

    pub(crate) fn records(&self) -> Vec<CallRecord> {
        let entries: Vec<Arc<Entry>> = self.lock().entries.iter().cloned().collect();
        entries.into_iter().map(CallRecord::new).collect()
    }

    /// The calls that arrived after the one with that number.
    pub(crate) fn records_after(&self, sequence: u64) -> Vec<CallRecord> {
        let kept = self.lock();
        let first = kept.entries.partition_point(|entry| entry.sequence <= sequence);
        let entries: Vec<Arc<Entry>> = kept.entries.range(first..).cloned().collect();
        drop(kept);
        entries.into_iter().map(CallRecord::new).collect()
    }

    /// The most calls of this kind that were under way at once.
    pub(crate) fn peak_concurrency(&self, of: impl Fn(&CallRecord) -> bool) -> usize {
        let calls: Vec<CallRecord> = self.records().into_iter().filter(|call| of(call)).collect();
        let mut begun: Vec<Duration> = calls.iter().map(|call| call.began).collect();
        let mut ended: Vec<Duration> = calls.iter().filter_map(|call| call.ended).collect();
        begun.sort_unstable();
        ended.sort_unstable();
        // When the n-th call begins, those that have ended by then are under way no more.
        let at_once = begun.iter().enumerate().map(|(before, began)| {
            let over = ended.partition_point(|end| end <= began);
            (before + 1).saturating_sub(over)
        });
        at_once.max().unwrap_or(0)
    }

    pub(crate) fn clear(&self) {
        let mut kept = self.lock();
        kept.entries.clear();
        kept.body_bytes = 0;
    }

    pub(crate) async fn wait_for(
        &self,
        predicate: impl Fn(&CallRecord) -> bool + Send,
        within: Duration,
    ) -> Option<CallRecord> {
        let _waiting = Waiting::new(&self.waiters);
        let look = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                // Listening starts before the look, so that no change falls between the two.
                changed.as_mut().enable();
                if let Some(found) = self.records().into_iter().find(|call| predicate(call)) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(within, look).await.ok()
    }

    fn tell(&self) {
        if self.waiters.load(Ordering::SeqCst) > 0 {
            self.changed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to tell what becomes of one call.
#[derive(Debug)]
pub(crate) struct CallGuard {
    log: Arc<CallLog>,
    entry: Arc<Entry>,
}

impl CallGuard {
    pub(crate) fn model_id(&self) -> &str {
        &self.entry.model_id
    }

    /// The call's number in the log.
    pub(crate) fn sequence(&self) -> u64 {
        self.entry.sequence
    }

    pub(crate) fn request_id(&self) -> &str {
        &self.entry.request_id
    }

    pub(crate) fn elapsed_ms(&self) -> u64 {
        millis(self.log.started.elapsed().saturating_sub(self.entry.received_after))
    }

    /// Whether the call has not ended yet.
    pub(crate) fn is_open(&self) -> bool {
        self.entry.end.get().is_none()
    }

    pub(crate) fn chose(&self, scenario: Scenario) {
        // Chosen once per call; a second choice would be a programming error and is not recorded.
        let _ = self.entry.scenario.set(scenario);
    }

    /// Tells what a cache did for the call. It is billed if the rest of the prompt is.
    pub(crate) fn used_cache(&self, used: CacheUse) {
        // Looked up once per call.
        let _ = self.entry.cached.set(used);
    }

    pub(crate) fn sent_delta(&self) {
        self.entry.deltas_sent.fetch_add(1, Ordering::SeqCst);
        self.log.tell();
    }

    pub(crate) fn failed(&self, status: u16, error: impl Into<String>) {
        self.end(Outcome::Failed { status, error: error.into() }, None);
    }

    /// Ends the call. Only the first end counts.
    pub(crate) fn end(&self, outcome: Outcome, billed: Option<Billed>) {
        let after = self.log.started.elapsed();
        let end = End { outcome, after, billed };
        if self.entry.end.set(end).is_ok() {
            self.log.tell();
        }
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        self.end(Outcome::ClientGone, None);
    }
}

/// What a call cost, and the text it bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Billed {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) text: Arc<str>,
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiters: &'a AtomicUsize) -> Self {
        waiters.fetch_add(1, Ordering::SeqCst);
        Self(waiters)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(model_id: &str, body: &'static str) -> Arrival {
        Arrival {
            operation: Operation::Converse,
            model_id: model_id.to_owned(),
            guardrail_version: None,
            request_id: "r".to_owned(),
            sdk_request: None,
            headers: BTreeMap::new(),
            signed_by: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_dropped_guard_means_that_the_client_went_away() {
        let log = CallLog::new(10);
        drop(log.begin(arrival("a", "{}")));
        let guard = log.begin(arrival("b", "{}"));
        guard.end(Outcome::Completed, None);
        drop(guard);
        let _open = log.begin(arrival("c", "{}"));
        let outcomes: Vec<Outcome> = log.records().into_iter().map(|call| call.outcome).collect();
        assert_eq!(outcomes, [Outcome::ClientGone, Outcome::Completed, Outcome::InProgress]);
    }

    #[test]
    fn only_the_newest_calls_are_kept() {
        let log = CallLog::new(2);
        for name in ["a", "b", "c"] {
            drop(log.begin(arrival(name, "{}")));
        }
        let kept: Vec<(u64, String)> =
            log.records().into_iter().map(|call| (call.sequence, call.model_id)).collect();
        assert_eq!(kept, [(2, "b".to_owned()), (3, "c".to_owned())]);
        let after = |sequence| log.records_after(sequence).len();
        assert_eq!([after(0), after(1), after(2), after(3), after(9)], [2, 2, 1, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_peak_counts_calls_that_were_under_way_at_the_same_moment() {
        let log = CallLog::new(10);
        let tick = async || tokio::time::advance(Duration::from_micros(10)).await;
        let all = |_: &CallRecord| true;
        assert_eq!(log.peak_concurrency(all), 0);
        let first = log.begin(arrival("a", "{}"));
        tick().await;
        let second = log.begin(arrival("b", "{}"));
        tick().await;
        drop(first);
        let third = log.begin(arrival("a", "{}"));
        assert_eq!(log.peak_concurrency(all), 2, "one begins as another ends");
        tick().await;
        let fourth = log.begin(arrival("a", "{}"));
        tick().await;
        assert_eq!(log.peak_concurrency(all), 3, "calls that are open count too");
        assert_eq!(log.peak_concurrency(|call| call.model_id == "a"), 2);
        drop((second, third, fourth));
        tick().await;
        drop(log.begin(arrival("a", "{}")));
        assert_eq!(log.peak_concurrency(all), 3);
        let calls = log.records();
        assert_eq!((calls[0].began, calls[0].ended), (Duration::ZERO, Some(Duration::from_micros(20))));
    }

    #[test]
    fn a_record_shows_the_body_as_json() {
        let log = CallLog::new(2);
        drop(log.begin(arrival("a", r#"{"x":[1]}"#)));
        drop(log.begin(arrival("b", "no json")));
        let calls = log.records();
        assert_eq!(calls[0].request()["x"][0], 1);
        assert!(calls[1].request().is_null());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_sees_a_change_that_comes_later_and_gives_up_in_time() {
        let log = CallLog::new(10);
        let guard = log.begin(arrival("a", "{}"));
        let waiting = log.wait_for(|call| call.outcome == Outcome::Completed, Duration::from_secs(5));
        let ending = async {
            tokio::task::yield_now().await;
            guard.end(Outcome::Completed, None);
        };
        let (found, ()) = tokio::join!(waiting, ending);
        assert_eq!(found.unwrap().model_id, "a");
        let never = log.wait_for(|call| call.model_id == "z", Duration::from_secs(5));
        assert!(never.await.is_none());
    }
}
