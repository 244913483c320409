//! Between our words and the SDK's shapes, for calls, whole answers and counts.
//!
//! Only text blocks are the answer: reasoning and other blocks may come first
//! and are passed over, and their order is not assumed.

use aws_sdk_bedrockruntime::operation::converse::ConverseOutput as Answer;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ConversationRole, ConverseOutput, ConverseTokensRequest, CountTokensInput,
    InferenceConfiguration, Message, StopReason as SdkStopReason, SystemContentBlock,
    TokenUsage as SdkTokenUsage,
};

use crate::domain::{CallFailure, Metered, TokenUsage};
use crate::inference::{BackendError, Completion, ModelCall, StopReason};

pub(super) fn system(call: &ModelCall) -> Option<Vec<SystemContentBlock>> {
    let text = &call.prompt.system;
    (call.terms.accepts_system && !text.is_empty()).then(|| vec![SystemContentBlock::Text(text.clone())])
}

pub(super) fn user_turn(call: &ModelCall) -> Result<Message, BackendError> {
    let document = call.prompt.user.assemble();
    let text =
        if call.terms.accepts_system { document } else { [&call.prompt.system, "\n\n", &document].concat() };
    Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text(text))
        .build()
        .map_err(|error| BackendError::new(CallFailure::RequestRejected, error.to_string()))
}

pub(super) fn inference_config(call: &ModelCall) -> InferenceConfiguration {
    InferenceConfiguration::builder()
        .max_tokens(i32::try_from(call.max_tokens).unwrap_or(i32::MAX))
        .set_temperature(call.temperature)
        .build()
}

/// What a call of the same prompt would send, as far as it counts.
pub(super) fn count_input(call: &ModelCall) -> Result<CountTokensInput, BackendError> {
    let request = ConverseTokensRequest::builder().set_system(system(call)).messages(user_turn(call)?);
    Ok(CountTokensInput::Converse(request.build()))
}

/// No prompt has no tokens: the SDK fills a missing count with zero.
pub(super) fn token_count(tokens: i32) -> Result<u64, BackendError> {
    let count = u64::try_from(tokens).ok().filter(|count| *count > 0);
    count.ok_or_else(|| BackendError::new(CallFailure::BadResponse, "the answer holds no count"))
}

pub(super) fn completion(answer: Answer) -> Result<Completion, BackendError> {
    let stop_reason = stop_reason(&answer.stop_reason);
    let usage = answer.usage.as_ref().and_then(token_usage).map(Metered::from);
    let Some(ConverseOutput::Message(message)) = answer.output else {
        return Err(BackendError::new(CallFailure::BadResponse, "the answer holds no message"));
    };
    let mut texts = message.content.into_iter().filter_map(|block| match block {
        ContentBlock::Text(text) => Some(text),
        _ => None,
    });
    let mut text = texts.next().unwrap_or_default();
    texts.for_each(|more| text.push_str(&more));
    Ok(Completion { text, stop_reason, usage })
}

pub(super) fn stop_reason(reason: &SdkStopReason) -> StopReason {
    match reason {
        SdkStopReason::EndTurn | SdkStopReason::StopSequence => StopReason::EndTurn,
        SdkStopReason::MaxTokens => StopReason::MaxTokens,
        SdkStopReason::ModelContextWindowExceeded => StopReason::ContextWindowExceeded,
        SdkStopReason::GuardrailIntervened => StopReason::GuardrailIntervened,
        SdkStopReason::ContentFiltered => StopReason::ContentFiltered,
        SdkStopReason::MalformedModelOutput | SdkStopReason::MalformedToolUse | SdkStopReason::ToolUse => {
            StopReason::Malformed
        }
        _ => StopReason::Other,
    }
}

/// `None` when the count cannot be one: the SDK fills a missing usage with zeros, and no
/// prompt has no tokens. An estimate is then nearer to the bill than nothing.
pub(super) fn token_usage(usage: &SdkTokenUsage) -> Option<TokenUsage> {
    let count = |tokens: i32| u64::try_from(tokens).ok();
    let usage = TokenUsage {
        input_tokens: count(usage.input_tokens)?,
        output_tokens: count(usage.output_tokens)?,
        cache_read_input_tokens: count(usage.cache_read_input_tokens.unwrap_or(0))?,
        cache_write_input_tokens: count(usage.cache_write_input_tokens.unwrap_or(0))?,
    };
    (usage.total_tokens() > usage.output_tokens).then_some(usage)
}
