//! Anthropic text completions: Claude 2 and Instant.
//!
//! A prompt has to begin with the human and to leave the last word to the assistant.

use serde_json::{Value, json};

use super::asked::{Asked, Speaker, put};
use super::control::{Control, defuse};
use super::said::{Counts, Said};
use crate::inference::StopReason;

pub(super) const CONTROLS: &[Control] = &[Control::LineStart("Human:"), Control::LineStart("Assistant:")];

pub(super) fn request(asked: &Asked) -> Value {
    let mut dialogue = String::new();
    for (speaker, text) in asked.turns() {
        let name = match speaker {
            Speaker::User => "Human",
            Speaker::Assistant => "Assistant",
        };
        dialogue.push_str(&format!("\n\n{name}: {}", defuse(text, CONTROLS)));
    }
    let mut body = json!({
        "prompt": format!("{dialogue}\n\nAssistant:"),
        "max_tokens_to_sample": asked.max_tokens,
        "stop_sequences": ["\n\nHuman:"],
    });
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    body["completion"].is_string().then(|| chunk(body))
}

pub(super) fn chunk(body: &Value) -> Said {
    Said {
        text: body["completion"].as_str().unwrap_or_default().to_owned(),
        thinks: false,
        stop: body["stop_reason"].as_str().map(stop),
        counts: Counts::default(),
    }
}

fn stop(word: &str) -> StopReason {
    match word {
        "stop_sequence" => StopReason::EndTurn,
        "max_tokens" => StopReason::MaxTokens,
        _ => StopReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::stop;
    use crate::inference::StopReason as Stop;

    #[test]
    fn every_stop_reason_is_known() {
        for (word, reason) in
            [("stop_sequence", Stop::EndTurn), ("max_tokens", Stop::MaxTokens), ("bored", Stop::Other)]
        {
            assert_eq!(stop(word), reason, "{word}");
        }
    }
}
