//! The closed sets of metric label values.
//!
//! A label never carries anything a caller wrote: every value stands in one of
//! these enums, in the domain's closed lists, or in the configured catalogue.

use crate::domain::{CallFailure, FailureCode, TaskKind};

/// Implements `ALL` and `as_str` for a label enum.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The label value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

label! {
    /// How the answer is written: the label `stream`.
    Dialect {
        Json => "json",
        Sse => "sse",
        Ndjson => "ndjson",
        Text => "text",
        /// The AI SDK's UI message stream.
        Ui => "ui",
        /// OpenAI's chunks of a chat completion.
        OpenAi => "openai",
    }
}

label! {
    /// Which family of paths was called.
    Api { V1 => "v1", Compat => "compat", OpenAi => "openai" }
}

label! {
    /// How a request ended, for the service level indicator.
    Outcome {
        Ok => "ok",
        ClientError => "client_error",
        Rejected => "rejected",
        UpstreamError => "upstream_error",
        InternalError => "internal_error",
        Cancelled => "cancelled",
    }
}

label! {
    /// How one model call ended.
    CallOutcome {
        Ok => "ok",
        Throttled => "throttled",
        Timeout => "timeout",
        Error => "error",
        Filtered => "filtered",
        Cancelled => "cancelled",
    }
}

label! {
    /// What came of asking a model to count a prompt's tokens.
    CountResult {
        Counted => "counted",
        /// The model cannot count, and is not asked again for a while.
        Unsupported => "unsupported",
        Failed => "failed",
        TimedOut => "timeout",
    }
}

label! {
    /// What came of a guardrail's look at a document.
    ScreeningResult {
        Passed => "passed",
        Blocked => "blocked",
        /// The guardrail could not look at all of it.
        Failed => "failed",
    }
}

label! {
    /// Whether a target's breaker lets calls through.
    BreakerState { Closed => "closed", HalfOpen => "half_open", Open => "open" }
}

label! {
    /// What part of a request a model call serves.
    CallStage {
        /// The whole of it.
        Single => "single",
        /// One part of its document.
        Map => "map",
        /// Summaries that are merged and will be merged again.
        Reduce => "reduce",
        /// The answer out of what the parts gave.
        Final => "final",
    }
}

label! {
    /// How a stream ended.
    StreamEnd {
        Done => "done",
        Error => "error",
        ClientDisconnect => "client_disconnect",
        Shutdown => "shutdown",
    }
}

label! {
    /// What became of a part of a document.
    ChunkStatus {
        Completed => "completed",
        Failed => "failed",
        /// It failed, and the answer goes on without it.
        Skipped => "skipped",
        /// Its answer was there from an earlier request.
        Cached => "cached",
    }
}

label! {
    /// What a file is.
    DocumentKind {
        PlainText => "plain_text",
        Markdown => "markdown",
        Html => "html",
        Pdf => "pdf",
        Docx => "docx",
    }
}

label! {
    /// What came of reading a file.
    ReadResult {
        Read => "read",
        TypeMismatch => "type_mismatch",
        Unsupported => "unsupported",
        NoText => "no_text",
        Encrypted => "encrypted",
        TooLarge => "too_large",
        Malformed => "malformed",
        OutOfMemory => "out_of_memory",
        OutOfTime => "out_of_time",
        Crashed => "crashed",
        Busy => "busy",
        Deadline => "deadline",
        NotStarted => "not_started",
    }
}

label! {
    /// How a document was worked on.
    Strategy {
        /// At once.
        Single => "single",
        /// In parts whose summaries were merged.
        MapReduce => "map_reduce",
        /// In parts whose answers were joined.
        MapConcat => "map_concat",
        /// In parts, one after the other.
        Refine => "refine",
        /// At once, several times side by side.
        Several => "several",
    }
}

label! {
    /// Why a request was not admitted.
    RejectReason {
        QueueFull => "queue_full",
        QueueTimeout => "queue_timeout",
        BuffersFull => "buffers_full",
        Draining => "draining",
    }
}

label! {
    /// What came of reading the configuration again.
    ReloadResult { Applied => "applied", Unchanged => "unchanged", Rejected => "rejected" }
}

label! {
    /// The four classes of billed tokens.
    TokenDirection { Input => "input", Output => "output", CacheRead => "cache_read", CacheWrite => "cache_write" }
}

impl Api {
    /// Whether these paths have the task.
    pub fn has(self, task: &str) -> bool {
        match self {
            Self::V1 | Self::OpenAi => true,
            Self::Compat => TaskKind::ALL.iter().any(|kind| kind.as_str() == task),
        }
    }

    /// Whether a request can end so once its task is known. The body of a chat completion is read
    /// before that, and where there are no files, none can be without text.
    pub fn ends_with(self, code: FailureCode) -> bool {
        use FailureCode as Code;
        let is_of_the_body = matches!(
            code,
            Code::MalformedBody | Code::RequestTimeout | Code::PayloadTooLarge | Code::UnsupportedMediaType
        );
        match (self, code) {
            (_, Code::OriginNotAllowed | Code::NotFound | Code::ModelNotFound | Code::MethodNotAllowed) => {
                false
            }
            (Self::Compat | Self::OpenAi, Code::NotAcceptable | Code::UnprocessableDocument) => false,
            (Self::OpenAi, _) => !is_of_the_body,
            (Self::V1 | Self::Compat, _) => true,
        }
    }

    /// Whether these paths answer in this way.
    pub const fn speaks(self, dialect: Dialect) -> bool {
        match self {
            Self::V1 => !matches!(dialect, Dialect::OpenAi),
            Self::Compat => matches!(dialect, Dialect::Json),
            Self::OpenAi => matches!(dialect, Dialect::Json | Dialect::OpenAi),
        }
    }
}

impl From<FailureCode> for Outcome {
    fn from(code: FailureCode) -> Self {
        use FailureCode as Code;
        match code {
            Code::MalformedBody
            | Code::OriginNotAllowed
            | Code::NotFound
            | Code::ModelNotFound
            | Code::MethodNotAllowed
            | Code::NotAcceptable
            | Code::RequestTimeout
            | Code::PayloadTooLarge
            | Code::InputTooLarge
            | Code::UnsupportedMediaType
            | Code::ValidationFailed
            | Code::UnprocessableDocument
            | Code::ContentFiltered => Self::ClientError,
            Code::Cancelled => Self::Cancelled,
            Code::Overloaded | Code::ShuttingDown => Self::Rejected,
            Code::Internal => Self::InternalError,
            Code::UpstreamError
            | Code::UpstreamAuth
            | Code::UpstreamBadResponse
            | Code::OutputInvalid
            | Code::ModelCapacity
            | Code::AllModelsUnavailable
            | Code::UpstreamTimeout
            | Code::DeadlineExceeded => Self::UpstreamError,
        }
    }
}

impl From<CallFailure> for CallOutcome {
    fn from(failure: CallFailure) -> Self {
        use CallFailure as Failure;
        match failure {
            Failure::Throttled | Failure::DailyQuotaUsedUp | Failure::AccountQuotaExceeded => Self::Throttled,
            Failure::ModelTimedOut
            | Failure::AnswerClock
            | Failure::FirstEventClock
            | Failure::IdleClock
            | Failure::AttemptClock
            | Failure::Deadline => Self::Timeout,
            Failure::Filtered => Self::Filtered,
            Failure::NotReady
            | Failure::Unavailable
            | Failure::ModelFailed
            | Failure::ModelRefused
            | Failure::Unreachable
            | Failure::BreakerOpen
            | Failure::TargetBusy
            | Failure::ModelGone
            | Failure::AccessDenied
            | Failure::CredentialsRejected
            | Failure::InputTooLong
            | Failure::ParameterRejected
            | Failure::RequestRejected
            | Failure::BadResponse
            | Failure::StreamCut
            | Failure::EmptyAnswer
            | Failure::MalformedAnswer => Self::Error,
        }
    }
}
