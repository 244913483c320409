//! Reads a JSON object from a request, within bounds of bytes and time.
//!
//! Every way in which a body can be wrong ends here with an error of its own;
//! no text of the body is ever repeated in one.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::HttpSettings;
use super::error::{ApiError, Figures};
use crate::domain::FailureCode;
use crate::tasks::FieldProblem;

/// Reads the members of the object that the body holds.
pub(super) async fn read_object(
    headers: &HeaderMap,
    body: Body,
    settings: &HttpSettings,
) -> Result<Map<String, Value>, ApiError> {
    check_media_type(headers)?;
    let bytes = read_bytes(headers, body, settings.max_body_bytes, settings.body_read_timeout).await?;
    parse(&bytes)
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map(|essence| essence.trim().to_ascii_lowercase());
    match essence {
        Some(essence) if essence == "application/json" || is_json_suffix(&essence) => Ok(()),
        _ => Err(ApiError::new(FailureCode::UnsupportedMediaType)),
    }
}

fn is_json_suffix(essence: &str) -> bool {
    essence.starts_with("application/") && essence.ends_with("+json")
}

async fn read_bytes(
    headers: &HeaderMap,
    mut body: Body,
    max_bytes: usize,
    time: Duration,
) -> Result<Bytes, ApiError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(0);
    if announced > max_bytes {
        return Err(too_large(max_bytes));
    }
    let reading = async {
        let mut bytes = BytesMut::with_capacity(announced);
        while let Some(frame) = body.frame().await {
            let broken = "The body ended before it was complete.";
            let frame = frame.map_err(|_| ApiError::detailed(FailureCode::MalformedBody, broken))?;
            if let Ok(data) = frame.into_data() {
                if bytes.len() + data.len() > max_bytes {
                    return Err(too_large(max_bytes));
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes.freeze())
    };
    timeout(time, reading).await.unwrap_or_else(|_elapsed| Err(ApiError::new(FailureCode::RequestTimeout)))
}

fn too_large(limit_bytes: usize) -> ApiError {
    let detail = format!("The body has more than {limit_bytes} bytes, which is the most the service reads.");
    let figures = Figures { limit_bytes: Some(limit_bytes), ..Figures::default() };
    ApiError { figures, ..ApiError::detailed(FailureCode::PayloadTooLarge, detail) }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let malformed = |detail: String| ApiError::detailed(FailureCode::MalformedBody, detail);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed("The body is empty. Send a JSON object.".to_owned()));
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(malformed("The body is not UTF-8 text.".to_owned()));
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(ApiError::invalid(vec![FieldProblem {
            pointer: String::new(),
            detail: "The body must be a JSON object.".to_owned(),
        }])),
        Err(error) => Err(malformed(format!(
            "The body is not valid JSON: it breaks at line {}, column {}.",
            error.line(),
            error.column()
        ))),
    }
}
