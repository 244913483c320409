//! The closed sets of metric label values.
//!
//! A label never carries anything a caller wrote: every value stands in one of
//! these enums, in the domain's closed lists, or in the configured catalogue.

use crate::domain::{CallFailure, FailureCode};

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
    Dialect { Json => "json", Sse => "sse", Ndjson => "ndjson", Text => "text" }
}

label! {
    /// Which family of paths was called.
    Api { V1 => "v1", Compat => "compat" }
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
    /// Whether a target's breaker lets calls through.
    BreakerState { Closed => "closed", HalfOpen => "half_open", Open => "open" }
}

label! {
    /// What part of a request a model call serves.
    CallStage { Single => "single" }
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

impl From<FailureCode> for Outcome {
    fn from(code: FailureCode) -> Self {
        use FailureCode as Code;
        match code {
            Code::MalformedBody
            | Code::NotFound
            | Code::MethodNotAllowed
            | Code::NotAcceptable
            | Code::RequestTimeout
            | Code::PayloadTooLarge
            | Code::InputTooLarge
            | Code::UnsupportedMediaType
            | Code::ValidationFailed
            | Code::ContentFiltered => Self::ClientError,
            Code::Cancelled => Self::Cancelled,
            Code::Overloaded | Code::ShuttingDown => Self::Rejected,
            Code::Internal => Self::InternalError,
            Code::UpstreamError
            | Code::UpstreamAuth
            | Code::UpstreamBadResponse
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
