//! The breaker of a target: stops calling what keeps failing, and finds out when it works again.
//!
//! Three states. `Admitting` lets every call through and counts. `Rejecting` lets
//! none through until its time is over. `Probing` lets one call through under a
//! lease. What a permit says counts only in the generation that gave it out, and
//! a permit that is dropped without a word judges nothing.
//!
//! In metrics, logs and docs `Admitting` is "closed", `Rejecting` "open" and
//! `Probing` "half open".

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::BreakerState;

/// When a target is no longer called, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures in a row that open it.
    pub consecutive_failures: u32,
    /// The share of failed calls within `window` that opens it, in percent.
    pub failure_percent: u32,
    pub window: Duration,
    /// Calls within `window` before the share counts.
    pub min_calls: u32,
    /// How long it stays open the first time; each time in a row doubles it.
    pub open: Duration,
    /// The longest it stays open.
    pub open_cap: Duration,
    /// How long a probe may take before another one is let through.
    pub probe: Duration,
    /// How long a target that is gone or denied stays out.
    pub out: Duration,
}

/// What a call said about the health of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Healthy,
    Sick,
    /// The target is gone, denied or used up: calling it again soon is pointless.
    Out,
}

/// The right to call, with the generation that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass {
    generation: u64,
    probe: bool,
}

/// The state machine. It has no clock of its own: every step is told the time.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    /// Grows with every change of state, so that late results are known as late.
    generation: u64,
    /// Times it opened without having closed in between.
    times_opened: u32,
}

#[derive(Debug)]
enum State {
    Admitting { consecutive: u32, window: Window },
    Rejecting { until: Instant },
    Probing { lease_ends: Instant },
}

/// Successes and failures of the last while, in slices.
#[derive(Debug, Default)]
struct Window {
    slices: VecDeque<Slice>,
}

#[derive(Debug)]
struct Slice {
    began: Instant,
    calls: u32,
    failures: u32,
}

/// A window is this many slices: the oldest tenth of it is forgotten at once.
const SLICES: u32 = 10;

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::admitting(), generation: 0, times_opened: 0 }
    }
}

impl State {
    fn admitting() -> Self {
        Self::Admitting { consecutive: 0, window: Window::default() }
    }
}

impl Breaker {
    /// The right to call now; `None` while the target is rejected, or probed by another call.
    pub(super) fn pass(&mut self, policy: &BreakerPolicy, now: Instant) -> Option<Pass> {
        let due = match &self.state {
            State::Admitting { .. } => return Some(Pass { generation: self.generation, probe: false }),
            State::Rejecting { until } => *until,
            // A lease that ran out belongs to a call that nobody hears of any more.
            State::Probing { lease_ends } => *lease_ends,
        };
        (now >= due).then(|| {
            self.enter(State::Probing { lease_ends: now + policy.probe });
            Pass { generation: self.generation, probe: true }
        })
    }

    /// A right to call whatever the state is: for a target that is the only one left.
    pub(super) fn forced(&self) -> Pass {
        Pass { generation: self.generation, probe: false }
    }

    /// Whether a call would be let through now; gives nothing out.
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.opens_at().is_none_or(|due| now >= due)
    }

    /// When the next call is let through, if none is now.
    pub(super) fn opens_at(&self) -> Option<Instant> {
        match &self.state {
            State::Admitting { .. } => None,
            State::Rejecting { until } => Some(*until),
            State::Probing { lease_ends } => Some(*lease_ends),
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        match &self.state {
            State::Admitting { .. } => BreakerState::Closed,
            State::Probing { .. } => BreakerState::HalfOpen,
            State::Rejecting { .. } => BreakerState::Open,
        }
    }

    /// Takes in what a call said. Results of an older generation change nothing.
    pub(super) fn judge(&mut self, pass: Pass, verdict: Verdict, policy: &BreakerPolicy, now: Instant) {
        if pass.generation != self.generation {
            return;
        }
        match (&mut self.state, verdict) {
            // It is known to be out: calls that are forced through do not keep it out for longer.
            (State::Rejecting { .. }, Verdict::Out) => {}
            (_, Verdict::Out) => self.enter(State::Rejecting { until: now + policy.out }),
            (State::Admitting { consecutive, window }, Verdict::Healthy) => {
                *consecutive = 0;
                window.count(false, policy, now);
                self.times_opened = 0;
            }
            (State::Admitting { consecutive, window }, Verdict::Sick) => {
                *consecutive += 1;
                let share_is_reached = window.count(true, policy, now);
                if *consecutive >= policy.consecutive_failures || share_is_reached {
                    self.open(policy, now);
                }
            }
            // A forced call that works says what a probe says.
            (State::Probing { .. } | State::Rejecting { .. }, Verdict::Healthy) => {
                self.times_opened = 0;
                self.enter(State::admitting());
            }
            (State::Probing { .. }, Verdict::Sick) => self.open(policy, now),
            // It is known to fail: calls that are forced through do not keep it out for longer.
            (State::Rejecting { .. }, Verdict::Sick) => {}
        }
    }

    /// A call ended without a verdict: a probe gives its place to the next one.
    pub(super) fn release(&mut self, pass: Pass, now: Instant) {
        if pass.probe
            && pass.generation == self.generation
            && let State::Probing { lease_ends } = &mut self.state
        {
            *lease_ends = now;
        }
    }

    fn open(&mut self, policy: &BreakerPolicy, now: Instant) {
        let doublings = self.times_opened.min(20);
        let time = policy.open.saturating_mul(1 << doublings).min(policy.open_cap);
        self.times_opened = self.times_opened.saturating_add(1);
        self.enter(State::Rejecting { until: now + time });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }
}

impl Window {
    /// Counts a call and says whether the share of failures is reached.
    fn count(&mut self, failed: bool, policy: &BreakerPolicy, now: Instant) -> bool {
        let slice = policy.window / SLICES;
        while self.slices.front().is_some_and(|oldest| now.duration_since(oldest.began) >= policy.window) {
            self.slices.pop_front();
        }
        if self.slices.back().is_none_or(|newest| now.duration_since(newest.began) >= slice) {
            self.slices.push_back(Slice { began: now, calls: 0, failures: 0 });
        }
        if let Some(newest) = self.slices.back_mut() {
            newest.calls = newest.calls.saturating_add(1);
            newest.failures = newest.failures.saturating_add(u32::from(failed));
        }
        let sum =
            |part: fn(&Slice) -> u32| self.slices.iter().map(|slice| u64::from(part(slice))).sum::<u64>();
        let (calls, failures) = (sum(|slice| slice.calls), sum(|slice| slice.failures));
        calls >= u64::from(policy.min_calls) && failures * 100 >= calls * u64::from(policy.failure_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, BreakerPolicy, Verdict};
    use crate::telemetry::BreakerState;
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    const POLICY: BreakerPolicy = BreakerPolicy {
        consecutive_failures: 3,
        failure_percent: 50,
        window: Duration::from_secs(30),
        min_calls: 10,
        open: Duration::from_secs(5),
        open_cap: Duration::from_secs(15),
        probe: Duration::from_secs(60),
        out: Duration::from_secs(300),
    };

    fn call(breaker: &mut Breaker, verdict: Verdict) {
        let now = Instant::now();
        let pass = breaker.pass(&POLICY, now).expect("a call is let through");
        breaker.judge(pass, verdict, &POLICY, now);
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        (0..3).for_each(|_| call(&mut breaker, Verdict::Sick));
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let mut breaker = Breaker::default();
        for verdict in [Verdict::Sick, Verdict::Sick, Verdict::Healthy, Verdict::Sick, Verdict::Sick] {
            call(&mut breaker, verdict);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        call(&mut breaker, Verdict::Sick);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.pass(&POLICY, Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_of_failures_opens_it_once_there_are_enough_calls() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            call(&mut breaker, Verdict::Healthy);
            call(&mut breaker, Verdict::Sick);
        }
        call(&mut breaker, Verdict::Healthy);
        assert_eq!(breaker.state(), BreakerState::Closed, "nine calls are too few to judge by");
        call(&mut breaker, Verdict::Sick);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_forgets() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            call(&mut breaker, Verdict::Sick);
            call(&mut breaker, Verdict::Healthy);
            advance(Duration::from_secs(31)).await;
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_and_its_result_decides() {
        let mut breaker = opened();
        advance(Duration::from_secs(5)).await;
        assert!(breaker.admits(Instant::now()));
        let probe = breaker.pass(&POLICY, Instant::now()).unwrap();
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert_eq!(breaker.pass(&POLICY, Instant::now()), None, "one at a time");
        breaker.judge(probe, Verdict::Healthy, &POLICY, Instant::now());
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn the_open_time_doubles_up_to_its_cap_and_starts_over_after_a_recovery() {
        let mut breaker = opened();
        for seconds in [5, 10, 15, 15] {
            assert_eq!(breaker.opens_at().unwrap() - Instant::now(), Duration::from_secs(seconds));
            advance(Duration::from_secs(seconds)).await;
            call(&mut breaker, Verdict::Sick);
        }
        advance(Duration::from_secs(15)).await;
        call(&mut breaker, Verdict::Healthy);
        (0..3).for_each(|_| call(&mut breaker, Verdict::Sick));
        assert_eq!(breaker.opens_at().unwrap() - Instant::now(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_dropped_judges_nothing_and_frees_its_place() {
        let mut breaker = opened();
        advance(Duration::from_secs(5)).await;
        let probe = breaker.pass(&POLICY, Instant::now()).unwrap();
        breaker.release(probe, Instant::now());
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(breaker.pass(&POLICY, Instant::now()).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_nobody_hears_of_loses_its_lease_and_its_late_result_is_ignored() {
        let mut breaker = opened();
        advance(Duration::from_secs(5)).await;
        let lost = breaker.pass(&POLICY, Instant::now()).unwrap();
        advance(POLICY.probe).await;
        let next = breaker.pass(&POLICY, Instant::now()).unwrap();
        breaker.judge(lost, Verdict::Healthy, &POLICY, Instant::now());
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        breaker.judge(next, Verdict::Sick, &POLICY, Instant::now());
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn results_from_before_it_opened_are_late() {
        let mut breaker = Breaker::default();
        let early = breaker.pass(&POLICY, Instant::now()).unwrap();
        (0..3).for_each(|_| call(&mut breaker, Verdict::Sick));
        breaker.judge(early, Verdict::Healthy, &POLICY, Instant::now());
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[tokio::test(start_paused = true)]
    async fn a_forced_call_can_close_it_and_cannot_keep_it_open_for_longer() {
        let mut breaker = opened();
        let due = breaker.opens_at();
        breaker.judge(breaker.forced(), Verdict::Sick, &POLICY, Instant::now());
        assert_eq!(breaker.opens_at(), due);
        breaker.judge(breaker.forced(), Verdict::Healthy, &POLICY, Instant::now());
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_is_gone_stays_out_for_its_time() {
        let mut breaker = Breaker::default();
        call(&mut breaker, Verdict::Out);
        advance(POLICY.out - Duration::from_secs(1)).await;
        assert!(!breaker.admits(Instant::now()));
        advance(Duration::from_secs(1)).await;
        call(&mut breaker, Verdict::Out);
        assert_eq!(breaker.opens_at().unwrap() - Instant::now(), POLICY.out);
    }

    #[tokio::test(start_paused = true)]
    async fn forced_calls_do_not_keep_a_target_out_for_longer() {
        let mut breaker = Breaker::default();
        call(&mut breaker, Verdict::Out);
        let (due, forced) = (breaker.opens_at(), breaker.forced());
        advance(Duration::from_secs(100)).await;
        breaker.judge(breaker.forced(), Verdict::Out, &POLICY, Instant::now());
        assert_eq!(breaker.opens_at(), due);
        breaker.judge(forced, Verdict::Healthy, &POLICY, Instant::now());
        assert_eq!(breaker.state(), BreakerState::Closed, "it works again");
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Pass,
        Judge(usize, bool),
        Release(usize),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            Just(Step::Pass),
            (0..8usize, any::<bool>()).prop_map(|(which, sick)| Step::Judge(which, sick)),
            (0..8usize).prop_map(Step::Release),
            (0..20u64).prop_map(Step::Wait),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// Whatever happens: it is never stuck, and never more than one live probe runs.
        #[test]
        fn it_never_locks_up(steps in steps()) {
            let mut now = Instant::now();
            let mut breaker = Breaker::default();
            let mut passes = Vec::new();
            for step in steps {
                match step {
                    Step::Pass => passes.extend(breaker.pass(&POLICY, now)),
                    Step::Judge(which, sick) if which < passes.len() => {
                        let verdict = if sick { Verdict::Sick } else { Verdict::Healthy };
                        breaker.judge(passes.swap_remove(which), verdict, &POLICY, now);
                    }
                    Step::Release(which) if which < passes.len() => {
                        breaker.release(passes.swap_remove(which), now);
                    }
                    Step::Judge(..) | Step::Release(_) => {}
                    Step::Wait(seconds) => now += Duration::from_secs(seconds),
                }
                let probes = passes.iter().filter(|pass| pass.probe && pass.generation == breaker.generation);
                prop_assert!(probes.count() <= 1);
                let due = breaker.opens_at().unwrap_or(now);
                prop_assert!(due <= now + POLICY.probe.max(POLICY.open_cap));
            }
            let late = now + Duration::from_secs(600);
            prop_assert!(breaker.pass(&POLICY, late).is_some());
        }
    }
}
