//! Cohere Command R and R+.
//!
//! The last event of a stream repeats the whole answer, which is not told twice. What was
//! said before the last word of the user stands in a history of its own.

use serde_json::{Value, json};

use super::asked::{Asked, Speaker, put};
use super::cohere_command::stop;
use super::said::{Counts, Said};

pub(super) fn request(asked: Asked) -> Value {
    let mut turns: Vec<(Speaker, &str)> = asked.turns().collect();
    let (_, message) = turns.pop().unwrap_or((Speaker::User, ""));
    let mut body = json!({ "message": message, "max_tokens": asked.max_tokens });
    if !turns.is_empty() {
        let turn = |(speaker, text)| json!({ "role": role(speaker), "message": text });
        body["chat_history"] = turns.into_iter().map(turn).collect();
    }
    put(&mut body, "preamble", asked.system);
    put(&mut body, "temperature", asked.temperature);
    body
}

fn role(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::User => "USER",
        Speaker::Assistant => "CHATBOT",
    }
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
