//! The bill in the shadow: over a thousand random requests with faults, the counters
//! say what the simulator says that it billed.
//!
//! What a model told is counted to the token. What it could not tell, because its
//! answer broke off, is an estimate, is counted as one, and is near the truth.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_sim::{CallRecord, Outcome, Scenario, Sim, SimOptions};
use futures_util::StreamExt as _;
use futures_util::stream;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::support::{Request, TestApp, series};

const REQUESTS: usize = 1000;
const AT_ONCE: usize = 12;
const SEED: u64 = 20_261_127;

/// What may happen to a call; none of it takes long.
const FAULTS: &str = r#"{"kind": "mix", "percent": 25, "seed": 11, "of": [
    "throttling", "internal-server", "service-unavailable", "model-error", "model-not-ready", "html-bad-gateway",
    "untyped-throttling", "input-too-long", "reset-before-headers", "stream-throttling", "stream-internal-server-late",
    "stream-model-stream-error-late", "cut-mid-frame", "cut-between-frames", "reset-mid-stream",
    "end-without-message-stop", "end-without-metadata", "empty-content", "empty-text", "reasoning", "gpt-oss-order",
    "corrupt-crc", "garbage-frames", "duplicate-stop", "stop-max-tokens", "stop-content-filtered",
    "stop-malformed-model-output", "stop-guardrail-intervened", "unknown-event"]}"#;

const SENTENCES: [&str; 8] = [
    "On 3 March 2025 the city of Graz opened a bridge of 120 m for cyclists.",
    "It cost 4.2 million euros and took two years to build.",
    "Traffic on the old bridge fell by 38 % within a month.",
    "Die Anrainer hatten sich lange gegen den Bau gewehrt.",
    "Engineer Ana Horvat said that it should have been built ten years ago.",
    "橋は毎日五千人が渡る。",
    "The council will decide in May whether a second one follows.",
    "Nobody counted the pedestrians, who use it all the same.",
];

/// A request that could be anybody's.
fn request(app: &TestApp, random: &mut SmallRng) -> Request {
    let task = ["summarize", "rephrase", "expand"].choose(random).unwrap();
    let sentences = random.random_range(1..60);
    let text: Vec<&str> = (0..sentences).map(|_| *SENTENCES.choose(random).unwrap()).collect();
    let mut body = json!({"text": text.join(" ")});
    if random.random_bool(0.3) {
        body["shared_context"] = "The readers live in Graz and know the city. ".repeat(40).into();
    }
    if random.random_bool(0.2) {
        body["preference"] = (*["speed", "capability"].choose(random).unwrap()).into();
    }
    if *task == "rephrase" && random.random_bool(0.2) {
        body["n"] = random.random_range(2..=5).into();
    }
    let stream = ["", "?stream=sse", "?stream=ndjson"].choose(random).unwrap();
    app.post(&format!("/v1/{task}{stream}"), body)
}

/// Tokens by model and class.
type Bill = BTreeMap<(String, &'static str), f64>;

const CLASSES: [&str; 4] = ["input", "output", "cache_read", "cache_write"];

/// Whether the answer in JSON or the `metadata` event said what it took.
fn was_told(call: &CallRecord) -> bool {
    call.outcome == Outcome::Completed && call.scenario != Scenario::EndWithoutMetadata
}

fn billed(calls: &[&CallRecord]) -> Bill {
    let mut bill = Bill::new();
    for call in calls {
        let tokens = [
            call.billed_input_tokens,
            call.billed_output_tokens,
            call.billed_cache_read_input_tokens,
            call.billed_cache_write_input_tokens,
        ];
        for (class, tokens) in CLASSES.into_iter().zip(tokens) {
            *bill.entry((call.model_id.clone(), class)).or_default() += whole(tokens);
        }
    }
    bill
}

fn whole(tokens: u64) -> f64 {
    u32::try_from(tokens).expect("the simulator bills no more").into()
}

/// The sum over all tasks of a counter, for a model and a class.
fn counted(metrics: &str, name: &str, model: &str, class: &str) -> f64 {
    let of_task = |task: &str| {
        let labels = [("task", task), ("model", model), ("direction", class)];
        series(metrics, name, &labels).unwrap_or_default()
    };
    ["summarize", "rephrase", "expand"].map(of_task).iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_say_what_was_billed() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    sim.set_scenario("*", serde_json::from_str(FAULTS).unwrap());
    // A target that is left alone for its failures would only make the test smaller.
    let app =
        TestApp::over(sim, &[("BREAKER__CONSECUTIVE_FAILURES", "1000"), ("BREAKER__FAILURE_PERCENT", "100")])
            .await;
    let mut random = SmallRng::seed_from_u64(SEED);
    let requests: Vec<Request> = (0..REQUESTS).map(|_| request(&app, &mut random)).collect();
    let answered: usize = stream::iter(requests.into_iter().map(Request::send))
        .buffer_unordered(AT_ONCE)
        .map(|answer| usize::from(answer.status == 200))
        .fold(0, async |sum, one| sum + one)
        .await;
    assert!(answered > REQUESTS / 2, "{answered} answers");

    let calls = app.sim.calls();
    let metrics = app.metrics().await;
    let (told, untold): (Vec<&CallRecord>, Vec<&CallRecord>) = calls.iter().partition(|call| was_told(call));
    let (told, untold) = (billed(&told), billed(&untold));
    assert!(told.values().sum::<f64>() > 100_000.0 && untold.values().sum::<f64>() > 10_000.0);
    let mut estimates = (0.0, 0.0);
    for ((model, class), tokens) in &told {
        let all = counted(&metrics, "redraft_tokens_total", model, class);
        let estimated = counted(&metrics, "redraft_estimated_tokens_total", model, class);
        assert_eq!(all - estimated, *tokens, "{class} of {model}, told");
        let untold = untold.get(&(model.clone(), class)).copied().unwrap_or_default();
        if *class != "output" {
            estimates = (estimates.0 + estimated, estimates.1 + untold);
        }
    }
    // Over all models: those that answer little have not yet shown how they count.
    let (estimated, untold) = estimates;
    assert!((estimated / untold - 1.0).abs() < 0.15, "input: estimated {estimated}, billed {untold}");
    let costs = costs(&app.get("/v1/models").send().await.json(), &metrics, &told);
    assert!(costs > 0.0);
}

/// Holds the cost counters to the prices that the service shows; returns their sum.
fn costs(catalogue: &Value, metrics: &str, bill: &Bill) -> f64 {
    let models: BTreeSet<&str> = bill.keys().map(|(model, _)| model.as_str()).collect();
    let mut sum = 0.0;
    for model in models {
        let known =
            catalogue["models"].as_array().unwrap().iter().find(|known| known["id"] == model).unwrap();
        for (tokens, costs) in [
            ("redraft_tokens_total", "redraft_cost_usd_total"),
            ("redraft_estimated_tokens_total", "redraft_estimated_cost_usd_total"),
        ] {
            let price = |class: &str| known["usd_per_million_tokens"][class].as_f64().unwrap_or_default();
            let expected: f64 =
                CLASSES.map(|class| counted(metrics, tokens, model, class) * price(class) / 1e6).iter().sum();
            let found: f64 = ["summarize", "rephrase", "expand"]
                .map(|task| series(metrics, costs, &[("task", task), ("model", model)]).unwrap_or_default())
                .iter()
                .sum();
            assert!((found - expected).abs() < 1e-9, "{costs} of {model}: {found}, expected {expected}");
            sum += found;
        }
    }
    sum
}
