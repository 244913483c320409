//! OpenAI's shapes of a chat completion: whole, in chunks, and what both say of ours.
//!
//! Member names and their order are OpenAI's. What they have no place for stands in
//! the member `redraft`, which their clients pass over.

use serde::Serialize;
use utoipa::ToSchema;

use super::super::wire::{Chunks, CostBody, WarningBody};
use crate::pipeline::{Done, FinishReason, UsageReport, Warning};

/// A whole answer in OpenAI's shape.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletion)]
pub(in crate::http) struct CompletionBody<'a> {
    /// Names this answer.
    pub id: &'a str,
    #[schema(example = "chat.completion")]
    pub object: &'a str,
    /// Unix time in seconds.
    pub created: u64,
    /// As the request named it.
    #[schema(example = "redraft/summarize")]
    pub model: &'a str,
    /// One.
    pub choices: [ChoiceBody<'a>; 1],
    pub usage: ChatUsageBody,
    pub redraft: ServedBody<'a>,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatChoice)]
pub(in crate::http) struct ChoiceBody<'a> {
    /// Always 0.
    pub index: u32,
    pub message: MessageBody<'a>,
    /// Always `null`.
    #[schema(required)]
    pub logprobs: Option<bool>,
    /// `stop`; or `length`, `content_filter` when the answer is not whole.
    #[schema(example = "stop")]
    pub finish_reason: &'a str,
}

/// The answer's text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatMessage)]
pub(in crate::http) struct MessageBody<'a> {
    #[schema(example = "assistant")]
    pub role: &'a str,
    pub content: &'a str,
    /// Always `null`.
    #[schema(required)]
    pub refusal: Option<&'a str>,
}

/// A piece of an answer in OpenAI's shape.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionChunk)]
pub(in crate::http) struct ChunkBody<'a> {
    /// The same in all chunks.
    pub id: &'a str,
    #[schema(example = "chat.completion.chunk")]
    pub object: &'a str,
    /// Unix time in seconds.
    pub created: u64,
    /// As the request named it.
    #[schema(example = "redraft/summarize")]
    pub model: &'a str,
    /// One; none in the chunk that tells the usage.
    pub choices: Vec<ChunkChoiceBody<'a>>,
    /// Only with `stream_options.include_usage`: `null` but in the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<ChatUsageBody>>,
    /// In the chunk that tells the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub redraft: Option<ServedBody<'a>>,
}

/// A piece of the answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatChunkChoice)]
pub(in crate::http) struct ChunkChoiceBody<'a> {
    /// Always 0.
    pub index: u32,
    pub delta: DeltaBody<'a>,
    /// Always `null`.
    #[schema(required)]
    pub logprobs: Option<bool>,
    /// `null` until the end.
    #[schema(required)]
    pub finish_reason: Option<&'a str>,
}

/// What a chunk adds.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ChatDelta)]
pub(in crate::http) struct DeltaBody<'a> {
    /// In the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "assistant")]
    pub role: Option<&'a str>,
    /// All of them together are the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub content: Option<&'a str>,
}

/// Tokens, as OpenAI counts them: those that were read from a memory are part of the prompt's.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatUsage)]
pub(in crate::http) struct ChatUsageBody {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
    pub prompt_tokens_details: PromptTokensBody,
}

/// What of the prompt's tokens was read from the model's memory.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatPromptTokens)]
pub(in crate::http) struct PromptTokensBody {
    pub cached_tokens: u64,
}

impl From<&UsageReport> for ChatUsageBody {
    fn from(report: &UsageReport) -> Self {
        let usage = &report.usage;
        Self {
            prompt_tokens: usage.total_tokens().saturating_sub(usage.output_tokens),
            completion_tokens: usage.output_tokens,
            total_tokens: usage.total_tokens(),
            prompt_tokens_details: PromptTokensBody { cached_tokens: usage.cache_read_input_tokens },
        }
    }
}

/// What OpenAI's shape has no place for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatServed)]
pub(in crate::http) struct ServedBody<'a> {
    /// The model that wrote the answer.
    pub model: &'a str,
    pub chain: &'a str,
    /// Whether another target than the one named first wrote it.
    pub fallback: bool,
    /// Model calls made, also those that failed.
    pub attempts: u32,
    /// How the document was worked on.
    pub strategy: &'a str,
    pub chunks: Chunks,
    /// Whether parts of the text are missing in the answer.
    pub partial: bool,
    pub cost: CostBody,
    pub warnings: Vec<WarningBody<'a>>,
}

impl<'a> ServedBody<'a> {
    pub(in crate::http) fn new(
        chain: &'a str,
        strategy: &'a str,
        warnings: &'a [Warning],
        usage: &UsageReport,
        done: &'a Done,
    ) -> Self {
        Self {
            model: done.model.as_str(),
            chain,
            fallback: done.fallback,
            attempts: done.model_calls,
            strategy,
            chunks: Chunks::from(done.chunks),
            partial: done.chunks.is_partial(),
            cost: CostBody::from(usage),
            warnings: warnings.iter().map(WarningBody::from).collect(),
        }
    }
}

/// OpenAI's word for how an answer ended. They have none for a reason that nobody knows: an
/// answer that may be whole is told as one that was cut short, not the other way round.
pub(in crate::http) const fn finish_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Other => FinishReason::Length.as_str(),
        known => known.as_str(),
    }
}
