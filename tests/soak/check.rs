//! Judges what clients heard against what the simulator says it sent.
//!
//! Follows the simulator's log, finds the calls of each request by the number in its document,
//! and compares the answer with the text of the last one. The one rule it protects: a request is
//! judged only once all its calls have ended, and none is left unjudged.

mod told;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use bedrock_sim::{CallRecord, Outcome, Scenario, Sim, StopReason, author};
use tokio::time::{Instant, interval};

use crate::client::Heard;
use crate::shape::{Dialect, Shape, case_in};
use told::{Complete, Told};

const MOST_VIOLATIONS_KEPT: usize = 50;
/// How long calls may take to end after their client left or was answered.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One request that is over.
pub struct Finished {
    case: u64,
    dialect: Dialect,
    told: Result<Told, String>,
    took: Duration,
}

impl Finished {
    pub fn new(shape: Shape, heard: Heard, took: Duration) -> Self {
        let told = told::understand(&shape, heard);
        Self { case: shape.case, dialect: shape.dialect, told, took }
    }
}

/// Everything found out so far.
#[derive(Default)]
pub struct Checker {
    pub sent: u64,
    pub answers: u64,
    /// Requests that were not sent because too many were under way.
    pub held_back: u64,
    /// Model calls that were spoilt.
    pub faults: u64,
    pub by_fault: BTreeMap<String, u64>,
    /// Requests by representation and end.
    pub by_end: BTreeMap<(Dialect, String), u64>,
    /// Of complete answers while measured.
    pub latencies: Vec<Duration>,
    pub violations: Vec<String>,
    measured: bool,
    waiting: Vec<Finished>,
    calls: HashMap<u64, Vec<CallRecord>>,
    /// Requests with a call that has not ended.
    open: HashSet<u64>,
    /// Every call up to this one has ended and was taken in.
    settled: u64,
    /// Calls beyond it that were taken in.
    taken: HashSet<u64>,
}

impl Checker {
    pub fn next_case(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// From now on, requests count in the figures.
    pub fn measure(&mut self) {
        self.measured = true;
    }

    pub fn take(&mut self, finished: Finished) {
        self.waiting.push(finished);
    }

    /// Judges the requests whose calls have ended.
    pub fn verify(&mut self, sim: &Sim) {
        // The log is read after the requests ended, so it holds all their calls.
        let waiting = std::mem::take(&mut self.waiting);
        self.follow(sim);
        for finished in waiting {
            if self.open.contains(&finished.case) {
                self.waiting.push(finished);
            } else {
                self.judge(finished);
            }
        }
    }

    /// Judges the rest; a call that does not end is a violation.
    pub async fn finish(&mut self, sim: &Sim) {
        let until = Instant::now() + PATIENCE;
        let mut looks = interval(LOOK_EVERY);
        loop {
            self.verify(sim);
            if self.waiting.is_empty() && self.open.is_empty() {
                return;
            }
            if Instant::now() > until {
                let open: Vec<u64> = self.open.iter().copied().take(10).collect();
                self.violation(format!("model calls run on after their requests ended: {open:?}"));
                return;
            }
            looks.tick().await;
        }
    }

    pub fn told_violations(&self) -> String {
        format!("{} violations:\n{}", self.violations.len(), self.violations.join("\n"))
    }

    fn violation(&mut self, what: String) {
        if self.violations.len() < MOST_VIOLATIONS_KEPT {
            self.violations.push(what);
        }
    }

    fn follow(&mut self, sim: &Sim) {
        self.open.clear();
        let mut unbroken = true;
        for call in sim.calls_after(self.settled) {
            let Some(case) = case_in(call.request_bytes()) else {
                self.violation(format!("a model call without a document: {call:?}"));
                continue;
            };
            if call.outcome == Outcome::InProgress {
                self.open.insert(case);
                unbroken = false;
                continue;
            }
            if unbroken {
                self.settled = call.sequence;
            }
            let is_new =
                if unbroken { !self.taken.remove(&call.sequence) } else { self.taken.insert(call.sequence) };
            if is_new {
                if call.scenario != Scenario::Normal {
                    self.faults += 1;
                    *self.by_fault.entry(name_of(&call.scenario)).or_default() += 1;
                }
                self.calls.entry(case).or_default().push(call);
            }
        }
    }

    fn judge(&mut self, finished: Finished) {
        let Finished { case, dialect, told, took } = finished;
        let mut calls = self.calls.remove(&case).unwrap_or_default();
        calls.sort_by_key(|call| call.sequence);
        let end = match &told {
            Ok(Told::Complete(complete)) => complete.finish.clone().unwrap_or_else(|| "complete".to_owned()),
            Ok(Told::Failed { code, .. }) => code.clone(),
            Ok(Told::Left) => "client left".to_owned(),
            Err(_) => "violation".to_owned(),
        };
        if self.measured {
            *self.by_end.entry((dialect, end)).or_default() += 1;
        }
        let judged = told.and_then(|told| match told {
            Told::Complete(complete) => {
                self.answers += 1;
                if self.measured {
                    self.latencies.push(took);
                }
                judge_complete(&complete, calls.last())
            }
            Told::Failed { code, text } => judge_failed(&code, &text, calls.last()),
            Told::Left => Ok(()),
        });
        if let Err(what) = judged {
            let calls: Vec<String> =
                calls.iter().map(|call| format!("{} {:?}", name_of(&call.scenario), call.outcome)).collect();
            self.violation(format!("request {case} ({}): {what}; its calls: {calls:?}", dialect.as_str()));
        }
    }
}

/// A complete answer is, to the letter, what the last call said, and that call was whole.
fn judge_complete(complete: &Complete, last: Option<&CallRecord>) -> Result<(), String> {
    let last = last.ok_or("an answer without a model call")?;
    let sent = last.text.as_deref().unwrap_or_default();
    if complete.text != sent {
        let (heard, sent) = (complete.text.len(), sent.len());
        return Err(format!("the text differs from the simulator's: {heard} bytes heard, {sent} sent"));
    }
    let finish = complete.finish.as_deref();
    match &last.outcome {
        Outcome::Completed => {}
        // The service hung up once it had the usage, before the simulator saw its own end.
        Outcome::ClientGone if finish == Some("length") || whole_text(last) == sent => {}
        other => return Err(format!("a broken answer was called complete: {other:?}")),
    }
    let Some(finish) = finish else {
        return Ok(());
    };
    let right = match &last.scenario {
        Scenario::StopReason { reason: StopReason::MaxTokens } => finish == "length",
        Scenario::StopReason { reason: StopReason::ContentFiltered } => finish == "content_filter",
        // A text can reach the limit of its task by itself.
        _ => finish == "stop" || finish == "length",
    };
    if !right {
        return Err(format!("the finish reason is {finish}"));
    }
    if complete.truncated != (finish != "stop") {
        return Err(format!("finish reason {finish}, and the warning says otherwise"));
    }
    Ok(())
}

/// A failure has a cause upstream, and what was heard of the answer is how it began.
fn judge_failed(code: &str, heard: &str, last: Option<&CallRecord>) -> Result<(), String> {
    let last = last.ok_or(format!("{code} without a model call"))?;
    if last.outcome == Outcome::Completed && last.scenario == Scenario::Normal {
        return Err(format!("a good answer became {code}"));
    }
    if !last.text.as_deref().unwrap_or_default().starts_with(heard) {
        return Err(format!("the {} bytes before {code} are not the beginning of the answer", heard.len()));
    }
    Ok(())
}

/// What the author writes for the prompt of a call.
fn whole_text(call: &CallRecord) -> String {
    let request = call.request();
    let system = request["system"][0]["text"].as_str().unwrap_or_default();
    author::write(system, request["messages"][0]["content"][0]["text"].as_str().unwrap_or_default())
}

fn name_of(scenario: &Scenario) -> String {
    let json = serde_json::to_value(scenario).unwrap();
    let words = ["kind", "error", "reason"].into_iter().filter_map(|name| json[name].as_str());
    let mut name = words.collect::<Vec<_>>().join(" ");
    if json["after_deltas"].as_u64().is_some_and(|deltas| deltas > 0) {
        name.push_str(" late");
    }
    name
}
