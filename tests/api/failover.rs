//! What a caller sees when an answer breaks off or a model is passed over.

use bedrock_sim::{ApiError, Scenario, StreamError};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::validation::assert_problem;

const TEXT: &str = "The bridge was closed in March. Repairs cost 3 million. It opens again in June.";

fn body() -> Value {
    json!({"text": TEXT, "on_failover": "restart"})
}

const CUT: Scenario = Scenario::CutMidFrame { after_deltas: 2 };

#[tokio::test]
async fn a_stream_may_start_over_and_what_follows_the_reset_is_the_answer() {
    for dialect in ["sse", "ndjson"] {
        let app = TestApp::start().await;
        let chain = app.default_chain().await;
        let path = format!("/v1/rephrase?stream={dialect}");
        app.sim.set_scenario(&chain.first, CUT);
        let answer = app.post(&path, body()).send().await;
        let stream = if dialect == "sse" { answer.sse() } else { answer.ndjson() };
        stream.assert_grammar();
        assert_eq!(stream.outline(), ["start", "delta", "reset", "fallback", "delta", "usage", "done"]);
        let (reset, fallback) = (stream.one("reset"), stream.one("fallback"));
        assert_eq!(reset["reason"], "stream_cut");
        assert_eq!((&fallback["from"], &fallback["to"]), (&json!(chain.first), &json!(chain.second)));
        let first = stream.frames.iter().take_while(|frame| frame.kind != "reset");
        let void: String = first.filter_map(|frame| frame.data["text"].as_str()).collect();
        assert_eq!(reset["discarded_chars"], void.chars().count());
        let done = stream.one("done");
        assert_eq!((&done["model"], &done["fallback"]), (&json!(chain.second), &json!(true)));
        assert_eq!(done["attempts"], 2);
        assert_eq!(done["output_chars"], stream.text().chars().count());
        // The second model alone would have written just that.
        app.sim.clear_scenarios();
        let alone = app.post("/v1/rephrase", json!({"text": TEXT})).send().await.json();
        assert_eq!(stream.text(), alone["text"].as_str().unwrap());
        assert_eq!(stream.one("usage")["cost"]["estimated"], true, "the broken part has its price too");
    }
}

#[tokio::test]
async fn include_text_repeats_only_what_is_left_after_the_reset() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.sim.set_scenario(&chain.first, CUT);
    let body = json!({"text": TEXT, "on_failover": "restart", "include": ["text"]});
    let stream = app.post("/v1/rephrase?stream=sse", body).send().await.sse();
    assert_eq!(stream.one("done")["text"], stream.text());
}

#[tokio::test]
async fn a_stream_that_starts_over_in_vain_ends_in_one_error_without_a_part() {
    let app = TestApp::start().await;
    app.sim
        .set_scenario("*", Scenario::StreamError { error: StreamError::ModelStreamError, after_deltas: 2 });
    let stream = app.post("/v1/rephrase?stream=sse", body()).send().await.sse();
    stream.assert_grammar();
    let chain = app.default_chain().await;
    assert_eq!(stream.all("reset").count(), chain.len - 1, "the last has nobody to start over with");
    let error = stream.one("error");
    assert_eq!((&error["code"], &error["partial"]), (&json!("upstream_error"), &json!(true)));
    assert_eq!(app.sim.calls().len(), chain.len, "one call a model");
}

#[tokio::test]
async fn without_the_wish_a_broken_stream_stays_an_error() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", CUT);
    let stream = app.post("/v1/rephrase?stream=sse", json!({"text": TEXT})).send().await.sse();
    assert_eq!(stream.outline(), ["start", "delta", "usage", "error"]);
    assert_eq!(app.sim.calls().len(), 1);
}

#[tokio::test]
async fn plain_text_cannot_take_back_and_says_so() {
    let app = TestApp::start().await;
    let refused = app.post("/v1/rephrase?stream=text", body()).send().await;
    let problem = assert_problem(&refused, 422, "validation_failed");
    assert_eq!(problem["errors"][0]["pointer"], "/on_failover");
    assert!(app.sim.calls().is_empty());
}

#[tokio::test]
async fn a_long_answer_in_one_piece_starts_over_by_itself() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.sim.set_scenario(&chain.first, CUT);
    // Long enough to be asked for in pieces behind the scenes.
    let long = json!({"text": TEXT.repeat(80)});
    let answer = app.post("/v1/rephrase", long.clone()).send().await.json();
    assert_eq!(answer["model"], chain.second.as_str(), "{answer}");
    assert_eq!(answer["attempts"][0]["error"], "stream_cut");
    app.sim.clear_scenarios();
    let whole = app.post("/v1/rephrase", long).send().await.json();
    assert_eq!(answer["text"], whole["text"], "nothing of the broken part is in it");
}

#[tokio::test]
async fn a_model_that_is_passed_over_stands_in_the_answer() {
    let app = TestApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
    let chain = app.default_chain().await;
    app.fail(&chain.first, ApiError::EndOfLife);
    let text = json!({"text": TEXT});
    let first = app.post("/v1/summarize", text.clone()).send().await.json();
    assert_eq!(first["attempts"][0]["error"], "model_gone");
    let answer = app.post("/v1/summarize", text.clone()).send().await.json();
    let skipped = &answer["attempts"][0];
    assert_eq!(
        (&skipped["model"], &skipped["outcome"], &skipped["error"]),
        (&json!(chain.first), &json!("skipped"), &json!("breaker_open"))
    );
    assert_eq!((&answer["model"], &answer["fallback"]), (&json!(chain.second), &json!(true)));
    assert_eq!(answer["usage"]["model_calls"], 1);
    let stream = app.post("/v1/summarize?stream=sse", text.clone()).send().await.sse();
    assert_eq!(stream.outline(), ["start", "fallback", "delta", "usage", "done"]);
    assert_eq!(stream.one("start")["model"], chain.first.as_str());
    assert_eq!(stream.one("fallback")["reason"], "breaker_open");
    let labels = [("model", &*chain.first), ("region", "own"), ("reason", "model_gone")];
    assert_eq!(app.metric("redraft_targets_taken_out_total", &labels).await, 1.0);
    // When every model is gone, the caller learns when the first one is asked again.
    app.fail("*", ApiError::EndOfLife);
    app.post("/v1/summarize", text.clone()).send().await;
    let refused = app.post("/v1/summarize", text).send().await;
    assert_problem(&refused, 503, "all_models_unavailable");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((200..=300).contains(&wait), "{wait}");
    assert_eq!(app.sim.calls().last().unwrap().model_id, last_of(&app).await, "the last is always tried");
}

async fn last_of(app: &TestApp) -> String {
    let chains = app.get("/v1/models").send().await.json();
    let serves = |chain: &&Value| chain["default_for"].as_array().unwrap().contains(&json!("summarize"));
    let chain = chains["chains"].as_array().unwrap().iter().find(serves).unwrap().clone();
    chain["models"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_stage_of_several_regions_is_tried_region_by_region() {
    let models = "tests/fixtures/regions.toml";
    let app = TestApp::with(&[("MODELS__FILE", models), ("ROUTING__MAX_RETRIES", "0")]).await;
    let catalogue = app.get("/v1/models").send().await.json();
    let chain = &catalogue["chains"][0];
    assert_eq!(chain["models"].as_array().unwrap().len(), 2, "each model once");
    assert_eq!(chain["stages"][0][1]["region"], "us-west-2");
    assert_eq!((&chain["stages"][0][0]["weight"], &chain["stages"][0][1]["weight"]), (&json!(1), &json!(2)));
    app.fail("us.amazon.nova-lite-v1:0", ApiError::ServiceUnavailable);
    let answer = app.post("/v1/summarize", json!({"text": TEXT})).send().await.json();
    let trail: Vec<(Option<&str>, &str)> = answer["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (attempt["region"].as_str(), attempt["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(trail, [(Some("us-west-2"), "error"), (None, "error"), (Some("us-east-2"), "ok")]);
    let labels = [("model", "us.amazon.nova-lite-v1:0"), ("region", "us-west-2")];
    assert_eq!(app.metric("redraft_target_limit", &labels).await, 1024.0);
}
