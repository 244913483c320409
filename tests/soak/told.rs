//! Reads what a client heard, as the API documents it, and refuses everything else.
//!
//! The one rule it protects: a failure has a code of the closed list and the request's own id.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hyper::{HeaderMap, StatusCode};
use redraft::domain::FailureCode;
use serde_json::Value;

use crate::client::Heard;
use crate::shape::{Dialect, Shape};
use crate::sse::Transcript;

/// What an answer says.
pub(super) enum Told {
    Complete(Complete),
    Failed {
        code: String,
        /// What was heard before.
        text: String,
    },
    /// The client did not wait for the end.
    Left,
}

pub(super) struct Complete {
    pub(super) text: String,
    /// Only two representations have a place for it.
    pub(super) finish: Option<String>,
    /// Whether the answer warned that it is cut short.
    pub(super) truncated: bool,
}

pub(super) fn understand(shape: &Shape, heard: Heard) -> Result<Told, String> {
    match heard {
        Heard::Left => Ok(Told::Left),
        Heard::Nothing(why) => Err(why),
        Heard::Answer { status, headers, body, cut } => {
            let reading = || read(shape, status, &headers, body, cut);
            // The reader of streams asserts as it reads.
            catch_unwind(AssertUnwindSafe(reading)).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                Err(text.unwrap_or_else(|| "the answer has another shape".to_owned()))
            })
        }
    }
}

fn read(
    shape: &Shape,
    status: StatusCode,
    headers: &HeaderMap,
    body: Vec<u8>,
    cut: bool,
) -> Result<Told, String> {
    let id = shape.request_id();
    if headers.get("x-request-id").is_none_or(|given| given != id.as_str()) {
        return Err("the answer carries another request id".to_owned());
    }
    let text = String::from_utf8(body).map_err(|_| "the body is not UTF-8".to_owned())?;
    if cut && (shape.dialect != Dialect::Text || status != StatusCode::OK) {
        return Err(format!("the connection broke after {} bytes", text.len()));
    }
    if status != StatusCode::OK {
        return refusal(shape, status, &text, &id);
    }
    match shape.dialect {
        Dialect::Json => {
            let answer = json(&text)?;
            let warnings = answer["warnings"].as_array().ok_or("no warnings")?;
            Ok(Told::Complete(Complete {
                text: string(&answer, "text")?,
                finish: Some(string(&answer, "finish_reason")?),
                truncated: warnings.iter().any(|warning| warning["code"] == "truncated"),
            }))
        }
        Dialect::Compat => {
            let answer = json(&text)?;
            let names = ["summary", "rephrased_text", "expanded_text"];
            let name = names.into_iter().find(|name| answer[name].is_string()).ok_or("no text")?;
            Ok(Told::Complete(Complete { text: string(&answer, name)?, finish: None, truncated: false }))
        }
        Dialect::Text if cut => Ok(Told::Failed { code: "(connection cut)".to_owned(), text }),
        Dialect::Text => Ok(Told::Complete(Complete { text, finish: None, truncated: false })),
        Dialect::Sse => events(&Transcript::of_sse(&text), &id),
        Dialect::Ndjson => events(&Transcript::of_lines(&text), &id),
    }
}

fn refusal(shape: &Shape, status: StatusCode, text: &str, id: &str) -> Result<Told, String> {
    let problem = json(text)?;
    if shape.dialect == Dialect::Compat {
        string(&problem, "error")?;
        return Ok(Told::Failed { code: status.as_str().to_owned(), text: String::new() });
    }
    if problem["status"] != status.as_u16() {
        return Err(format!("status {status} with the problem of another: {text}"));
    }
    Ok(Told::Failed { code: documented(&problem, id)?, text: String::new() })
}

fn events(transcript: &Transcript, id: &str) -> Result<Told, String> {
    transcript.assert_grammar();
    if transcript.one("start")["request_id"] != id {
        return Err("the stream carries another request id".to_owned());
    }
    let text = transcript.text();
    let last = transcript.frames.last().ok_or("no event")?;
    if last.kind == "error" {
        if last.data["partial"] == text.is_empty() {
            return Err(format!("`partial` does not say whether something was sent: {}", last.data));
        }
        return Ok(Told::Failed { code: documented(&last.data, id)?, text });
    }
    if last.data.get("text").is_some_and(|repeated| *repeated != *text) {
        return Err("`done` repeats another text".to_owned());
    }
    let truncated = transcript.all("warning").any(|warning| warning.data["code"] == "truncated");
    let finish = Some(string(&last.data, "finish_reason")?);
    Ok(Told::Complete(Complete { text, finish, truncated }))
}

fn documented(problem: &Value, id: &str) -> Result<String, String> {
    let code = string(problem, "code")?;
    let known = FailureCode::ALL.iter().any(|known| known.as_str() == code);
    if !known || code == FailureCode::Internal.as_str() {
        return Err(format!("a failure that nobody documents: {problem}"));
    }
    if problem["request_id"] != id {
        return Err(format!("a failure with another request id: {problem}"));
    }
    Ok(code)
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

fn string(value: &Value, name: &str) -> Result<String, String> {
    value[name].as_str().map(str::to_owned).ok_or_else(|| format!("no {name}"))
}
