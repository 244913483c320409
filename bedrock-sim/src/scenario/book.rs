//! The book of scenarios: which call gets which.
//!
//! Owns the scenarios set for a model id or for all (`*`), the calls they still hold for, the token
//! buckets, and the turns of flapping models. The one rule it protects: a scenario that was set wins over the model id's name,
//! and one set for a model wins over one set for all.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::time::Instant;

use super::{Scenario, mix};

/// Stands for every model id.
const ALL_MODELS: &str = "*";

#[derive(Debug, Default)]
pub(crate) struct ScenarioBook {
    pages: Mutex<Pages>,
}

/// What is set for one model id, for the admin call that lists it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Page {
    /// For the next calls, in order.
    next: VecDeque<Counted>,
    /// For every call after those.
    standing: Option<Scenario>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Counted {
    scenario: Scenario,
    times: u32,
}

#[derive(Debug, Default)]
struct Pages {
    by_model: BTreeMap<String, Page>,
    buckets: HashMap<String, Bucket>,
    /// Calls that met a flapping model, by model id.
    flaps: HashMap<String, u64>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl ScenarioBook {
    /// Sets the scenario of every call of `model` from now on, in place of what was set before.
    pub(crate) fn set(&self, model: &str, scenario: Scenario) {
        let mut pages = self.lock();
        pages.buckets.clear();
        pages.flaps.clear();
        let page = Page { next: VecDeque::new(), standing: Some(scenario) };
        pages.by_model.insert(model.to_owned(), page);
    }

    /// Adds a scenario for `times` calls of `model`, after those added before.
    pub(crate) fn add(&self, model: &str, scenario: Scenario, times: u32) {
        if times == 0 {
            return;
        }
        let mut pages = self.lock();
        let page = pages.by_model.entry(model.to_owned()).or_default();
        page.next.push_back(Counted { scenario, times });
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Pages::default();
    }

    pub(crate) fn clear_model(&self, model: &str) {
        self.lock().by_model.remove(model);
    }

    pub(crate) fn pages(&self) -> BTreeMap<String, Page> {
        self.lock().by_model.clone()
    }

    /// The scenario of the call that arrives now with this number; counts it. Where calls differ
    /// by their turn or by a draw, it is the one that this call gets.
    pub(crate) fn choose(&self, model: &str, sequence: u64) -> Scenario {
        let mut pages = self.lock();
        let set = pages.take(model).or_else(|| pages.take(ALL_MODELS)).or_else(|| scenario_of_id(model));
        let drawn = match set.unwrap_or_default() {
            Scenario::Mix { percent, of, seed } => mix::draw(percent, &of, seed, sequence),
            other => other,
        };
        match drawn {
            Scenario::Flapping { fail, of, error } => {
                let turn = pages.next_flap(model) % u64::from(of.get());
                if turn < u64::from(fail) { Scenario::Error { error } } else { Scenario::Normal }
            }
            other => other,
        }
    }

    /// Takes one token from the bucket of `model`; false when it is empty.
    pub(crate) fn take_token(&self, model: &str, capacity: u32, refill_per_second: f64) -> bool {
        let mut pages = self.lock();
        let now = Instant::now();
        let bucket = pages
            .buckets
            .entry(model.to_owned())
            .or_insert(Bucket { tokens: f64::from(capacity), filled_at: now });
        bucket.take(f64::from(capacity), refill_per_second, now)
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn take(&mut self, model: &str) -> Option<Scenario> {
        let page = self.by_model.get_mut(model)?;
        let Some(counted) = page.next.front_mut() else {
            return page.standing.clone();
        };
        counted.times -= 1;
        let scenario = counted.scenario.clone();
        if counted.times == 0 {
            page.next.pop_front();
        }
        if *page == Page::default() {
            self.by_model.remove(model);
        }
        Some(scenario)
    }

    /// How many calls of `model` met its flapping before this one.
    fn next_flap(&mut self, model: &str) -> u64 {
        let met = self.flaps.entry(model.to_owned()).or_default();
        *met += 1;
        *met - 1
    }
}

impl Bucket {
    fn take(&mut self, capacity: f64, refill_per_second: f64, now: Instant) -> bool {
        let elapsed = now.duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * refill_per_second).min(capacity);
        self.filled_at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// The scenario that a model id such as `sim.stall` or `us.sim.stall` names.
fn scenario_of_id(model: &str) -> Option<Scenario> {
    let after_profile = model.rsplit('/').next().unwrap_or(model);
    let name = match after_profile.strip_prefix("sim.") {
        Some(name) => name,
        None => after_profile.split_once(".sim.")?.1,
    };
    Scenario::from_name(name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::errors::ApiError;

    const THROTTLING: Scenario = Scenario::Error { error: ApiError::Throttling };

    #[test]
    fn the_name_in_the_model_id_is_the_last_resort() {
        let book = ScenarioBook::default();
        assert_eq!(book.choose("us.sim.throttling", 1), THROTTLING);
        assert_eq!(book.choose("sim.throttling", 1), THROTTLING);
        assert_eq!(book.choose("amazon.nova-micro-v1:0", 1), Scenario::Normal);
        book.set("*", Scenario::EmptyText);
        assert_eq!(book.choose("sim.throttling", 1), Scenario::EmptyText);
        book.set("sim.throttling", Scenario::EmptyContent);
        assert_eq!(book.choose("sim.throttling", 1), Scenario::EmptyContent);
        book.clear_model("sim.throttling");
        assert_eq!(book.choose("sim.throttling", 1), Scenario::EmptyText);
        book.clear();
        assert_eq!(book.choose("sim.throttling", 1), THROTTLING);
    }

    #[test]
    fn counted_scenarios_run_out_in_order_before_the_standing_one() {
        let book = ScenarioBook::default();
        book.set("m", Scenario::EmptyText);
        book.add("m", THROTTLING, 2);
        book.add("m", Scenario::EmptyJson, 1);
        let seen: Vec<Scenario> = (0..4).map(|_| book.choose("m", 1)).collect();
        assert_eq!(seen, [THROTTLING, THROTTLING, Scenario::EmptyJson, Scenario::EmptyText]);
    }

    #[test]
    fn a_model_whose_counted_scenarios_ran_out_is_normal_again() {
        let book = ScenarioBook::default();
        book.add("m", THROTTLING, 1);
        book.add("m", Scenario::EmptyText, 0);
        assert_eq!(book.choose("m", 1), THROTTLING);
        assert_eq!(book.choose("m", 1), Scenario::Normal);
        assert!(book.pages().is_empty());
    }

    #[test]
    fn a_bucket_refills_with_time_and_never_beyond_its_capacity() {
        let start = Instant::now();
        let mut bucket = Bucket { tokens: 2.0, filled_at: start };
        assert!(bucket.take(2.0, 1.0, start));
        assert!(bucket.take(2.0, 1.0, start));
        assert!(!bucket.take(2.0, 1.0, start));
        let later = start + Duration::from_secs(1);
        assert!(bucket.take(2.0, 1.0, later));
        assert!(!bucket.take(2.0, 1.0, later));
        let much_later = start + Duration::from_secs(100);
        assert!(bucket.take(2.0, 1.0, much_later));
        assert!(bucket.take(2.0, 1.0, much_later));
        assert!(!bucket.take(2.0, 1.0, much_later));
    }

    #[test]
    fn a_flapping_model_fails_in_turns_and_each_model_has_its_own() {
        let book = ScenarioBook::default();
        let flapping = Scenario::Flapping { fail: 2, of: 3.try_into().unwrap(), error: ApiError::Throttling };
        book.set("*", flapping.clone());
        let seen: Vec<bool> = (0..6).map(|_| book.choose("m", 1) == THROTTLING).collect();
        assert_eq!(seen, [true, true, false, true, true, false]);
        assert_eq!(book.choose("m", 1), THROTTLING);
        assert_eq!(book.choose("n", 1), THROTTLING, "another model begins anew");
        book.set("*", flapping);
        let again: Vec<bool> = (0..3).map(|_| book.choose("m", 1) == THROTTLING).collect();
        assert_eq!(again, [true, true, false], "and so does one that is set again");
    }

    #[test]
    fn a_mix_is_told_as_what_was_drawn() {
        let book = ScenarioBook::default();
        let of = vec![mix::Ingredient::new(THROTTLING).unwrap()];
        book.set("*", Scenario::Mix { percent: 30, of, seed: 1 });
        let drawn = |sequence| book.choose("m", sequence);
        let faults = (1..=100).filter(|sequence| drawn(*sequence) == THROTTLING).count();
        assert!((15..=45).contains(&faults), "{faults}");
        assert!((1..=100).all(|n| [THROTTLING, Scenario::Normal].contains(&drawn(n))));
    }
}
