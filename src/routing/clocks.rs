//! The clocks of a request: one deadline for all of it, and limits per call.
//!
//! A limit per call leaves room for the next target: while another one remains,
//! a call may wait at most [`SHARE_OF_TIME_LEFT`] of the time that is left, so
//! that a silent model never costs the whole deadline.

use std::time::Duration;

use tokio::time::Instant;

/// The part of the remaining time that a call may wait while another target remains.
pub(super) const SHARE_OF_TIME_LEFT: f64 = 0.6;

/// Limits of one model call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// A whole call that is not streamed.
    pub answer: Duration,
    /// From a streamed call to its first event.
    pub first_event: Duration,
    /// Between two events of a stream.
    pub idle: Duration,
    /// A whole streamed call.
    pub attempt: Duration,
}

/// When a request must be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    budget: Duration,
}

impl Deadline {
    /// A deadline `budget` from now.
    pub fn after(budget: Duration) -> Self {
        Self { at: Instant::now() + budget, budget }
    }

    /// The instant.
    pub fn at(self) -> Instant {
        self.at
    }

    /// The time it was set to, for messages.
    pub fn budget(self) -> Duration {
        self.budget
    }

    /// What is left of it, zero when it has passed.
    pub fn time_left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// When a wait limited by `clock` must end, and whether the deadline ends it.
    pub(super) fn limit(self, clock: Duration, others_remain: bool) -> Limit {
        let left = self.time_left();
        let share = if others_remain { left.mul_f64(SHARE_OF_TIME_LEFT) } else { left };
        let at = Instant::now() + clock.min(share);
        Limit { at, is_deadline: !others_remain && left <= clock, is_whole_clock: clock <= share }
    }
}

/// The end of one wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub at: Instant,
    /// The request's own deadline is what ends it.
    pub is_deadline: bool,
    /// The clock had all of its time: what did not happen in it is the target's fault,
    /// not a caller's hurry.
    pub is_whole_clock: bool,
}

#[cfg(test)]
mod tests {
    use super::Deadline;
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_call_leaves_room_for_the_next_target_and_the_last_one_may_use_all() {
        let deadline = Deadline::after(Duration::from_secs(10));
        let clock = Duration::from_secs(25);
        let with_others = deadline.limit(clock, true);
        assert_eq!(with_others.at - Instant::now(), Duration::from_secs(6));
        assert!(!with_others.is_deadline && !with_others.is_whole_clock);
        let alone = deadline.limit(clock, false);
        assert_eq!(alone.at - Instant::now(), Duration::from_secs(10));
        assert!(alone.is_deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_shorter_than_the_share_ends_the_wait_itself() {
        let deadline = Deadline::after(Duration::from_secs(60));
        let limit = deadline.limit(Duration::from_secs(25), true);
        assert_eq!(limit.at - Instant::now(), Duration::from_secs(25));
        assert!(!limit.is_deadline && limit.is_whole_clock);
    }
}
