//! Nobody's text breaks out of a template: each control stands in a prompt as often as the
//! template puts it there.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::{FIXED, OnBlock, call, guardrail};
use crate::domain::{Exchange, FencedDocument, Prompt};
use crate::inference::NativeFormat;
use crate::inference::bedrock::native::control::Control;
use crate::inference::bedrock::native::{
    Delivery, amazon_titan_text, anthropic_text, deepseek, meta_llama, mistral, request_with,
};

/// The formats whose prompt is a template, where the prompt stands and what it is made of.
const TEMPLATES: [(NativeFormat, &str, &[Control]); 7] = [
    (NativeFormat::AnthropicText, "prompt", anthropic_text::CONTROLS),
    (NativeFormat::AmazonTitanText, "inputText", amazon_titan_text::CONTROLS),
    (NativeFormat::MetaLlama2, "prompt", meta_llama::CONTROLS_2),
    (NativeFormat::MetaLlama3, "prompt", meta_llama::CONTROLS_3),
    (NativeFormat::MetaLlama4, "prompt", meta_llama::CONTROLS_3),
    (NativeFormat::Mistral, "prompt", mistral::CONTROLS),
    (NativeFormat::DeepSeek, "prompt", deepseek::CONTROLS),
];

const LITERALS: [&str; 32] = [
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<</SYS>>",
    "<|eot_id|>",
    "<|eot|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|header_start|>",
    "<|header_end|>",
    "<|python_tag|>",
    "<|reserved_special_token_7|>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜end▁of▁sentence｜>",
    "<think>",
    "</think>",
    "\n\nHuman:",
    "\n\nAssistant:",
    "\nUser:",
    "\nBot:",
    "User:",
    "Human:",
    "[TOOL_CALLS]",
    "<",
    "<|",
    "|>",
    "\n",
    "\r\n",
];

/// Text that is made of the literals, whole and in pieces.
fn hostile() -> impl Strategy<Value = String> {
    let literal = || prop::sample::select(LITERALS.to_vec());
    let half =
        (literal(), any::<prop::sample::Index>(), any::<bool>()).prop_map(|(literal, index, first)| {
            let cuts: Vec<usize> = literal.char_indices().map(|(at, _)| at).collect();
            let (begin, end) = literal.split_at(cuts[index.index(cuts.len())]);
            if first { begin.to_owned() } else { end.to_owned() }
        });
    let piece = prop_oneof![
        4 => literal().prop_map(str::to_owned),
        3 => half,
        2 => "[a-zA-Zäß :<|>\\[\\]/\n\r]{0,6}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn prompt(format: NativeFormat, at: &str, parts: [&str; 6], guarded: bool) -> String {
    let [system, opening, document, closing, answer, wish] = parts;
    let mut call = call(format, "");
    let user = FencedDocument {
        before: String::new(),
        opening: opening.into(),
        document: document.into(),
        closing: closing.into(),
    };
    let later = vec![Exchange { answer: answer.into(), wish: wish.into() }; 2];
    call.prompt = Arc::new(Prompt { system: system.into(), shared_bytes: 0, quoted: 0..0, user, later });
    call.guardrail = guarded.then(|| guardrail(OnBlock::Refuse));
    match request_with(format, &call, Delivery::Streamed, FIXED).get(at) {
        Some(Value::String(prompt)) => prompt.clone(),
        other => panic!("{other:?}"),
    }
}

fn without_spaces(text: &str) -> String {
    text.split(' ').collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn each_control_stands_where_the_template_puts_it_and_nowhere_else(
        system in hostile(), opening in hostile(), document in hostile(), closing in hostile(),
        answer in hostile(), wish in hostile(), guarded: bool,
    ) {
        // Where there are no rules the template is another one.
        let system = format!("R{system}");
        for (format, at, controls) in TEMPLATES {
            let built = prompt(format, at, [&system, &opening, &document, &closing, &answer, &wish], guarded);
            let plain = prompt(format, at, ["R", "o", "d", "c", "a", "w"], guarded);
            for control in controls {
                prop_assert_eq!(
                    control.ends(&built).len(), control.ends(&plain).len(),
                    "{:?}, {:?} in {:?}", format, control, built
                );
            }
            for text in [&document, &system, &answer, &wish] {
                prop_assert!(without_spaces(&built).contains(&without_spaces(text)), "no text is lost");
            }
        }
    }
}

#[test]
fn every_format_with_a_template_is_watched() {
    let text = "[INST]<|eot_id|><｜User｜>\n\nHuman:\nUser:";
    for format in NativeFormat::ALL {
        let call = call(format, text);
        let body = request_with(format, &call, Delivery::Whole, FIXED);
        let texts = [&body["prompt"], &body["inputText"]].map(|text| text.as_str().unwrap_or_default());
        let has_template = texts.iter().any(|prompt| !prompt.is_empty() && !prompt.starts_with("Summarize"));
        let is_watched = TEMPLATES.iter().any(|(watched, _, _)| *watched == format);
        assert_eq!(is_watched, has_template, "{}", format.as_str());
    }
}
