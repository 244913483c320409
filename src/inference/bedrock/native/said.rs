//! What an answer says, or a piece of one, once its family's shape is taken off.
//!
//! Owns the counting of tokens: which of three places is believed, and what is no count.
//! The one rule: half a count is none, because an estimate is then nearer to the bill.

use std::sync::Arc;

use serde_json::Value;

use crate::domain::{Metered, ServiceTerms, TokenUsage};
use crate::inference::{CallTerms, StopReason};

/// One answer, or one chunk.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// What may be the answer; reasoning may still stand inside of it.
    pub(super) text: String,
    /// Whether the model thought in a place of its own.
    pub(super) thinks: bool,
    pub(super) stop: Option<StopReason>,
    pub(super) counts: Counts,
}

/// Tokens, as far as somebody told them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Counts {
    pub(in super::super) input: Option<u64>,
    pub(in super::super) output: Option<u64>,
    pub(in super::super) cache_read: Option<u64>,
    pub(in super::super) cache_write: Option<u64>,
}

impl Counts {
    /// Those that Bedrock adds to the last chunk of a stream.
    pub(super) fn of_metrics(metrics: &Value) -> Self {
        Self {
            input: metrics["inputTokenCount"].as_u64(),
            output: metrics["outputTokenCount"].as_u64(),
            cache_read: metrics["cacheReadInputTokenCount"].as_u64(),
            cache_write: metrics["cacheWriteInputTokenCount"].as_u64(),
        }
    }

    /// These, and where they are silent the others.
    pub(super) fn or(self, others: Self) -> Self {
        Self {
            input: self.input.or(others.input),
            output: self.output.or(others.output),
            cache_read: self.cache_read.or(others.cache_read),
            cache_write: self.cache_write.or(others.cache_write),
        }
    }
}

/// What the response told besides its body, and what the bill depends on.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Billing {
    /// The counts of the headers: believed before those of the body.
    pub(in super::super) told: Counts,
    /// What the call was served on.
    pub(in super::super) served: ServiceTerms,
    /// What the model means by its counts.
    pub(in super::super) terms: Arc<CallTerms>,
}

impl Billing {
    /// What was used.
    pub(super) fn metered(&self, body: Counts, stop: StopReason) -> Option<Metered> {
        let counts = self.told.or(body);
        let told = TokenUsage {
            input_tokens: counts.input?,
            output_tokens: counts.output?,
            cache_read_input_tokens: counts.cache_read.unwrap_or(0),
            cache_write_input_tokens: counts.cache_write.unwrap_or(0),
        };
        self.terms.metered(told, self.served, stop)
    }
}

#[cfg(test)]
mod tests {
    use super::{Billing, Counts};
    use crate::inference::{CallTerms, StopReason};
    use std::sync::Arc;

    fn counts(input: u64, output: u64) -> Counts {
        Counts { input: Some(input), output: Some(output), ..Counts::default() }
    }

    #[test]
    fn headers_are_believed_before_the_body() {
        let told = Counts { output: None, cache_read: Some(3), ..counts(7, 0) };
        let billing = Billing { told, ..Billing::default() };
        let tokens = billing.metered(counts(100, 20), StopReason::EndTurn).unwrap().tokens;
        assert_eq!((tokens.input_tokens, tokens.output_tokens, tokens.cache_read_input_tokens), (7, 20, 3));
    }

    #[test]
    fn half_a_count_is_none_and_no_tokens_are_one_only_of_a_guardrail() {
        let billing = Billing::default();
        let end = StopReason::EndTurn;
        assert_eq!(billing.metered(Counts { output: None, ..counts(5, 0) }, end), None);
        assert_eq!(billing.metered(Counts { input: None, ..counts(0, 5) }, end), None);
        assert_eq!(billing.metered(counts(0, 0), end), None);
        assert_eq!(billing.metered(counts(0, 5), StopReason::GuardrailIntervened), None);
        assert_eq!(billing.metered(Counts::default(), StopReason::GuardrailIntervened), None);
        let none = billing.metered(counts(0, 0), StopReason::GuardrailIntervened).unwrap();
        assert_eq!(none.tokens.total_tokens(), 0);
    }

    #[test]
    fn cached_tokens_are_counted_once() {
        let body = Counts { cache_read: Some(70), cache_write: Some(20), ..counts(100, 1) };
        for (input_includes_cached, input) in [(true, 10), (false, 100)] {
            let terms =
                CallTerms { input_tokens_include_cached: input_includes_cached, ..CallTerms::default() };
            let billing = Billing { terms: Arc::new(terms), ..Billing::default() };
            assert_eq!(billing.metered(body, StopReason::EndTurn).unwrap().tokens.input_tokens, input);
        }
    }
}
