//! The door: at most so many requests run, at most so many wait.
//!
//! Admission is a value. What it guards cannot be called without it, and giving
//! it back is dropping it. Nobody waits longer than their own deadline.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

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
    metrics: Arc<Metrics>,
}

/// The right to run one request, until it is dropped.
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
    /// How long the request waited.
    pub waited: Duration,
}

/// The request cannot be served in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service has as many requests as it takes")]
pub struct Overloaded;

impl Admission {
    /// An open door.
    pub fn new(policy: AdmissionPolicy, metrics: Arc<Metrics>) -> Self {
        Self {
            running: Arc::new(Semaphore::new(policy.max_running)),
            waiting: Arc::new(Semaphore::new(policy.max_waiting)),
            metrics,
        }
    }

    /// Waits for the right to run, first come first served.
    ///
    /// # Errors
    /// [`Overloaded`] at once when too many wait already, else when the deadline comes first.
    pub async fn admit(&self, task: TaskKind, deadline: Deadline) -> Result<Permit, Overloaded> {
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

    async fn wait(&self, deadline: Deadline) -> Result<OwnedSemaphorePermit, Overloaded> {
        let Ok(_place) = self.waiting.try_acquire() else {
            return Err(self.reject(RejectReason::QueueFull));
        };
        let _queued = Queued::enter(&self.metrics);
        match timeout_at(deadline.at(), Arc::clone(&self.running).acquire_owned()).await {
            Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
            Err(_elapsed) => Err(self.reject(RejectReason::QueueTimeout)),
        }
    }

    fn reject(&self, reason: RejectReason) -> Overloaded {
        self.metrics.admission_rejected.with_label_values(&[reason.as_str()]).inc();
        Overloaded
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
    use super::{Admission, AdmissionPolicy, Overloaded};
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
        assert_eq!(waiting.err(), Some(Overloaded));
        assert_eq!(refused.err(), Some(Overloaded));
        assert_eq!(deadline.time_left(), Duration::ZERO);
        let counts = &door.metrics.admission_rejected;
        assert_eq!(counts.with_label_values(&["queue_full"]).get(), 1);
        assert_eq!(counts.with_label_values(&["queue_timeout"]).get(), 1);
        drop(running);
        assert!(door.admit(TaskKind::Expand, Deadline::after(Duration::from_secs(1))).await.is_ok());
        assert_eq!(door.metrics.admission_inflight.get(), 0);
        assert_eq!(door.metrics.admission_queued.get(), 0);
    }
}
