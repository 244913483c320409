//! How a run waits for models that take no more calls, and when it stops waiting.
//!
//! Owns the length and the number of pauses. A document is many calls: at a small
//! quota some of them find no place, and to end the run for that would waste what the
//! others have cost. The rule it protects: a run gives up only when it has gone
//! without any answer for a while, or when its own time is nearly over.

use std::time::Duration;

use crate::domain::CallFailure;
use crate::routing::{Deadline, RouteError};

/// The first pause, unless the provider asks for a longer one. It doubles each time in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Pauses in a row, without an answer in between.
const MOST_PAUSES: u32 = 10;

/// The patience of one run, or of one call of it.
#[derive(Debug, Default)]
pub(super) struct Patience {
    pauses: u32,
}

impl Patience {
    /// How long to wait after this failure before the same is asked again; `None` when
    /// that is no use.
    pub(super) fn pause(&mut self, error: &RouteError, deadline: Deadline) -> Option<Duration> {
        if !is_crowded(error) || self.pauses >= MOST_PAUSES {
            return None;
        }
        let doubled = FIRST_PAUSE * 2_u32.pow(self.pauses);
        let pause = error.retry_after.unwrap_or_default().max(doubled).min(LONGEST_PAUSE);
        // There must be time left for the call itself.
        if pause * 2 >= deadline.time_left() {
            return None;
        }
        self.pauses += 1;
        Some(pause)
    }

    /// There was an answer: the models take calls.
    pub(super) fn answered(&mut self) {
        self.pauses = 0;
    }
}

/// Whether a call failed only because the models had enough to do.
pub(super) fn is_crowded(error: &RouteError) -> bool {
    matches!(error.failure, CallFailure::Throttled | CallFailure::TargetBusy)
}

#[cfg(test)]
mod tests {
    use super::Patience;
    use crate::domain::CallFailure;
    use crate::routing::{Deadline, RouteError};
    use std::time::Duration;

    fn error(failure: CallFailure, retry_after: Option<Duration>) -> RouteError {
        RouteError { failure, cause: String::new(), retry_after }
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_a_bound_and_begin_anew_after_an_answer() {
        let (mut patience, deadline) = (Patience::default(), Deadline::after(Duration::from_secs(300)));
        let throttled = error(CallFailure::Throttled, None);
        let mut pauses = || patience.pause(&throttled, deadline).map(|pause| pause.as_millis());
        let told: Vec<_> = (0..11).map(|_| pauses()).collect();
        assert_eq!(told[..6], [500, 1000, 2000, 4000, 8000, 10_000].map(Some));
        assert_eq!(told[9..], [Some(10_000), None]);
        patience.answered();
        assert_eq!(patience.pause(&throttled, deadline), Some(Duration::from_millis(500)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_provider_asks_for_counts_and_so_does_the_time_that_is_left() {
        let mut patience = Patience::default();
        let busy = error(CallFailure::TargetBusy, Some(Duration::from_secs(3)));
        let soon = Deadline::after(Duration::from_secs(6));
        assert_eq!(patience.pause(&busy, soon), None);
        assert_eq!(
            patience.pause(&busy, Deadline::after(Duration::from_secs(7))),
            Some(Duration::from_secs(3))
        );
        let gone = error(CallFailure::ModelGone, None);
        assert_eq!(patience.pause(&gone, Deadline::after(Duration::from_secs(60))), None);
    }
}
