//! Cohere Command R and R+.
//!
//! The last event of a stream repeats the whole answer, which is not told twice.

use serde_json::{Value, json};

use super::asked::{Asked, put};
use super::cohere_command::stop;
use super::said::{Counts, Said};

pub(super) fn request(asked: Asked) -> Value {
    let mut body = json!({ "message": asked.user, "max_tokens": asked.max_tokens });
    put(&mut body, "preamble", asked.system);
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    body["text"].is_string().then(|| said(body))
}

pub(super) fn chunk(body: &Value) -> Said {
    match body["event_type"].as_str() {
        Some("text-generation") => said(body),
        _ => Said { text: String::new(), ..said(body) },
    }
}

fn said(body: &Value) -> Said {
    Said {
        text: body["text"].as_str().unwrap_or_default().to_owned(),
        thinks: false,
        stop: body["finish_reason"].as_str().map(stop),
        counts: Counts::default(),
    }
}
