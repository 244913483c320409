//! Several suggestions for one text: side by side, distinct, and each paid for once.

mod missing;

use bedrock_sim::{ApiError, CallRecord, Scenario, StopReason};
use serde_json::{Value, json};

use crate::support::book::Book;
use crate::support::{Answer, TestApp, Transcript};
use crate::validation::assert_problem;

const TEXT: &str = "We cannot ship your order today because the warehouse is closed.";
/// Short enough for the simulator's author to know but one way to say it at first.
const SHORT: &str = "We are closed.";
/// Too short to be said in any other way.
const SHORTEST: &str = "Stop!";

/// A chain of one model, which is asked once.
const ALONE: [(&str, &str); 2] =
    [("MODELS__FILE", "tests/fixtures/parts.toml"), ("ROUTING__MAX_RETRIES", "0")];
const MODEL: &str = "us.amazon.nova-micro-v1:0";

async fn alone(settings: &[(&str, &str)]) -> TestApp {
    TestApp::with(&ALONE.iter().chain(settings).copied().collect::<Vec<_>>()).await
}

fn body(text: &str, n: u32) -> Value {
    json!({"text": text, "n": n})
}

fn alone_body(text: &str, n: u32) -> Value {
    json!({"text": text, "n": n, "chain": "alone"})
}

async fn answered(app: &TestApp, body: Value) -> Value {
    let answer = app.post("/v1/rephrase", body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn streamed(app: &TestApp, body: Value) -> Transcript {
    let answer = app.post("/v1/rephrase?stream=sse", body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stream = answer.sse();
    stream.assert_grammar();
    stream
}

/// Numbers and texts.
fn told(answer: &Value) -> Vec<(u64, String)> {
    let entry =
        |entry: &Value| (entry["index"].as_u64().unwrap(), entry["text"].as_str().unwrap().to_owned());
    answer["suggestions"].as_array().unwrap().iter().map(entry).collect()
}

fn numbers(answer: &Value) -> Vec<u64> {
    told(answer).into_iter().map(|(number, _)| number).collect()
}

fn warnings(answer: &Value) -> Vec<(&str, &str)> {
    let warnings = answer["warnings"].as_array().unwrap().iter();
    warnings.map(|warning| (warning["code"].as_str().unwrap(), warning["detail"].as_str().unwrap())).collect()
}

fn system(call: &CallRecord) -> String {
    call.request()["system"].as_array().unwrap().iter().filter_map(|block| block["text"].as_str()).collect()
}

/// The number that a call was told to be.
fn number(call: &CallRecord) -> u64 {
    let system = system(call);
    let place = system.split("This is suggestion ").nth(1).unwrap();
    place.split(' ').next().unwrap().parse().unwrap()
}

fn assert_distinct(texts: &[(u64, String)]) {
    let bare =
        |text: &str| -> String { text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect() };
    for (at, (number, text)) in texts.iter().enumerate() {
        let earlier = texts[..at].iter().find(|(_, other)| bare(other) == bare(text));
        assert!(earlier.is_none(), "{number} says what {earlier:?} says");
    }
}

#[tokio::test]
async fn each_suggestion_has_words_of_its_own_and_the_first_is_the_answer() {
    let app = TestApp::start().await;
    for n in 2..=5 {
        app.sim.clear_calls();
        let answer = answered(&app, body(TEXT, n)).await;
        let told = told(&answer);
        assert_eq!(numbers(&answer), (0..u64::from(n)).collect::<Vec<_>>());
        assert_distinct(&told);
        assert_eq!(answer["text"], told[0].1);
        assert_eq!((&answer["strategy"], &answer["chunks"]["total"]), (&json!("several"), &json!(1)));
        assert!(answer["suggestions"].as_array().unwrap().iter().all(|suggestion| {
            suggestion["finish_reason"] == "stop" && suggestion["model"] == answer["model"]
        }));
        assert_eq!(warnings(&answer), []);
        let mut asked: Vec<u64> = app.sim.calls().iter().map(number).collect();
        asked.sort_unstable();
        assert_eq!(asked, (1..=u64::from(n)).collect::<Vec<_>>(), "one call for each");
        for call in app.sim.calls() {
            let (_, text) = &told[usize::try_from(number(&call)).unwrap() - 1];
            assert_eq!(call.text.as_deref(), Some(text.as_str()), "each is what its own call gave");
        }
    }
    for body in [json!({"text": TEXT}), body(TEXT, 1)] {
        let one = answered(&app, body).await;
        assert_eq!((one.get("suggestions"), &one["strategy"]), (None, &json!("single")));
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_stream_tells_each_when_it_is_ready_and_its_deltas_are_the_first() {
    let app = alone(&[]).await;
    app.sim.set_scenario_times(MODEL, Scenario::SlowHeaders { wait_ms: 400 }, 1);
    let mut request = alone_body(TEXT, 3);
    request["include"] = json!(["text"]);
    let stream = streamed(&app, request.clone()).await;
    assert_eq!(
        stream.outline(),
        ["start", "suggestion", "suggestion", "suggestion", "delta", "usage", "done"]
    );
    let suggestions: Vec<&Value> = stream.all("suggestion").map(|frame| &frame.data).collect();
    let slow = app.sim.calls().iter().find(|call| call.scenario != Scenario::Normal).map(number).unwrap();
    assert_eq!(suggestions[2]["index"], slow - 1, "the slow one comes last, whatever its number");
    let first = suggestions.iter().find(|suggestion| suggestion["index"] == 0).unwrap();
    assert_eq!(stream.text(), first["text"].as_str().unwrap());
    let done = stream.one("done");
    assert_eq!((&done["text"], &done["model"]), (&first["text"], &first["model"]));
    assert_eq!(done["output_chars"], stream.text().chars().count());
    assert_eq!(stream.one("start")["strategy"], "several");
    assert_eq!(stream.one("usage")["timing"]["time_to_first_token_ms"], Value::Null);
    let whole = answered(&app, request.clone()).await;
    assert_eq!(whole["text"], stream.text());
    let lines = app.post("/v1/rephrase?stream=ndjson", request).send().await.ndjson();
    lines.assert_grammar();
    assert_eq!((lines.text(), lines.all("suggestion").count()), (stream.text(), 3));
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_first_answer_longer_than_a_piece_comes_in_pieces() {
    let app = TestApp::start().await;
    let text = Book::small(10, 9_000).text;
    let stream = streamed(&app, body(&text, 2)).await;
    assert!(stream.all("delta").count() > 1);
    let first = stream.all("suggestion").find(|frame| frame.data["index"] == 0).unwrap();
    assert_eq!(stream.text(), first.data["text"].as_str().unwrap());
    assert!(app.stop().await);
}

#[tokio::test]
async fn one_that_repeats_another_is_asked_for_once_more() {
    let app = TestApp::start().await;
    let answer = answered(&app, body(SHORT, 3)).await;
    assert_eq!(numbers(&answer), [0, 1, 2]);
    assert_distinct(&told(&answer));
    assert_eq!((&answer["usage"]["model_calls"], warnings(&answer)), (&json!(5), vec![]));
    let calls = app.sim.calls();
    let again: Vec<&CallRecord> = calls.iter().filter(|call| system(call).contains("<taken-")).collect();
    assert_eq!(again.len(), 2);
    for call in again {
        let system = system(call);
        let fenced = system.rsplit("<taken-").next().unwrap();
        assert!(fenced.contains(&format!(">\n{SHORT}\n</taken-")), "{system}");
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn one_that_still_repeats_another_is_left_out_with_a_warning() {
    let app = TestApp::start().await;
    let answer = answered(&app, body(SHORTEST, 3)).await;
    assert_eq!((answer["text"].as_str(), told(&answer).len()), (Some(SHORTEST), 1));
    assert_eq!(answer["usage"]["model_calls"], 5);
    let kept = numbers(&answer)[0];
    let expected: Vec<String> = (0..3)
        .filter(|number| *number != kept)
        .map(|number| {
            let place = number + 1;
            format!("Suggestion {place} of 3 said the same as another one, also when it was asked for again.")
        })
        .collect();
    let expected: Vec<(&str, &str)> =
        expected.iter().map(|detail| ("fewer_suggestions", detail.as_str())).collect();
    assert_eq!(warnings(&answer), expected);
    let stream = streamed(&app, body(SHORTEST, 2)).await;
    assert_eq!(stream.outline(), ["start", "suggestion", "warning", "delta", "usage", "done"]);
    assert!(app.stop().await);
}

#[tokio::test]
async fn all_are_written_side_by_side_as_far_as_the_settings_allow() {
    for (most, peak) in [("8", 5), ("2", 2)] {
        let app = TestApp::with(&[("FANOUT__MAX_PARALLEL", most)]).await;
        app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 300 });
        let answer = answered(&app, body(TEXT, 5)).await;
        assert_eq!(numbers(&answer), [0, 1, 2, 3, 4]);
        assert_eq!(app.sim.peak_concurrency(|_| true), peak);
        assert!(app.stop().await);
    }
}

#[tokio::test]
async fn usage_and_cost_are_those_of_all_calls() {
    let app = alone(&[]).await;
    app.sim.set_scenario_times(MODEL, Scenario::Error { error: ApiError::ServiceUnavailable }, 1);
    for (text, calls) in [(TEXT, 3), (SHORT, 5)] {
        app.sim.clear_calls();
        let answer = answered(&app, alone_body(text, 3)).await;
        let billed = |of: fn(&CallRecord) -> u64| app.sim.calls().iter().map(of).sum::<u64>();
        let (input, output) =
            (billed(|call| call.billed_input_tokens), billed(|call| call.billed_output_tokens));
        let usage = &answer["usage"];
        assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(input), &json!(output)));
        assert_eq!(usage["model_calls"], calls);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let listed = (input as f64 * 0.035 + output as f64 * 0.14) / 1e6;
        let cost = answer["cost"]["usd"].as_f64().unwrap();
        assert!((cost - listed).abs() < 1e-9, "{cost} {listed}");
    }
    let tokens = [("task", "rephrase"), ("model", MODEL), ("direction", "output")];
    assert!(app.metric("redraft_tokens_total", &tokens).await > 0.0);
    assert!(app.stop().await);
}

#[tokio::test]
async fn one_that_is_cut_short_says_so() {
    let app = alone(&[]).await;
    app.sim.set_scenario_times(MODEL, Scenario::StopReason { reason: StopReason::MaxTokens }, 1);
    let answer = answered(&app, alone_body(TEXT, 3)).await;
    let cut = app.sim.calls().iter().find(|call| call.scenario != Scenario::Normal).map(number).unwrap() - 1;
    for suggestion in answer["suggestions"].as_array().unwrap() {
        let expected = if suggestion["index"] == cut { "length" } else { "stop" };
        assert_eq!(suggestion["finish_reason"], expected, "{suggestion}");
    }
    assert_eq!(warnings(&answer).iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["truncated"]);
    assert_eq!(answer["finish_reason"], answer["suggestions"][0]["finish_reason"]);
    assert!(app.stop().await);
}

#[tokio::test]
async fn what_cannot_be_a_number_of_suggestions_is_told() {
    let app = TestApp::start().await;
    let problems = |answer: &Answer| -> Vec<String> {
        let problem = assert_problem(answer, 422, "validation_failed");
        let errors = problem["errors"].as_array().unwrap().iter();
        errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    };
    for n in [json!(0), json!(6), json!(-1), json!(2.5), json!("3"), json!(true), json!([3])] {
        let answer = app.post("/v1/rephrase", json!({"text": TEXT, "n": n})).send().await;
        assert_eq!(problems(&answer), ["/n"], "{n}");
        assert!(answer.text().contains("a whole number from 1 to 5"), "{}", answer.text());
    }
    for path in ["/v1/summarize", "/v1/expand"] {
        assert_eq!(problems(&app.post(path, body(TEXT, 3)).send().await), ["/n"], "{path}");
    }
    for (path, accept) in [("/v1/rephrase?stream=text", "*/*"), ("/v1/rephrase", "text/plain")] {
        let several = json!({"text": " ", "n": 3, "tone": "rude"});
        let answer = app.post(path, several).header("accept", accept).send().await;
        let mut found = problems(&answer);
        found.sort_unstable();
        assert_eq!(found, ["/n", "/text", "/tone"], "{path}: all at once");
        assert!(answer.text().contains("Plain text cannot hold several suggestions."), "{}", answer.text());
        let one = app.post(path, body(TEXT, 1)).header("accept", accept).send().await;
        assert_eq!(one.status, 200, "{path}");
        assert_eq!(problems(&app.post(path, body(TEXT, 6)).header("accept", accept).send().await), ["/n"]);
    }
    let older = app.post("/api/rephrase", body(TEXT, 2)).send().await;
    assert_eq!(older.status, 422);
    assert!(older.json()["error"].as_str().unwrap().contains("/v1/rephrase"), "{}", older.text());
    assert_eq!(app.post("/api/rephrase", body(TEXT, 1)).send().await.status, 200);
    assert_eq!(app.sim.calls().len(), 3, "what is refused calls nothing");
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_file_can_have_several_suggestions_too() {
    let app = TestApp::start().await;
    let request = crate::support::Request::post(app.api, "/v1/rephrase?n=3&tone=more-formal");
    let answer = request.header("content-type", "text/plain").body(TEXT).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(numbers(&answer.json()), [0, 1, 2]);
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_text_that_is_worked_on_in_parts_has_one_answer() {
    let app = TestApp::with(&[
        ("DOCUMENTS__TARGET_CHUNK_TOKENS", "400"),
        ("DOCUMENTS__TARGET_ANSWER_TOKENS", "400"),
    ])
    .await;
    let text = Book::small(20, 8_000).text;
    let answer = app.post("/v1/rephrase", body(&text, 2)).send().await;
    let problem = assert_problem(&answer, 413, "input_too_large");
    assert!(problem["detail"].as_str().unwrap().contains("several suggestions"), "{problem}");
    let (requested, quota) = (problem["requested"].as_u64().unwrap(), problem["quota"].as_u64().unwrap());
    assert!(quota >= 400 && requested > quota, "{problem}");
    let measured = |body: Value| {
        let request = app.post("/v1/measure", body);
        async move { request.send().await.json() }
    };
    let told = measured(json!({"task": "rephrase", "text": text, "n": 2})).await;
    assert_eq!((&told["fits"], &told["refusal"]), (&json!(false), &json!("input_too_large")));
    assert_eq!((told["input_quota"].as_u64(), told["input_usage"].as_u64()), (Some(quota), Some(requested)));
    assert_eq!(app.sim.calls().len(), 0, "nothing was called");
    assert_eq!(answered(&app, body(&text, 1)).await["strategy"], "map_concat");
    // The longest that is taken is about as long as was told.
    let ends: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
    let (mut taken, mut refused) = (0, ends.len());
    while taken + 1 < refused {
        let middle = usize::midpoint(taken, refused);
        let told = measured(json!({"task": "rephrase", "text": &text[..ends[middle]], "n": 2})).await;
        if told["fits"] == true { taken = middle } else { refused = middle }
    }
    let fitting = &text[..ends[taken]];
    let usage = measured(json!({"task": "rephrase", "text": fitting, "n": 2})).await["input_usage"].clone();
    assert!(usage.as_u64().unwrap().abs_diff(quota) < 10, "{usage} of {quota}");
    assert_eq!(answered(&app, body(fitting, 2)).await["strategy"], "several");
    assert_eq!(answered(&app, body(fitting, 1)).await["strategy"], "single", "the same line for one");
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_measure_multiplies_and_the_limit_of_the_cost_counts_all() {
    let app = TestApp::start().await;
    let measured = |n: u32| {
        let request = app.post("/v1/measure", json!({"task": "rephrase", "text": TEXT, "n": n}));
        async move { request.send().await.json() }
    };
    let (one, three) = (measured(1).await, measured(3).await);
    assert_eq!((&one["model_calls"], &three["model_calls"]), (&json!(1), &json!(3)));
    assert_eq!(three["output_tokens"].as_u64(), one["output_tokens"].as_u64().map(|tokens| 3 * tokens));
    assert_eq!((&three["strategy"], &three["input_usage"]), (&json!("several"), &one["input_usage"]));
    let cost = |measure: &Value| measure["estimated_cost_usd"].as_f64().unwrap();
    let times = cost(&three) / cost(&one);
    assert!((3.0..4.0).contains(&times), "{times}: each is told a little more than one alone");
    let spent = answered(&app, body(TEXT, 3)).await["cost"]["usd"].as_f64().unwrap();
    let off = cost(&three) / spent - 1.0;
    assert!((-0.4..0.4).contains(&off), "{} told, {spent} spent", cost(&three));
    assert!(app.stop().await);
    let most = format!("{:.9}", 2.0 * cost(&one));
    let app = TestApp::with(&[("DOCUMENTS__MAX_COST_USD", &most)]).await;
    assert_eq!(app.post("/v1/rephrase", body(TEXT, 1)).send().await.status, 200);
    let answer = app.post("/v1/rephrase", body(TEXT, 3)).send().await;
    assert!(assert_problem(&answer, 413, "input_too_large")["max_cost_usd"].is_number());
    assert!(app.stop().await);
}

#[tokio::test]
async fn what_all_calls_begin_with_is_remembered_from_the_second_request_on() {
    let app = TestApp::with(&[("MODELS__FILE", "tests/fixtures/guarded.toml")]).await;
    let background = "The readers live in Graz and know every one of its bridges by name. ".repeat(90);
    let marks = |call: &CallRecord| {
        let blocks = call.request()["system"].as_array().cloned().unwrap_or_default();
        blocks.iter().filter(|block| block.get("cachePoint").is_some()).count()
    };
    let mut remembered = Vec::new();
    for n in [3, 3, 1, 3] {
        app.sim.clear_calls();
        let request = json!({"text": TEXT, "n": n, "shared_context": background, "chain": "remembering"});
        answered(&app, request).await;
        let calls = app.sim.calls();
        let read = calls.iter().filter(|call| call.billed_cache_read_input_tokens > 1024).count();
        remembered.push((calls.iter().map(marks).sum::<usize>(), read));
    }
    // Of the second request, those that come after the first has been read find it there.
    let [first, (marked, _), third, fourth] = remembered[..] else { panic!("{remembered:?}") };
    assert_eq!([first, third, fourth], [(0, 0), (1, 1), (3, 3)]);
    assert_eq!(marked, 3);
    assert!(app.stop().await);
}
