//! Writes an error as an answer: its status, its headers, its body.
//!
//! What is told stands in the table and in the error itself. The rule it protects: the
//! headers say the same as the body, in whichever shape the body is.

use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};

use super::{ACCEPT_POST, ApiError, PROBLEM_JSON, RETRY_AFTER_MS, X_SHOULD_RETRY, milliseconds, row};
use crate::documents::DocumentFormat;
use crate::domain::{FailureCode, RequestId};

impl ApiError {
    /// The answer as problem+json.
    pub(in crate::http) fn response(&self, request_id: &RequestId) -> Response {
        let body =
            serde_json::to_vec(&self.problem(request_id)).expect("strings and numbers always serialize");
        let mut response = self.with_headers(body);
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response
    }

    /// The answer with another body: the status and headers stay the same.
    pub(in crate::http) fn with_headers(&self, body: impl IntoResponse) -> Response {
        let row = row(self.code);
        let mut response = (row.status, body).into_response();
        let headers = response.headers_mut();
        headers
            .insert(X_SHOULD_RETRY, HeaderValue::from_static(if row.retryable { "true" } else { "false" }));
        if let Some(wait) = self.wait() {
            headers.insert(RETRY_AFTER, HeaderValue::from(milliseconds(wait).div_ceil(1000).max(1)));
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(milliseconds(wait)));
        }
        if self.code == FailureCode::UnsupportedMediaType {
            let json = HeaderValue::from_static("application/json");
            headers.insert(ACCEPT_POST, if self.accepts_json_only { json } else { accept_post() });
        }
        if self.body_unread || self.code == FailureCode::ShuttingDown {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.extensions_mut().insert(ProblemCode(self.code));
        response
    }
}

/// What bodies may be.
fn accept_post() -> HeaderValue {
    let types = ["application/json", "multipart/form-data"].into_iter();
    let types: Vec<&str> = types.chain(DocumentFormat::MEDIA_TYPES.iter().copied()).collect();
    HeaderValue::from_str(&types.join(", ")).expect("media types are visible ASCII")
}

/// Tells the layers above which error an answer carries.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct ProblemCode(pub FailureCode);
