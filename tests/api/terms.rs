//! On which terms models are called: memory of prompts, tiers, metadata.

use bedrock_sim::{ApiError, CallRecord, Operation, Scenario};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::book::Book;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

async fn app(settings: &[(&str, &str)]) -> TestApp {
    let models = [("MODELS__FILE", "tests/fixtures/guarded.toml")];
    TestApp::with(&models.iter().chain(settings).copied().collect::<Vec<_>>()).await
}

/// A background of some 1,500 tokens.
fn background() -> String {
    "The readers live in Graz and know every one of its bridges by name. ".repeat(90)
}

fn marks(call: &CallRecord) -> usize {
    let blocks = call.request()["system"].as_array().cloned().unwrap_or_default();
    blocks.iter().filter(|block| block.get("cachePoint").is_some()).count()
}

#[tokio::test]
async fn a_long_background_is_remembered_from_its_second_request_on() {
    let app = app(&[]).await;
    let mut answers = Vec::new();
    for text in ["A door of oak.", "A key of iron.", "A lock of brass."] {
        let body = json!({"text": text, "shared_context": background(), "chain": "remembering"});
        answers.push(app.post("/v1/summarize", body).send().await.json());
    }
    assert_eq!(app.sim.calls().iter().map(marks).collect::<Vec<_>>(), [0, 1, 1]);
    let usage = |index: usize, member: &str| answers[index]["usage"][member].as_u64().unwrap();
    let cached = |index| {
        (usage(index, "cache_read_input_tokens") > 1024, usage(index, "cache_write_input_tokens") > 1024)
    };
    assert_eq!([0, 1, 2].map(cached), [(false, false), (false, true), (true, false)]);
    let cost = |index: usize| answers[index]["cost"]["usd"].as_f64().unwrap();
    assert!(cost(1) > cost(0) && cost(2) < cost(0) / 2.0, "{} {} {}", cost(0), cost(1), cost(2));
    let tokens = [("task", "summarize"), ("model", CLAUDE), ("direction", "cache_read")];
    let read = usage(2, "cache_read_input_tokens");
    assert_eq!(app.metric("redraft_tokens_total", &tokens).await.to_string(), read.to_string());
}

#[tokio::test]
async fn a_background_that_is_short_or_another_is_not_remembered() {
    let app = app(&[]).await;
    for (number, context) in ["For readers in Graz.", "For readers in Graz."].iter().enumerate() {
        let body =
            json!({"text": format!("Door {number}."), "shared_context": context, "chain": "remembering"});
        assert_eq!(app.post("/v1/summarize", body).send().await.status, 200);
    }
    for number in 0..2 {
        let context = format!("{number}. {}", background());
        let body = json!({"text": "A door.", "shared_context": context, "chain": "remembering"});
        assert_eq!(app.post("/v1/summarize", body).send().await.status, 200);
    }
    assert_eq!(app.sim.calls().iter().map(marks).sum::<usize>(), 0);
}

#[tokio::test]
async fn a_model_without_a_memory_is_never_asked_to_remember() {
    let app = app(&[]).await;
    app.fail(CLAUDE, ApiError::ServiceUnavailable);
    for text in ["A door of oak.", "A key of iron.", "A lock of brass."] {
        let body = json!({"text": text, "shared_context": background(), "chain": "remembering"});
        let answer = app.post("/v1/summarize", body).send().await;
        assert_eq!((answer.status.as_u16(), answer.json()["fallback"].clone()), (200, json!(true)));
    }
    let others = app.sim.calls().into_iter().filter(|call| call.model_id != CLAUDE);
    assert_eq!(others.map(|call| marks(&call)).sum::<usize>(), 0);
}

#[tokio::test]
async fn the_parts_of_a_document_share_what_is_remembered_and_few_parts_do_not() {
    for (parallel, pays) in [("2", true), ("64", false)] {
        let app = app(&[("DOCUMENTS__TARGET_CHUNK_TOKENS", "400"), ("FANOUT__MAX_PARALLEL", parallel)]).await;
        let body = json!({
            "text": Book::small(20, 16_000).text, "strategy": "map-reduce",
            "shared_context": background(), "chain": "remembering",
        });
        let answer = app.post("/v1/summarize", body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let calls: Vec<CallRecord> =
            app.sim.calls().into_iter().filter(|call| call.operation == Operation::Converse).collect();
        assert!(calls.len() > 6);
        assert_eq!(calls.iter().any(|call| marks(call) > 0), pays, "{parallel} at once");
        let read: u64 = calls.iter().map(|call| call.billed_cache_read_input_tokens).sum();
        let input: u64 = calls.iter().map(|call| call.billed_input_tokens).sum();
        assert_eq!(read > input / 2, pays, "{read} read of {input}");
    }
}

#[tokio::test]
async fn a_tier_is_asked_for_and_billed_as_it_was_served() {
    let app = app(&[]).await;
    let body = json!({"text": "A door. A key. A lock.", "chain": "free"});
    let answer = app.post("/v1/summarize", body).send().await.json();
    assert_eq!(app.sim.calls()[0].request()["serviceTier"], json!({"type": "flex"}));
    let usage = |member: &str| answer["usage"][member].as_f64().unwrap();
    let listed = (usage("input_tokens") * 0.8 + usage("output_tokens") * 3.2) / 1e6;
    let cost = answer["cost"]["usd"].as_f64().unwrap();
    assert!((cost - listed / 2.0).abs() < 1e-11, "{cost} is half of {listed}");
}

#[tokio::test]
async fn what_the_account_logs_names_task_request_and_tenant() {
    let app = app(&[("HTTP__TENANT_HEADER", "x-tenant")]).await;
    let body = json!({"text": "A door. A key. A lock.", "chain": "free"});
    let request = |stream: &str| app.post(&format!("/v1/rephrase{stream}"), body.clone());
    let told = request("").header("x-tenant", "Ängström | \"Sons\"").header("x-request-id", "req-7");
    assert_eq!(told.send().await.status, 200);
    assert_eq!(request("?stream=sse").send().await.status, 200);
    let metadata: Vec<Value> =
        app.sim.calls().iter().map(|call| call.request()["requestMetadata"].clone()).collect();
    assert_eq!(
        metadata[0],
        json!({"task": "rephrase", "request_id": "req-7", "tenant": "_ngstr_m _ _Sons_"})
    );
    assert_eq!(metadata[1]["task"], "rephrase");
    assert_eq!(metadata[1].get("tenant"), None);
}

#[tokio::test]
async fn a_tenant_is_not_believed_unless_the_settings_say_where_it_stands() {
    let app = app(&[]).await;
    let body = json!({"text": "A door. A key. A lock.", "chain": "free"});
    let request = app.post("/v1/summarize", body).header("x-tenant", "someone");
    assert_eq!(request.send().await.status, 200);
    assert_eq!(app.sim.calls()[0].request()["requestMetadata"].get("tenant"), None);
}

#[tokio::test]
async fn estimates_and_forecasts_are_priced_on_the_terms_that_are_asked_for() {
    let app = app(&[]).await;
    app.sim.set_scenario("*", Scenario::EndWithoutMetadata);
    let body = json!({"text": "A door. A key. A lock.", "chain": "free"});
    let answer = app.post("/v1/summarize", body.clone()).send().await.json();
    assert_eq!(answer["cost"]["estimated"], true);
    let usage = |member: &str| answer["usage"][member].as_f64().unwrap();
    let listed = (usage("input_tokens") * 0.8 + usage("output_tokens") * 3.2) / 1e6;
    let cost = answer["cost"]["usd"].as_f64().unwrap();
    assert!((cost - listed / 2.0).abs() < 1e-11, "{cost} is half of {listed}");
    let mut measured = body;
    measured["task"] = "summarize".into();
    let forecast = app.post("/v1/measure", measured).send().await.json();
    let forecast = forecast["estimated_cost_usd"].as_f64().unwrap();
    assert!(forecast > 0.0 && forecast < listed, "{forecast} is less than {listed}, at half the price");
}

#[tokio::test]
async fn a_model_in_its_own_format_is_as_good_as_any() {
    let app = app(&[]).await;
    let body = json!({"text": "A door of oak. A key of iron. A lock of brass.", "chain": "native"});
    let whole = app.post("/v1/summarize", body.clone()).send().await.json();
    let stream = app.post("/v1/summarize?stream=sse", body.clone()).send().await.sse();
    stream.assert_grammar();
    assert_eq!(whole["text"], stream.text());
    assert_eq!((&whole["finish_reason"], &whole["cost"]["estimated"]), (&json!("stop"), &json!(false)));
    assert_eq!(stream.one("usage")["usage"]["input_tokens"], whole["usage"]["input_tokens"]);
    let operations: Vec<Operation> = app.sim.calls().iter().map(|call| call.operation).collect();
    assert_eq!(operations, [Operation::InvokeModel, Operation::InvokeModelWithResponseStream]);

    app.fail("us.meta.llama3-3-70b-instruct-v1:0", ApiError::Throttling);
    let answer = app.post("/v1/summarize", body).send().await.json();
    assert_eq!((&answer["fallback"], &answer["attempts"][0]["error"]), (&json!(true), &json!("throttled")));
    app.sim.clear_scenarios();
    let blocked = json!({"text": "The SIMULATED FORBIDDEN TOPIC.", "chain": "native-guarded"});
    for path in ["/v1/summarize", "/v1/summarize?stream=ndjson"] {
        let text = app.post(path, blocked.clone()).send().await.text();
        assert!(text.contains("content_filtered") && !text.contains("guardrail blocked"), "{text}");
    }
}
