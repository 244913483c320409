//! Each family: a whole answer, a stream, the end for want of tokens, a malformed body.

use bedrock_sim::{CallRecord, Operation, Outcome, Scenario};
use serde_json::{Value, json};

use super::{METRICS, families, family, whole_chunks};
use crate::client::{SIGNED, TEXT, call, path, request, send, sim};

fn billed(call: &CallRecord) -> [u64; 2] {
    [call.billed_input_tokens, call.billed_output_tokens]
}

#[tokio::test]
async fn each_family_answers_in_its_own_words() {
    let sim = sim().await;
    for family in families() {
        let name = family.name;
        let answer = family.invoke(&sim).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
        let json = answer.json();
        assert_eq!(json.pointer(family.text), Some(&json!(TEXT)), "{name}: {json}");
        assert_eq!(json.pointer(family.reason), Some(&json!(family.reasons[0])), "{name}: {json}");
        let call = sim.calls().pop().unwrap();
        assert_eq!((call.operation, &call.outcome), (Operation::InvokeModel, &Outcome::Completed));
        assert_eq!(call.text.as_deref(), Some(TEXT));
        let header = |name: &str| answer.header(name).unwrap().parse::<u64>().unwrap();
        let counts =
            [header("x-amzn-bedrock-input-token-count"), header("x-amzn-bedrock-output-token-count")];
        assert!(answer.header("x-amzn-bedrock-invocation-latency").is_some());
        assert_eq!(counts, billed(&call), "{name}");
        if let Some(places) = family.usage {
            let told = places.map(|place| json.pointer(place).and_then(Value::as_u64).unwrap());
            assert_eq!(told, counts, "{name}");
        }
    }
}

#[tokio::test]
async fn each_family_streams_in_its_own_chunks() {
    let sim = sim().await;
    for family in families() {
        let name = family.name;
        let answer = family.stream(&sim).await;
        if name == "jurassic" {
            assert_eq!(answer.status, 400);
            assert!(answer.json()["message"].as_str().unwrap().contains("unsupported for streaming"));
            continue;
        }
        assert_eq!(answer.header("content-type"), Some("application/vnd.amazon.eventstream"));
        assert_eq!(answer.header("x-amzn-bedrock-content-type"), Some("application/json"));
        for event in answer.events() {
            let names: Vec<&str> = event.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, [":event-type", ":content-type", ":message-type"]);
            assert!(event.payload["p"].is_string() && event.payload.as_object().unwrap().len() == 2);
        }
        let chunks = whole_chunks(&answer);
        assert_eq!(family.text_of(&chunks), TEXT, "{name}");
        assert_eq!(family.reason_of(&chunks), Some(family.reasons[0]), "{name}");
        let (last, before) = chunks.split_last().unwrap();
        assert!(before.iter().all(|chunk| chunk[METRICS].is_null()), "{name}");
        let call = sim.calls().pop().unwrap();
        assert_eq!(call.operation, Operation::InvokeModelWithResponseStream);
        assert_eq!(call.outcome, Outcome::Completed);
        let metrics = &last[METRICS];
        assert_eq!(metrics["inputTokenCount"], call.billed_input_tokens, "{name}: {last}");
        assert_eq!(metrics["outputTokenCount"], call.billed_output_tokens, "{name}");
        assert!(metrics["invocationLatency"].as_u64() >= metrics["firstByteLatency"].as_u64());
        assert!(call.deltas_sent > 3, "{name}");
    }
}

#[tokio::test]
async fn each_family_ends_for_want_of_tokens() {
    let sim = sim().await;
    for family in families() {
        let family = family.short();
        let json = family.invoke(&sim).await.json();
        assert_eq!(json.pointer(family.text), Some(&json!("The bridge i")), "{}: {json}", family.name);
        assert_eq!(json.pointer(family.reason), Some(&json!(family.reasons[1])), "{}", family.name);
        assert_eq!(sim.calls().pop().unwrap().billed_output_tokens, 3);
        if family.name != "jurassic" {
            let chunks = whole_chunks(&family.stream(&sim).await);
            assert_eq!(family.text_of(&chunks), "The bridge i", "{}", family.name);
            assert_eq!(family.reason_of(&chunks), Some(family.reasons[1]), "{}", family.name);
        }
    }
}

#[tokio::test]
async fn each_family_refuses_a_member_it_does_not_know() {
    let sim = sim().await;
    for mut family in families() {
        family.body["no_such_member"] = json!(true);
        for answer in [family.invoke(&sim).await, family.stream(&sim).await] {
            assert_eq!(answer.status, 400, "{}", family.name);
            assert!(answer.header("x-amzn-errortype").unwrap().starts_with("ValidationException:"));
            assert_eq!(
                answer.json()["message"],
                "Malformed input request: #: extraneous key [no_such_member] is not permitted, please \
                 reformat your input and try again.",
                "{}",
                family.name
            );
        }
    }
}

#[tokio::test]
async fn the_events_of_claude_come_in_their_order() {
    let sim = sim().await;
    let mut claude = family("claude messages");
    claude.body["max_tokens"] = json!(2_000);
    claude.body["thinking"] = json!({"type": "enabled", "budget_tokens": 1_024});
    let chunks = whole_chunks(&claude.stream(&sim).await);
    let mut kinds: Vec<String> = chunks
        .iter()
        .map(|chunk| chunk["delta"]["type"].as_str().or(chunk["type"].as_str()).unwrap().to_owned())
        .collect();
    kinds.dedup();
    let expected = [
        "message_start",
        "content_block_start",
        "thinking_delta",
        "signature_delta",
        "content_block_stop",
        "content_block_start",
        "text_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(chunks[0]["message"]["model"], "claude-haiku-4-5-20251001");
    let whole = claude.invoke(&sim).await.json();
    assert_eq!(whole["content"][0]["type"], "thinking");
    assert_eq!(whole["content"][1]["text"], TEXT);
    assert_eq!(chunks[0]["message"]["usage"]["input_tokens"], whole["usage"]["input_tokens"]);
    let delta = chunks.iter().find(|chunk| chunk["type"] == "message_delta").unwrap();
    assert_eq!(delta["usage"]["output_tokens"], whole["usage"]["output_tokens"]);
}

#[tokio::test]
async fn reasoning_stands_inside_the_text_of_families_without_a_place_for_it() {
    let sim = sim().await;
    sim.set_scenario("*", Scenario::Reasoning);
    let ends = [("deepseek", "\n</think>\n\n"), ("imported", "</reasoning>")];
    for (name, end) in ends {
        let family = family(name);
        let json = family.invoke(&sim).await.json();
        let text = json.pointer(family.text).unwrap().as_str().unwrap();
        let (reasoning, rest) = text.split_once(end).unwrap();
        assert_eq!(rest, TEXT);
        assert_eq!(reasoning.starts_with("<reasoning>"), name == "imported");
        assert_eq!(family.text_of(&whole_chunks(&family.stream(&sim).await)), text);
    }
    let titan = family("titan");
    assert_eq!(titan.invoke(&sim).await.json().pointer(titan.text), Some(&json!(TEXT)));
}

#[tokio::test]
async fn a_stop_sequence_ends_the_answer_and_is_named() {
    let sim = sim().await;
    let mut claude = family("claude messages");
    claude.body["stop_sequences"] = json!([" to all", "bridge is"]);
    let json = claude.invoke(&sim).await.json();
    assert_eq!(json["content"][0]["text"], "The ");
    assert_eq!(
        (&json["stop_reason"], &json["stop_sequence"]),
        (&json!("stop_sequence"), &json!("bridge is"))
    );
    let mut command = family("command");
    command.body["stop_sequences"] = json!(["bridge"]);
    assert_eq!(command.invoke(&sim).await.json()["generations"][0]["finish_reason"], "COMPLETE");
    let mut text = family("claude text");
    text.body["stop_sequences"] = json!(["bridge"]);
    let chunks = whole_chunks(&text.stream(&sim).await);
    assert_eq!(chunks.last().unwrap()["stop"], "bridge");
}

#[tokio::test]
async fn cohere_streams_text_to_bodies_that_ask_for_it() {
    let sim = sim().await;
    let mut command = family("command");
    command.body = json!({"prompt": TEXT, "k": 5});
    let chunks = whole_chunks(&command.stream(&sim).await);
    let text: String = chunks.iter().map(|chunk| chunk["generations"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(text, TEXT);
}

#[tokio::test]
async fn the_author_hears_the_system_text() {
    let sim = sim().await;
    let prompt = format!("<s>[INST] <<SYS>>\nSummarize in one sentence.\n<</SYS>>\n\n{TEXT} [/INST]");
    let answer =
        call(&sim, "us.meta.llama3-3-70b-instruct-v1:0", "invoke", &json!({ "prompt": prompt })).await;
    let text = answer.json()["generation"].as_str().unwrap().to_owned();
    assert!(text.len() < TEXT.len() && TEXT.contains(text.trim_end_matches('.')), "{text}");
}

#[tokio::test]
async fn converse_refuses_imported_models_that_invoke_model_serves() {
    let sim = sim().await;
    let imported = family("imported");
    let refused = call(&sim, imported.model, "converse", &request()).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["message"].as_str().unwrap().contains("doesn't support the model"));
    assert_eq!(imported.invoke(&sim).await.status, 200);
}

#[tokio::test]
async fn withdrawn_models_are_gone_natively_too() {
    let sim = sim().await;
    let body = json!({"inputText": TEXT});
    assert_eq!(call(&sim, "amazon.titan-text-express-v1", "invoke", &body).await.status, 404);
    let unknown = call(&sim, "amazon.no-such-model", "invoke", &body).await;
    assert_eq!(unknown.json()["message"], "The provided model identifier is invalid.");
}

#[tokio::test]
async fn headers_are_checked_told_back_and_recorded() {
    let sim = sim().await;
    let nova = family("nova");
    let body = nova.body.to_string();
    for operation in ["invoke", "invoke-with-response-stream"] {
        let headers = format!(
            "{SIGNED}accept: application/json\r\ncontent-type: application/json\r\n\
             X-Amzn-Bedrock-Service-Tier: flex\r\nX-Amzn-Bedrock-PerformanceConfig-Latency: optimized\r\n\
             X-Amzn-Bedrock-Request-Metadata: {{\"team\":\"a\"}}\r\n"
        );
        let target = path(nova.model, operation);
        let answer = send(sim.addr(), "POST", &target, &headers, body.as_bytes()).await;
        assert_eq!(answer.header("x-amzn-bedrock-service-tier"), Some("flex"));
        assert_eq!(answer.header("x-amzn-bedrock-performanceconfig-latency"), Some("optimized"));
        let call = sim.calls().pop().unwrap();
        assert_eq!(call.headers["accept"], "application/json");
        assert_eq!(call.headers["x-amzn-bedrock-request-metadata"], "{\"team\":\"a\"}");
        assert!(!call.headers.contains_key("authorization"));
        assert_eq!(call.signed_by.as_deref(), Some("AKID"));
        let wrong = format!("{SIGNED}X-Amzn-Bedrock-Trace: sometimes\r\n");
        let refused = send(sim.addr(), "POST", &target, &wrong, body.as_bytes()).await;
        assert_eq!(refused.status, 400);
    }
    let bearer = "authorization: Bearer bedrock-api-key-x\r\n";
    send(sim.addr(), "POST", &path(nova.model, "invoke"), bearer, body.as_bytes()).await;
    assert_eq!(sim.calls().pop().unwrap().signed_by.as_deref(), Some("bearer"));
}
