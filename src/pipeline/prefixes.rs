//! The beginnings of prompts that were sent a short while ago.
//!
//! Owns the question whether it pays to have a model remember the beginning of a
//! prompt. For most Claude models, writing into its memory costs a quarter more than
//! reading the text, and reading it again a tenth, within five minutes. So a beginning is remembered when it is seen for the second time, and
//! among calls that run side by side only where most come after the first have begun.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a model remembers what is not used again.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);

/// Beginnings that are kept in mind; a service has a handful.
const MOST: usize = 1024;

/// What was sent, by its hash, and when last.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    key: RandomState,
    seen: Mutex<HashMap<u64, Instant>>,
}

/// How many calls of a run begin alike, and how many of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alike {
    pub calls: usize,
    pub at_once: usize,
}

impl Alike {
    /// Whether most of the calls find what the first ones wrote.
    fn mostly_read(self) -> bool {
        self.calls == 1 || self.calls > self.at_once + self.at_once / 2
    }
}

impl Prefixes {
    /// Whether it pays to have this beginning remembered by the models of a chain. Notes
    /// that it is sent.
    pub(super) fn pays(&self, prefix: &str, chain: &str, alike: Alike) -> bool {
        let now = Instant::now();
        let is_fresh = is_fresh_at(now);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.retain(|_, at| is_fresh(at));
        }
        if seen.len() >= MOST {
            seen.clear();
        }
        let earlier = seen.insert(self.key.hash_one((chain, prefix)), now);
        earlier.is_some_and(|at| is_fresh(&at)) && alike.mostly_read()
    }

    /// Whether this beginning was sent to the models of a chain a short while ago.
    pub(super) fn was_sent(&self, prefix: &str, chain: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&self.key.hash_one((chain, prefix))).is_some_and(is_fresh_at(Instant::now()))
    }
}

fn is_fresh_at(now: Instant) -> impl Fn(&Instant) -> bool {
    move |at| now.duration_since(*at) < REMEMBERED_FOR
}

#[cfg(test)]
mod tests {
    use super::{Alike, MOST, Prefixes, REMEMBERED_FOR};
    use tokio::time::advance;

    const ALONE: Alike = Alike { calls: 1, at_once: 1 };

    #[tokio::test(start_paused = true)]
    async fn a_beginning_is_remembered_when_it_comes_again_in_time() {
        let prefixes = Prefixes::default();
        assert!(!prefixes.pays("rules", "chain", ALONE));
        assert!(prefixes.pays("rules", "chain", ALONE));
        assert!(!prefixes.pays("other rules", "chain", ALONE));
        assert!(!prefixes.pays("rules", "other chain", ALONE), "its models have not seen them");
        assert!(prefixes.was_sent("rules", "chain") && !prefixes.was_sent("unsent rules", "chain"));
        advance(REMEMBERED_FOR).await;
        assert!(!prefixes.was_sent("rules", "chain"));
        assert!(!prefixes.pays("rules", "chain", ALONE));
        assert!(prefixes.pays("rules", "chain", ALONE));
    }

    #[tokio::test(start_paused = true)]
    async fn calls_side_by_side_pay_where_most_come_later() {
        for (calls, at_once, pays) in
            [(8, 8, false), (12, 8, false), (13, 8, true), (2, 1, true), (46, 8, true), (2, 2, false)]
        {
            let prefixes = Prefixes::default();
            let alike = Alike { calls, at_once };
            assert!(!prefixes.pays("rules", "chain", alike), "the first is never remembered");
            assert_eq!(prefixes.pays("rules", "chain", alike), pays, "{calls} calls, {at_once} at once");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_in_mind_is_bounded() {
        let prefixes = Prefixes::default();
        for number in 0..3 * MOST {
            prefixes.pays(&number.to_string(), "chain", ALONE);
        }
        assert!(prefixes.seen.lock().unwrap().len() <= MOST);
    }
}
