//! Anthropic Messages: Claude 3 and later.
//!
//! Thinking stands in blocks and deltas of its own; only those of type text are the answer.

use serde_json::{Value, json};

use super::asked::{Asked, Speaker, put};
use super::said::{Counts, Said};
use crate::inference::StopReason;

pub(super) fn request(asked: Asked) -> Value {
    let message = |(speaker, text): (Speaker, &str)| json!({ "role": speaker.role(), "content": [{ "type": "text", "text": text }] });
    let messages: Vec<Value> = asked.turns().map(message).collect();
    let mut body = json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": asked.max_tokens,
        "messages": messages,
    });
    put(&mut body, "system", asked.system);
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    let blocks = body["content"].as_array()?;
    let is_text = |block: &&Value| block["type"] == "text";
    Some(Said {
        text: blocks.iter().filter(is_text).filter_map(|block| block["text"].as_str()).collect(),
        thinks: blocks.iter().any(|block| !is_text(&block)),
        stop: body["stop_reason"].as_str().map(stop),
        counts: counts(&body["usage"]),
    })
}

pub(super) fn chunk(body: &Value) -> Said {
    let mut said = Said::default();
    match body["type"].as_str() {
        Some("message_start") => said.counts = counts(&body["message"]["usage"]),
        Some("content_block_start") => said.thinks = body["content_block"]["type"] != "text",
        Some("content_block_delta") if body["delta"]["type"] == "text_delta" => {
            said.text = body["delta"]["text"].as_str().unwrap_or_default().to_owned();
        }
        Some("content_block_delta") => said.thinks = true,
        Some("message_delta") => {
            said.stop = body["delta"]["stop_reason"].as_str().map(stop);
            said.counts = counts(&body["usage"]);
        }
        _ => {}
    }
    said
}

fn counts(usage: &Value) -> Counts {
    Counts {
        input: usage["input_tokens"].as_u64(),
        output: usage["output_tokens"].as_u64(),
        cache_read: usage["cache_read_input_tokens"].as_u64(),
        cache_write: usage["cache_creation_input_tokens"].as_u64(),
    }
}

fn stop(word: &str) -> StopReason {
    match word {
        "end_turn" | "stop_sequence" => StopReason::EndTurn,
        "max_tokens" => StopReason::MaxTokens,
        "model_context_window_exceeded" => StopReason::ContextWindowExceeded,
        "refusal" => StopReason::ContentFiltered,
        // No tool was offered.
        "tool_use" => StopReason::Malformed,
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
            ("end_turn", Stop::EndTurn),
            ("stop_sequence", Stop::EndTurn),
            ("max_tokens", Stop::MaxTokens),
            ("model_context_window_exceeded", Stop::ContextWindowExceeded),
            ("refusal", Stop::ContentFiltered),
            ("tool_use", Stop::Malformed),
            ("pause_turn", Stop::Other),
        ] {
            assert_eq!(stop(word), reason, "{word}");
        }
    }
}
