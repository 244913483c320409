//! The prompt cache: which beginnings of prompts a model has seen lately.
//!
//! Owns what is remembered, for how long, and what a call reads from it and writes to it. Where a
//! prompt may be cut is the request's matter, and which models cache is the table's.
//! The one rule it protects: a prefix is remembered when the answer to it begins, not earlier.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::request::CachePoint;

/// Beyond so many prefixes, those that would be forgotten first are forgotten at once.
const MAX_PREFIXES: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct PromptCache {
    /// When each prefix is forgotten, by model and prefix.
    forgotten_at: Mutex<HashMap<u64, Instant>>,
}

/// The part of a prompt that the cache changes the price of, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CacheUse {
    pub(crate) read_tokens: u64,
    pub(crate) write_tokens: u64,
}

impl CacheUse {
    pub(crate) fn total(self) -> u64 {
        self.read_tokens + self.write_tokens
    }
}

/// What a call will leave in the cache once its answer begins.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    cache: Arc<PromptCache>,
    points: Vec<(u64, CachePoint)>,
}

impl PromptCache {
    /// What a call of `model_id` reads and writes. Prefixes of fewer tokens than `least` are not
    /// cached; the longest one that is remembered is read, the rest up to the last point is written.
    pub(crate) fn look_up(
        self: &Arc<Self>,
        model_id: &str,
        points: &[CachePoint],
        least: u64,
    ) -> (CacheUse, Memory) {
        let now = Instant::now();
        let points: Vec<(u64, CachePoint)> = points
            .iter()
            .filter(|point| point.tokens >= least)
            .map(|point| (key(model_id, point.prefix), *point))
            .collect();
        let kept = self.lock();
        let is_kept = |key: &u64| kept.get(key).is_some_and(|end| *end > now);
        let known = points.iter().rev().find(|(key, _)| is_kept(key));
        let read_tokens = known.map_or(0, |(_, point)| point.tokens);
        drop(kept);
        let whole = points.last().map_or(0, |(_, point)| point.tokens);
        let used = CacheUse { read_tokens, write_tokens: whole - read_tokens };
        (used, Memory { cache: Arc::clone(self), points })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Instant>> {
        self.forgotten_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Remembers the prefixes from now on, also those that were known before.
    pub(crate) fn keep(&self) {
        let now = Instant::now();
        let mut kept = self.cache.lock();
        for (key, point) in &self.points {
            kept.insert(*key, now + point.kept_for);
        }
        if kept.len() > MAX_PREFIXES {
            make_room(&mut kept, now);
        }
    }
}

/// Two memories are the same if they hold the same prefixes.
impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        self.points == other.points
    }
}

/// Forgets what is over, and then as much as brings the rest to three quarters.
fn make_room(kept: &mut HashMap<u64, Instant>, now: Instant) {
    kept.retain(|_, end| *end > now);
    if kept.len() <= MAX_PREFIXES {
        return;
    }
    let mut ends: Vec<Instant> = kept.values().copied().collect();
    ends.sort_unstable();
    let mut too_many = ends.len() - MAX_PREFIXES * 3 / 4;
    let last_to_go = ends[too_many - 1];
    kept.retain(|_, end| {
        let goes = too_many > 0 && *end <= last_to_go;
        too_many -= usize::from(goes);
        !goes
    });
}

fn key(model_id: &str, prefix: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (model_id, prefix).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTES_5: Duration = Duration::from_secs(300);

    fn point(prefix: u64, tokens: u64) -> CachePoint {
        CachePoint { prefix, tokens, kept_for: MINUTES_5 }
    }

    fn used(read_tokens: u64, write_tokens: u64) -> CacheUse {
        CacheUse { read_tokens, write_tokens }
    }

    #[tokio::test(start_paused = true)]
    async fn a_prefix_is_written_once_and_read_until_it_is_forgotten() {
        let cache = Arc::<PromptCache>::default();
        let look = |model: &str, points: &[CachePoint]| cache.look_up(model, points, 1_000);
        let (first, memory) = look("m", &[point(1, 1_200)]);
        assert_eq!(first, used(0, 1_200));
        assert_eq!(look("m", &[point(1, 1_200)]).0, used(0, 1_200), "no answer has begun yet");
        memory.keep();
        assert_eq!(look("m", &[point(1, 1_200)]).0, used(1_200, 0));
        assert_eq!(look("n", &[point(1, 1_200)]).0, used(0, 1_200), "each model has its own");
        assert_eq!(look("m", &[point(1, 1_200), point(2, 1_500)]).0, used(1_200, 300));
        tokio::time::advance(MINUTES_5 - Duration::from_secs(1)).await;
        let (again, memory) = look("m", &[point(1, 1_200)]);
        assert_eq!(again, used(1_200, 0));
        memory.keep();
        tokio::time::advance(MINUTES_5 - Duration::from_secs(1)).await;
        assert_eq!(look("m", &[point(1, 1_200)]).0, used(1_200, 0), "a use begins the time anew");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(look("m", &[point(1, 1_200)]).0, used(0, 1_200));
    }

    #[test]
    fn a_prefix_below_the_minimum_is_neither_written_nor_read() {
        let cache = Arc::<PromptCache>::default();
        for _ in 0..2 {
            let (seen, memory) = cache.look_up("m", &[point(1, 999)], 1_000);
            assert_eq!(seen, CacheUse::default());
            memory.keep();
        }
        assert_eq!(cache.look_up("m", &[point(1, 999), point(2, 1_000)], 1_000).0, used(0, 1_000));
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded_and_the_oldest_go_first() {
        let cache = Arc::<PromptCache>::default();
        let keep = |prefix| cache.look_up("m", &[point(prefix, 2_000)], 0).1.keep();
        for prefix in 0..MAX_PREFIXES as u64 {
            keep(prefix);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(cache.lock().len(), MAX_PREFIXES);
        keep(u64::MAX);
        assert_eq!(cache.lock().len(), MAX_PREFIXES * 3 / 4);
        let read = |prefix| cache.look_up("m", &[point(prefix, 2_000)], 0).0.read_tokens;
        assert_eq!([read(0), read(u64::MAX), read(MAX_PREFIXES as u64 - 1)], [0, 2_000, 2_000]);
    }
}
