//! How long requests hold a place, as far as is known.
//!
//! A moving average that follows the last dozen or so requests. It is a guess and
//! is used as one: to say when a place will be free, never whether one is.

use std::time::Duration;

/// The weight of the newest request. With an eighth, a change of pace shows within
/// a dozen requests, and a single odd one does not.
const WEIGHT: f64 = 0.125;

/// The running estimate; unknown until the first request has ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct HoldTime(Option<Duration>);

impl HoldTime {
    /// A request has ended, however it did: a place was held all the same.
    pub(super) fn observe(&mut self, held: Duration) {
        self.0 = Some(match self.0 {
            Some(average) => average.mul_f64(1.0 - WEIGHT) + held.mul_f64(WEIGHT),
            None => held,
        });
    }

    /// How long it takes until `places` of `of_places` have come back.
    pub(super) fn time_for(&self, places: usize, of_places: usize) -> Option<Duration> {
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        let of_places = u32::try_from(of_places.max(1)).unwrap_or(u32::MAX);
        self.0.map(|held| held.mul_f64(f64::from(places) / f64::from(of_places)))
    }
}

#[cfg(test)]
mod tests {
    use super::HoldTime;
    use std::time::Duration;

    #[test]
    fn nothing_is_known_before_the_first_and_a_dozen_show_a_new_pace() {
        let mut hold = HoldTime::default();
        assert_eq!(hold.time_for(3, 2), None);
        hold.observe(Duration::from_secs(8));
        assert_eq!(hold.time_for(3, 2), Some(Duration::from_secs(12)));
        for _ in 0..12 {
            hold.observe(Duration::from_secs(1));
        }
        let now = hold.time_for(1, 1).unwrap();
        assert!(now < Duration::from_secs(3) && now > Duration::from_secs(1), "{now:?}");
    }

    #[test]
    fn no_place_at_all_is_not_divided_by() {
        let mut hold = HoldTime::default();
        hold.observe(Duration::from_secs(1));
        assert_eq!(hold.time_for(2, 0), Some(Duration::from_secs(2)));
    }
}
