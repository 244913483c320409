//! Any sequence of model events, through routing, pipeline and every representation.
//!
//! Checked: frames parse, each event is one line of JSON, numbers are consecutive, the grammar
//! holds, the deltas after the last `reset` are what the model said, `done` needs a stop, everything ends within the
//! request's own time, and a client that leaves leaves nothing behind.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;
use http_body_util::Full;
use redraft::domain::{CallFailure, Metered, TokenUsage};
use redraft::inference::scripted::{ScriptedBackend, Step, Turn};
use redraft::inference::{
    BackendError, Completion, ModelBackend, ModelCall, ModelEvent, ModelStream, StopReason,
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::input::Input;
use super::service::{Answer, Service, documented_code};
use super::sse::Transcript;

/// The longest time a request has by the shipped settings, and a moment.
const LONGEST: Duration = Duration::from_secs(301);
/// Between two inputs, so that what targets remember of the last one is over.
const LONG_AFTER: Duration = Duration::from_secs(3600);
const MOST_TURNS: usize = 6;
const MOST_STEPS: usize = 64;

const STOPS: [StopReason; 7] = [
    StopReason::EndTurn,
    StopReason::MaxTokens,
    StopReason::ContextWindowExceeded,
    StopReason::GuardrailIntervened,
    StopReason::ContentFiltered,
    StopReason::Malformed,
    StopReason::Other,
];

static BENCH: LazyLock<Mutex<Bench>> = LazyLock::new(|| Mutex::new(Bench::build()));

struct Bench {
    runtime: Runtime,
    backend: Arc<Script>,
    service: Service,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Dialect {
    Sse,
    Ndjson,
    Text,
    Json,
    Compat,
}

/// Checks one input.
pub fn check(data: &[u8]) {
    let bench = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
    let mut input = Input::new(data);
    let dialect = input.pick(&[Dialect::Sse, Dialect::Ndjson, Dialect::Text, Dialect::Json, Dialect::Compat]);
    let flags = input.byte();
    // One input in sixteen leaves early; to look for what it left behind is slow.
    let most_frames = match input.byte() {
        0..240 => usize::MAX,
        frames => usize::from(frames - 240),
    };
    let mut turns = VecDeque::new();
    while !input.is_empty() && turns.len() < MOST_TURNS {
        turns.push_back(turn(&mut input));
    }
    bench.backend.load(turns);
    bench.runtime.block_on(async {
        tokio::time::advance(LONG_AFTER).await;
        let began = Instant::now();
        let answer = bench.service.ask(request(dialect, flags), most_frames).await;
        assert!(began.elapsed() <= LONGEST, "it took {:?}", began.elapsed());
        if most_frames == usize::MAX {
            let told = bench.backend.lock().taken.last().cloned().flatten();
            judge(dialect, flags, &answer, told.as_ref());
        } else {
            drop(answer);
            bench.service.assert_idle().await;
        }
    });
}

fn request(dialect: Dialect, flags: u8) -> Request<Full<Bytes>> {
    let path = match dialect {
        Dialect::Sse => "/v1/summarize?stream=sse",
        Dialect::Ndjson => "/v1/summarize?stream=ndjson",
        Dialect::Text => "/v1/summarize?stream=text",
        Dialect::Json => "/v1/summarize",
        Dialect::Compat => "/api/summarize",
    };
    let mut body = json!({"text": "The ferry leaves at 9:15. Dogs travel free of charge."});
    if includes_text(dialect, flags) {
        body["include"] = json!(["text"]);
    }
    if flags & 4 != 0 && matches!(dialect, Dialect::Sse | Dialect::Ndjson) {
        body["on_failover"] = json!("restart");
    }
    if flags & 2 != 0 {
        // A long answer is asked for in pieces also where it is given as a whole.
        body["max_words"] = json!(5000);
    }
    Request::post(path)
        .header("content-type", "application/json")
        .body(Full::from(body.to_string()))
        .expect("a valid request")
}

fn includes_text(dialect: Dialect, flags: u8) -> bool {
    flags & 1 != 0 && dialect != Dialect::Compat
}

fn judge(dialect: Dialect, flags: u8, answer: &Answer, told: Option<&Turn>) {
    if answer.status != http::StatusCode::OK {
        match dialect {
            Dialect::Compat => assert!(answer.json()["error"].is_string()),
            _ => drop(answer.documented_problem()),
        }
        return;
    }
    let told = told.map(Told::of).unwrap_or_default();
    match dialect {
        Dialect::Json => told.assert_whole(answer.json()["text"].as_str().expect("a text")),
        Dialect::Compat => told.assert_whole(answer.json()["summary"].as_str().expect("a text")),
        Dialect::Text if answer.cut => told.assert_begins_with(&answer.text()),
        Dialect::Text => told.assert_whole(&answer.text()),
        Dialect::Sse | Dialect::Ndjson => {
            assert!(!answer.cut, "native events have words for a failure");
            let text = answer.text();
            let transcript =
                if dialect == Dialect::Sse { Transcript::of_sse(&text) } else { Transcript::of_lines(&text) };
            transcript.assert_grammar();
            let last = &transcript.frames.last().expect("a terminal event").data;
            let heard = transcript.text();
            if last["type"] == "done" {
                told.assert_whole(&heard);
                assert_eq!(last["output_chars"], heard.chars().count());
                assert_eq!(last.get("text").is_some(), includes_text(dialect, flags));
                assert!(last.get("text").is_none_or(|text| *text == *heard));
            } else {
                documented_code(last);
                assert_eq!(last["partial"], !heard.is_empty());
                told.assert_begins_with(&heard);
            }
        }
    }
}

/// What the last call said; nothing where the script was over.
#[derive(Default)]
struct Told {
    text: String,
    /// How much of it came before the first stop; `None` without a stop.
    bytes_before_stop: Option<usize>,
}

impl Told {
    fn of(turn: &Turn) -> Self {
        let mut told = Self { text: String::new(), bytes_before_stop: None };
        match turn {
            Turn::Answer { completion, .. } => {
                told.text.clone_from(&completion.text);
                told.bytes_before_stop = Some(told.text.len());
            }
            Turn::Steps(steps) => {
                for step in steps.iter().take_while(|step| !matches!(step, Step::Fail(_))) {
                    match step {
                        Step::Event(ModelEvent::Text(text)) => told.text.push_str(text),
                        Step::Event(ModelEvent::Stopped(_)) if told.bytes_before_stop.is_none() => {
                            told.bytes_before_stop = Some(told.text.len());
                        }
                        _ => {}
                    }
                }
            }
            Turn::Fail { .. } | Turn::Silence => {}
        }
        told
    }

    /// Text after the stop is against the port's contract: it may be told or not, in order.
    fn assert_whole(&self, heard: &str) {
        let stop = self.bytes_before_stop.expect("an answer is complete only after a stop");
        self.assert_begins_with(heard);
        assert!(heard.len() >= stop, "{} of {stop} bytes before the stop", heard.len());
        assert!(!heard.trim().is_empty(), "an empty answer is none");
    }

    fn assert_begins_with(&self, heard: &str) {
        assert!(self.text.starts_with(heard), "heard {heard:?}, told {:?}", self.text);
    }
}

fn turn(input: &mut Input) -> Turn {
    match input.byte() % 8 {
        0 => Turn::Fail { after: input.wait(), error: error(input) },
        1 => Turn::Silence,
        2 | 3 => {
            let (after, stop_reason) = (input.wait(), input.pick(&STOPS));
            let usage = (input.byte() & 1 == 0).then(|| usage(input));
            Turn::Answer {
                after,
                completion: Completion { text: input.text(), stop_reason, usage: usage.map(Metered::from) },
            }
        }
        _ => {
            let mut steps = Vec::new();
            while let Some(step) =
                (steps.len() < MOST_STEPS && !input.is_empty()).then(|| step(input)).flatten()
            {
                steps.push(step);
            }
            Turn::Steps(steps)
        }
    }
}

/// The next step; `None` where the turn ends.
fn step(input: &mut Input) -> Option<Step> {
    Some(match input.byte() % 16 {
        0 => return None,
        1 => Step::Event(ModelEvent::Started),
        2 => Step::Event(ModelEvent::Thinking),
        3 | 4 => Step::Event(ModelEvent::Stopped(input.pick(&STOPS))),
        5 => Step::Event(ModelEvent::Usage(usage(input).into())),
        6 => Step::Fail(error(input)),
        7 => Step::Wait(input.wait()),
        8 => Step::Stall,
        9 => text_event(input.pick(&HARD_TEXTS).to_owned()),
        _ => text_event(input.text()),
    })
}

/// What breaks encoders that build lines out of text.
const HARD_TEXTS: [&str; 12] = [
    "\n",
    "\r",
    "\r\n\r\n",
    "\u{2028}",
    "\u{2029}",
    "\0",
    "data: {}",
    "\n\nevent: done\ndata: {}\n\n",
    ": hb\n",
    "\"}\n",
    "\u{feff}",
    " ",
];

/// The port's contract: a piece of text is never empty.
fn text_event(text: String) -> Step {
    Step::Event(if text.is_empty() { ModelEvent::Thinking } else { ModelEvent::Text(text) })
}

fn error(input: &mut Input) -> BackendError {
    let mut error = BackendError::new(input.pick(&CallFailure::ALL), input.text());
    error.retry_after = match input.byte() {
        0..128 => None,
        seconds => Some(Duration::from_secs(u64::from(seconds - 128))),
    };
    error
}

fn usage(input: &mut Input) -> TokenUsage {
    let mut count = || input.pick(&[0, 1, 500, u64::from(u32::MAX), 1 << 40]);
    TokenUsage {
        input_tokens: count(),
        output_tokens: count(),
        cache_read_input_tokens: count(),
        cache_write_input_tokens: count(),
    }
}

impl Bench {
    fn build() -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let backend = Arc::new(Script::default());
        let service = runtime.block_on(Service::over(Arc::clone(&backend) as Arc<dyn ModelBackend>));
        Self { runtime, backend, service }
    }
}

/// Gives each call the next turn, whichever model it asks, through a scripted backend of its own.
#[derive(Default)]
struct Script(Mutex<Turns>);

#[derive(Default)]
struct Turns {
    left: VecDeque<Turn>,
    /// What each call got; `None` once the script was over.
    taken: Vec<Option<Turn>>,
}

impl Script {
    fn load(&self, turns: VecDeque<Turn>) {
        *self.lock() = Turns { left: turns, taken: Vec::new() };
    }

    fn take(&self, call: &ModelCall) -> ScriptedBackend {
        let scripted = ScriptedBackend::default();
        let mut turns = self.lock();
        let turn = turns.left.pop_front();
        if let Some(turn) = turn.clone() {
            scripted.then(call.model.as_str(), turn);
        }
        turns.taken.push(turn);
        scripted
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ModelBackend for Script {
    fn complete<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        let scripted = self.take(call);
        Box::pin(async move { scripted.complete(call).await })
    }

    fn stream<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        let scripted = self.take(call);
        Box::pin(async move { scripted.stream(call).await })
    }
}
