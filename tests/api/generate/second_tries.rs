//! Answers that cannot be used as they are: what is asked for once more, and how that ends.

use super::{BLOG, POSTS, PRODUCT, blog, first_model, merged, model_says, posts, product, says, send};
use crate::support::{Request, ScriptedApp, TestApp};
use crate::validation::assert_problem;
use bedrock_sim::Scenario;
use redraft::domain::{CallFailure, Metered};
use redraft::inference::scripted::Turn;
use redraft::inference::{BackendError, Completion, StopReason};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn data_that_is_none_is_asked_for_once_more() {
    let app = TestApp::start().await;
    let first = app.default_chain().await.first;
    for (path, body) in [(BLOG, blog(json!({"output": "json"}))), (POSTS, posts(&["x", "threads"]))] {
        app.sim.set_scenario_times(&first, Scenario::InvalidJson, 1);
        let before = app.sim.calls().len();
        let answer = app.post(path, body).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        assert!(answer["data"].is_object());
        assert_eq!(answer["usage"]["model_calls"], 2, "both calls are in the books");
        let calls = app.sim.calls().split_off(before);
        let billed = |of: fn(&bedrock_sim::CallRecord) -> u64| calls.iter().map(of).sum::<u64>();
        assert_eq!(answer["usage"]["input_tokens"], billed(|call| call.billed_input_tokens));
        assert_eq!(answer["usage"]["output_tokens"], billed(|call| call.billed_output_tokens));
        let asked = calls[1].request().to_string();
        assert!(asked.contains("could not be used. It ended before the JSON was complete."), "{asked}");
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn data_that_stays_none_is_a_clear_error_in_every_representation() {
    let app = TestApp::start().await;
    app.sim.set_scenario("*", Scenario::InvalidJson);
    for (path, body) in [(PRODUCT, product(json!({"output": "json"}))), (POSTS, posts(&["x"]))] {
        let before = app.sim.calls().len();
        let answer = app.post(path, body.clone()).send().await;
        assert_problem(&answer, 502, "output_invalid");
        assert_eq!(answer.json()["retryable"], true);
        assert_eq!(app.sim.calls().len() - before, 2, "no other model is asked");
    }
    // What has not left can still be a status.
    let answer = app.post(&format!("{POSTS}?stream=text"), posts(&["x"])).send().await;
    assert_problem(&answer, 502, "output_invalid");
    let stream = app.post(&format!("{POSTS}?stream=sse"), posts(&["x"])).send().await.sse();
    assert_eq!(stream.outline(), ["start", "usage", "error"]);
    assert_eq!(
        (&stream.one("error")["code"], &stream.one("error")["partial"]),
        (&json!("output_invalid"), &json!(false))
    );
    // What flowed stands, and is said to be bad.
    let json_product = product(json!({"output": "json"}));
    let before = app.sim.calls().len();
    let stream = app.post(&format!("{PRODUCT}?stream=sse"), json_product.clone()).send().await.sse();
    assert_eq!(stream.outline(), ["start", "delta", "usage", "error"]);
    assert_eq!(
        (&stream.one("error")["code"], &stream.one("error")["partial"]),
        (&json!("output_invalid"), &json!(true))
    );
    assert_eq!(app.sim.calls().len() - before, 1, "what was told cannot be mended");
    let text = app.post(&format!("{PRODUCT}?stream=text"), json_product).send().await;
    assert!(text.status == 200 && text.cut, "the connection breaks");
    let labels = [
        ("task", "social-posts"),
        ("stream", "json"),
        ("outcome", "upstream_error"),
        ("error", "output_invalid"),
        ("api", "v1"),
    ];
    assert_eq!(app.metric("redraft_requests_total", &labels).await, 1.0);
    assert!(app.stop().await);
}

#[tokio::test]
async fn data_that_flowed_is_taken_back_where_the_caller_allows_it() {
    let app = TestApp::start().await;
    let first = app.default_chain().await.first;
    app.sim.set_scenario_times(&first, Scenario::InvalidJson, 1);
    let body = product(json!({"output": "json", "on_failover": "restart"}));
    let stream = app.post(&format!("{PRODUCT}?stream=sse"), body).send().await.sse();
    stream.assert_grammar();
    assert_eq!(stream.outline(), ["start", "delta", "reset", "delta", "usage", "done"]);
    assert_eq!(stream.one("reset")["reason"], "malformed_answer");
    let data: Value = serde_json::from_str(&stream.text()).unwrap();
    assert_eq!(data["highlights"], json!(["Warm light", "Clips to a book"]));
    assert_eq!(stream.one("done")["output_chars"], stream.text().chars().count());
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_post_that_is_too_long_is_written_anew_and_then_cut() {
    let app = ScriptedApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
    let model = first_model(&app).await;
    let long = "This sentence has six words. ".repeat(12);
    for (name, turns, ends, warned) in [
        ("fits at once", vec![says(&model_says("x", "Short."))], "Short.\n\n#Library", false),
        (
            "rewritten",
            vec![says(&model_says("x", &long)), says(&model_says("x", "Short now."))],
            "Short now.\n\n#Library",
            false,
        ),
        (
            "cut",
            vec![says(&model_says("x", &long)), says(&model_says("x", &long))],
            "six words.\n\n#Library",
            true,
        ),
        (
            "second call fails",
            vec![
                says(&model_says("x", &long)),
                Turn::Fail {
                    after: Duration::ZERO,
                    error: BackendError::new(CallFailure::Filtered, "a scripted failure"),
                },
            ],
            "six words.\n\n#Library",
            true,
        ),
    ] {
        let calls = turns.len();
        let before = app.backend.calls().len();
        turns.into_iter().for_each(|turn| app.backend.then(&model, turn));
        let answer = send(&app, POSTS, posts(&["x"])).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let answer = answer.json();
        let post = &answer["data"]["posts"][0];
        assert!(post["text"].as_str().unwrap().ends_with(ends), "{name}: {post}");
        assert!(post["length"].as_u64().unwrap() <= 280, "{name}: {post}");
        assert_eq!(app.backend.calls().len() - before, calls, "{name}");
        let codes: Vec<&str> = answer["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|warning| warning["code"].as_str().unwrap())
            .collect();
        assert_eq!(codes.contains(&"post_shortened"), warned, "{name}: {codes:?}");
        if calls == 2 {
            let system = &app.backend.calls()[before + 1].prompt.system;
            assert!(system.contains("The post for x has 3"), "{name}: {system}");
        }
    }
}

/// The answer of one call that ended so.
fn ends(text: &str, stop_reason: StopReason) -> Turn {
    let completion = Completion { text: text.to_owned(), stop_reason, usage: Some(Metered::default()) };
    Turn::Answer { after: Duration::ZERO, completion }
}

fn fails(kind: CallFailure) -> Turn {
    Turn::Fail { after: Duration::ZERO, error: BackendError::new(kind, "a scripted failure") }
}

fn codes(answer: &Value) -> Vec<&str> {
    let warnings = answer["warnings"].as_array().unwrap().iter();
    warnings.map(|warning| warning["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn posts_of_the_first_answer_end_as_it_did_whatever_the_second_was() {
    let app = ScriptedApp::with(&[("ROUTING__MAX_RETRIES", "0")]).await;
    let models = Request::get(app.api, "/v1/models").send().await.json();
    let chains = models["chains"].as_array().unwrap();
    let chain = chains.iter().find(|chain| chain["name"] == "default").unwrap();
    let [first, second] = [0, 1].map(|at| chain["models"][at].as_str().unwrap());
    let long = model_says("x", &"This sentence has six words. ".repeat(12));
    let cut = long[..long.len() / 2].to_owned();
    // The second answer is of another model, and useless: the first model's posts are told.
    app.backend.then(first, says(&long));
    app.backend.then(first, fails(CallFailure::Unavailable));
    app.backend.then(second, ends(&cut, StopReason::MaxTokens));
    let answer = send(&app, POSTS, posts(&["x"])).await.json();
    assert_eq!((&answer["finish_reason"], &answer["model"]), (&json!("stop"), &json!(first)), "{answer}");
    assert_eq!(codes(&answer), ["post_shortened"]);
    // Where the second answer is of use, it is the one that ended.
    app.backend.then(first, says(&long));
    app.backend.then(first, fails(CallFailure::Unavailable));
    app.backend.then(second, ends(&model_says("x", "Short now."), StopReason::EndTurn));
    let answer = send(&app, POSTS, posts(&["x"])).await.json();
    assert_eq!((&answer["finish_reason"], &answer["model"]), (&json!("stop"), &json!(second)), "{answer}");
    assert_eq!(codes(&answer), Vec::<&str>::new());
    assert_eq!(app.backend.calls().len(), 6);
}

/// A post of so many words' outline, for models that hold few tokens.
fn narrow(words: usize) -> Value {
    let outline: Vec<String> = vec!["word"; words].chunks(80).map(|point| point.join(" ")).collect();
    blog(json!({"length": "short", "output": "json", "chain": "narrow", "outline": outline}))
}

#[tokio::test]
async fn a_second_try_that_no_model_can_hold_with_the_first_answer_goes_without_it() {
    const MODEL: &str = "mistral.ministral-3-8b-instruct";
    let settings = [("MODELS__FILE", "tests/fixtures/parts.toml"), ("ROUTING__MAX_RETRIES", "0")];
    let app = ScriptedApp::with(&settings).await;
    let post = json!({"title": "A", "summary": "B", "sections": [], "tags": []}).to_string();
    for (garbage, is_shown) in [("Short garbage.".to_owned(), true), ("long garbage ".repeat(400), false)] {
        let before = app.backend.calls().len();
        app.backend.then(MODEL, says(&garbage));
        app.backend.then(MODEL, says(&post));
        let answer = send(&app, BLOG, narrow(1)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["data"]["title"], "A");
        let again = app.backend.calls().remove(before + 1).prompt;
        assert!(again.system.contains("could not be used. It was no JSON."), "{}", again.system);
        assert_eq!(again.user.assemble().contains("garbage"), is_shown);
        assert_eq!(again.system.contains("<earlier-"), is_shown, "{}", again.system);
    }
}

#[tokio::test]
async fn a_first_answer_that_leaves_no_room_for_a_second_try_is_no_fault_of_the_text() {
    const MODEL: &str = "mistral.ministral-3-8b-instruct";
    let settings = [("MODELS__FILE", "tests/fixtures/parts.toml"), ("ROUTING__MAX_RETRIES", "0")];
    let app = ScriptedApp::with(&settings).await;
    let fits = async |words: usize| {
        let body = merged(narrow(words), json!({"task": "blog-post"}));
        send(&app, "/v1/measure", body).await.json()["fits"] == true
    };
    let (mut taken, mut refused) = (1, 2_000);
    assert!(fits(taken).await && !fits(refused).await);
    while taken + 1 < refused {
        let middle = usize::midpoint(taken, refused);
        if fits(middle).await { taken = middle } else { refused = middle }
    }
    // What is wrong with it takes more words than the plan left room for.
    let good = json!({"heading": "A", "text": "B"});
    let sections = [vec![good.clone(); 100], vec![merged(good, json!({"extra": 1})); 5]].concat();
    let poor = json!({"title": "A", "summary": "B", "sections": sections, "tags": []}).to_string();
    // No usage is told, so that nothing is learnt of sizes in between.
    let completion = Completion { text: poor, stop_reason: StopReason::EndTurn, usage: None };
    app.backend.then(MODEL, Turn::Answer { after: Duration::ZERO, completion });
    let answer = send(&app, BLOG, narrow(taken)).await;
    assert_problem(&answer, 502, "output_invalid");
    assert_eq!(app.backend.calls().len(), 1, "no model could be asked again");
}

#[tokio::test]
async fn a_second_try_that_a_provider_finds_too_long_is_no_fault_of_the_text() {
    const MODEL: &str = "mistral.ministral-3-8b-instruct";
    let settings = [("MODELS__FILE", "tests/fixtures/parts.toml"), ("ROUTING__MAX_RETRIES", "0")];
    let app = ScriptedApp::with(&settings).await;
    app.backend.then(MODEL, says("garbage"));
    app.backend.then(MODEL, fails(CallFailure::InputTooLong));
    let answer = send(&app, BLOG, narrow(1)).await;
    assert_problem(&answer, 502, "output_invalid");
    // At the first try it is.
    app.backend.then(MODEL, fails(CallFailure::InputTooLong));
    let answer = send(&app, BLOG, narrow(1)).await;
    assert_problem(&answer, 413, "input_too_large");
}
