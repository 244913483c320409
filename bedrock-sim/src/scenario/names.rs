//! The names of scenarios, as they stand in `sim.<name>` model ids and in admin calls.
//!
//! Owns the one list of names and the parameters each name stands for. A scenario with other
//! parameters is set through the library or the admin calls.
//! The one rule it protects: a name always means the same scenario.

use std::num::NonZeroU32;

use super::{Scenario, StopReason};
use crate::errors::{ApiError, StreamError};

const SLOW_MS: u64 = 2_000;
const TRICKLE_GAP_MS: u64 = 50;
/// One byte a second.
const BYTE_TRICKLE_GAP_MS: u64 = 1_000;
const SOME_DELTAS: u32 = 3;
const HUGE_DELTA_BYTES: u32 = 1_000_000;
/// The most tokens that AWS's API model has room for: its integers have 32 bits.
const MOST_COUNTABLE_TOKENS: i64 = i32::MAX as i64;
/// What `error-when` looks for.
const REFUSED_TEXT: &str = "REFUSE THIS";
const EVERY_SECOND_CALL: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);

impl Scenario {
    /// The scenario of a name such as `throttling` or `cut-mid-frame`.
    pub fn from_name(name: &str) -> Option<Self> {
        let scenario = match name {
            "normal" => Self::Normal,
            "untyped-throttling" => Self::UntypedThrottling,
            "html-bad-gateway" => Self::HtmlBadGateway,
            "empty-json" => Self::EmptyJson,
            "json-instead-of-stream" => Self::JsonInsteadOfStream,
            "slow-headers" => Self::SlowHeaders { wait_ms: SLOW_MS },
            "slow-first-event" => Self::SlowFirstEvent { wait_ms: SLOW_MS },
            "slow-first-delta" => Self::SlowFirstDelta { wait_ms: SLOW_MS },
            "stall" => Self::Stall { after_deltas: SOME_DELTAS, for_ms: None },
            "pause" => Self::Stall { after_deltas: SOME_DELTAS, for_ms: Some(SLOW_MS) },
            "stalled-body" => Self::StalledBody,
            "trickle" => Self::Trickle { gap_ms: TRICKLE_GAP_MS },
            "byte-trickle" => Self::ByteTrickle { gap_ms: BYTE_TRICKLE_GAP_MS },
            "cut-mid-frame" => Self::CutMidFrame { after_deltas: SOME_DELTAS },
            "cut-between-frames" => Self::CutBetweenFrames { after_deltas: SOME_DELTAS },
            "reset-before-headers" => Self::ResetBeforeHeaders,
            "reset-mid-stream" => Self::ResetMidStream { after_deltas: SOME_DELTAS },
            "end-without-message-stop" => Self::EndWithoutMessageStop { after_deltas: SOME_DELTAS },
            "end-without-metadata" => Self::EndWithoutMetadata,
            "empty-content" => Self::EmptyContent,
            "empty-text" => Self::EmptyText,
            "invalid-json" => Self::InvalidJson,
            "reasoning" => Self::Reasoning,
            "gpt-oss-order" => Self::GptOssOrder,
            "duplicate-stop" => Self::DuplicateStop,
            "text-after-stop" => Self::TextAfterStop,
            "huge-delta" => Self::HugeDelta { bytes: HUGE_DELTA_BYTES },
            "usage-negative" => Self::WrongUsage { input_tokens: -7, output_tokens: -1 },
            "usage-absurd" => Self::WrongUsage { input_tokens: 0, output_tokens: MOST_COUNTABLE_TOKENS },
            "usage-uncountable" => Self::WrongUsage { input_tokens: 0, output_tokens: i64::MAX },
            "corrupt-crc" => Self::CorruptCrc { after_deltas: SOME_DELTAS },
            "garbage-frames" => Self::GarbageFrames { after_deltas: Some(SOME_DELTAS) },
            "garbage-from-start" => Self::GarbageFrames { after_deltas: None },
            "unknown-event" => Self::UnknownEvent { after_deltas: SOME_DELTAS },
            "token-bucket" => Self::TokenBucket { capacity: 2, refill_per_second: 1.0 },
            "flapping" => {
                Self::Flapping { fail: 1, of: EVERY_SECOND_CALL, error: ApiError::ServiceUnavailable }
            }
            "error-when" => {
                Self::ErrorWhen { contains: REFUSED_TEXT.to_owned(), error: ApiError::ServiceUnavailable }
            }
            _ => return Self::from_family(name),
        };
        Some(scenario)
    }

    /// Every name that [`Scenario::from_name`] knows.
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = SINGLE_NAMES.iter().map(ToString::to_string).collect();
        names.extend(ApiError::ALL.iter().map(word));
        for error in StreamError::ALL {
            names.push(format!("stream-{}", word(&error)));
            names.push(format!("stream-{}-late", word(&error)));
        }
        names.extend(StopReason::ALL.iter().map(|reason| format!("stop-{}", word(reason))));
        names
    }

    fn from_family(name: &str) -> Option<Self> {
        if let Some(error) = parse::<ApiError>(name) {
            return Some(Self::Error { error });
        }
        if let Some(reason) = name.strip_prefix("stop-").and_then(parse::<StopReason>) {
            return Some(Self::StopReason { reason });
        }
        let error = name.strip_prefix("stream-")?;
        let (error, after_deltas) = match error.strip_suffix("-late") {
            Some(error) => (error, SOME_DELTAS),
            None => (error, 0),
        };
        parse::<StreamError>(error).map(|error| Self::StreamError { error, after_deltas })
    }
}

const SINGLE_NAMES: [&str; 37] = [
    "normal",
    "untyped-throttling",
    "html-bad-gateway",
    "empty-json",
    "json-instead-of-stream",
    "slow-headers",
    "slow-first-event",
    "slow-first-delta",
    "stall",
    "pause",
    "stalled-body",
    "trickle",
    "byte-trickle",
    "cut-mid-frame",
    "cut-between-frames",
    "reset-before-headers",
    "reset-mid-stream",
    "end-without-message-stop",
    "end-without-metadata",
    "empty-content",
    "empty-text",
    "invalid-json",
    "reasoning",
    "gpt-oss-order",
    "duplicate-stop",
    "text-after-stop",
    "huge-delta",
    "usage-negative",
    "usage-absurd",
    "usage-uncountable",
    "corrupt-crc",
    "garbage-frames",
    "garbage-from-start",
    "unknown-event",
    "token-bucket",
    "flapping",
    "error-when",
];

fn parse<T: serde::de::DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_a_scenario_of_its_own() {
        let names = Scenario::names();
        let mut scenarios = Vec::new();
        for name in &names {
            let scenario = Scenario::from_name(name).unwrap_or_else(|| panic!("{name}"));
            assert!(!scenarios.contains(&scenario), "{name} stands twice");
            scenarios.push(scenario);
        }
        assert_eq!(names.len(), 37 + 23 + 14 + 10);
    }

    #[test]
    fn names_of_families_are_composed() {
        assert_eq!(
            Scenario::from_name("stream-throttling-late"),
            Some(Scenario::StreamError { error: StreamError::Throttling, after_deltas: 3 })
        );
        assert_eq!(
            Scenario::from_name("stop-max-tokens"),
            Some(Scenario::StopReason { reason: StopReason::MaxTokens })
        );
        assert_eq!(Scenario::from_name("no-such-thing"), None);
        assert_eq!(Scenario::from_name("stream-"), None);
    }

    #[test]
    fn every_scenario_survives_json() {
        for name in Scenario::names() {
            let scenario = Scenario::from_name(&name).unwrap();
            let json = serde_json::to_string(&scenario).unwrap();
            assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), scenario, "{json}");
        }
    }
}
