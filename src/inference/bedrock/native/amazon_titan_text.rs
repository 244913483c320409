//! Amazon Titan Text.
//!
//! A prompt is a dialogue of lines; the input's tokens stand in the first chunk and the
//! output's in the last.

use serde_json::{Value, json};

use super::asked::{Asked, Speaker, put};
use super::control::{Control, defuse};
use super::said::{Counts, Said};
use crate::inference::StopReason;

pub(super) const CONTROLS: &[Control] = &[Control::LineStart("User:"), Control::LineStart("Bot:")];

pub(super) fn request(asked: &Asked) -> Value {
    let mut dialogue = String::new();
    for (speaker, text) in asked.turns() {
        let name = match speaker {
            Speaker::User => "User",
            Speaker::Assistant => "Bot",
        };
        dialogue.push_str(&format!("{name}: {}\n", defuse(text, CONTROLS)));
    }
    let mut body = json!({
        "inputText": format!("{dialogue}Bot:"),
        "textGenerationConfig": { "maxTokenCount": asked.max_tokens },
    });
    put(&mut body["textGenerationConfig"], "temperature", asked.temperature);
    body
}

pub(super) fn answer(body: &Value) -> Option<Said> {
    let results = body["results"].as_array()?;
    let last = results.last().unwrap_or(&Value::Null);
    Some(Said {
        text: results.iter().filter_map(|result| result["outputText"].as_str()).collect(),
        thinks: false,
        stop: last["completionReason"].as_str().map(stop),
        counts: Counts {
            input: body["inputTextTokenCount"].as_u64(),
            output: last["tokenCount"].as_u64(),
            ..Counts::default()
        },
    })
}

pub(super) fn chunk(body: &Value) -> Said {
    Said {
        text: body["outputText"].as_str().unwrap_or_default().to_owned(),
        thinks: false,
        stop: body["completionReason"].as_str().map(stop),
        counts: Counts {
            input: body["inputTextTokenCount"].as_u64(),
            output: body["totalOutputTextTokenCount"].as_u64(),
            ..Counts::default()
        },
    }
}

fn stop(word: &str) -> StopReason {
    match word {
        "FINISH" | "FINISHED" | "STOP_CRITERIA_MET" => StopReason::EndTurn,
        "LENGTH" => StopReason::MaxTokens,
        "CONTENT_FILTERED" => StopReason::ContentFiltered,
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
            ("FINISH", Stop::EndTurn),
            ("FINISHED", Stop::EndTurn),
            ("STOP_CRITERIA_MET", Stop::EndTurn),
            ("LENGTH", Stop::MaxTokens),
            ("CONTENT_FILTERED", Stop::ContentFiltered),
            ("BORED", Stop::Other),
        ] {
            assert_eq!(stop(word), reason, "{word}");
        }
    }
}
