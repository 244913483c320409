//! Breakers along a chain: who is called, who is passed over, who may try again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::advance;

use super::{Bench, POLICY};
use crate::domain::CallFailure;
use crate::inference::ModelEvent;
use crate::inference::scripted::{Step, Turn};

const SECOND: Duration = Duration::from_secs(1);

/// A bench whose first target has failed often enough.
async fn with_first_open() -> Bench {
    let mut bench = Bench::of("a.one, b.two");
    bench.policy.max_retries = 0;
    for _ in 0..3 {
        bench.fails("a.one", CallFailure::Unavailable);
        bench.answers("b.two", SECOND);
        assert_eq!(bench.ask().await.model(), "b.two");
    }
    bench
}

#[tokio::test(start_paused = true)]
async fn a_target_that_keeps_failing_is_passed_over_and_the_caller_reads_why() {
    let bench = with_first_open().await;
    bench.answers("b.two", SECOND);
    let went = bench.ask().await;
    assert_eq!(went.trail(), [("a.one", "breaker_open"), ("b.two", "ok")]);
    assert_eq!(went.fallbacks[0].reason, CallFailure::BreakerOpen);
    assert_eq!(bench.called().len(), 7, "three pairs, and then one call alone");
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_request_probes_and_the_others_do_not_wait_for_it() {
    let bench = with_first_open().await;
    advance(5 * SECOND).await;
    bench.answers("a.one", 3 * SECOND);
    bench.answers("b.two", SECOND);
    let (probe, other) = tokio::join!(bench.ask(), bench.ask());
    assert_eq!(probe.model(), "a.one");
    assert_eq!(other.trail(), [("a.one", "breaker_open"), ("b.two", "ok")]);
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get(), 0);
    bench.answers("a.one", SECOND);
    assert_eq!(bench.ask().await.model(), "a.one");
}

#[tokio::test(start_paused = true)]
async fn a_probe_whose_client_leaves_judges_nothing_and_the_next_one_probes() {
    let bench = with_first_open().await;
    advance(5 * SECOND).await;
    bench.backend.then("a.one", Turn::Silence);
    assert!(tokio::time::timeout(SECOND, bench.ask()).await.is_err(), "the client leaves");
    bench.answers("a.one", SECOND);
    assert_eq!(bench.ask().await.model(), "a.one");
}

#[tokio::test(start_paused = true)]
async fn the_last_target_is_called_although_its_breaker_is_open() {
    let mut bench = Bench::of("a.one");
    bench.policy.max_retries = 0;
    for _ in 0..10 {
        bench.fails("a.one", CallFailure::Unavailable);
        assert_eq!(bench.ask().await.error().failure, CallFailure::Unavailable);
    }
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get(), 2);
    bench.answers("a.one", SECOND);
    assert_eq!(bench.ask().await.model(), "a.one");
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get(), 0, "it works again");
}

#[tokio::test(start_paused = true)]
async fn the_last_target_that_fits_is_called_although_its_breaker_is_open() {
    let mut bench = Bench::of("a.one, b.two, c.small");
    let small = &mut Arc::make_mut(&mut bench.chain).stages[2].targets[0].target.model;
    Arc::make_mut(small).context_tokens = 10;
    bench.policy.max_retries = 0;
    for _ in 0..3 {
        bench.fails("a.one", CallFailure::ModelRefused);
        bench.fails("b.two", CallFailure::Unavailable);
        bench.ask().await.error();
    }
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["b.two", "own"]).get(), 2);
    bench.fails("a.one", CallFailure::ModelRefused);
    bench.answers("b.two", SECOND);
    assert_eq!(bench.ask().await.trail(), [("a.one", "model_refused"), ("b.two", "ok")]);
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_chain_says_when_its_first_target_opens_again() {
    let bench = with_first_open().await;
    for _ in 0..3 {
        bench.fails("b.two", CallFailure::Unavailable);
        bench.ask().await.error();
    }
    bench.fails("b.two", CallFailure::Unavailable);
    let went = bench.ask().await;
    assert_eq!(went.trail(), [("a.one", "breaker_open"), ("b.two", "unavailable")]);
    let wait = went.error().retry_after.unwrap();
    assert!(wait <= POLICY.breaker.open && wait > Duration::ZERO, "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_gone_or_denied_is_out_for_minutes_and_a_metric_says_so() {
    for failure in [CallFailure::ModelGone, CallFailure::AccessDenied, CallFailure::DailyQuotaUsedUp] {
        let bench = Bench::of("a.one, b.two");
        bench.fails("a.one", failure);
        bench.answers("b.two", SECOND);
        bench.ask().await;
        let labels = ["a.one", "own", failure.as_str()];
        assert_eq!(bench.metrics.targets_taken_out.with_label_values(&labels).get(), 1);
        advance(POLICY.breaker.out - 5 * SECOND).await;
        bench.answers("b.two", SECOND);
        assert_eq!(bench.ask().await.trail(), [("a.one", "breaker_open"), ("b.two", "ok")]);
        advance(5 * SECOND).await;
        bench.answers("a.one", SECOND);
        assert_eq!(bench.ask().await.model(), "a.one");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_text_causes_closes_no_target_to_others() {
    let bench = Bench::of("a.one");
    for failure in [
        CallFailure::Filtered,
        CallFailure::InputTooLong,
        CallFailure::RequestRejected,
        CallFailure::EmptyAnswer,
        CallFailure::ModelRefused,
    ] {
        for _ in 0..5 {
            bench.fails("a.one", failure);
            bench.ask().await.error();
        }
    }
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_caller_in_a_hurry_closes_no_target_to_others() {
    let bench = Bench::of("a.one, b.two");
    for _ in 0..10 {
        bench.answers("a.one", 10 * SECOND);
        bench.answers("b.two", 10 * SECOND);
        let went = bench.ask_within(SECOND).await;
        assert_eq!(went.error().failure, CallFailure::Deadline);
        assert_eq!(went.trail()[0], ("a.one", "answer_timeout"));
    }
    for model in ["a.one", "b.two"] {
        assert_eq!(bench.metrics.breaker_state.with_label_values(&[model, "own"]).get(), 0, "{model}");
    }
    // A silence of the clock's whole length is another matter.
    for _ in 0..3 {
        bench.backend.then("a.one", Turn::Silence);
        bench.answers("b.two", SECOND);
        assert_eq!(bench.ask().await.model(), "b.two");
    }
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_chain_without_access_says_so_again_and_again() {
    let bench = Bench::of("a.one, b.two");
    bench.fails("a.one", CallFailure::AccessDenied);
    for _ in 0..3 {
        bench.fails("b.two", CallFailure::AccessDenied);
        assert_eq!(bench.ask().await.error().failure, CallFailure::AccessDenied);
    }
    assert_eq!(bench.called(), ["a.one", "b.two", "b.two", "b.two"], "the last is called all the same");
    let labels = ["b.two", "own", "access_denied"];
    let taken_out = bench.metrics.targets_taken_out.with_label_values(&labels);
    assert_eq!(taken_out.get(), 1, "it was out already when it was called again");
}

/// A stream of a word every five seconds, longer than a call may take.
fn endless() -> Turn {
    let word = || [Step::Event(ModelEvent::Text("word ".into())), Step::Wait(5 * SECOND)];
    Turn::Steps((0..100).flat_map(|_| word()).collect())
}

#[tokio::test(start_paused = true)]
async fn answers_that_take_too_long_do_not_close_a_target_and_those_that_fall_silent_do() {
    let state = |bench: &Bench| bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get();
    let bench = Bench::of("a.one, b.two");
    for _ in 0..5 {
        bench.backend.then("a.one", endless());
        assert_eq!(bench.stream(false).await.error().failure, CallFailure::AttemptClock);
    }
    assert_eq!(state(&bench), 0);
    for _ in 0..3 {
        let word = Step::Event(ModelEvent::Text("word ".into()));
        bench.backend.then("a.one", Turn::Steps(vec![word, Step::Stall]));
        assert_eq!(bench.stream(false).await.error().failure, CallFailure::IdleClock);
    }
    assert_eq!(state(&bench), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_judges_a_target_once_however_often_it_repeats() {
    let mut bench = Bench::of("a.one, b.two");
    bench.policy.max_retries = 5;
    for _ in 0..6 {
        bench.fails("a.one", CallFailure::ModelFailed);
    }
    bench.answers("b.two", SECOND);
    assert_eq!(bench.ask().await.model(), "b.two");
    assert_eq!(bench.called().len(), 7);
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get(), 0);
}
