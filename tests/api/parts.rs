//! Documents in parts, as their callers and the models see them.
//!
//! Every test runs the real service over the simulator, or over a script where a model
//! has to misbehave. Where a text is cut is the splitter's own matter: tests read the
//! parts off the calls and hold for any splitter whose parts together are the text.

mod asked;
mod covered;
mod crowded;
mod estimated;
mod fair;
mod joined;
mod kept;
mod left;
mod levels;
mod lost;
mod measured;
mod refined;
mod restarted;

use bedrock_sim::{CallRecord, Outcome, Pacing, Sim, SimOptions};
use redraft::chunk::{TextProfile, TokenRatios};
use serde_json::{Value, json};

use crate::support::book::Book;
use crate::support::{Answer, TestApp, Transcript};

/// Chains of every kind.
const MODELS: (&str, &str) = ("MODELS__FILE", "tests/fixtures/parts.toml");

/// Small parts, three at once.
const SMALL: [(&str, &str); 3] = [
    ("DOCUMENTS__TARGET_CHUNK_TOKENS", "400"),
    ("DOCUMENTS__TARGET_ANSWER_TOKENS", "400"),
    ("FANOUT__MAX_PARALLEL", "3"),
];

/// The service with small parts and these settings, which win.
async fn app(settings: &[(&'static str, &'static str)]) -> TestApp {
    app_over(SimOptions::default(), settings).await
}

/// The same over models that take their time.
async fn app_paced(pacing: Pacing, settings: &[(&'static str, &'static str)]) -> TestApp {
    app_over(SimOptions { pacing, ..SimOptions::default() }, settings).await
}

async fn app_over(options: SimOptions, settings: &[(&'static str, &'static str)]) -> TestApp {
    let sim = Sim::start(options).await.unwrap();
    TestApp::over(sim, &with(settings)).await
}

fn with(settings: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let usual = [MODELS].into_iter().chain(SMALL);
    let kept = usual.filter(|(key, _)| settings.iter().all(|(other, _)| other != key));
    kept.chain(settings.iter().copied()).collect()
}

/// Whether this build tells scripts and sentences apart, and does not only count bytes
/// and cut at spaces.
fn knows_texts() -> bool {
    let english = TextProfile::of(&"It was built in spring. ".repeat(100));
    let mut ratios = TokenRatios::uniform(1.0);
    let before = english.tokens(&ratios);
    ratios.learn(&TextProfile::of("城边的磨坊建于粮食还靠船运来的年代。"), 1000);
    english.tokens(&ratios) == before
}

/// Ten parts or so.
fn book() -> Book {
    Book::small(30, 16_000)
}

fn summary_of(text: &str) -> Value {
    json!({"text": text, "strategy": "map-reduce"})
}

/// Sends it and takes an answer that must be a good one.
async fn answered(app: &TestApp, path: &str, body: &Value) -> Value {
    let answer = app.post(path, body.clone()).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Sends it and takes the stream.
async fn streamed(app: &TestApp, path: &str, body: &Value) -> Transcript {
    let answer = app.post(&format!("{path}?stream=sse"), body.clone()).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    well_formed(&answer)
}

/// The events of a stream, which obey the grammar of documents in parts.
fn well_formed(answer: &Answer) -> Transcript {
    let stream = answer.sse();
    assert_grammar(&stream);
    let mut stages: Vec<(String, u64, u64)> = Vec::new();
    for frame in stream.all("progress") {
        let (stage, level) = (frame.data["stage"].as_str().unwrap(), &frame.data["level"]);
        let (done, total) = (frame.data["done"].as_u64().unwrap(), frame.data["total"].as_u64().unwrap());
        assert!(done <= total, "{frame:?}");
        let stage = format!("{stage} {level}");
        match stages.last() {
            Some((last, done_before, total_before)) if *last == stage => {
                assert!(*done_before <= done && *total_before == total, "{frame:?} after {stages:?}");
            }
            _ => assert!(stages.iter().all(|(before, ..)| *before != stage), "{stage} comes back"),
        }
        stages.push((stage, done, total));
    }
    stream
}

/// What holds for every stream, save that a part may change its model at any time.
fn assert_grammar(stream: &Transcript) {
    if !stream.all("fallback").any(|frame| frame.data["stage"] == "map") {
        return stream.assert_grammar();
    }
    let kinds: Vec<&str> = stream.frames.iter().map(|frame| frame.kind.as_str()).collect();
    for (index, frame) in stream.frames.iter().enumerate() {
        assert_eq!(frame.data["seq"], index, "numbers are consecutive");
    }
    let ends = |kind: &&str| matches!(*kind, "done" | "error");
    assert_eq!((kinds[0], kinds.iter().filter(|kind| ends(kind)).count()), ("start", 1));
    assert!(ends(kinds.last().unwrap()));
    let usage = kinds.iter().position(|kind| *kind == "usage");
    assert_eq!((usage, stream.all("usage").count()), (Some(kinds.len() - 2), 1));
}

/// How often a part was told to be in this state.
fn told(stream: &Transcript, status: &str) -> usize {
    let progress = stream.all("progress");
    let chunks = progress.flat_map(|frame| frame.data["chunks"].as_array().cloned().unwrap_or_default());
    chunks.filter(|chunk| chunk["status"] == status).count()
}

/// Waits until no call runs any more, and returns all.
async fn all_ended(app: &TestApp) -> Vec<CallRecord> {
    let mut ended = Vec::new();
    for call in app.sim.calls() {
        ended.push(app.call(|now| now.sequence == call.sequence && now.outcome != Outcome::InProgress).await);
    }
    ended
}

fn count(calls: &[CallRecord], outcome: &Outcome) -> usize {
    calls.iter().filter(|call| call.outcome == *outcome).count()
}
