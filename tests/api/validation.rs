//! What is wrong with a request, said all at once and in the caller's terms.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Request, TestApp};

/// What holds for every problem, whatever its code.
pub fn assert_problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let body = answer.json();
    assert_eq!(body["code"], code);
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], format!("/problems/{code}"));
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    assert_eq!(answer.header("x-should-retry"), body["retryable"].to_string());
    for member in ["title", "detail", "instance"] {
        assert!(!body[member].as_str().unwrap().is_empty(), "{member}: {body}");
    }
    assert_eq!(body["error"]["message"], body["detail"]);
    assert_eq!(body["error"]["code"], code);
    body
}

/// The members that a problem names, in order.
pub fn pointers(body: &Value) -> Vec<&str> {
    body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_problem_of_a_body_is_reported_at_once() {
    let app = TestApp::start().await;
    let body = json!({
        "text": "  ", "lenght": "short", "type": "tl;dr", "paragraphs": 11, "stream": "morse",
        "chain": 5, "include": ["everything"], "on_failover": "pray", "preference": "cheap"
    });
    let answer = app.post("/v1/summarize", body).send().await;
    let body = assert_problem(&answer, 422, "validation_failed");
    let mut found = pointers(&body);
    found.sort_unstable();
    for expected in [
        "/chain",
        "/include/0",
        "/lenght",
        "/on_failover",
        "/paragraphs",
        "/preference",
        "/stream",
        "/text",
        "/type",
    ] {
        assert!(found.contains(&expected), "{expected} in {found:?}");
    }
    let detail = |pointer: &str| {
        let errors = body["errors"].as_array().unwrap();
        let error = errors.iter().find(|error| error["pointer"] == pointer).unwrap();
        error["detail"].as_str().unwrap().to_owned()
    };
    assert!(detail("/lenght").contains("length"), "the nearest name: {}", detail("/lenght"));
    for allowed in ["key-points", "tldr", "teaser", "headline"] {
        assert!(detail("/type").contains(allowed), "{}", detail("/type"));
    }
    assert_eq!(app.sim.calls().len(), 0, "nothing was called");
}

#[tokio::test]
async fn single_mistakes_have_their_pointer() {
    let app = TestApp::start().await;
    let cases = [
        ("/v1/summarize", json!({}), "/text"),
        ("/v1/summarize", json!({"text": ""}), "/text"),
        ("/v1/summarize", json!({"text": "\u{3000}\n\t"}), "/text"),
        ("/v1/summarize", json!({"text": 5}), "/text"),
        ("/v1/summarize", json!({"text": "a", "paragraphs": 0}), "/paragraphs"),
        ("/v1/summarize", json!({"text": "a", "paragraphs": 1.5}), "/paragraphs"),
        ("/v1/summarize", json!({"text": "a", "output_language": "not a tag!"}), "/output_language"),
        ("/v1/rephrase", json!({"text": "a", "tone": "angry"}), "/tone"),
        ("/v1/rephrase", json!({"text": "a", "style": ""}), "/style"),
        ("/v1/rephrase", json!({"text": "a", "bullets": ["b"]}), "/bullets"),
        ("/v1/expand", json!({"bullets": []}), "/bullets"),
        ("/v1/expand", json!({"bullets": [" ", ""]}), "/bullets"),
        ("/v1/expand", json!({"bullets": ["a", 5]}), "/bullets/1"),
    ];
    for (path, body, pointer) in cases {
        let answer = app.post(path, body.clone()).send().await;
        let problem = assert_problem(&answer, 422, "validation_failed");
        assert_eq!(pointers(&problem), [pointer], "{path} {body}");
    }
    let both = app.post("/v1/expand", json!({"text": "a", "bullets": ["b"]})).send().await;
    assert_problem(&both, 422, "validation_failed");
    let twice = app.post("/v1/summarize", json!({"text": "a", "input": "b"})).send().await;
    assert_problem(&twice, 422, "validation_failed");
    let chain = app.post("/v1/summarize", json!({"text": "a", "chain": "nope"})).send().await;
    let problem = assert_problem(&chain, 422, "validation_failed");
    assert_eq!(pointers(&problem), ["/chain"]);
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("default"), "the known ones are named");
    assert_eq!(app.sim.calls().len(), 0);
}

#[tokio::test]
async fn a_member_that_stands_twice_is_a_problem_and_not_a_choice() {
    let app = TestApp::start().await;
    let request = Request::post(app.api, "/v1/summarize").header("content-type", "application/json");
    let answer = request.body(r#"{"text": "a b.", "length": "short", "length": "long"}"#).send().await;
    assert_eq!(pointers(&assert_problem(&answer, 422, "validation_failed")), ["/length"]);
}

#[tokio::test]
async fn a_mark_of_the_encoding_before_the_body_is_passed_over_and_a_compressed_body_refused() {
    let app = TestApp::start().await;
    let post = || Request::post(app.api, "/v1/summarize").header("content-type", "application/json");
    let marked = post().body("\u{feff}{\"text\": \"a b.\"}").send().await;
    assert_eq!(marked.status, 200, "{}", marked.text());
    let packed = post().header("content-encoding", "gzip").body("{\"text\": \"a b.\"}").send().await;
    assert_problem(&packed, 415, "unsupported_media_type");
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused_without_repeating_it() {
    let app = TestApp::start().await;
    let bodies: [&[u8]; 8] = [
        b"",
        b"   ",
        b"{\"text\": \"secret-marker",
        b"{\"text\": secret-marker}",
        b"{\"text\": \"\xff\xfe\"}",
        b"{\"text\": \"\\ud800\"}",
        b"{} trailing",
        &[b'['; 10_000],
    ];
    for body in bodies {
        let request = Request::post(app.api, "/v1/summarize").header("content-type", "application/json");
        let answer = request.body(body.to_vec()).send().await;
        assert_problem(&answer, 400, "malformed_body");
        assert!(!answer.text().contains("secret-marker"));
    }
    for body in ["[]", "\"text\"", "5", "null"] {
        let request = Request::post(app.api, "/v1/summarize").header("content-type", "application/json");
        let problem = assert_problem(&request.body(body).send().await, 422, "validation_failed");
        assert_eq!(pointers(&problem), [""]);
    }
}

#[tokio::test]
async fn a_media_type_that_is_not_read_is_415_and_says_what_to_send() {
    let app = TestApp::start().await;
    for media_type in ["image/png", "application/x-www-form-urlencoded", "application/jsonp", "nonsense"] {
        let request = Request::post(app.api, "/v1/expand").header("content-type", media_type);
        let answer = request.body("{\"text\":\"a\"}").send().await;
        assert_problem(&answer, 415, "unsupported_media_type");
        let listed: Vec<&str> = answer.header("accept-post").split(", ").collect();
        for read in ["application/json", "multipart/form-data", "text/plain", "application/pdf"] {
            assert!(listed.contains(&read), "{read} is not in {listed:?}");
        }
        let compatible = Request::post(app.api, "/api/expand").header("content-type", media_type);
        let compatible = compatible.body("{\"bullets\":\"a\"}").send().await;
        assert_eq!((compatible.status.as_u16(), compatible.header("accept-post")), (415, "application/json"));
    }
    let none = Request::post(app.api, "/v1/expand").body("{\"text\":\"a\"}").send().await;
    assert_problem(&none, 415, "unsupported_media_type");
    for media_type in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.example+json"]
    {
        let request = Request::post(app.api, "/v1/expand").header("content-type", media_type);
        assert_eq!(request.body("{\"text\":\"a\"}").send().await.status, 200, "{media_type}");
    }
}

#[tokio::test]
async fn wrong_methods_and_paths_are_problems_too() {
    let app = TestApp::start().await;
    for path in ["/v1/summarize", "/v1/rephrase", "/v1/expand", "/api/summarize"] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = Request::new(app.api, method, path).send().await;
            assert_problem(&answer, 405, "method_not_allowed");
            assert_eq!(answer.header("allow"), "POST");
        }
    }
    let answer = Request::post(app.api, "/v1/models").send().await;
    assert_problem(&answer, 405, "method_not_allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    for path in ["/", "/v1", "/v1/summarise", "/v1/summarize/", "/%00", "/v1/summarize/x"] {
        assert_problem(&app.get(path).send().await, 404, "not_found");
    }
    for path in ["/nowhere", "/v1/summarize"] {
        let answer = Request::get(app.ops, path).send().await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (404, Some("not_found")));
    }
}

#[tokio::test]
async fn too_many_bytes_and_too_many_tokens_are_told_apart() {
    let app = TestApp::with(&[("HTTP__MAX_BODY_BYTES", "20000"), ("LIMITS__MAX_INPUT_TOKENS", "1000")]).await;
    let bytes = app.post("/v1/summarize", json!({"text": "word ".repeat(5000)})).send().await;
    let problem = assert_problem(&bytes, 413, "payload_too_large");
    assert_eq!(problem["limit_bytes"], 20000);
    assert_eq!(bytes.header("connection"), "close");
    let tokens = app.post("/v1/summarize", json!({"text": "word ".repeat(3000)})).send().await;
    let problem = assert_problem(&tokens, 413, "input_too_large");
    assert_eq!(problem["quota"], 1000);
    assert!(problem["requested"].as_u64().unwrap() > 1000);
    for path in ["/v1/rephrase", "/v1/expand"] {
        let answer = app.post(path, json!({"text": "word ".repeat(3000)})).send().await;
        assert_eq!(assert_problem(&answer, 413, "input_too_large")["quota"], 1000, "{path}");
    }
    assert_eq!(app.sim.calls().len(), 0);
}

#[tokio::test]
async fn what_capabilities_promise_is_what_a_request_may_have() {
    let app = TestApp::with(&[("DOCUMENTS__MAX_CHUNKS", "4"), ("HTTP__MAX_BODY_BYTES", "100000000")]).await;
    let capabilities = app.get("/v1/capabilities").send().await.json();
    for task in capabilities["tasks"].as_array().unwrap() {
        let promised = task["input_quota_tokens"].as_u64().unwrap();
        assert!(promised > 9_000, "{task}");
        // A brief has limits of its own that are shorter.
        if ["blog-post", "product-description"].contains(&task["task"].as_str().unwrap()) {
            continue;
        }
        let words = usize::try_from(promised * 12 / 10).unwrap();
        let text = "word ".repeat(words);
        let mut body = match task["task"].as_str() {
            Some("refine") => {
                json!({"task": "expand", "input": text, "result": "word", "instruction": "more"})
            }
            _ => json!({ "text": text }),
        };
        if task["task"] == "social-posts" {
            body["platforms"] = json!(["x"]);
        }
        // The language of the sample that the promise is made for: others take more tokens, or fewer.
        if task["task"] == "translate" {
            body["target_language"] = "de".into();
        }
        let answer = app.post(task["path"].as_str().unwrap(), body).send().await;
        let quota = assert_problem(&answer, 413, "input_too_large")["quota"].as_u64().unwrap();
        assert!(quota >= promised - promised / 20, "{task}: {quota}");
    }
}

#[tokio::test]
async fn accept_and_query_are_checked_before_any_model_is_called() {
    let app = TestApp::start().await;
    let picture = app.post("/v1/summarize", json!({"text": "a"})).header("accept", "image/png").send().await;
    assert_problem(&picture, 406, "not_acceptable");
    let morse = app.post("/v1/summarize?stream=morse", json!({"text": "a"})).send().await;
    assert_problem(&morse, 422, "validation_failed");
    let unknown = app.post("/v1/summarize?steam=true", json!({"text": "a"})).send().await;
    assert_problem(&unknown, 422, "validation_failed");
    for value in ["soon", "-1", "1.5", "", "0"] {
        let request = app.post("/v1/summarize", json!({"text": "a"})).header("x-request-timeout-ms", value);
        assert_problem(&request.send().await, 400, "malformed_body");
    }
    assert_eq!(app.sim.calls().len(), 0);
}

#[tokio::test]
async fn the_page_behind_a_problem_type_exists() {
    let app = TestApp::start().await;
    let problem = app.get("/nowhere").send().await.json();
    let page = app.get(problem["type"].as_str().unwrap()).send().await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("not_found"));
    assert_problem(&app.get("/problems/unheard_of").send().await, 404, "not_found");
}
