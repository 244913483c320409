//! Scenarios: what happens to a call instead of a plain answer.
//!
//! Owns the list of faults, their parameters and their names. Which call gets which scenario is the
//! book's matter ([`book`]); what each does to the bytes is an operation's matter.
//! The one rule it protects: every wait is data in milliseconds, and every scenario has a name that
//! works as the model id `sim.<name>`. A mix alone has none: it is made of the others.

pub(crate) mod book;
mod mix;
mod names;

pub use mix::Ingredient;

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::errors::{ApiError, StreamError};

/// What happens to a call.
///
/// A scenario made for streams has a counterpart for answers in one piece; the README lists both.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "snake_case", deny_unknown_fields)]
pub enum Scenario {
    /// The author answers.
    #[default]
    Normal,
    /// A refusal as a status.
    Error { error: ApiError },
    /// A refusal as a status of calls whose last user message contains this text; the others get
    /// the author's answer. So one part of a long work fails for good, whoever asks for it.
    ErrorWhen { contains: String, error: ApiError },
    /// A refusal inside the stream, as the first event or after some deltas.
    StreamError {
        error: StreamError,
        #[serde(default)]
        after_deltas: u32,
    },
    /// 429 without an error type.
    UntypedThrottling,
    /// 502 with a page of HTML, as a proxy sends it.
    HtmlBadGateway,
    /// 200 with the body `{}`.
    EmptyJson,
    /// 200 with JSON where an event stream belongs.
    JsonInsteadOfStream,
    /// Nothing for a while, then the answer. The wait costs nothing, so any number of calls can
    /// take this long at once.
    SlowHeaders { wait_ms: u64 },
    /// Headers at once, the first event after a while.
    SlowFirstEvent { wait_ms: u64 },
    /// `messageStart` at once, the first delta after a while.
    SlowFirstDelta { wait_ms: u64 },
    /// Silence after some deltas, for a while or for ever.
    Stall {
        after_deltas: u32,
        #[serde(default)]
        for_ms: Option<u64>,
    },
    /// Headers and the first half of the answer, then nothing, for ever. A stream stays empty.
    StalledBody,
    /// A fixed gap before every delta.
    Trickle { gap_ms: u64 },
    /// A fixed gap before every byte of the body.
    ByteTrickle { gap_ms: u64 },
    /// The connection ends inside a frame.
    CutMidFrame { after_deltas: u32 },
    /// The connection ends between two frames: every byte that came was sound.
    CutBetweenFrames { after_deltas: u32 },
    /// The connection is reset before any byte of the answer.
    ResetBeforeHeaders,
    /// The connection is reset after some deltas.
    ResetMidStream { after_deltas: u32 },
    /// The stream ends in good order, but without `messageStop`.
    EndWithoutMessageStop { after_deltas: u32 },
    /// The stream ends after `messageStop`: no usage.
    EndWithoutMetadata,
    /// An answer without any content block.
    EmptyContent,
    /// An answer of one empty text block.
    EmptyText,
    /// Data that is none: JSON that ends in the middle, or a tool's input of another shape. Prose
    /// stays as it is.
    InvalidJson,
    /// A given stop reason.
    StopReason { reason: StopReason },
    /// A reasoning block with a signature, then the text.
    Reasoning,
    /// An empty text block, a reasoning block, then the text, as gpt-oss does it.
    GptOssOrder,
    /// `messageStop` comes twice.
    DuplicateStop,
    /// `messageStop` comes after half of the text, and then the other half.
    TextAfterStop,
    /// The whole text is one delta of at least this size (at most 8 MiB).
    HugeDelta { bytes: u32 },
    /// The usage is told, but it is not true.
    WrongUsage { input_tokens: i64, output_tokens: i64 },
    /// A frame with a wrong checksum.
    CorruptCrc { after_deltas: u32 },
    /// Bytes that are no frames: after some deltas, or from the start.
    GarbageFrames {
        #[serde(default)]
        after_deltas: Option<u32>,
    },
    /// An event of a type that no published model has.
    UnknownEvent { after_deltas: u32 },
    /// Calls beyond the bucket get a ThrottlingException. Each model id has a bucket of its own.
    TokenBucket { capacity: u32, refill_per_second: f64 },
    /// Of every `of` calls of a model, the first `fail` are refused. Each model id counts for itself.
    Flapping { fail: u32, of: NonZeroU32, error: ApiError },
    /// This percentage of calls gets one of these scenarios, the others the author's answer. The
    /// seed and the call's number in the log decide, so the same calls get the same faults again.
    Mix {
        #[serde(deserialize_with = "mix::percent")]
        percent: u8,
        #[serde(deserialize_with = "mix::ingredients")]
        of: Vec<Ingredient>,
        #[serde(default)]
        seed: u64,
    },
}

impl Scenario {
    /// What this scenario is for a call with this last user message. None stands for a call that
    /// asks no model.
    pub(crate) fn for_text(self, user_text: Option<&str>) -> Self {
        match self {
            Self::ErrorWhen { contains, error } if user_text.is_some_and(|text| text.contains(&contains)) => {
                Self::Error { error }
            }
            Self::ErrorWhen { .. } => Self::Normal,
            other => other,
        }
    }

    /// After how many deltas the stream is spoilt, for scenarios that do so.
    pub(crate) fn spoils_after(&self) -> Option<usize> {
        match self {
            Self::StreamError { after_deltas, .. }
            | Self::Stall { after_deltas, .. }
            | Self::CutMidFrame { after_deltas }
            | Self::CutBetweenFrames { after_deltas }
            | Self::ResetMidStream { after_deltas }
            | Self::GarbageFrames { after_deltas: Some(after_deltas) }
            | Self::EndWithoutMessageStop { after_deltas }
            | Self::CorruptCrc { after_deltas }
            | Self::UnknownEvent { after_deltas } => usize::try_from(*after_deltas).ok(),
            _ => None,
        }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    EndTurn,
    ToolUse,
    MaxTokens,
    StopSequence,
    GuardrailIntervened,
    ContentFiltered,
    MalformedModelOutput,
    MalformedToolUse,
    ModelContextWindowExceeded,
    /// A reason that no published model has.
    Unknown,
}

impl StopReason {
    /// Every reason, for tables and tests.
    pub const ALL: [Self; 10] = [
        Self::EndTurn,
        Self::ToolUse,
        Self::MaxTokens,
        Self::StopSequence,
        Self::GuardrailIntervened,
        Self::ContentFiltered,
        Self::MalformedModelOutput,
        Self::MalformedToolUse,
        Self::ModelContextWindowExceeded,
        Self::Unknown,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EndTurn => "end_turn",
            Self::ToolUse => "tool_use",
            Self::MaxTokens => "max_tokens",
            Self::StopSequence => "stop_sequence",
            Self::GuardrailIntervened => "guardrail_intervened",
            Self::ContentFiltered => "content_filtered",
            Self::MalformedModelOutput => "malformed_model_output",
            Self::MalformedToolUse => "malformed_tool_use",
            Self::ModelContextWindowExceeded => "model_context_window_exceeded",
            Self::Unknown => "reason_of_a_later_version",
        }
    }
}

impl From<ApiError> for Scenario {
    fn from(error: ApiError) -> Self {
        Self::Error { error }
    }
}
