//! Answers that break off: they fail, or start over where nothing is lost by it.

use std::time::Duration;

use super::Bench;
use crate::domain::CallFailure;
use crate::inference::scripted::{Step, Turn};
use crate::inference::{BackendError, ModelEvent};

/// Two words, and then the failure.
fn breaks_off(failure: CallFailure) -> Turn {
    let words = ["Half ", "an answer"].map(|word| Step::Event(ModelEvent::Text(word.to_owned())));
    let fail = Step::Fail(BackendError::new(failure, "scripted"));
    Turn::Steps([Step::Event(ModelEvent::Started)].into_iter().chain(words).chain([fail]).collect())
}

#[tokio::test(start_paused = true)]
async fn a_broken_answer_starts_over_on_the_next_target_when_it_may() {
    let bench = Bench::of("a.one, b.two");
    bench.backend.then("a.one", breaks_off(CallFailure::StreamCut));
    bench.answers("b.two", Duration::ZERO);
    let went = bench.stream(true).await;
    assert_eq!((went.model(), went.text.as_str()), ("b.two", "A short answer."));
    assert_eq!(went.trail(), [("a.one", "stream_cut"), ("b.two", "ok")]);
    assert_eq!(went.fallbacks[0].reason, CallFailure::StreamCut);
}

#[tokio::test(start_paused = true)]
async fn a_broken_answer_fails_when_it_may_not_start_over() {
    let bench = Bench::of("a.one, b.two");
    bench.backend.then("a.one", breaks_off(CallFailure::StreamCut));
    let went = bench.stream(false).await;
    assert_eq!(went.error().failure, CallFailure::StreamCut);
    assert_eq!(went.text, "Half an answer");
    assert_eq!(bench.called(), ["a.one"]);
}

#[tokio::test(start_paused = true)]
async fn starting_over_ends_with_the_chain() {
    let bench = Bench::of("a.one, b.two");
    bench.backend.then("a.one", breaks_off(CallFailure::StreamCut));
    bench.backend.then("b.two", breaks_off(CallFailure::Unavailable));
    let went = bench.stream(true).await;
    assert_eq!(went.error().failure, CallFailure::Unavailable);
    assert_eq!(bench.called(), ["a.one", "b.two"]);
    let labels = ["summarize", "main"];
    assert_eq!(bench.metrics.fallback_exhausted.with_label_values(&labels).get(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_filter_cut_is_not_started_over() {
    let bench = Bench::of("a.one, b.two");
    bench.backend.then("a.one", breaks_off(CallFailure::Filtered));
    let went = bench.stream(true).await;
    assert_eq!(went.error().failure, CallFailure::Filtered);
    assert_eq!(bench.called(), ["a.one"]);
}

#[tokio::test(start_paused = true)]
async fn breaks_in_mid_stream_count_against_their_target() {
    let bench = Bench::of("a.one, b.two");
    for _ in 0..3 {
        bench.backend.then("a.one", breaks_off(CallFailure::StreamCut));
        bench.answers("b.two", Duration::ZERO);
        bench.stream(true).await.model();
    }
    assert_eq!(bench.metrics.breaker_state.with_label_values(&["a.one", "own"]).get(), 2);
    bench.answers("b.two", Duration::ZERO);
    assert_eq!(bench.stream(true).await.trail(), [("a.one", "breaker_open"), ("b.two", "ok")]);
}
