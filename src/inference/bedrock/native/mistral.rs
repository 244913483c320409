//! Mistral in its prompt form: Mistral and Mixtral up to Large 2402.
//!
//! The body counts no tokens; only headers and metrics do.

use serde_json::{Value, json};

use super::asked::{Asked, Speaker, put};
use super::control::{Control, defuse};
use super::length_or_stop;
use super::said::{Counts, Said};

pub(super) const CONTROLS: &[Control] = &[
    Control::Anywhere("<s>"),
    Control::Anywhere("</s>"),
    Control::Anywhere("[INST]"),
    Control::Anywhere("[/INST]"),
    Control::Anywhere("[AVAILABLE_TOOLS]"),
    Control::Anywhere("[/AVAILABLE_TOOLS]"),
    Control::Anywhere("[TOOL_CALLS]"),
    Control::Anywhere("[TOOL_RESULTS]"),
    Control::Anywhere("[/TOOL_RESULTS]"),
];

pub(super) fn request(asked: &Asked) -> Value {
    let mut prompt = "<s>".to_owned();
    for (speaker, text) in asked.turns() {
        let text = defuse(text, CONTROLS);
        prompt.push_str(&match speaker {
            Speaker::User => format!("[INST] {text} [/INST]"),
            Speaker::Assistant => format!(" {text}</s>"),
        });
    }
    let mut body = json!({ "prompt": prompt, "max_tokens": asked.max_tokens });
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    body["outputs"].is_array().then(|| chunk(body))
}

pub(super) fn chunk(body: &Value) -> Said {
    let output = &body["outputs"][0];
    Said {
        text: output["text"].as_str().unwrap_or_default().to_owned(),
        thinks: false,
        stop: output["stop_reason"].as_str().map(length_or_stop),
        counts: Counts::default(),
    }
}
