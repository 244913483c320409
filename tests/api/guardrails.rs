//! Guardrails: what they look at, what a block means, and that nobody goes around them.

use bedrock_sim::{CallRecord, GuardrailRules, MaskedPhrase, Operation, Outcome, Scenario, StopReason};
use serde_json::{Value, json};

use crate::support::book::Book;
use crate::support::{Answer, TestApp};
use crate::validation::assert_problem;

/// What the simulator's guardrails block in an input.
const FORBIDDEN: &str = "SIMULATED FORBIDDEN TOPIC";
const WORDS: &str = "Sorry, the simulated guardrail blocked this.";
const SMALL_PARTS: [(&str, &str); 3] = [
    ("DOCUMENTS__TARGET_CHUNK_TOKENS", "400"),
    ("DOCUMENTS__TARGET_ANSWER_TOKENS", "400"),
    ("FANOUT__MAX_PARALLEL", "3"),
];

async fn app(settings: &[(&str, &str)]) -> TestApp {
    let models = [("MODELS__FILE", "tests/fixtures/guarded.toml")];
    TestApp::with(&models.iter().chain(settings).copied().collect::<Vec<_>>()).await
}

async fn send(app: &TestApp, path: &str, body: Value) -> Answer {
    app.post(path, body).send().await
}

/// Blocks answers that hold this, and nothing else.
fn blocks_answers(app: &TestApp, phrase: &str) {
    let rules = GuardrailRules {
        blocked_input: Vec::new(),
        blocked_output: vec![phrase.to_owned()],
        ..GuardrailRules::default()
    };
    app.sim.set_guardrail("*", rules);
}

#[tokio::test]
async fn only_the_document_stands_where_the_guardrail_looks() {
    let app = app(&[]).await;
    let body = json!({"text": "A door. A key. A lock.", "context": format!("About the {FORBIDDEN}.")});
    assert_eq!(send(&app, "/v1/summarize", body).await.status, 200, "the rules and the context trip nothing");
    let request = app.sim.calls()[0].request().clone();
    assert_eq!(
        request["guardrailConfig"],
        json!({"guardrailIdentifier": "gr1refuses", "guardrailVersion": "3", "trace": "disabled"})
    );
    let content = request["messages"][0]["content"].as_array().unwrap();
    let guarded: Vec<&Value> = content.iter().filter(|block| block.get("guardContent").is_some()).collect();
    assert_eq!(guarded.len(), 1);
    assert_eq!(guarded[0]["guardContent"]["text"]["text"], "A door. A key. A lock.");
    assert!(content[0]["text"].as_str().unwrap().starts_with("<document-"));
}

#[tokio::test]
async fn a_blocked_document_is_refused_without_a_word_of_the_guardrail_and_never_routed_around() {
    let app = app(&[]).await;
    let body = json!({"text": format!("A door. The {FORBIDDEN} is here. A lock.")});
    for path in ["/v1/summarize", "/v1/summarize?stream=ndjson", "/v1/summarize?stream=sse"] {
        app.sim.clear_calls();
        let answer = send(&app, path, body.clone()).await;
        let text = answer.text();
        assert!(text.contains("content_filtered") && !text.contains("simulated guardrail"), "{path}: {text}");
        assert!(!text.contains("trace") && !text.contains(FORBIDDEN), "{path}: {text}");
        assert!(!text.contains("delta"), "{path}: the guardrail's words are no answer: {text}");
        assert_eq!(app.sim.calls().len(), 1, "{path}: not repeated, and no other model is asked");
    }
    let problem = assert_problem(&send(&app, "/v1/summarize", body).await, 422, "content_filtered");
    assert_eq!(problem["retryable"], false);
    let tokens = [("task", "summarize"), ("model", "us.amazon.nova-pro-v1:0"), ("direction", "input")];
    assert_eq!(app.metric("redraft_tokens_total", &tokens).await, 0.0, "no model ran, and none is billed");
}

#[tokio::test]
async fn where_the_catalogue_says_so_the_guardrails_words_are_the_answer() {
    let app = app(&[]).await;
    let body = json!({"text": format!("The {FORBIDDEN}."), "chain": "answering"});
    let answer = send(&app, "/v1/summarize", body.clone()).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!((&answer["text"], &answer["finish_reason"]), (&json!(WORDS), &json!("content_filter")));
    assert_eq!(answer["warnings"][0]["code"], "guardrail_intervened");
    assert_eq!(answer["usage"]["total_tokens"], 0);
    assert_eq!(answer["cost"]["estimated"], false);
    let text = answer.to_string();
    assert!(!text.contains("Assessment") && !text.contains("actionReason"), "a trace is nobody's business");
    let stream = send(&app, "/v1/summarize?stream=sse", body).await.sse();
    stream.assert_grammar();
    assert_eq!(stream.text(), WORDS);
    assert!(stream.all("warning").any(|frame| frame.data["code"] == "guardrail_intervened"));
}

#[tokio::test]
async fn a_blocked_answer_is_refused_whole_or_in_pieces() {
    let app = app(&[]).await;
    blocks_answers(&app, "lock");
    let body = json!({"text": "A door of oak. A key of iron. A lock of brass, as old as the house itself."});
    assert_problem(&send(&app, "/v1/summarize", body.clone()).await, 422, "content_filtered");
    // While it is looked at before it leaves, nothing of it was told.
    let stream = send(&app, "/v1/summarize?stream=sse", body.clone()).await.sse();
    assert_eq!(stream.one("error")["error"]["code"], "content_filtered");
    assert!(!stream.text().contains("guardrail"), "{}", stream.text());
    // While it is looked at as it leaves, the good words may have gone before.
    let mut body = body;
    body["chain"] = "hasty".into();
    let stream = send(&app, "/v1/summarize?stream=sse", body).await.sse();
    assert_eq!(stream.one("error")["error"]["code"], "content_filtered");
    assert!(!stream.text().contains("guardrail"), "{}", stream.text());
    let asked: Vec<Value> =
        app.sim.calls().iter().map(|call| call.request()["guardrailConfig"].clone()).collect();
    assert_eq!(asked[1]["streamProcessingMode"], "sync");
    assert_eq!(asked[2]["streamProcessingMode"], "async");
}

#[tokio::test]
async fn a_task_brings_its_guardrail_to_every_chain() {
    let app = app(&[]).await;
    let body = json!({"text": "A door. A key. A lock.", "chain": "free"});
    send(&app, "/v1/rephrase", body.clone()).await;
    send(&app, "/v1/summarize", body).await;
    let asked: Vec<Value> =
        app.sim.calls().iter().map(|call| call.request()["guardrailConfig"].clone()).collect();
    assert_eq!(asked[0]["guardrailIdentifier"], "gr2answers");
    assert_eq!(asked[0]["trace"], "enabled");
    assert_eq!(asked[1], Value::Null, "a chain without a guardrail, for a task without one");
}

#[tokio::test]
async fn a_long_document_is_looked_at_before_any_model_is_called() {
    let app = app(&SMALL_PARTS).await;
    let book = Book::small(20, 40_000);
    let good = json!({"text": book.text, "strategy": "map-reduce"});
    assert_eq!(send(&app, "/v1/summarize", good).await.status, 200);
    let calls = app.sim.calls();
    let looks: Vec<_> = calls.iter().filter(|call| call.operation == Operation::ApplyGuardrail).collect();
    let first_model = calls.iter().find(|call| call.operation != Operation::ApplyGuardrail).unwrap();
    assert!(looks.len() > 1 && looks.iter().all(|look| look.ended.unwrap() <= first_model.began));
    let looked_at = |look: &CallRecord| look.request()["content"][0]["text"]["text"].as_str().unwrap().len();
    let bytes: usize = looks.iter().map(|look| looked_at(look)).sum();
    let most = book.text.len() + 1000 * looks.len();
    assert!((book.text.len()..most).contains(&bytes), "all of it, and a little of it twice: {bytes}");
    let labels = |result: &'static str| [("guardrail", "refusing"), ("result", result)];
    assert_eq!(app.metric("redraft_guardrail_screenings_total", &labels("passed")).await, 1.0);

    app.sim.clear_calls();
    let bad = json!({"text": format!("{} The {FORBIDDEN} comes last.", book.text), "strategy": "map-reduce"});
    assert_problem(&send(&app, "/v1/summarize", bad.clone()).await, 422, "content_filtered");
    let stream = send(&app, "/v1/summarize?stream=sse", bad.clone()).await.sse();
    assert_eq!(stream.one("error")["error"]["code"], "content_filtered");
    assert!(
        app.sim.calls().iter().all(|call| call.operation == Operation::ApplyGuardrail),
        "a blocked document costs no model call"
    );
    assert_eq!(app.metric("redraft_guardrail_screenings_total", &labels("blocked")).await, 2.0);
    let mut bad = bad;
    bad["chain"] = "answering".into();
    let answer = send(&app, "/v1/summarize", bad).await.json();
    assert_eq!((&answer["text"], &answer["finish_reason"]), (&json!(WORDS), &json!("content_filter")));
    assert_eq!((&answer["usage"]["total_tokens"], &answer["usage"]["model_calls"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_guardrail_that_cannot_look_lets_nothing_pass() {
    let app = app(&SMALL_PARTS).await;
    let body = json!({"text": Book::small(20, 12_000).text, "strategy": "map-reduce"});
    app.sim.set_scenario("gr1refuses", Scenario::from(bedrock_sim::ApiError::NotAuthorized));
    let problem = assert_problem(&send(&app, "/v1/summarize", body.clone()).await, 502, "upstream_auth");
    assert!(problem["detail"].as_str().unwrap().contains("content policy"), "{problem}");
    assert!(app.sim.calls().iter().all(|call| call.operation == Operation::ApplyGuardrail));
    app.sim.clear_scenarios();
    assert_eq!(send(&app, "/v1/summarize", body).await.status, 200);
    assert!(app.sim.calls().iter().all(|call| call.outcome != Outcome::ClientGone));
    let failed = [("guardrail", "refusing"), ("result", "failed")];
    assert_eq!(app.metric("redraft_guardrail_screenings_total", &failed).await, 1.0);
}

#[tokio::test]
async fn a_busy_guardrail_is_asked_again() {
    let app = app(&[("ROUTING__BACKOFF_BASE_MS", "1"), SMALL_PARTS[0], SMALL_PARTS[2]]).await;
    app.sim.set_scenario_times("gr1refuses", Scenario::from(bedrock_sim::ApiError::ThrottlingRequests), 3);
    let body = json!({"text": Book::small(20, 12_000).text, "strategy": "map-reduce"});
    assert_eq!(send(&app, "/v1/summarize", body).await.status, 200);
}

#[tokio::test]
async fn an_intervention_that_no_guardrail_was_asked_for_is_refused_too() {
    let app = app(&[]).await;
    app.sim.set_scenario("*", Scenario::StopReason { reason: StopReason::GuardrailIntervened });
    let body = json!({"text": "A door. A key. A lock.", "chain": "free"});
    assert_problem(&send(&app, "/v1/summarize", body).await, 422, "content_filtered");
}

#[tokio::test]
async fn a_stream_that_breaks_behind_the_guardrails_words_does_not_tell_them() {
    let app = app(&[]).await;
    let body = json!({"text": format!("A door. The {FORBIDDEN}.")});
    for scenario in ["cut-between-frames", "end-without-message-stop", "garbage-frames"] {
        let scenario = json!({"kind": scenario, "after_deltas": 1});
        app.sim.set_scenario("us.amazon.nova-pro-v1:0", serde_json::from_value(scenario).unwrap());
        let answer = send(&app, "/v1/summarize?stream=sse", body.clone()).await;
        assert!(!answer.text().contains("guardrail blocked"), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_only_masked_is_an_answer_where_the_guardrail_is_asked_for_its_trace() {
    let app = app(&[]).await;
    let rules = GuardrailRules {
        blocked_input: Vec::new(),
        blocked_output: Vec::new(),
        masked: vec![MaskedPhrase { phrase: "brass".to_owned(), name: "METAL".to_owned() }],
        ..GuardrailRules::default()
    };
    app.sim.set_guardrail("*", rules);
    let text = "A lock of brass hangs on the door.";
    let traced = json!({"text": text, "chain": "answering"});
    let answer = send(&app, "/v1/summarize", traced.clone()).await.json();
    assert_eq!(answer["finish_reason"], "stop", "{answer}");
    assert!(!answer["warnings"].to_string().contains("guardrail"), "{answer}");
    assert!(answer["text"].as_str().unwrap().contains("{METAL}"), "{answer}");
    let stream = send(&app, "/v1/summarize?stream=sse", traced).await.sse();
    stream.assert_grammar();
    assert_eq!(stream.one("done")["finish_reason"], "stop");
    assert!(stream.text().contains("{METAL}") && !stream.text().contains("brass"));
    let untraced = json!({"text": text});
    assert_problem(&send(&app, "/v1/summarize", untraced).await, 422, "content_filtered");
}

#[tokio::test]
async fn a_blocked_part_ends_the_request_whatever_is_to_be_done_without_it() {
    let app = app(&SMALL_PARTS).await;
    let book = Book::small(20, 12_000);
    let word = book.text.split(' ').nth(900).unwrap();
    blocks_answers(&app, word.trim_matches(|c: char| !c.is_alphanumeric()));
    for (path, strategy) in
        [("/v1/summarize", "map-reduce"), ("/v1/summarize", "refine"), ("/v1/rephrase", "")]
    {
        for on_chunk_error in ["fail", "skip"] {
            let mut body = json!({"text": book.text, "chain": "guarded", "on_chunk_error": on_chunk_error});
            if !strategy.is_empty() {
                body["strategy"] = strategy.into();
            }
            let answer = send(&app, path, body).await;
            assert_problem(&answer, 422, "content_filtered");
        }
    }
}

#[tokio::test]
async fn what_is_quoted_of_the_document_is_looked_at_wherever_it_stands() {
    let app = app(&SMALL_PARTS).await;
    let text = Book::small(20, 12_000).text;
    for path in ["/v1/summarize", "/v1/rephrase"] {
        app.sim.clear_calls();
        let body = json!({"text": text, "chain": "guarded"});
        assert_eq!(send(&app, path, body).await.status, 200, "{path}");
        let calls = app.sim.calls().into_iter().filter(|call| call.operation != Operation::ApplyGuardrail);
        for call in calls {
            let request = call.request();
            let blocks = ["system", "messages"].into_iter().flat_map(|place| match place {
                "system" => request["system"].as_array().cloned().unwrap_or_default(),
                _ => request["messages"][0]["content"].as_array().cloned().unwrap_or_default(),
            });
            let open: String = blocks.filter_map(|block| block["text"].as_str().map(str::to_owned)).collect();
            let quoted = text.split(". ").filter(|sentence| sentence.len() > 40 && open.contains(sentence));
            assert_eq!(quoted.collect::<Vec<_>>(), [""; 0], "{path}");
        }
    }
}
