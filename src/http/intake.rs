//! Takes a request in, in whatever body it came: JSON, a file, or a form with a file.
//!
//! Owns the choice by media type, and the two steps of a file: its bytes are read
//! with the body, and its text is extracted once the request's own time is known. It
//! parses no file itself. No text of a body is ever repeated in an error.

use axum::body::Body as Incoming;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{FromRequest as _, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::Api;
use super::body::{self, HeldBody};
use super::body_buffers::HeldBytes;
use super::error::{ApiError, Figures};
use super::query::{add_member, add_option, options, stream_parameter};
use crate::documents::{DocumentFormat, ExtractError, Note};
use crate::domain::FailureCode;
use crate::pipeline::{Deadline, Warning, WarningCode};
use crate::tasks::{FieldProblem, Fields};
use crate::telemetry::{DocumentKind, ReadResult};

/// A request as it came in.
pub(super) struct Intake {
    /// `stream` of the query.
    pub stream: Option<String>,
    pub fields: Fields,
    file: Option<File>,
    held: HeldBytes,
}

/// A file whose text is not known yet.
struct File {
    format: DocumentFormat,
    bytes: Bytes,
}

/// The field of a form that holds the file.
const FILE: &str = "file";
/// The field of a form that holds all options as a JSON object.
const OPTIONS: &str = "options";
/// The members that hold a text to work on.
pub(super) const TEXTS: [&str; 4] = ["text", "prompt", "input", "bullets"];

/// Reads the body, and the options wherever they stand.
pub(super) async fn read(parts: &Parts, body: Incoming, api: &Api) -> Result<Intake, ApiError> {
    let content_type = body::content_type(&parts.headers);
    body::check_encoding(&parts.headers)?;
    if body::is_json(&content_type) {
        return json(parts, body, api).await;
    }
    let max_bytes = api.0.settings.max_file_bytes;
    if body::essence(&content_type) == "multipart/form-data" {
        let (stream, members) = options(&parts.uri)?;
        let HeldBody { bytes, held } = body::read(&parts.headers, body, api, max_bytes).await?;
        let (members, file) = form(parts, bytes, members).await?;
        return Ok(Intake { stream, fields: Fields::of_text(members), file: Some(file), held });
    }
    let format = DocumentFormat::of_media_type(&content_type)
        .ok_or_else(|| ApiError::new(FailureCode::UnsupportedMediaType))?;
    let (stream, members) = options(&parts.uri)?;
    let HeldBody { bytes, held } = body::read(&parts.headers, body, api, max_bytes).await?;
    if bytes.is_empty() {
        let detail = "The body is empty. Send the document.";
        return Err(ApiError::detailed(FailureCode::MalformedBody, detail));
    }
    Ok(Intake { stream, fields: Fields::of_text(members), file: Some(File { format, bytes }), held })
}

/// Reads a body where no file is taken.
pub(super) async fn read_json(parts: &Parts, body: Incoming, api: &Api) -> Result<Intake, ApiError> {
    body::check_encoding(&parts.headers)?;
    if !body::is_json(&body::content_type(&parts.headers)) {
        let detail = "Send a JSON object, and say so in the header Content-Type: application/json.";
        return Err(ApiError {
            accepts_json_only: true,
            ..ApiError::detailed(FailureCode::UnsupportedMediaType, detail)
        });
    }
    json(parts, body, api).await
}

async fn json(parts: &Parts, body: Incoming, api: &Api) -> Result<Intake, ApiError> {
    let stream = stream_parameter(&parts.uri)?;
    let HeldBody { bytes, held } =
        body::read(&parts.headers, body, api, api.0.settings.max_body_bytes).await?;
    Ok(Intake { stream, fields: Fields::new(body::parse(&bytes)?), file: None, held })
}

impl Intake {
    /// Extracts the text of the file, if there is one, and puts it where a JSON body has it.
    /// Dropping the future ends the extraction.
    pub(super) async fn with_text(
        self,
        api: &Api,
        deadline: Deadline,
    ) -> Result<(Fields, HeldBytes, Vec<Warning>), ApiError> {
        let Self { mut fields, file, mut held, .. } = self;
        let Some(File { format, bytes }) = file else { return Ok((fields, held, Vec::new())) };
        if TEXTS.iter().any(|name| fields.contains(name)) {
            let detail = "The text comes from the file; send no `text` and no `bullets` beside it.";
            let problem = FieldProblem { pointer: "/text".to_owned(), detail: detail.to_owned() };
            return Err(ApiError::invalid(vec![problem]));
        }
        let kind = DocumentKind::from(format);
        let began = tokio::time::Instant::now();
        let outcome = tokio::select! {
            biased;
            outcome = api.0.extractor.extract(&format, bytes, deadline.at()) => outcome,
            // A document that is still read at the end of a shutdown will not be worked on.
            () = api.0.pipeline.until_cut() => return Err(ApiError::new(FailureCode::ShuttingDown)),
        };
        let metrics = &api.0.metrics;
        let result = outcome.as_ref().map_or_else(ReadResult::from, |_| ReadResult::Read);
        metrics.documents_read.with_label_values(&[kind.as_str(), result.as_str()]).inc();
        metrics
            .document_read_duration
            .with_label_values(&[kind.as_str()])
            .observe(began.elapsed().as_secs_f64());
        let document = outcome?;
        held.add(document.text.len()).map_err(|_full| body::buffers_full(api))?;
        let warnings = document.notes.iter().filter_map(|note| warning(*note)).collect();
        fields.set_default("text", document.text);
        Ok((fields, held, warnings))
    }
}

/// Reads the fields of a form; what the query said counts as well.
async fn form(
    parts: &Parts,
    bytes: Bytes,
    mut members: Map<String, Value>,
) -> Result<(Map<String, Value>, File), ApiError> {
    let request = Request::from_parts(parts.clone(), Incoming::from(bytes));
    let unreadable = || malformed("The form cannot be read: send multipart/form-data with its boundary.");
    let mut fields = Multipart::from_request(request, &()).await.map_err(|_| unreadable())?;
    let mut file = None;
    while let Some(field) = fields.next_field().await.map_err(|_| unreadable())? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            FILE if file.is_some() => return Err(malformed("A form holds one field `file`, not several.")),
            FILE => file = Some(read_file(field).await?),
            OPTIONS => {
                let text = field.bytes().await.map_err(|_| unreadable())?;
                for (name, value) in body::parse(&text)? {
                    add_member(&mut members, name, value)?;
                }
            }
            "" => return Err(malformed("A field of the form has no name.")),
            _ => {
                let text = field.text().await.map_err(|_| unreadable())?;
                add_option(&mut members, name, &text)?;
            }
        }
    }
    let missing = "The form has no field `file` with the document.";
    Ok((members, file.ok_or_else(|| malformed(missing))?))
}

/// What its part says it is; where that says nothing, its name.
async fn read_file(field: Field<'_>) -> Result<File, ApiError> {
    let content_type = field.content_type().unwrap_or_default().to_owned();
    let by_name = field.file_name().and_then(DocumentFormat::of_file_name);
    let says_nothing = content_type.is_empty() || content_type.starts_with("application/octet-stream");
    let format = match DocumentFormat::of_media_type(&content_type) {
        Some(format) => Some(format),
        None if says_nothing => by_name,
        None => None,
    };
    let format = format.ok_or_else(|| ApiError::new(FailureCode::UnsupportedMediaType))?;
    let bytes = field.bytes().await.map_err(|_| malformed("The file in the form cannot be read."))?;
    if bytes.is_empty() {
        return Err(malformed("The file in the form is empty."));
    }
    Ok(File { format, bytes })
}

fn malformed(detail: &str) -> ApiError {
    ApiError::detailed(FailureCode::MalformedBody, detail)
}

fn warning(note: Note) -> Option<Warning> {
    let (code, detail) = match note {
        Note::UndecodableBytes => (
            WarningCode::UndecodableBytes,
            "Some bytes of the file are no text in its charset and were replaced.",
        ),
        Note::PagesDropped => (WarningCode::PartlyRead, "Some pages of the file could not be read."),
        // Every illustrated text would say so.
        Note::ImagesDropped => return None,
    };
    Some(Warning { code, detail: detail.into() })
}

impl From<ExtractError> for ApiError {
    fn from(error: ExtractError) -> Self {
        use FailureCode as C;
        let (code, detail) = match &error {
            ExtractError::TypeMismatch => (
                C::UnsupportedMediaType,
                Some("The file is not of the type that it was sent as. Send it with its own media type."),
            ),
            ExtractError::Unsupported => (
                C::UnsupportedMediaType,
                Some("This service was built without a reader for this type of file."),
            ),
            ExtractError::NoText => (
                C::UnprocessableDocument,
                Some("The document holds no text. If it is a scan, send it through text recognition first."),
            ),
            ExtractError::Encrypted => {
                (C::UnprocessableDocument, Some("The document is locked by a password. Send it without one."))
            }
            ExtractError::Malformed | ExtractError::Crashed(_) => (C::UnprocessableDocument, None),
            ExtractError::OutOfMemory { .. } | ExtractError::OutOfTime => (
                C::UnprocessableDocument,
                Some("The document takes too much memory or time to read. Send a simpler or smaller one."),
            ),
            ExtractError::TooLarge { .. } => {
                (C::PayloadTooLarge, Some("The document holds more text than the service takes."))
            }
            ExtractError::Busy => (C::Overloaded, None),
            ExtractError::Deadline => (C::DeadlineExceeded, None),
            ExtractError::Spawn(_) => (C::Internal, None),
        };
        let limit_bytes = match &error {
            ExtractError::TooLarge { limit_bytes } => Some(*limit_bytes),
            _ => None,
        };
        Self {
            detail: detail.map(str::to_owned),
            cause: Some(error.to_string()),
            // The body was read to its end.
            body_unread: false,
            figures: Figures { limit_bytes, ..Figures::default() },
            ..Self::new(code)
        }
    }
}

impl From<DocumentFormat> for DocumentKind {
    fn from(format: DocumentFormat) -> Self {
        match format {
            DocumentFormat::PlainText { .. } => Self::PlainText,
            DocumentFormat::Markdown { .. } => Self::Markdown,
            DocumentFormat::Html { .. } => Self::Html,
            DocumentFormat::Pdf => Self::Pdf,
            DocumentFormat::Docx => Self::Docx,
        }
    }
}

impl From<&ExtractError> for ReadResult {
    fn from(error: &ExtractError) -> Self {
        match error {
            ExtractError::TypeMismatch => Self::TypeMismatch,
            ExtractError::Unsupported => Self::Unsupported,
            ExtractError::NoText => Self::NoText,
            ExtractError::Encrypted => Self::Encrypted,
            ExtractError::TooLarge { .. } => Self::TooLarge,
            ExtractError::Malformed => Self::Malformed,
            ExtractError::OutOfMemory { .. } => Self::OutOfMemory,
            ExtractError::OutOfTime => Self::OutOfTime,
            ExtractError::Crashed(_) => Self::Crashed,
            ExtractError::Busy => Self::Busy,
            ExtractError::Deadline => Self::Deadline,
            ExtractError::Spawn(_) => Self::NotStarted,
        }
    }
}
