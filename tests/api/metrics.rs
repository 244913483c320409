//! Metrics: everything known exists at zero, everything that happens is counted
//! once, and no caller can add a series.

use bedrock_sim::{ApiError, Scenario, StopReason};
use redraft::domain::CalendarDate;
use serde_json::json;

use crate::support::{Request, TestApp, series};

const TEXT: &str = "The tower is 84 metres high. It was built in 1890. The lift takes 90 seconds.";

const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/parts.toml");

/// Names, types, help and label names, without values: the contract of `/metrics`.
fn outline(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = if line.starts_with('#') {
            line.to_owned()
        } else {
            let (name, rest) = line.split_once(['{', ' ']).unwrap();
            let labels = rest.split_once("} ").map_or("", |(labels, _)| labels);
            let names: Vec<&str> =
                labels.split("\",").filter_map(|pair| pair.split_once('=')).map(|p| p.0).collect();
            format!("{name}{{{}}}", names.join(","))
        };
        if !line.contains("process_") && lines.last() != Some(&line) && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn names_types_help_and_labels_are_a_contract() {
    // These models, because one of them has an end.
    let app = TestApp::with(&[("MODELS__FILE", MODELS)]).await;
    let found = outline(&app.metrics().await);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, golden, "tests/golden/metrics.txt differs; UPDATE_GOLDEN=1 rewrites it");
}

#[tokio::test]
async fn a_model_with_an_end_shows_how_far_away_it_is_and_one_without_shows_nothing() {
    let app = TestApp::with(&[("MODELS__FILE", MODELS)]).await;
    let left = CalendarDate::new(2099, 12, 31).days_since(CalendarDate::today());
    let text = app.metrics().await;
    let days = series(&text, "redraft_model_end_of_life_days", &[("model", "us.amazon.nova-pro-v1:0")]);
    // The day may change while the test runs.
    let days = days.unwrap().to_string();
    assert!([left, left - 1].iter().any(|left| left.to_string() == days), "{days}");
    assert_eq!(text.matches("redraft_model_end_of_life_days{").count(), 1);
}

#[tokio::test]
async fn a_request_is_counted_once_with_its_tokens_and_cost() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    let answer = app.post("/v1/summarize", json!({"text": TEXT})).send().await.json();
    let requests =
        [("task", "summarize"), ("stream", "json"), ("outcome", "ok"), ("error", ""), ("api", "v1")];
    assert_eq!(app.metric("redraft_requests_total", &requests).await, 1.0);
    for (direction, member) in [("input", "input_tokens"), ("output", "output_tokens")] {
        let labels = [("task", "summarize"), ("model", &*chain.first), ("direction", direction)];
        assert_eq!(
            app.metric("redraft_tokens_total", &labels).await,
            answer["usage"][member].as_f64().unwrap()
        );
    }
    let cost = app.metric("redraft_cost_usd_total", &[("task", "summarize"), ("model", &chain.first)]).await;
    assert!((cost - answer["cost"]["usd"].as_f64().unwrap()).abs() < 1e-12);
    let calls = [("model", &*chain.first), ("outcome", "ok"), ("stage", "single")];
    assert_eq!(app.metric("redraft_model_calls_total", &calls).await, 1.0);
    assert_eq!(app.metric("redraft_overhead_seconds_count", &[("task", "summarize")]).await, 1.0);
    assert_eq!(app.metric("redraft_admission_inflight", &[]).await, 0.0);
    let first = [("task", "summarize"), ("stream", "sse"), ("fallback", "false")];
    assert_eq!(app.metric("redraft_time_to_first_token_seconds_count", &first).await, 0.0);
    app.post("/v1/summarize?stream=sse", json!({"text": TEXT})).send().await;
    assert_eq!(app.metric("redraft_time_to_first_token_seconds_count", &first).await, 1.0);
    let done = [("stream", "sse"), ("reason", "done")];
    assert_eq!(app.metric("redraft_stream_terminations_total", &done).await, 1.0);
}

#[tokio::test]
async fn a_stream_that_ends_with_an_error_counts_as_failed() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::CutMidFrame { after_deltas: 1 });
    app.post("/v1/summarize?stream=sse", json!({"text": TEXT})).send().await;
    let labels = [
        ("task", "summarize"),
        ("stream", "sse"),
        ("outcome", "upstream_error"),
        ("error", "upstream_bad_response"),
        ("api", "v1"),
    ];
    let unreachable = [labels[0], labels[1], labels[2], ("error", "all_models_unavailable"), labels[4]];
    let counted = app.metric("redraft_requests_total", &labels).await;
    assert_eq!(counted + app.metric("redraft_requests_total", &unreachable).await, 1.0);
    assert_eq!(
        app.metric("redraft_stream_terminations_total", &[("stream", "sse"), ("reason", "error")]).await,
        1.0
    );
}

#[tokio::test]
async fn fallbacks_are_counted_with_their_reason() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.fail(&chain.first, ApiError::AccessDenied);
    app.post("/v1/expand", json!({"text": TEXT})).send().await;
    let labels =
        [("task", "expand"), ("from", &*chain.first), ("to", &chain.second), ("reason", "access_denied")];
    assert_eq!(app.metric("redraft_fallbacks_total", &labels).await, 1.0);
    app.fail("*", ApiError::AccessDenied);
    app.post("/v1/expand", json!({"text": TEXT})).send().await;
    let labels = [("task", "expand"), ("chain", "default")];
    assert_eq!(app.metric("redraft_fallback_exhausted_total", &labels).await, 1.0);
}

#[tokio::test]
async fn a_target_that_keeps_failing_is_shown_as_open_and_then_as_skipped() {
    let app = TestApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
    let chain = app.default_chain().await;
    let target = [("model", &*chain.first), ("region", "own")];
    let shown = async |name: &str, labels: &[(&str, &str)]| app.metric(name, labels).await;
    app.fail(&chain.first, ApiError::ServiceUnavailable);
    let mut calls = 0;
    while shown("redraft_breaker_state", &target).await == 0.0 {
        assert_eq!(
            shown("redraft_targets_skipped_total", &[target[0], target[1], ("reason", "breaker_open")]).await,
            0.0
        );
        app.post("/v1/expand", json!({"text": TEXT})).send().await;
        calls += 1;
        assert!(calls <= 20, "the breaker never opens");
    }
    assert_eq!(shown("redraft_breaker_state", &target).await, 2.0);
    let opened = [target[0], target[1], ("to", "open")];
    assert_eq!(shown("redraft_breaker_transitions_total", &opened).await, 1.0);
    app.post("/v1/expand", json!({"text": TEXT})).send().await;
    let skipped = [target[0], target[1], ("reason", "breaker_open")];
    assert_eq!(shown("redraft_targets_skipped_total", &skipped).await, 1.0);
    let passed_on = [("task", "expand"), ("from", &*chain.first), ("to", &chain.second)];
    let over = [passed_on[0], passed_on[1], passed_on[2], ("reason", "breaker_open")];
    assert_eq!(shown("redraft_fallbacks_total", &over).await, 1.0);
    assert_eq!(shown("redraft_target_in_flight", &target).await, 0.0);
    let first = app.models_called().into_iter().filter(|model| *model == chain.first).count();
    assert_eq!(first, calls, "an open target is not called");
}

#[tokio::test]
async fn a_target_that_is_denied_is_shown_as_taken_out_and_a_throttled_one_by_its_limit() {
    let app = TestApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
    let chain = app.default_chain().await;
    let first = [("model", &*chain.first), ("region", "own")];
    let second = [("model", &*chain.second), ("region", "own")];
    let shown = async |name: &str, labels: &[(&str, &str)]| app.metric(name, labels).await;
    let ceiling = shown("redraft_target_limit_ceiling", &second).await;
    assert!(ceiling > 4.0);
    assert_eq!(shown("redraft_target_limit", &second).await, ceiling, "before its first call");
    app.fail(&chain.first, ApiError::AccessDenied);
    app.fail(&chain.second, ApiError::Throttling);
    let answer = app.post("/v1/expand", json!({"text": TEXT})).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let denied = [first[0], first[1], ("reason", "access_denied")];
    assert_eq!(shown("redraft_targets_taken_out_total", &denied).await, 1.0);
    assert_eq!(shown("redraft_breaker_state", &first).await, 2.0);
    assert_eq!(shown("redraft_target_limit", &first).await, ceiling);
    assert!(shown("redraft_target_limit", &second).await < ceiling / 4.0);
    assert_eq!(shown("redraft_breaker_state", &second).await, 0.0, "throttling is no illness");
    let exhausted = [("task", "expand"), ("chain", "default")];
    assert_eq!(shown("redraft_fallback_exhausted_total", &exhausted).await, 0.0);
}

#[tokio::test]
async fn a_chain_that_ends_on_purpose_is_not_exhausted() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::StopReason { reason: StopReason::GuardrailIntervened });
    app.post("/v1/expand", json!({"text": TEXT})).send().await;
    app.fail("*", ApiError::ExpiredToken);
    app.post("/v1/expand", json!({"text": TEXT})).send().await;
    assert_eq!(app.sim.calls().len(), 2, "no other model is asked");
    let exhausted = [("task", "expand"), ("chain", "default")];
    assert_eq!(app.metric("redraft_fallback_exhausted_total", &exhausted).await, 0.0);
}

#[tokio::test]
async fn a_missing_price_makes_the_cost_null_and_is_counted() {
    let app = TestApp::with(&[("MODELS__FILE", "tests/fixtures/rewrite.toml")]).await;
    let chain = app.default_chain().await;
    let answer = app.post("/v1/summarize", json!({"text": TEXT})).send().await.json();
    assert_eq!(answer["cost"]["usd"], json!(null));
    assert_eq!(answer["warnings"][0]["code"], "unpriced_model");
    assert_eq!(app.metric("redraft_unpriced_requests_total", &[("model", &chain.first)]).await, 1.0);
    let stream = app.post("/v1/summarize?stream=sse", json!({"text": TEXT})).send().await.sse();
    stream.assert_grammar();
    assert_eq!(stream.one("usage")["cost"]["usd"], json!(null));
}

#[tokio::test]
async fn no_caller_can_add_a_series() {
    let app = TestApp::start().await;
    let odd = [
        ("/v1/summarize", json!({"text": TEXT, "chain": "x1", "type": "y"})),
        ("/v1/rephrase", json!({"text": TEXT, "style": "z"})),
        ("/v1/summarize?stream=q", json!({"text": TEXT})),
        ("/nowhere/1", json!({})),
    ];
    let strange = async |suffix: &str| {
        for (path, body) in &odd {
            app.post(&format!("{path}{suffix}"), body.clone()).header("user-agent", suffix).send().await;
        }
        Request::new(app.api, hyper::Method::from_bytes(b"BREW").unwrap(), &format!("/pot{suffix}"))
            .send()
            .await;
    };
    strange("").await;
    let before = app.metrics().await.lines().count();
    for round in 0..5 {
        strange(&format!("x{round}")).await;
    }
    assert_eq!(app.metrics().await.lines().count(), before);
}
