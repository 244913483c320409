//! The closed list of failure codes that clients, logs and metrics share.
//!
//! A code says what went wrong in the client's terms; which HTTP status it gets
//! is decided in one table in `http`. The list grows with the service: a code is
//! added together with the behaviour that can produce it.

/// Why a request did not succeed. The text form is stable: clients match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureCode {
    /// The body is not JSON, not UTF-8, or a header cannot be read.
    MalformedBody,
    /// A page of another site sends what browsers ask no leave for, and has none.
    OriginNotAllowed,
    /// No such path.
    NotFound,
    /// A request for a model, in OpenAI's shape, names none that there is.
    ModelNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// None of the representations the caller accepts can be made.
    NotAcceptable,
    /// The caller took too long to send the body.
    RequestTimeout,
    /// The body has more bytes than the service reads.
    PayloadTooLarge,
    /// The text has more tokens than any model of the chain can take.
    InputTooLarge,
    /// The body is of a media type the service does not read.
    UnsupportedMediaType,
    /// The body is JSON, but one or more members are wrong.
    ValidationFailed,
    /// The file holds no text that can be read.
    UnprocessableDocument,
    /// The provider's filter or the model declined the content.
    ContentFiltered,
    /// The caller went away; seen in metrics and logs only.
    Cancelled,
    /// A defect of the service.
    Internal,
    /// The model failed while it processed the request.
    UpstreamError,
    /// The service may not use the model.
    UpstreamAuth,
    /// The model answered something that is no answer.
    UpstreamBadResponse,
    /// The model's answer is not of the shape that the task needs, also after a second try.
    OutputInvalid,
    /// The service has as many requests as it takes.
    Overloaded,
    /// Every model of the chain is throttled or out of capacity.
    ModelCapacity,
    /// No model of the chain can be reached or used at the moment.
    AllModelsUnavailable,
    /// The service is about to stop.
    ShuttingDown,
    /// The model did not answer in the time set for one call.
    UpstreamTimeout,
    /// The request's own time ran out.
    DeadlineExceeded,
}

impl FailureCode {
    /// Every code, in the order of the HTTP error table.
    pub const ALL: [Self; 25] = [
        Self::MalformedBody,
        Self::OriginNotAllowed,
        Self::NotFound,
        Self::ModelNotFound,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::RequestTimeout,
        Self::PayloadTooLarge,
        Self::InputTooLarge,
        Self::UnsupportedMediaType,
        Self::ValidationFailed,
        Self::UnprocessableDocument,
        Self::ContentFiltered,
        Self::Cancelled,
        Self::Internal,
        Self::UpstreamError,
        Self::UpstreamAuth,
        Self::UpstreamBadResponse,
        Self::OutputInvalid,
        Self::Overloaded,
        Self::ModelCapacity,
        Self::AllModelsUnavailable,
        Self::ShuttingDown,
        Self::UpstreamTimeout,
        Self::DeadlineExceeded,
    ];

    /// The stable text form, as it stands in `code`, in logs and in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MalformedBody => "malformed_body",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::NotFound => "not_found",
            Self::ModelNotFound => "model_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotAcceptable => "not_acceptable",
            Self::RequestTimeout => "request_timeout",
            Self::PayloadTooLarge => "payload_too_large",
            Self::InputTooLarge => "input_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ValidationFailed => "validation_failed",
            Self::UnprocessableDocument => "unprocessable_document",
            Self::ContentFiltered => "content_filtered",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamAuth => "upstream_auth",
            Self::UpstreamBadResponse => "upstream_bad_response",
            Self::OutputInvalid => "output_invalid",
            Self::Overloaded => "overloaded",
            Self::ModelCapacity => "model_capacity",
            Self::AllModelsUnavailable => "all_models_unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FailureCode;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_listed_once_and_has_its_own_text() {
        let texts: HashSet<_> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), FailureCode::ALL.len());
    }
}
