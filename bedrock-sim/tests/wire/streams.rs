//! ConverseStream: the order of events, and what each scenario does to it.

use std::time::{Duration, SystemTime};

use bedrock_sim::{ApiError, Pacing, Scenario, Sim, SimOptions, StopReason, StreamError};
use serde_json::{Value, json};

use crate::client::{
    Answer, End, Event, Open, TEXT, call, converse, events, kinds, request, sim, stream, text_of,
};

const HEALTHY: [&str; 5] =
    ["messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];

fn stop_reason(events: &[Event]) -> &str {
    let stop = events.iter().find(|event| event.kind() == "messageStop").unwrap();
    stop.payload["stopReason"].as_str().unwrap()
}

/// The frames before the fault, of an answer that ended in good order.
fn whole_events(answer: &Answer) -> Vec<Event> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.end, End::Whole, "{answer:?}");
    answer.events()
}

#[tokio::test]
async fn a_healthy_stream_is_made_like_that_of_aws() {
    let sim = sim().await;
    let answer = stream(&sim, "us.amazon.nova-micro-v1:0").await;
    let events = whole_events(&answer);
    assert_eq!(answer.header("content-type"), Some("application/vnd.amazon.eventstream"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.header("x-amzn-requestid").map(str::len), Some(36));
    assert_eq!(answer.header("x-bedrock-sim"), Some("author"));
    assert_eq!(kinds(&events), HEALTHY);
    for event in &events {
        let names: Vec<&str> = event.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [":event-type", ":content-type", ":message-type"]);
        let alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let padding = event.payload["p"].as_str().unwrap();
        assert!(!padding.is_empty() && alphabet.starts_with(padding));
        if let Some(text) = event.text() {
            assert!((1..=30).contains(&text.chars().count()), "{text:?}");
            assert_eq!(event.payload["contentBlockIndex"], 0);
        }
    }
    assert_eq!(text_of(&events), TEXT);
    assert_eq!(stop_reason(&events), "end_turn");
    let whole = converse(&sim, "us.amazon.nova-micro-v1:0").await.json();
    let metadata = events.last().unwrap();
    assert_eq!(metadata.payload["usage"], whole["usage"]);
    assert_eq!(metadata.payload["usage"]["serverToolUsage"], json!({}));
    assert!(metadata.payload["metrics"]["latencyMs"].is_u64());
}

#[tokio::test]
async fn unicode_text_arrives_as_it_was() {
    let sim = sim().await;
    let text = "Größe: 日本語のテキスト、と絵文字 🙂👩‍👩‍👧 — «guillemets» \u{1F600}\u{0301} end";
    let body = json!({"messages": [{"role": "user", "content": [{"text": text}]}]});
    let answer = call(&sim, "sim.normal", "converse-stream", &body).await;
    assert_eq!(text_of(&whole_events(&answer)), text);
}

#[tokio::test]
async fn what_was_asked_for_is_told_back() {
    let sim = sim().await;
    let mut body = request();
    body["serviceTier"] = json!({"type": "flex"});
    body["performanceConfig"] = json!({"latency": "optimized"});
    let answer = call(&sim, "us.amazon.nova-pro-v1:0", "converse-stream", &body).await;
    let events = whole_events(&answer);
    let metadata = &events.last().unwrap().payload;
    assert_eq!(metadata["serviceTier"], json!({"type": "flex"}));
    assert_eq!(metadata["performanceConfig"], json!({"latency": "optimized"}));
}

#[tokio::test]
async fn bytes_come_in_random_pieces_or_together() {
    let split = sim().await;
    let answer = stream(&split, "sim.normal").await;
    assert!(answer.pieces.len() > 5, "{:?}", answer.pieces);
    let together = Sim::start(SimOptions { split_frames: false, ..SimOptions::default() }).await.unwrap();
    let answer = stream(&together, "sim.normal").await;
    assert_eq!(answer.pieces.len(), 1, "{:?}", answer.pieces);
    assert_eq!(text_of(&whole_events(&answer)), TEXT);
}

#[tokio::test]
async fn an_exception_comes_as_first_event_or_after_some_deltas() {
    let sim = sim().await;
    for error in StreamError::ALL {
        for after_deltas in [0, 2] {
            sim.set_scenario("*", Scenario::StreamError { error, after_deltas });
            let events = whole_events(&stream(&sim, "sim.normal").await);
            let (last, before) = events.split_last().unwrap();
            assert_eq!(before.iter().filter(|event| event.text().is_some()).count(), after_deltas as usize);
            assert_eq!(before.is_empty(), after_deltas == 0);
            if error == StreamError::Unmodelled {
                assert_eq!(last.header(":message-type"), Some("error"));
                assert_eq!(last.header(":error-code"), Some("InternalError"));
                assert!(last.header(":error-message").is_some());
                continue;
            }
            assert_eq!(last.header(":message-type"), Some("exception"));
            assert_eq!(last.header(":exception-type"), Some(error.member()));
            assert!(!last.payload["message"].as_str().unwrap().is_empty());
            if error == StreamError::ModelStreamError {
                assert_eq!(last.payload["originalStatusCode"], 500);
            }
        }
    }
}

#[tokio::test]
async fn each_stop_reason_is_told() {
    let sim = sim().await;
    for reason in StopReason::ALL {
        sim.set_scenario("*", Scenario::StopReason { reason });
        let events = whole_events(&stream(&sim, "sim.normal").await);
        assert_eq!(stop_reason(&events), reason.as_str());
        assert_eq!(kinds(&events), HEALTHY);
        let whole = converse(&sim, "sim.normal").await.json();
        assert_eq!(whole["stopReason"], reason.as_str());
    }
}

#[tokio::test]
async fn max_tokens_and_stop_sequences_end_an_answer() {
    let sim = sim().await;
    for (config, reason) in
        [(json!({"maxTokens": 4}), "max_tokens"), (json!({"stopSequences": ["open"]}), "stop_sequence")]
    {
        let mut body = request();
        body["inferenceConfig"] = config;
        let events = whole_events(&call(&sim, "sim.normal", "converse-stream", &body).await);
        assert_eq!(stop_reason(&events), reason);
        assert!(text_of(&events).len() < TEXT.len());
        let usage = &events.last().unwrap().payload["usage"];
        assert!(usage["outputTokens"].as_u64().unwrap() <= 4);
    }
}

#[tokio::test]
async fn reasoning_comes_before_the_text() {
    let sim = sim().await;
    for model in ["sim.reasoning", "us.anthropic.claude-sonnet-5-5"] {
        let events = whole_events(&stream(&sim, model).await);
        let reasoning = |event: &&Event| event.payload["delta"]["reasoningContent"].is_object();
        let thoughts: Vec<&Event> = events.iter().filter(reasoning).collect();
        assert!(thoughts.iter().all(|event| event.payload["contentBlockIndex"] == 0));
        assert!(thoughts.last().unwrap().payload["delta"]["reasoningContent"]["signature"].is_string());
        let texts: Vec<&Event> = events.iter().filter(|event| event.text().is_some()).collect();
        assert!(texts.iter().all(|event| event.payload["contentBlockIndex"] == 1));
        let billed = events.last().unwrap().payload["usage"]["outputTokens"].as_u64().unwrap();
        assert!(billed > bedrock_sim::tokens::count(TEXT), "reasoning is billed");
        assert_eq!(sim.calls().pop().unwrap().billed_output_tokens, billed);
        assert_eq!(text_of(&events), TEXT);
    }
}

#[tokio::test]
async fn gpt_oss_begins_with_an_empty_text_block() {
    let sim = sim().await;
    for model in ["sim.gpt-oss-order", "openai.gpt-oss-120b-1:0"] {
        let events = whole_events(&stream(&sim, model).await);
        let blocks: Vec<(&str, &Value)> =
            events.iter().map(|event| (event.kind(), &event.payload["contentBlockIndex"])).collect();
        assert_eq!(blocks[1], ("contentBlockDelta", &json!(0)));
        assert_eq!(events[1].text(), Some(""));
        assert_eq!(blocks[2], ("contentBlockStop", &json!(0)));
        assert!(events[3].payload["delta"]["reasoningContent"]["text"].is_string());
        assert_eq!(blocks[3], ("contentBlockDelta", &json!(1)));
        let last_delta = events.iter().rfind(|event| event.text().is_some()).unwrap();
        assert_eq!(last_delta.payload["contentBlockIndex"], 2);
    }
}

#[tokio::test]
async fn an_answer_may_be_empty() {
    let sim = sim().await;
    let events = whole_events(&stream(&sim, "sim.empty-content").await);
    assert_eq!(kinds(&events), ["messageStart", "messageStop", "metadata"]);
    let events = whole_events(&stream(&sim, "sim.empty-text").await);
    assert_eq!(kinds(&events), HEALTHY);
    assert_eq!(text_of(&events), "");
    assert_eq!(events.last().unwrap().payload["usage"]["outputTokens"], 0);
}

#[tokio::test]
async fn a_stream_may_end_early_in_good_order() {
    let sim = sim().await;
    let events = whole_events(&stream(&sim, "sim.end-without-message-stop").await);
    assert_eq!(kinds(&events), ["messageStart", "contentBlockDelta"]);
    assert_eq!(events.len(), 1 + 3);
    let events = whole_events(&stream(&sim, "sim.end-without-metadata").await);
    assert_eq!(kinds(&events), HEALTHY[..4]);
}

#[tokio::test]
async fn a_cut_falls_inside_a_frame() {
    let sim = sim().await;
    for after_deltas in [0, 1, 3] {
        sim.set_scenario("*", Scenario::CutMidFrame { after_deltas });
        let answer = stream(&sim, "sim.normal").await;
        assert_eq!((answer.status, answer.end), (200, End::Cut));
        let (events, left) = events(&answer.body);
        assert_eq!(events.len(), 1 + after_deltas as usize);
        assert!(left > 12, "{left} bytes of a frame arrived");
    }
}

#[tokio::test]
async fn a_cut_may_fall_between_two_frames() {
    let sim = sim().await;
    let answer = stream(&sim, "sim.cut-between-frames").await;
    assert_eq!((answer.status, answer.end), (200, End::Cut));
    assert_eq!(answer.events().len(), 1 + 3, "every byte belongs to a whole frame");
}

#[tokio::test]
async fn a_reset_may_come_after_some_deltas() {
    let sim = sim().await;
    let mut open = Open::stream(&sim, "sim.reset-mid-stream").await;
    let events = open.until_events(1 + 3).await;
    assert_eq!(events.len(), 1 + 3, "what precedes the reset arrives");
    assert_eq!(open.read_to_end().await.end, End::Reset);
    assert_eq!(sim.calls()[0].deltas_sent, 3);
}

#[tokio::test]
async fn garbage_is_no_frame() {
    let sim = sim().await;
    for (after_deltas, sound) in [(None, 0), (Some(0), 1), (Some(2), 3)] {
        sim.set_scenario("*", Scenario::GarbageFrames { after_deltas });
        let answer = stream(&sim, "sim.normal").await;
        assert_eq!((answer.status, answer.end), (200, End::Whole));
        let (events, left) = events(&answer.body);
        assert_eq!((events.len(), left), (sound, 512), "{after_deltas:?}");
    }
}

#[tokio::test]
async fn events_may_come_in_an_order_that_lies() {
    let sim = sim().await;
    let twice = whole_events(&stream(&sim, "sim.duplicate-stop").await);
    assert_eq!(twice.iter().filter(|event| event.kind() == "messageStop").count(), 2);
    assert_eq!(text_of(&twice), TEXT);
    let early = whole_events(&stream(&sim, "sim.text-after-stop").await);
    let stop = early.iter().position(|event| event.kind() == "messageStop").unwrap();
    let (before, after) = early.split_at(stop);
    assert!(!text_of(before).is_empty() && !text_of(after).is_empty());
    assert_eq!(text_of(&early), TEXT);
    assert_eq!(early.iter().filter(|event| event.kind() == "messageStop").count(), 1);
    assert_eq!(early.last().unwrap().kind(), "metadata");
}

#[tokio::test]
async fn one_delta_may_hold_a_megabyte() {
    let sim = sim().await;
    let events = whole_events(&stream(&sim, "sim.huge-delta").await);
    assert_eq!(kinds(&events), HEALTHY);
    assert_eq!(events.len(), 5, "one delta");
    let text = text_of(&events);
    assert!(text.len() >= 1_000_000 && text.starts_with(TEXT));
    assert_eq!(sim.calls()[0].text.as_deref(), Some(text.as_str()));
    let whole = converse(&sim, "sim.huge-delta").await.json();
    assert_eq!(whole["output"]["message"]["content"][0]["text"], text);
}

#[tokio::test]
async fn a_usage_may_be_a_lie() {
    let sim = sim().await;
    let cases = [
        ("usage-negative", json!(-7), json!(-1), json!(-8)),
        ("usage-absurd", json!(0), json!(i32::MAX), json!(i32::MAX)),
        ("usage-uncountable", json!(0), json!(i64::MAX), json!(i64::MAX)),
    ];
    for (name, input, output, total) in cases {
        let told = json!({
            "inputTokens": input, "outputTokens": output, "totalTokens": total, "serverToolUsage": {}
        });
        let events = whole_events(&stream(&sim, &format!("sim.{name}")).await);
        assert_eq!(events.last().unwrap().payload["usage"], told);
        assert_eq!(converse(&sim, &format!("sim.{name}")).await.json()["usage"], told);
        let billed = sim.calls().pop().unwrap().billed_output_tokens;
        assert!((1..100).contains(&billed), "the log knows the truth: {billed}");
    }
}

#[tokio::test]
async fn a_body_may_come_byte_by_byte() {
    let sim = sim().await;
    sim.set_scenario("*", Scenario::ByteTrickle { gap_ms: 1 });
    let body = json!({"messages": [{"role": "user", "content": [{"text": "Ja."}]}]});
    for operation in ["converse", "converse-stream"] {
        let started = SystemTime::now();
        let answer = call(&sim, "sim.normal", operation, &body).await;
        let least = Duration::from_millis(answer.body.len() as u64);
        assert!(started.elapsed().unwrap() >= least, "{operation}");
        assert_eq!(answer.end, End::Whole);
        assert!(answer.pieces.iter().all(|size| *size == 1), "{operation}: {:?}", answer.pieces);
    }
    assert!(sim.calls().iter().all(|call| call.outcome == bedrock_sim::Outcome::Completed));
}

#[tokio::test]
async fn a_flapping_model_fails_every_second_call() {
    let sim = sim().await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(converse(&sim, "sim.flapping").await.status);
    }
    assert_eq!(seen, [503, 200, 503, 200]);
    let scenarios: Vec<Scenario> = sim.calls().into_iter().map(|call| call.scenario).collect();
    assert_eq!(scenarios[0], Scenario::from(ApiError::ServiceUnavailable), "the log names what was taken");
    assert_eq!(scenarios[1], Scenario::Normal);
}

#[tokio::test]
async fn a_reset_comes_before_any_byte() {
    let sim = sim().await;
    for answer in
        [stream(&sim, "sim.reset-before-headers").await, converse(&sim, "sim.reset-before-headers").await]
    {
        assert_eq!((answer.status, answer.end), (0, End::Reset));
    }
}

#[tokio::test]
async fn a_corrupt_frame_fails_its_checksum() {
    let sim = sim().await;
    let answer = stream(&sim, "sim.corrupt-crc").await;
    assert_eq!(answer.end, End::Whole);
    let (events, _) = events(&answer.body);
    assert_eq!(kinds(&events), ["messageStart", "contentBlockDelta"]);
    assert_eq!(events.len(), 1 + 3);
    let frames: usize = events_length(&answer.body, 4);
    let mut broken = &answer.body[frames..];
    let error = aws_smithy_eventstream::frame::read_message_from(&mut broken).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
}

fn events_length(bytes: &[u8], count: usize) -> usize {
    (0..count).fold(0, |at, _| {
        at + u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
    })
}

#[tokio::test]
async fn an_unknown_event_stands_among_the_others() {
    let sim = sim().await;
    let events = whole_events(&stream(&sim, "sim.unknown-event").await);
    let unknown = events.iter().position(|event| event.kind() == "somethingNew").unwrap();
    assert_eq!(events[..unknown].iter().filter(|event| event.text().is_some()).count(), 3);
    assert_eq!(text_of(&events), TEXT);
    assert_eq!(events.last().unwrap().kind(), "metadata");
}

#[tokio::test]
async fn json_may_stand_where_a_stream_belongs() {
    let sim = sim().await;
    let answer = stream(&sim, "sim.json-instead-of-stream").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert!(answer.json()["message"].is_string());
}

#[tokio::test]
async fn a_stalled_stream_stays_open_and_silent() {
    let sim = sim().await;
    let mut open = Open::stream(&sim, "sim.stall").await;
    let events = open.until_events(1 + 3).await;
    assert_eq!(events.len(), 1 + 3);
    let more = tokio::time::timeout(Duration::from_millis(150), open.until_events(5)).await;
    assert!(more.is_err(), "nothing follows");
    let mut empty = Open::stream(&sim, "sim.stalled-body").await;
    empty.until(|answer| answer.status == 200).await;
    let more = tokio::time::timeout(Duration::from_millis(150), empty.until_events(1)).await;
    assert!(more.is_err(), "nothing follows the headers");
}

#[tokio::test]
async fn waits_fall_where_they_are_said_to() {
    let sim = sim().await;
    let wait_ms = 120;
    let cases = [
        (Scenario::SlowHeaders { wait_ms }, 0),
        (Scenario::SlowFirstEvent { wait_ms }, 1),
        (Scenario::SlowFirstDelta { wait_ms }, 2),
        (Scenario::Stall { after_deltas: 2, for_ms: Some(wait_ms) }, 4),
    ];
    for (scenario, quick_parts) in cases {
        sim.set_scenario("*", scenario.clone());
        let started = SystemTime::now();
        let mut open = Open::stream(&sim, "sim.normal").await;
        // The parts are: the headers, messageStart, and the deltas.
        let part = |answer: &Answer, parts: usize| parts == 0 || 1 + events(&answer.body).0.len() >= parts;
        open.until(|answer| part(answer, quick_parts)).await;
        let answer = open.until(|answer| part(answer, quick_parts + 1)).await;
        let elapsed = started.elapsed().unwrap();
        assert!(elapsed >= Duration::from_millis(wait_ms), "{scenario:?}: {elapsed:?}");
        assert_eq!(answer.status, 200);
        let rest = open.until(|answer| answer.end == End::Whole).await;
        assert_eq!(text_of(&rest.events()), TEXT, "{scenario:?}");
    }
}

#[tokio::test]
async fn pacing_and_trickling_take_their_time() {
    let pacing = Pacing { first_delta: Duration::from_millis(60), between_deltas: Duration::from_millis(5) };
    let paced = Sim::start(SimOptions { pacing, ..SimOptions::default() }).await.unwrap();
    let started = SystemTime::now();
    let deltas = whole_events(&stream(&paced, "sim.normal").await).len() - 4;
    let least = Duration::from_millis(60 + 5 * (deltas as u64 - 1));
    assert!(started.elapsed().unwrap() >= least);
    let started = SystemTime::now();
    assert_eq!(converse(&paced, "sim.normal").await.status, 200);
    assert!(started.elapsed().unwrap() >= least, "a whole answer takes as long");
    paced.set_scenario("*", Scenario::Trickle { gap_ms: 20 });
    let started = SystemTime::now();
    assert_eq!(text_of(&whole_events(&stream(&paced, "sim.normal").await)), TEXT);
    assert!(started.elapsed().unwrap() >= Duration::from_millis(20 * deltas as u64));
}

#[tokio::test]
async fn a_status_error_is_the_same_for_streams() {
    let sim = sim().await;
    sim.set_scenario_times("*", Scenario::from(ApiError::Throttling), 1);
    let refused = stream(&sim, "sim.normal").await;
    assert_eq!((refused.status, refused.header("content-type")), (429, Some("application/json")));
    assert_eq!(stream(&sim, "sim.normal").await.status, 200);
}
