//! Scenarios of native calls: what each does to the chunks of every family and to the bodies.

use std::time::Duration;

use bedrock_sim::{ApiError, Outcome, Pacing, Scenario, Sim, SimOptions, StopReason, StreamError};
use serde_json::{Value, json};

use super::{Family, METRICS, chunks, families, family, whole_chunks};
use crate::client::{End, Open, PATIENCE, SIGNED, TEXT, events, path, sim};

fn streaming() -> impl Iterator<Item = Family> {
    families().into_iter().filter(|family| family.name != "jurassic")
}

/// Sets the scenario of that name for every model.
fn set(sim: &Sim, name: &str) {
    sim.set_scenario("*", Scenario::from_name(name).unwrap());
}

#[tokio::test]
async fn errors_are_statuses_of_both_operations() {
    let sim = sim().await;
    let cases = [
        ("throttling", 429, "ThrottlingException"),
        ("service-quota-exceeded", 400, "ServiceQuotaExceededException"),
        ("model-error", 424, "ModelErrorException"),
        ("model-timeout", 408, "ModelTimeoutException"),
        ("model-not-ready", 429, "ModelNotReadyException"),
        ("service-unavailable", 503, "ServiceUnavailableException"),
    ];
    for (name, status, type_name) in cases {
        set(&sim, name);
        for family in families() {
            for answer in [family.invoke(&sim).await, family.stream(&sim).await] {
                assert_eq!(answer.status, status, "{}", family.name);
                assert!(answer.header("x-amzn-errortype").unwrap().starts_with(type_name), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn exceptions_come_late_in_every_family() {
    let sim = sim().await;
    for error in StreamError::ALL {
        for family in streaming() {
            sim.set_scenario("*", Scenario::StreamError { error, after_deltas: 3 });
            let events = family.stream(&sim).await.events();
            assert_eq!(
                events.last().unwrap().kind(),
                match error {
                    StreamError::Unmodelled => "InternalError",
                    _ => error.member(),
                }
            );
            let text = family.text_of(&chunks(&events));
            assert!(!text.is_empty() && TEXT.starts_with(&text), "{}: {text}", family.name);
            let call = sim.calls().pop().unwrap();
            assert_eq!(call.deltas_sent, 3);
            assert_eq!(call.text.as_deref(), Some(text.as_str()), "what was sent is billed");
        }
    }
    set(&sim, "stream-model-timeout");
    let nova = family("nova");
    assert_eq!(nova.stream(&sim).await.events()[0].kind(), "modelTimeoutException");
    assert_eq!(nova.invoke(&sim).await.status, 408);
}

#[tokio::test]
async fn streams_break_in_every_family() {
    let sim = sim().await;
    for family in streaming() {
        set(&sim, "cut-mid-frame");
        let cut = family.stream(&sim).await;
        let (sound, left) = events(&cut.body);
        assert_eq!(cut.end, End::Cut, "{}", family.name);
        assert!(left > 0, "{}: a part of a frame came", family.name);
        assert!(TEXT.starts_with(&family.text_of(&chunks(&sound))));

        set(&sim, "cut-between-frames");
        let cut = family.stream(&sim).await;
        assert_eq!((cut.end, events(&cut.body).1), (End::Cut, 0), "{}", family.name);

        set(&sim, "corrupt-crc");
        let corrupt = family.stream(&sim).await;
        assert!(events(&corrupt.body).1 > 0, "{}", family.name);

        set(&sim, "garbage-frames");
        let garbage = family.stream(&sim).await;
        assert_eq!(events(&garbage.body).1, 512, "{}", family.name);

        set(&sim, "end-without-message-stop");
        let early = whole_chunks(&family.stream(&sim).await);
        assert_eq!(family.reason_of(&early), None, "{}", family.name);
        assert!(early.iter().all(|chunk| chunk[METRICS].is_null()), "{}", family.name);
        let text = family.text_of(&early);
        assert!(!text.is_empty() && text.len() < TEXT.len() && TEXT.starts_with(&text));

        set(&sim, "end-without-metadata");
        let untold = whole_chunks(&family.stream(&sim).await);
        assert_eq!(family.reason_of(&untold), Some(family.reasons[0]), "{}", family.name);
        assert!(untold.iter().all(|chunk| chunk[METRICS].is_null()), "{}", family.name);
    }
}

#[tokio::test]
async fn odd_streams_still_tell_the_text() {
    let sim = sim().await;
    for name in
        ["duplicate-stop", "text-after-stop", "unknown-event", "slow-first-delta-short", "trickle-short"]
    {
        match name {
            "slow-first-delta-short" => sim.set_scenario("*", Scenario::SlowFirstDelta { wait_ms: 5 }),
            "trickle-short" => sim.set_scenario("*", Scenario::Trickle { gap_ms: 1 }),
            name => set(&sim, name),
        }
        for family in streaming() {
            let answer = family.stream(&sim).await;
            let chunks = whole_chunks(&answer);
            assert_eq!(family.text_of(&chunks), TEXT, "{name}: {}", family.name);
            assert!(chunks.last().unwrap()[METRICS].is_object(), "{name}: {}", family.name);
            let stops = chunks
                .iter()
                .filter(|chunk| chunk.pointer(family.chunk_reason).is_some_and(Value::is_string));
            assert_eq!(stops.count(), if name == "duplicate-stop" { 2 } else { 1 }, "{}", family.name);
            let unknown = answer.events().iter().any(|event| event.kind() == "somethingNew");
            assert_eq!(unknown, name == "unknown-event");
        }
    }
}

#[tokio::test]
async fn empty_answers_are_empty_in_every_family() {
    let sim = sim().await;
    for name in ["empty-content", "empty-text"] {
        set(&sim, name);
        for family in families() {
            let json = family.invoke(&sim).await.json();
            let text = json.pointer(family.text).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(text, "", "{name}: {}", family.name);
        }
        for family in streaming() {
            let chunks = whole_chunks(&family.stream(&sim).await);
            assert_eq!(family.text_of(&chunks), "", "{name}: {}", family.name);
            assert!(chunks.last().unwrap()[METRICS].is_object());
        }
    }
    set(&sim, "empty-content");
    assert_eq!(family("claude messages").invoke(&sim).await.json()["content"], json!([]));
    assert_eq!(family("mistral").invoke(&sim).await.json()["outputs"], json!([]));
}

#[tokio::test]
async fn stop_reasons_have_the_words_of_the_family() {
    let sim = sim().await;
    let cases = [
        (StopReason::ContentFiltered, "claude messages", "refusal"),
        (StopReason::ToolUse, "claude messages", "tool_use"),
        (StopReason::GuardrailIntervened, "claude messages", "end_turn"),
        (StopReason::ContentFiltered, "nova", "content_filtered"),
        (StopReason::ContentFiltered, "titan", "CONTENT_FILTERED"),
        (StopReason::StopSequence, "titan", "STOP_CRITERIA_MET"),
        (StopReason::MaxTokens, "llama 3", "length"),
        (StopReason::ContentFiltered, "command", "ERROR_TOXIC"),
        (StopReason::ContentFiltered, "qwen", "content_filter"),
        (StopReason::ToolUse, "jamba", "tool_calls"),
        (StopReason::Unknown, "deepseek", "reason_of_a_later_version"),
    ];
    for (reason, name, word) in cases {
        sim.set_scenario("*", Scenario::StopReason { reason });
        let family = family(name);
        let json = family.invoke(&sim).await.json();
        assert_eq!(json.pointer(family.reason), Some(&json!(word)), "{name}");
        assert_eq!(family.reason_of(&whole_chunks(&family.stream(&sim).await)), Some(word), "{name}");
    }
}

#[tokio::test]
async fn usage_may_be_untold_or_a_lie() {
    let sim = sim().await;
    let nova = family("nova");
    set(&sim, "end-without-metadata");
    let untold = nova.invoke(&sim).await;
    assert!(untold.json()["usage"].is_null());
    assert_eq!(untold.header("x-amzn-bedrock-output-token-count"), None);
    set(&sim, "usage-negative");
    let lie = nova.invoke(&sim).await;
    assert_eq!(lie.json()["usage"]["outputTokens"], -1);
    assert_eq!(lie.header("x-amzn-bedrock-input-token-count"), Some("-7"));
    let chunks = whole_chunks(&nova.stream(&sim).await);
    assert_eq!(chunks.last().unwrap()[METRICS]["inputTokenCount"], -7);
    assert!(sim.calls().pop().unwrap().billed_output_tokens > 0, "the log knows the truth");
}

#[tokio::test]
async fn whole_bodies_break_as_those_of_converse_do() {
    let sim = sim().await;
    let llama = family("llama 3");
    set(&sim, "cut-mid-frame");
    assert_eq!(llama.invoke(&sim).await.end, End::Cut);
    for name in ["end-without-message-stop", "corrupt-crc", "garbage-frames"] {
        set(&sim, name);
        let answer = llama.invoke(&sim).await;
        assert_eq!(answer.end, End::Whole);
        assert!(serde_json::from_slice::<Value>(&answer.body).is_err(), "{name}");
    }
    set(&sim, "unknown-event");
    assert!(llama.invoke(&sim).await.json()["somethingNew"].is_object());
    set(&sim, "json-instead-of-stream");
    assert_eq!(llama.stream(&sim).await.header("content-type"), Some("application/json"));
    assert_eq!(llama.invoke(&sim).await.json()["generation"], TEXT);
    sim.set_scenario("*", Scenario::from(ApiError::Throttling));
    assert_eq!(llama.invoke(&sim).await.header("content-length"), Some("63"));
}

#[tokio::test]
async fn one_chunk_may_hold_a_megabyte() {
    let sim = sim().await;
    set(&sim, "huge-delta");
    let claude = family("claude messages");
    let text = claude.text_of(&whole_chunks(&claude.stream(&sim).await));
    assert!(text.len() >= 1_000_000 && text.starts_with(TEXT));
}

#[tokio::test]
async fn native_answers_keep_the_pace() {
    let pacing = Pacing { first_delta: Duration::from_millis(60), between_deltas: Duration::ZERO };
    let paced = Sim::start(SimOptions { pacing, ..SimOptions::default() }).await.unwrap();
    let chunks = whole_chunks(&family("nova").stream(&paced).await);
    assert!(chunks.last().unwrap()[METRICS]["invocationLatency"].as_u64() >= Some(60));
    let answer = family("nova").invoke(&paced).await;
    let latency: u64 = answer.header("x-amzn-bedrock-invocation-latency").unwrap().parse().unwrap();
    assert!(latency >= 60);
}

#[tokio::test]
async fn a_client_that_leaves_a_stalled_stream_is_gone() {
    let sim = sim().await;
    set(&sim, "stall");
    for family in streaming() {
        sim.clear_calls();
        let target = path(family.model, "invoke-with-response-stream");
        let body = family.body.to_string();
        let mut open = Open::send(sim.addr(), "POST", &target, SIGNED, body.as_bytes()).await;
        open.until(|answer| !family.text_of(&chunks(&events(&answer.body).0)).is_empty()).await;
        sim.wait_for_call(|call| call.deltas_sent == 3, PATIENCE).await.unwrap();
        drop(open);
        let gone = sim.wait_for_call(|call| call.outcome == Outcome::ClientGone, PATIENCE).await.unwrap();
        assert!(gone.billed_input_tokens > 0 && gone.billed_output_tokens > 0, "{}", family.name);
        assert!(TEXT.starts_with(gone.text.as_deref().unwrap()));
    }
}
