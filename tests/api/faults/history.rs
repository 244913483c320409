//! Targets that are passed over because of what happened before.
//!
//! The matrix gives every cell a fresh service, so that nothing is remembered; here
//! is what is. One row per way to be passed over: while another model can be asked,
//! the request goes there without a call of the first; when none can, the row says
//! what becomes of it.

use std::time::Duration;

use bedrock_sim::{ApiError, Scenario};
use serde_json::{Value, json};

use super::cell::Dialect;
use super::subject::Subject;
use crate::support::{Answer, Samples};

/// One way to be passed over.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What happened before, for the document.
    pub before: &'static str,
    /// The word in `attempts`.
    pub word: &'static str,
    past: Past,
    /// What becomes of a request when every model of the chain has this past.
    pub everywhere: Everywhere,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Past {
    /// Requests that fail with this, until the breaker is open.
    Failing(ApiError),
    /// One call that is refused with this, and the model is taken out.
    TakenOut(ApiError),
    /// Calls that take all places and do not end.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Everywhere {
    /// The last model of the chain is called all the same.
    LastIsTried,
    Refused {
        status: u16,
        code: &'static str,
    },
}

pub const ROWS: &[Row] = &[
    Row {
        before: "The model has failed five times in a row: its breaker is open.",
        word: "breaker_open",
        past: Past::Failing(ApiError::ServiceUnavailable),
        everywhere: Everywhere::LastIsTried,
    },
    Row {
        before: "The model is gone, denied or used up for the day: it is taken out for minutes.",
        word: "breaker_open",
        past: Past::TakenOut(ApiError::AccessDenied),
        everywhere: Everywhere::LastIsTried,
    },
    Row {
        before: "The model has as many calls as it takes, and no place becomes free in time.",
        word: "target_busy",
        past: Past::Full,
        everywhere: Everywhere::Refused { status: 503, code: "model_capacity" },
    },
];

impl Past {
    /// Makes it so for the first `models` of the chain. What comes back keeps it so.
    async fn happen(
        self,
        subject: &Subject,
        chain: &[String],
        models: usize,
    ) -> Vec<crate::support::OpenStream> {
        let mut held = Vec::new();
        for model in &chain[..models] {
            match self {
                Self::Failing(error) | Self::TakenOut(error) => subject.sim.set_scenario(model, error.into()),
                Self::Full => {
                    subject.sim.set_scenario(model, Scenario::Stall { after_deltas: 1, for_ms: None });
                    // It goes to the first model that has a place: to this one.
                    let mut stream = subject.post(&Dialect::Text.path(), &body()).open().await;
                    stream.chunk().await.unwrap().unwrap();
                    held.push(stream);
                }
            }
        }
        if let Self::Failing(_) | Self::TakenOut(_) = self {
            let mut requests = 0;
            while open_breakers(&subject.metrics().await) < models {
                requests += 1;
                assert!(requests <= 5, "no breaker opens after five requests");
                subject.post(&Dialect::Json.path(), &body()).send().await;
            }
            assert!(self != Self::TakenOut(ApiError::AccessDenied) || requests == 1, "one call is enough");
        }
        subject.sim.clear_scenarios();
        subject.sim.clear_calls();
        held
    }
}

fn open_breakers(metrics: &Samples) -> usize {
    const OPEN: i64 = 2;
    usize::try_from(metrics.sum("redraft_breaker_state", &[]) / OPEN).unwrap()
}

fn body() -> Value {
    json!({"text": "The gate is closed at night. The key hangs by the door."})
}

/// What is told of targets that were passed over, in the dialects that tell it.
fn check_told(answer: &Answer, dialect: Dialect, word: &str, chain: &[String], passed_over: usize) {
    let served = &chain[passed_over];
    match dialect {
        Dialect::Json => {
            let answer = answer.json();
            assert_eq!((&answer["model"], &answer["fallback"]), (&json!(served), &json!(true)));
            let attempts = answer["attempts"].as_array().unwrap();
            assert_eq!(attempts.len(), passed_over + 1, "{attempts:?}");
            for (attempt, model) in attempts.iter().zip(&chain[..passed_over]) {
                assert_eq!((&attempt["model"], &attempt["outcome"]), (&json!(model), &json!("skipped")));
                assert_eq!((&attempt["error"], &attempt["latency_ms"]), (&json!(word), &json!(0)));
            }
        }
        Dialect::Sse | Dialect::Ndjson => {
            let events = if dialect == Dialect::Sse { answer.sse() } else { answer.ndjson() };
            events.assert_grammar();
            let fallback = events.one("fallback");
            assert_eq!((&fallback["from"], &fallback["to"]), (&json!(chain[0]), &json!(served)));
            assert_eq!(fallback["reason"], word);
            assert_eq!(events.one("done")["model"], served.as_str());
        }
        Dialect::Text => assert!(!answer.cut && !answer.text().is_empty()),
    }
}

async fn passed_over(row: &Row, dialect: Dialect, everywhere: bool) {
    let place_wait = Duration::from_millis(100);
    let subject = Subject::with(|config| {
        if row.past == Past::Full {
            config.routing.limit.max_in_flight = 1;
            config.routing.place_wait = place_wait;
        }
    });
    let subject = subject.await;
    let chain = subject.chain().await;
    let models = if everywhere { chain.len() } else { 1 };
    let what = format!("{}, {}, everywhere: {everywhere}", row.before, dialect.as_str());
    let held = row.past.happen(&subject, &chain, models).await;
    let before = subject.metrics().await;
    let answer = subject.post(&dialect.path(), &body()).send().await;
    let called: Vec<String> = subject.sim.calls().into_iter().map(|call| call.model_id).collect();
    let skipped = match row.everywhere {
        Everywhere::Refused { status, code } if everywhere => {
            let problem = match dialect {
                Dialect::Json | Dialect::Text => {
                    assert_eq!(answer.status, status, "{what}");
                    answer.json()
                }
                Dialect::Sse => answer.sse().one("error").clone(),
                Dialect::Ndjson => answer.ndjson().one("error").clone(),
            };
            assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)), "{what}");
            assert!(called.is_empty(), "{what}: {called:?}");
            chain.len()
        }
        Everywhere::Refused { .. } | Everywhere::LastIsTried => {
            let passed_over = if everywhere { chain.len() - 1 } else { 1 };
            assert_eq!(answer.status, 200, "{what}: {}", answer.text());
            check_told(&answer, dialect, row.word, &chain, passed_over);
            assert_eq!(called, [chain[passed_over].as_str()], "{what}");
            passed_over
        }
    };
    let after = subject.metrics().await;
    for model in &chain[..skipped] {
        let labels = [("model", model.as_str()), ("reason", row.word)];
        let counted = |samples: &Samples| samples.sum("redraft_targets_skipped_total", &labels);
        assert!(counted(&after) > counted(&before), "{what}: {model} is counted as skipped");
    }
    drop(held);
    subject.settled().await;
    subject.stop().await;
}

#[tokio::test]
async fn a_target_that_is_passed_over_is_told_and_not_called() {
    for row in ROWS {
        for dialect in Dialect::ALL {
            for everywhere in [false, true] {
                passed_over(row, dialect, everywhere).await;
            }
        }
    }
}
