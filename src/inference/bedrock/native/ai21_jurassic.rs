//! AI21 Jurassic-2, which writes no streams.

use serde_json::{Value, json};

use super::asked::{Asked, put};
use super::said::{Counts, Said};
use crate::inference::StopReason;

pub(super) fn request(asked: &Asked) -> Value {
    let mut body = json!({ "prompt": asked.folded(), "maxTokens": asked.max_tokens });
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    body["completions"].as_array()?;
    let completion = &body["completions"][0];
    Some(Said {
        text: completion["data"]["text"].as_str().unwrap_or_default().to_owned(),
        thinks: false,
        stop: completion["finishReason"]["reason"].as_str().map(stop),
        counts: Counts::default(),
    })
}

fn stop(word: &str) -> StopReason {
    match word {
        "endoftext" | "stop" => StopReason::EndTurn,
        "length" => StopReason::MaxTokens,
        _ => StopReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::stop;
    use crate::inference::StopReason as Stop;

    #[test]
    fn every_stop_reason_is_known() {
        for (word, reason) in [
            ("endoftext", Stop::EndTurn),
            ("stop", Stop::EndTurn),
            ("length", Stop::MaxTokens),
            ("bored", Stop::Other),
        ] {
            assert_eq!(stop(word), reason, "{word}");
        }
    }
}
