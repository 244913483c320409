//! Captures of Bedrock's answers, played to the service byte for byte: text, usage,
//! reason to stop and the order of events come out as they went in.
//!
//! Each capture is cut in several ways, and what is expected of it is folded from
//! what was sent. A failure names the capture and the cut; `REDRAFT_REPLAY_SEED`
//! repeats the random ones.

mod capture;
mod expected;
mod player;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use redraft::domain::CallFailure;
use redraft::inference::ModelBackend as _;
use redraft::inference::bedrock::BedrockBackend;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::connections::call;
use crate::support::{Answer, ServiceOver, Transcript, load};
use capture::{Capture, Operation, our_own, recorded};
use expected::{End, Expected, Usage, problem_of};
use player::{Player, Split};

/// For one capture in one cut and one representation.
const PATIENCE: Duration = Duration::from_secs(30);
/// Random cuts of a body. Our own captures are many, and each has two bodies.
const CUTS_OF_RECORDED: u64 = 8;
const CUTS_OF_OURS: u64 = 1;
/// Each model is asked once, and failures that were played before close none.
const SETTINGS: &[(&str, &str)] = &[
    ("ROUTING__MAX_RETRIES", "0"),
    ("BREAKER__CONSECUTIVE_FAILURES", "1000"),
    ("BREAKER__MIN_CALLS", "100000"),
];

fn splits(random_cuts: u64) -> Vec<Split> {
    let told = std::env::var_os("REDRAFT_REPLAY_SEED").map(|seed| seed.to_str().unwrap().parse().unwrap());
    let first: u64 = told.unwrap_or_else(rand::random);
    let random = (0..random_cuts).map(|more| Split::Random { seed: first.wrapping_add(more) });
    [Split::Whole, Split::EachByte].into_iter().chain(random).collect()
}

/// Plays every capture in every cut, and tells of all that went wrong at once.
async fn play(captures: Vec<Capture>, operation: Operation, random_cuts: u64) {
    let representations: &[&str] = match operation {
        Operation::ConverseStream => &["sse", "ndjson"],
        _ => &["json"],
    };
    let mut broken = Vec::new();
    for capture in &captures {
        let player = Player::start().await;
        let start = || ServiceOver::start(player.url(), SETTINGS);
        let mut service = start().await;
        for (index, body) in capture.bodies.iter().enumerate() {
            let expected = Expected::of(capture, body);
            for split in splits(random_cuts) {
                player.put(capture, body, split);
                if is_remembered(expected.end) {
                    service = start().await;
                }
                let representation = representations[turn(index, split) % representations.len()];
                let one = AssertUnwindSafe(play_once(&service, representation, &expected)).catch_unwind();
                if !matches!(timeout(PATIENCE, one).await, Ok(Ok(()))) {
                    broken.push(format!("{} as {representation}, {split}", capture.name));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} went wrong: {broken:#?}", broken.len());
}

/// Representations take turns: where a body is cut and how its answer is told have nothing to do
/// with each other. A seed that is played again meets the same one.
fn turn(body: usize, split: Split) -> usize {
    match split {
        Split::Whole => body,
        Split::EachByte => body + 1,
        Split::Random { seed } => usize::from(seed % 2 == 1),
    }
}

/// The service then leaves the model alone for a while, whatever the settings.
fn is_remembered(end: End) -> bool {
    match end {
        End::Finished(_) => false,
        End::Failed(word) => {
            matches!(word, "model_gone" | "access_denied") || problem_of(word).1 == "model_capacity"
        }
    }
}

async fn play_once(service: &ServiceOver, representation: &str, expected: &Expected) {
    let path = format!("/v1/summarize?stream={representation}");
    let answer = service.post(&path, &json!({"text": "A door. A key. A lock."})).send().await;
    assert!(!answer.cut);
    match representation {
        "json" => check_answer(&answer, expected),
        "sse" => check_stream(&answer.sse(), expected),
        _ => check_stream(&answer.ndjson(), expected),
    }
    let got = format!("{:?}\n{}", answer.headers, answer.text());
    for secret in expected.secrets() {
        let escaped = json!(secret).to_string();
        assert!(!got.contains(secret), "{secret:?} is for nobody");
        assert!(!got.contains(escaped.trim_matches('"')), "{secret:?} is for nobody");
    }
}

fn check_answer(answer: &Answer, expected: &Expected) {
    let body = answer.json();
    match expected.end {
        End::Finished(finish) => {
            assert_eq!(answer.status, 200, "{body}");
            assert_eq!(body["text"], expected.text.as_str());
            assert_eq!((&body["finish_reason"], &body["partial"]), (&json!(finish), &json!(false)));
            assert_eq!(body["attempts"].as_array().unwrap().len(), 1, "{body}");
            check_usage(&body, expected.usage, 1);
            let warnings = body["warnings"].as_array().unwrap().iter();
            let codes: Vec<&str> = warnings.map(|warning| warning["code"].as_str().unwrap()).collect();
            assert_eq!(codes, warnings_of(finish, &body));
        }
        End::Failed(word) => {
            let (status, code) = problem_of(word);
            assert_eq!((answer.status.as_u16(), &body["code"]), (status, &json!(code)), "{body}");
            check_attempts(&body, word);
        }
    }
}

fn check_stream(stream: &Transcript, expected: &Expected) {
    stream.assert_grammar();
    let told = !expected.text.trim().is_empty();
    assert!(stream.all("delta").all(|delta| delta.data["text"] != ""), "an empty delta");
    assert_eq!(stream.text(), if told { expected.text.as_str() } else { "" });
    match expected.end {
        End::Finished(finish) => {
            let usage = stream.one("usage");
            let warnings: Vec<&str> =
                stream.all("warning").map(|warning| warning.data["code"].as_str().unwrap()).collect();
            assert_eq!(warnings, warnings_of(finish, usage));
            let warned = vec!["warning"; warnings.len()];
            assert_eq!(stream.outline(), [vec!["start", "delta"], warned, vec!["usage", "done"]].concat());
            let done = stream.one("done");
            assert_eq!((&done["finish_reason"], &done["partial"]), (&json!(finish), &json!(false)));
            assert_eq!((&done["attempts"], &done["fallback"]), (&json!(1), &json!(false)));
            assert_eq!(done["output_chars"], expected.text.chars().count());
            check_usage(usage, expected.usage, 1);
        }
        End::Failed(word) => {
            let (status, code) = problem_of(word);
            let error = stream.one("error");
            assert_eq!((&error["status"], &error["code"]), (&json!(status), &json!(code)), "{error}");
            assert_eq!(error["partial"], told);
            let attempts = check_attempts(error, word);
            let fallbacks = vec!["fallback"; attempts - 1];
            let delta = if told { vec!["delta"] } else { vec![] };
            let usage = if expected.begun { vec!["usage"] } else { vec![] };
            assert_eq!(stream.outline(), [vec!["start"], fallbacks, delta, usage, vec!["error"]].concat());
            if expected.begun {
                let usage = stream.one("usage");
                let calls = usage["usage"]["model_calls"].as_u64().unwrap();
                // Where words were told, nobody waits for the count any more.
                check_usage(usage, expected.usage.filter(|_| !told), calls);
            }
        }
    }
}

/// Warnings of an answer that ended so, with this usage.
fn warnings_of(finish: &str, usage: &Value) -> Vec<&'static str> {
    let cut = matches!(finish, "length" | "content_filter").then_some("truncated");
    // The model that is asked has no price for writing its cache.
    let unpriced = usage["cost"]["usd"].is_null().then_some("unpriced_model");
    let writes = usage["usage"]["cache_write_input_tokens"] != 0;
    assert_eq!(unpriced.is_some(), writes, "{usage}");
    cut.into_iter().chain(unpriced).collect()
}

/// Every model that was called said the same.
fn check_attempts(problem: &Value, word: &str) -> usize {
    let attempts = problem["attempts"].as_array().unwrap();
    assert!(!attempts.is_empty(), "{problem}");
    for attempt in attempts {
        assert_eq!((&attempt["outcome"], &attempt["error"]), (&json!("error"), &json!(word)), "{problem}");
    }
    attempts.len()
}

/// The counts of so many calls, or an estimate that says so.
fn check_usage(told: &Value, expected: Option<Usage>, calls: u64) {
    assert_eq!(told["cost"]["estimated"], expected.is_none(), "{told}");
    let usage = &told["usage"];
    let Some(expected) = expected.map(|usage| usage.times(calls)) else {
        assert!(usage["input_tokens"].as_u64().unwrap() > 0, "{told}");
        return;
    };
    for (name, count) in [
        ("input_tokens", expected.input),
        ("output_tokens", expected.output),
        ("total_tokens", expected.total()),
        ("cache_read_input_tokens", expected.cache_read),
        ("cache_write_input_tokens", expected.cache_write),
        ("model_calls", calls),
    ] {
        assert_eq!(usage[name], count, "{name} in {usage}");
    }
}

fn streams(captures: Vec<Capture>) -> Vec<Capture> {
    captures.into_iter().filter(|capture| capture.operation == Operation::ConverseStream).collect()
}

fn answers(captures: Vec<Capture>) -> Vec<Capture> {
    captures.into_iter().filter(|capture| capture.operation == Operation::Converse).collect()
}

#[tokio::test]
async fn recorded_streams_come_out_as_aws_sent_them() {
    play(streams(recorded()), Operation::ConverseStream, CUTS_OF_RECORDED).await;
}

#[tokio::test]
async fn recorded_answers_come_out_as_aws_sent_them() {
    play(answers(recorded()), Operation::Converse, CUTS_OF_RECORDED).await;
}

/// Our own streams that end well, and those that do not.
fn our_streams() -> (Vec<Capture>, Vec<Capture>) {
    let ends_well = |capture: &Capture| {
        let expected = Expected::of(capture, &capture.bodies[0]);
        matches!(expected.end, End::Finished(_))
    };
    streams(our_own()).into_iter().partition(ends_well)
}

#[tokio::test]
async fn streams_of_our_own_come_out_as_they_were_written() {
    play(our_streams().0, Operation::ConverseStream, CUTS_OF_OURS).await;
}

#[tokio::test]
async fn streams_of_our_own_that_fail_do_so_in_the_right_words() {
    play(our_streams().1, Operation::ConverseStream, CUTS_OF_OURS).await;
}

#[tokio::test]
async fn answers_of_our_own_come_out_as_they_were_written() {
    play(answers(our_own()), Operation::Converse, CUTS_OF_OURS).await;
}

/// A stream that is refused has no frames: the refusal is the same as of an answer.
#[tokio::test]
async fn refusals_mean_the_same_when_a_stream_was_asked_for() {
    let refusals: Vec<Capture> = answers(our_own()).into_iter().filter(Capture::is_refusal).collect();
    assert!(!refusals.is_empty());
    play(refusals, Operation::ConverseStream, CUTS_OF_OURS).await;
}

#[tokio::test]
async fn counts_come_out_as_they_were_sent() {
    let counts = recorded().into_iter().chain(our_own());
    for capture in counts.filter(|capture| capture.operation == Operation::CountTokens) {
        let player = Player::start().await;
        let mut settings = load(&[]).bedrock;
        settings.endpoint_url = Some(player.url());
        let backend = BedrockBackend::connect(settings).await;
        let body: Value = serde_json::from_slice(&capture.bodies[0]).unwrap();
        for split in splits(CUTS_OF_RECORDED) {
            player.put(&capture, &capture.bodies[0], split);
            let counted = timeout(PATIENCE, backend.count_tokens(&call(None))).await.expect("it ends");
            let told = || format!("{}, {split}: {counted:?}", capture.name);
            match body["inputTokens"].as_u64() {
                Some(tokens) => assert_eq!(counted, Ok(tokens), "{}", told()),
                None => {
                    let error = counted.clone().unwrap_err();
                    let uncountable =
                        body["message"].as_str().is_some_and(|said| said.contains("support counting"));
                    assert_eq!(error.means_uncountable(), uncountable, "{}", told());
                    let garbled = error.kind == CallFailure::BadResponse;
                    assert_eq!(garbled, !capture.is_refusal(), "{}", told());
                }
            }
        }
    }
}

/// What the fixtures are for, so that none is lost unseen.
#[test]
fn our_own_captures_cover_every_end_and_say_the_same_as_streams_and_as_answers() {
    let captures = our_own();
    let folded = |capture: &Capture| -> Expected {
        let all: Vec<Expected> = capture.bodies.iter().map(|body| Expected::of(capture, body)).collect();
        assert!(all.iter().all(|one| *one == all[0]), "{}: padding says nothing", capture.name);
        all[0].clone()
    };
    let mut pairs = 0;
    let mut ends = Vec::new();
    for capture in captures.iter().filter(|capture| capture.operation == Operation::ConverseStream) {
        let stream = folded(capture);
        ends.push(stream.end);
        let same = |other: &&Capture| other.operation == Operation::Converse && other.name == capture.name;
        if let Some(answer) = captures.iter().find(same).map(folded) {
            let said = |said: &Expected| (said.text.clone(), said.end, said.usage);
            assert_eq!(said(&stream), said(&answer), "{}", capture.name);
            pairs += 1;
        }
    }
    assert!(pairs >= 30, "{pairs} streams are answers, too");
    for finish in ["stop", "length", "content_filter", "other"] {
        assert!(ends.contains(&End::Finished(finish)), "no capture ends with {finish}");
    }
    for word in [
        "throttled",
        "daily_quota_used_up",
        "unavailable",
        "model_failed",
        "model_refused",
        "model_timed_out",
        "request_rejected",
        "input_too_long",
        "bad_response",
        "stream_cut",
        "empty_answer",
        "malformed_answer",
        "content_filtered",
    ] {
        assert!(ends.contains(&End::Failed(word)), "no stream fails with {word}");
    }
}
