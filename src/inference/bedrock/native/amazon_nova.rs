//! Amazon Nova: the words of Converse in a body of its own.
//!
//! A chunk is an object whose one name says what it is.

use serde_json::{Value, json};

use super::asked::{Asked, Speaker, put};
use super::said::{Counts, Said};
use crate::inference::StopReason;

pub(super) fn request(asked: Asked) -> Value {
    let message =
        |(speaker, text): (Speaker, &str)| json!({ "role": speaker.role(), "content": [{ "text": text }] });
    let messages: Vec<Value> = asked.turns().map(message).collect();
    let mut body = json!({
        "schemaVersion": "messages-v1",
        "messages": messages,
        "inferenceConfig": { "maxTokens": asked.max_tokens },
    });
    put(&mut body, "system", asked.system.map(|system| json!([{ "text": system }])));
    put(&mut body["inferenceConfig"], "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    let blocks = body["output"]["message"]["content"].as_array()?;
    Some(Said {
        text: blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        thinks: blocks.iter().any(|block| block.get("text").is_none()),
        stop: body["stopReason"].as_str().map(stop),
        counts: counts(&body["usage"]),
    })
}

pub(super) fn chunk(body: &Value) -> Said {
    let delta = &body["contentBlockDelta"]["delta"];
    Said {
        text: delta["text"].as_str().unwrap_or_default().to_owned(),
        thinks: delta.is_object() && !delta["text"].is_string(),
        stop: body["messageStop"]["stopReason"].as_str().map(stop),
        counts: counts(&body["metadata"]["usage"]),
    }
}

fn counts(usage: &Value) -> Counts {
    let either = |name: &str, other: &str| usage[name].as_u64().or(usage[other].as_u64());
    Counts {
        input: usage["inputTokens"].as_u64(),
        output: usage["outputTokens"].as_u64(),
        cache_read: either("cacheReadInputTokenCount", "cacheReadInputTokens"),
        cache_write: either("cacheWriteInputTokenCount", "cacheWriteInputTokens"),
    }
}

fn stop(word: &str) -> StopReason {
    match word {
        "end_turn" | "stop_sequence" => StopReason::EndTurn,
        "max_tokens" => StopReason::MaxTokens,
        "model_context_window_exceeded" => StopReason::ContextWindowExceeded,
        "content_filtered" => StopReason::ContentFiltered,
        "guardrail_intervened" => StopReason::GuardrailIntervened,
        "malformed_model_output" | "malformed_tool_use" | "tool_use" => StopReason::Malformed,
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
            ("content_filtered", Stop::ContentFiltered),
            ("guardrail_intervened", Stop::GuardrailIntervened),
            ("malformed_model_output", Stop::Malformed),
            ("malformed_tool_use", Stop::Malformed),
            ("tool_use", Stop::Malformed),
            ("bored", Stop::Other),
        ] {
            assert_eq!(stop(word), reason, "{word}");
        }
    }
}
