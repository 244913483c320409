//! How long to wait before a call is repeated: pure arithmetic, jitter given in.

use std::time::Duration;

/// Exponential back-off with equal jitter: half of the delay is fixed, half random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    pub base: Duration,
    pub cap: Duration,
}

impl Backoff {
    /// The delay before retry `number` (1 is the first), for `jitter` in 0 to 1.
    /// It lies between half of `base × 2^(number-1)`, held at `cap`, and the whole of it.
    pub fn delay(&self, number: u32, jitter: f64) -> Duration {
        let doublings = number.saturating_sub(1).min(20);
        let full = self.base.saturating_mul(1 << doublings).min(self.cap);
        full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use proptest::prelude::*;
    use std::time::Duration;

    const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(2) };

    #[test]
    fn the_delay_doubles_up_to_the_cap() {
        let whole: Vec<u128> = (1..=6).map(|number| BACKOFF.delay(number, 1.0).as_millis()).collect();
        assert_eq!(whole, [200, 400, 800, 1600, 2000, 2000]);
    }

    proptest! {
        #[test]
        fn jitter_takes_at_most_half_away(number in 1..u32::MAX, jitter in 0.0..=1.0f64) {
            let (delay, full) = (BACKOFF.delay(number, jitter), BACKOFF.delay(number, 1.0));
            prop_assert!(delay <= full && delay >= full / 2);
        }
    }
}
