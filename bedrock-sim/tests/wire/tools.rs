//! Tools whose use is forced, as a way to structured output; and models that take neither.

use bedrock_sim::Sim;
use serde_json::{Value, json};

use crate::client::{Answer, TEXT, call, kinds, request, sim, text_of};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-6";

fn tool(name: &str) -> Value {
    let points = json!({"type": "array", "items": {"type": "string"}, "maxItems": 2});
    let schema = json!({"type": "object", "properties": {"points": points}, "required": ["points"]});
    json!({"toolSpec": {"name": name, "description": "Takes points.", "inputSchema": {"json": schema}}})
}

fn with_choice(choice: &Value) -> Value {
    let mut body = request();
    body["toolConfig"] = json!({"tools": [tool("take_points")]});
    if !choice.is_null() {
        body["toolConfig"]["toolChoice"] = choice.clone();
    }
    body
}

fn forced() -> Value {
    with_choice(&json!({"tool": {"name": "take_points"}}))
}

async fn refused(sim: &Sim, model: &str, body: &Value) -> Vec<String> {
    let mut messages = Vec::new();
    for operation in ["converse", "converse-stream"] {
        let answer: Answer = call(sim, model, operation, body).await;
        assert_eq!(answer.status, 400, "{model}: {answer:?}");
        assert!(answer.header("x-amzn-errortype").unwrap().starts_with("ValidationException"));
        messages.push(answer.json()["message"].as_str().unwrap().to_owned());
    }
    messages.dedup();
    messages
}

#[tokio::test]
async fn a_forced_tool_is_used_with_an_input_of_its_schema() {
    let sim = sim().await;
    for choice in [json!({"tool": {"name": "take_points"}}), json!({"any": {}})] {
        let json = call(&sim, CLAUDE, "converse", &with_choice(&choice)).await.json();
        assert_eq!(json["stopReason"], "tool_use");
        let content = json["output"]["message"]["content"].as_array().unwrap();
        let [block] = content.as_slice() else { panic!("{content:?}") };
        let used = &block["toolUse"];
        assert_eq!(used["name"], "take_points");
        assert!(used["toolUseId"].as_str().unwrap().starts_with("tooluse_"));
        let points = used["input"]["points"].as_array().unwrap();
        assert_eq!(points.len(), 2);
        assert!(points.iter().all(|point| TEXT.contains(point.as_str().unwrap())), "{points:?}");
        let record = sim.calls().pop().unwrap();
        assert_eq!(record.text.as_deref(), Some(used["input"].to_string().as_str()));
        assert_eq!(json["usage"]["outputTokens"], record.billed_output_tokens);
    }
}

#[tokio::test]
async fn a_streamed_tool_use_has_a_start_and_its_input_in_pieces() {
    let sim = sim().await;
    let events = call(&sim, CLAUDE, "converse-stream", &forced()).await.events();
    assert_eq!(
        kinds(&events),
        [
            "messageStart",
            "contentBlockStart",
            "contentBlockDelta",
            "contentBlockStop",
            "messageStop",
            "metadata"
        ]
    );
    let start = &events[1].payload;
    assert_eq!(
        (&start["contentBlockIndex"], &start["start"]["toolUse"]["name"]),
        (&json!(0), &json!("take_points"))
    );
    assert!(start["start"]["toolUse"]["toolUseId"].as_str().unwrap().starts_with("tooluse_"));
    let pieces: Vec<&str> =
        events.iter().filter_map(|event| event.payload["delta"]["toolUse"]["input"].as_str()).collect();
    assert!(pieces.len() > 2 && text_of(&events).is_empty());
    let input: Value = serde_json::from_str(&pieces.concat()).unwrap();
    assert!(TEXT.contains(input["points"][0].as_str().unwrap()));
    assert_eq!(events[events.len() - 2].payload["stopReason"], "tool_use");
    let record = sim.calls().pop().unwrap();
    assert_eq!(record.deltas_sent as usize, pieces.len());
    assert_eq!(record.text, Some(pieces.concat()));
    assert_eq!(events.last().unwrap().payload["usage"]["outputTokens"], record.billed_output_tokens);
}

#[tokio::test]
async fn a_model_that_reasons_does_so_before_it_uses_a_tool() {
    let sim = sim().await;
    let model = "us.anthropic.claude-sonnet-5-5";
    let events = call(&sim, model, "converse-stream", &forced()).await.events();
    let start = events.iter().find(|event| event.kind() == "contentBlockStart").unwrap();
    assert_eq!(start.payload["contentBlockIndex"], 1);
    let json = call(&sim, model, "converse", &forced()).await.json();
    let content = &json["output"]["message"]["content"];
    assert!(content[0]["reasoningContent"].is_object() && content[1]["toolUse"].is_object());
}

#[tokio::test]
async fn a_tool_use_that_is_cut_has_no_input_and_ends_with_the_limit() {
    let sim = sim().await;
    let mut body = forced();
    body["inferenceConfig"] = json!({"maxTokens": 5});
    let json = call(&sim, CLAUDE, "converse", &body).await.json();
    assert_eq!(json["stopReason"], "max_tokens");
    assert_eq!(json["output"]["message"]["content"][0]["toolUse"]["input"], json!({}));
}

#[tokio::test]
async fn tools_that_need_not_be_used_change_nothing() {
    let sim = sim().await;
    for choice in [Value::Null, json!({"auto": {}})] {
        let json = call(&sim, CLAUDE, "converse", &with_choice(&choice)).await.json();
        assert_eq!(json["output"]["message"]["content"], json!([{"text": TEXT}]));
        assert_eq!(json["stopReason"], "end_turn");
    }
    let empty = call(&sim, "sim.empty-content", "converse", &forced()).await.json();
    assert_eq!(empty["output"]["message"]["content"], json!([]));
    let kinds_of_empty = call(&sim, "sim.empty-content", "converse-stream", &forced()).await.events();
    assert_eq!(kinds(&kinds_of_empty), ["messageStart", "messageStop", "metadata"]);
}

#[tokio::test]
async fn models_refuse_what_they_do_not_take() {
    let sim = sim().await;
    let with_tools = with_choice(&Value::Null);
    for model in ["us.deepseek.r1-v1:0", "meta.llama3-8b-instruct-v1:0"] {
        assert_eq!(refused(&sim, model, &with_tools).await, ["This model doesn't support tool use."]);
    }
    let mut with_schema = request();
    with_schema["outputConfig"] = json!({"textFormat": {
        "type": "json_schema",
        "structure": {"jsonSchema": {"schema": "{\"type\":\"object\"}"}},
    }});
    let text = "This model doesn't support the outputConfig.textFormat field. Remove \
                outputConfig.textFormat and try again.";
    for model in ["us.meta.llama4-scout-17b-instruct-v1:0", "openai.gpt-6-sol", "us.writer.palmyra-x5-v1:0"] {
        assert_eq!(refused(&sim, model, &with_schema).await, [text], "{model}");
    }
    for model in [CLAUDE, "amazon.nova-micro-v1:0", "openai.gpt-oss-20b-1:0"] {
        assert_eq!(call(&sim, model, "converse", &with_schema).await.status, 200, "{model}");
    }
    let unknown = with_choice(&json!({"tool": {"name": "other"}}));
    assert!(refused(&sim, CLAUDE, &unknown).await[0].contains("none of the tools"));
}
