//! Counting tokens: when a model is asked, how long, and what is remembered.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::{Bench, request};
use crate::domain::{CallFailure, InputSize};
use crate::inference::BackendError;
use crate::routing::RouteRequest;
use crate::telemetry::CountResult;

const MODEL: &str = "a.one";
const PATIENCE: Duration = Duration::from_millis(300);
const HOUR: Duration = Duration::from_secs(3600);

async fn count(bench: &Bench, request: &RouteRequest) -> Option<u64> {
    let target = bench.chain.targets().next().unwrap();
    bench.router.count_tokens(request, target, PATIENCE).await
}

/// How often each result was counted, in the order of the label.
fn results(bench: &Bench) -> Vec<u64> {
    let of =
        |result: &CountResult| bench.metrics.count_tokens.with_label_values(&[MODEL, result.as_str()]).get();
    CountResult::ALL.iter().map(of).collect()
}

fn error(failure: CallFailure) -> Result<u64, BackendError> {
    Err(BackendError::new(failure, "scripted"))
}

#[tokio::test(start_paused = true)]
async fn a_count_is_the_models_own_of_the_prompt_as_it_would_be_sent() {
    let bench = Bench::of("a.one@eu-west-1, b.two");
    bench.backend.then_count(MODEL, Ok(4_321));
    assert_eq!(count(&bench, &request()).await, Some(4_321));
    let counted = bench.backend.counted();
    assert_eq!(counted[0].region.as_ref().unwrap().as_str(), "eu-west-1");
    assert_eq!((counted[0].max_tokens, &*counted[0].prompt.user.document), (5_000, "x"));
    assert!(bench.backend.calls().is_empty(), "nothing is generated");
    assert_eq!(results(&bench), [1, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_counted_all_the_same() {
    let bench = Bench::of(MODEL);
    bench.backend.then_count(MODEL, Ok(2_000_000));
    let too_long = RouteRequest { input: InputSize::of_any_model(2_000_000), ..request() };
    assert_eq!(count(&bench, &too_long).await, Some(2_000_000));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_cannot_count_is_asked_again_after_an_hour() {
    for failure in [CallFailure::ModelGone, CallFailure::AccessDenied] {
        let bench = Bench::of("a.one, b.two");
        bench.backend.then_count(MODEL, error(failure));
        bench.backend.then_count(MODEL, Ok(7));
        for _ in 0..3 {
            assert_eq!(count(&bench, &request()).await, None);
        }
        tokio::time::advance(HOUR - Duration::from_millis(1)).await;
        assert_eq!(count(&bench, &request()).await, None);
        assert_eq!(bench.backend.counted().len(), 1, "{}", failure.as_str());
        let other = bench.chain.targets().nth(1).unwrap();
        bench.backend.then_count("b.two", Ok(9));
        assert_eq!(bench.router.count_tokens(&request(), other, PATIENCE).await, Some(9));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(count(&bench, &request()).await, Some(7));
        assert_eq!(results(&bench), [1, 1, 0, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_by_itself_is_not_remembered() {
    let bench = Bench::of(MODEL);
    let passing = [
        CallFailure::Throttled,
        CallFailure::Unavailable,
        CallFailure::RequestRejected,
        CallFailure::CredentialsRejected,
    ];
    for failure in passing {
        bench.backend.then_count(MODEL, error(failure));
        assert_eq!(count(&bench, &request()).await, None);
    }
    bench.backend.then_count(MODEL, Ok(3));
    assert_eq!(count(&bench, &request()).await, Some(3));
    assert_eq!(results(&bench), [1, 0, 4, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_count_costs_its_patience_and_is_not_remembered() {
    let bench = Bench::of(MODEL);
    bench.backend.then_count_after(HOUR, MODEL, Ok(1));
    bench.backend.then_count_after(PATIENCE / 2, MODEL, Ok(2));
    let began = Instant::now();
    assert_eq!(count(&bench, &request()).await, None);
    assert_eq!(began.elapsed(), PATIENCE);
    assert_eq!(count(&bench, &request()).await, Some(2));
    assert_eq!(results(&bench), [1, 0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_few_are_asked_at_once_and_the_others_do_not_wait() {
    let bench = Bench::of(MODEL);
    for _ in 0..9 {
        bench.backend.then_count_after(PATIENCE / 2, MODEL, Ok(5));
    }
    let request = request();
    let counts = join_all((0..20).map(|_| count(&bench, &request))).await;
    assert_eq!(counts.iter().flatten().count(), 8);
    assert_eq!(bench.backend.counted().len(), 8);
    assert_eq!(count(&bench, &request).await, Some(5), "places are given back");
}
