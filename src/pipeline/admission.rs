//! The door: at most so many requests run, at most so many wait.
//!
//! Admission is a value. What it guards cannot be called without it, and giving
//! it back is dropping it. Nobody waits longer than their own deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::domain::TaskKind;
use crate::routing::Deadline;
use crate::telemetry::{Metrics, RejectReason};

/// How many requests the service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionPolicy {
    pub max_running: usize,
    pub max_waiting: usize,
}

/// The door of the pipeline.
pub struct Admission {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    closed: CancellationToken,
    metrics: Arc<Metrics>,
}

/// The right to run one request, until it is dropped.
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
    /// How long the request waited.
    pub waited: Duration,
}

/// The request may not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be served in time.
    #[error("the service has as many requests as it takes")]
    Overloaded,
    /// The service is about to stop.
    #[error("the service is about to stop")]
    ShuttingDown,
}

impl Admission {
    /// An open door.
    pub fn new(policy: AdmissionPolicy, metrics: Arc<Metrics>) -> Self {
        Self {
            running: Arc::new(Semaphore::new(policy.max_running)),
            waiting: Arc::new(Semaphore::new(policy.max_waiting)),
            closed: CancellationToken::new(),
            metrics,
        }
    }

    /// Closes the door: who runs may go on, who waits or comes is refused.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Waits for the right to run, first come first served.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] at once when too many wait already, else when the
    /// deadline comes first; [`Refusal::ShuttingDown`] once the door is closed.
    pub async fn admit(&self, task: TaskKind, deadline: Deadline) -> Result<Permit, Refusal> {
        if self.closed.is_cancelled() {
            return Err(self.refuse(Refusal::ShuttingDown, RejectReason::Draining));
        }
        let started = Instant::now();
        let permit = match Arc::clone(&self.running).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_none_free) => self.wait(deadline).await?,
        };
        self.metrics.admission_inflight.inc();
        let permit =
            Permit { _permit: permit, metrics: Arc::clone(&self.metrics), waited: started.elapsed() };
        self.metrics.queue_wait.with_label_values(&[task.as_str()]).observe(permit.waited.as_secs_f64());
        Ok(permit)
    }

    async fn wait(&self, deadline: Deadline) -> Result<OwnedSemaphorePermit, Refusal> {
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(self.refuse(Refusal::Overloaded, RejectReason::QueueFull));
        };
        let _queued = Queued::enter(&self.metrics);
        let turn = timeout_at(deadline.at(), Arc::clone(&self.running).acquire_owned());
        tokio::select! {
            () = self.closed.cancelled() => Err(self.refuse(Refusal::ShuttingDown, RejectReason::Draining)),
            turn = turn => match turn {
                Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
                Err(_elapsed) => Err(self.refuse(Refusal::Overloaded, RejectReason::QueueTimeout)),
            },
        }
    }

    fn refuse(&self, refusal: Refusal, reason: RejectReason) -> Refusal {
        self.metrics.admission_rejected.with_label_values(&[reason.as_str()]).inc();
        refusal
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.metrics.admission_inflight.dec();
    }
}

/// Counts one waiting request, also when it is dropped while it waits.
struct Queued<'a>(&'a Metrics);

impl<'a> Queued<'a> {
    fn enter(metrics: &'a Metrics) -> Self {
        metrics.admission_queued.inc();
        Self(metrics)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.admission_queued.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, AdmissionPolicy, Refusal};
    use crate::domain::TaskKind;
    use crate::routing::Deadline;
    use crate::telemetry::{MetricScope, Metrics};
    use std::sync::Arc;
    use std::time::Duration;

    fn door(max_running: usize, max_waiting: usize) -> Admission {
        let metrics = Arc::new(Metrics::new(&MetricScope::default()));
        Admission::new(AdmissionPolicy { max_running, max_waiting }, metrics)
    }

    #[tokio::test(start_paused = true)]
    async fn who_cannot_wait_is_refused_at_once_and_who_waits_is_refused_at_the_deadline() {
        let door = door(1, 1);
        let deadline = Deadline::after(Duration::from_secs(5));
        let running = door.admit(TaskKind::Expand, deadline).await.unwrap();
        let (waiting, refused) =
            tokio::join!(door.admit(TaskKind::Expand, deadline), door.admit(TaskKind::Expand, deadline),);
        assert_eq!(waiting.err(), Some(Refusal::Overloaded));
        assert_eq!(refused.err(), Some(Refusal::Overloaded));
        assert_eq!(deadline.time_left(), Duration::ZERO);
        let counts = &door.metrics.admission_rejected;
        assert_eq!(counts.with_label_values(&["queue_full"]).get(), 1);
        assert_eq!(counts.with_label_values(&["queue_timeout"]).get(), 1);
        drop(running);
        assert!(door.admit(TaskKind::Expand, Deadline::after(Duration::from_secs(1))).await.is_ok());
        assert_eq!(door.metrics.admission_inflight.get(), 0);
        assert_eq!(door.metrics.admission_queued.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_door_refuses_who_waits_and_who_comes_and_leaves_who_runs_alone() {
        let door = door(1, 1);
        let deadline = Deadline::after(Duration::from_secs(60));
        let _running = door.admit(TaskKind::Expand, deadline).await.unwrap();
        let (waiting, ()) = tokio::join!(door.admit(TaskKind::Expand, deadline), async { door.close() });
        assert_eq!(waiting.err(), Some(Refusal::ShuttingDown));
        assert_eq!(door.admit(TaskKind::Expand, deadline).await.err(), Some(Refusal::ShuttingDown));
        assert_eq!(door.metrics.admission_rejected.with_label_values(&["draining"]).get(), 2);
        assert_eq!(door.metrics.admission_inflight.get(), 1);
    }
}
