//! The request to an upstream: a Bedrock request in the words of chat completions.
//!
//! Owns what is passed on: the texts of all turns, the bounds of the answer, and the JSON schema
//! that it has to follow. Images, files that are no text and tools that need not be used stay behind.
//! The one rule it protects: every text that a Bedrock model would read is passed on as it is.

use serde::Serialize;
use serde_json::Value;

use crate::request::{ConverseRequest, Speaker};

/// Servers want a name for a schema, and do nothing with it.
const SCHEMA_NAME: &str = "answer";

#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: NamedSchema<'a>,
}

#[derive(Serialize)]
struct NamedSchema<'a> {
    name: &'static str,
    schema: &'a Value,
}

/// The body of the request for a stream of the answer.
pub(super) fn body(model: &str, asked: &ConverseRequest) -> Vec<u8> {
    let system = (!asked.system.is_empty()).then_some((Speaker::System, asked.system.as_str()));
    let turns = asked.around.turns(&asked.user_text).filter(|(_, text)| !text.is_empty());
    let message = |(speaker, content): (Speaker, _)| Message { role: speaker.as_str(), content };
    let request = ChatRequest {
        model,
        messages: system.into_iter().chain(turns).map(message).collect(),
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        max_tokens: asked.inference.max_tokens,
        temperature: asked.inference.temperature,
        top_p: asked.inference.top_p,
        stop: &asked.inference.stop_sequences,
        response_format: asked.answer_schema().map(|schema| ResponseFormat {
            kind: "json_schema",
            json_schema: NamedSchema { name: SCHEMA_NAME, schema },
        }),
    };
    serde_json::to_vec(&request).expect("texts and numbers can be written as JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(body_of_converse: &Value) -> Value {
        let asked = ConverseRequest::read("sim.normal", body_of_converse.to_string().as_bytes()).unwrap();
        serde_json::from_slice(&body("small", &asked)).unwrap()
    }

    #[test]
    fn every_turn_is_passed_on_in_its_order() {
        let converse = json!({
            "system": [{"text": "Be short."}, {"text": "Be kind."}],
            "messages": [
                {"role": "user", "content": [{"text": "One."}, {"text": "Two."}]},
                {"role": "assistant", "content": [{"text": "Yes."}]},
                {"role": "user", "content": [{"text": "Three."}]},
                {"role": "assistant", "content": [{"text": "Sure:"}]},
            ],
            "inferenceConfig": {"maxTokens": 50, "temperature": 0.5, "topP": 0.25, "stopSequences": ["END"]},
        });
        let expected = json!({
            "model": "small",
            "messages": [
                {"role": "system", "content": "Be short.\nBe kind."},
                {"role": "user", "content": "One.\nTwo."},
                {"role": "assistant", "content": "Yes."},
                {"role": "user", "content": "Three."},
                {"role": "assistant", "content": "Sure:"},
            ],
            "stream": true,
            "stream_options": {"include_usage": true},
            "max_tokens": 50,
            "temperature": 0.5,
            "top_p": 0.25,
            "stop": ["END"],
        });
        assert_eq!(sent(&converse), expected);
    }

    #[test]
    fn a_schema_of_a_text_or_of_a_forced_tool_is_the_format_of_the_response() {
        let schema = json!({"type": "object", "properties": {"title": {"type": "string"}}});
        let user = json!([{"role": "user", "content": [{"text": "One."}]}]);
        let text_format =
            json!({"type": "json_schema", "structure": {"jsonSchema": {"schema": schema.to_string()}}});
        let tool = json!({"toolSpec": {"name": "t", "inputSchema": {"json": schema}}});
        let tool_config = json!({"tools": [tool], "toolChoice": {"tool": {"name": "t"}}});
        for asked in [
            json!({"messages": user, "outputConfig": {"textFormat": text_format}}),
            json!({"messages": user, "toolConfig": tool_config}),
        ] {
            let format = &sent(&asked)["response_format"];
            assert_eq!(format["type"], "json_schema", "{asked}");
            assert_eq!(format["json_schema"]["schema"], schema);
        }
        assert_eq!(sent(&json!({"messages": user})).get("response_format"), None);
    }
}
