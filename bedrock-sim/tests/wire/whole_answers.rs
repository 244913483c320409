//! Converse and CountTokens: answers in one JSON body, whole and broken.

use bedrock_sim::{Scenario, Sim};
use serde_json::json;

use crate::client::{Answer, End, Open, TEXT, call, converse, request, sim};

fn content(answer: &Answer) -> serde_json::Value {
    answer.json()["output"]["message"]["content"].clone()
}

#[tokio::test]
async fn a_healthy_answer_is_made_like_that_of_aws() {
    let sim = sim().await;
    let answer = converse(&sim, "us.amazon.nova-micro-v1:0").await;
    assert_eq!((answer.status, answer.end), (200, End::Whole));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["metrics", "output", "stopReason", "usage"]);
    let body = String::from_utf8(answer.body.clone()).unwrap();
    let places: Vec<usize> = keys.iter().map(|key| body.find(key.as_str()).unwrap()).collect();
    assert!(places.is_sorted(), "keys are in alphabetical order: {body}");
    assert_eq!(json["output"]["message"], json!({"content": [{"text": TEXT}], "role": "assistant"}));
    let usage = &json["usage"];
    let total = usage["inputTokens"].as_u64().unwrap() + usage["outputTokens"].as_u64().unwrap();
    assert_eq!(usage["totalTokens"], total);
    assert_eq!(usage["serverToolUsage"], json!({}));
}

#[tokio::test]
async fn contents_differ_by_scenario() {
    let sim = sim().await;
    let of = async |name: &str| content(&converse(&sim, &format!("sim.{name}")).await);
    assert_eq!(of("empty-content").await, json!([]));
    assert_eq!(of("empty-text").await, json!([{"text": ""}]));
    let reasoning = of("reasoning").await;
    assert!(reasoning[0]["reasoningContent"]["reasoningText"]["signature"].is_string());
    assert_eq!(reasoning[1]["text"], TEXT);
    let gpt_oss = of("gpt-oss-order").await;
    assert_eq!(gpt_oss[0]["text"], "");
    assert!(gpt_oss[1]["reasoningContent"]["reasoningText"]["signature"].is_null());
    assert_eq!(gpt_oss[2]["text"], TEXT);
    assert!(converse(&sim, "sim.end-without-metadata").await.json()["usage"].is_null());
    assert!(converse(&sim, "sim.unknown-event").await.json()["somethingNew"].is_object());
    assert_eq!(converse(&sim, "sim.empty-json").await.json(), json!({}));
}

#[tokio::test]
async fn broken_bodies_break_as_they_are_said_to() {
    let sim = sim().await;
    let cut = converse(&sim, "sim.cut-mid-frame").await;
    assert_eq!((cut.status, cut.end), (200, End::Cut));
    let announced: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert!(!cut.body.is_empty() && cut.body.len() < announced);
    for scenario in ["sim.end-without-message-stop", "sim.corrupt-crc", "sim.garbage-frames"] {
        let answer = converse(&sim, scenario).await;
        assert_eq!((answer.status, answer.end), (200, End::Whole), "{scenario}");
        assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err(), "{scenario}");
    }
    let cut = converse(&sim, "sim.cut-between-frames").await;
    assert_eq!((cut.status, cut.end, cut.header("content-length")), (200, End::Cut, None));
    assert!(!cut.body.is_empty());
    let reset = converse(&sim, "sim.reset-mid-stream").await;
    assert_eq!((reset.status, reset.end), (200, End::Reset));
    let mut stalled = Open::call(&sim, "sim.stalled-body", "converse").await;
    let answer = stalled.until(|answer| !answer.body.is_empty()).await;
    assert_eq!((answer.status, answer.end), (200, End::Cut));
    sim.set_scenario("*", Scenario::Trickle { gap_ms: 1 });
    let slow = converse(&sim, "sim.normal").await;
    assert_eq!(content(&slow), json!([{"text": TEXT}]));
}

#[tokio::test]
async fn a_stream_error_is_a_status_here() {
    let sim = sim().await;
    let cases = [
        ("sim.stream-internal-server", 500, "InternalServerException"),
        ("sim.stream-model-stream-error", 424, "ModelErrorException"),
        ("sim.stream-validation", 400, "ValidationException"),
        ("sim.stream-throttling-late", 429, "ThrottlingException"),
        ("sim.stream-service-unavailable", 503, "ServiceUnavailableException"),
    ];
    for (model, status, name) in cases {
        let answer = converse(&sim, model).await;
        assert_eq!(answer.status, status);
        assert!(answer.header("x-amzn-errortype").unwrap().starts_with(name));
    }
}

#[tokio::test]
async fn a_json_schema_is_followed() {
    let sim = sim().await;
    let schema =
        json!({"type": "object", "properties": {"points": {"type": "array", "items": {"type": "string"}}}});
    let mut body = request();
    body["outputConfig"] = json!({"textFormat": {
        "type": "json_schema",
        "structure": {"jsonSchema": {"schema": schema.to_string(), "name": "points"}},
    }});
    let answer = call(&sim, "us.anthropic.claude-sonnet-4-6", "converse", &body).await;
    let text = content(&answer)[0]["text"].as_str().unwrap().to_owned();
    let points: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(TEXT.contains(points["points"][0].as_str().unwrap()));
}

#[tokio::test]
async fn tokens_are_counted_as_they_are_billed() {
    let sim = sim().await;
    let mut body = request();
    body["system"] = json!([{"text": "Be short."}]);
    let billed = call(&sim, "us.anthropic.claude-haiku-4-5-20251001-v1:0", "converse", &body).await.json();
    let counted = count(&sim, "anthropic.claude-haiku-4-5-20251001-v1:0", &body).await;
    assert_eq!((counted.status, counted.end), (200, End::Whole));
    assert_eq!(counted.json(), json!({"inputTokens": billed["usage"]["inputTokens"]}));
    let refused = count(&sim, "us.anthropic.claude-haiku-4-5-20251001-v1:0", &body).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json(), json!({"message": "The provided model doesn't support counting tokens."}));
    assert_eq!(count(&sim, "sim.throttling", &body).await.status, 429);
}

async fn count(sim: &Sim, model: &str, converse: &serde_json::Value) -> Answer {
    call(sim, model, "count-tokens", &json!({"input": {"converse": converse}})).await
}
