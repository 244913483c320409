//! What the service tells about itself.

use serde_json::{Value, json};

use crate::support::{Request, TestApp};

#[tokio::test]
async fn probes_answer_on_both_ports() {
    let app = TestApp::start().await;
    for address in [app.api, app.ops] {
        for (path, text) in [("/livez", "ok"), ("/readyz", "ready"), ("/healthz", "ready")] {
            let answer = Request::get(address, path).send().await;
            assert_eq!(answer.status, 200);
            assert!(answer.text().trim_end().ends_with(text), "{path}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_catalogue_names_models_chains_and_prices() {
    let app = TestApp::start().await;
    let body = app.get("/v1/models").send().await.json();
    let models = body["models"].as_array().unwrap();
    let ids: Vec<&Value> = models.iter().map(|model| &model["id"]).collect();
    for model in models {
        assert!(model["context_tokens"].as_u64().unwrap() > model["max_output_tokens"].as_u64().unwrap() / 2);
    }
    for chain in body["chains"].as_array().unwrap() {
        for model in chain["models"].as_array().unwrap() {
            assert!(ids.contains(&model), "{model}");
        }
    }
    let default = app.default_chain().await;
    assert!(default.len >= 2 && default.first != default.second);
}

#[tokio::test]
async fn capabilities_list_every_task_with_its_options_and_limits() {
    let app = TestApp::start().await;
    let body = app.get("/v1/capabilities").send().await.json();
    let tasks = body["tasks"].as_array().unwrap();
    let names: Vec<&str> = tasks.iter().map(|task| task["task"].as_str().unwrap()).collect();
    assert_eq!(names, ["summarize", "rephrase", "expand"]);
    for task in tasks {
        assert_eq!(task["availability"], "available");
        assert!(task["input_quota_tokens"].as_u64().unwrap() > 1000, "{task}");
        assert!(task["options"].as_object().unwrap().contains_key("length"), "{task}");
    }
    assert_eq!(body["representations"], json!(["json", "sse", "ndjson", "text"]));
}

#[tokio::test]
async fn version_and_contract_are_served() {
    let app = TestApp::start().await;
    let version = app.get("/version").send().await.json();
    assert_eq!(
        (&version["name"], &version["version"]),
        (&json!("redraft"), &json!(env!("CARGO_PKG_VERSION")))
    );
    let contract = app.get("/openapi.json").send().await;
    assert_eq!(contract.header("content-type"), "application/json");
    assert!(contract.json()["paths"]["/v1/summarize"]["post"].is_object());
}

#[tokio::test]
async fn a_request_id_is_taken_over_when_it_is_harmless_and_made_when_not() {
    let app = TestApp::start().await;
    let echoed = app.get("/livez").header("x-request-id", "abc-1.2_Z").send().await;
    assert_eq!(echoed.header("x-request-id"), "abc-1.2_Z");
    for bad in ["a b", "<script>", &"x".repeat(129)] {
        let answer = app.get("/livez").header("x-request-id", bad).send().await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{bad}");
    }
    let task = app.post("/v1/summarize", json!({"text": "a b."})).header("x-request-id", "mine").send().await;
    assert_eq!(task.header("x-request-id"), "mine");
    let timing = task.header("server-timing");
    for part in ["queue;dur=", "upstream;dur=", "overhead;dur=", "model;desc="] {
        assert!(timing.contains(part), "{timing}");
    }
}
