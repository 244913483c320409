//! What the service tells about itself, and what it has for pages.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Request, TestApp};

/// Every task, in the order in which they are listed.
const TASKS: [&str; 9] = [
    "summarize",
    "rephrase",
    "expand",
    "blog-post",
    "product-description",
    "social-posts",
    "refine",
    "extract-action-items",
    "translate",
];

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

/// Models, a chain and a task with everything that can be told of them.
const TOLD: &str = r#"
[[model]]
id = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
name = "Ours"
base_model = "amazon.nova-pro-v1:0"
regions = ["us-east-1", "us-west-2"]
context_tokens = 300000
max_output_tokens = 10000
min_output_tokens = 16
accepts_temperature = false
structured_output = "tool"
cache_min_tokens = 1024
input_tokens_include_cached = true
service_tiers = { flex = 0.5, priority = 1.75 }
service_tier = "flex"
optimized_latency_price_factor = 1.25
latency = "optimized"
token_ratio = 1.5
usd_per_million_input = 1
usd_per_million_output = 2
end_of_life = 2099-12-31

[[model]]
id = "mistral.mistral-7b-instruct-v0:2"
name = "Old"
context_tokens = 32000
max_output_tokens = 4096
accepts_temperature = true
api = "invoke"
streams = false

[guardrails.house]
id = "gr1a2b3c4d5e"
version = "3"

[chains.main]
stages = ["arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"]
guardrail = "house"

[tasks]
summarize = { chain = "main", guardrail = "house" }
rephrase = "main"
expand = "main"

[preference]
speed = "main"
capability = "main"
"#;

#[tokio::test]
async fn everything_that_is_known_of_a_model_is_told_and_no_account() {
    let file = std::env::temp_dir().join(format!("redraft-meta-{}.toml", std::process::id()));
    fs::write(&file, TOLD).unwrap();
    let app = TestApp::with(&[("MODELS__FILE", file.to_str().unwrap())]).await;
    fs::remove_file(&file).unwrap();
    let text = app.get("/v1/models").send().await.text();
    for secret in ["123456789012", "gr1a2b3c4d5e"] {
        assert!(!text.contains(secret), "{text}");
    }
    let body: Value = serde_json::from_str(&text).unwrap();
    let ours = "application-inference-profile/a1b2c3d4e5f6";
    assert_eq!(
        body["models"],
        json!([
            {
                "id": ours,
                "name": "Ours",
                "family": "nova",
                "base_model": "amazon.nova-pro-v1:0",
                "regions": ["us-east-1", "us-west-2"],
                "context_tokens": 300_000,
                "max_output_tokens": 10_000,
                "min_output_tokens": 16,
                "token_ratio": 1.5,
                "api": "converse",
                "native_format": null,
                "accepts_temperature": false,
                "accepts_system": true,
                "accepts_guardrail": true,
                "streams": true,
                "structured_output": "tool",
                "cache_min_tokens": 1024,
                "input_tokens_include_cached": true,
                "service_tier": "flex",
                "service_tiers": [
                    { "tier": "flex", "price_factor": 0.5 },
                    { "tier": "priority", "price_factor": 1.75 },
                ],
                "latency": "optimized",
                "optimized_latency_price_factor": 1.25,
                "usd_per_million_tokens": { "input": 1.0, "output": 2.0, "cache_read": null, "cache_write": null },
                "end_of_life": "2099-12-31",
            },
            {
                "id": "mistral.mistral-7b-instruct-v0:2",
                "name": "Old",
                "family": "mistral",
                "base_model": "mistral.mistral-7b-instruct-v0:2",
                "regions": [],
                "context_tokens": 32_000,
                "max_output_tokens": 4_096,
                "min_output_tokens": 1,
                "token_ratio": 1.0,
                "api": "invoke",
                "native_format": "mistral",
                "accepts_temperature": true,
                "accepts_system": false,
                "accepts_guardrail": true,
                "streams": false,
                "structured_output": null,
                "cache_min_tokens": null,
                "input_tokens_include_cached": false,
                "service_tier": "default",
                "service_tiers": [],
                "latency": "standard",
                "optimized_latency_price_factor": null,
                "usd_per_million_tokens": null,
                "end_of_life": null,
            },
        ])
    );
    assert_eq!(
        body["chains"],
        json!([{
            "name": "main",
            "models": [ours],
            "stages": [[{ "model": ours, "weight": 1 }]],
            "guardrail": "house",
            "default_for": ["summarize", "rephrase", "expand", "blog-post", "product-description", "social-posts", "refine", "extract-action-items", "translate"],
        }])
    );
    let task = |task, guardrail| json!({ "task": task, "chain": "main", "guardrail": guardrail });
    let house = Value::from("house");
    let tasks = TASKS.map(|name| task(name, if name == "summarize" { house.clone() } else { Value::Null }));
    assert_eq!(body["tasks"], json!(tasks));
}

#[tokio::test]
async fn capabilities_list_every_task_with_its_options_and_limits() {
    let app = TestApp::start().await;
    let body = app.get("/v1/capabilities").send().await.json();
    let tasks = body["tasks"].as_array().unwrap();
    let names: Vec<&str> = tasks.iter().map(|task| task["task"].as_str().unwrap()).collect();
    assert_eq!(names, TASKS);
    for task in tasks {
        assert_eq!(task["availability"], "available");
        assert!(task["input_quota_tokens"].as_u64().unwrap() > 1000, "{task}");
        let (options, own) = (task["options"].as_object().unwrap(), &task["input_schema"]);
        assert!(options.contains_key("output_language") || own.is_object(), "{task}");
        assert!(options.contains_key("preference"), "{task}");
    }
    assert_eq!(body["representations"], json!(["json", "sse", "ndjson", "text", "ui"]));
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

#[tokio::test]
async fn modules_for_pages_are_served_whole_and_asked_for_by_their_tag() {
    let app = TestApp::start().await;
    for (path, file) in [("/client.js", "client.js"), ("/polyfill.js?force", "polyfill.js")] {
        let answer = app.get(path).send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "no-cache");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/clients").join(file);
        assert_eq!(answer.text(), fs::read_to_string(source).unwrap());
        let tag = answer.header("etag");
        let known = app.get(path).header("if-none-match", &format!("\"other\", {tag}")).send().await;
        assert_eq!((known.status.as_u16(), known.header("etag"), known.text().as_str()), (304, tag, ""));
        let other = app.get(path).header("if-none-match", "\"other\"").send().await;
        assert_eq!(other.status, 200);
    }
}

#[tokio::test]
async fn a_module_is_for_pages_of_other_origins_only_where_they_may_call() {
    const ORIGIN: &str = "https://app.example.com";
    let closed = TestApp::start().await;
    let open = TestApp::with(&[("HTTP__ALLOWED_ORIGINS", ORIGIN)]).await;
    for path in ["/client.js", "/polyfill.js"] {
        let answer = closed.get(path).header("origin", ORIGIN).send().await;
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{path}");
        let answer = open.get(path).header("origin", ORIGIN).send().await;
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN, "{path}");
    }
}
