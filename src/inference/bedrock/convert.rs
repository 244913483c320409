//! From the SDK's shapes to our words: whole answers, stop reasons, usage and counts.
//!
//! Only text blocks are the answer: reasoning and other blocks may come first
//! and are passed over, and their order is not assumed. Where data was asked for by
//! a tool, what the tool is given is the answer.

use aws_sdk_bedrockruntime::operation::converse::ConverseOutput as Answer;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConverseOutput, GuardrailTraceAssessment, PerformanceConfigLatency,
    PerformanceConfiguration, ServiceTier as SdkServiceTier, StopReason as SdkStopReason,
    TokenUsage as SdkTokenUsage,
};

use super::document::to_json;
use super::findings;
use crate::domain::{CallFailure, Metered, ServiceTerms, ServiceTier, TokenUsage};
use crate::inference::{BackendError, CallTerms, Completion, ModelCall, StopReason, StructuredOutput};

/// No prompt has no tokens: the SDK fills a missing count with zero.
pub(super) fn token_count(tokens: i32) -> Result<u64, BackendError> {
    let count = u64::try_from(tokens).ok().filter(|count| *count > 0);
    count.ok_or_else(|| BackendError::new(CallFailure::BadResponse, "the answer holds no count"))
}

pub(super) fn completion(call: &ModelCall, answer: Answer) -> Result<Completion, BackendError> {
    let mut stop_reason = stop_reason(&answer.stop_reason, call);
    if let Some(trace) = answer.trace.as_ref().and_then(|trace| trace.guardrail.as_ref()) {
        findings::tell(call, trace);
        stop_reason = after_trace(stop_reason, trace);
    }
    let served =
        Served { tier: answer.service_tier.as_ref(), performance: answer.performance_config.as_ref() };
    let usage = answer.usage.as_ref().and_then(|usage| metered(usage, served, &call.terms, stop_reason));
    let Some(ConverseOutput::Message(message)) = answer.output else {
        return Err(BackendError::new(CallFailure::BadResponse, "the answer holds no message"));
    };
    let by_tool = is_by_tool(call);
    let mut texts = message.content.into_iter().filter_map(|block| match block {
        // The guardrail speaks in text, whatever was asked for.
        ContentBlock::Text(text) if !by_tool || stop_reason == StopReason::GuardrailIntervened => Some(text),
        ContentBlock::ToolUse(tool) if by_tool => Some(to_json(tool.input()).to_string()),
        _ => None,
    });
    let mut text = texts.next().unwrap_or_default();
    texts.for_each(|more| text.push_str(&more));
    Ok(Completion { text, stop_reason, usage })
}

/// Whether the answer is what a tool is given.
pub(super) fn is_by_tool(call: &ModelCall) -> bool {
    call.output_schema.is_some() && call.terms.structured_output == Some(StructuredOutput::Tool)
}

pub(super) fn stop_reason(reason: &SdkStopReason, call: &ModelCall) -> StopReason {
    match reason {
        SdkStopReason::EndTurn | SdkStopReason::StopSequence => StopReason::EndTurn,
        SdkStopReason::MaxTokens => StopReason::MaxTokens,
        SdkStopReason::ModelContextWindowExceeded => StopReason::ContextWindowExceeded,
        SdkStopReason::GuardrailIntervened => StopReason::GuardrailIntervened,
        SdkStopReason::ContentFiltered => StopReason::ContentFiltered,
        SdkStopReason::ToolUse if is_by_tool(call) => StopReason::EndTurn,
        SdkStopReason::MalformedModelOutput | SdkStopReason::MalformedToolUse | SdkStopReason::ToolUse => {
            StopReason::Malformed
        }
        _ => StopReason::Other,
    }
}

/// The reason when a trace is at hand: a guardrail that only masked has not intervened.
pub(super) fn after_trace(reason: StopReason, trace: &GuardrailTraceAssessment) -> StopReason {
    let masked = reason == StopReason::GuardrailIntervened && findings::only_masks(trace);
    if masked { StopReason::EndTurn } else { reason }
}

/// What an answer says about how it was served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served<'a> {
    pub(super) tier: Option<&'a SdkServiceTier>,
    pub(super) performance: Option<&'a PerformanceConfiguration>,
}

impl Served<'_> {
    /// The terms that are billed: those that the answer names, else those that were asked for.
    fn terms(self, asked: &CallTerms) -> ServiceTerms {
        let tier = self.tier.and_then(|tier| ServiceTier::parse(tier.r#type().as_str()));
        let latency = self.performance.map(|config| *config.latency() == PerformanceConfigLatency::Optimized);
        let asked = asked.service();
        ServiceTerms {
            tier: tier.unwrap_or(asked.tier),
            optimized_latency: latency.unwrap_or(asked.optimized_latency),
        }
    }
}

/// What was used and on which terms. The SDK fills a missing usage with zeros.
pub(super) fn metered(
    usage: &SdkTokenUsage,
    served: Served<'_>,
    asked: &CallTerms,
    stop_reason: StopReason,
) -> Option<Metered> {
    let count = |tokens: i32| u64::try_from(tokens).ok();
    let told = TokenUsage {
        input_tokens: count(usage.input_tokens)?,
        output_tokens: count(usage.output_tokens)?,
        cache_read_input_tokens: count(usage.cache_read_input_tokens.unwrap_or(0))?,
        cache_write_input_tokens: count(usage.cache_write_input_tokens.unwrap_or(0))?,
    };
    asked.metered(told, served.terms(asked), stop_reason)
}

#[cfg(test)]
mod tests {
    use super::{Served, metered};
    use crate::domain::{ServiceTerms, ServiceTier};
    use crate::inference::{CallTerms, StopReason};
    use aws_sdk_bedrockruntime::types::{
        PerformanceConfigLatency, PerformanceConfiguration, ServiceTier as SdkServiceTier, ServiceTierType,
        TokenUsage as SdkTokenUsage,
    };

    const NOTHING_SAID: Served<'_> = Served { tier: None, performance: None };

    fn told(input: i32, output: i32, read: i32, written: i32) -> SdkTokenUsage {
        let usage = SdkTokenUsage::builder().input_tokens(input).output_tokens(output).total_tokens(0);
        usage.cache_read_input_tokens(read).cache_write_input_tokens(written).build().unwrap()
    }

    #[test]
    fn input_tokens_mean_what_the_model_means_by_them() {
        let usage = told(1000, 10, 700, 200);
        for (include_cached, input) in [(false, 1000), (true, 100)] {
            let terms = CallTerms { input_tokens_include_cached: include_cached, ..CallTerms::default() };
            let tokens = metered(&usage, NOTHING_SAID, &terms, StopReason::EndTurn).unwrap().tokens;
            assert_eq!(tokens.input_tokens, input);
            assert_eq!((tokens.cache_read_input_tokens, tokens.cache_write_input_tokens), (700, 200));
        }
    }

    #[test]
    fn no_tokens_are_no_count_unless_a_guardrail_spoke_up_before_the_model() {
        let usage = |stop| metered(&told(0, 0, 0, 0), NOTHING_SAID, &CallTerms::default(), stop);
        assert_eq!(usage(StopReason::EndTurn), None);
        assert_eq!(usage(StopReason::GuardrailIntervened).unwrap().tokens.total_tokens(), 0);
        let lie = metered(&told(-1, 5, 0, 0), NOTHING_SAID, &CallTerms::default(), StopReason::EndTurn);
        assert_eq!(lie, None);
    }

    #[test]
    fn what_the_answer_says_of_its_terms_wins_over_what_was_asked_for() {
        let asked = CallTerms {
            service_tier: ServiceTier::Reserved,
            optimized_latency: true,
            ..CallTerms::default()
        };
        let terms = |served| metered(&told(1, 1, 0, 0), served, &asked, StopReason::EndTurn).unwrap().terms;
        let as_asked = ServiceTerms { tier: ServiceTier::Reserved, optimized_latency: true };
        assert_eq!(terms(NOTHING_SAID), as_asked);
        let tier = SdkServiceTier::builder().r#type(ServiceTierType::Default).build().unwrap();
        let performance =
            PerformanceConfiguration::builder().latency(PerformanceConfigLatency::Standard).build();
        let served = Served { tier: Some(&tier), performance: Some(&performance) };
        assert_eq!(terms(served), ServiceTerms::default());
    }
}
