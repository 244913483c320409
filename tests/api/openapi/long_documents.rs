//! Documents of any length against the contract: files, forms, parts, and what is too large.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schema::resolve;
use super::{assert_described, document, members, operations};
use crate::support::{Answer, Request, TestApp};

/// The media types that a task's body may have.
const FILES: [&str; 5] = [
    "text/plain",
    "text/markdown",
    "text/html",
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
];

#[tokio::test]
async fn files_are_read_and_answered_as_described() {
    let app = TestApp::start().await;
    let document = document();
    for (path, query) in [
        ("/v1/summarize", "?type=tldr&max_words=80&include=text,partials&expected_input_languages=en,de"),
        ("/v1/rephrase", "?tone=more-formal&on_chunk_error=skip&stream=sse"),
        ("/v1/expand", "?length=medium&on_failover=restart"),
        ("/v1/measure", "?task=summarize&strategy=map-reduce"),
    ] {
        let (_, _, operation) = operations(&document).into_iter().find(|(known, ..)| known == path).unwrap();
        let bodies = &operation["requestBody"]["content"];
        for media_type in FILES {
            assert!(bodies[media_type].is_object(), "{path} says nothing of {media_type}");
            let Some(text) = bodies[media_type].pointer("/examples/usual/value") else { continue };
            let request =
                Request::post(app.api, &format!("{path}{query}")).header("content-type", media_type);
            let answer = request.body(text.as_str().unwrap().to_owned()).send().await;
            assert_eq!(answer.status, 200, "{path}{query} {media_type}: {}", answer.text());
            assert_described(&document, &operation, &answer);
        }
        let form = &bodies["multipart/form-data"]["examples"]["file-and-option"]["value"];
        let answer = post_form(&app, path, form.as_object().unwrap()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_described(&document, &operation, &answer);
    }
    assert!(app.stop().await);
}

/// Every option that a file can come with is taken from a query, and no other is described.
#[tokio::test]
async fn options_beside_a_file_are_those_of_a_body() {
    let app = TestApp::start().await;
    let document = document();
    for path in ["/v1/summarize", "/v1/rephrase", "/v1/expand"] {
        let (_, _, operation) = operations(&document).into_iter().find(|(known, ..)| known == path).unwrap();
        let parameters = operation["parameters"].as_array().unwrap();
        let options = parameters.iter().find(|parameter| parameter["name"] == "options").unwrap();
        let described = resolve(&document, &options["schema"])["properties"].as_object().unwrap();
        let of_the_body: BTreeSet<String> = members(&document, path)
            .keys()
            .filter(|name| !["text", "prompt", "input", "bullets", "stream"].contains(&name.as_str()))
            .cloned()
            .collect();
        assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), of_the_body, "{path}");
        for (name, schema) in described {
            let Some(words) = schema["enum"].as_array() else { continue };
            for word in words.iter().map(|word| word.as_str().unwrap()) {
                let request = Request::post(app.api, &format!("{path}?{name}={word}"));
                let answer = request.header("content-type", "text/plain").body("A text.").send().await;
                assert_eq!(answer.status, 200, "{path} {name} {word}: {}", answer.text());
            }
        }
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn parts_are_told_as_described() {
    let app =
        TestApp::with(&[("DOCUMENTS__TARGET_CHUNK_TOKENS", "64"), ("DOCUMENTS__TARGET_ANSWER_TOKENS", "64")])
            .await;
    let document = document();
    let text = "The library opened on Monday and holds forty thousand books.\n\n".repeat(30);
    for (path, strategy, told) in [
        ("/v1/summarize", Some("map-reduce"), "map_reduce"),
        ("/v1/summarize", Some("refine"), "refine"),
        ("/v1/rephrase", None, "map_concat"),
    ] {
        let (_, _, operation) = operations(&document).into_iter().find(|(known, ..)| known == path).unwrap();
        for stream in ["json", "sse", "ndjson", "text"] {
            let mut body = json!({"text": text, "stream": stream, "include": ["partials"]});
            if let Some(strategy) = strategy {
                body["strategy"] = strategy.into();
            }
            let answer = app.post(path, body).send().await;
            assert_eq!(answer.status, 200, "{path} {told}: {}", answer.text());
            if stream != "text" {
                assert!(answer.text().contains(&format!("\"strategy\":\"{told}\"")), "{}", answer.text());
            }
            assert_described(&document, &operation, &answer);
        }
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn every_way_to_be_too_large_is_answered_as_described() {
    let document = document();
    let (_, _, operation) =
        operations(&document).into_iter().find(|(path, ..)| path == "/v1/summarize").unwrap();
    let text = "The library opened on Monday and holds forty thousand books.\n\n".repeat(60);
    let small_parts = ("DOCUMENTS__TARGET_CHUNK_TOKENS", "64");
    for (setting, figure) in [
        (("LIMITS__MAX_INPUT_TOKENS", "50"), "quota"),
        (("DOCUMENTS__MAX_CHUNKS", "2"), "max_chunks"),
        (("DOCUMENTS__MAX_COST_USD", "0.000001"), "max_cost_usd"),
    ] {
        let app = TestApp::with(&[small_parts, setting]).await;
        let body = json!({"text": text, "strategy": "map-reduce"});
        let answer = app.post("/v1/summarize", body).send().await;
        assert_eq!(answer.status, 413, "{figure}: {}", answer.text());
        assert!(answer.json()[figure].is_number(), "{figure}: {}", answer.text());
        assert_described(&document, &operation, &answer);
        assert!(app.stop().await);
    }
}

/// Sends a form in which every member is a field; the file is plain text.
async fn post_form(app: &TestApp, path: &str, form: &Map<String, Value>) -> Answer {
    let mut body = String::new();
    for (name, value) in form {
        let file = if name == "file" { "; filename=\"text.txt\"\r\nContent-Type: text/plain" } else { "" };
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        body +=
            &format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n");
    }
    let request = Request::post(app.api, path).header("content-type", "multipart/form-data; boundary=edge");
    request.body(body + "--edge--\r\n").send().await
}
