//! The log of calls: what is recorded, and when a client that left is noticed.

use std::time::{Duration, SystemTime};

use bedrock_sim::{CallRecord, Operation, Outcome, Scenario, Sim, SimOptions};
use serde_json::json;

use crate::client::{Open, PATIENCE, SIGNED, TEXT, converse, path, request, send, sim, stream};

/// How late a client that left may be noticed here, on a busy machine.
const NOTICED_WITHIN: Duration = Duration::from_millis(500);

async fn gone(sim: &Sim) -> CallRecord {
    let left_at = SystemTime::now();
    let found = sim.wait_for_call(|call| call.outcome == Outcome::ClientGone, PATIENCE).await.unwrap();
    let noticed_after = left_at.elapsed().unwrap();
    assert!(noticed_after < NOTICED_WITHIN, "{noticed_after:?}");
    assert!(found.ended_after_ms.is_some());
    found
}

#[tokio::test]
async fn a_call_is_recorded_with_what_was_asked_and_answered() {
    let sim = sim().await;
    let headers = format!("{SIGNED}amz-sdk-request: attempt=2; max=3\r\n");
    let body = request().to_string();
    let target = path("us.amazon.nova-micro-v1:0", "converse-stream");
    let answer = send(sim.addr(), "POST", &target, &headers, body.as_bytes()).await;
    let events = answer.events();
    let calls = sim.calls();
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!(call.sequence, 1);
    assert_eq!(call.operation, Operation::ConverseStream);
    assert_eq!(call.model_id, "us.amazon.nova-micro-v1:0");
    assert_eq!(Some(call.request_id.as_str()), answer.header("x-amzn-requestid"));
    assert_eq!(call.sdk_request.as_deref(), Some("attempt=2; max=3"));
    assert_eq!(call.request(), &request());
    assert_eq!(call.request_bytes(), body.as_bytes());
    assert_eq!(call.scenario, Scenario::Normal);
    assert_eq!(call.outcome, Outcome::Completed);
    assert!(call.ended_after_ms.unwrap() >= call.received_after_ms);
    assert!(call.received_at_unix_ms > 1_700_000_000_000);
    assert_eq!(call.deltas_sent as usize, events.len() - 4);
    assert_eq!(call.text.as_deref(), Some(TEXT));
    let usage = &events.last().unwrap().payload["usage"];
    assert_eq!(usage["inputTokens"], call.billed_input_tokens);
    assert_eq!(usage["outputTokens"], call.billed_output_tokens);
}

#[tokio::test]
async fn failures_are_recorded_by_their_names() {
    let sim = sim().await;
    let cases = [
        ("sim.throttling", 429, "ThrottlingException"),
        ("sim.stream-validation-late", 200, "validationException"),
        ("sim.cut-mid-frame", 200, "cut-mid-frame"),
        ("sim.end-without-message-stop", 200, "end-without-message-stop"),
        ("sim.json-instead-of-stream", 200, "json-instead-of-stream"),
        ("sim.html-bad-gateway", 502, "html-bad-gateway"),
        ("sim.reset-before-headers", 0, "reset-before-headers"),
        ("us.unheard.model", 400, "ValidationException"),
    ];
    for (model, status, error) in cases {
        stream(&sim, model).await;
        let last = sim.calls().pop().unwrap();
        assert_eq!(last.outcome, Outcome::Failed { status, error: error.to_owned() }, "{model}");
    }
    let late = sim.calls().into_iter().find(|call| call.model_id == "sim.stream-validation-late").unwrap();
    assert_eq!(late.deltas_sent, 3);
    assert!(late.billed_input_tokens > 0 && TEXT.starts_with(late.text.as_deref().unwrap()));
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_while_a_stream_is_silent() {
    let sim = sim().await;
    let mut open = Open::stream(&sim, "sim.stall").await;
    open.until_events(1 + 3).await;
    assert_eq!(sim.calls()[0].outcome, Outcome::InProgress);
    drop(open);
    let call = gone(&sim).await;
    assert_eq!(call.deltas_sent, 3);
    assert!(TEXT.starts_with(call.text.as_deref().unwrap()));
    assert!(call.billed_output_tokens > 0);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_before_any_byte() {
    let sim = sim().await;
    for scenario in [Scenario::SlowHeaders { wait_ms: 60_000 }, Scenario::SlowFirstEvent { wait_ms: 60_000 }]
    {
        for operation in ["converse", "converse-stream"] {
            sim.clear_calls();
            sim.set_scenario("*", scenario.clone());
            let open = Open::call(&sim, "sim.normal", operation).await;
            sim.wait_for_call(|call| call.outcome == Outcome::InProgress, PATIENCE).await.unwrap();
            drop(open);
            assert_eq!(gone(&sim).await.scenario, scenario);
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_in_a_stalled_body_and_a_trickle() {
    let sim = sim().await;
    let mut open = Open::call(&sim, "sim.stalled-body", "converse").await;
    open.until(|answer| !answer.body.is_empty()).await;
    drop(open);
    gone(&sim).await;
    sim.clear_calls();
    sim.set_scenario("*", Scenario::Trickle { gap_ms: 30 });
    let mut open = Open::stream(&sim, "sim.normal").await;
    open.until_events(2).await;
    drop(open);
    gone(&sim).await;
}

#[tokio::test]
async fn a_slow_answer_that_was_read_to_its_end_is_completed() {
    let sim = sim().await;
    for scenario in [Scenario::Trickle { gap_ms: 1 }, Scenario::SlowHeaders { wait_ms: 1 }] {
        sim.clear_calls();
        sim.set_scenario("*", scenario.clone());
        for operation in [converse(&sim, "sim.normal").await, stream(&sim, "sim.normal").await] {
            assert_eq!(operation.status, 200);
        }
        let outcomes: Vec<Outcome> = sim.calls().into_iter().map(|call| call.outcome).collect();
        assert_eq!(outcomes, [Outcome::Completed, Outcome::Completed], "{scenario:?}");
    }
}

#[tokio::test]
async fn the_log_keeps_the_newest_calls_and_can_be_cleared() {
    let sim = Sim::start(SimOptions { log_capacity: 2, ..SimOptions::default() }).await.unwrap();
    for _ in 0..3 {
        converse(&sim, "sim.normal").await;
    }
    let sequences: Vec<u64> = sim.calls().iter().map(|call| call.sequence).collect();
    assert_eq!(sequences, [2, 3]);
    sim.clear_calls();
    assert!(sim.calls().is_empty());
    converse(&sim, "sim.normal").await;
    assert_eq!(sim.calls()[0].sequence, 4);
}

#[tokio::test]
async fn the_log_tells_how_many_calls_were_under_way_at_once() {
    let sim = sim().await;
    let mut silent = Vec::new();
    sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 60_000 });
    for (arrived, operation) in (1..).zip(["converse", "converse-stream", "converse"]) {
        silent.push(Open::call(&sim, "sim.normal", operation).await);
        sim.wait_for_call(|call| call.sequence == arrived, PATIENCE).await.unwrap();
    }
    drop(silent.pop());
    gone(&sim).await;
    sim.clear_scenarios();
    converse(&sim, "sim.throttling").await;
    let whole = |call: &CallRecord| call.operation == Operation::Converse;
    assert_eq!((sim.peak_concurrency(|_| true), sim.peak_concurrency(whole)), (3, 2));
    let calls = sim.calls();
    assert!(calls.is_sorted_by_key(|call| call.began) && calls[0].ended.is_none());
    assert!(calls[2].ended.unwrap() <= calls[3].began);
}

#[tokio::test]
async fn waiting_for_a_call_ends_with_the_call_or_with_its_time() {
    let sim = sim().await;
    let waiting = sim
        .wait_for_call(|call| call.model_id == "sim.normal" && call.outcome != Outcome::InProgress, PATIENCE);
    let (found, _) = tokio::join!(waiting, converse(&sim, "sim.normal"));
    assert_eq!(found.unwrap().operation, Operation::Converse);
    let never = sim.wait_for_call(|call| call.model_id == "never", Duration::from_millis(20)).await;
    assert!(never.is_none());
}

#[tokio::test]
async fn a_record_as_json_names_every_member() {
    let sim = sim().await;
    converse(&sim, "sim.throttling").await;
    let json = serde_json::to_value(&sim.calls()[0]).unwrap();
    let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "sequence",
        "operation",
        "model_id",
        "guardrail_version",
        "request_id",
        "sdk_request",
        "headers",
        "signed_by",
        "received_after_ms",
        "received_at_unix_ms",
        "scenario",
        "outcome",
        "ended_after_ms",
        "deltas_sent",
        "billed_input_tokens",
        "billed_cache_read_input_tokens",
        "billed_cache_write_input_tokens",
        "billed_output_tokens",
        "text",
        "request",
    ];
    expected.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(json["outcome"], json!({"kind": "failed", "status": 429, "error": "ThrottlingException"}));
    assert_eq!(json["scenario"], json!({"kind": "error", "error": "throttling"}));
}
