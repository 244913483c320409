//! Stages of several targets: who is called, and how calls share their places.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, advance};

use super::{Bench, answer, fail};
use crate::domain::CallFailure;
use crate::inference::BackendError;
use crate::inference::scripted::Turn;
use crate::routing::{LimitPolicy, Mode, Progress};

const SECOND: Duration = Duration::from_secs(1);

fn counts(called: &[String]) -> BTreeMap<&str, usize> {
    called.iter().fold(BTreeMap::new(), |mut counts, model| {
        *counts.entry(model.as_str()).or_default() += 1;
        counts
    })
}

#[tokio::test(start_paused = true)]
async fn calls_go_to_the_target_with_the_least_in_flight_for_its_weight() {
    let bench = Bench::of("a.one*3|b.two*1, c.three");
    for _ in 0..40 {
        bench.answers("a.one", SECOND);
        bench.answers("b.two", SECOND);
    }
    let went = join_all((0..40).map(|_| bench.ask())).await;
    assert!(went.iter().all(|went| went.end.is_ok() && went.fallbacks.is_empty()));
    assert_eq!(counts(&bench.called()), BTreeMap::from([("a.one", 30), ("b.two", 10)]));
}

#[tokio::test(start_paused = true)]
async fn a_slow_target_gets_fewer_calls() {
    let bench = Bench::of("a.slow|b.quick");
    for _ in 0..200 {
        bench.answers("a.slow", 10 * SECOND);
        bench.answers("b.quick", SECOND / 10);
    }
    let begun = Instant::now();
    let asks = (0..100_u32).map(|number| {
        let bench = &bench;
        async move {
            tokio::time::sleep_until(begun + number * SECOND / 10).await;
            bench.ask().await
        }
    });
    join_all(asks).await;
    let called = bench.called();
    assert!(counts(&called)["b.quick"] > 90, "{:?}", counts(&called));
}

#[tokio::test(start_paused = true)]
async fn a_failure_goes_to_the_sibling_before_the_next_stage() {
    let bench = Bench::of("a.one|b.two, c.three");
    bench.fails("a.one", CallFailure::AnswerClock);
    bench.fails("b.two", CallFailure::AnswerClock);
    bench.answers("c.three", SECOND);
    let went = bench.ask().await;
    assert_eq!(went.trail(), [("a.one", "answer_timeout"), ("b.two", "answer_timeout"), ("c.three", "ok")]);
    assert_eq!(went.fallbacks.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_model_in_two_regions_is_two_targets() {
    let bench = Bench::of("a.one@us-east-1|a.one@eu-west-1");
    bench.fails("a.one", CallFailure::Unreachable);
    bench.fails("a.one", CallFailure::Unreachable);
    bench.answers("a.one", SECOND);
    let went = bench.ask().await;
    let regions: Vec<&str> =
        went.attempts.iter().map(|attempt| attempt.region.as_ref().unwrap().as_str()).collect();
    assert_eq!(regions, ["us-east-1", "us-east-1", "eu-west-1"], "a retry, then the other region");
    assert!(went.end.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_full_target_is_passed_over_while_another_is_free() {
    let mut bench = Bench::of("a.one, b.two");
    bench.policy.limit = LimitPolicy { max_in_flight: 1, ..bench.policy.limit };
    bench.answers("a.one", 2 * SECOND);
    bench.answers("b.two", SECOND);
    let went = join_all([bench.ask(), bench.ask()]).await;
    assert_eq!(went[0].trail(), [("a.one", "ok")]);
    assert_eq!(went[1].trail(), [("a.one", "target_busy"), ("b.two", "ok")]);
    assert_eq!(went[1].fallbacks[0].reason, CallFailure::TargetBusy);
    assert_eq!(went[1].fallbacks[0].attempt, 0, "no call was made for it");
    let skipped = bench.metrics.targets_skipped.with_label_values(&["a.one", "own", "target_busy"]);
    assert_eq!(skipped.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_every_target_is_full_a_call_waits_for_the_first_and_no_longer_than_place_wait() {
    let mut bench = Bench::of("a.one");
    bench.policy.limit = LimitPolicy { max_in_flight: 1, ..bench.policy.limit };
    bench.answers("a.one", 3 * SECOND);
    bench.answers("a.one", 3 * SECOND);
    let begun = Instant::now();
    let went = join_all([bench.ask(), bench.ask(), bench.ask()]).await;
    assert_eq!(went.iter().filter(|went| went.end.is_ok()).count(), 2);
    let refused = went[2].error();
    assert_eq!(refused.failure, CallFailure::TargetBusy);
    assert_eq!(went[2].trail(), [("a.one", "target_busy")]);
    assert_eq!(begun.elapsed(), 6 * SECOND);
    assert_eq!(bench.called().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_large_request_does_not_starve_a_small_one() {
    let mut bench = Bench::of("a.one");
    bench.policy.limit = LimitPolicy { max_in_flight: 2, ..bench.policy.limit };
    bench.policy.place_wait = Duration::from_secs(600);
    (0..21).for_each(|_| bench.backend.then("a.one", answer(SECOND)));
    // Twenty parts of one document, and then somebody with one short text.
    let large = bench.router.owner();
    let parts = (0..20).map(|_| {
        let options =
            super::RouteOptions { owner: large, ..bench.options(Mode::Whole, Duration::from_secs(600)) };
        bench.drive(options, false)
    });
    let small = async {
        tokio::task::yield_now().await;
        let begun = Instant::now();
        let went = bench.ask_within(Duration::from_secs(600)).await;
        (went.end.is_ok(), begun.elapsed())
    };
    let (parts, (answered, took)) = tokio::join!(join_all(parts), small);
    assert!(parts.iter().all(|part| part.end.is_ok()) && answered);
    assert_eq!(took, 2 * SECOND, "it is next in turn, not twenty-first");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_queue_leaves_no_trace() {
    let mut bench = Bench::of("a.one");
    bench.policy.limit = LimitPolicy { max_in_flight: 1, ..bench.policy.limit };
    for _ in 0..3 {
        bench.answers("a.one", SECOND);
    }
    let (first, ..) = tokio::join!(
        bench.ask(),
        // One gives up while it waits, one at the very moment that the place is free.
        tokio::time::timeout(SECOND / 2, bench.ask()),
        tokio::time::timeout(SECOND, bench.ask()),
    );
    assert!(first.end.is_ok());
    assert_eq!(bench.ask().await.model(), "a.one", "the place was not lost");
    let in_flight = bench.metrics.target_in_flight.with_label_values(&["a.one", "own"]);
    assert_eq!(in_flight.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_target_pauses_and_its_limit_shrinks_but_its_breaker_stays_closed() {
    let bench = Bench::of("a.one, b.two");
    for _ in 0..20 {
        bench.backend.then("a.one", fail(CallFailure::Throttled));
        bench.answers("b.two", Duration::ZERO);
    }
    let went = join_all((0..10).map(|_| bench.ask())).await;
    assert!(went.iter().all(|went| went.end.is_ok()));
    let labels = ["a.one", "own"];
    assert!(bench.metrics.target_limit.with_label_values(&labels).get() < 10);
    assert_eq!(bench.metrics.breaker_state.with_label_values(&labels).get(), 0);
    let went = bench.ask().await;
    assert_eq!(went.trail(), [("a.one", "target_busy"), ("b.two", "ok")], "it pauses");
}

#[tokio::test(start_paused = true)]
async fn who_waits_when_a_pause_begins_is_served_when_it_ends() {
    let mut bench = Bench::of("a.one");
    bench.policy.limit = LimitPolicy { max_in_flight: 1, ..bench.policy.limit };
    bench.policy.max_retries = 0;
    let error = BackendError::new(CallFailure::Throttled, "scripted");
    bench.backend.then("a.one", Turn::Fail { after: SECOND, error });
    bench.answers("a.one", SECOND);
    let begun = Instant::now();
    let (throttled, waited) = tokio::join!(bench.ask(), bench.ask());
    assert_eq!(throttled.error().failure, CallFailure::Throttled);
    assert_eq!(waited.model(), "a.one");
    assert!(begun.elapsed() < 3 * SECOND, "the pause is short: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_comes_a_moment_too_late_for_a_place_waits_for_the_next() {
    let mut bench = Bench::of("a.one");
    bench.policy.limit = LimitPolicy { max_in_flight: 1, ..bench.policy.limit };
    (0..2).for_each(|_| bench.answers("a.one", SECOND));
    let start = || bench.router.start(bench.options(Mode::Whole, 60 * SECOND));
    let (mut one, mut other) = (start(), start());
    // Both see the place that is free.
    assert!(one.first_model().is_some() && other.first_model().is_some());
    let (went, also) = tokio::join!(one.advance(), other.advance());
    assert!([went, also].iter().all(|went| matches!(went, Ok(Progress::Answered(..)))));
}

#[tokio::test(start_paused = true)]
async fn nobody_sits_out_a_long_pause_while_another_target_is_free() {
    let mut bench = Bench::of("a.one, b.two");
    bench.policy.max_retries = 0;
    for _ in 0..4 {
        bench.fails("a.one", CallFailure::Throttled);
        bench.answers("b.two", Duration::ZERO);
        assert_eq!(bench.ask().await.model(), "b.two");
        advance(2 * SECOND).await;
    }
    bench.policy.max_retries = 1;
    bench.fails("a.one", CallFailure::Throttled);
    bench.answers("b.two", Duration::ZERO);
    let begun = Instant::now();
    assert_eq!(bench.ask().await.trail(), [("a.one", "throttled"), ("b.two", "ok")]);
    assert_eq!(begun.elapsed(), Duration::ZERO, "the fifth pause is longer than any back-off");
}

#[tokio::test(start_paused = true)]
async fn small_requests_in_a_steady_row_do_not_starve_a_large_one() {
    let mut bench = Bench::of("a.one");
    bench.policy.limit = LimitPolicy { max_in_flight: 2, ..bench.policy.limit };
    bench.policy.place_wait = Duration::from_secs(600);
    (0..60).for_each(|_| bench.backend.then("a.one", answer(SECOND)));
    let large = bench.router.owner();
    let begun = Instant::now();
    let parts = (0..4).map(|_| {
        let options =
            super::RouteOptions { owner: large, ..bench.options(Mode::Whole, Duration::from_secs(600)) };
        bench.drive(options, false)
    });
    // Twice as many come as can be served.
    let row = (0..40_u32).map(|number| {
        let bench = &bench;
        async move {
            tokio::time::sleep_until(begun + number * SECOND / 4).await;
            bench.ask_within(Duration::from_secs(600)).await
        }
    });
    let large = async {
        join_all(parts).await;
        begun.elapsed()
    };
    let (took, _row) = tokio::join!(large, join_all(row));
    assert!(took < 10 * SECOND, "{took:?}: the row took 22 s");
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_is_throttled_says_when_its_pause_is_over() {
    let mut bench = Bench::of("a.one");
    bench.policy.max_retries = 0;
    for pause_ms in [200, 400, 800] {
        bench.fails("a.one", CallFailure::Throttled);
        let went = bench.ask().await;
        assert_eq!(went.error().failure, CallFailure::Throttled);
        assert_eq!(went.error().retry_after, Some(Duration::from_millis(pause_ms)));
        advance(Duration::from_millis(pause_ms)).await;
    }
}
