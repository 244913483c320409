//! The retry budget of a target: repetitions are a share of its calls, never a multiple.
//!
//! A token bucket without a clock. Every first call puts a fraction of a token in,
//! every repetition takes one out. When everything fails, a target so gets at most
//! that share of extra calls, and a small reserve on top.

/// Tokens at the start and at most: it lets a service with little traffic repeat a call.
pub(super) const RESERVE: f64 = 10.0;

/// The bucket.
#[derive(Debug)]
pub(super) struct RetryBudget {
    tokens: f64,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { tokens: RESERVE }
    }
}

impl RetryBudget {
    /// A first call was made.
    pub(super) fn deposit(&mut self, percent: u32) {
        self.tokens = (self.tokens + f64::from(percent) / 100.0).min(RESERVE);
    }

    /// Takes one repetition out; `false` when none is left. A budget of 0 percent has none ever.
    pub(super) fn withdraw(&mut self, percent: u32) -> bool {
        let allowed = percent > 0 && self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }

    /// A repetition that was taken out was not made after all.
    pub(super) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(RESERVE);
    }
}

#[cfg(test)]
mod tests {
    use super::{RESERVE, RetryBudget};
    use proptest::prelude::*;

    #[test]
    fn a_budget_of_zero_has_no_reserve_either() {
        let mut budget = RetryBudget::default();
        assert!(!budget.withdraw(0));
        assert!(budget.withdraw(20));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut budget = RetryBudget::default();
        while budget.withdraw(20) {}
        budget.give_back();
        assert!(budget.withdraw(20));
        assert!(!budget.withdraw(20));
    }

    proptest! {
        #[test]
        fn repetitions_never_exceed_the_share_and_the_reserve(percent in 0..=100u32, calls in 0..2000u32) {
            let mut budget = RetryBudget::default();
            let mut repetitions = 0;
            for _ in 0..calls {
                budget.deposit(percent);
                // Everything fails, and every failure asks twice.
                repetitions += u32::from(budget.withdraw(percent)) + u32::from(budget.withdraw(percent));
            }
            let share = f64::from(calls) * f64::from(percent) / 100.0;
            prop_assert!(f64::from(repetitions) <= share + RESERVE);
        }
    }
}
