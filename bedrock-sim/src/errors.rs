//! The refusals of the Bedrock Runtime: type name, status and text of each.
//!
//! Owns what a refusal looks like, as a status and as an exception inside a stream. It does not
//! decide when one is sent. The one rule it protects: type, status and body key are AWS's own, and
//! every text is one that has been seen from AWS.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The suffix that AWS appends to the type name in `x-amzn-ErrorType`.
pub(crate) const TYPE_SUFFIX: &str = ":http://internal.amazon.com/coral/com.amazon.bedrock/";

const UNEXPECTED: &str =
    "The system encountered an unexpected error during processing. Try your request again.";

const TIMED_OUT: &str = "Model has timed out in processing the request. Try your request again.";

/// A refusal that is sent as a status. The names are those of `sim.<name>` model ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApiError {
    /// 403: the account has no access to the model.
    AccessDenied,
    /// 403: no policy of the caller allows the action.
    NotAuthorized,
    /// 403: the session token is too old.
    ExpiredToken,
    /// 403: the access key is not known.
    UnrecognizedClient,
    /// 403: the signature does not match.
    InvalidSignature,
    /// 404: there is no such model.
    ResourceNotFound,
    /// 404: the model has been withdrawn.
    EndOfLife,
    /// 404: the model is legacy and the account did not use it lately.
    LegacyModel,
    /// 404: the account has not told its use case.
    UseCaseMissing,
    /// 408: the model took too long.
    ModelTimeout,
    /// 429: tokens per minute.
    Throttling,
    /// 429: requests per minute.
    ThrottlingRequests,
    /// 429: tokens per day.
    ThrottlingPerDay,
    /// 429: the model is not loaded yet.
    ModelNotReady,
    /// 424: the model failed.
    ModelError,
    /// 400: a quota of the account.
    ServiceQuotaExceeded,
    /// 400: a malformed request.
    Validation,
    /// 400: the prompt does not fit into the model.
    InputTooLong,
    /// 400: no model has this id.
    InvalidModelId,
    /// 400: the model needs an inference profile.
    OnDemandUnsupported,
    /// 500.
    InternalServer,
    /// 503.
    ServiceUnavailable,
    /// 503: too many connections.
    TooManyConnections,
}

impl ApiError {
    /// Every refusal, for tables and tests.
    pub const ALL: [Self; 23] = [
        Self::AccessDenied,
        Self::NotAuthorized,
        Self::ExpiredToken,
        Self::UnrecognizedClient,
        Self::InvalidSignature,
        Self::ResourceNotFound,
        Self::EndOfLife,
        Self::LegacyModel,
        Self::UseCaseMissing,
        Self::ModelTimeout,
        Self::Throttling,
        Self::ThrottlingRequests,
        Self::ThrottlingPerDay,
        Self::ModelNotReady,
        Self::ModelError,
        Self::ServiceQuotaExceeded,
        Self::Validation,
        Self::InputTooLong,
        Self::InvalidModelId,
        Self::OnDemandUnsupported,
        Self::InternalServer,
        Self::ServiceUnavailable,
        Self::TooManyConnections,
    ];

    /// The refusal as it is sent for a call of `model_id`.
    pub(crate) fn refusal(self, model_id: &str) -> Refusal {
        match self {
            Self::AccessDenied => Refusal::new(
                403,
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
            ),
            Self::NotAuthorized => Refusal::new(
                403,
                "AccessDeniedException",
                format!(
                    "User: arn:aws:iam::123456789012:user/simulated is not authorized to perform: \
                     bedrock:InvokeModel on resource: \
                     arn:aws:bedrock:us-east-1::foundation-model/{model_id} because no \
                     identity-based policy allows the bedrock:InvokeModel action"
                ),
            ),
            Self::ExpiredToken => Refusal::new(
                403,
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            Self::UnrecognizedClient => Refusal::new(
                403,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            Self::InvalidSignature => Refusal::new(
                403,
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method. Consult the service \
                 documentation for details.",
            ),
            Self::ResourceNotFound => Refusal::new(404, "ResourceNotFoundException", "Model not found."),
            Self::EndOfLife => Refusal::new(
                404,
                "ResourceNotFoundException",
                "This model version has reached the end of its life. Please refer to the AWS \
                 documentation for more details.",
            ),
            Self::LegacyModel => Refusal::new(
                404,
                "ResourceNotFoundException",
                "Access denied. This Model is marked by provider as Legacy and you have not been \
                 actively using the model in the last 30 days. Please upgrade to an active model \
                 on Amazon Bedrock",
            ),
            Self::UseCaseMissing => Refusal::new(
                404,
                "ResourceNotFoundException",
                "Model use case details have not been submitted for this account. Fill out the \
                 use case details form before using the model.",
            ),
            Self::ModelTimeout => Refusal::new(408, "ModelTimeoutException", TIMED_OUT),
            Self::Throttling => {
                Refusal::new(429, "ThrottlingException", "Too many tokens, please wait before trying again.")
            }
            Self::ThrottlingRequests => Refusal::new(
                429,
                "ThrottlingException",
                "Too many requests, please wait before trying again. You have sent too many \
                 requests.  Wait before trying again.",
            ),
            Self::ThrottlingPerDay => Refusal::new(
                429,
                "ThrottlingException",
                "Too many tokens per day, please wait before trying again.",
            ),
            Self::ModelNotReady => Refusal::new(
                429,
                "ModelNotReadyException",
                "Model is not ready for inference. Wait and try your request again.",
            ),
            Self::ModelError => Refusal {
                details: Some(json!({"originalStatusCode": 500, "resourceName": model_id})),
                ..Refusal::new(424, "ModelErrorException", UNEXPECTED)
            },
            Self::ServiceQuotaExceeded => Refusal::new(
                400,
                "ServiceQuotaExceededException",
                "Your request exceeds the service quota for your account.",
            ),
            Self::Validation => Refusal::validation(
                "Malformed input request: #: required key [messages] not found, please reformat \
                 your input and try again.",
            ),
            Self::InputTooLong => Refusal::validation("Input is too long for requested model."),
            Self::InvalidModelId => Refusal::validation("The provided model identifier is invalid."),
            Self::OnDemandUnsupported => Refusal::validation(format!(
                "Invocation of model ID {model_id} with on-demand throughput isn\u{2019}t \
                 supported. Retry your request with the ID or ARN of an inference profile that \
                 contains this model."
            )),
            Self::InternalServer => Refusal::new(500, "InternalServerException", UNEXPECTED),
            Self::ServiceUnavailable => {
                Refusal::new(503, "ServiceUnavailableException", "Bedrock is unable to process your request.")
            }
            Self::TooManyConnections => Refusal::new(
                503,
                "ServiceUnavailableException",
                "Too many connections, please wait before trying again.",
            ),
        }
    }
}

/// A refusal that arrives inside a stream, after the 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamError {
    InternalServer,
    ModelStreamError,
    Validation,
    Throttling,
    ServiceUnavailable,
    /// Only the stream of InvokeModelWithResponseStream has this member.
    ModelTimeout,
    /// A message of type `error`, which no published model describes.
    Unmodelled,
}

impl StreamError {
    /// Every in-stream refusal, for tables and tests.
    pub const ALL: [Self; 7] = [
        Self::InternalServer,
        Self::ModelStreamError,
        Self::Validation,
        Self::Throttling,
        Self::ServiceUnavailable,
        Self::ModelTimeout,
        Self::Unmodelled,
    ];

    /// The name of the union member on the wire.
    pub fn member(self) -> &'static str {
        match self {
            Self::InternalServer => "internalServerException",
            Self::ModelStreamError => "modelStreamErrorException",
            Self::Validation => "validationException",
            Self::Throttling => "throttlingException",
            Self::ServiceUnavailable => "serviceUnavailableException",
            Self::ModelTimeout => "modelTimeoutException",
            Self::Unmodelled => "error",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::InternalServer | Self::ModelStreamError | Self::Unmodelled => UNEXPECTED,
            Self::Validation => "Input is too long for requested model.",
            Self::Throttling => "Too many tokens, please wait before trying again.",
            Self::ServiceUnavailable => "Bedrock is unable to process your request.",
            Self::ModelTimeout => TIMED_OUT,
        }
    }

    pub(crate) fn body(self) -> Value {
        match self {
            Self::ModelStreamError => json!({
                "message": self.message(),
                "originalMessage": "The model stopped in the middle of its answer.",
                "originalStatusCode": 500,
            }),
            _ => json!({ "message": self.message() }),
        }
    }

    /// The same failure for an operation that answers in one piece.
    pub(crate) fn as_status(self) -> ApiError {
        match self {
            Self::InternalServer | Self::Unmodelled => ApiError::InternalServer,
            Self::ModelStreamError => ApiError::ModelError,
            Self::Validation => ApiError::InputTooLong,
            Self::Throttling => ApiError::Throttling,
            Self::ServiceUnavailable => ApiError::ServiceUnavailable,
            Self::ModelTimeout => ApiError::ModelTimeout,
        }
    }
}

/// A refusal ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) type_name: &'static str,
    pub(crate) message: String,
    /// Members of the body besides the message.
    pub(crate) details: Option<Value>,
}

impl Refusal {
    pub(crate) fn new(status: u16, type_name: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("every status here is a valid number"),
            type_name,
            message: message.into(),
            details: None,
        }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", message)
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "message": self.message });
        if let (Some(Value::Object(details)), Some(body)) = (&self.details, body.as_object_mut()) {
            body.extend(details.clone());
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_the_status_of_its_type() {
        for error in ApiError::ALL {
            let refusal = error.refusal("some.model");
            let expected: &[u16] = match refusal.type_name {
                "ValidationException" | "ServiceQuotaExceededException" => &[400],
                "AccessDeniedException"
                | "ExpiredTokenException"
                | "UnrecognizedClientException"
                | "InvalidSignatureException" => &[403],
                "ResourceNotFoundException" => &[404],
                "ModelTimeoutException" => &[408],
                "ModelErrorException" => &[424],
                "ThrottlingException" | "ModelNotReadyException" => &[429],
                "InternalServerException" => &[500],
                "ServiceUnavailableException" => &[503],
                other => panic!("no such type: {other}"),
            };
            assert!(expected.contains(&refusal.status.as_u16()), "{error:?}");
            assert!(!refusal.message.contains("  ") || error == ApiError::ThrottlingRequests);
        }
    }

    #[test]
    fn a_model_error_names_its_resource() {
        let body = ApiError::ModelError.refusal("some.model").body();
        assert_eq!(body["resourceName"], "some.model");
        assert_eq!(body["originalStatusCode"], 500);
    }

    #[test]
    fn the_on_demand_text_has_the_typographic_apostrophe() {
        let refusal = ApiError::OnDemandUnsupported.refusal("anthropic.claude-haiku-5-5");
        assert!(refusal.message.contains("isn\u{2019}t supported"));
        assert!(refusal.message.contains("anthropic.claude-haiku-5-5"));
    }
}
