//! The OpenAPI document against the service.
//!
//! What the document says is compared with what the service does: paths with
//! routes, words with the reader, examples with answers, answers with their
//! schemas. Set `UPDATE_GOLDEN=1` to rewrite `openapi.yaml`.

mod guide;
mod long_documents;
mod readers;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use redraft::domain::{CallFailure, FailureCode, Metered};
use redraft::http::describe_problem;
use redraft::inference::scripted::{Step, Turn};
use redraft::inference::{BackendError, ModelEvent, StopReason};
use serde_json::{Map, Value, json};

use crate::dialects::Chunks;
use crate::support::{Answer, Request, ScriptedApp, TestApp};
use schema::{assert_fits, resolve};

#[test]
fn the_file_is_what_the_service_says() {
    let path = root().join("openapi.yaml");
    let yaml = redraft::http::openapi::yaml(&redraft::config::built_in_tasks());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &yaml).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == yaml, "openapi.yaml is out of date; UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    each(&document, &mut |value| {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
            used.insert(reference.to_owned());
        }
    });
    for (family, components) in document["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys() {
            assert!(used.contains(&format!("#/components/{family}/{name}")), "{family} {name} is not used");
        }
    }
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let source = fs::read_to_string(root().join("src/http.rs")).unwrap();
    let routes: BTreeSet<(String, String)> = source
        .split(".route(\"")
        .skip(1)
        .map(|route| {
            let (path, rest) = route.split_once('"').unwrap();
            let method = rest.trim_start_matches([',', ' ', '\n']).split('(').next().unwrap();
            (path.to_owned(), method.to_owned())
        })
        .collect();
    assert!(routes.len() > 10, "the routes were not found");
    let described: BTreeSet<(String, String)> =
        operations(&document()).into_iter().map(|(path, method, _)| (of_route(&path), method)).collect();
    assert_eq!(described, routes);
}

/// Tasks from files have one route, and each a path of its own in the document.
fn of_route(path: &str) -> String {
    if path.starts_with("/v1/tasks/") { "/v1/tasks/{name}".to_owned() } else { path.to_owned() }
}

#[tokio::test]
async fn examples_are_accepted_and_answered_as_described() {
    let app = TestApp::start().await;
    let document = document();
    for (path, method, operation) in operations(&document) {
        if path == "/metrics" || method == "get" {
            let path = path.replace("{code}", "internal");
            let address = if path == "/metrics" { app.ops } else { app.api };
            let answer = Request::get(address, &path).send().await;
            assert_eq!(answer.status, 200, "{path}");
            assert_described(&document, &operation, &answer);
            continue;
        }
        let examples =
            operation["requestBody"]["content"]["application/json"]["examples"].as_object().unwrap();
        for (name, example) in examples {
            let queries: &[&str] = if path.starts_with("/v1/") && path != "/v1/chat/completions" {
                &["", "?stream=json", "?stream=sse", "?stream=ndjson", "?stream=text", "?stream=ui"]
            } else {
                &[""]
            };
            for query in queries {
                let answer = app.post(&format!("{path}{query}"), example["value"].clone()).send().await;
                let is_several = example["value"]["n"].as_u64().is_some_and(|n| n > 1);
                let expected = if is_several && *query == "?stream=text" { 422 } else { 200 };
                assert_eq!(answer.status, expected, "{path}{query} {name}: {}", answer.text());
                assert_described(&document, &operation, &answer);
            }
        }
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn refusals_are_answered_as_described() {
    let app = TestApp::with(&[("HTTP__MAX_BODY_BYTES", "2000"), ("LIMITS__MAX_INPUT_TOKENS", "50")]).await;
    let document = document();
    for path in ["/v1/expand", "/api/expand", "/v1/chat/completions"] {
        let (_, _, operation) = operations(&document).into_iter().find(|(known, ..)| known == path).unwrap();
        let json = |body: &str| {
            Request::post(app.api, path).header("content-type", "application/json").body(body.to_owned())
        };
        let chat = path == "/v1/chat/completions";
        let long = |chars: usize| {
            let text = "word ".repeat(chars / 5);
            let messages = json!([{"role": "user", "content": text}]);
            let chatted = json!({"model": "redraft/expand", "messages": messages, "stream": true});
            if chat { chatted } else { json!({ "text": text }) }.to_string()
        };
        let mut cases = vec![
            (json("{"), FailureCode::MalformedBody),
            (Request::get(app.api, path), FailureCode::MethodNotAllowed),
            (Request::post(app.api, path).body("{}"), FailureCode::UnsupportedMediaType),
            (json(&long(3000)), FailureCode::PayloadTooLarge),
            (json(&long(1000)), FailureCode::InputTooLarge),
            (json("{\"tone\": 1}"), FailureCode::ValidationFailed),
        ];
        if chat {
            cases.push((json("{\"model\": \"gpt-5\"}"), FailureCode::ModelNotFound));
        } else if path.starts_with("/v1") {
            cases.push((json("{\"text\": \"a\"}").header("accept", "image/png"), FailureCode::NotAcceptable));
        }
        for (request, code) in cases {
            let answer = request.send().await;
            assert_eq!(
                answer.status.as_u16(),
                status_of(code),
                "{path} {}: {}",
                code.as_str(),
                answer.text()
            );
            assert_described(&document, &operation, &answer);
        }
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn failures_of_models_are_answered_as_described() {
    let document = document();
    let rephrase = |path: &str| {
        let path = path.split('?').next().unwrap();
        operations(&document).into_iter().find(|(known, ..)| known == path).unwrap().2
    };
    let messages = json!([{"role": "user", "content": "A text."}]);
    let chatted = json!({"model": "redraft/rephrase", "messages": messages, "stream": true});
    for failure in CallFailure::ALL {
        for path in [
            "/v1/rephrase",
            "/v1/rephrase?stream=sse",
            "/v1/rephrase?stream=text",
            "/v1/rephrase?stream=ui",
            "/v1/chat/completions",
            "/api/rephrase",
        ] {
            let app = ScriptedApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
            for model in models_of(&app).await {
                let error = BackendError::new(failure, "a scripted failure");
                app.backend.then(&model, Turn::Fail { after: Duration::ZERO, error });
            }
            let request = Request::post(app.api, path).header("content-type", "application/json");
            let chat = path == "/v1/chat/completions";
            let body = if chat { chatted.clone() } else { json!({"text": "A text."}) };
            let answer = request.body(body.to_string()).send().await;
            let expected =
                if path.ends_with("sse") || path.ends_with("ui") { 200 } else { status_of(failure.code()) };
            assert_eq!(answer.status.as_u16(), expected, "{path} {failure:?}: {}", answer.text());
            assert_described(&document, &rephrase(path), &answer);
        }
    }
}

#[tokio::test]
async fn streams_that_are_cut_are_answered_as_described() {
    let app = ScriptedApp::with(&[]).await;
    let document = document();
    let (_, _, operation) =
        operations(&document).into_iter().find(|(path, ..)| path == "/v1/expand").unwrap();
    let written = [ModelEvent::Started, ModelEvent::Text("Half an".to_owned())].map(Step::Event);
    let cut_short = [ModelEvent::Stopped(StopReason::MaxTokens), ModelEvent::Usage(Metered::default())];
    let broken = BackendError::new(CallFailure::StreamCut, "a scripted failure");
    for (ending, outline) in [
        (cut_short.map(Step::Event).to_vec(), ["start", "delta", "warning", "usage", "done"].as_slice()),
        (vec![Step::Fail(broken)], &["start", "delta", "usage", "error"]),
    ] {
        let model = models_of(&app).await.remove(0);
        app.backend.then(&model, Turn::Steps(written.iter().cloned().chain(ending).collect()));
        let request = Request::post(app.api, "/v1/expand").header("content-type", "application/json");
        let body = json!({"text": "A text.", "stream": "sse", "include": ["text"]});
        let answer = request.body(body.to_string()).send().await;
        assert_eq!(answer.sse().outline(), outline);
        assert_described(&document, &operation, &answer);
    }
}

#[test]
fn every_code_has_an_example_with_its_own_status_wherever_that_status_is() {
    let document = document();
    let responses = document["components"]["responses"].as_object().unwrap();
    let shown: BTreeSet<(&str, u16)> = responses
        .iter()
        .filter_map(|(name, response)| {
            Some((name.strip_prefix("Problem")?.parse::<u16>().unwrap(), response))
        })
        .flat_map(|(status, response)| {
            let examples = response["content"]["application/problem+json"]["examples"].as_object().unwrap();
            examples.iter().map(move |(name, example)| {
                let code = example["value"]["code"].as_str().unwrap();
                assert!(name.starts_with(code), "{name} shows {code}");
                assert_eq!(example["value"]["status"], status, "{name}");
                (code, status)
            })
        })
        .collect();
    // Nobody reads the answer to a request that was given up.
    let codes = FailureCode::ALL.into_iter().filter(|code| *code != FailureCode::Cancelled);
    assert_eq!(shown, codes.map(|code| (code.as_str(), status_of(code))).collect());
}

#[test]
fn examples_have_the_shape_that_stands_beside_them() {
    let document = document();
    let mut checked = 0;
    each(&document, &mut |content| {
        let (Some(schema), Some(examples)) = (content.get("schema"), content.get("examples")) else { return };
        for (name, example) in examples.as_object().unwrap() {
            assert_fits(&document, schema, &example["value"], name);
            checked += 1;
        }
    });
    assert!(checked > 50, "only {checked} examples were found");
}

/// The models of the default chain.
async fn models_of(app: &ScriptedApp) -> Vec<String> {
    let models = Request::get(app.api, "/v1/models").send().await.json();
    let chains = models["chains"].as_array().unwrap();
    let chain = chains.iter().find(|chain| chain["name"] == "default").unwrap();
    chain["models"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn document() -> Value {
    serde_json::from_str(&redraft::http::openapi::json(&redraft::config::built_in_tasks())).unwrap()
}

/// Calls `visit` with every value within a value.
fn each(value: &Value, visit: &mut impl FnMut(&Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
        Value::Object(members) => members.values().for_each(|member| each(member, visit)),
        _ => {}
    }
}

/// Path, method and operation of everything in the document.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().clone();
        methods.into_iter().map(|(method, operation)| (path.clone(), method, operation)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// The members of the body that a path takes, with their schemas.
fn members(document: &Value, path: &str) -> Map<String, Value> {
    let body = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let object = &resolve(document, body)["allOf"][0];
    assert_eq!(object["additionalProperties"], false);
    object["properties"].as_object().unwrap().clone()
}

fn status_of(code: FailureCode) -> u16 {
    let page = describe_problem(code.as_str()).unwrap();
    page.split("status: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap()
}

/// Checks status, media type, headers and body of an answer against its operation.
fn assert_described(document: &Value, operation: &Value, answer: &Answer) {
    let id = &operation["operationId"];
    let status = answer.status.as_u16().to_string();
    let response = resolve(document, &operation["responses"][&status]);
    assert!(response.is_object(), "{id} says nothing of {status}");
    let media_type = answer.header("content-type").split(';').next().unwrap();
    let content = &response["content"][media_type];
    assert!(content.is_object(), "{id} {status} says nothing of {media_type}");
    let told = |name: &str| {
        let names = response["headers"].as_object();
        names.is_some_and(|names| names.keys().any(|known| known.eq_ignore_ascii_case(name)))
    };
    let common = ["content-type", "content-length", "transfer-encoding", "date"];
    for name in answer.headers.keys().map(hyper::header::HeaderName::as_str) {
        let on_ops_port = *id == "metrics";
        assert!(on_ops_port || common.contains(&name) || told(name), "{id} {status} says nothing of {name}");
    }
    let event = json!({"$ref": "#/components/schemas/Event"});
    match media_type {
        "text/event-stream" if *id == "chat_completion" => {
            let of = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
            for chunk in Chunks::read(&answer.text()).chunks {
                let name = if chunk.get("error").is_some() { "Problem" } else { "ChatCompletionChunk" };
                assert_fits(document, &of(name), &chunk, name);
            }
        }
        // The AI SDK has the schemas of its chunks.
        "text/event-stream" if answer.headers.contains_key("x-vercel-ai-ui-message-stream") => {
            let chunks = Chunks::read(&answer.text());
            assert!(chunks.is_whole() || chunks.error().is_some());
        }
        "text/event-stream" => {
            let transcript = answer.sse();
            transcript.assert_grammar();
            transcript
                .frames
                .iter()
                .for_each(|frame| assert_fits(document, &event, &frame.data, &frame.kind));
        }
        "application/x-ndjson" => {
            answer
                .ndjson()
                .frames
                .iter()
                .for_each(|frame| assert_fits(document, &event, &frame.data, &frame.kind));
        }
        "text/plain" | "text/javascript" => assert_eq!(content["schema"]["type"], "string"),
        _ => assert_fits(document, &content["schema"], &answer.json(), media_type),
    }
}
