//! A whole book: nothing of it is lost, nothing is paid for twice, and the parts run
//! side by side.

use std::time::Duration;

use bedrock_sim::Scenario;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::asked::{Stage, asked, parts};
use super::{app, knows_texts, summary_of};
use crate::support::TestApp;
use crate::support::book::Book;

const CALL: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(60);

async fn summarized(app: &TestApp, body: Value) -> Value {
    let answer = app.post("/v1/summarize", body).patience(PATIENCE).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn every_fact_of_a_long_book_is_in_one_part_and_parts_run_side_by_side() {
    let book = Book::new();
    let app = app(&[("DOCUMENTS__TARGET_CHUNK_TOKENS", "12000"), ("FANOUT__MAX_PARALLEL", "8")]).await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 300 });
    let answer = summarized(&app, summary_of(&book.text)).await;
    let asked = asked(&app).await;
    let parts = parts(&asked);
    let text: String = parts.iter().map(|part| part.document()).collect();
    assert!(text == book.text, "the parts together are the book, byte for byte");
    assert_eq!(answer["strategy"], "map_reduce");
    assert_eq!(answer["chunks"], json!({"total": parts.len(), "failed": 0, "levels": 1}));
    assert!(parts.len() > 20, "{}", parts.len());
    let mut times_told = vec![0; book.facts.len()];
    for part in &parts {
        for (at, _) in part.document().match_indices("Fact ") {
            let rest = &part.document()[at..];
            let number = rest.get("Fact ".len().."Fact 0000".len()).and_then(|digits| digits.parse().ok());
            let Some(number) = number.filter(|number: &usize| rest.starts_with(&book.facts[number - 1]))
            else {
                assert!(!knows_texts(), "cut in a sentence: {rest}");
                continue;
            };
            times_told[number - 1] += 1;
        }
    }
    assert!(times_told.iter().all(|times| *times <= 1));
    assert!(times_told.iter().all(|times| *times == 1) || !knows_texts());
    let of_parts = |call: &bedrock_sim::CallRecord| {
        call.request()["system"][0]["text"].as_str().unwrap().contains("The document is part ")
    };
    assert_eq!(app.sim.peak_concurrency(of_parts), 8);
    assert_eq!(asked.len(), parts.len() + 1, "each part once, and one merge");
    assert_eq!(answer["usage"]["model_calls"], asked.len());
    assert!(asked.iter().filter(|call| call.stage == Stage::Answer).count() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_take_as_long_as_their_rounds() {
    let book = Book::small(20, 12_000);
    let app = app(&[("DOCUMENTS__TARGET_CHUNK_TOKENS", "120"), ("FANOUT__MAX_PARALLEL", "6")]).await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 500 });
    let began = Instant::now();
    let answer = summarized(&app, summary_of(&book.text)).await;
    let took = began.elapsed();
    let total = u32::try_from(answer["chunks"]["total"].as_u64().unwrap()).unwrap();
    let levels = u32::try_from(answer["chunks"]["levels"].as_u64().unwrap()).unwrap();
    assert!(total > 12, "{total} parts");
    let least = CALL * (total.div_ceil(6) + levels);
    assert!(took >= least, "{took:?} of {least:?}: more at once than allowed");
    assert!(took <= least.mul_f64(1.15), "{took:?} of {least:?} for {total} parts and {levels} rounds");
}
