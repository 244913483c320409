//! What follows from a failed call: a pure function over a table.
//!
//! The table is the service's promise about retries: nothing that a model has
//! begun to work on is repeated on the same model, nothing that every model
//! would refuse is tried on the next, and nothing at all is tried once a piece
//! of the answer has left.

use std::time::Duration;

use crate::domain::CallFailure;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Call the same target again after this time.
    Retry(Duration),
    /// Go to the next target.
    NextTarget,
    /// Go to the next target that has a larger context window.
    NextLargerTarget,
    /// Answer with the failure.
    GiveUp(GiveUp),
}

impl Next {
    /// The word in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry(_) => "retry",
            Self::NextTarget => "next_target",
            Self::NextLargerTarget => "next_larger_target",
            Self::GiveUp(_) => "give_up",
        }
    }
}

/// Why nothing more is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// Another model would do no better.
    Hopeless,
    /// No target is left.
    ChainExhausted,
    /// No time is left.
    OutOfTime,
    /// A piece of the answer has already left.
    Committed,
}

/// Where the request stands when a call has failed.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// Retries already made on this target.
    pub retries_made: u32,
    pub max_retries: u32,
    /// The target's retry budget has a repetition left.
    pub budget_left: bool,
    pub targets_left: bool,
    pub time_left: Duration,
    /// The back-off drawn for the next retry.
    pub backoff: Duration,
    /// The longest wait that is worth it while another target remains.
    pub longest_backoff: Duration,
    /// What the provider asked for, if it did.
    pub retry_after: Option<Duration>,
    /// The model had begun to work: the call may be billed.
    pub begun: bool,
    /// A piece of the answer has left.
    pub committed: bool,
}

/// Which ways out a failure has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WaysOut {
    retry: bool,
    fallback: FallbackTo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FallbackTo {
    Any,
    Larger,
    None,
}

/// The table: one row per failure.
const fn ways_out(failure: CallFailure) -> WaysOut {
    use CallFailure as F;
    let (retry, fallback) = match failure {
        F::Throttled | F::Unavailable | F::NotReady | F::Unreachable | F::ModelFailed => {
            (true, FallbackTo::Any)
        }
        F::DailyQuotaUsedUp
        | F::AccountQuotaExceeded
        | F::ModelRefused
        | F::ModelTimedOut
        | F::AnswerClock
        | F::FirstEventClock
        | F::IdleClock
        | F::AttemptClock
        | F::ModelGone
        | F::AccessDenied
        | F::ParameterRejected
        | F::BadResponse
        | F::StreamCut
        | F::EmptyAnswer
        | F::MalformedAnswer => (false, FallbackTo::Any),
        F::InputTooLong => (false, FallbackTo::Larger),
        // Not called at all: only another target can help.
        F::BreakerOpen | F::TargetBusy => (false, FallbackTo::Any),
        F::CredentialsRejected | F::RequestRejected | F::Filtered | F::Deadline => (false, FallbackTo::None),
    };
    WaysOut { retry, fallback }
}

/// Whether a call may be repeated on the same target after `failure`.
pub const fn is_retried(failure: CallFailure) -> bool {
    ways_out(failure).retry
}

/// Whether another target may be asked after `failure`.
pub const fn is_passed_on(failure: CallFailure) -> bool {
    !matches!(ways_out(failure).fallback, FallbackTo::None)
}

/// Decides what follows from `failure`.
pub fn decide(failure: CallFailure, situation: &Situation) -> Next {
    if situation.committed {
        return Next::GiveUp(GiveUp::Committed);
    }
    let ways_out = ways_out(failure);
    let out_of_time = situation.time_left.is_zero();
    let delay = situation.retry_after.unwrap_or(Duration::ZERO).max(situation.backoff);
    let worth_waiting =
        delay < situation.time_left && (!situation.targets_left || delay <= situation.longest_backoff);
    let again = ways_out.retry
        && !situation.begun
        && situation.budget_left
        && situation.retries_made < situation.max_retries;
    if again && worth_waiting {
        return Next::Retry(delay);
    }
    match ways_out.fallback {
        FallbackTo::None => Next::GiveUp(GiveUp::Hopeless),
        _ if out_of_time => Next::GiveUp(GiveUp::OutOfTime),
        _ if !situation.targets_left => Next::GiveUp(GiveUp::ChainExhausted),
        FallbackTo::Any => Next::NextTarget,
        FallbackTo::Larger => Next::NextLargerTarget,
    }
}

#[cfg(test)]
mod tests {
    use super::{GiveUp, Next, Situation, decide};
    use crate::domain::CallFailure as F;
    use std::time::Duration;

    const FRESH: Situation = Situation {
        retries_made: 0,
        max_retries: 1,
        budget_left: true,
        targets_left: true,
        time_left: Duration::from_secs(30),
        backoff: Duration::from_millis(200),
        longest_backoff: Duration::from_secs(2),
        retry_after: None,
        begun: false,
        committed: false,
    };
    const RETRY: Next = Next::Retry(Duration::from_millis(200));

    #[test]
    fn every_failure_has_the_way_out_that_the_table_promises() {
        let hopeless = Next::GiveUp(GiveUp::Hopeless);
        for failure in F::ALL {
            let expected = match failure {
                F::Throttled | F::Unavailable | F::NotReady | F::Unreachable | F::ModelFailed => RETRY,
                F::InputTooLong => Next::NextLargerTarget,
                F::CredentialsRejected | F::RequestRejected | F::Filtered | F::Deadline => hopeless,
                _ => Next::NextTarget,
            };
            assert_eq!(decide(failure, &FRESH), expected, "{failure:?}");
        }
    }

    #[test]
    fn max_retries_counts_repetitions_and_not_calls() {
        for max_retries in 0..3 {
            let made = (0..5)
                .take_while(|&retries_made| {
                    let situation = Situation { retries_made, max_retries, ..FRESH };
                    decide(F::Throttled, &situation) == RETRY
                })
                .count();
            assert_eq!(made, max_retries as usize);
        }
    }

    #[test]
    fn a_back_off_never_sleeps_past_the_deadline() {
        let situation = Situation { time_left: Duration::from_millis(200), ..FRESH };
        assert_eq!(decide(F::Throttled, &situation), Next::NextTarget);
        let asked = Situation { retry_after: Some(Duration::from_secs(40)), ..FRESH };
        assert_eq!(decide(F::Throttled, &asked), Next::NextTarget);
        let asked = Situation { retry_after: Some(Duration::from_secs(4)), ..FRESH };
        assert_eq!(decide(F::Throttled, &asked), Next::NextTarget, "others are quicker");
        let alone = Situation { targets_left: false, ..asked };
        assert_eq!(decide(F::Throttled, &alone), Next::Retry(Duration::from_secs(4)));
    }

    #[test]
    fn what_a_model_has_begun_is_not_repeated_on_it() {
        for failure in F::ALL {
            let begun = decide(failure, &Situation { begun: true, ..FRESH });
            assert!(!matches!(begun, Next::Retry(_)), "{failure:?}");
        }
    }

    #[test]
    fn without_budget_the_next_target_is_asked_instead() {
        let spent = Situation { budget_left: false, ..FRESH };
        assert_eq!(decide(F::Throttled, &spent), Next::NextTarget);
        let alone = Situation { targets_left: false, ..spent };
        assert_eq!(decide(F::Throttled, &alone), Next::GiveUp(GiveUp::ChainExhausted));
    }

    #[test]
    fn nothing_is_tried_without_time_without_targets_or_after_the_commit_point() {
        let late = Situation { time_left: Duration::ZERO, ..FRESH };
        assert_eq!(decide(F::Throttled, &late), Next::GiveUp(GiveUp::OutOfTime));
        let last = Situation { targets_left: false, retries_made: 1, ..FRESH };
        assert_eq!(decide(F::Throttled, &last), Next::GiveUp(GiveUp::ChainExhausted));
        let committed = Situation { committed: true, ..FRESH };
        for failure in F::ALL {
            assert_eq!(decide(failure, &committed), Next::GiveUp(GiveUp::Committed));
        }
    }
}
