//! Three promises about faults, each by itself and in every representation.
//!
//! Silence is not asked twice and costs its own clock only; what a filter held
//! back is neither repeated nor asked of another model; a prompt that is too long
//! goes to a larger model or to none. And credentials that expire show at once.

use std::time::Duration;

use bedrock_sim::{ApiError, Outcome, Scenario, StopReason, StreamError};
use redraft::inference::scripted::Turn;
use redraft::inference::{Completion, StopReason as ModelStop};
use serde_json::{Value, json};

use super::cell::Dialect;
use crate::support::{Request, ScriptedApp, TestApp};

const TEXT: &str = "The pump stands in the yard. It was painted green. Nobody has used it since May.";
/// Retries that are allowed, so that one that is not made is a decision.
const GENEROUS: (&str, &str) = ("ROUTING__MAX_RETRIES", "5");

fn body() -> Value {
    json!({"text": TEXT})
}

#[tokio::test]
async fn a_silent_model_is_called_once_and_costs_its_clock_alone() {
    for (dialect, clock) in
        [(Dialect::Json, 25), (Dialect::Sse, 15), (Dialect::Ndjson, 15), (Dialect::Text, 15)]
    {
        let app = ScriptedApp::with(&[GENEROUS]).await;
        let models = Request::get(app.api, "/v1/models").send().await.json();
        let chains = models["chains"].as_array().unwrap();
        let default = chains.iter().find(|chain| chain["name"] == "default").unwrap();
        let (first, second) =
            (default["models"][0].as_str().unwrap(), default["models"][1].as_str().unwrap());
        let text = "The pump is green.".to_owned();
        let completion = Completion { text, stop_reason: ModelStop::EndTurn, usage: None };
        app.backend.then(first, Turn::Silence);
        app.backend.then(second, Turn::Answer { after: Duration::ZERO, completion });
        tokio::time::pause();
        let started = tokio::time::Instant::now();
        let request = Request::post(app.api, &dialect.path()).header("content-type", "application/json");
        let answer = request.patience(Duration::from_secs(3600)).body(body().to_string()).send().await;
        let elapsed = started.elapsed();
        tokio::time::resume();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let called: Vec<String> =
            app.backend.calls().iter().map(|call| call.model.as_str().to_owned()).collect();
        assert_eq!(called, [first, second], "{}", dialect.as_str());
        let clock = Duration::from_secs(clock);
        assert!(
            elapsed >= clock && elapsed < clock + Duration::from_secs(1),
            "{}: {elapsed:?} for a clock of {clock:?}",
            dialect.as_str()
        );
    }
}

#[tokio::test]
async fn what_a_filter_held_back_is_neither_repeated_nor_asked_of_another_model() {
    let app = TestApp::with(&[GENEROUS]).await;
    let chain = app.default_chain().await;
    // The other models are sound: that they are not asked is a decision, too.
    app.sim.set_scenario(&chain.first, Scenario::StopReason { reason: StopReason::GuardrailIntervened });
    for dialect in Dialect::ALL {
        app.sim.clear_calls();
        let answer = app.post(&dialect.path(), body()).send().await;
        assert_eq!(app.models_called(), [chain.first.as_str()], "{}", dialect.as_str());
        assert!(!answer.text().contains(&chain.second), "{}", dialect.as_str());
    }
    // A text that the provider's filter cut is an answer, and says that it was cut.
    app.sim.set_scenario(&chain.first, Scenario::StopReason { reason: StopReason::ContentFiltered });
    app.sim.clear_calls();
    let answer = app.post("/v1/summarize", body()).send().await.json();
    assert_eq!((&answer["finish_reason"], app.sim.calls().len()), (&json!("content_filter"), 1));
}

#[tokio::test]
async fn a_prompt_that_is_too_long_goes_to_a_larger_window_in_every_representation() {
    let app = TestApp::with(&[("MODELS__FILE", "tests/fixtures/windows.toml"), GENEROUS]).await;
    let chain = app.get("/v1/models").send().await.json()["chains"][0]["models"].clone();
    let (middle, large) = (chain[0].as_str().unwrap(), chain[2].as_str().unwrap());
    let too_long = Scenario::StreamError { error: StreamError::Validation, after_deltas: 0 };
    for scenario in [Scenario::from(ApiError::InputTooLong), too_long] {
        app.sim.set_scenario(middle, scenario.clone());
        for dialect in Dialect::ALL {
            app.sim.clear_calls();
            let answer = app.post(&dialect.path(), body()).send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(app.models_called(), [middle, large], "{scenario:?}, {}", dialect.as_str());
        }
    }
    app.fail(large, ApiError::InputTooLong);
    for dialect in [Dialect::Json, Dialect::Text] {
        app.sim.clear_calls();
        let answer = app.post(&dialect.path(), body()).send().await;
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (413, &json!("input_too_large")));
        assert_eq!(app.models_called(), [middle, large]);
    }
}

#[tokio::test]
async fn credentials_that_expire_show_in_readiness_until_a_call_is_accepted_again() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/readyz").send().await.status, 200);
    app.fail("*", ApiError::ExpiredToken);
    let refused = app.post("/v1/summarize", body()).send().await;
    assert_eq!((refused.status.as_u16(), app.sim.calls().len()), (503, 1), "{}", refused.text());
    until_ready_is(&app, 503).await;
    assert!(app.get("/readyz").send().await.text().contains("credentials"));
    app.sim.clear_scenarios();
    let answer = app.post("/v1/summarize", body()).send().await;
    assert_eq!(answer.status, 200, "what is not ready still tries: {}", answer.text());
    until_ready_is(&app, 200).await;
    app.call(|call| call.outcome == Outcome::Completed).await;
}

async fn until_ready_is(app: &TestApp, status: u16) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while app.get("/readyz").send().await.status != status {
        assert!(tokio::time::Instant::now() < deadline, "/readyz is not {status} in time");
    }
}
