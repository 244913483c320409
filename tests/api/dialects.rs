//! The dialects of other people's clients: the AI SDK's chunks and OpenAI's.
//!
//! Golden transcripts hold each of them to the member, but for ids and times. What holds
//! for both, and for plain text, stands here; what is one dialect's own, in its file.

mod chat;
mod chunks;
mod ui;

use std::time::Duration;

use bedrock_sim::{CallRecord, Outcome, Scenario, StreamError};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use crate::support::{OpenStream, Request, TestApp};
use crate::validation::assert_problem;
pub use chunks::Chunks;

const TEXT: &str = "The ferry leaves at 9:15. It takes 40 minutes. Dogs travel free of charge. A return ticket \
    costs 18 euros. On Sundays there is no service.";

const BREAKS: Scenario = Scenario::StreamError { error: StreamError::ModelStreamError, after_deltas: 2 };

/// One of the ways in which a text can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Ui,
    OpenAi,
    Text,
}

impl Way {
    const ALL: [Self; 3] = [Self::Ui, Self::OpenAi, Self::Text];

    /// The label value in metrics.
    fn label(self) -> &'static str {
        match self {
            Self::Ui => "ui",
            Self::OpenAi => "openai",
            Self::Text => "text",
        }
    }

    /// A request for a rephrased text, with further members.
    fn request(self, app: &TestApp, text: &str, more: &Value) -> Request {
        let (path, mut body) = match self {
            Self::Ui => ("/v1/rephrase", json!({ "prompt": text })),
            Self::OpenAi => ("/v1/chat/completions", chat::body(text)),
            Self::Text => ("/v1/rephrase?stream=text", json!({ "text": text })),
        };
        if self == Self::OpenAi {
            (body["model"], body["stream"]) = ("redraft/rephrase".into(), true.into());
        }
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        app.post(path, body)
    }

    /// The text of a whole answer.
    fn text(self, body: &str) -> String {
        match self {
            Self::Ui | Self::OpenAi => Chunks::read(body).text(),
            Self::Text => body.to_owned(),
        }
    }
}

#[tokio::test]
async fn a_restart_is_never_offered_where_text_cannot_be_taken_back() {
    let app = TestApp::start().await;
    for way in Way::ALL {
        let answer = way.request(&app, TEXT, &json!({"on_failover": "restart"})).send().await;
        let problem = assert_problem(&answer, 422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/on_failover", "{way:?}");
    }
    assert!(app.sim.calls().is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_and_is_counted() {
    let app = TestApp::start().await;
    for way in Way::ALL {
        app.sim.clear_calls();
        app.sim.set_scenario("*", Scenario::Stall { after_deltas: 2, for_ms: None });
        let mut stream: OpenStream = way.request(&app, TEXT, &json!({})).open().await;
        stream.chunk().await.unwrap().unwrap();
        app.call(|call| call.deltas_sent >= 2).await;
        drop(stream);
        let gone = |call: &CallRecord| call.outcome == Outcome::ClientGone;
        assert!(app.sim.wait_for_call(gone, Duration::from_secs(1)).await.is_some(), "{way:?}");
        let api = if way == Way::OpenAi { "openai" } else { "v1" };
        let labels = [
            ("task", "rephrase"),
            ("stream", way.label()),
            ("outcome", "cancelled"),
            ("error", "cancelled"),
            ("api", api),
        ];
        app.until_metric("redraft_requests_total", &labels, 1.0).await;
        app.until_metric("redraft_streams_active", &[("stream", way.label())], 0.0).await;
    }
}

#[tokio::test]
async fn a_cut_answer_never_looks_like_a_whole_one() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", BREAKS);
    for way in Way::ALL {
        let answer = way.request(&app, TEXT, &json!({})).send().await;
        assert_eq!(answer.status, 200, "{way:?}");
        match way {
            Way::Text => assert!(answer.cut),
            Way::Ui | Way::OpenAi => {
                assert!(!answer.cut);
                let chunks = Chunks::read(&answer.text());
                assert!(!chunks.is_whole() && chunks.error().is_some(), "{way:?}: {}", answer.text());
            }
        }
    }
    for way in Way::ALL {
        let labels = [("stream", way.label()), ("reason", "error")];
        assert_eq!(app.metric("redraft_stream_terminations_total", &labels).await, 1.0, "{way:?}");
    }
}

#[tokio::test]
async fn a_shutdown_in_mid_stream_is_told() {
    let app = TestApp::with(&[("SHUTDOWN__DRAIN_MS", "50"), ("SHUTDOWN__DELAY_MS", "0")]).await;
    app.sim.set_scenario("*", Scenario::Stall { after_deltas: 2, for_ms: None });
    let mut streams = Vec::new();
    for way in Way::ALL {
        let mut stream = way.request(&app, TEXT, &json!({})).open().await;
        let begun = stream.chunk().await.unwrap().unwrap();
        streams.push((way, stream, String::from_utf8(begun.to_vec()).unwrap()));
    }
    app.shutdown.cancel();
    for (way, stream, begun) in streams {
        let rest = stream.finish().await;
        if way == Way::Text {
            assert!(rest.cut);
            continue;
        }
        let chunks = Chunks::read(&(begun + &rest.text()));
        assert!(!chunks.is_whole(), "{way:?}");
        assert!(chunks.error().unwrap().starts_with("shutting_down"), "{way:?}");
    }
}

#[tokio::test]
async fn a_silent_stream_says_hb_with_one_line_feed() {
    let app = TestApp::with(&[("HTTP__HEARTBEAT_MS", "20")]).await;
    app.sim.set_scenario("*", Scenario::Trickle { gap_ms: 70 });
    for way in [Way::Ui, Way::OpenAi] {
        let answer = way.request(&app, TEXT, &json!({})).send().await;
        // Reading checks that nothing but heartbeats stands between the frames.
        let chunks = Chunks::read(&answer.text());
        assert!(chunks.is_whole() && chunks.heartbeats > 0, "{way:?}: {}", answer.text());
    }
}

/// Words and signs that could break a frame.
fn arbitrary_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        6 => "[a-zA-Zäöüß€日本]{1,9}[.!?,]?",
        1 => Just("\n\n".to_owned()),
        1 => Just("data: [DONE]".to_owned()),
        1 => Just("\u{2028}\u{1F600}\"\\".to_owned()),
    ];
    prop::collection::vec(word, 1..40).prop_map(|words| words.join(" "))
}

#[tokio::test]
async fn the_pieces_of_every_dialect_are_the_answer_to_the_character() {
    let app = TestApp::start().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..24 {
        let text = arbitrary_text().new_tree(&mut runner).unwrap().current();
        let whole = app.post("/v1/rephrase", json!({ "text": text })).send().await;
        assert_eq!(whole.status, 200, "{text:?}: {}", whole.text());
        let whole = whole.json()["text"].as_str().unwrap().to_owned();
        for way in Way::ALL {
            let answer = way.request(&app, &text, &json!({})).send().await;
            assert!(!answer.cut && answer.status == 200, "{way:?} {text:?}");
            assert_eq!(way.text(&answer.text()), whole, "{way:?} {text:?}");
        }
    }
}
