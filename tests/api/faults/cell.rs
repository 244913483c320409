//! One cell of the matrix: a fault, who has it, and how the answer is asked for.
//!
//! Owns what a row of the table means in terms of calls, answers and counters,
//! and holds a fresh service to it. Every cell has a service and a simulator of
//! its own, so that nothing a target did before can change what it sees now.

mod answers;

use std::time::{Duration, SystemTime};

use bedrock_sim::Scenario;
use serde_json::json;

use super::subject::Subject;
use super::table::words::{Clock, Word, known};
use super::table::{Course, Fault, Row, Usage, breaks_off};
use crate::support::{Answer, Samples};

const TEXT: &str = "The library opens at nine. It holds 40,000 books. Children read free of charge. \
    On Mondays it is closed. The cellar keeps the maps of the old town.";
/// More than any cell needs, and far less than any clock that is shipped.
const SLACK: Duration = Duration::from_secs(5);

/// How the answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dialect {
    Json,
    Sse,
    Ndjson,
    Text,
}

/// Who has the fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reach {
    FirstModel,
    EveryModel,
}

#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub row: &'static Row,
    pub dialect: Dialect,
    pub reach: Reach,
    /// Whether the caller lets the answer start over when it breaks off.
    pub may_restart: bool,
}

/// What came of a cell's request.
pub struct Asked {
    answer: Answer,
    took: Duration,
}

/// What the caller gets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Answer {
        finish: &'static str,
        usage: Usage,
    },
    /// The next model's answer.
    FallbackAnswer,
    Refused(Word),
    BrokenOff(Word),
}

/// What a row means for this cell.
struct Expected {
    /// What was told had to be taken back before each change of model.
    restarts: bool,
    /// Whether the chain was gone through to its end in vain.
    exhausted: bool,
    /// Calls in order: the model's place in the chain, and the word for what failed.
    calls: Vec<(usize, Option<&'static str>)>,
    end: End,
}

impl Dialect {
    pub const ALL: [Self; 4] = [Self::Json, Self::Sse, Self::Ndjson, Self::Text];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sse => "sse",
            Self::Ndjson => "ndjson",
            Self::Text => "text",
        }
    }

    pub fn path(self) -> String {
        format!("/v1/summarize?stream={}", if self == Self::Json { "false" } else { self.as_str() })
    }
}

impl Cell {
    /// Every cell of this dialect.
    pub fn all(dialect: Dialect, rows: impl Iterator<Item = &'static Row>) -> Vec<Self> {
        let tells_events = matches!(dialect, Dialect::Sse | Dialect::Ndjson);
        let mut cells = Vec::new();
        for row in rows {
            let alone = row.fault.is_of_a_model().then_some(Reach::FirstModel);
            for reach in alone.into_iter().chain([Reach::EveryModel]) {
                let cell = Self { row, dialect, reach, may_restart: false };
                cells.push(cell);
                // What a prompt that turns out too long in mid-answer should restart on is a larger
                // model, which the default chain has not.
                let too_long = row.stream == breaks_off("input_too_long");
                if tells_events && matches!(row.stream, Course::BreaksOff { .. }) && !too_long {
                    cells.push(Self { may_restart: true, ..cell });
                }
            }
        }
        cells
    }

    pub fn course(&self) -> Course {
        if self.dialect == Dialect::Json { self.row.json } else { self.row.stream }
    }

    fn expected(&self, chain_len: usize) -> Expected {
        let failed = |model, word, times| vec![(model, Some(word)); times];
        let restarts = self.may_restart && self.course().restarts();
        let (calls, end) = match self.course() {
            Course::Answers { finish, usage } => (vec![(0, None)], End::Answer { finish, usage }),
            Course::Recovers { word } => {
                (vec![(0, Some(word)), (0, None)], End::Answer { finish: "stop", usage: Usage::True })
            }
            Course::FallsBack { word, calls } if self.reach == Reach::FirstModel => {
                ([failed(0, word, calls), vec![(1, None)]].concat(), End::FallbackAnswer)
            }
            Course::FallsBack { word, calls } => (
                (0..chain_len).flat_map(|model| failed(model, word, calls)).collect(),
                End::Refused(known(word)),
            ),
            Course::Fails { word } => (failed(0, word, 1), End::Refused(known(word))),
            Course::BreaksOff { word } if !restarts => (failed(0, word, 1), End::BrokenOff(known(word))),
            Course::BreaksOff { word } if self.reach == Reach::FirstModel => {
                (vec![(0, Some(word)), (1, None)], End::FallbackAnswer)
            }
            Course::BreaksOff { word } => {
                ((0..chain_len).map(|model| (model, Some(word))).collect(), End::BrokenOff(known(word)))
            }
        };
        let exhausted = match end {
            // A larger model was looked for, and the chain has none.
            End::Refused(word) => calls.len() > 1 || word.word == "input_too_long",
            End::BrokenOff(_) => restarts,
            End::Answer { .. } | End::FallbackAnswer => false,
        };
        Expected { calls, end, restarts, exhausted }
    }

    /// A service of its own for the cell, which has the fault.
    pub async fn prepare(&self, chain: &[String]) -> Subject {
        let subject = Subject::start(self.row).await;
        self.inflict(&subject, chain);
        subject
    }

    /// Makes the request.
    pub async fn ask(&self, subject: &Subject) -> Asked {
        let on_failover = if self.may_restart { "restart" } else { "error" };
        let body = json!({"text": TEXT, "on_failover": on_failover});
        let started = SystemTime::now();
        let answer = subject.post(&self.dialect.path(), &body).send().await;
        Asked { answer, took: started.elapsed().unwrap_or_default() }
    }

    /// Holds what came of it to the row, and stops the service. Returns the sockets that
    /// it had.
    pub async fn check(&self, subject: Subject, asked: Asked, chain: &[String]) -> Vec<String> {
        let expected = self.expected(chain.len());
        self.check_calls(&subject, &expected, chain);
        self.check_answer(&subject, &asked.answer, &expected, chain);
        self.check_time(&expected, asked.took);
        let metrics = subject.settled().await;
        self.check_metrics(&metrics, &expected, chain);
        let sockets = subject.sockets();
        subject.stop().await;
        sockets
    }

    fn inflict(&self, subject: &Subject, chain: &[String]) {
        let scenario = match self.row.fault {
            Fault::Named => Scenario::from_name(self.row.name).unwrap(),
            Fault::Played(scenario) => serde_json::from_str(scenario).unwrap(),
            Fault::NoListener | Fault::NoSuchHost | Fault::NoTls | Fault::NoCredentials => return,
        };
        let model = if self.reach == Reach::FirstModel { &chain[0] } else { "*" };
        subject.sim.set_scenario(model, scenario);
    }

    fn check_calls(&self, subject: &Subject, expected: &Expected, chain: &[String]) {
        let received: Vec<String> = subject.sim.calls().into_iter().map(|call| call.model_id).collect();
        let calls = expected.calls.iter().map(|(model, _)| chain[*model].clone());
        let calls = if self.row.fault.is_of_a_model() { calls.collect() } else { Vec::new() };
        assert_eq!(received, calls, "{self}: model calls");
    }

    /// The changes of model: from which place in the chain, and why.
    fn changes(&self, expected: &Expected) -> Vec<(usize, &'static str)> {
        let pairs = expected.calls.windows(2).filter(|pair| pair[0].0 != pair[1].0);
        pairs.map(|pair| (pair[0].0, pair[0].1.unwrap_or_default())).collect()
    }

    /// Silence costs its clock once per call, and nothing costs more.
    fn check_time(&self, expected: &Expected, elapsed: Duration) {
        let clock = |word: &str| known(word).clock.map_or(Duration::ZERO, short);
        let least: Duration = expected.calls.iter().filter_map(|(_, word)| *word).map(clock).sum();
        assert!(elapsed >= least, "{self}: {elapsed:?} is less than the clocks' {least:?}");
        assert!(elapsed < least + SLACK, "{self}: {elapsed:?}, the clocks' part is {least:?}");
    }

    fn check_metrics(&self, metrics: &Samples, expected: &Expected, chain: &[String]) {
        let stream = self.dialect.as_str();
        let (outcome, error) = match expected.end {
            End::Answer { .. } | End::FallbackAnswer => ("ok", ""),
            End::Refused(word) | End::BrokenOff(word) if word.status < 500 => ("client_error", word.code),
            End::Refused(word) | End::BrokenOff(word) => ("upstream_error", word.code),
        };
        let request = [("stream", stream), ("outcome", outcome), ("error", error)];
        assert_eq!(metrics.sum("redraft_requests_total", &request), 1, "{self}: requests");
        assert_eq!(metrics.sum("redraft_requests_total", &[]), 1, "{self}: one request");
        assert_eq!(metrics.sum("redraft_model_calls_total", &[]), count(&expected.calls), "{self}: calls");
        for (index, model) in chain.iter().enumerate() {
            let of_model = expected.calls.iter().filter(|(place, _)| *place == index);
            let outcomes: Vec<&str> =
                of_model.map(|(_, word)| word.map_or("ok", |word| known(word).call_outcome)).collect();
            for outcome in ["ok", "throttled", "timeout", "error", "filtered", "cancelled"] {
                let counted: Vec<_> = outcomes.iter().filter(|counted| **counted == outcome).collect();
                let labels = [("model", model.as_str()), ("outcome", outcome)];
                let found = metrics.sum("redraft_model_calls_total", &labels);
                assert_eq!(found, count(&counted), "{self}: {outcome} calls of {model}");
            }
        }
        let changes = self.changes(expected);
        assert_eq!(metrics.sum("redraft_fallbacks_total", &[]), count(&changes), "{self}: fallbacks");
        for (from, word) in changes {
            let labels = [("from", chain[from].as_str()), ("to", &chain[from + 1]), ("reason", word)];
            assert_eq!(metrics.sum("redraft_fallbacks_total", &labels), 1, "{self}: {labels:?}");
        }
        let again: Vec<_> = expected.calls.windows(2).filter(|pair| pair[0].0 == pair[1].0).collect();
        assert_eq!(metrics.sum("redraft_retries_total", &[]), count(&again), "{self}: retries");
        let exhausted = i64::from(expected.exhausted);
        let counted = metrics.sum("redraft_fallback_exhausted_total", &[]);
        assert_eq!(counted, exhausted, "{self}: exhausted chains");
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = if self.reach == Reach::FirstModel { "the first model" } else { "every model" };
        write!(formatter, "{} of {who}, {}", self.row.name, self.dialect.as_str())?;
        if self.may_restart {
            write!(formatter, ", restarting")?;
        }
        if let Fault::Played(scenario) = self.row.fault {
            write!(formatter, ", {scenario}")?;
        }
        Ok(())
    }
}

fn count<T>(things: &[T]) -> i64 {
    i64::try_from(things.len()).expect("a cell has few of anything")
}

/// A clock as the cells of slow faults have it.
pub fn short(clock: Clock) -> Duration {
    Duration::from_millis(match clock {
        Clock::Answer => 800,
        Clock::FirstEvent | Clock::Idle => 700,
        Clock::Attempt => 1_500,
    })
}
