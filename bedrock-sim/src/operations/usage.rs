//! The usage of an answer: its tokens, true or as a scenario lies about them.
//!
//! Owns the JSON of `usage`. How tokens are counted and what a cache saves is decided elsewhere.
//! The one rule it protects: an answer to a prompt without cache points says nothing of a cache.

use serde_json::{Value, json};

use crate::prompt_cache::CacheUse;

/// The tokens of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Without those of the cache.
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// The usage as an answer tells it: a lie may be negative, or larger than any count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ToldUsage {
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    /// What a cache did, for a prompt with cache points.
    pub(super) cached: Option<CacheUse>,
}

impl ToldUsage {
    /// The usage as the wire shows it, with the member `serverToolUsage` that no model describes,
    /// and with both names of each member of the cache.
    pub(crate) fn to_value(self) -> Value {
        let mut usage = json!({
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "serverToolUsage": {},
            "totalTokens": self.total_tokens(),
        });
        if let Some(cached) = self.cached {
            for (name, tokens) in [("Read", cached.read_tokens), ("Write", cached.write_tokens)] {
                usage[format!("cache{name}InputTokenCount")] = Value::from(tokens);
                usage[format!("cache{name}InputTokens")] = Value::from(tokens);
            }
        }
        usage
    }

    /// All tokens, those of the cache too.
    pub(crate) fn total_tokens(self) -> i64 {
        let cached = count(self.cached.unwrap_or_default().total());
        self.input_tokens.saturating_add(self.output_tokens).saturating_add(cached)
    }
}

impl From<Usage> for ToldUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: count(usage.input_tokens),
            output_tokens: count(usage.output_tokens),
            cached: None,
        }
    }
}

fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usage of a recorded answer to a prompt of which most was read from the cache.
    #[test]
    fn the_usage_of_a_cached_prompt_is_told_as_aws_does() {
        let usage = Usage { input_tokens: 2, output_tokens: 5 };
        let cached = Some(CacheUse { read_tokens: 1_322, write_tokens: 0 });
        let told = ToldUsage { cached, ..usage.into() }.to_value().to_string();
        assert_eq!(
            told,
            r#"{"cacheReadInputTokenCount":1322,"cacheReadInputTokens":1322,"cacheWriteInputTokenCount":0,"cacheWriteInputTokens":0,"inputTokens":2,"outputTokens":5,"serverToolUsage":{},"totalTokens":1329}"#
        );
    }
}
