//! The door: at most so many requests run, at most so many wait, first come first
//! served.
//!
//! Admission is a value. What it guards cannot be called without it, and giving
//! it back is dropping it. The one rule: nobody waits for a turn that would come
//! too late to be of use. Who would is refused at once, and told when to come back.

mod hold_time;
mod queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use self::queue::{Arrival, Queue};
use crate::domain::TaskName;
use crate::routing::Deadline;
use crate::telemetry::{Metrics, RejectReason};

/// How many requests the service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionPolicy {
    pub max_running: usize,
    pub max_waiting: usize,
}

/// The part of its time that a request may wait. The rest is for the work: a turn
/// that comes when the time is nearly over would only buy a bill and an error.
const LONGEST_WAIT_SHARE: f64 = 0.5;

/// The door of the pipeline.
pub struct Admission {
    door: Arc<Door>,
}

/// The right to run one request, until it is dropped.
pub struct Permit {
    _place: Place,
    /// How long the request waited.
    pub waited: Duration,
}

/// The request may not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be served in time.
    #[error("the service has as many requests as it takes")]
    Overloaded {
        /// When its turn would have come, where that is known.
        expected_wait: Option<Duration>,
    },
    /// The service is about to stop.
    #[error("the service is about to stop")]
    ShuttingDown,
}

impl Admission {
    /// An open door.
    pub fn new(policy: AdmissionPolicy, metrics: Arc<Metrics>) -> Self {
        Self { door: Arc::new(Door { queue: Mutex::new(Queue::new(policy)), metrics }) }
    }

    /// Changes how many may run and wait. Nobody who runs or waits is sent away:
    /// smaller numbers take effect as places come back.
    pub fn set_policy(&self, policy: AdmissionPolicy) {
        self.door.lock().set_policy(policy);
        self.door.hand_out();
    }

    /// Closes the door: who runs may go on, who waits or comes is refused.
    pub fn close(&self) {
        self.door.lock().close();
    }

    /// Waits for the right to run, first come first served.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] at once when too many wait already or the turn would
    /// come too late, else when it did not come in time; [`Refusal::ShuttingDown`]
    /// once the door is closed.
    pub async fn admit(&self, task: &TaskName, deadline: Deadline) -> Result<Permit, Refusal> {
        let started = Instant::now();
        let longest_wait = deadline.budget().mul_f64(LONGEST_WAIT_SHARE).min(deadline.time_left());
        let arrival = self.door.lock().arrive(longest_wait);
        let place = match arrival {
            Arrival::Admitted => Place::new(Arc::clone(&self.door)),
            Arrival::Waits { number, turn } => self.wait(number, turn, started + longest_wait).await?,
            Arrival::TooMany { expected_wait } => {
                return Err(self.refuse(Refusal::Overloaded { expected_wait }, RejectReason::QueueFull));
            }
            Arrival::Closed => return Err(self.refuse(Refusal::ShuttingDown, RejectReason::Draining)),
        };
        let waited = started.elapsed();
        self.door.metrics.queue_wait.with_label_values(&[task.as_str()]).observe(waited.as_secs_f64());
        Ok(Permit { _place: place, waited })
    }

    async fn wait(
        &self,
        number: u64,
        mut turn: oneshot::Receiver<Place>,
        until: Instant,
    ) -> Result<Place, Refusal> {
        // Dropped before `turn`: once it has left the queue nobody hands it a place,
        // and a place that was handed to it before comes back when `turn` is dropped.
        let _waiting = Waiting::enter(&self.door, number);
        match timeout_at(until, &mut turn).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_closed)) => Err(self.refuse(Refusal::ShuttingDown, RejectReason::Draining)),
            Err(_elapsed) => {
                let expected_wait = self.door.lock().expected_wait();
                Err(self.refuse(Refusal::Overloaded { expected_wait }, RejectReason::QueueTimeout))
            }
        }
    }

    fn refuse(&self, refusal: Refusal, reason: RejectReason) -> Refusal {
        self.door.metrics.admission_rejected.with_label_values(&[reason.as_str()]).inc();
        refusal
    }
}

/// The queue and who is told about it.
struct Door {
    queue: Mutex<Queue<Place>>,
    metrics: Arc<Metrics>,
}

impl Door {
    /// A place is never dropped while this is held: it would lock again.
    fn lock(&self) -> MutexGuard<'_, Queue<Place>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands free places to those who wait, in their order.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let next = self.lock().next();
            let Some(turn) = next else { return };
            // A waiter that has just left hands the place back by dropping it, which
            // comes here again for the next one.
            drop(turn.send(Place::new(Arc::clone(self))));
        }
    }
}

/// One of the places of those who run, counted until it is dropped.
struct Place {
    door: Arc<Door>,
    since: Instant,
}

impl Place {
    /// For a place that the queue has counted already.
    fn new(door: Arc<Door>) -> Self {
        door.metrics.admission_inflight.inc();
        Self { door, since: Instant::now() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.metrics.admission_inflight.dec();
        self.door.lock().give_back(self.since.elapsed());
        self.door.hand_out();
    }
}

/// One request in the queue; leaves no trace when it is dropped.
struct Waiting<'a> {
    door: &'a Door,
    number: u64,
}

impl<'a> Waiting<'a> {
    fn enter(door: &'a Door, number: u64) -> Self {
        door.metrics.admission_queued.inc();
        Self { door, number }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.door.metrics.admission_queued.dec();
        self.door.lock().leave(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, AdmissionPolicy, Permit, Refusal};
    use crate::domain::TaskKind;
    use crate::domain::TaskName;
    use crate::routing::Deadline;
    use crate::telemetry::{MetricScope, Metrics};
    use futures_util::FutureExt as _;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    const MINUTE: Duration = Duration::from_secs(60);
    static TASK: TaskName = TaskName::of(TaskKind::Expand);

    fn door(max_running: usize, max_waiting: usize) -> Admission {
        let metrics = Arc::new(Metrics::new(&MetricScope::default()));
        Admission::new(AdmissionPolicy { max_running, max_waiting }, metrics)
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// A request that has a minute, which is admitted at once.
    async fn admitted(door: &Admission) -> Permit {
        door.admit(&TASK, Deadline::after(MINUTE)).now_or_never().expect("no wait").expect("a place")
    }

    fn refusals(door: &Admission) -> [u64; 3] {
        ["queue_full", "queue_timeout", "draining"]
            .map(|reason| door.door.metrics.admission_rejected.with_label_values(&[reason]).get())
    }

    /// Running and waiting requests, as the metrics tell it.
    fn counts(door: &Admission) -> (i64, i64) {
        let metrics = &door.door.metrics;
        (metrics.admission_inflight.get(), metrics.admission_queued.get())
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_longer_than_half_of_the_time_there_is() {
        let door = door(1, 1);
        let _running = admitted(&door).await;
        let started = Instant::now();
        let deadline = Deadline::after(seconds(10));
        let (waiting, refused) = tokio::join!(door.admit(&TASK, deadline), door.admit(&TASK, deadline));
        assert_eq!(waiting.err(), Some(Refusal::Overloaded { expected_wait: None }));
        assert_eq!(refused.err(), Some(Refusal::Overloaded { expected_wait: None }));
        let waited = started.elapsed();
        assert!((seconds(5)..seconds(6)).contains(&waited), "{waited:?}");
        assert_eq!(refusals(&door), [1, 1, 0]);
        assert_eq!(counts(&door), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_is_refused_at_once_and_told_when_to_come_back() {
        let door = door(2, 100);
        let (first, second) = (admitted(&door).await, admitted(&door).await);
        advance(seconds(8)).await;
        drop(first);
        let _first = admitted(&door).await;
        // A place comes back every four seconds on average.
        let patient = door.admit(&TASK, Deadline::after(seconds(20)));
        let mut patient = Box::pin(patient);
        assert!(patient.as_mut().now_or_never().is_none(), "it waits for its four seconds");
        let hasty = door.admit(&TASK, Deadline::after(seconds(15))).now_or_never();
        let expected = Refusal::Overloaded { expected_wait: Some(seconds(8)) };
        assert_eq!(hasty.expect("an answer at once").err(), Some(expected));
        drop(second);
        assert!(patient.await.is_ok());
        assert_eq!(refusals(&door), [1, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_door_refuses_who_waits_and_who_comes_and_leaves_who_runs_alone() {
        let door = door(1, 2);
        let deadline = Deadline::after(MINUTE);
        let _running = admitted(&door).await;
        let (one, other, ()) =
            tokio::join!(door.admit(&TASK, deadline), door.admit(&TASK, deadline), async { door.close() });
        assert_eq!([one.err(), other.err()], [Some(Refusal::ShuttingDown); 2]);
        assert_eq!(door.admit(&TASK, deadline).await.err(), Some(Refusal::ShuttingDown));
        assert_eq!(refusals(&door), [0, 0, 3]);
        assert_eq!(counts(&door), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_given_to_a_waiter_that_leaves_at_that_moment_goes_to_the_next() {
        let door = door(1, 2);
        let running = admitted(&door).await;
        let mut leaver = Box::pin(door.admit(&TASK, Deadline::after(MINUTE)));
        let mut next = Box::pin(door.admit(&TASK, Deadline::after(MINUTE)));
        assert!(leaver.as_mut().now_or_never().is_none());
        assert!(next.as_mut().now_or_never().is_none());
        drop(running);
        assert_eq!(counts(&door), (1, 2), "it has its place and does not know yet");
        drop(leaver);
        assert!(next.as_mut().now_or_never().expect("its turn").is_ok());
        drop(next);
        assert_eq!(counts(&door), (0, 0));
        drop(admitted(&door).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_leaves_frees_its_place_in_the_queue() {
        let door = door(1, 1);
        let _running = admitted(&door).await;
        let mut leaver = Box::pin(door.admit(&TASK, Deadline::after(MINUTE)));
        assert!(leaver.as_mut().now_or_never().is_none());
        assert_eq!(counts(&door), (1, 1));
        drop(leaver);
        assert_eq!(counts(&door), (1, 0));
        let mut other = Box::pin(door.admit(&TASK, Deadline::after(MINUTE)));
        assert!(other.as_mut().now_or_never().is_none(), "it waits and is not refused");
    }

    #[tokio::test(start_paused = true)]
    async fn another_policy_takes_effect_without_sending_anybody_away() {
        let door = door(1, 2);
        let first = admitted(&door).await;
        let mut waiting: Vec<_> =
            (0..2).map(|_| Box::pin(door.admit(&TASK, Deadline::after(MINUTE)))).collect();
        for turn in &mut waiting {
            assert!(turn.as_mut().now_or_never().is_none());
        }
        door.set_policy(AdmissionPolicy { max_running: 2, max_waiting: 0 });
        let second = waiting.remove(0).now_or_never().expect("the first of them").expect("a place");
        let mut last = waiting.remove(0);
        assert!(last.as_mut().now_or_never().is_none());
        door.set_policy(AdmissionPolicy { max_running: 1, max_waiting: 0 });
        drop(first);
        assert!(last.as_mut().now_or_never().is_none(), "one still runs, which is enough now");
        assert_eq!(counts(&door), (1, 1));
        drop(second);
        assert!(last.as_mut().now_or_never().expect("its turn").is_ok());
    }
}
