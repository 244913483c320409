//! Templates: the marks by which a prompt tells its turns.
//!
//! Owns the marks of each family and the cutting of a prompt at them. A prompt without any mark is
//! one user turn. A text that holds a mark is cut there, as a real model would take it.
//! The one rule it protects: marks are no part of any turn.

use super::turns::{Role, Turns};

type Mark = (&'static str, Role);

const LLAMA_3: [Mark; 3] = [
    ("<|start_header_id|>system<|end_header_id|>", Role::System),
    ("<|start_header_id|>user<|end_header_id|>", Role::User),
    ("<|start_header_id|>assistant<|end_header_id|>", Role::Assistant),
];
const LLAMA_4: [Mark; 3] = [
    ("<|header_start|>system<|header_end|>", Role::System),
    ("<|header_start|>user<|header_end|>", Role::User),
    ("<|header_start|>assistant<|header_end|>", Role::Assistant),
];
const INSTRUCTIONS: [Mark; 2] = [("[INST]", Role::User), ("[/INST]", Role::Assistant)];
const DEEPSEEK: [Mark; 2] = [("<｜User｜>", Role::User), ("<｜Assistant｜>", Role::Assistant)];
const TITAN: [Mark; 2] = [("\nUser:", Role::User), ("\nBot:", Role::Assistant)];
const CLAUDE: [Mark; 2] = [("\n\nHuman:", Role::User), ("\n\nAssistant:", Role::Assistant)];
/// Marks that say nothing of who speaks.
const ENDS: [&str; 9] = [
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|eot|>",
    "<|end_of_text|>",
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<think>",
    "<s>",
    "</s>",
];

/// Whether a prompt has marks that Llama alone has.
pub(super) fn is_llama(prompt: &str) -> bool {
    is_llama_3(prompt) || is_llama_4(prompt) || prompt.contains("<<SYS>>")
}

fn is_llama_3(prompt: &str) -> bool {
    prompt.contains("<|start_header_id|>")
}

pub(super) fn is_llama_4(prompt: &str) -> bool {
    prompt.contains("<|header_start|>")
}

pub(super) fn is_deepseek(prompt: &str) -> bool {
    prompt.contains("<｜")
}

/// The turns of a Llama prompt of any generation.
pub(super) fn llama(prompt: &str) -> Turns {
    if is_llama_4(prompt) {
        turns(prompt, &LLAMA_4)
    } else if is_llama_3(prompt) {
        turns(prompt, &LLAMA_3)
    } else {
        instructions(prompt)
    }
}

/// The turns of a prompt between `[INST]` and `[/INST]`, with a system text between `<<SYS>>` marks
/// or none.
pub(super) fn instructions(prompt: &str) -> Turns {
    let (system, rest) = match prompt.split_once("<<SYS>>").and_then(|(before, rest)| {
        let (system, after) = rest.split_once("<</SYS>>")?;
        Some((system, format!("{before}{after}")))
    }) {
        Some((system, rest)) => (system, rest),
        None => ("", prompt.to_owned()),
    };
    let mut turns = turns(&rest, &INSTRUCTIONS);
    let late = std::mem::take(&mut turns.system);
    turns.say(Role::System, bare(system));
    turns.say(Role::System, &late);
    turns
}

pub(super) fn deepseek(prompt: &str) -> Turns {
    turns(prompt, &DEEPSEEK)
}

pub(super) fn titan(prompt: &str) -> Turns {
    turns(&format!("\n{prompt}"), &TITAN)
}

/// The turns of a prompt of Claude 2. None if it does not begin with the human, or does not leave
/// the last word to the assistant.
pub(super) fn claude(prompt: &str) -> Option<Turns> {
    if !prompt.starts_with("\n\nHuman:") {
        return None;
    }
    let turns = turns(prompt, &CLAUDE);
    turns.ends_with_assistant.then_some(turns)
}

/// Cuts a prompt at its marks. What stands before the first is system text; without any mark the
/// whole is what the user says.
fn turns(prompt: &str, marks: &[Mark]) -> Turns {
    let mut found: Vec<(usize, Mark)> =
        marks.iter().flat_map(|mark| prompt.match_indices(mark.0).map(|(at, _)| (at, *mark))).collect();
    found.sort_unstable_by_key(|(at, _)| *at);
    let mut turns = Turns::default();
    let (mut role, mut start) = (if found.is_empty() { Role::User } else { Role::System }, 0);
    for (at, (mark, next)) in found {
        say(&mut turns, role, &prompt[start..at]);
        (role, start) = (next, at + mark.len());
    }
    say(&mut turns, role, &prompt[start..]);
    turns
}

fn say(turns: &mut Turns, role: Role, text: &str) {
    let text = bare(text);
    if role != Role::System || !text.is_empty() {
        turns.say(role, text);
    }
}

/// The text without the marks at its ends.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let before = text.len();
        for end in ENDS {
            text = text.strip_prefix(end).unwrap_or(text);
            text = text.strip_suffix(end).unwrap_or(text).trim();
        }
        if text.len() == before {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Speaker;

    fn said(turns: &Turns) -> (&str, &str) {
        (&turns.system, &turns.user_text)
    }

    #[test]
    fn what_was_said_before_is_heard_with_who_said_it() {
        let llama_2 =
            "<s>[INST] <<SYS>>\nBe short.\n<</SYS>>\n\nOne. [/INST] Two. </s><s>[INST] Hello. [/INST]";
        let mistral = "<s>[INST] One. [/INST] Two.</s>[INST] Hello. [/INST]";
        let llama_3 = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nOne.<|eot_id|>\
            <|start_header_id|>assistant<|end_header_id|>\n\nTwo.<|eot_id|>\
            <|start_header_id|>user<|end_header_id|>\n\nHello.<|eot_id|>\
            <|start_header_id|>assistant<|end_header_id|>\n\n";
        let deepseek_prompt = "<｜begin▁of▁sentence｜><｜User｜>One.<｜Assistant｜>Two.<｜end▁of▁sentence｜><｜User｜>Hello.<｜Assistant｜><think>\n";
        let dialogue = "User: One.\nBot: Two.\nUser: Hello.\nBot:";
        let humane = "\n\nHuman: One.\n\nAssistant: Two.\n\nHuman: Hello.\n\nAssistant:";
        for turns in [
            llama(llama_2),
            instructions(mistral),
            llama(llama_3),
            deepseek(deepseek_prompt),
            titan(dialogue),
            claude(humane).unwrap(),
        ] {
            let spoken: Vec<(Speaker, &str)> = turns.around.turns(&turns.user_text).collect();
            let (user, assistant) = (Speaker::User, Speaker::Assistant);
            assert_eq!(spoken[..3], [(user, "One."), (assistant, "Two."), (user, "Hello.")], "{turns:?}");
        }
    }

    #[test]
    fn each_template_tells_system_and_user() {
        let llama_2 = "<s>[INST] <<SYS>>\nBe short.\n<</SYS>>\n\nHello. [/INST]";
        let two_turns = "<s>[INST] One. [/INST] Answer.</s><s>[INST] Hello. [/INST]";
        let llama_3 = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe short.<|eot_id|>\
            <|start_header_id|>user<|end_header_id|>\n\nHello.<|eot_id|>\
            <|start_header_id|>assistant<|end_header_id|>\n\n";
        let llama_4 = "<|begin_of_text|><|header_start|>system<|header_end|>\n\nBe short.<|eot|>\
            <|header_start|>user<|header_end|>\n\nHello.<|eot|><|header_start|>assistant<|header_end|>\n\n";
        let deepseek_prompt = "<｜begin▁of▁sentence｜>Be short.<｜User｜>Hello.<｜Assistant｜><think>\n";
        let cases = [
            (llama(llama_2), "Be short.", "Hello."),
            (llama(llama_3), "Be short.", "Hello."),
            (llama(llama_4), "Be short.", "Hello."),
            (llama("Hello."), "", "Hello."),
            (instructions(two_turns), "", "Hello."),
            (deepseek(deepseek_prompt), "Be short.", "Hello."),
            (titan("Be short.\nUser: Hello.\nBot:"), "Be short.", "Hello."),
            (titan("User: Hello.\nBot:"), "", "Hello."),
            (titan("Hello."), "", "Hello."),
            (claude("\n\nHuman: Hello.\n\nAssistant:").unwrap(), "", "Hello."),
        ];
        for (turns, system, user) in cases {
            assert_eq!(said(&turns), (system, user));
        }
    }

    #[test]
    fn claude_begins_with_the_human_and_ends_with_the_assistant() {
        for prompt in ["Hello.", "\n\nHuman: Hello.", "Be short.\n\nHuman: Hello.\n\nAssistant:"] {
            assert_eq!(claude(prompt), None, "{prompt}");
        }
    }
}
