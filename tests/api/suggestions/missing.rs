//! Suggestions that fail, are too late, are stopped, or that nobody waits for.

use super::{
    MODEL, SHORT, TEXT, alone, alone_body, answered, body, number, numbers, streamed, told, warnings,
};
use crate::support::book::Book;
use crate::support::{TestApp, Transcript};
use crate::validation::assert_problem;
use bedrock_sim::{ApiError, GuardrailRules, Outcome, Scenario};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

#[tokio::test]
async fn one_that_fails_leaves_the_others() {
    for error in [ApiError::ServiceUnavailable, ApiError::Validation] {
        let app = alone(&[]).await;
        app.sim.set_scenario_times(MODEL, Scenario::Error { error }, 1);
        let answer = answered(&app, alone_body(TEXT, 3)).await;
        let failed =
            app.sim.calls().iter().find(|call| call.scenario != Scenario::Normal).map(number).unwrap();
        let others: Vec<u64> = (0..3).filter(|number| *number != failed - 1).collect();
        assert_eq!(numbers(&answer), others);
        assert_eq!(answer["text"], told(&answer)[0].1, "the first of those that are there");
        let detail = format!("Suggestion {failed} of 3 could not be written.");
        assert_eq!(warnings(&answer), [("fewer_suggestions", detail.as_str())]);
        assert_eq!((&answer["usage"]["model_calls"], &answer["finish_reason"]), (&json!(3), &json!("stop")));
        assert!(app.stop().await);
    }
}

#[tokio::test]
async fn one_that_fails_when_it_is_asked_for_again_is_left_out() {
    let app = alone(&[]).await;
    app.sim.set_scenario_times(MODEL, Scenario::Normal, 2);
    app.sim.set_scenario_times(MODEL, Scenario::Error { error: ApiError::ServiceUnavailable }, 1);
    let answer = answered(&app, alone_body(SHORT, 2)).await;
    assert_eq!(told(&answer).len(), 1);
    let failed = 2 - numbers(&answer)[0];
    let detail = format!("Suggestion {failed} of 2 could not be written.");
    assert_eq!(warnings(&answer), [("fewer_suggestions", detail.as_str())], "nothing was said twice");
    assert!(app.stop().await);
}

/// Calls in one piece and calls as streams, which long answers are asked for, by turns. What a
/// silent model does, the test about the request's time tells.
#[tokio::test]
async fn whatever_happens_to_one_of_them_the_others_are_told_and_it_is_told_or_missed() {
    let long = Book::small(8, 6_000).text;
    let waits = |name: &String| ["slow", "stall", "pause", "trickle"].iter().any(|word| name.contains(word));
    let names = Scenario::names().into_iter().filter(|name| !waits(name));
    let cases = names.zip([TEXT, long.as_str()].into_iter().cycle());
    let case = async |(name, text): (String, &str)| {
        let app = alone(&[]).await;
        app.sim.set_scenario_times(MODEL, Scenario::from_name(&name).unwrap(), 1);
        let stream = streamed(&app, alone_body(text, 3)).await;
        let told = stream.all("suggestion").count();
        let missed = stream.all("warning").filter(|frame| frame.data["code"] == "fewer_suggestions").count();
        assert_eq!((told + missed, told >= 2), (3, true), "{name}: {:?}", stream.frames);
        let first = stream.all("suggestion").min_by_key(|frame| frame.data["index"].as_u64()).unwrap();
        assert_eq!(stream.text(), first.data["text"].as_str().unwrap(), "{name}");
        assert!(stream.frames.last().unwrap().kind == "done", "{name}");
    };
    futures_util::stream::iter(cases).for_each_concurrent(4, case).await;
}

#[tokio::test]
async fn each_has_the_whole_chain_for_itself() {
    let app = TestApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
    let chain = app.default_chain().await;
    app.sim.set_scenario_times(&chain.first, Scenario::Error { error: ApiError::ServiceUnavailable }, 1);
    let stream = streamed(&app, body(TEXT, 3)).await;
    assert_eq!(stream.one("fallback")["to"], chain.second.as_str());
    let by_second = stream.all("suggestion").filter(|frame| frame.data["model"] == chain.second.as_str());
    assert_eq!((by_second.count(), stream.all("suggestion").count()), (1, 3));
    let done = stream.one("done");
    assert_eq!((&done["fallback"], &done["attempts"]), (&json!(true), &json!(4)));
    assert!(app.stop().await);
}

#[tokio::test]
async fn only_when_all_fail_there_is_no_answer() {
    let app = alone(&[]).await;
    app.sim.set_scenario("*", Scenario::Error { error: ApiError::ServiceUnavailable });
    let answer = app.post("/v1/rephrase", alone_body(TEXT, 3)).send().await;
    let problem = assert_problem(&answer, 503, "all_models_unavailable");
    assert_eq!(problem["attempts"].as_array().unwrap().len(), 3, "{problem}");
    app.sim.clear_scenarios();
    let app = alone(&[]).await;
    app.sim.set_scenario("*", Scenario::Error { error: ApiError::ServiceUnavailable });
    let stream = streamed(&app, alone_body(TEXT, 3)).await;
    assert_eq!(stream.outline(), ["start", "error"]);
    assert_eq!(stream.one("error")["partial"], false);
    assert!(app.stop().await);
}

#[tokio::test]
async fn who_leaves_ends_all_of_them() {
    for stream in ["", "?stream=sse"] {
        let app = TestApp::start().await;
        app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
        let request = tokio::spawn(app.post(&format!("/v1/rephrase{stream}"), body(TEXT, 3)).send());
        app.call(|call| call.sequence == 3).await;
        let left = SystemTime::now();
        request.abort();
        for sequence in 1..=3 {
            app.call(|call| call.sequence == sequence && call.outcome == Outcome::ClientGone).await;
        }
        assert!(left.elapsed().unwrap() < Duration::from_secs(2), "{:?}", left.elapsed());
        app.until_metric("redraft_admission_inflight", &[], 0.0).await;
        assert_eq!(app.sim.calls().len(), 3);
    }
}

#[tokio::test]
async fn what_is_there_when_the_time_is_over_is_the_answer() {
    let app = alone(&[]).await;
    app.sim.set_scenario_times(MODEL, Scenario::SlowHeaders { wait_ms: 600_000 }, 1);
    let request = app.post("/v1/rephrase", alone_body(TEXT, 3)).header("x-request-timeout-ms", "1500");
    let answer = request.send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    assert_eq!((told(&answer).len(), warnings(&answer).len()), (2, 1), "{answer}");
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_service_that_stops_says_that_some_were_told() {
    let app = alone(&[("SHUTDOWN__DRAIN_MS", "200"), ("SHUTDOWN__DELAY_MS", "0")]).await;
    app.sim.set_scenario_times(MODEL, Scenario::SlowHeaders { wait_ms: 600_000 }, 1);
    let mut stream = app.post("/v1/rephrase?stream=ndjson", alone_body(TEXT, 2)).open().await;
    let told = stream.read_until(|text| text.contains("\"suggestion\"")).await;
    app.shutdown.cancel();
    let rest = stream.finish().await;
    let lines = Transcript::of_lines(&format!("{told}{}", rest.text()));
    lines.assert_grammar();
    let error = lines.one("error");
    assert_eq!((&error["code"], &error["partial"]), (&json!("shutting_down"), &json!(true)));
}

#[tokio::test]
async fn the_guardrails_words_are_an_answer_but_no_suggestion_among_others() {
    let app = TestApp::with(&[("MODELS__FILE", "tests/fixtures/guarded.toml")]).await;
    let forbidden = json!({"text": "The SIMULATED FORBIDDEN TOPIC.", "chain": "answering", "n": 3});
    let answer = answered(&app, forbidden).await;
    assert_eq!((told(&answer).len(), &answer["finish_reason"]), (1, &json!("content_filter")));
    assert_eq!(answer["text"], told(&answer)[0].1);
    let priced = |answer: &Value| -> Vec<String> {
        let codes = warnings(answer).into_iter().map(|(code, _)| code);
        codes.filter(|code| *code != "unpriced_model").map(str::to_owned).collect()
    };
    assert_eq!(priced(&answer), ["fewer_suggestions", "fewer_suggestions", "guardrail_intervened"]);
    assert_eq!(app.sim.calls().len(), 3, "none is asked for again");
    let rules = GuardrailRules {
        blocked_input: Vec::new(),
        blocked_output: vec!["In other words".to_owned()],
        ..GuardrailRules::default()
    };
    app.sim.set_guardrail("*", rules);
    let answer = answered(&app, json!({"text": TEXT, "chain": "answering", "n": 3})).await;
    assert_eq!((numbers(&answer), &answer["finish_reason"]), (vec![0, 1], &json!("stop")));
    assert_eq!(priced(&answer), ["fewer_suggestions"]);
    assert_eq!(warnings(&answer)[0].1, "Suggestion 3 of 3 was stopped by the content policy.");
    assert!(app.stop().await);
}
