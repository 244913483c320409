//! Retries and fallbacks: what is repeated, what goes to the next model, what
//! fails at once, and what the caller reads in the end.

use bedrock_sim::{ApiError, Scenario, StopReason, StreamError};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::validation::assert_problem;

const TEXT: &str = "The bridge was closed in March. Repairs cost 3 million. It opens again in June.";

fn body() -> Value {
    json!({"text": TEXT})
}

/// Quick retries, so that a test of them takes no time; a throttled one waits for the pause of 200 ms.
async fn app() -> TestApp {
    TestApp::with(&[("ROUTING__BACKOFF_BASE_MS", "1"), ("ROUTING__BACKOFF_CAP_MS", "500")]).await
}

#[tokio::test]
async fn each_exception_is_retried_and_passed_on_as_the_table_says() {
    // Exception, calls of the first model, the word in `attempts`.
    let cases = [
        (ApiError::Throttling, 2, "throttled"),
        (ApiError::ThrottlingPerDay, 1, "daily_quota_used_up"),
        (ApiError::ModelNotReady, 2, "not_ready"),
        (ApiError::ServiceUnavailable, 2, "unavailable"),
        (ApiError::InternalServer, 2, "unavailable"),
        (ApiError::ModelError, 2, "model_failed"),
        (ApiError::ModelTimeout, 1, "model_timed_out"),
        (ApiError::ResourceNotFound, 1, "model_gone"),
        (ApiError::EndOfLife, 1, "model_gone"),
        (ApiError::InvalidModelId, 1, "model_gone"),
        (ApiError::OnDemandUnsupported, 1, "model_gone"),
        (ApiError::AccessDenied, 1, "access_denied"),
        (ApiError::ServiceQuotaExceeded, 1, "account_quota_exceeded"),
    ];
    for (exception, calls, word) in cases {
        // What one exception teaches about the model must not meet the next one.
        let app = app().await;
        let chain = app.default_chain().await;
        app.fail(&chain.first, exception);
        let answer = app.post("/v1/summarize", body()).send().await;
        assert_eq!(answer.status, 200, "{exception:?}: {}", answer.text());
        let answer = answer.json();
        assert_eq!(answer["model"], chain.second.as_str());
        assert_eq!(answer["fallback"], true);
        let attempts = answer["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), calls + 1, "{exception:?}: {attempts:?}");
        for attempt in &attempts[..calls] {
            assert_eq!(attempt["model"], chain.first.as_str());
            assert_eq!((&attempt["outcome"], &attempt["error"]), (&json!("error"), &json!(word)));
        }
        let mut expected = vec![chain.first.clone(); calls];
        expected.push(chain.second.clone());
        assert_eq!(app.models_called(), expected, "{exception:?}");
    }
}

#[tokio::test]
async fn answers_that_are_none_go_to_the_next_model() {
    let malformed = Scenario::StopReason { reason: StopReason::MalformedModelOutput };
    let scenarios = [
        (Scenario::EmptyContent, "empty_answer"),
        (Scenario::EmptyText, "empty_answer"),
        (malformed, "malformed_answer"),
        (Scenario::HtmlBadGateway, "unavailable"),
        (Scenario::UntypedThrottling, "throttled"),
        (Scenario::EmptyJson, "bad_response"),
        (Scenario::ResetBeforeHeaders, "unreachable"),
    ];
    for (scenario, word) in scenarios {
        let app = app().await;
        let chain = app.default_chain().await;
        app.sim.set_scenario(&chain.first, scenario.clone());
        let answer = app.post("/v1/summarize", body()).send().await.json();
        assert_eq!(answer["model"], chain.second.as_str(), "{scenario:?}: {answer}");
        assert_eq!(answer["attempts"][0]["error"], word, "{scenario:?}");
    }
}

#[tokio::test]
async fn a_stream_falls_back_unseen_until_its_first_word() {
    let scenarios = [
        (Scenario::Error { error: ApiError::Throttling }, "throttled"),
        (Scenario::StreamError { error: StreamError::Throttling, after_deltas: 0 }, "throttled"),
        (Scenario::StreamError { error: StreamError::InternalServer, after_deltas: 0 }, "unavailable"),
        (Scenario::StreamError { error: StreamError::ModelStreamError, after_deltas: 0 }, "model_failed"),
        (Scenario::EndWithoutMessageStop { after_deltas: 0 }, "stream_cut"),
        (Scenario::EmptyContent, "empty_answer"),
        (Scenario::JsonInsteadOfStream, "bad_response"),
        (Scenario::CorruptCrc { after_deltas: 0 }, "bad_response"),
    ];
    for (scenario, reason) in scenarios {
        let app = app().await;
        let chain = app.default_chain().await;
        app.sim.set_scenario(&chain.first, scenario.clone());
        let answer = app.post("/v1/summarize?stream=sse", body()).send().await.sse();
        answer.assert_grammar();
        assert_eq!(answer.outline(), ["start", "fallback", "delta", "usage", "done"], "{scenario:?}");
        let fallback = answer.one("fallback");
        assert_eq!(fallback["from"], chain.first.as_str());
        assert_eq!(fallback["to"], chain.second.as_str());
        assert_eq!(fallback["reason"], reason, "{scenario:?}");
        assert_eq!(answer.one("start")["model"], chain.first.as_str());
        assert_eq!(answer.one("done")["model"], chain.second.as_str());
        assert_eq!(answer.one("done")["fallback"], true);
    }
}

#[tokio::test]
async fn the_request_is_rewritten_for_the_model_that_takes_over() {
    let models = "tests/fixtures/rewrite.toml";
    let app = TestApp::with(&[("MODELS__FILE", models), ("ROUTING__MAX_RETRIES", "0")]).await;
    let chain = app.default_chain().await;
    app.fail(&chain.first, ApiError::ModelNotReady);
    let answer = app.post("/v1/expand", json!({"text": TEXT, "length": "long"})).send().await.json();
    assert_eq!(answer["model"], chain.second.as_str(), "{answer}");
    let requests: Vec<Value> = app.sim.calls().iter().map(|call| call.request().clone()).collect();
    let (first, second) = (&requests[0], &requests[1]);
    assert!(first["inferenceConfig"]["temperature"].is_number());
    assert!(second["inferenceConfig"].get("temperature").is_none(), "the second takes no temperature");
    assert!(first["inferenceConfig"]["maxTokens"].as_u64().unwrap() > 900);
    assert_eq!(second["inferenceConfig"]["maxTokens"], 900, "the second's output cap");
    assert!(
        second.get("system").is_none_or(|system| system == &json!([])),
        "the second takes no system text"
    );
    let turn = second["messages"][0]["content"][0]["text"].as_str().unwrap();
    assert!(turn.starts_with(first["system"][0]["text"].as_str().unwrap()), "the rules lead the user turn");
}

#[tokio::test]
async fn what_no_model_would_take_fails_at_once() {
    let app = app().await;
    let filtered = Scenario::StopReason { reason: StopReason::GuardrailIntervened };
    let cases = [
        (filtered, 422, "content_filtered"),
        (Scenario::Error { error: ApiError::Validation }, 422, "validation_failed"),
        (Scenario::Error { error: ApiError::ExpiredToken }, 503, "all_models_unavailable"),
        (Scenario::Error { error: ApiError::UnrecognizedClient }, 503, "all_models_unavailable"),
    ];
    for (scenario, status, code) in cases {
        app.sim.clear_calls();
        app.sim.set_scenario("*", scenario.clone());
        let answer = app.post("/v1/summarize", body()).send().await;
        assert_problem(&answer, status, code);
        assert_eq!(app.sim.calls().len(), 1, "{scenario:?} is not tried again");
        let stream = app.post("/v1/summarize?stream=sse", body()).send().await.sse();
        assert_eq!(stream.one("error")["code"], code, "{scenario:?}");
        assert_eq!(stream.one("error")["status"], status);
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_goes_to_a_larger_model_only() {
    let models = "tests/fixtures/windows.toml";
    let app = TestApp::with(&[("MODELS__FILE", models)]).await;
    let chain = app.get("/v1/models").send().await.json()["chains"][0]["models"].clone();
    let (first, largest) = (chain[0].as_str().unwrap(), chain[2].as_str().unwrap());
    app.fail(first, ApiError::InputTooLong);
    let answer = app.post("/v1/summarize", body()).send().await.json();
    assert_eq!(app.models_called(), [first, largest], "the second is no larger: {answer}");
    app.sim.clear_calls();
    app.fail(largest, ApiError::InputTooLong);
    let answer = app.post("/v1/summarize", body()).send().await;
    assert_problem(&answer, 413, "input_too_large");
}

#[tokio::test]
async fn an_exhausted_chain_answers_with_the_cause_that_helps() {
    let all = |error: ApiError| Scenario::Error { error };
    let cases = [
        (ApiError::Throttling, 503, "model_capacity", true),
        (ApiError::ServiceUnavailable, 503, "all_models_unavailable", true),
        (ApiError::ModelError, 502, "upstream_error", true),
        (ApiError::AccessDenied, 502, "upstream_auth", false),
        (ApiError::ModelTimeout, 504, "upstream_timeout", true),
        (ApiError::EndOfLife, 503, "all_models_unavailable", true),
    ];
    for (exception, status, code, retryable) in cases {
        let app = app().await;
        let chain = app.default_chain().await;
        app.sim.set_scenario("*", all(exception));
        let answer = app.post("/v1/summarize", body()).send().await;
        let problem = assert_problem(&answer, status, code);
        assert_eq!(problem["retryable"], retryable);
        if status == 503 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
            assert_eq!(answer.header("retry-after-ms"), problem["retry_after_ms"].to_string());
        }
        let attempts = problem["attempts"].as_array().unwrap();
        assert!(attempts.len() >= chain.len, "{attempts:?}");
        let text = answer.text().to_lowercase();
        for secret in ["exception", "arn:", "amazonaws", "wait before trying", "bridge"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    // A fault of the set-up in one model does not hide that the others are only busy.
    let app = app().await;
    let chain = app.default_chain().await;
    app.sim.set_scenario("*", all(ApiError::Throttling));
    app.fail(&chain.second, ApiError::AccessDenied);
    assert_problem(&app.post("/v1/summarize", body()).send().await, 503, "model_capacity");
}

#[tokio::test]
async fn an_exhausted_chain_is_one_error_event_of_a_stream() {
    let app = app().await;
    let chain = app.default_chain().await;
    app.fail("*", ApiError::AccessDenied);
    let stream = app.post("/v1/summarize?stream=sse", body()).send().await.sse();
    stream.assert_grammar();
    assert_eq!(stream.all("fallback").count(), chain.len - 1);
    let error = stream.one("error");
    assert_eq!((&error["code"], &error["status"]), (&json!("upstream_auth"), &json!(502)));
    assert_eq!((&error["retryable"], &error["partial"]), (&json!(false), &json!(false)));
    assert!(stream.all("usage").next().is_none(), "nothing was billed");
}

#[tokio::test]
async fn a_retry_that_succeeds_is_no_fallback() {
    let app = app().await;
    let chain = app.default_chain().await;
    app.sim.set_scenario_times(&chain.first, Scenario::Error { error: ApiError::Throttling }, 1);
    let answer = app.post("/v1/summarize", body()).send().await.json();
    assert_eq!((&answer["model"], &answer["fallback"]), (&json!(chain.first), &json!(false)));
    assert_eq!(answer["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(
        app.metric("redraft_retries_total", &[("model", &chain.first), ("reason", "throttled")]).await,
        1.0
    );
}

#[tokio::test]
async fn the_sdk_itself_never_retries() {
    for exception in [ApiError::Throttling, ApiError::InternalServer, ApiError::ServiceUnavailable] {
        let app = TestApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
        let chain = app.default_chain().await;
        app.fail("*", exception);
        app.post("/v1/summarize", body()).send().await;
        assert_eq!(app.sim.calls().len(), chain.len, "one call a model: {exception:?}");
    }
}
