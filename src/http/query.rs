//! Reads the query string: one parameter, strictly.

use axum::http::Uri;

use super::error::ApiError;
use crate::domain::FailureCode;

/// The value of `stream`, if the query has one.
///
/// Other parameters are a problem: a misspelt `stream` would silently change
/// what comes back.
pub(super) fn stream_parameter(uri: &Uri) -> Result<Option<String>, ApiError> {
    let mut stream = None;
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name != "stream" {
            let detail = "The only query parameter is `stream`; everything else goes into the body.";
            return Err(ApiError::detailed(FailureCode::ValidationFailed, detail));
        }
        stream = Some(value.to_owned());
    }
    Ok(stream)
}
