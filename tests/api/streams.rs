//! Streams: the native events to the letter, the plain text, and how they end.

use std::time::Duration;

use bedrock_sim::{Operation, Outcome, Pacing, Scenario, Sim, SimOptions, StreamError};
use serde_json::json;

use crate::support::TestApp;

const TEXT: &str = "The ferry leaves at 9:15. It takes 40 minutes. Dogs travel free of charge. A return ticket \
    costs 18 euros. On Sundays there is no service.";

#[tokio::test]
async fn sse_tells_the_same_answer_as_json() {
    let app = TestApp::start().await;
    for (path, body) in [
        ("/v1/summarize", json!({"text": TEXT})),
        ("/v1/rephrase", json!({"text": TEXT, "tone": "more-casual"})),
        ("/v1/expand", json!({"bullets": ["a ferry", "at 9:15"]})),
    ] {
        let whole = app.post(path, body.clone()).send().await.json();
        let answer = app.post(path, body).header("accept", "text/event-stream").send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/event-stream");
        assert_eq!(answer.header("cache-control"), "no-cache, no-store, no-transform");
        assert_eq!(answer.header("x-accel-buffering"), "no");
        assert!(answer.header("server-timing").starts_with("queue;dur="));
        assert!(answer.headers.get("content-length").is_none());
        let stream = answer.sse();
        stream.assert_grammar();
        assert_eq!(stream.outline(), ["start", "delta", "usage", "done"]);
        assert_eq!(stream.text(), whole["text"].as_str().unwrap());
        let (start, usage, done) = (stream.one("start"), stream.one("usage"), stream.one("done"));
        assert_eq!(start["task"], whole["task"]);
        assert_eq!(start["model"], whole["model"]);
        assert_eq!(start["chain"], whole["chain"]);
        assert_eq!(start["request_id"], answer.header("x-request-id"));
        assert_eq!(start["id"], answer.header("x-generation-id"));
        assert_eq!((&start["resumable"], &start["strategy"]), (&json!(false), &json!("single")));
        assert_eq!(usage["usage"], whole["usage"]);
        assert_eq!(usage["cost"], whole["cost"]);
        assert!(usage["timing"]["time_to_first_token_ms"].is_number());
        assert_eq!(done["finish_reason"], "stop");
        assert_eq!(done["attempts"], 1);
        assert_eq!(done["output_chars"], whole["text"].as_str().unwrap().chars().count());
        let id = start["id"].as_str().unwrap();
        assert_eq!(stream.frames[1].id.as_deref(), Some(format!("{id}-1").as_str()));
    }
}

#[tokio::test]
async fn ndjson_has_the_same_events_one_per_line() {
    let app = TestApp::start().await;
    let answer = app.post("/v1/summarize", json!({"text": TEXT, "stream": "ndjson"})).send().await;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let stream = answer.ndjson();
    stream.assert_grammar();
    assert_eq!(stream.outline(), ["start", "delta", "usage", "done"]);
    let sse = app.post("/v1/summarize", json!({"text": TEXT, "stream": true})).send().await.sse();
    assert_eq!(stream.text(), sse.text());
}

#[tokio::test]
async fn plain_text_is_nothing_but_the_answer() {
    let app = TestApp::start().await;
    let whole = app.post("/v1/summarize", json!({"text": TEXT})).send().await.json();
    let answer = app.post("/v1/summarize", json!({"text": TEXT})).header("accept", "text/plain").send().await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.text(), whole["text"].as_str().unwrap());
    assert!(!answer.cut);
}

#[tokio::test]
async fn done_repeats_the_text_for_those_who_ask() {
    let app = TestApp::start().await;
    let body = json!({"text": TEXT, "stream": true, "include": ["text"]});
    let stream = app.post("/v1/summarize", body).send().await.sse();
    assert_eq!(stream.one("done")["text"], stream.text());
}

#[tokio::test]
async fn start_leaves_before_the_model_has_said_anything() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let mut stream = app.post("/v1/summarize?stream=sse", json!({"text": TEXT})).open().await;
    let text = stream.read_until(|text| text.ends_with("\n\n")).await;
    assert!(text.contains("event: start\n"), "{text}");
}

#[tokio::test]
async fn a_silent_stream_says_hb_with_one_line_feed() {
    let app = TestApp::with(&[("HTTP__HEARTBEAT_MS", "30")]).await;
    app.sim.set_scenario("*", Scenario::SlowFirstEvent { wait_ms: 600_000 });
    let mut stream = app.post("/v1/summarize?stream=sse", json!({"text": TEXT})).open().await;
    let text = stream.read_until(|text| text.matches(": hb\n").count() >= 3).await;
    let after_start = &text[text.find("\n\n").unwrap() + 2..];
    assert!(after_start.starts_with(": hb\n: hb\n: hb\n"), "nothing but heartbeats: {after_start:?}");
}

#[tokio::test]
async fn heartbeats_between_events_do_not_disturb_them() {
    let app = TestApp::with(&[("HTTP__HEARTBEAT_MS", "10")]).await;
    app.sim.set_scenario("*", Scenario::Trickle { gap_ms: 35 });
    let stream = app.post("/v1/summarize?stream=sse", json!({"text": TEXT})).send().await.sse();
    stream.assert_grammar();
    assert!(stream.heartbeats > 0);
    assert_eq!(stream.outline(), ["start", "delta", "usage", "done"]);
}

#[tokio::test]
async fn a_failure_in_mid_stream_is_one_error_event_after_the_usage_so_far() {
    for scenario in [
        Scenario::StreamError { error: StreamError::ModelStreamError, after_deltas: 2 },
        Scenario::CutMidFrame { after_deltas: 2 },
        Scenario::EndWithoutMessageStop { after_deltas: 2 },
        Scenario::CorruptCrc { after_deltas: 2 },
    ] {
        let app = TestApp::start().await;
        let chain = app.default_chain().await;
        app.sim.set_scenario("*", scenario.clone());
        for dialect in ["sse", "ndjson"] {
            let path = format!("/v1/summarize?stream={dialect}");
            let answer = app.post(&path, json!({"text": TEXT})).send().await;
            assert_eq!(answer.status, 200);
            let stream = if dialect == "sse" { answer.sse() } else { answer.ndjson() };
            stream.assert_grammar();
            assert_eq!(stream.outline(), ["start", "delta", "usage", "error"], "{scenario:?}");
            let error = stream.one("error");
            assert_eq!(
                (&error["partial"], &error["retryable"]),
                (&json!(true), &json!(true)),
                "{scenario:?}"
            );
            assert!(error["code"].as_str().unwrap().starts_with("upstream_"), "{scenario:?} {error}");
            assert_eq!(error["status"], 502);
            let attempts = error["attempts"].as_array().unwrap();
            assert_eq!((attempts.len(), &attempts[0]["outcome"]), (1, &json!("error")), "{attempts:?}");
            assert_eq!(stream.one("usage")["cost"]["estimated"], true);
        }
        assert_eq!(app.models_called(), [chain.first.clone(), chain.first.clone()], "no change of model");
    }
}

#[tokio::test]
async fn plain_text_breaks_the_connection_instead_of_ending_cleanly() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::CutMidFrame { after_deltas: 2 });
    let answer = app.post("/v1/summarize?stream=text", json!({"text": TEXT})).send().await;
    assert_eq!(answer.status, 200);
    assert!(answer.cut, "a cut answer must not look whole");
}

#[tokio::test]
async fn plain_text_holds_its_status_until_the_first_word() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::Error { error: bedrock_sim::ApiError::AccessDenied });
    let answer = app.post("/v1/summarize?stream=text", json!({"text": TEXT})).send().await;
    crate::validation::assert_problem(&answer, 502, "upstream_auth");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_upstream_within_a_second() {
    let app = TestApp::start().await;
    for dialect in ["sse", "ndjson", "text"] {
        app.sim.clear_calls();
        app.sim.set_scenario("*", Scenario::Stall { after_deltas: 2, for_ms: None });
        let path = format!("/v1/summarize?stream={dialect}");
        let mut stream = app.post(&path, json!({"text": TEXT})).open().await;
        stream.chunk().await.unwrap().unwrap();
        app.call(|call| call.deltas_sent >= 2).await;
        let left = std::time::SystemTime::now();
        drop(stream);
        let gone = |call: &bedrock_sim::CallRecord| call.outcome == Outcome::ClientGone;
        let call = app.sim.wait_for_call(gone, Duration::from_secs(1)).await;
        assert!(call.is_some(), "{dialect}: the simulator sees the end {:?} later", left.elapsed());
    }
    for dialect in ["sse", "ndjson", "text"] {
        let labels = [
            ("task", "summarize"),
            ("stream", dialect),
            ("outcome", "cancelled"),
            ("error", "cancelled"),
            ("api", "v1"),
        ];
        assert_eq!(app.metric("redraft_requests_total", &labels).await, 1.0, "{dialect}");
        assert_eq!(app.metric("redraft_streams_active", &[("stream", dialect)]).await, 0.0);
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_the_model_is_silent_ends_the_call_too() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    for path in ["/v1/summarize?stream=sse", "/v1/summarize"] {
        app.sim.clear_calls();
        let request = app.post(path, json!({"text": TEXT}));
        let waiting = tokio::spawn(request.send());
        app.call(|_| true).await;
        waiting.abort();
        let gone = |call: &bedrock_sim::CallRecord| call.outcome == Outcome::ClientGone;
        let call = app.sim.wait_for_call(gone, Duration::from_secs(1)).await;
        assert!(call.is_some(), "{path}");
    }
}

#[tokio::test]
async fn deltas_leave_one_by_one_also_for_a_client_that_accepts_gzip() {
    let pacing = Pacing { first_delta: Duration::ZERO, between_deltas: Duration::from_millis(40) };
    let sim = Sim::start(SimOptions { pacing, ..SimOptions::default() }).await.unwrap();
    let app = TestApp::over(sim, &[]).await;
    for dialect in ["sse", "ndjson", "text"] {
        let path = format!("/v1/summarize?stream={dialect}");
        let request = app.post(&path, json!({"text": TEXT})).header("accept-encoding", "gzip");
        let mut stream = request.open().await;
        assert!(stream.headers.get("content-encoding").is_none(), "{dialect}");
        let mut pieces = 0;
        while let Some(chunk) = stream.chunk().await {
            let text = String::from_utf8(chunk.unwrap().to_vec()).unwrap();
            assert!(text.matches("\"type\":\"delta\"").count() <= 1, "one delta a piece: {text}");
            pieces += 1;
        }
        let deltas = app.sim.calls().last().unwrap().deltas_sent;
        assert!(pieces >= deltas, "{dialect}: {pieces} pieces for {deltas} deltas");
    }
}

#[tokio::test]
async fn a_json_answer_that_was_written_in_pieces_tells_how_long_the_writing_took() {
    let pacing = Pacing { first_delta: Duration::ZERO, between_deltas: Duration::from_millis(2) };
    let sim = Sim::start(SimOptions { pacing, ..SimOptions::default() }).await.unwrap();
    let app = TestApp::over(sim, &[]).await;
    let answer = app.post("/v1/rephrase", json!({"text": TEXT.repeat(30)})).send().await.json();
    let call = app.sim.calls().pop().unwrap();
    assert_eq!(call.operation, Operation::ConverseStream, "too short to be asked for in pieces");
    let (timing, deltas) = (&answer["timing"], call.deltas_sent);
    assert!(deltas > 20, "{deltas}");
    let (written, total) = (timing["generation_time_ms"].as_f64(), timing["total_ms"].as_f64());
    let least = (pacing.between_deltas * (deltas - 1)).as_secs_f64() * 1000.0;
    assert!(written.unwrap() >= least && written <= total, "{timing}, {deltas} deltas");
}

#[tokio::test]
async fn a_long_json_answer_is_compressed_for_those_who_accept_it() {
    let app = TestApp::start().await;
    let text = TEXT.repeat(40);
    let request = app.post("/v1/rephrase", json!({"text": text})).header("accept-encoding", "gzip");
    let answer = request.send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(&answer.body[..2], b"\x1f\x8b");
    let plain = app.post("/v1/rephrase", json!({"text": text})).send().await;
    assert_eq!(plain.header("content-encoding"), "");
}

/// The raw bytes of an answer to an HTTP/1.0 client, and whether it ended cleanly.
async fn over_http_1_0(app: &TestApp, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let body = json!({"text": TEXT}).to_string();
    let mut stream = tokio::net::TcpStream::connect(app.api).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn http_1_0_cannot_tell_a_cut_text_so_it_gets_whole_ones_only() {
    let app = TestApp::start().await;
    let whole = over_http_1_0(&app, "/v1/summarize?stream=text").await;
    assert!(whole.starts_with("HTTP/1.0 200") && whole.contains("content-length: "), "{whole}");
    app.sim.set_scenario("*", Scenario::StopReason { reason: bedrock_sim::StopReason::MalformedModelOutput });
    let failed = over_http_1_0(&app, "/v1/summarize?stream=text").await;
    assert!(failed.starts_with("HTTP/1.0 502"), "{failed}");
}

#[tokio::test]
async fn a_text_that_breaks_right_after_its_first_word_has_a_head_all_the_same() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::StreamError { error: StreamError::Throttling, after_deltas: 1 });
    let answer = app.post("/v1/summarize?stream=text", json!({"text": TEXT})).send().await;
    assert_eq!(answer.status, 200);
    assert!(!answer.header("x-request-id").is_empty());
    assert!(answer.cut && !answer.body.is_empty());
}
