//! Chat completions in the manner of OpenAI: gpt-oss, Qwen, Kimi, GLM, AI21 Jamba and
//! most imported models.
//!
//! gpt-oss writes its reasoning into the text, which `prose` takes out; others have a
//! member of its own for it.

use serde_json::{Value, json};

use super::asked::{Asked, put};
use super::said::{Counts, Said};
use crate::inference::StopReason;

pub(super) fn request(asked: &Asked) -> Value {
    let rules = asked.system.iter().map(|system| ("system", system.as_str()));
    let turns = asked.turns().map(|(speaker, text)| (speaker.role(), text));
    let messages: Vec<Value> =
        rules.chain(turns).map(|(role, text)| json!({ "role": role, "content": text })).collect();
    let mut body = json!({ "messages": messages, "max_tokens": asked.max_tokens });
    put(&mut body, "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    body["choices"].is_array().then(|| chunk(body))
}

/// The last chunks have no choice: they bring the usage, or nothing.
pub(super) fn chunk(body: &Value) -> Said {
    let choice = &body["choices"][0];
    let message = choice.get("delta").unwrap_or(&choice["message"]);
    let reasons = |name: &str| message[name].as_str().is_some_and(|text| !text.is_empty());
    // Mistral calls it otherwise.
    let reason = choice["finish_reason"].as_str().or(choice["stop_reason"].as_str());
    Said {
        text: text(&message["content"]),
        thinks: reasons("reasoning_content") || reasons("reasoning"),
        stop: reason.map(stop),
        counts: Counts {
            input: body["usage"]["prompt_tokens"].as_u64(),
            output: body["usage"]["completion_tokens"].as_u64(),
            ..Counts::default()
        },
    }
}

/// Content is a text, or a list of blocks some of which are text.
fn text(content: &Value) -> String {
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts = blocks.iter().filter(|block| block["type"] == "text").map(|block| &block["text"]);
    [content].into_iter().chain(texts).filter_map(Value::as_str).collect()
}

fn stop(word: &str) -> StopReason {
    match word {
        "stop" => StopReason::EndTurn,
        "length" => StopReason::MaxTokens,
        "content_filter" => StopReason::ContentFiltered,
        // No tool was offered.
        "tool_calls" | "function_call" => StopReason::Malformed,
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
            ("stop", Stop::EndTurn),
            ("length", Stop::MaxTokens),
            ("content_filter", Stop::ContentFiltered),
            ("tool_calls", Stop::Malformed),
            ("function_call", Stop::Malformed),
            ("bored", Stop::Other),
        ] {
            assert_eq!(stop(word), reason, "{word}");
        }
    }

    #[test]
    fn reasoning_in_a_member_of_its_own_and_blocks_that_are_no_text_are_passed_over() {
        let content = json!([
            { "type": "text", "text": "a" }, { "type": "thinking", "thinking": "x" }, { "type": "text", "text": "b" },
        ]);
        let said =
            chunk(&json!({ "choices": [{ "message": { "content": content, "reasoning_content": "x" } }] }));
        assert_eq!((said.text.as_str(), said.thinks), ("ab", true));
        let said = chunk(&json!({ "choices": [{ "delta": { "content": null, "reasoning": "x" } }] }));
        assert_eq!((said.text.as_str(), said.thinks), ("", true));
    }
}
