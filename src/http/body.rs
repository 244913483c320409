//! Reads the bytes of a body, within bounds of size and time, and JSON out of them.
//!
//! Every way in which a body can be wrong ends here with an error of its own;
//! no text of the body is ever repeated in one.

use std::fmt;

use axum::body::Body as Incoming;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::Api;
use super::body_buffers::HeldBytes;
use super::error::{ApiError, Figures};
use crate::domain::FailureCode;
use crate::tasks::FieldProblem;
use crate::telemetry::RejectReason;

/// Names of members are short; a longer one is reported as unknown, not as doubled.
const LONGEST_POINTER_BYTES: usize = 64;
const FIRST_RESERVE_BYTES: usize = 64 * 1024;

/// The bytes of a body, which count as held until what comes with them is dropped.
pub(super) struct HeldBody {
    pub bytes: Bytes,
    pub held: HeldBytes,
}

/// Reads the members of the object that a JSON body holds.
pub(super) async fn read_object(
    headers: &HeaderMap,
    body: Incoming,
    api: &Api,
) -> Result<(Map<String, Value>, HeldBytes), ApiError> {
    if !is_json(&content_type(headers)) {
        return Err(ApiError::new(FailureCode::UnsupportedMediaType));
    }
    check_encoding(headers)?;
    let HeldBody { bytes, held } = read(headers, body, api, api.0.settings.max_body_bytes).await?;
    Ok((parse(&bytes)?, held))
}

/// Reads a body of at most so many bytes.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    api: &Api,
    max_bytes: usize,
) -> Result<HeldBody, ApiError> {
    let reading = timeout(api.0.settings.body_read_timeout, read_bytes(headers, body, api, max_bytes));
    tokio::select! {
        biased;
        read = reading => read.unwrap_or_else(|_elapsed| Err(ApiError::new(FailureCode::RequestTimeout))),
        // A body that is still coming at the end of a shutdown will not be worked on.
        () = api.0.pipeline.until_cut() => Err(ApiError::new(FailureCode::ShuttingDown)),
    }
}

/// The media type with its parameters; empty when there is none that can be read.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().trim().to_owned()
}

/// A media type without its parameters.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether it is JSON, also by its suffix.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            let detail = "Send the body uncompressed, without a Content-Encoding.";
            Err(ApiError::detailed(FailureCode::UnsupportedMediaType, detail))
        }
        _ => Ok(()),
    }
}

async fn read_bytes(
    headers: &HeaderMap,
    mut body: Incoming,
    api: &Api,
    max_bytes: usize,
) -> Result<HeldBody, ApiError> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(0);
    if announced > max_bytes {
        return Err(too_large(max_bytes));
    }
    let (mut bytes, mut held) = (BytesMut::new(), api.0.body_buffers.body());
    while let Some(frame) = body.frame().await {
        let broken = "The body ended before it was complete.";
        let frame = frame.map_err(|_| ApiError::detailed(FailureCode::MalformedBody, broken))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > max_bytes {
                return Err(too_large(max_bytes));
            }
            held.add(data.len()).map_err(|_full| buffers_full(api))?;
            if bytes.is_empty() {
                // What a client announces is reserved only so far; the rest grows as it comes.
                bytes.reserve(announced.min(FIRST_RESERVE_BYTES));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(HeldBody { bytes: bytes.freeze(), held })
}

pub(super) fn buffers_full(api: &Api) -> ApiError {
    let reason = RejectReason::BuffersFull.as_str();
    api.0.metrics.admission_rejected.with_label_values(&[reason]).inc();
    ApiError { body_unread: true, ..ApiError::new(FailureCode::Overloaded) }
}

fn too_large(limit_bytes: usize) -> ApiError {
    let detail = format!("The body has more than {limit_bytes} bytes, which is the most the service reads.");
    let figures = Figures { limit_bytes: Some(limit_bytes), ..Figures::default() };
    ApiError { figures, ..ApiError::detailed(FailureCode::PayloadTooLarge, detail) }
}

/// Reads a JSON object.
pub(super) fn parse(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    // Some editors and clients begin every text with a mark of its encoding.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let malformed = |detail: String| ApiError::detailed(FailureCode::MalformedBody, detail);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed("The body is empty. Send a JSON object.".to_owned()));
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(malformed("The body is not UTF-8 text.".to_owned()));
    }
    match serde_json::from_slice::<Body>(bytes) {
        Ok(Body::Object { members, twice }) if twice.is_empty() => Ok(members),
        Ok(Body::Object { twice, .. }) => Err(ApiError::invalid(twice)),
        Ok(Body::Other) => Err(ApiError::invalid(vec![FieldProblem {
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

/// A JSON text, as far as it is of use. A member that stands twice is a slip that
/// a map would hide, so it is noticed while reading.
enum Body {
    Object { members: Map<String, Value>, twice: Vec<FieldProblem> },
    Other,
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON text")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let (mut members, mut twice) = (Map::new(), Vec::new());
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            if members.insert(name, value).is_some() && pointer.len() <= LONGEST_POINTER_BYTES {
                twice.push(FieldProblem {
                    pointer,
                    detail: "This member stands twice; send it once.".to_owned(),
                });
            }
        }
        Ok(Body::Object { members, twice })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Body, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Body::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Body, E> {
        Ok(Body::Other)
    }

    fn visit_unit<E>(self) -> Result<Body, E> {
        Ok(Body::Other)
    }
}
