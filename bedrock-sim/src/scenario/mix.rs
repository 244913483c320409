//! A mix: some calls in a hundred get a fault, and which is not left to chance.
//!
//! Owns what may stand in a mix and the draw for one call. The book asks it when the call comes.
//! The one rule it protects: the draw depends on the seed and the call's number alone, so a run
//! that found something can be run again.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::Scenario;

/// The most calls in a hundred.
const ALL_PERCENT: u8 = 100;

/// A scenario that may stand in a mix: any but another mix. In JSON it is a name or an object.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Ingredient(Scenario);

impl Ingredient {
    /// None for a mix.
    pub fn new(scenario: Scenario) -> Option<Self> {
        (!matches!(scenario, Scenario::Mix { .. })).then_some(Self(scenario))
    }
}

impl<'de> Deserialize<'de> for Ingredient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let scenario = match Value::deserialize(deserializer)? {
            Value::String(name) => Scenario::from_name(&name)
                .ok_or_else(|| D::Error::custom(format!("there is no scenario named {name:?}")))?,
            value => serde_json::from_value(value).map_err(D::Error::custom)?,
        };
        Self::new(scenario).ok_or_else(|| D::Error::custom("a mix cannot stand in a mix"))
    }
}

pub(super) fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let percent = u8::deserialize(deserializer)?;
    if percent > ALL_PERCENT {
        return Err(serde::de::Error::custom("`percent` is at most 100"));
    }
    Ok(percent)
}

pub(super) fn ingredients<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Ingredient>, D::Error> {
    let ingredients = Vec::deserialize(deserializer)?;
    if ingredients.is_empty() {
        return Err(serde::de::Error::custom("`of` names at least one scenario"));
    }
    Ok(ingredients)
}

/// The scenario of the call with this number.
pub(super) fn draw(percent: u8, of: &[Ingredient], seed: u64, sequence: u64) -> Scenario {
    let drawn = scattered(seed ^ scattered(sequence));
    if drawn % u64::from(ALL_PERCENT) >= u64::from(percent) {
        return Scenario::Normal;
    }
    let count = of.len().max(1);
    // Other bits than those that decided on the fault.
    let index = usize::try_from(drawn >> 32).unwrap_or_default() % count;
    of.get(index).map_or(Scenario::Normal, |ingredient| ingredient.0.clone())
}

/// SplitMix64. Written out, because the generators of a library may change with its version.
fn scattered(value: u64) -> u64 {
    let mut value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(json: &str) -> Result<Scenario, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    fn two() -> Vec<Ingredient> {
        ["throttling", "stall"]
            .map(|name| Ingredient::new(Scenario::from_name(name).unwrap()).unwrap())
            .to_vec()
    }

    #[test]
    fn the_draw_is_the_same_every_time_and_another_for_another_seed() {
        let drawn = |seed| (1..=200).map(|n| draw(50, &two(), seed, n)).collect::<Vec<_>>();
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn the_percentage_is_kept_and_every_ingredient_is_drawn() {
        for (percent, least, most) in [(0, 0, 0), (10, 900, 1_100), (100, 10_000, 10_000)] {
            let drawn: Vec<Scenario> = (1..=10_000).map(|n| draw(percent, &two(), 42, n)).collect();
            let faults = drawn.iter().filter(|scenario| **scenario != Scenario::Normal).count();
            assert!((least..=most).contains(&faults), "{percent} % of 10,000 were {faults}");
            for ingredient in two() {
                let count = drawn.iter().filter(|scenario| **scenario == ingredient.0).count();
                assert!(count >= least * 2 / 5, "{ingredient:?} was drawn {count} times");
            }
        }
    }

    #[test]
    fn names_and_objects_are_read_and_nonsense_is_refused() {
        let read = mix(r#"{"kind":"mix","percent":10,"of":["stall",{"kind":"empty-text"}],"seed":3}"#);
        let expected = vec![two()[1].clone(), Ingredient(Scenario::EmptyText)];
        assert_eq!(read, Ok(Scenario::Mix { percent: 10, of: expected, seed: 3 }));
        let written = serde_json::to_string(&read.clone().unwrap()).unwrap();
        assert_eq!(mix(&written), read, "{written}");
        for (json, reason) in [
            (r#"{"kind":"mix","percent":101,"of":["stall"]}"#, "at most 100"),
            (r#"{"kind":"mix","percent":10,"of":[]}"#, "at least one"),
            (r#"{"kind":"mix","percent":10,"of":["stahl"]}"#, "no scenario named"),
            (
                r#"{"kind":"mix","percent":10,"of":[{"kind":"mix","percent":1,"of":["stall"]}]}"#,
                "cannot stand in a mix",
            ),
        ] {
            let refused = mix(json).unwrap_err();
            assert!(refused.contains(reason), "{json}: {refused}");
        }
    }
}
