//! DeepSeek R1 and V3.1 in their prompt form.
//!
//! The template opens the reasoning, so an answer begins inside of it; `prose` knows where
//! it ends.

use serde_json::{Value, json};

use super::asked::{Asked, Speaker, put};
use super::control::{Control, defuse};
use super::length_or_stop;
use super::said::{Counts, Said};

/// Every token of the template begins with this bar of double width.
pub(super) const CONTROLS: &[Control] =
    &[Control::Anywhere("<｜"), Control::Anywhere("<think>"), Control::Anywhere("</think>")];

pub(super) fn request(asked: &Asked) -> Value {
    let mut turns = String::new();
    for (speaker, text) in asked.turns() {
        let text = defuse(text, CONTROLS);
        turns.push_str(&match speaker {
            Speaker::User => format!("<｜User｜>{text}"),
            // Without its reasoning, which the template leaves out of turns that are over.
            Speaker::Assistant => format!("<｜Assistant｜>{text}<｜end▁of▁sentence｜>"),
        });
    }
    let mut body = json!({
        "prompt": format!("<｜begin▁of▁sentence｜>{turns}<｜Assistant｜><think>\n"),
        "max_tokens": asked.max_tokens,
    });
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    body["choices"].is_array().then(|| chunk(body))
}

pub(super) fn chunk(body: &Value) -> Said {
    let choice = &body["choices"][0];
    Said {
        text: choice["text"].as_str().unwrap_or_default().to_owned(),
        thinks: false,
        stop: choice["stop_reason"].as_str().map(length_or_stop),
        counts: Counts::default(),
    }
}
