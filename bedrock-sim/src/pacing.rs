//! How fast answers are written when nothing is wrong.
//!
//! Owns the two waits of a healthy answer. Waits that belong to a fault are data of a
//! [`Scenario`](crate::Scenario) instead. The default is no wait at all.

use std::time::Duration;

/// The waits of a healthy answer. Both are zero by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pacing {
    /// From the request to the first text delta.
    pub first_delta: Duration,
    /// Between two deltas.
    pub between_deltas: Duration,
}

impl Pacing {
    /// How long an answer of `deltas` deltas takes as a whole. An answer in one piece waits this long.
    pub fn whole_answer(&self, deltas: usize) -> Duration {
        let gaps = u32::try_from(deltas.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_delta.saturating_add(self.between_deltas.saturating_mul(gaps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_takes_the_first_wait_and_every_gap() {
        let pacing =
            Pacing { first_delta: Duration::from_millis(100), between_deltas: Duration::from_millis(10) };
        assert_eq!(pacing.whole_answer(0), Duration::from_millis(100));
        assert_eq!(pacing.whole_answer(1), Duration::from_millis(100));
        assert_eq!(pacing.whole_answer(5), Duration::from_millis(140));
    }
}
