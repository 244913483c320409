//! The older interface: small bodies in and out, the same statuses.

use bedrock_sim::ApiError;
use serde_json::{Value, json};

use crate::support::{Request, TestApp};

const TEXT: &str = "The pool opens at six. It closes at ten. A ticket costs 4 euros. Children swim for free.";

#[tokio::test]
async fn each_path_answers_in_its_own_words() {
    let app = TestApp::start().await;
    let cases = [
        ("/api/summarize", json!({"text": TEXT, "max_length": 1}), "summary"),
        ("/api/rephrase", json!({"text": TEXT, "style": "professional"}), "rephrased_text"),
        ("/api/expand", json!({"bullets": "- opens at six\n- free for children"}), "expanded_text"),
        ("/api/expand", json!({"bullets": ["opens at six", "free for children"]}), "expanded_text"),
    ];
    for (path, body, member) in cases {
        let answer = app.post(path, body).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let json = answer.json();
        assert_eq!(json.as_object().unwrap().len(), 2, "{json}");
        assert!(!json[member].as_str().unwrap().is_empty());
        let latency = json["latency"].as_f64().unwrap();
        assert!(latency > 0.0 && latency < 60.0, "seconds: {latency}");
        assert!(answer.header("link").contains("/v1/"));
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn max_length_counts_paragraphs_and_is_two_when_absent() {
    let app = TestApp::start().await;
    app.post("/api/summarize", json!({"text": TEXT})).send().await;
    app.post("/v1/summarize", json!({"text": TEXT, "paragraphs": 2})).send().await;
    app.post("/api/summarize", json!({"text": TEXT, "max_length": 5})).send().await;
    app.post("/v1/summarize", json!({"text": TEXT, "paragraphs": 5})).send().await;
    let calls = app.sim.calls();
    let system = |index: usize| {
        let text = calls[index].request()["system"][0]["text"].as_str().unwrap().to_owned();
        without_boundary(&text)
    };
    assert_eq!(system(0), system(1));
    assert_eq!(system(2), system(3));
    assert_ne!(system(0), system(2));
}

/// The rules with the random boundary taken out.
fn without_boundary(text: &str) -> String {
    let at = text.find("<document-").unwrap() + "<document-".len();
    let boundary = &text[at..at + text[at..].find('>').unwrap()];
    text.replace(boundary, "")
}

#[tokio::test]
async fn errors_are_one_friendly_sentence_with_the_status_of_v1() {
    let app = TestApp::with(&[("LIMITS__MAX_INPUT_TOKENS", "1000")]).await;
    let friendly = |body: Value| {
        let object = body.as_object().unwrap().clone();
        assert_eq!(object.len(), 1, "{body}");
        object["error"].as_str().unwrap().to_owned()
    };
    let cases = [
        ("/api/summarize", json!({"text": " "}), 422),
        ("/api/summarize", json!({"text": TEXT, "max_length": 0}), 422),
        ("/api/rephrase", json!({"text": TEXT, "style": "rude"}), 422),
        ("/api/expand", json!({}), 422),
        ("/api/summarize", json!({"text": "word ".repeat(3000)}), 413),
    ];
    for (path, body, status) in cases {
        let answer = app.post(path, body).send().await;
        assert_eq!(answer.status, status, "{path}");
        let sentence = friendly(answer.json());
        assert!(sentence.ends_with('.') && sentence.len() > 20, "{sentence}");
    }
    let bad = app.post("/api/summarize", json!({"text": TEXT, "max_length": 99})).send().await;
    assert!(friendly(bad.json()).contains("max_length"), "in the caller's own words");
    let media =
        Request::post(app.api, "/api/expand").header("content-type", "text/plain").body("x").send().await;
    assert_eq!(media.status, 415);
    friendly(media.json());
    app.fail("*", ApiError::Throttling);
    let busy = app.post("/api/summarize", json!({"text": TEXT})).send().await;
    assert_eq!(busy.status, 503);
    assert!(!busy.header("retry-after").is_empty());
    friendly(busy.json());
}

#[tokio::test]
async fn they_are_counted_as_what_they_are() {
    let app = TestApp::start().await;
    app.post("/api/expand", json!({"bullets": "one\ntwo"})).send().await;
    let labels =
        [("task", "expand"), ("stream", "json"), ("outcome", "ok"), ("error", ""), ("api", "compat")];
    assert_eq!(app.metric("redraft_requests_total", &labels).await, 1.0);
}
