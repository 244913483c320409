//! A backend that answers from a script, for tests without a socket.
//!
//! Each model has a queue of turns; a call takes the next one. A turn can be an
//! answer, an error, silence, or a stream of steps with waits in tokio time, so
//! that paused clocks drive it. A call without a turn is a fault of the test and
//! says so as an error. Every call is recorded. Counts of tokens have queues and
//! records of their own; a count without a turn finds a model that cannot count.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream;

use super::{BackendError, Completion, ModelBackend, ModelCall, ModelEvent, ModelStream};
use crate::domain::CallFailure;

/// What one call does.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Answers after a wait: whole for `complete`, word by word for `stream`.
    Answer { after: Duration, completion: Completion },
    /// Fails after a wait, before anything was said.
    Fail { after: Duration, error: BackendError },
    /// Never answers.
    Silence,
    /// Opens a stream at once and goes through the steps; `complete` cannot take it.
    Steps(Vec<Step>),
}

/// One step of a scripted stream.
#[derive(Debug, Clone)]
pub enum Step {
    Wait(Duration),
    Event(ModelEvent),
    Fail(BackendError),
    /// Nothing more comes, and the stream does not end.
    Stall,
}

/// The scripted backend.
#[derive(Debug, Default)]
pub struct ScriptedBackend {
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    turns: HashMap<String, VecDeque<Turn>>,
    calls: Vec<ModelCall>,
    counts: HashMap<String, VecDeque<Count>>,
    counted: Vec<ModelCall>,
}

/// What one count comes to, and when.
#[derive(Debug, Clone)]
struct Count {
    after: Duration,
    outcome: Result<u64, BackendError>,
}

impl ScriptedBackend {
    /// Adds a turn for a model.
    pub fn then(&self, model: &str, turn: Turn) {
        self.lock().turns.entry(model.to_owned()).or_default().push_back(turn);
    }

    /// Adds what the next count of a model's tokens comes to.
    pub fn then_count(&self, model: &str, outcome: Result<u64, BackendError>) {
        self.then_count_after(Duration::ZERO, model, outcome);
    }

    /// Adds what the next count of a model's tokens comes to after a wait.
    pub fn then_count_after(&self, after: Duration, model: &str, outcome: Result<u64, BackendError>) {
        let count = Count { after, outcome };
        self.lock().counts.entry(model.to_owned()).or_default().push_back(count);
    }

    /// The calls whose tokens were counted so far, in order.
    pub fn counted(&self) -> Vec<ModelCall> {
        self.lock().counted.clone()
    }

    /// The calls made so far, in order.
    pub fn calls(&self) -> Vec<ModelCall> {
        self.lock().calls.clone()
    }

    /// Turns that no call has taken.
    pub fn turns_left(&self) -> usize {
        self.lock().turns.values().map(VecDeque::len).sum()
    }

    fn take(&self, call: &ModelCall) -> Turn {
        let mut script = self.lock();
        script.calls.push(call.clone());
        script.turns.get_mut(call.model.as_str()).and_then(VecDeque::pop_front).unwrap_or_else(|| {
            Turn::Fail {
                after: Duration::ZERO,
                error: BackendError::new(
                    CallFailure::RequestRejected,
                    "the script has no turn for this call",
                ),
            }
        })
    }

    fn take_count(&self, call: &ModelCall) -> Option<Count> {
        let mut script = self.lock();
        script.counted.push(call.clone());
        script.counts.get_mut(call.model.as_str()).and_then(VecDeque::pop_front)
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        // A panic elsewhere in a test must not hide the calls made before it.
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ModelBackend for ScriptedBackend {
    fn complete<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        Box::pin(async move {
            match self.take(call) {
                Turn::Answer { after, completion } => {
                    tokio::time::sleep(after).await;
                    Ok(completion)
                }
                Turn::Fail { after, error } => {
                    tokio::time::sleep(after).await;
                    Err(error)
                }
                Turn::Silence => std::future::pending().await,
                Turn::Steps(_) => {
                    Err(BackendError::new(CallFailure::RequestRejected, "the script holds a stream"))
                }
            }
        })
    }

    fn stream<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        Box::pin(async move {
            match self.take(call) {
                Turn::Answer { after, completion } => {
                    tokio::time::sleep(after).await;
                    Ok(play(steps_of(&completion)))
                }
                Turn::Fail { after, error } => {
                    tokio::time::sleep(after).await;
                    Err(error)
                }
                Turn::Silence => std::future::pending().await,
                Turn::Steps(steps) => Ok(play(steps)),
            }
        })
    }

    fn count_tokens<'a>(&'a self, call: &'a ModelCall) -> BoxFuture<'a, Result<u64, BackendError>> {
        Box::pin(async move {
            let Some(count) = self.take_count(call) else {
                return Err(BackendError::uncountable("the script has no count for this model"));
            };
            tokio::time::sleep(count.after).await;
            count.outcome
        })
    }
}

fn steps_of(completion: &Completion) -> Vec<Step> {
    let words = completion.text.split_inclusive(' ').map(|word| ModelEvent::Text(word.to_owned()));
    let stop = ModelEvent::Stopped(completion.stop_reason);
    let usage = completion.usage.map(ModelEvent::Usage);
    std::iter::once(ModelEvent::Started).chain(words).chain([stop]).chain(usage).map(Step::Event).collect()
}

fn play(steps: Vec<Step>) -> ModelStream {
    stream::unfold(steps.into_iter(), |mut steps| async move {
        loop {
            match steps.next()? {
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Event(event) => return Some((Ok(event), steps)),
                Step::Fail(error) => return Some((Err(error), Vec::new().into_iter())),
                Step::Stall => std::future::pending().await,
            }
        }
    })
    .boxed()
}
