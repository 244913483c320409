//! Fan-outs that nobody waits for any more: the reader left, or the service stops.

use bedrock_sim::{CallRecord, Outcome, Scenario, tokens};
use serde_json::json;

use super::asked::Asked;
use super::{all_ended, answered, app, book, count, summary_of, well_formed};
use crate::support::{OpenStream, Samples, TestApp};

/// A stream of which two parts are done and three are waited for, for ever.
async fn half_done(app: &TestApp, path: &str) -> OpenStream {
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    app.sim.set_scenario_times("*", Scenario::Normal, 2);
    let body = match path {
        "/v1/summarize" => summary_of(&book().text),
        _ => json!({"text": book().text}),
    };
    let stream = app.post(&format!("{path}?stream=sse"), body).open().await;
    app.call(|call| call.sequence == 5).await;
    stream
}

/// By the simulator's rule.
fn prompt_tokens(call: &CallRecord) -> i64 {
    let asked = Asked::of(call.clone());
    let tokens = tokens::count(&asked.system) + tokens::count(&asked.user) + 2 * tokens::PER_BLOCK_TOKENS;
    i64::try_from(tokens).unwrap()
}

#[tokio::test]
async fn calls_end_with_the_reader_and_what_they_used_is_counted() {
    for (path, task) in [("/v1/summarize", "summarize"), ("/v1/rephrase", "rephrase")] {
        let app = app(&[]).await;
        let stream = half_done(&app, path).await;
        drop(stream);
        app.until_metric("redraft_admission_inflight", &[], 0.0).await;
        let calls = all_ended(&app).await;
        assert_eq!(count(&calls, &Outcome::Completed), 2);
        assert_eq!(count(&calls, &Outcome::ClientGone), 3);
        let samples = Samples::read(&app.metrics().await);
        let counted = samples.sum("redraft_tokens_total", &[("task", task), ("direction", "input")]);
        let all: i64 = calls.iter().map(prompt_tokens).sum();
        let done: i64 =
            calls.iter().filter(|call| call.outcome == Outcome::Completed).map(prompt_tokens).sum();
        assert!(counted > done, "{path}: {counted} of {all}, {done} of calls that ended");
        let error = (counted - all).abs() * 100 / all;
        assert!(error <= 35, "{path}: {counted} tokens counted, {all} sent");
        assert_eq!(samples.sum("redraft_model_calls_total", &[("outcome", "cancelled")]), 3);
        // Whatever was left begun would come before this.
        app.sim.clear_scenarios();
        answered(&app, "/v1/summarize", &json!({"text": "A door. A key. A lock."})).await;
        assert_eq!(app.sim.calls().len(), 6, "{path}: no further call of it was begun");
    }
}

#[tokio::test]
async fn a_service_that_stops_ends_a_fan_out_after_its_time() {
    for path in ["/v1/summarize", "/v1/rephrase"] {
        let app = app(&[("SHUTDOWN__DRAIN_MS", "300")]).await;
        let stream = half_done(&app, path).await;
        app.begin_shutdown().await;
        let answer = stream.finish().await;
        assert!(!answer.cut);
        let stream = well_formed(&answer);
        let error = stream.one("error");
        assert_eq!((&error["code"], &error["retryable"]), (&json!("shutting_down"), &json!(true)));
        assert_eq!(stream.one("usage")["cost"]["estimated"], true, "three calls never told what they used");
        let calls = all_ended(&app).await;
        assert_eq!((calls.len(), count(&calls, &Outcome::ClientGone)), (5, 3), "{path}");
        app.stop().await;
    }
}
