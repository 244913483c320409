//! Reads the query string: how the answer is written and, where the body is a file,
//! the options of the request.

use axum::extract::Query;
use axum::http::Uri;
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::domain::FailureCode;

/// Options that are lists; in a query their entries are separated by commas.
const LISTS: [&str; 3] = ["include", "expected_input_languages", "expectedInputLanguages"];
/// Options that are numbers. All others are texts, whatever they look like.
const NUMBERS: [&str; 4] = ["paragraphs", "max_words", "maxWords", "n"];

/// The value of `stream`, if the query has one.
///
/// Other parameters are a problem: a misspelt `stream` would silently change
/// what comes back.
pub(super) fn stream_parameter(uri: &Uri) -> Result<Option<String>, ApiError> {
    let mut stream = None;
    for (name, value) in pairs(uri)? {
        if name != "stream" {
            let detail =
                "With a JSON body the only query parameter is `stream`; everything else goes into the body.";
            return Err(ApiError::detailed(FailureCode::ValidationFailed, detail));
        }
        if stream.replace(value).is_some() {
            return Err(given_twice());
        }
    }
    Ok(stream)
}

/// Every parameter as a member, and `stream` apart.
pub(super) fn options(uri: &Uri) -> Result<(Option<String>, Map<String, Value>), ApiError> {
    let (mut stream, mut members) = (None, Map::new());
    for (name, value) in pairs(uri)? {
        if name == "stream" {
            if stream.replace(value).is_some() {
                return Err(given_twice());
            }
        } else {
            add_option(&mut members, name, &value)?;
        }
    }
    Ok((stream, members))
}

/// Adds an option that was written as text.
pub(super) fn add_option(members: &mut Map<String, Value>, name: String, text: &str) -> Result<(), ApiError> {
    let value = if LISTS.contains(&name.as_str()) {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Value::from_iter(entries)
    } else if NUMBERS.contains(&name.as_str()) {
        // What is no number is told by the reader of the option.
        text.trim().parse::<u32>().map_or_else(|_| Value::from(text), Value::from)
    } else {
        Value::from(text)
    };
    add_member(members, name, value)
}

/// Adds an option that is there once at most.
pub(super) fn add_member(
    members: &mut Map<String, Value>,
    name: String,
    value: Value,
) -> Result<(), ApiError> {
    if members.insert(name, value).is_some() { Err(given_twice()) } else { Ok(()) }
}

fn given_twice() -> ApiError {
    ApiError::detailed(FailureCode::ValidationFailed, "An option was given twice; give each once.")
}

fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, ApiError> {
    let unreadable = "The query string cannot be read.";
    Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map(|Query(pairs)| pairs)
        .map_err(|_| ApiError::detailed(FailureCode::MalformedBody, unreadable))
}

#[cfg(test)]
mod tests {
    use super::{options, stream_parameter};
    use axum::http::Uri;
    use serde_json::json;

    #[test]
    fn options_are_read_as_what_they_are() {
        let query = "stream=sse&max_words=80&type=tldr&include=text,partials&context=2024&chain=A%20b";
        let uri: Uri = format!("/v1/summarize?{query}").parse().unwrap();
        let (stream, members) = options(&uri).unwrap();
        assert_eq!(stream.as_deref(), Some("sse"));
        let expected = json!({"max_words": 80, "type": "tldr", "include": ["text", "partials"], "context": "2024", "chain": "A b"});
        assert_eq!(serde_json::Value::Object(members), expected);
        assert!(options(&"/?a=1&a=2".parse().unwrap()).is_err());
        assert!(options(&"/?stream=sse&stream=text".parse().unwrap()).is_err());
        assert!(stream_parameter(&"/?stream=sse&stream=text".parse().unwrap()).is_err());
    }
}
