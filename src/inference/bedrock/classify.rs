//! From the SDK's errors to ours: one table, by type first.
//!
//! Types are matched where the API model has them; message texts only to tell
//! the sub-cases that share a type apart. In-stream exceptions carry no code in
//! this SDK, so their variants are matched instead.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_bedrockruntime::config::http::HttpResponse;
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::operation::apply_guardrail::ApplyGuardrailError;
use aws_sdk_bedrockruntime::operation::converse::ConverseError;
use aws_sdk_bedrockruntime::operation::converse_stream::ConverseStreamError;
use aws_sdk_bedrockruntime::operation::count_tokens::CountTokensError;
use aws_sdk_bedrockruntime::operation::invoke_model::InvokeModelError;
use aws_sdk_bedrockruntime::operation::invoke_model_with_response_stream::InvokeModelWithResponseStreamError;
use aws_sdk_bedrockruntime::types::error::{
    ConverseStreamOutputError, ModelErrorException, ResponseStreamError,
};

use crate::domain::CallFailure as Kind;
use crate::inference::BackendError;

/// A longer wish of the provider is no wish: ten minutes.
const LONGEST_WAIT_MS: u64 = 600_000;
/// A stream that fails had begun well.
const STREAM_STATUS: u16 = 200;

/// A failed `Converse`.
pub(super) fn converse(error: SdkError<ConverseError, HttpResponse>) -> BackendError {
    let original = match error.as_service_error() {
        Some(ConverseError::ModelErrorException(exception)) => original_status(exception),
        _ => None,
    };
    before_stream(&error, original)
}

/// A failed `ConverseStream`, before its first event.
pub(super) fn converse_stream(error: SdkError<ConverseStreamError, HttpResponse>) -> BackendError {
    let original = match error.as_service_error() {
        Some(ConverseStreamError::ModelErrorException(exception)) => original_status(exception),
        _ => None,
    };
    before_stream(&error, original)
}

/// A failed `InvokeModel`.
pub(super) fn invoke_model(error: SdkError<InvokeModelError, HttpResponse>) -> BackendError {
    let original = match error.as_service_error() {
        Some(InvokeModelError::ModelErrorException(exception)) => original_status(exception),
        _ => None,
    };
    before_stream(&error, original)
}

/// A failed `InvokeModelWithResponseStream`, before its first chunk.
pub(super) fn invoke_model_with_response_stream(
    error: SdkError<InvokeModelWithResponseStreamError, HttpResponse>,
) -> BackendError {
    use InvokeModelWithResponseStreamError as Failure;
    let original = match error.as_service_error() {
        Some(Failure::ModelErrorException(exception)) => original_status(exception),
        Some(Failure::ModelStreamErrorException(exception)) => exception.original_status_code(),
        _ => None,
    };
    before_stream(&error, original)
}

/// A failed `CountTokens`.
pub(super) fn count_tokens(error: SdkError<CountTokensError, HttpResponse>) -> BackendError {
    before_stream(&error, None)
}

/// A failed `ApplyGuardrail`.
pub(super) fn apply_guardrail(error: SdkError<ApplyGuardrailError, HttpResponse>) -> BackendError {
    before_stream(&error, None)
}

/// An exception that a stream models: its code, its text and the model's own status.
type Modelled<'a> = (&'static str, Option<&'a str>, Option<i32>);

/// A failure inside the stream of `ConverseStream`.
pub(super) fn event<R: std::fmt::Debug + 'static>(
    error: SdkError<ConverseStreamOutputError, R>,
) -> BackendError {
    use ConverseStreamOutputError as Exception;
    in_stream(&error, |exception| match exception {
        Exception::InternalServerException(e) => Some(("InternalServerException", e.message(), None)),
        Exception::ModelStreamErrorException(e) => {
            Some(("ModelStreamErrorException", e.message(), e.original_status_code()))
        }
        Exception::ValidationException(e) => Some(("ValidationException", e.message(), None)),
        Exception::ThrottlingException(e) => Some(("ThrottlingException", e.message(), None)),
        Exception::ServiceUnavailableException(e) => Some(("ServiceUnavailableException", e.message(), None)),
        _ => None,
    })
}

/// A failure inside the stream of `InvokeModelWithResponseStream`.
pub(super) fn chunk<R: std::fmt::Debug + 'static>(error: SdkError<ResponseStreamError, R>) -> BackendError {
    use ResponseStreamError as Exception;
    in_stream(&error, |exception| match exception {
        Exception::InternalServerException(e) => Some(("InternalServerException", e.message(), None)),
        Exception::ModelStreamErrorException(e) => {
            Some(("ModelStreamErrorException", e.message(), e.original_status_code()))
        }
        Exception::ValidationException(e) => Some(("ValidationException", e.message(), None)),
        Exception::ThrottlingException(e) => Some(("ThrottlingException", e.message(), None)),
        Exception::ModelTimeoutException(e) => Some(("ModelTimeoutException", e.message(), None)),
        Exception::ServiceUnavailableException(e) => Some(("ServiceUnavailableException", e.message(), None)),
        _ => None,
    })
}

fn in_stream<E, R>(error: &SdkError<E, R>, modelled: impl Fn(&E) -> Option<Modelled<'_>>) -> BackendError
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let SdkError::ServiceError(service) = error else {
        // The answer had begun: what broke is the stream, not the way to it.
        let kind = if transport(error) == Kind::Unreachable { Kind::StreamCut } else { Kind::BadResponse };
        return BackendError::new(kind, cause(error));
    };
    // An exception that the stream has no variant for brings its text all the same.
    let meant = service.err().meta().message();
    let (what, message, kind) = match modelled(service.err()) {
        Some((code, message, original_status)) => {
            let message = message.or(meant).unwrap_or_default();
            let kind = by_code(code, message, STREAM_STATUS, original_status);
            (format!("{code}, in the stream"), message, kind)
        }
        None => {
            let message = meant.unwrap_or_default();
            let kind = if message.contains("timed out") { Kind::ModelTimedOut } else { Kind::ModelFailed };
            ("exception in the stream".to_owned(), message, kind)
        }
    };
    BackendError::new(kind, told(&what, message, kind))
}

fn before_stream<E>(error: &SdkError<E, HttpResponse>, original_status: Option<i32>) -> BackendError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let SdkError::ServiceError(service) = error else {
        return BackendError::new(transport(error), cause(error));
    };
    let metadata = service.err().meta();
    let code = metadata.code().unwrap_or("untyped");
    let message = metadata.message().unwrap_or_default();
    let status = service.raw().status().as_u16();
    let kind = by_code(code, message, status, original_status);
    let retry_after = service
        .raw()
        .headers()
        .get("x-amz-retry-after")
        .and_then(|text| text.trim().parse::<u64>().ok())
        .filter(|wait_ms| *wait_ms <= LONGEST_WAIT_MS)
        .map(Duration::from_millis);
    BackendError { kind, cause: told(&format!("{code}, status {status}"), message, kind), retry_after }
}

fn by_code(code: &str, message: &str, status: u16, original_status: Option<i32>) -> Kind {
    match code {
        "ThrottlingException" => throttling(message),
        "ModelNotReadyException" => Kind::NotReady,
        "ServiceUnavailableException" | "InternalServerException" => Kind::Unavailable,
        "ModelErrorException" | "ModelStreamErrorException" => model_error(original_status),
        "ModelTimeoutException" => Kind::ModelTimedOut,
        "ResourceNotFoundException" => Kind::ModelGone,
        "ServiceQuotaExceededException" => Kind::AccountQuotaExceeded,
        "ValidationException" => validation(message),
        // Said of a model that is asked to remember and cannot.
        "AccessDeniedException" if message.contains("prompt caching") => Kind::ParameterRejected,
        // Of a guardrail, which says nothing against the model: others may call it without.
        "AccessDeniedException" if message.contains("bedrock:ApplyGuardrail") => Kind::ParameterRejected,
        "AccessDeniedException" => Kind::AccessDenied,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignatureException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException" => Kind::CredentialsRejected,
        _ => by_status(status),
    }
}

/// For answers without a type we know: a proxy's page, or an untyped 429.
fn by_status(status: u16) -> Kind {
    match status {
        429 => Kind::Throttled,
        401 => Kind::CredentialsRejected,
        403 => Kind::AccessDenied,
        404 => Kind::ModelGone,
        408 => Kind::ModelTimedOut,
        424 => Kind::ModelFailed,
        500..=599 => Kind::Unavailable,
        // Bedrock types what it rejects; an untyped 4xx is somebody else's.
        _ => Kind::BadResponse,
    }
}

fn throttling(message: &str) -> Kind {
    if message.contains("per day") { Kind::DailyQuotaUsedUp } else { Kind::Throttled }
}

fn model_error(original_status: Option<i32>) -> Kind {
    match original_status {
        Some(400..=499) => Kind::ModelRefused,
        _ => Kind::ModelFailed,
    }
}

/// Sub-cases of `ValidationException`; apostrophes vary, so no pattern holds one.
fn validation(message: &str) -> Kind {
    let text = message.to_ascii_lowercase();
    let any = |patterns: &[&str]| patterns.iter().any(|pattern| text.contains(pattern));
    if any(&["input is too long", "prompt is too long", "input tokens exceeded", "maximum context length"]) {
        Kind::InputTooLong
    } else if any(&[
        "model identifier is invalid",
        "on-demand throughput",
        "end of its life",
        "support counting tokens",
    ]) {
        Kind::ModelGone
    } else if any(&[
        "support the temperature",
        "is deprecated for this model",
        "cannot both be specified",
        "support system messages",
        "maximum tokens you requested",
        "extraneous key",
        "service tier provided is invalid",
        "reservation not found",
        "guardrail identifier or version",
    ]) {
        Kind::ParameterRejected
    } else {
        Kind::RequestRejected
    }
}

fn transport<E, R>(error: &SdkError<E, R>) -> Kind
where
    E: Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match error {
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) if is_credentials_error(error) => {
            Kind::CredentialsRejected
        }
        SdkError::ConstructionFailure(_) => Kind::RequestRejected,
        SdkError::DispatchFailure(failure) if failure.is_user() => Kind::RequestRejected,
        SdkError::DispatchFailure(_) if is_no_http(error) => Kind::BadResponse,
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => Kind::Unreachable,
        _ => Kind::BadResponse,
    }
}

/// The credentials provider runs inside the call, so its failure looks like a transport fault.
fn is_credentials_error(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|inner| inner.is::<CredentialsError>())
}

/// Whoever listens there speaks something else: another protocol, or TLS.
fn is_no_http(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|inner| inner.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&inner| inner.source())
}

fn original_status(exception: &ModelErrorException) -> Option<i32> {
    exception.original_status_code()
}

/// What the log is told of a refusal. A message about what was sent could repeat
/// it, and what was sent holds the document: of those, the type has to do.
fn told(what: &str, message: &str, kind: Kind) -> String {
    // Of a guardrail, the message repeats nothing.
    if message.starts_with("The guardrail identifier") {
        return one_line(&format!("{what}: {message}"));
    }
    let about_what_was_sent = what.starts_with("ValidationException")
        || matches!(
            kind,
            Kind::RequestRejected
                | Kind::ParameterRejected
                | Kind::InputTooLong
                | Kind::ModelFailed
                | Kind::ModelRefused
                | Kind::BadResponse
        );
    if about_what_was_sent { what.to_owned() } else { one_line(&format!("{what}: {message}")) }
}

/// The chain of a transport fault; it holds no body.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    one_line(&chain(error).map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// Bounded: a proxy's whole page has no place in a log.
fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 300;
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::{Kind, by_code};

    #[test]
    fn every_modelled_exception_and_its_known_texts_have_a_kind() {
        let cases = [
            (
                "ThrottlingException",
                "Too many tokens, please wait before trying again.",
                429,
                Kind::Throttled,
            ),
            ("ThrottlingException", "Too many tokens per day, please wait.", 429, Kind::DailyQuotaUsedUp),
            ("ModelNotReadyException", "Model is not ready for inference.", 429, Kind::NotReady),
            ("", "", 429, Kind::Throttled),
            ("ServiceUnavailableException", "", 503, Kind::Unavailable),
            ("InternalServerException", "", 500, Kind::Unavailable),
            ("", "<html>", 502, Kind::Unavailable),
            ("ModelTimeoutException", "", 408, Kind::ModelTimedOut),
            ("ModelErrorException", "", 424, Kind::ModelFailed),
            ("ResourceNotFoundException", "end of its life", 404, Kind::ModelGone),
            ("ValidationException", "The provided model identifier is invalid.", 400, Kind::ModelGone),
            ("ValidationException", "with on-demand throughput isn\u{2019}t supported", 400, Kind::ModelGone),
            (
                "ValidationException",
                "The provided model doesn\u{2019}t support counting tokens.",
                400,
                Kind::ModelGone,
            ),
            ("ValidationException", "Input is too long for requested model.", 400, Kind::InputTooLong),
            (
                "ValidationException",
                "This model doesn't support the temperature field.",
                400,
                Kind::ParameterRejected,
            ),
            ("ValidationException", "The text field is blank.", 400, Kind::RequestRejected),
            ("AccessDeniedException", "", 403, Kind::AccessDenied),
            (
                "AccessDeniedException",
                "You invoked an unsupported model or your request did not allow prompt caching.",
                403,
                Kind::ParameterRejected,
            ),
            (
                "AccessDeniedException",
                "User: x is not authorized to perform: bedrock:ApplyGuardrail on resource: y",
                403,
                Kind::ParameterRejected,
            ),
            ("ValidationException", "Reservation not found.", 400, Kind::ParameterRejected),
            (
                "ValidationException",
                "The guardrail identifier or version provided in the request does not exist.",
                400,
                Kind::ParameterRejected,
            ),
            ("ExpiredTokenException", "", 403, Kind::CredentialsRejected),
            ("UnrecognizedClientException", "", 403, Kind::CredentialsRejected),
            ("ServiceQuotaExceededException", "", 400, Kind::AccountQuotaExceeded),
        ];
        for (code, message, status, kind) in cases {
            assert_eq!(by_code(code, message, status, None), kind, "{code} {message}");
        }
    }

    #[test]
    fn a_model_error_with_a_client_status_is_a_refusal() {
        assert_eq!(by_code("ModelErrorException", "", 424, Some(400)), Kind::ModelRefused);
        assert_eq!(by_code("ModelErrorException", "", 424, Some(500)), Kind::ModelFailed);
    }
}
