//! The generators: blog posts, product descriptions, social posts.

mod second_tries;

use std::time::Duration;

use bedrock_sim::{ApiError, Scenario};
use redraft::domain::Metered;
use redraft::inference::scripted::{Step, Turn};
use redraft::inference::{Completion, ModelEvent, StopReason};
use serde_json::{Value, json};

use crate::support::{Answer, Request, ScriptedApp, TestApp};
use crate::validation::{assert_problem, pointers};

const LIBRARY: &str = "The new library opened on Monday. It holds 40,000 books and a reading room for 120 people. \
                       Visitors may borrow up to ten books at a time. The library cost 12 million euros.";

const BLOG: &str = "/v1/generate/blog-post";
const PRODUCT: &str = "/v1/generate/product-description";
const POSTS: &str = "/v1/generate/social-posts";

fn blog(more: Value) -> Value {
    merged(
        json!({"topic": "How to read a map", "keywords": ["compass"], "outline": ["Symbols", "North"]}),
        more,
    )
}

fn product(more: Value) -> Value {
    merged(json!({"name": "Lumo lamp", "features": ["warm light", "clips to a book"]}), more)
}

fn posts(platforms: &[&str]) -> Value {
    json!({"content": LIBRARY, "platforms": platforms})
}

fn merged(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn prose_is_written_from_a_brief() {
    let app = TestApp::start().await;
    let table = [
        (
            BLOG,
            blog(json!({})),
            "blog-post",
            "blog_post",
            vec!["# How to read a map", "compass", "## Symbols", "## North"],
        ),
        (
            PRODUCT,
            product(json!({"target_audience": "night readers"})),
            "product-description",
            "product_description",
            vec!["**Lumo lamp**", "night readers", "warm light", "lips to a book"],
        ),
    ];
    for (path, body, task, object, parts) in table {
        let answer = app.post(path, body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        assert_eq!((&answer["task"], &answer["object"]), (&json!(task), &json!(object)));
        assert_eq!((&answer["format"], &answer["strategy"]), (&json!("markdown"), &json!("single")));
        assert!(answer.get("data").is_none(), "prose is no data");
        for part in parts {
            assert!(answer["text"].as_str().unwrap().contains(part), "{part} in {answer}");
        }
    }
    let labels = [("task", "blog-post"), ("stream", "json"), ("outcome", "ok"), ("error", ""), ("api", "v1")];
    assert_eq!(app.metric("redraft_requests_total", &labels).await, 1.0);
    assert!(app.stop().await);
}

#[tokio::test]
async fn data_is_told_parsed_and_as_text_and_follows_its_schema() {
    let app = TestApp::start().await;
    let answer = app.post(BLOG, blog(json!({"output": "json"}))).send().await.json();
    assert_eq!(answer["format"], "json");
    let data = &answer["data"];
    assert_eq!(serde_json::from_str::<Value>(answer["text"].as_str().unwrap()).unwrap(), *data);
    assert_eq!(data["title"], "How to read a map");
    assert_eq!(data["sections"][1]["heading"], "North");
    let answer = app.post(PRODUCT, product(json!({"output": "json"}))).send().await.json();
    assert_eq!(answer["data"]["highlights"], json!(["Warm light", "Clips to a book"]));
    // The first model is held to the schema by the provider.
    let call = app.call(|call| call.ended_after_ms.is_some()).await;
    assert!(call.request().get("outputConfig").is_some(), "{}", call.request());
    assert!(app.stop().await);
}

#[tokio::test]
async fn posts_come_in_every_representation_ready_to_post() {
    let app = TestApp::start().await;
    let platforms = ["mastodon", "twitter", "linkedin", "facebook", "instagram", "threads", "bluesky"];
    let whole = app.post(POSTS, posts(&platforms)).send().await.json();
    let told = whole["data"]["posts"].as_array().unwrap();
    let names: Vec<&str> = told.iter().map(|post| post["platform"].as_str().unwrap()).collect();
    assert_eq!(names, ["mastodon", "x", "linkedin", "facebook", "instagram", "threads", "bluesky"]);
    for post in told {
        assert!(post["length"].as_u64() <= post["max_length"].as_u64(), "{post}");
        assert!(post["text"].as_str().unwrap().contains("library"), "{post}");
    }
    assert_eq!(whole["warnings"], json!([]));
    for dialect in ["sse", "ndjson", "text"] {
        let answer = app.post(&format!("{POSTS}?stream={dialect}"), posts(&platforms)).send().await;
        assert_eq!(answer.status, 200);
        let text = match dialect {
            "sse" => transcript(answer.sse()),
            "ndjson" => transcript(answer.ndjson()),
            _ => answer.text(),
        };
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), whole["data"], "{dialect}");
    }
    assert!(app.stop().await);
}

fn transcript(stream: crate::support::Transcript) -> String {
    stream.assert_grammar();
    assert_eq!(stream.outline(), ["start", "delta", "usage", "done"]);
    // Nothing of what was held is timed, or its speed would be that of one write.
    let timing = &stream.one("usage")["timing"];
    assert_eq!(timing["time_to_first_token_ms"], Value::Null);
    assert!(timing["generation_time_ms"].as_f64().unwrap() <= timing["total_ms"].as_f64().unwrap());
    stream.text()
}

#[tokio::test]
async fn data_grows_on_a_stream_and_is_whole_at_its_end() {
    let app = TestApp::start().await;
    let answer = app.post(&format!("{BLOG}?stream=sse"), blog(json!({"output": "json"}))).send().await.sse();
    answer.assert_grammar();
    assert!(answer.all("delta").count() > 3, "it is told as it comes");
    let data: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(data["title"], "How to read a map");
    let text = app.post(&format!("{BLOG}?stream=text"), blog(json!({"output": "json"}))).send().await.text();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), data);
    assert!(app.stop().await);
}

/// The answer of one call.
fn says(text: &str) -> Turn {
    let completion = Completion {
        text: text.to_owned(),
        stop_reason: StopReason::EndTurn,
        usage: Some(Metered::default()),
    };
    Turn::Answer { after: Duration::ZERO, completion }
}

fn model_says(platform: &str, text: &str) -> String {
    json!({"posts": [{"platform": platform, "text": text, "hashtags": ["Library"]}]}).to_string()
}

async fn first_model(app: &ScriptedApp) -> String {
    let models = Request::get(app.api, "/v1/models").send().await.json();
    let chains = models["chains"].as_array().unwrap();
    let chain = chains.iter().find(|chain| chain["name"] == "default").unwrap();
    chain["models"][0].as_str().unwrap().to_owned()
}

async fn send(app: &ScriptedApp, path: &str, body: Value) -> Answer {
    Request::post(app.api, path)
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
}

#[tokio::test]
async fn a_post_is_cut_to_the_limit_of_its_own_platform() {
    const LIMITS: [(&str, usize); 7] = [
        ("x", 280),
        ("linkedin", 3_000),
        ("facebook", 63_206),
        ("instagram", 2_200),
        ("threads", 500),
        ("mastodon", 500),
        ("bluesky", 300),
    ];
    let app = ScriptedApp::with(&[]).await;
    let model = first_model(&app).await;
    let sentence = "This sentence has six words. ";
    let post = |(platform, most): (&str, usize)| {
        let text = sentence.repeat(most / sentence.len() + 2);
        json!({"platform": platform, "text": text, "hashtags": ["Library"]})
    };
    let long = json!({ "posts": LIMITS.map(post) }).to_string();
    app.backend.then(&model, says(&long));
    app.backend.then(&model, says(&long));
    let answer = send(&app, POSTS, posts(&LIMITS.map(|(platform, _)| platform))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["warnings"].as_array().unwrap().len(), LIMITS.len());
    for ((platform, most), post) in LIMITS.iter().zip(told["data"]["posts"].as_array().unwrap()) {
        assert_eq!((&post["platform"], &post["max_length"]), (&json!(platform), &json!(most)));
        let (length, text) = (post["length"].as_u64().unwrap(), post["text"].as_str().unwrap());
        assert!(text.ends_with("six words.\n\n#Library"), "{platform}: {text}");
        assert_eq!(length, text.chars().count() as u64, "{platform}");
        // Another sentence would not fit.
        assert!(
            length <= *most as u64 && length + sentence.len() as u64 > *most as u64,
            "{platform}: {length}"
        );
    }
}

#[tokio::test]
async fn a_warning_about_a_cut_post_names_its_platform_on_streams() {
    let app = ScriptedApp::with(&[]).await;
    let model = first_model(&app).await;
    let long = model_says("bluesky", &"This sentence has six words. ".repeat(20));
    for _ in 0..2 {
        let steps = [
            ModelEvent::Started,
            ModelEvent::Text(long.clone()),
            ModelEvent::Stopped(StopReason::EndTurn),
            ModelEvent::Usage(Metered::default()),
        ];
        app.backend.then(&model, Turn::Steps(steps.map(Step::Event).to_vec()));
    }
    let stream = send(&app, &format!("{POSTS}?stream=sse"), posts(&["bluesky"])).await.sse();
    stream.assert_grammar();
    let warning = stream.all("warning").find(|frame| frame.data["code"] == "post_shortened").unwrap();
    assert_eq!(
        warning.data["detail"],
        "The post for Bluesky was longer than 300 characters and was cut short."
    );
}

#[tokio::test]
async fn a_model_is_held_to_a_schema_where_it_can_be_and_else_asked_in_words() {
    let app = TestApp::with(&[("MODELS__FILE", "tests/fixtures/structured.toml")]).await;
    for (chain, member) in [("words", None), ("tool", Some("toolConfig"))] {
        for (path, body) in [(POSTS, posts(&["x", "mastodon"])), (BLOG, blog(json!({"output": "json"})))] {
            for stream in ["json", "text"] {
                let body = merged(body.clone(), json!({"chain": chain}));
                let answer = app.post(&format!("{path}?stream={stream}"), body).send().await;
                assert_eq!(answer.status, 200, "{chain} {path}: {}", answer.text());
                let data = if stream == "json" { answer.json()["data"].clone() } else { answer.json() };
                assert!(
                    data["posts"][1]["text"].is_string() || data["sections"][1]["text"].is_string(),
                    "{data}"
                );
            }
        }
        let calls = app.sim.calls();
        let request = calls.last().unwrap().request();
        assert!(request.get("outputConfig").is_none());
        assert_eq!(request.get("toolConfig").is_some(), member.is_some(), "{chain}");
        assert!(request["system"].to_string().contains("JSON schema"), "{request}");
    }
    // A tool's input of another shape is mended, too.
    app.sim.set_scenario_times("google.gemma-3-4b-it", Scenario::InvalidJson, 1);
    let body = merged(posts(&["x"]), json!({"chain": "tool"}));
    let answer = app.post(POSTS, body).send().await.json();
    assert_eq!(
        (&answer["usage"]["model_calls"], &answer["data"]["posts"][0]["platform"]),
        (&json!(2), &json!("x"))
    );
    assert!(app.stop().await);
}

#[tokio::test]
async fn data_between_words_is_found_where_nothing_was_told() {
    let app = ScriptedApp::with(&[]).await;
    let model = first_model(&app).await;
    let fenced = format!("Here you are:\n```json\n{}\n```", model_says("x", "Fenced."));
    app.backend.then(&model, says(&fenced));
    let answer = send(&app, POSTS, posts(&["x"])).await.json();
    assert_eq!(answer["data"]["posts"][0]["text"], "Fenced.\n\n#Library");
    app.backend.then(&model, says(&format!("{}\n\nHope this helps!", model_says("x", "Polite."))));
    let answer = send(&app, POSTS, posts(&["x"])).await.json();
    assert_eq!(answer["data"]["posts"][0]["text"], "Polite.\n\n#Library");
    assert_eq!(app.backend.calls().len(), 2, "neither was asked for again");
    let call = app.backend.calls().remove(0);
    assert!(call.output_schema.is_some(), "the port is told the schema");
    assert!(call.prompt.system.contains("JSON schema:\n{"), "and so are the rules");
}

#[tokio::test]
async fn a_model_that_breaks_off_is_followed_by_the_next_while_nothing_is_told() {
    let app = TestApp::start().await;
    let chain = app.default_chain().await;
    app.sim.set_scenario(&chain.first, Scenario::CutMidFrame { after_deltas: 2 });
    let stream = app.post(&format!("{POSTS}?stream=sse"), posts(&["x"])).send().await.sse();
    stream.assert_grammar();
    assert_eq!(stream.outline(), ["start", "fallback", "delta", "usage", "done"]);
    app.fail(&chain.first, ApiError::Throttling);
    let answer = app.post(BLOG, blog(json!({"output": "json"}))).send().await.json();
    assert_eq!((&answer["fallback"], &answer["model"]), (&json!(true), &json!(chain.second)));
    assert!(app.stop().await);
}

#[tokio::test]
async fn bad_bodies_are_told_by_their_pointers() {
    let app = TestApp::start().await;
    let table = [
        (BLOG, json!({}), vec!["/topic"]),
        (
            BLOG,
            json!({"topic": " ", "tone": 1, "keywords": "a", "length": "endless"}),
            vec!["/topic", "/tone", "/keywords", "/length"],
        ),
        (
            BLOG,
            json!({"topic": "a", "outline": 3, "output": "xml", "features": []}),
            vec!["/outline", "/output", "/features"],
        ),
        (PRODUCT, json!({"features": []}), vec!["/name", "/features"]),
        (
            PRODUCT,
            json!({"name": "a", "features": [" "], "targetAudience": 1}),
            vec!["/features", "/targetAudience"],
        ),
        (
            POSTS,
            json!({"content": "a", "platforms": ["x", "myspace"], "output": "text"}),
            vec!["/platforms/1", "/output"],
        ),
        (POSTS, json!({"platforms": [], "format": "markdown"}), vec!["/content", "/platforms", "/format"]),
    ];
    for (path, body, named) in table {
        let answer = app.post(path, body.clone()).send().await;
        assert_problem(&answer, 422, "validation_failed");
        let problem = answer.json();
        let told = pointers(&problem);
        assert_eq!(told, named, "{body}");
    }
    assert_eq!(app.sim.calls().len(), 0);
    let file =
        Request::post(app.api, POSTS).header("content-type", "text/markdown").body("# A text").send().await;
    assert_problem(&file, 415, "unsupported_media_type");
    assert_eq!(file.header("accept-post"), "application/json");
    assert!(app.stop().await);
}

#[tokio::test]
async fn content_that_is_too_long_is_refused_and_measured() {
    let app = TestApp::with(&[("LIMITS__MAX_INPUT_TOKENS", "200")]).await;
    let body = json!({"content": LIBRARY.repeat(20), "platforms": ["x"]});
    let answer = app.post(POSTS, body.clone()).send().await;
    assert_problem(&answer, 413, "input_too_large");
    assert_eq!(answer.json()["quota"], 200);
    let measured = app.post("/v1/measure", merged(body, json!({"task": "social-posts"}))).send().await.json();
    assert_eq!((&measured["fits"], &measured["refusal"]), (&json!(false), &json!("input_too_large")));
    let fitting = merged(blog(json!({})), json!({"task": "blog-post"}));
    let measured = app.post("/v1/measure", fitting).send().await.json();
    assert_eq!(
        (&measured["fits"], &measured["task"], &measured["model_calls"]),
        (&json!(true), &json!("blog-post"), &json!(1))
    );
    assert!(app.stop().await);
}

#[tokio::test]
async fn capabilities_list_the_generators_with_their_options() {
    let app = TestApp::start().await;
    let capabilities = app.get("/v1/capabilities").send().await.json();
    let tasks = capabilities["tasks"].as_array().unwrap();
    let of = |name: &str| tasks.iter().find(|task| task["task"] == name).unwrap();
    assert_eq!(of("blog-post")["path"], BLOG);
    assert_eq!(of("social-posts")["options"]["platforms"]["values"][0], "x");
    assert_eq!(of("product-description")["options"]["length"]["default"], "medium");
    for name in ["blog-post", "product-description", "social-posts"] {
        assert!(of(name)["input_quota_tokens"].as_u64().unwrap() > 1_000, "{name}");
        assert_eq!(of(name)["default_chain"], "default");
    }
    assert!(app.stop().await);
}
