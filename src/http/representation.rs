//! Chooses how the answer is written: `?stream=`, then the body's `stream`, then
//! `Accept`, then the text's name: whoever calls it `prompt` is the AI SDK's
//! `useCompletion`, which can say nothing else by itself. Else it is JSON.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use serde_json::Value;

use super::error::ApiError;
use crate::domain::FailureCode;
use crate::tasks::Fields;
use crate::telemetry::Dialect;

/// What `stream` may be, for messages.
const STREAM_VALUES: &str = "true, false, \"json\", \"sse\", \"ndjson\", \"text\", \"ui\"";

/// Chooses the dialect. A bad `stream` member is recorded as a problem of `fields`.
pub(super) fn choose(
    query: Option<&str>,
    fields: &mut Fields,
    headers: &HeaderMap,
) -> Result<Dialect, ApiError> {
    let from_body = match fields.value("stream") {
        None => None,
        Some(value) => {
            let dialect = match &value {
                Value::Bool(true) => Some(Dialect::Sse),
                Value::Bool(false) => Some(Dialect::Json),
                Value::String(word) => named(word),
                _ => None,
            };
            if dialect.is_none() {
                fields.problem("/stream", format!("`stream` must be one of {STREAM_VALUES}."));
            }
            dialect
        }
    };
    match query {
        Some(word) => named(word).ok_or_else(|| {
            let detail = format!("The query parameter `stream` must be one of {STREAM_VALUES}.");
            ApiError::detailed(FailureCode::ValidationFailed, detail)
        }),
        None => match from_body {
            Some(dialect) => Ok(dialect),
            None => Ok(accepted(headers)?.unwrap_or_else(|| usual(fields))),
        },
    }
}

fn named(word: &str) -> Option<Dialect> {
    match word {
        "true" | "1" | "sse" => Some(Dialect::Sse),
        "false" | "0" | "json" => Some(Dialect::Json),
        "ndjson" => Some(Dialect::Ndjson),
        "text" => Some(Dialect::Text),
        "ui" => Some(Dialect::Ui),
        _ => None,
    }
}

/// What a request gets that says nothing about it.
fn usual(fields: &Fields) -> Dialect {
    if fields.contains("prompt") { Dialect::Ui } else { Dialect::Json }
}

/// The acceptable media type with the highest quality; the first of equals. `None` is no wish:
/// every `fetch` sends `*/*`.
fn accepted(headers: &HeaderMap) -> Result<Option<Dialect>, ApiError> {
    let mut best: Option<(f32, Option<Dialect>)> = None;
    let mut any = false;
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')).filter(|range| !range.trim().is_empty()) {
        any = true;
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
        let dialect = match essence.as_str() {
            "*/*" => None,
            "application/json" | "application/*" | "application/problem+json" => Some(Dialect::Json),
            "text/event-stream" => Some(Dialect::Sse),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Dialect::Ndjson),
            "text/plain" | "text/*" => Some(Dialect::Text),
            _ => continue,
        };
        if quality > 0.0 && best.is_none_or(|(known, _)| quality > known) {
            best = Some((quality, dialect));
        }
    }
    match best {
        Some((_, dialect)) => Ok(dialect),
        None if any => Err(ApiError::new(FailureCode::NotAcceptable)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{accepted, choose};
    use crate::tasks::Fields;
    use crate::telemetry::Dialect;
    use axum::http::{HeaderMap, HeaderValue, header::ACCEPT};
    use serde_json::{Value, json};

    fn accept(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(value).unwrap())])
    }

    fn fields(body: Value) -> Fields {
        let Value::Object(members) = body else { panic!("an object") };
        Fields::new(members)
    }

    #[test]
    fn the_accept_header_chooses_by_quality_and_order() {
        let cases = [
            ("*/*", None),
            ("text/html, */*;q=0.8", None),
            ("application/json", Some(Dialect::Json)),
            ("application/json, text/plain, */*", Some(Dialect::Json)),
            ("text/event-stream", Some(Dialect::Sse)),
            ("application/x-ndjson", Some(Dialect::Ndjson)),
            ("application/jsonl", Some(Dialect::Ndjson)),
            ("text/plain", Some(Dialect::Text)),
            ("text/html, text/event-stream;q=0.5, application/json;q=0.9", Some(Dialect::Json)),
            ("application/json;q=0.1, TEXT/Event-Stream", Some(Dialect::Sse)),
        ];
        for (header, dialect) in cases {
            assert_eq!(accepted(&accept(header)).unwrap(), dialect, "{header}");
        }
        assert!(accepted(&accept("image/png")).is_err());
        assert!(accepted(&accept("application/json;q=0")).is_err());
        assert_eq!(accepted(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_text_called_prompt_makes_a_ui_stream_unless_anything_says_otherwise() {
        let chosen = |query: Option<&str>, body: Value, header: &str| {
            choose(query, &mut fields(body), &accept(header)).unwrap()
        };
        let prompt = json!({"prompt": "a"});
        assert_eq!(chosen(None, prompt.clone(), "*/*"), Dialect::Ui);
        assert_eq!(choose(None, &mut fields(prompt.clone()), &HeaderMap::new()).unwrap(), Dialect::Ui);
        assert_eq!(chosen(None, prompt.clone(), "application/json"), Dialect::Json);
        assert_eq!(chosen(None, prompt.clone(), "text/event-stream"), Dialect::Sse);
        assert_eq!(chosen(Some("text"), prompt, "*/*"), Dialect::Text);
        assert_eq!(chosen(None, json!({"prompt": "a", "stream": false}), "*/*"), Dialect::Json);
        assert_eq!(chosen(None, json!({"text": "a"}), "*/*"), Dialect::Json);
        assert_eq!(chosen(None, json!({"text": "a", "prompt": null}), "*/*"), Dialect::Json);
        assert_eq!(chosen(None, json!({"text": "a", "stream": "ui"}), "application/json"), Dialect::Ui);
    }

    #[test]
    fn the_query_beats_the_body_and_the_body_beats_the_header() {
        let sse = accept("text/event-stream");
        let chosen = |query: Option<&str>, body: Value| choose(query, &mut fields(body), &sse).unwrap();
        assert_eq!(chosen(Some("text"), json!({"stream": "ndjson"})), Dialect::Text);
        assert_eq!(chosen(None, json!({"stream": false})), Dialect::Json);
        assert_eq!(chosen(None, json!({"stream": true})), Dialect::Sse);
        assert_eq!(chosen(None, json!({})), Dialect::Sse);
    }

    #[test]
    fn an_unknown_stream_value_is_a_problem_at_its_pointer() {
        let mut fields = fields(json!({"stream": "morse"}));
        assert!(choose(None, &mut fields, &HeaderMap::new()).is_ok());
        let problems = fields.finish().unwrap_err();
        assert_eq!(problems[0].pointer, "/stream");
        assert!(choose(Some("morse"), &mut Fields::new(serde_json::Map::new()), &HeaderMap::new()).is_err());
    }
}
