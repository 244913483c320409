//! A long document and small requests at a model that takes few calls at once.

use bedrock_sim::Scenario;
use serde_json::json;
use tokio::time::Instant;

use super::{app, summary_of};
use crate::support::book::Book;

#[tokio::test]
async fn small_requests_do_not_wait_for_the_end_of_a_long_document() {
    const SMALL_ONES: usize = 10;
    let app = app(&[
        ("ADAPTIVE__MAX_IN_FLIGHT", "4"),
        ("FANOUT__MAX_PARALLEL", "8"),
        ("ROUTING__PLACE_WAIT_MS", "60000"),
    ])
    .await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 150 });
    let mut body = summary_of(&Book::small(80, 64_000).text);
    body["chain"] = json!("alone");
    let began = Instant::now();
    let document = app.post("/v1/summarize", body);
    let document = tokio::spawn(async move { (document.send().await, Instant::now()) });
    app.call(|call| call.sequence == 4).await;
    let small = (0..SMALL_ONES).map(|_| {
        let request = app.post("/v1/summarize", json!({"text": "A door. A key.", "chain": "alone"}));
        tokio::spawn(async move { (request.send().await, Instant::now()) })
    });
    let small: Vec<_> = small.collect();
    let (mut ends, asked_at) = (Vec::new(), began.elapsed());
    for request in small {
        let (answer, end) = request.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        ends.push(end);
    }
    let (answer, document_end) = document.await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let parts = answer.json()["chunks"]["total"].as_u64().unwrap();
    assert!(parts >= 30, "{parts} parts");
    let (last, whole) = (*ends.iter().max().unwrap() - began, document_end - began);
    println!("{parts} parts took {whole:?}; the small ones came at {asked_at:?} and were done by {last:?}");
    assert!(last < whole / 2 + asked_at, "{last:?} of {whole:?}");
    assert!(app.sim.peak_concurrency(|_| true) <= 4);
}
