//! Every error a client can see: one table from code to status, title and advice.
//!
//! No other place knows a status. What the client reads is written here; the
//! cause goes to the log through the request's record and never into an answer.
//! The shape is RFC 9457 (problem+json) with our members beside it.

mod response;

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::wire::{AttemptBody, FieldProblemBody, OpenAiError, Problem};
use crate::domain::{FailureCode, RequestId};
use crate::pipeline::admission::Refusal;
use crate::pipeline::{AttemptReport, Failure, PlanError};
use crate::tasks::FieldProblem;

pub(super) use response::ProblemCode;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
pub(super) const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
pub(super) const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// What to wait before trying again when nobody knows better.
const USUAL_WAIT: Duration = Duration::from_secs(2);
/// An expected wait is a guess: it is told within these bounds.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How many problems the one sentence about all of them tells.
const MAX_TOLD: usize = 3;

/// One row of the table.
pub(super) struct Row {
    pub status: StatusCode,
    pub title: &'static str,
    /// A sentence that whoever reads it can act on.
    pub detail: &'static str,
    pub retryable: bool,
}

/// The table.
pub(super) const fn row(code: FailureCode) -> Row {
    use FailureCode as C;
    use StatusCode as S;
    let (status, title, detail, retryable) = match code {
        C::MalformedBody => {
            (S::BAD_REQUEST, "Malformed request", "The body could not be read as JSON.", false)
        }
        C::NotFound => (
            S::NOT_FOUND,
            "Not found",
            "There is nothing at this path. GET /openapi.json lists every path.",
            false,
        ),
        C::OriginNotAllowed => (
            S::FORBIDDEN,
            "Origin not allowed",
            "A page of another site may not call this service. Its operator can allow the page's origin.",
            false,
        ),
        C::ModelNotFound => (
            S::NOT_FOUND,
            "Model not found",
            "There is no such model. A task is a model here, as in redraft/summarize; GET /v1/models lists them.",
            false,
        ),
        C::MethodNotAllowed => (
            S::METHOD_NOT_ALLOWED,
            "Method not allowed",
            "This path exists, but not for this method; the Allow header names the methods it has.",
            false,
        ),
        C::NotAcceptable => (
            S::NOT_ACCEPTABLE,
            "Not acceptable",
            "None of the media types in the Accept header can be made. Available: application/json, text/event-stream, application/x-ndjson, text/plain.",
            false,
        ),
        C::RequestTimeout => {
            (S::REQUEST_TIMEOUT, "Request timeout", "The body took too long to arrive. Send it again.", true)
        }
        C::PayloadTooLarge => (
            S::PAYLOAD_TOO_LARGE,
            "Payload too large",
            "The body has more bytes than the service reads.",
            false,
        ),
        C::InputTooLarge => (
            S::PAYLOAD_TOO_LARGE,
            "Input too large",
            "The text is too long for this task. Shorten it or send it in parts.",
            false,
        ),
        C::UnsupportedMediaType => (
            S::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported media type",
            "Send JSON, a document (plain text, Markdown, HTML, PDF or DOCX), or a form with the document in its field `file`, and say which in the header Content-Type.",
            false,
        ),
        C::ValidationFailed => (
            S::UNPROCESSABLE_ENTITY,
            "Validation failed",
            "Something in the request cannot be used as it is.",
            false,
        ),
        C::UnprocessableDocument => (
            S::UNPROCESSABLE_ENTITY,
            "Unprocessable document",
            "The document cannot be read: it is damaged or breaks the rules of its format.",
            false,
        ),
        C::ContentFiltered => (
            S::UNPROCESSABLE_ENTITY,
            "Content filtered",
            "The model or its content filter declined this text. Change the text and try again.",
            false,
        ),
        C::Cancelled => (S::REQUEST_TIMEOUT, "Cancelled", "The request was given up by the caller.", true),
        C::Internal => (
            S::INTERNAL_SERVER_ERROR,
            "Internal error",
            "Something went wrong in the service. Try again; if it happens again, report the request id.",
            true,
        ),
        C::UpstreamError => (
            S::BAD_GATEWAY,
            "Upstream error",
            "The language model failed while working on this text. Try again.",
            true,
        ),
        C::UpstreamAuth => (
            S::BAD_GATEWAY,
            "Upstream access denied",
            "The service is not allowed to use its language models. Its operator has to act.",
            false,
        ),
        C::UpstreamBadResponse => (
            S::BAD_GATEWAY,
            "Upstream bad response",
            "The language model gave no usable answer. Try again.",
            true,
        ),
        C::OutputInvalid => (
            S::BAD_GATEWAY,
            "Output invalid",
            "The language model's answer did not have the form that this task needs. Try again.",
            true,
        ),
        C::Overloaded => (
            S::SERVICE_UNAVAILABLE,
            "Overloaded",
            "The service has as many requests as it can take. Try again in a moment.",
            true,
        ),
        C::ModelCapacity => (
            S::SERVICE_UNAVAILABLE,
            "No model capacity",
            "All language models of this chain are busy. Try again in a moment.",
            true,
        ),
        C::AllModelsUnavailable => (
            S::SERVICE_UNAVAILABLE,
            "Models unavailable",
            "No language model of this chain can be reached at the moment. Try again later.",
            true,
        ),
        C::ShuttingDown => (
            S::SERVICE_UNAVAILABLE,
            "Shutting down",
            "This instance is about to stop. Try again; another one will answer.",
            true,
        ),
        C::UpstreamTimeout => (
            S::GATEWAY_TIMEOUT,
            "Upstream timeout",
            "The language model did not answer in time. Try again, or send a shorter text.",
            true,
        ),
        C::DeadlineExceeded => (
            S::GATEWAY_TIMEOUT,
            "Deadline exceeded",
            "The time set for this request ran out. Ask for a stream, send a longer X-Request-Timeout-Ms, or shorten the text.",
            true,
        ),
    };
    Row { status, title, detail, retryable }
}

/// An error on its way to a client.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub code: FailureCode,
    /// Replaces the table's sentence where more is known.
    pub detail: Option<String>,
    pub problems: Vec<FieldProblem>,
    pub retry_after: Option<Duration>,
    pub figures: Figures,
    /// For the log only. A client's mistake needs none: its code says it, and its text is
    /// not ours to log.
    pub cause: Option<String>,
    pub attempts: Vec<AttemptReport>,
    /// Where a media type was refused: whether files are, too.
    pub accepts_json_only: bool,
    /// Part of the body was not read, so the connection cannot be used again.
    pub body_unread: bool,
}

/// Numbers that belong to an error.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    pub limit_bytes: Option<usize>,
    /// Tokens of the text.
    pub requested: Option<u32>,
    /// Tokens that are allowed.
    pub quota: Option<u32>,
    /// Parts of the text, and those that are allowed.
    pub chunks: Option<u32>,
    pub max_chunks: Option<u32>,
    /// What the request would cost, and what it may cost.
    pub estimated_cost_usd: Option<f64>,
    pub max_cost_usd: Option<f64>,
}

impl ApiError {
    pub(super) fn new(code: FailureCode) -> Self {
        Self {
            code,
            detail: None,
            problems: Vec::new(),
            retry_after: None,
            figures: Figures::default(),
            cause: None,
            attempts: Vec::new(),
            accepts_json_only: false,
            body_unread: matches!(code, FailureCode::PayloadTooLarge | FailureCode::RequestTimeout),
        }
    }

    pub(super) fn detailed(code: FailureCode, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    pub(super) fn invalid(problems: Vec<FieldProblem>) -> Self {
        let detail = match problems.as_slice() {
            [one] => format!("One thing in the request cannot be used as it is: {}", one.detail),
            more => {
                // Many clients show this sentence and nothing else.
                let told: Vec<&str> = more.iter().take(MAX_TOLD).map(|problem| &*problem.detail).collect();
                let rest = if more.len() > MAX_TOLD { " `errors` lists the rest." } else { "" };
                let (count, told) = (more.len(), told.join(" "));
                format!("{count} things in the request cannot be used as they are: {told}{rest}")
            }
        };
        Self { problems, ..Self::detailed(FailureCode::ValidationFailed, detail) }
    }

    pub(super) fn detail(&self) -> &str {
        self.detail.as_deref().unwrap_or(row(self.code).detail)
    }

    /// How long to wait, for every answer that asks to come back.
    pub(super) fn wait(&self) -> Option<Duration> {
        let row = row(self.code);
        let asks = row.retryable && row.status.is_server_error();
        asks.then(|| self.retry_after.unwrap_or(USUAL_WAIT))
    }

    /// The body, as problem+json has it.
    pub(super) fn problem<'a>(&'a self, request_id: &'a RequestId) -> Problem<'a> {
        let row = row(self.code);
        Problem {
            kind: Some(format!("/problems/{}", self.code.as_str())),
            title: row.title,
            status: row.status.as_u16(),
            detail: self.detail(),
            instance: format!("urn:redraft:request:{request_id}"),
            code: self.code.as_str(),
            request_id: request_id.as_str(),
            retryable: row.retryable,
            retry_after_ms: self.wait().map(milliseconds),
            errors: self.problems.iter().map(FieldProblemBody::from).collect(),
            limit_bytes: self.figures.limit_bytes,
            requested: self.figures.requested,
            quota: self.figures.quota,
            chunks: self.figures.chunks,
            max_chunks: self.figures.max_chunks,
            estimated_cost_usd: self.figures.estimated_cost_usd,
            max_cost_usd: self.figures.max_cost_usd,
            attempts: self.attempts.iter().map(AttemptBody::from).collect(),
            partial: None,
            error: OpenAiError {
                message: self.detail(),
                kind: if row.status.is_client_error() { "invalid_request_error" } else { "server_error" },
                code: self.code.as_str(),
                param: self.problems.first().map(|problem| problem.pointer.as_str()),
            },
        }
    }
}

impl From<PlanError> for ApiError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::UnknownChain { known } => {
                let known = known.iter().map(String::as_str);
                Self::invalid(vec![unknown_chain(known)])
            }
            PlanError::InputTooLarge { requested, quota } => {
                let detail = format!(
                    "The text has about {requested} tokens; this task takes at most {quota}. Shorten it or send it in parts."
                );
                let figures =
                    Figures { requested: Some(requested), quota: Some(quota), ..Figures::default() };
                Self { figures, ..Self::detailed(FailureCode::InputTooLarge, detail) }
            }
            PlanError::ConversationTooLarge { requested, quota } => {
                let detail = format!(
                    "The text, the result and the instruction have about {requested} tokens together. A refinement is made at once, and no model of this chain takes so much: shorten the text or the result, or ask for another chain."
                );
                let figures = Figures { requested: Some(requested), quota, ..Figures::default() };
                Self { figures, ..Self::detailed(FailureCode::InputTooLarge, detail) }
            }
            PlanError::TooLongForSeveral { requested, quota } => {
                let detail = format!(
                    "The text has about {requested} tokens; several suggestions (`n`) are made only of a text that is worked on at once, with at most {quota}. Shorten the text or ask for one."
                );
                let figures =
                    Figures { requested: Some(requested), quota: Some(quota), ..Figures::default() };
                Self { figures, ..Self::detailed(FailureCode::InputTooLarge, detail) }
            }
            PlanError::TooManyChunks { chunks, max_chunks, requested, quota } => {
                let detail = format!(
                    "The text makes {chunks} parts; a request may have at most {max_chunks}. Shorten it or send it in several requests."
                );
                let figures = Figures {
                    requested: Some(requested),
                    quota: Some(quota),
                    chunks: Some(chunks),
                    max_chunks: Some(max_chunks),
                    ..Figures::default()
                };
                Self { figures, ..Self::detailed(FailureCode::InputTooLarge, detail) }
            }
            PlanError::CannotMerge => {
                let detail = "The models of this chain are too small to merge what the parts of so long a text give. Ask \
                              for another chain, or, of a summary, for `strategy: \"refine\"`; or send a shorter text.";
                Self::detailed(FailureCode::InputTooLarge, detail)
            }
            PlanError::TooExpensive { cost, most_cost, max_cost } => {
                let (cost, most_cost, max_cost) = (cost.usd(), most_cost.usd(), max_cost.usd());
                let detail = format!(
                    "The request could cost up to {most_cost:.2} USD; a request may cost at most {max_cost:.2} USD. Shorten the text or ask for a cheaper chain."
                );
                let figures = Figures {
                    estimated_cost_usd: Some(cost),
                    max_cost_usd: Some(max_cost),
                    ..Figures::default()
                };
                Self { figures, ..Self::detailed(FailureCode::InputTooLarge, detail) }
            }
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Overloaded { expected_wait } => Self {
                retry_after: expected_wait.map(|wait| wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)),
                ..Self::new(FailureCode::Overloaded)
            },
            Refusal::ShuttingDown => Self::new(FailureCode::ShuttingDown),
        }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        // Without a pointer, this code means that the model rejected what it was asked.
        let rejected = failure.code == FailureCode::ValidationFailed;
        let rejected =
            rejected.then_some("The language model did not accept this text. Change the text and try again.");
        let usual = rejected.unwrap_or(row(failure.code).detail);
        Self {
            // What is known of the place comes first, then what can be done.
            detail: failure
                .detail
                .map(|known| format!("{known} {usual}"))
                .or_else(|| rejected.map(str::to_owned)),
            retry_after: failure.retry_after,
            attempts: failure.attempts,
            ..Self::new(failure.code)
        }
    }
}

/// The problem of a chain name that is none, with those that are.
pub(super) fn unknown_chain<'a>(known: impl Iterator<Item = &'a str>) -> FieldProblem {
    let known: Vec<&str> = known.collect();
    FieldProblem {
        pointer: "/chain".to_owned(),
        detail: format!("There is no such chain. Chains: {}.", known.join(", ")),
    }
}

pub(super) async fn not_found(request: axum::extract::Request) -> Response {
    ApiError::new(FailureCode::NotFound).response(&id_of(&request))
}

pub(super) async fn method_not_allowed(request: axum::extract::Request) -> Response {
    ApiError::new(FailureCode::MethodNotAllowed).response(&id_of(&request))
}

/// The id that the edge gave; the operator's port has no edge.
pub(super) fn id_of<B>(request: &http::Request<B>) -> RequestId {
    request.extensions().get::<RequestId>().cloned().unwrap_or_else(RequestId::generate)
}

/// The page behind a problem's `type`.
pub fn describe_problem(code: &str) -> Option<String> {
    let code = FailureCode::ALL.into_iter().find(|known| known.as_str() == code)?;
    let row = row(code);
    let retry =
        if row.retryable { "Trying again can help." } else { "Trying again without a change does not help." };
    Some(format!(
        "{}\n\ncode: {}\nstatus: {}\n\n{}\n{retry}\n",
        row.title,
        code.as_str(),
        row.status.as_u16(),
        row.detail
    ))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
