//! Cohere Command.
//!
//! Whether an answer is to be streamed stands in the body, too. Chunks come as pieces of text, or, where
//! that was not heard, in the shape of whole answers.

use serde_json::{Value, json};

use super::Delivery;
use super::asked::{Asked, put};
use super::said::{Counts, Said};
use crate::inference::StopReason;

pub(super) fn request(asked: &Asked) -> Value {
    let streams = asked.delivery == Delivery::Streamed;
    let mut body = json!({ "prompt": asked.folded(), "max_tokens": asked.max_tokens, "stream": streams });
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    body["generations"].is_array().then(|| said(&body["generations"][0]))
}

pub(super) fn chunk(body: &Value) -> Said {
    match body.get("generations") {
        Some(generations) => said(&generations[0]),
        None => said(body),
    }
}

fn said(piece: &Value) -> Said {
    Said {
        text: piece["text"].as_str().unwrap_or_default().to_owned(),
        thinks: false,
        stop: piece["finish_reason"].as_str().map(stop),
        counts: Counts::default(),
    }
}

/// Of Command and of Command R.
pub(super) fn stop(word: &str) -> StopReason {
    match word {
        "COMPLETE" | "STOP_SEQUENCE" => StopReason::EndTurn,
        "MAX_TOKENS" => StopReason::MaxTokens,
        "ERROR_LIMIT" => StopReason::ContextWindowExceeded,
        "ERROR_TOXIC" => StopReason::ContentFiltered,
        "ERROR" => StopReason::Malformed,
        _ => StopReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::{chunk, stop};
    use crate::inference::StopReason as Stop;
    use serde_json::json;

    #[test]
    fn every_stop_reason_is_known() {
        for (word, reason) in [
            ("COMPLETE", Stop::EndTurn),
            ("STOP_SEQUENCE", Stop::EndTurn),
            ("MAX_TOKENS", Stop::MaxTokens),
            ("ERROR_LIMIT", Stop::ContextWindowExceeded),
            ("ERROR_TOXIC", Stop::ContentFiltered),
            ("ERROR", Stop::Malformed),
            ("USER_CANCEL", Stop::Other),
        ] {
            assert_eq!(stop(word), reason, "{word}");
        }
    }

    #[test]
    fn a_chunk_may_have_the_shape_of_an_answer() {
        let said = chunk(&json!({ "generations": [{ "text": "a", "finish_reason": "COMPLETE" }] }));
        assert_eq!((said.text.as_str(), said.stop), ("a", Some(Stop::EndTurn)));
    }
}
