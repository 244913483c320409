//! Calendar dates: just enough to say how far away a model's end is.
//!
//! Days are counted in the Gregorian calendar and in UTC. Times of day and time
//! zones do not exist here.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_PER_DAY: u64 = 86_400;
/// From 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;
/// The calendar repeats after 400 years.
const DAYS_PER_ERA: i64 = 146_097;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalendarDate {
    year: i64,
    month: i64,
    day: i64,
}

impl CalendarDate {
    /// The day in UTC, by the clock of this machine.
    pub fn today() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_days(i64::try_from(since.as_secs() / SECONDS_PER_DAY).unwrap_or_default())
    }

    /// The day in UTC of a time in seconds since 1970.
    pub fn of_unix_seconds(seconds: i64) -> Self {
        Self::from_days(seconds.div_euclid(86_400))
    }

    /// A day that exists: month 1 to 12, day of month 1 to 31.
    pub fn new(year: u16, month: u8, day: u8) -> Self {
        Self { year: year.into(), month: month.into(), day: day.into() }
    }

    /// Days from `earlier` to this day; negative when this day comes first.
    pub fn days_since(self, earlier: Self) -> i64 {
        self.to_days() - earlier.to_days()
    }

    /// Days since 1970-01-01. Years begin in March here, so that a leap day is the last of its year.
    fn to_days(self) -> i64 {
        let (year, month) =
            if self.month > 2 { (self.year, self.month - 3) } else { (self.year - 1, self.month + 9) };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        365 * year + leap_days + (153 * month + 2) / 5 + self.day - 1 - DAYS_BEFORE_1970
    }

    fn from_days(days: i64) -> Self {
        let days = days + DAYS_BEFORE_1970;
        let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, years) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self { year: era * 400 + year_of_era + years, month, day }
    }
}

impl fmt::Display for CalendarDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::CalendarDate;
    use proptest::prelude::*;

    #[test]
    fn days_are_counted_across_leap_days_and_new_years() {
        let date = CalendarDate::new;
        for (later, earlier, days) in [
            (date(1970, 1, 1), date(1970, 1, 1), 0),
            (date(2027, 1, 8), date(2026, 11, 20), 49),
            (date(2024, 3, 1), date(2024, 2, 28), 2),
            (date(2100, 3, 1), date(2100, 2, 28), 1),
            (date(2026, 11, 20), date(1970, 1, 1), 20_777),
            (date(2026, 11, 19), date(2026, 11, 20), -1),
        ] {
            assert_eq!(later.days_since(earlier), days, "{later} since {earlier}");
        }
    }

    proptest! {
        #[test]
        fn a_day_becomes_a_number_and_comes_back(days in -100_000i64..1_000_000) {
            prop_assert_eq!(CalendarDate::from_days(days).to_days(), days);
        }
    }

    #[test]
    fn a_day_lasts_from_midnight_to_midnight() {
        let noon = 20_777 * 86_400 + 43_200;
        for (seconds, day) in [(noon, 20), (noon - 43_200, 20), (noon - 43_201, 19), (noon + 43_200, 21)] {
            assert_eq!(CalendarDate::of_unix_seconds(seconds), CalendarDate::new(2026, 11, day));
        }
        assert_eq!(CalendarDate::of_unix_seconds(-1), CalendarDate::new(1969, 12, 31));
    }

    #[test]
    fn today_is_a_day_of_this_century() {
        assert!(CalendarDate::today() > CalendarDate::new(2026, 1, 1));
        assert!(CalendarDate::today() < CalendarDate::new(2100, 1, 1));
    }
}
