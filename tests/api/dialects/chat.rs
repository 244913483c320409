//! OpenAI's chat completions.

use bedrock_sim::{ApiError, Scenario, StopReason};
use serde_json::{Map, Value, json};

use super::chunks::{Chunks, settled};
use super::{BREAKS, TEXT};
use crate::support::{Answer, Request, TestApp};
use crate::validation::{assert_problem, pointers};

const PATH: &str = "/v1/chat/completions";

/// What a client sends at least.
pub fn body(text: &str) -> Value {
    json!({"model": "redraft/summarize", "messages": [{"role": "user", "content": text}]})
}

/// The same with further members.
fn with(more: Value) -> Value {
    let mut body = body(TEXT);
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn complete(app: &TestApp, more: Value) -> Answer {
    app.post(PATH, with(more)).header("accept", "application/json").send().await
}

/// Every task, as `GET /v1/models` lists them.
const MODELS: [&str; 9] = [
    "redraft/summarize",
    "redraft/rephrase",
    "redraft/expand",
    "redraft/blog-post",
    "redraft/product-description",
    "redraft/social-posts",
    "redraft/refine",
    "redraft/extract-action-items",
    "redraft/translate",
];

/// What a task cannot do without, beside the user's message.
fn needed(model: &str) -> Value {
    match model {
        "redraft/product-description" => json!({"name": "Lumo"}),
        "redraft/social-posts" => json!({"platforms": ["x"]}),
        "redraft/refine" => json!({"task": "rephrase", "input": TEXT, "result": "The ferry leaves at 9:15."}),
        "redraft/translate" => json!({"target_language": "en"}),
        _ => json!({}),
    }
}

async fn stream(app: &TestApp) -> Answer {
    complete(app, json!({"stream": true, "stream_options": {"include_usage": true}})).await
}

#[tokio::test]
async fn a_whole_answer_has_openais_shape() {
    let app = TestApp::start().await;
    let ours = app.post("/v1/summarize", json!({"text": TEXT})).send().await.json();
    let answer = complete(&app, json!({})).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.header("x-model"), ours["model"].as_str().unwrap());
    let told = answer.json();
    assert_eq!((&told["object"], &told["model"]), (&json!("chat.completion"), &json!("redraft/summarize")));
    assert_eq!(told["id"], answer.header("x-generation-id"));
    let choice = &told["choices"][0];
    assert_eq!(choice["message"]["content"], ours["text"]);
    assert_eq!((&choice["message"]["role"], &choice["finish_reason"]), (&json!("assistant"), &json!("stop")));
    let usage = &told["usage"];
    assert_eq!(usage["prompt_tokens"], ours["usage"]["input_tokens"]);
    assert_eq!(usage["completion_tokens"], ours["usage"]["output_tokens"]);
    assert_eq!(usage["total_tokens"], ours["usage"]["total_tokens"]);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 0);
    assert_eq!((&told["redraft"]["cost"], &told["redraft"]["chain"]), (&ours["cost"], &ours["chain"]));
    let labels =
        [("task", "summarize"), ("stream", "json"), ("outcome", "ok"), ("error", ""), ("api", "openai")];
    assert_eq!(app.metric("redraft_requests_total", &labels).await, 1.0);
    assert!(settled(told)["created"] == 0);
}

#[tokio::test]
async fn a_stream_begins_with_the_role_and_ends_with_the_usage_and_done() {
    let app = TestApp::start().await;
    let whole = app.post("/v1/summarize", json!({"text": TEXT})).send().await.json();
    let answer = stream(&app).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/event-stream"));
    let chunks = Chunks::read(&answer.text());
    assert!(chunks.is_whole());
    assert_eq!(chunks.text(), whole["text"].as_str().unwrap());
    let first = &chunks.chunks[0]["choices"][0]["delta"];
    assert_eq!((&first["role"], &first["content"]), (&json!("assistant"), &json!("")));
    let [.., end, usage] = chunks.chunks.as_slice() else { panic!("an end") };
    assert_eq!((&end["choices"][0]["finish_reason"], &end["usage"]), (&json!("stop"), &Value::Null));
    assert_eq!(
        (&usage["choices"], &usage["usage"]["total_tokens"]),
        (&json!([]), &whole["usage"]["total_tokens"])
    );
    chunks.assert_golden("openai-good");
    let bare = Chunks::read(&complete(&app, json!({"stream": true})).await.text());
    assert!(bare.is_whole());
    assert!(bare.chunks.iter().all(|chunk| chunk.get("usage").is_none()), "nobody asked for the usage");
    let labels =
        [("task", "summarize"), ("stream", "openai"), ("outcome", "ok"), ("error", ""), ("api", "openai")];
    assert_eq!(app.metric("redraft_requests_total", &labels).await, 2.0);
}

#[tokio::test]
async fn options_of_the_task_stand_beside_openais_members() {
    let app = TestApp::start().await;
    let options = json!({"type": "headline", "length": "long", "context": "For a newspaper."});
    let told = complete(&app, options.clone()).await.json();
    let mut ours = options;
    ours["text"] = TEXT.into();
    let ours = app.post("/v1/summarize", ours).send().await.json();
    assert_eq!(told["choices"][0]["message"]["content"], ours["text"]);
    // The system's messages are the context, and the model is told both alike.
    let messages = json!([
        {"role": "system", "content": "For a newspaper."},
        {"role": "user", "content": [{"type": "text", "text": TEXT}]},
    ]);
    let harmless = json!({"messages": messages, "type": "headline", "length": "long", "user": "u1",
        "metadata": {"a": "b"}, "store": false, "n": 1, "top_p": 1, "tools": []});
    let by_system = complete(&app, harmless).await.json();
    assert_eq!(by_system["usage"], told["usage"]);
}

#[tokio::test]
async fn other_tasks_and_chains_are_models_too_and_the_list_names_the_tasks() {
    let app = TestApp::start().await;
    let list = app.get("/v1/models").send().await.json();
    assert_eq!(list["object"], "list");
    let models = list["data"].as_array().unwrap();
    let ids: Vec<&str> = models.iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, MODELS);
    for model in models {
        assert_eq!((&model["object"], &model["owned_by"]), (&json!("model"), &json!("redraft")));
        let id = model["id"].as_str().unwrap();
        for name in [id.to_owned(), format!("{id}@speed")] {
            let mut more = needed(id);
            more["model"] = name.clone().into();
            let answer = complete(&app, more).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            assert_eq!(answer.json()["model"], name);
            let chain = if name.ends_with("@speed") { "speed" } else { "default" };
            assert_eq!(answer.json()["redraft"]["chain"], chain);
        }
    }
}

#[tokio::test]
async fn what_a_task_cannot_do_without_is_the_users_message() {
    let app = TestApp::start().await;
    let user = |content: &str| json!([{"role": "user", "content": content}]);
    for (path, name, matter, more) in [
        ("blog-post", "topic", "How to read a map", json!({"outline": ["Symbols"], "tone": "calm"})),
        ("blog-post", "topic", "How to read a map", json!({"output": "json"})),
        ("product-description", "features", "warm light\n- clips to a book", json!({"name": "Lumo lamp"})),
        ("social-posts", "content", TEXT, json!({"platforms": ["x", "bluesky"], "context": "For locals."})),
        ("refine", "instruction", "Shorter, please.", needed("redraft/refine")),
    ] {
        let mut ours = more.clone();
        ours[name] = matter.into();
        let at = if path == "refine" { "/v1/refine".to_owned() } else { format!("/v1/generate/{path}") };
        let ours = app.post(&at, ours).send().await.json();
        let mut asked = more;
        asked["model"] = format!("redraft/{path}").into();
        asked["messages"] = user(matter);
        let told = complete(&app, asked.clone()).await;
        assert_eq!(told.status, 200, "{path}: {}", told.text());
        assert_eq!(told.json()["choices"][0]["message"]["content"], ours["text"], "{path}");
        assert_eq!(told.json()["usage"]["prompt_tokens"], ours["usage"]["input_tokens"], "{path}");
        asked["stream"] = true.into();
        let chunks = Chunks::read(&complete(&app, asked).await.text());
        assert!(chunks.is_whole(), "{path}");
        assert_eq!(chunks.text(), ours["text"].as_str().unwrap(), "{path}");
    }
    let labels =
        [("task", "social-posts"), ("stream", "openai"), ("outcome", "ok"), ("error", ""), ("api", "openai")];
    assert_eq!(app.metric("redraft_requests_total", &labels).await, 1.0);
    // The system's messages are the context here, too.
    let messages = json!([{"role": "system", "content": "For locals."}, {"role": "user", "content": TEXT}]);
    let by_system =
        complete(&app, json!({"model": "redraft/social-posts", "platforms": ["x"], "messages": messages}))
            .await;
    let posts = json!({"content": TEXT, "platforms": ["x"], "context": "For locals."});
    let by_context = app.post("/v1/generate/social-posts", posts).send().await.json();
    assert_eq!(by_system.json()["usage"]["prompt_tokens"], by_context["usage"]["input_tokens"]);
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_refusal_is_never_much_longer_than_its_request() {
    let app = TestApp::start().await;
    let lists = [
        json!({"messages": vec![0; 300_000]}),
        json!({"messages": [{"role": "user", "content": vec![0; 300_000]}]}),
        json!({"stream": true, "stream_options": (0..9_000).map(|n| (n.to_string(), 0.into())).collect::<Map<_, _>>()}),
    ];
    for list in lists {
        let answer = complete(&app, list).await;
        assert_problem(&answer, 422, "validation_failed");
        assert!(answer.body.len() < 40_000, "{} bytes", answer.body.len());
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn what_is_wrong_with_a_generators_matter_points_to_the_message() {
    let app = TestApp::start().await;
    let user = |content: String| json!([{"role": "user", "content": content}]);
    for (model, matter, more, named) in [
        ("blog-post", "word ".repeat(300), json!({}), vec!["/messages/0/content"]),
        ("blog-post", "A map.".to_owned(), json!({"topic": "A map."}), vec!["/topic"]),
        ("blog-post", "A map.".to_owned(), json!({"text": "A map."}), vec!["/text"]),
        ("product-description", "a\n".repeat(51), json!({}), vec!["/messages/0/content", "/name"]),
        (
            "product-description",
            "a".to_owned(),
            json!({"name": "Lumo", "max_tokens": 5}),
            vec!["/max_tokens"],
        ),
        ("social-posts", "A text.".to_owned(), json!({}), vec!["/platforms"]),
        ("refine", "a".repeat(2_001), needed("redraft/refine"), vec!["/messages/0/content"]),
        (
            "refine",
            "Shorter.".to_owned(),
            json!({"prompt": "b"}),
            vec!["/input", "/prompt", "/result", "/task"],
        ),
        (
            "social-posts",
            "A text.".to_owned(),
            json!({"platforms": ["x"], "content": "A text."}),
            vec!["/content"],
        ),
    ] {
        let mut asked = more;
        asked["model"] = format!("redraft/{model}").into();
        asked["messages"] = user(matter);
        let answer = complete(&app, asked).await;
        let problem = assert_problem(&answer, 422, "validation_failed");
        let mut told = pointers(&problem);
        told.sort_unstable();
        assert_eq!(told, named, "{model}: {problem}");
    }
    assert!(app.sim.calls().is_empty());
    assert!(app.stop().await);
}

#[tokio::test]
async fn posts_that_stay_wrong_are_a_status_and_data_that_flowed_ends_without_done() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::InvalidJson);
    let posts = json!({"model": "redraft/social-posts", "platforms": ["x"], "stream": true});
    assert_problem(&complete(&app, posts).await, 502, "output_invalid");
    let blog = json!({"model": "redraft/blog-post", "output": "json", "stream": true});
    let chunks = Chunks::read(&complete(&app, blog).await.text());
    assert!(!chunks.done, "[DONE] belongs to whole answers");
    assert_eq!(chunks.chunks.last().unwrap()["error"]["code"], "output_invalid");
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_model_that_there_is_not_is_openais_model_not_found() {
    let app = TestApp::start().await;
    for model in ["gpt-5", "redraft/poem", "redraft/summarize@nowhere"] {
        let answer = complete(&app, json!({ "model": model })).await;
        let problem = assert_problem(&answer, 404, "model_not_found");
        assert_eq!(problem["error"]["param"], "/model");
        assert_eq!(problem["error"]["type"], "invalid_request_error");
        assert!(!answer.text().contains("gpt-5") && !answer.text().contains("nowhere"));
        let listed = MODELS.iter().all(|model| answer.text().contains(model));
        assert_eq!(listed, !model.contains('@'), "{}", answer.text());
    }
    for missing in [json!({"model": null}), json!({"model": 5})] {
        assert_problem(&complete(&app, missing).await, 422, "validation_failed");
    }
    let both = complete(&app, json!({"model": "redraft/summarize@speed", "preference": "speed"})).await;
    assert_problem(&both, 422, "validation_failed");
}

#[tokio::test]
async fn what_would_change_the_answer_and_cannot_be_done_is_refused() {
    let app = TestApp::start().await;
    for (name, value) in [
        ("temperature", json!(0.2)),
        ("max_tokens", json!(100)),
        ("max_completion_tokens", json!(100)),
        ("n", json!(2)),
        ("stop", json!(["\n"])),
        ("seed", json!(7)),
        ("tools", json!([{"type": "function"}])),
        ("response_format", json!({"type": "json_object"})),
        ("logprobs", json!(true)),
        ("include", json!(["text"])),
        ("stream_options", json!({"include_usage": true})),
        ("temprature", json!(1)),
        ("stream", json!("sse")),
        ("tone", json!("formal")),
        ("text", json!("Another text.")),
    ] {
        let answer = complete(&app, json!({ name: value })).await;
        let problem = assert_problem(&answer, 422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"), "{problem}");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
        assert_eq!(problem["error"]["param"], format!("/{name}"));
    }
    let turns = json!([
        {"role": "user", "content": "One."}, {"role": "assistant", "content": "Two."},
        {"role": "user", "content": "Three."},
    ]);
    let problem =
        assert_problem(&complete(&app, json!({ "messages": turns })).await, 422, "validation_failed");
    let pointers: Vec<&Value> =
        problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/messages/1", "/messages/2"]);
    assert!(app.sim.calls().is_empty());
    let query = app.post(&format!("{PATH}?stream=sse"), body(TEXT)).send().await;
    assert_problem(&query, 422, "validation_failed");
    let not_json = Request::post(app.api, PATH).header("content-type", "text/plain").body("a");
    assert_problem(&not_json.send().await, 415, "unsupported_media_type");
    let broken = Request::post(app.api, PATH).header("content-type", "application/json").body("{");
    assert_problem(&broken.send().await, 400, "malformed_body");
}

#[tokio::test]
async fn a_fallback_is_invisible_and_a_cut_answer_says_length() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.fail(&chain.first, ApiError::AccessDenied);
    app.sim.set_scenario(&chain.second, Scenario::StopReason { reason: StopReason::MaxTokens });
    let chunks = Chunks::read(&stream(&app).await.text());
    chunks.assert_golden("openai-fallback-and-warning");
    let end = &chunks.chunks[chunks.chunks.len() - 2];
    assert_eq!(end["choices"][0]["finish_reason"], "length");
    assert_eq!((&end["redraft"]["model"], &end["redraft"]["fallback"]), (&json!(chain.second), &json!(true)));
    assert_eq!(end["redraft"]["warnings"][0]["code"], "truncated");
}

#[tokio::test]
async fn an_error_before_the_first_word_is_a_status() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::Error { error: ApiError::AccessDenied });
    let problem = assert_problem(&stream(&app).await, 502, "upstream_auth");
    assert_eq!(problem["error"]["type"], "server_error");
    let labels = [
        ("task", "summarize"),
        ("stream", "openai"),
        ("outcome", "upstream_error"),
        ("error", "upstream_auth"),
        ("api", "openai"),
    ];
    assert_eq!(app.metric("redraft_requests_total", &labels).await, 1.0);
    assert_eq!(app.metric("redraft_streams_active", &[("stream", "openai")]).await, 0.0);
}

#[tokio::test]
async fn an_error_in_mid_stream_is_a_chunk_and_nothing_follows_it() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", BREAKS);
    let answer = stream(&app).await;
    let chunks = Chunks::read(&answer.text());
    assert!(!chunks.done, "[DONE] belongs to whole answers");
    let last = chunks.chunks.last().unwrap();
    assert_eq!((&last["error"]["code"], &last["partial"]), (&json!("upstream_error"), &json!(true)));
    chunks.assert_golden("openai-error-in-mid-stream");
}

/// OpenAI's clients would send it a third time.
#[tokio::test]
async fn a_client_that_has_tried_again_is_told_not_to() {
    let app = TestApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
    app.sim.set_scenario("*", Scenario::Error { error: ApiError::ServiceQuotaExceeded });
    for (count, advice) in [("0", "true"), ("1", "false"), ("2", "false"), ("many", "true")] {
        let answer = app.post(PATH, body(TEXT)).header("x-stainless-retry-count", count).send().await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.header("x-should-retry"), advice, "{count}");
        assert_eq!(answer.json()["retryable"], true);
    }
}

#[tokio::test]
async fn a_long_document_opens_its_stream_before_the_first_word() {
    let app = TestApp::with(&[("HTTP__HEARTBEAT_MS", "20")]).await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
    let text = format!("{TEXT}\n\n").repeat(400);
    let mut request = body(&text);
    (request["stream"], request["strategy"]) = (true.into(), "map-reduce".into());
    let mut open = app.post(PATH, request).open().await;
    assert_eq!(open.status, 200);
    let begun = open.read_until(|text| text.ends_with(": hb\n")).await;
    assert!(begun.starts_with("data: {"), "{begun}");
}
