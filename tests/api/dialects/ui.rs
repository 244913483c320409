//! The AI SDK's UI message stream.

use bedrock_sim::{ApiError, Scenario, StopReason};
use serde_json::{Value, json};

use super::chunks::Chunks;
use super::{BREAKS, TEXT};
use crate::support::{Answer, TestApp};
use crate::validation::assert_problem;

/// What `useCompletion` sends when it is given a path and nothing else.
async fn complete(app: &TestApp, path: &str, body: Value) -> Answer {
    app.post(path, body).header("accept", "*/*").send().await
}

#[tokio::test]
async fn use_completion_works_as_it_is() {
    let app = TestApp::start().await;
    let whole = app.post("/v1/summarize", json!({"text": TEXT})).send().await.json();
    let answer = complete(&app, "/v1/summarize", json!({"prompt": TEXT})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("x-vercel-ai-ui-message-stream"), "v1");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let chunks = Chunks::read(&answer.text());
    assert!(chunks.is_whole());
    assert_eq!(chunks.text(), whole["text"].as_str().unwrap());
    assert_eq!(chunks.one("start")["messageId"], answer.header("x-generation-id"));
    assert_eq!(chunks.one("start")["messageMetadata"]["request_id"], answer.header("x-request-id"));
    assert_eq!(chunks.one("data-usage")["data"]["usage"], whole["usage"]);
    let finish = &chunks.one("finish")["messageMetadata"];
    assert_eq!((&finish["model"], &finish["usage"]), (&whole["model"], &whole["usage"]));
    assert_eq!(finish["cost"], whole["cost"]);
    chunks.assert_golden("ui-good");
}

#[tokio::test]
async fn the_query_the_body_and_the_header_come_before_the_name_of_the_text() {
    let app = TestApp::start().await;
    let media_type = |answer: &Answer| answer.header("content-type").to_owned();
    let asked = complete(&app, "/v1/summarize?stream=ui", json!({"text": TEXT})).await;
    assert_eq!(asked.header("x-vercel-ai-ui-message-stream"), "v1");
    let asked = complete(&app, "/v1/summarize", json!({"text": TEXT, "stream": "ui"})).await;
    assert_eq!(asked.header("x-vercel-ai-ui-message-stream"), "v1");
    let text = complete(&app, "/v1/summarize?stream=text", json!({"prompt": TEXT})).await;
    assert_eq!(media_type(&text), "text/plain; charset=utf-8");
    let whole = complete(&app, "/v1/summarize", json!({"prompt": TEXT, "stream": false})).await;
    assert_eq!(media_type(&whole), "application/json");
    for (accept, expected) in
        [("application/json", "application/json"), ("text/event-stream", "text/event-stream")]
    {
        let request = app.post("/v1/summarize", json!({"prompt": TEXT})).header("accept", accept);
        let answer = request.send().await;
        assert_eq!(media_type(&answer), expected);
        assert_eq!(answer.header("x-vercel-ai-ui-message-stream"), "", "{accept} is no wish for chunks");
    }
    let other_name = complete(&app, "/v1/summarize", json!({"input": TEXT})).await;
    assert_eq!(media_type(&other_name), "application/json");
}

#[tokio::test]
async fn members_of_its_option_body_are_the_options_of_the_task() {
    let app = TestApp::start().await;
    let body = json!({"prompt": TEXT, "type": "headline", "include": ["text"]});
    let answer = complete(&app, "/v1/summarize", body).await;
    let chunks = Chunks::read(&answer.text());
    let whole = app.post("/v1/summarize", json!({"text": TEXT, "type": "headline"})).send().await.json();
    assert_eq!(chunks.text(), whole["text"].as_str().unwrap());
    assert_eq!(chunks.one("finish")["messageMetadata"]["text"], chunks.text());
    let slip = complete(&app, "/v1/summarize", json!({"prompt": TEXT, "typo": "headline"})).await;
    assert_problem(&slip, 422, "validation_failed");
}

#[tokio::test]
async fn a_fallback_and_a_warning_are_told_beside_the_text() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.fail(&chain.first, ApiError::AccessDenied);
    app.sim.set_scenario(&chain.second, Scenario::StopReason { reason: StopReason::MaxTokens });
    let answer = complete(&app, "/v1/summarize", json!({"prompt": TEXT})).await;
    let chunks = Chunks::read(&answer.text());
    assert!(chunks.is_whole());
    let fallback = &chunks.one("data-fallback")["data"];
    assert_eq!((&fallback["from"], &fallback["to"]), (&json!(chain.first), &json!(chain.second)));
    assert_eq!(chunks.one("data-warning")["data"]["code"], "truncated");
    let finish = &chunks.one("finish")["messageMetadata"];
    assert_eq!((&finish["finish_reason"], &finish["fallback"]), (&json!("length"), &json!(true)));
    chunks.assert_golden("ui-fallback-and-warning");
}

#[tokio::test]
async fn an_error_before_the_first_word_is_a_chunk_because_the_head_left_at_once() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::Error { error: ApiError::AccessDenied });
    let answer = complete(&app, "/v1/summarize", json!({"prompt": TEXT})).await;
    assert_eq!(answer.status, 200);
    let chunks = Chunks::read(&answer.text());
    assert!(!chunks.is_whole() && chunks.done);
    let told = chunks.one("error")["errorText"].as_str().unwrap();
    assert_eq!(
        told,
        "upstream_auth: The service is not allowed to use its language models. Its operator has to act."
    );
    chunks.assert_golden("ui-error-before-the-first-word");
    // What is wrong with the request itself is a status.
    assert_problem(&complete(&app, "/v1/summarize", json!({"prompt": " "})).await, 422, "validation_failed");
}

#[tokio::test]
async fn an_error_in_mid_stream_leaves_the_text_open() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", BREAKS);
    let answer = complete(&app, "/v1/summarize", json!({"prompt": TEXT})).await;
    let chunks = Chunks::read(&answer.text());
    let outline = ["start", "start-step", "text-start", "text-delta", "data-usage", "error"];
    assert_eq!(chunks.outline(), outline);
    chunks.assert_golden("ui-error-in-mid-stream");
}

#[tokio::test]
async fn a_document_in_parts_tells_its_progress() {
    let app = TestApp::start().await;
    let text = format!("{TEXT}\n\n").repeat(400);
    let body = json!({"prompt": text, "strategy": "map-reduce", "include": ["partials"]});
    let answer = complete(&app, "/v1/summarize", body).await;
    let chunks = Chunks::read(&answer.text());
    assert!(chunks.is_whole(), "{}", answer.text());
    let progress = chunks.chunks.iter().filter(|chunk| chunk["type"] == "data-progress");
    let stages: Vec<&str> = progress
        .map(|chunk| {
            assert_eq!((&chunk["id"], &chunk["transient"]), (&json!("progress"), &json!(true)));
            chunk["data"]["stage"].as_str().unwrap()
        })
        .collect();
    assert!(stages.contains(&"split") && stages.contains(&"final"), "{stages:?}");
    let partials = chunks.chunks.iter().filter(|chunk| chunk["type"] == "data-partial");
    let mut ids: Vec<&str> = partials.map(|chunk| chunk["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert!(ids.len() > 1 && ids[0] == "partial_0", "{ids:?}");
}
