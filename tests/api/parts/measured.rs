//! What a request would take, told before it is made: it is what it then takes.

use bedrock_sim::Operation;
use serde_json::{Value, json};

use super::{answered, app, summary_of};
use crate::support::TestApp;
use crate::support::book::Book;
use crate::validation::assert_problem;

/// Parts of a usual size, so that what a prompt says beside them weighs little.
const LARGER: [(&str, &str); 2] =
    [("DOCUMENTS__TARGET_CHUNK_TOKENS", "4000"), ("DOCUMENTS__TARGET_ANSWER_TOKENS", "4000")];

fn text() -> String {
    Book::small(100, 100_000).text
}

async fn measured(app: &TestApp, task: &str, body: &Value) -> Value {
    let mut body = body.clone();
    body["task"] = json!(task);
    answered(app, "/v1/measure", &body).await
}

async fn refused(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = app.post(path, body.clone()).send().await;
    let problem = assert_problem(&answer, 413, "input_too_large");
    assert_eq!(app.sim.calls().len(), 0, "nothing was called");
    problem
}

#[tokio::test]
async fn a_measured_request_takes_what_was_told() {
    let text = text();
    for (task, body) in [
        ("summarize", summary_of(&text)),
        ("summarize", json!({"text": text, "strategy": "refine"})),
        ("summarize", json!({"text": text})),
        ("rephrase", json!({"text": text})),
    ] {
        let app = app(&LARGER).await;
        let told = measured(&app, task, &body).await;
        assert_eq!(app.sim.calls().len(), 0, "nothing is called to measure");
        let answer = answered(&app, &format!("/v1/{task}"), &body).await;
        let case = format!("{task} {}: {told} {}", body["strategy"], answer["usage"]);
        assert_eq!((&told["fits"], &told["exact"]), (&json!(true), &json!(false)), "{case}");
        assert_eq!(told["strategy"], answer["strategy"], "{case}");
        assert_eq!(told["chunks"], answer["chunks"]["total"], "{case}");
        assert_eq!(told["levels"], answer["chunks"]["levels"], "{case}");
        assert_eq!(told["model_calls"], answer["usage"]["model_calls"], "{case}");
        let (expected, cost) =
            (told["estimated_cost_usd"].as_f64().unwrap(), answer["cost"]["usd"].as_f64().unwrap());
        let off = expected / cost - 1.0;
        println!("{task} {}: {expected} USD told, {cost} USD spent: {:+.0} %", body["strategy"], off * 100.0);
        // A growing summary may have 600 words, which the simulator's author never writes.
        let most = if body["strategy"] == "refine" { 1.0 } else { 0.3 };
        assert!((-0.3..=most).contains(&off), "{case}: {expected} USD told, {cost} USD spent");
    }
}

#[tokio::test]
async fn too_many_parts_are_refused_before_any_call_with_the_figures() {
    let app = app(&[LARGER[0], LARGER[1], ("DOCUMENTS__MAX_CHUNKS", "3")]).await;
    let text = text();
    for (task, body) in [("summarize", summary_of(&text)), ("rephrase", json!({"text": text}))] {
        let problem = refused(&app, &format!("/v1/{task}"), &body).await;
        assert_eq!(problem["max_chunks"], 3, "{problem}");
        assert!(problem["chunks"].as_u64().unwrap() > 3, "{problem}");
        assert!(problem["requested"].as_u64() > problem["quota"].as_u64(), "{problem}");
        assert_eq!(problem["retryable"], false);
        let told = measured(&app, task, &body).await;
        assert_eq!((&told["fits"], &told["refusal"]), (&json!(false), &json!("input_too_large")));
        assert_eq!(told["input_quota"], problem["quota"]);
        assert!(told["chunks"].as_u64().unwrap() > 3, "{told}");
    }
}

#[tokio::test]
async fn too_dear_a_request_is_refused_before_any_call_with_the_figures() {
    let app = app(&[LARGER[0], LARGER[1], ("DOCUMENTS__MAX_COST_USD", "0.0005")]).await;
    let text = text();
    for (task, body) in [("summarize", summary_of(&text)), ("rephrase", json!({"text": text}))] {
        let problem = refused(&app, &format!("/v1/{task}"), &body).await;
        assert_eq!(problem["max_cost_usd"], 0.0005, "{problem}");
        let told = measured(&app, task, &body).await;
        assert_eq!((&told["fits"], &told["refusal"]), (&json!(false), &json!("input_too_large")));
        let cost = told["estimated_cost_usd"].as_f64().unwrap();
        // Each prompt has a random boundary, which has its own few tokens.
        let refused_cost = problem["estimated_cost_usd"].as_f64().unwrap();
        assert!(cost > 0.0005 && (cost / refused_cost - 1.0).abs() < 0.01, "{cost}, {refused_cost}");
    }
}

/// The calls that counted tokens.
fn counts(app: &TestApp) -> usize {
    app.sim.calls().iter().filter(|call| call.operation == Operation::CountTokens).count()
}

/// A limit that lies a little above what the text is estimated at, and so within its margin.
async fn near(body: &Value) -> &'static str {
    let app = app(&[]).await;
    let usage = measured(&app, "summarize", body).await["input_usage"].as_u64().unwrap();
    assert_eq!(counts(&app), 0, "no limit is near");
    Box::leak((usage + usage / 50).to_string().into_boxed_str())
}

#[tokio::test]
async fn near_a_limit_the_model_counts_and_its_count_decides() {
    let text = Book::small(20, 20_000).text;
    let body = json!({"text": text, "chain": "counting"});
    let limit = near(&body).await;
    let app = app(&[("LIMITS__MAX_INPUT_TOKENS", limit)]).await;
    let told = measured(&app, "summarize", &body).await;
    assert_eq!((&told["exact"], &told["method"]), (&json!(true), &json!("count_tokens")), "{told}");
    let exact = bedrock_sim::tokens::count(&text);
    let usage = told["input_usage"].as_u64().unwrap();
    assert!(usage.abs_diff(exact) <= 8, "{usage} told, {exact} counted");
    let limit: u64 = limit.parse().unwrap();
    assert_eq!(told["fits"], usage <= limit, "{told}");
    assert_eq!(counts(&app), 1);
    let answer = app.post("/v1/summarize", body).send().await;
    assert_eq!(answer.status.is_success(), usage <= limit, "{}", answer.text());
}

#[tokio::test]
async fn a_model_that_is_known_not_to_count_is_never_asked() {
    let body = json!({"text": Book::small(20, 20_000).text});
    let limit = near(&body).await;
    let app = app(&[("LIMITS__MAX_INPUT_TOKENS", limit)]).await;
    for _ in 0..3 {
        let told = measured(&app, "summarize", &body).await;
        assert_eq!((&told["exact"], &told["method"]), (&json!(false), &json!("estimate")), "{told}");
    }
    assert_eq!(app.sim.calls().len(), 0);
    let model = app.default_chain().await.first;
    let unsupported = [("model", &*model), ("result", "unsupported")];
    assert_eq!(app.metric("redraft_count_tokens_total", &unsupported).await, 1.0, "it is remembered");
}
