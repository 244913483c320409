//! Meta Llama: one body for all generations, and a template for each.
//!
//! The generations differ in the tokens that part the turns; which generation a model is
//! of, its format says.

use serde_json::{Value, json};

use super::asked::{Asked, Later, put};
use super::control::{Control, defuse};
use super::length_or_stop;
use super::said::{Counts, Said};

/// Of Llama 2. The template of Mistral is made of the same.
pub(super) const CONTROLS_2: &[Control] = &[
    Control::Anywhere("<s>"),
    Control::Anywhere("</s>"),
    Control::Anywhere("[INST]"),
    Control::Anywhere("[/INST]"),
    Control::Anywhere("<<SYS>>"),
    Control::Anywhere("<</SYS>>"),
];
/// Of Llama 3 and 4: whatever stands between `<|` and `|>`, so that none is forgotten.
pub(super) const CONTROLS_3: &[Control] = &[Control::Token];

pub(super) fn request_2(asked: &Asked) -> Value {
    let user = defuse(&asked.user, CONTROLS_2);
    let rules = match &asked.system {
        Some(system) => format!("<<SYS>>\n{}\n<</SYS>>\n\n", defuse(system, CONTROLS_2)),
        None => String::new(),
    };
    let mut prompt = format!("<s>[INST] {rules}{user} [/INST]");
    for Later { assistant, user } in &asked.later {
        let (assistant, user) = (defuse(assistant, CONTROLS_2), defuse(user, CONTROLS_2));
        prompt.push_str(&format!(" {assistant} </s><s>[INST] {user} [/INST]"));
    }
    body(asked, prompt)
}

pub(super) fn request_3(asked: &Asked) -> Value {
    let turn = |role: &str| format!("<|start_header_id|>{role}<|end_header_id|>\n\n");
    body(asked, in_turns(asked, turn, "<|eot_id|>"))
}

pub(super) fn request_4(asked: &Asked) -> Value {
    let turn = |role: &str| format!("<|header_start|>{role}<|header_end|>\n\n");
    body(asked, in_turns(asked, turn, "<|eot|>"))
}

fn in_turns(asked: &Asked, turn: impl Fn(&str) -> String, end: &str) -> String {
    let rules = asked.system.iter().map(|system| ("system", system.as_str()));
    let turns = asked.turns().map(|(speaker, text)| (speaker.role(), text));
    let mut prompt = "<|begin_of_text|>".to_owned();
    for (role, text) in rules.chain(turns) {
        prompt.push_str(&turn(role));
        prompt.push_str(&defuse(text, CONTROLS_3));
        prompt.push_str(end);
    }
    prompt + &turn("assistant")
}

fn body(asked: &Asked, prompt: String) -> Value {
    let mut body = json!({ "prompt": prompt, "max_gen_len": asked.max_tokens });
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    body["generation"].is_string().then(|| chunk(body))
}

pub(super) fn chunk(body: &Value) -> Said {
    Said {
        text: body["generation"].as_str().unwrap_or_default().to_owned(),
        thinks: false,
        stop: body["stop_reason"].as_str().map(length_or_stop),
        counts: Counts {
            input: body["prompt_token_count"].as_u64(),
            output: body["generation_token_count"].as_u64(),
            ..Counts::default()
        },
    }
}
