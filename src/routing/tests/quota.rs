//! A simulation: a thousand requests meet a quota of a hundred calls a minute.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use tokio::time::Instant;

use super::{Bench, POLICY};
use crate::domain::{CallFailure, Metered as Used};
use crate::inference::scripted::ScriptedBackend;
use crate::inference::{BackendError, Completion, ModelBackend, ModelCall, ModelStream, StopReason};
use crate::routing::{LimitPolicy, Mode, RoutingPolicy};

const REQUESTS: u32 = 1000;
const RETRIES: u32 = 3;
const QUOTA_PER_MINUTE: u32 = 100;
/// All requests come within this time: five times what the quota allows.
const ARRIVAL: Duration = Duration::from_secs(120);

/// A model with a bucket that holds a minute's quota and fills evenly.
struct Metered {
    bucket: Mutex<Bucket>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
    calls: u32,
}

impl Metered {
    fn new() -> Self {
        let bucket = Bucket { tokens: f64::from(QUOTA_PER_MINUTE), filled: Instant::now(), calls: 0 };
        Self { bucket: Mutex::new(bucket) }
    }

    fn take(&self) -> bool {
        let mut bucket = self.bucket.lock().unwrap();
        bucket.calls += 1;
        let now = Instant::now();
        let since = now.duration_since(bucket.filled).as_secs_f64();
        let full = f64::from(QUOTA_PER_MINUTE);
        bucket.tokens = (bucket.tokens + since * full / 60.0).min(full);
        bucket.filled = now;
        let taken = bucket.tokens >= 1.0;
        bucket.tokens -= f64::from(u8::from(taken));
        taken
    }
}

impl ModelBackend for Metered {
    fn complete<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<Completion, BackendError>> {
        async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if !self.take() {
                return Err(BackendError::new(CallFailure::Throttled, "too many requests"));
            }
            tokio::time::sleep(Duration::from_millis(950)).await;
            let usage = Some(Used::default());
            Ok(Completion { text: "An answer.".into(), stop_reason: StopReason::EndTurn, usage })
        }
        .boxed()
    }

    fn stream<'a>(&'a self, _call: &'a ModelCall) -> BoxFuture<'a, Result<ModelStream, BackendError>> {
        async { Err(BackendError::new(CallFailure::RequestRejected, "not streamed here")) }.boxed()
    }
}

#[derive(Debug)]
struct Outcome {
    calls: u32,
    answered: usize,
    longest: Duration,
}

async fn run(policy: RoutingPolicy) -> Outcome {
    let metered = Arc::new(Metered::new());
    let scripted = Arc::new(ScriptedBackend::default());
    let mut bench = Bench::over(scripted, Arc::clone(&metered) as Arc<dyn ModelBackend>, "a.one");
    bench.policy = policy;
    let begun = Instant::now();
    let requests = (0..REQUESTS).map(|number| {
        let bench = &bench;
        async move {
            tokio::time::sleep_until(begun + ARRIVAL * number / REQUESTS).await;
            let came = Instant::now();
            (bench.ask().await.end.is_ok(), came.elapsed())
        }
    });
    let ends = join_all(requests).await;
    let calls = metered.bucket.lock().unwrap().calls;
    outcome(calls, &ends)
}

fn outcome(calls: u32, ends: &[(bool, Duration)]) -> Outcome {
    let answered = ends.iter().filter(|(answered, _)| *answered).count();
    Outcome { calls, answered, longest: ends.iter().map(|(_, took)| *took).max().unwrap() }
}

/// Three retries, with or without a budget for them and a limit that learns.
fn policy(has_budget: bool, has_limit: bool) -> RoutingPolicy {
    let unlimited = LimitPolicy { max_in_flight: 2000, min_in_flight: 2000, decrease_percent: 0 };
    RoutingPolicy {
        max_retries: RETRIES,
        retry_budget_percent: if has_budget { 20 } else { 10_000 },
        limit: if has_limit { POLICY.limit } else { unlimited },
        ..POLICY
    }
}

/// The same requests straight to the model, each with its retries and the same back-off.
async fn run_bare() -> Outcome {
    let metered = Metered::new();
    let bench = Bench::of("a.one");
    let mut route = bench.router.start(bench.options(Mode::Whole, Duration::from_secs(60)));
    bench.answers("a.one", Duration::ZERO);
    drop(route.advance().await);
    let call = bench.backend.calls().remove(0);
    let begun = Instant::now();
    let requests = (0..REQUESTS).map(|number| {
        let (metered, call) = (&metered, &call);
        async move {
            tokio::time::sleep_until(begun + ARRIVAL * number / REQUESTS).await;
            let came = Instant::now();
            let mut answered = metered.complete(call).await.is_ok();
            for retry in 1..=RETRIES {
                if answered {
                    break;
                }
                tokio::time::sleep(POLICY.backoff.delay(retry, 0.5)).await;
                answered = metered.complete(call).await.is_ok();
            }
            (answered, came.elapsed())
        }
    });
    let ends = join_all(requests).await;
    let calls = metered.bucket.lock().unwrap().calls;
    outcome(calls, &ends)
}

#[tokio::test(start_paused = true)]
async fn a_throttled_model_sees_fewer_calls_and_answers_as_many() {
    let bare = run_bare().await;
    let neither = run(policy(false, false)).await;
    let budget = run(policy(true, false)).await;
    let limit = run(policy(false, true)).await;
    let both = run(policy(true, true)).await;
    println!("bare {bare:?}\npauses {neither:?}\nbudget {budget:?}\nlimit {limit:?}\nboth {both:?}");
    let quota = (QUOTA_PER_MINUTE + QUOTA_PER_MINUTE * 2) as usize;
    for outcome in [&bare, &neither, &budget, &limit, &both] {
        assert!(outcome.answered * 10 >= quota * 9, "the quota is used: {outcome:?}");
        assert!(outcome.longest <= Duration::from_secs(20), "nobody waits for long: {outcome:?}");
    }
    assert!(budget.calls < neither.calls, "{budget:?} against {neither:?}");
    // Pauses alone take most of the calls away; the limit does the rest.
    assert!(neither.calls * 3 < bare.calls, "{neither:?} against {bare:?}");
    assert!(both.calls * 3 < neither.calls * 2, "{both:?} against {neither:?}");
    assert!(both.calls as usize * 4 <= quota * 5, "at most a quarter in vain: {both:?}");
}
