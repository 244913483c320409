//! How many calls a target takes at once: learnt from throttling.
//!
//! Additive increase, multiplicative decrease: a success at the limit raises it a
//! little, a throttled call cuts it. Throttling also pauses the target for a
//! moment, longer each time in a row, so that a target that takes nothing at all
//! is asked ever more rarely. Calls that began before the last cut teach nothing:
//! one burst is one lesson, and a long answer's end is no sign of room.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;

/// Bounds of the calls that a target has in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitPolicy {
    /// Where it starts, and the most it can be.
    pub max_in_flight: u32,
    /// The least it can be.
    pub min_in_flight: u32,
    /// How much of it a throttled call takes away, in percent.
    pub decrease_percent: u32,
}

/// The pause after a throttled call: doubled each time in a row.
const PAUSE: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(10) };

/// The limit of one target.
#[derive(Debug)]
pub(super) struct AdaptiveLimit {
    /// Fractions grow with successes; `None` until the first cut: then the policy's ceiling holds.
    learnt: Option<f64>,
    last_cut: Option<Instant>,
    throttled_in_a_row: u32,
    paused_until: Option<Instant>,
}

impl AdaptiveLimit {
    pub(super) const fn new() -> Self {
        Self { learnt: None, last_cut: None, throttled_in_a_row: 0, paused_until: None }
    }

    /// Calls that may be in flight.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between two u32")]
    pub(super) fn limit(&self, policy: &LimitPolicy) -> u32 {
        let ceiling = policy.max_in_flight;
        self.learnt.map_or(ceiling, |learnt| {
            let least = f64::from(policy.min_in_flight.min(ceiling));
            learnt.clamp(least, f64::from(ceiling)) as u32
        })
    }

    /// When the pause after throttling ends, if one is on.
    pub(super) fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|end| *end > now)
    }

    /// A call that began at `began` was answered while `in_flight` calls ran, itself included.
    pub(super) fn answered(&mut self, policy: &LimitPolicy, in_flight: u32, began: Instant) {
        // It was taken before the target had too much: that says nothing about now.
        if self.last_cut.is_some_and(|cut| began < cut) {
            return;
        }
        self.throttled_in_a_row = 0;
        self.paused_until = None;
        let at_the_limit = in_flight >= self.limit(policy);
        if at_the_limit && let Some(learnt) = self.learnt {
            let raised = learnt.max(1.0) + 1.0 / learnt.max(1.0);
            self.learnt = (raised < f64::from(policy.max_in_flight)).then_some(raised);
        }
    }

    /// A call that began at `began` was throttled while `in_flight` calls ran, itself included.
    pub(super) fn throttled(
        &mut self,
        policy: &LimitPolicy,
        in_flight: u32,
        began: Instant,
        asked_to_wait: Option<Duration>,
        now: Instant,
    ) {
        if let Some(wait) = asked_to_wait {
            self.pause(now + wait);
        }
        if self.last_cut.is_some_and(|cut| began < cut) {
            return;
        }
        self.last_cut = Some(now);
        self.throttled_in_a_row = self.throttled_in_a_row.saturating_add(1);
        let kept = f64::from(100_u32.saturating_sub(policy.decrease_percent)) / 100.0;
        // What was in flight is what was too much, however high the limit stood.
        let too_much = self.limit(policy).min(in_flight);
        self.learnt = Some((f64::from(too_much) * kept).max(f64::from(policy.min_in_flight)));
        self.pause(now + PAUSE.delay(self.throttled_in_a_row, 1.0));
    }

    fn pause(&mut self, until: Instant) {
        self.paused_until = Some(self.paused_until.map_or(until, |end| end.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::{AdaptiveLimit, LimitPolicy};
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    const POLICY: LimitPolicy = LimitPolicy { max_in_flight: 64, min_in_flight: 1, decrease_percent: 50 };

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_what_was_in_flight_and_one_burst_is_one_lesson() {
        let mut limit = AdaptiveLimit::new();
        assert_eq!(limit.limit(&POLICY), 64);
        let began = Instant::now();
        advance(Duration::from_millis(50)).await;
        limit.throttled(&POLICY, 20, began, None, Instant::now());
        limit.throttled(&POLICY, 19, began, None, Instant::now());
        assert_eq!(limit.limit(&POLICY), 10);
        limit.throttled(&POLICY, 10, Instant::now(), None, Instant::now());
        assert_eq!(limit.limit(&POLICY), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_at_the_limit_raise_it_by_one_a_round_up_to_the_ceiling() {
        let mut limit = AdaptiveLimit::new();
        limit.throttled(&POLICY, 20, Instant::now(), None, Instant::now());
        for _ in 0..11 {
            limit.answered(&POLICY, 10, Instant::now());
        }
        assert_eq!(limit.limit(&POLICY), 11);
        (0..11).for_each(|_| limit.answered(&POLICY, 3, Instant::now()));
        assert_eq!(limit.limit(&POLICY), 11, "calls below the limit teach nothing about it");
        for _ in 0..10_000 {
            let in_flight = limit.limit(&POLICY);
            limit.answered(&POLICY, in_flight, Instant::now());
        }
        assert_eq!(limit.limit(&POLICY), 64);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_while_nothing_is_taken_and_end_with_an_answer() {
        let mut limit = AdaptiveLimit::new();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let now = Instant::now();
            limit.throttled(&POLICY, 1, now, None, now);
            let end = limit.paused_until(now).unwrap();
            pauses.push((end - now).as_millis());
            advance(end - now).await;
            assert_eq!(limit.paused_until(Instant::now()), None);
        }
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(limit.limit(&POLICY), 1);
        limit.answered(&POLICY, 1, Instant::now());
        let now = Instant::now();
        limit.throttled(&POLICY, 1, now, Some(Duration::from_secs(3)), now);
        assert_eq!(limit.paused_until(now), Some(now + Duration::from_secs(3)), "the provider knows better");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_began_before_the_throttling_neither_raises_the_limit_nor_ends_the_pause() {
        let mut limit = AdaptiveLimit::new();
        let began = Instant::now();
        advance(Duration::from_secs(1)).await;
        let now = Instant::now();
        limit.throttled(&POLICY, 20, began, Some(Duration::from_secs(3)), now);
        limit.answered(&POLICY, 20, began);
        assert_eq!(limit.limit(&POLICY), 10);
        assert_eq!(limit.paused_until(now), Some(now + Duration::from_secs(3)));
        limit.answered(&POLICY, 10, now);
        assert_eq!(limit.paused_until(now), None, "the target took a call after it");
        assert_eq!(limit.learnt, Some(10.1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_policy_holds_at_once() {
        let mut limit = AdaptiveLimit::new();
        limit.throttled(&POLICY, 40, Instant::now(), None, Instant::now());
        assert_eq!(limit.limit(&LimitPolicy { max_in_flight: 8, ..POLICY }), 8);
        assert_eq!(limit.limit(&LimitPolicy { min_in_flight: 30, ..POLICY }), 30);
    }
}
