//! The prompt cache: what is written, what is read, and what the usage says of both.

use std::time::Duration;

use bedrock_sim::{CallRecord, Outcome, Scenario, Sim};
use serde_json::{Value, json};

use crate::client::{Open, PATIENCE, call, path, request, sim};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-6";
/// The fewest tokens that this model caches.
const LEAST: usize = 1_024;

fn cut() -> Value {
    json!({"cachePoint": {"type": "default"}})
}

/// A text of so many tokens.
fn text(tokens: usize) -> Value {
    json!({"text": "word".repeat(tokens)})
}

/// A prompt whose system is cut after so many tokens (three of which are the block's own).
fn prompt(system_tokens: usize) -> Value {
    let mut body = request();
    body["system"] = json!([text(system_tokens - 3), cut()]);
    body
}

fn with_points(count: usize) -> Value {
    let mut body = request();
    body["system"] = Value::Array([text(9)].into_iter().chain((0..count).map(|_| cut())).collect());
    body
}

async fn usage(sim: &Sim, model: &str, body: &Value) -> Value {
    let answer = call(sim, model, "converse", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["usage"].clone()
}

/// Input tokens, tokens read from the cache and tokens written to it.
fn told(usage: &Value) -> [u64; 3] {
    let both = |name: &str| {
        assert_eq!(usage[format!("{name}Count")], usage[format!("{name}s")], "{usage}");
        usage[format!("{name}s")].as_u64().unwrap()
    };
    let told =
        [usage["inputTokens"].as_u64().unwrap(), both("cacheReadInputToken"), both("cacheWriteInputToken")];
    let sum = told.iter().sum::<u64>() + usage["outputTokens"].as_u64().unwrap();
    assert_eq!(usage["totalTokens"], sum, "the total holds all of them");
    told
}

fn billed(call: &CallRecord) -> [u64; 3] {
    [call.billed_input_tokens, call.billed_cache_read_input_tokens, call.billed_cache_write_input_tokens]
}

#[tokio::test]
async fn the_first_call_writes_and_later_ones_read() {
    let sim = sim().await;
    let plain = usage(&sim, CLAUDE, &request()).await;
    let names: Vec<&String> = plain.as_object().unwrap().keys().collect();
    assert_eq!(names, ["inputTokens", "outputTokens", "serverToolUsage", "totalTokens"]);
    let rest = plain["inputTokens"].as_u64().unwrap();
    let body = prompt(1_500);
    assert_eq!(told(&usage(&sim, CLAUDE, &body).await), [rest, 0, 1_500]);
    assert_eq!(told(&usage(&sim, CLAUDE, &body).await), [rest, 1_500, 0]);
    let streamed = call(&sim, CLAUDE, "converse-stream", &body).await.events();
    assert_eq!(told(&streamed.last().unwrap().payload["usage"]), [rest, 1_500, 0]);
    let other = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(told(&usage(&sim, other, &body).await), [rest, 0, 1_500], "each model has its own");
    let calls = sim.calls();
    let seen: Vec<[u64; 3]> = calls.iter().map(billed).collect();
    assert_eq!(seen, [[rest, 0, 0], [rest, 0, 1_500], [rest, 1_500, 0], [rest, 1_500, 0], [rest, 0, 1_500]]);
}

#[tokio::test]
async fn a_longer_prompt_reads_what_is_known_of_it_and_writes_the_rest() {
    let sim = sim().await;
    let short = prompt(1_500);
    usage(&sim, CLAUDE, &short).await;
    let mut long = short.clone();
    long["messages"] = json!([{"role": "user", "content": [text(400), cut(), text(10)]}]);
    // The message's own three tokens come at its end.
    assert_eq!(told(&usage(&sim, CLAUDE, &long).await), [10 + 3, 1_500, 400]);
    assert_eq!(told(&usage(&sim, CLAUDE, &long).await), [10 + 3, 1_900, 0]);
    long["system"][0] = text(1_496);
    assert_eq!(told(&usage(&sim, CLAUDE, &long).await), [10 + 3, 0, 1_899], "another beginning");
}

#[tokio::test]
async fn a_prefix_below_the_models_minimum_is_plain_input() {
    let sim = sim().await;
    for (model, least) in [(CLAUDE, LEAST), ("us.amazon.nova-micro-v1:0", 1_536), ("sim.normal", LEAST)] {
        let [rest, _, written] = told(&usage(&sim, model, &prompt(least)).await);
        assert_eq!(written, least as u64, "{model}");
        for _ in 0..2 {
            let below = usage(&sim, model, &prompt(least - 1)).await;
            assert_eq!(told(&below), [rest + least as u64 - 1, 0, 0], "{model}");
        }
    }
}

#[tokio::test]
async fn a_prefix_is_forgotten_after_its_time_and_each_use_begins_it_anew() {
    let sim = sim().await;
    let mut body = prompt(1_500);
    let read = async |body: &Value| told(&usage(&sim, CLAUDE, body).await)[1];
    let pass = async |seconds| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
    };
    assert_eq!(read(&body).await, 0);
    pass(200).await;
    assert_eq!(read(&body).await, 1_500);
    pass(200).await;
    assert_eq!(read(&body).await, 1_500);
    pass(301).await;
    assert_eq!(read(&body).await, 0);
    body["system"][1]["cachePoint"]["ttl"] = json!("1h");
    assert_eq!(read(&body).await, 1_500);
    pass(3_000).await;
    assert_eq!(read(&body).await, 1_500, "a point may keep its prefix for an hour");
}

#[tokio::test]
async fn a_prefix_is_known_from_when_the_answer_begins() {
    let sim = sim().await;
    let body = prompt(1_500).to_string();
    sim.set_scenario_times(CLAUDE, Scenario::SlowFirstEvent { wait_ms: 60_000 }, 1);
    sim.set_scenario_times(CLAUDE, Scenario::Stall { after_deltas: 1, for_ms: None }, 1);
    let open = async || Open::post(&sim, &path(CLAUDE, "converse-stream"), body.as_bytes()).await;
    let silent = open().await;
    sim.wait_for_call(|call| call.sequence == 1 && call.outcome == Outcome::InProgress, PATIENCE)
        .await
        .unwrap();
    let mut stalled = open().await;
    stalled.until_events(2).await;
    let last = usage(&sim, CLAUDE, &prompt(1_500)).await;
    assert_eq!(told(&last)[1], 1_500, "the stalled answer had begun");
    drop((silent, stalled));
    let gone = async |sequence| {
        let left = |call: &CallRecord| call.sequence == sequence && call.outcome == Outcome::ClientGone;
        sim.wait_for_call(left, PATIENCE).await.unwrap()
    };
    assert_eq!(billed(&gone(2).await)[1..], [0, 1_500], "the silent one had not");
    assert_eq!(gone(1).await.billed_cache_write_input_tokens, 1_500);
}

#[tokio::test]
async fn refused_calls_leave_nothing_in_the_cache() {
    let sim = sim().await;
    sim.set_scenario_times("*", Scenario::HtmlBadGateway, 1);
    assert_eq!(call(&sim, CLAUDE, "converse", &prompt(1_500)).await.status, 502);
    assert_eq!(told(&usage(&sim, CLAUDE, &prompt(1_500)).await)[1..], [0, 1_500]);
    let calls = sim.calls();
    assert_eq!((billed(&calls[0]), calls[1].billed_cache_write_input_tokens), ([0; 3], 1_500));
}

#[tokio::test]
async fn models_without_a_cache_refuse_cache_points() {
    let sim = sim().await;
    let text = "You invoked an unsupported model or your request did not allow prompt caching. See the \
                documentation for more information.";
    let mut in_tools = request();
    let tool = json!({"toolSpec": {"name": "t", "inputSchema": {"json": {}}}});
    in_tools["toolConfig"] = json!({"tools": [tool, cut()]});
    for body in [prompt(1_500), in_tools] {
        for model in ["openai.gpt-6-sol", "moonshotai.kimi-k3", "deepseek.v3.2"] {
            for operation in ["converse", "converse-stream"] {
                let answer = call(&sim, model, operation, &body).await;
                assert_eq!(answer.status, 403, "{model}");
                assert!(answer.header("x-amzn-errortype").unwrap().starts_with("AccessDeniedException"));
                assert_eq!(answer.json(), json!({"message": text}));
            }
        }
    }
}

#[tokio::test]
async fn four_cache_points_are_the_most() {
    let sim = sim().await;
    assert_eq!(call(&sim, CLAUDE, "converse", &with_points(4)).await.status, 200);
    let refused = call(&sim, CLAUDE, "converse", &with_points(5)).await;
    assert_eq!(refused.status, 400);
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("A maximum of 4 blocks with cache_control may be provided. Found 5."),
        "{message}"
    );
}
