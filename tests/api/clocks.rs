//! The clocks: short ones against a silent simulator, and the room that each
//! leaves for the next target.

use std::time::{Duration, SystemTime};

use bedrock_sim::{Outcome, Scenario};
use redraft::domain::CallFailure;
use redraft::inference::BackendError;
use redraft::inference::scripted::Turn;
use serde_json::{Value, json};

use crate::support::{Request, ScriptedApp, TestApp};
use crate::validation::assert_problem;

const TEXT: &str = "The mill was built in 1820. It ground flour until 1951. Today it is a museum.";

fn body() -> Value {
    json!({"text": TEXT})
}

#[tokio::test]
async fn a_silent_model_costs_one_answer_clock_and_is_not_asked_twice() {
    let app = TestApp::with(&[("CLOCKS__ANSWER_MS", "150")]).await;
    let chain = app.default_chain().await;
    app.sim.set_scenario(&chain.first, Scenario::SlowHeaders { wait_ms: 600_000 });
    let answer = app.post("/v1/summarize", body()).send().await.json();
    assert_eq!(answer["model"], chain.second.as_str());
    assert_eq!(answer["attempts"][0]["error"], "answer_timeout");
    assert_eq!(app.models_called(), [chain.first, chain.second]);
    let call = app.call(|call| call.outcome == Outcome::ClientGone).await;
    assert_eq!(call.sequence, app.sim.calls()[0].sequence, "the silent call was ended");
}

#[tokio::test]
async fn a_body_that_stalls_after_its_head_is_under_the_answer_clock_too() {
    let app = TestApp::with(&[("CLOCKS__ANSWER_MS", "150")]).await;
    let chain = app.default_chain().await;
    app.sim.set_scenario(&chain.first, Scenario::StalledBody);
    let answer = app.post("/v1/summarize", body()).send().await.json();
    assert_eq!(
        (&answer["model"], &answer["attempts"][0]["error"]),
        (&json!(chain.second), &json!("answer_timeout"))
    );
}

#[tokio::test]
async fn a_stream_without_a_first_event_falls_back_after_first_event() {
    let app = TestApp::with(&[("CLOCKS__FIRST_EVENT_MS", "150")]).await;
    let chain = app.default_chain().await;
    for scenario in [
        Scenario::SlowHeaders { wait_ms: 600_000 },
        Scenario::SlowFirstEvent { wait_ms: 600_000 },
        Scenario::StalledBody,
    ] {
        app.sim.set_scenario(&chain.first, scenario.clone());
        let stream = app.post("/v1/summarize?stream=sse", body()).send().await.sse();
        assert_eq!(stream.one("fallback")["reason"], "first_event_timeout", "{scenario:?}");
        assert_eq!(stream.outline(), ["start", "fallback", "delta", "usage", "done"]);
    }
}

#[tokio::test]
async fn a_stream_without_a_first_word_falls_back_after_idle() {
    let app = TestApp::with(&[("CLOCKS__IDLE_MS", "150")]).await;
    let chain = app.default_chain().await;
    app.sim.set_scenario(&chain.first, Scenario::SlowFirstDelta { wait_ms: 600_000 });
    let stream = app.post("/v1/summarize?stream=sse", body()).send().await.sse();
    assert_eq!(stream.one("fallback")["reason"], "idle_timeout");
    assert_eq!(stream.one("done")["model"], chain.second.as_str());
}

#[tokio::test]
async fn a_stall_in_mid_stream_is_an_error_after_idle() {
    let app = TestApp::with(&[("CLOCKS__IDLE_MS", "150")]).await;
    app.sim.set_scenario("*", Scenario::Stall { after_deltas: 2, for_ms: None });
    let stream = app.post("/v1/summarize?stream=sse", body()).send().await.sse();
    stream.assert_grammar();
    assert_eq!(stream.outline(), ["start", "delta", "usage", "error"]);
    let error = stream.one("error");
    assert_eq!((&error["code"], &error["partial"]), (&json!("upstream_timeout"), &json!(true)));
}

#[tokio::test]
async fn a_trickle_is_ended_by_the_attempt_clock() {
    let app = TestApp::with(&[
        ("CLOCKS__ATTEMPT_MS", "300"),
        ("CLOCKS__FIRST_EVENT_MS", "200"),
        ("CLOCKS__IDLE_MS", "200"),
    ])
    .await;
    app.sim.set_scenario("*", Scenario::Trickle { gap_ms: 60 });
    let long = json!({"text": TEXT.repeat(20)});
    let stream = app.post("/v1/rephrase?stream=sse", long).send().await.sse();
    stream.assert_grammar();
    assert_eq!(stream.one("error")["code"], "upstream_timeout");
}

#[tokio::test]
async fn the_callers_deadline_ends_a_request_and_leaves_room_for_the_next_target() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.sim.set_scenario(&chain.first, Scenario::SlowHeaders { wait_ms: 600_000 });
    for path in ["/v1/summarize", "/v1/summarize?stream=ndjson"] {
        let started = SystemTime::now();
        let answer = app.post(path, body()).header("x-request-timeout-ms", "1000").send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains(&chain.second));
        assert!(started.elapsed().unwrap() < Duration::from_secs(1), "the second answered in time");
    }
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let answer = app.post("/v1/summarize", body()).header("x-request-timeout-ms", "300").send().await;
    assert_problem(&answer, 504, "deadline_exceeded");
    let stream =
        app.post("/v1/summarize?stream=sse", body()).header("x-request-timeout-ms", "300").send().await;
    assert_eq!(stream.sse().one("error")["code"], "deadline_exceeded");
}

fn never() -> Turn {
    Turn::Silence
}

/// Time of a request on paused clocks: only waits count, and they count exactly.
async fn virtual_time_of(app: &ScriptedApp, path: &str) -> (Value, Duration) {
    let started = tokio::time::Instant::now();
    let request = Request::post(app.api, path).header("content-type", "application/json");
    let request = request.patience(Duration::from_secs(3600));
    let answer = request.body(body().to_string()).send().await;
    let body = if path.contains("stream") { answer.sse().frames.pop().unwrap().data } else { answer.json() };
    (body, started.elapsed())
}

#[tokio::test]
async fn with_the_shipped_clocks_silence_everywhere_ends_before_the_deadline_is_passed() {
    let app = ScriptedApp::with(&[]).await;
    let models = Request::get(app.api, "/v1/models").send().await.json();
    let chains = models["chains"].as_array().unwrap();
    let default = chains.iter().find(|chain| chain["name"] == "default").unwrap();
    for model in default["models"].as_array().unwrap() {
        for _ in 0..2 {
            app.backend.then(model.as_str().unwrap(), never());
        }
    }
    tokio::time::pause();
    let (problem, time) = virtual_time_of(&app, "/v1/summarize").await;
    assert_eq!(problem["status"], 504, "{problem}");
    assert!(time <= Duration::from_secs(61), "{time:?}");
    let latencies: Vec<u64> =
        problem["attempts"].as_array().unwrap().iter().map(|a| a["latency_ms"].as_u64().unwrap()).collect();
    assert_eq!(
        latencies.len(),
        default["models"].as_array().unwrap().len(),
        "each was asked once: {latencies:?}"
    );
    assert!(
        latencies.iter().all(|latency| *latency <= 25_100),
        "none costs more than its clock: {latencies:?}"
    );
}

#[tokio::test]
async fn a_back_off_asked_for_by_the_provider_never_sleeps_past_the_deadline() {
    let app = ScriptedApp::with(&[]).await;
    let models = Request::get(app.api, "/v1/models").send().await.json();
    let chains = models["chains"].as_array().unwrap();
    let default = chains.iter().find(|chain| chain["name"] == "default").unwrap();
    for model in default["models"].as_array().unwrap() {
        let mut error = BackendError::new(CallFailure::Throttled, "wait");
        error.retry_after = Some(Duration::from_secs(3600));
        app.backend.then(model.as_str().unwrap(), Turn::Fail { after: Duration::ZERO, error });
    }
    tokio::time::pause();
    let (problem, time) = virtual_time_of(&app, "/v1/summarize").await;
    assert_eq!(problem["code"], "model_capacity");
    assert!(time < Duration::from_secs(5), "{time:?}");
    assert_eq!(app.backend.turns_left(), 0);
}

#[tokio::test]
async fn a_long_json_answer_is_not_cut_by_the_clock_of_a_short_one() {
    let app = TestApp::with(&[("CLOCKS__ANSWER_MS", "150")]).await;
    let chain = app.default_chain().await;
    app.sim.set_scenario("*", Scenario::Trickle { gap_ms: 1 });
    let text = TEXT.repeat(60);
    let answer = app.post("/v1/rephrase", json!({ "text": text })).send().await.json();
    assert_eq!(answer["model"], chain.first.as_str(), "{answer}");
    let call = app.call(|call| call.ended_after_ms.is_some()).await;
    assert_eq!(call.operation, bedrock_sim::Operation::ConverseStream);
    assert_eq!(answer["text"].as_str(), call.text.as_deref());
    assert_eq!(answer["usage"]["output_tokens"], call.billed_output_tokens);
}

#[tokio::test]
async fn a_slow_upload_is_the_requests_own_time() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.sim.set_scenario(&chain.first, Scenario::SlowHeaders { wait_ms: 600_000 });
    app.sim.set_scenario(&chain.second, Scenario::SlowHeaders { wait_ms: 600_000 });
    let body = body().to_string();
    let head = format!(
        "POST /v1/summarize HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-timeout-ms: 400\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(app.api).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // The body comes after the deadline: nothing is left for a model to answer in.
    let late = tokio::time::timeout(Duration::from_millis(450), stream.readable()).await;
    assert!(late.is_err(), "the service waits for the body");
    stream.write_all(body.as_bytes()).await.unwrap();
    let sent = SystemTime::now();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 504") && answer.contains("deadline_exceeded"), "{answer}");
    assert!(sent.elapsed().unwrap() < Duration::from_millis(300), "no time was left");
    assert!(app.models_called().is_empty(), "and no call was made that nobody could wait for");
}
