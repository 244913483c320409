//! Texts that are written anew in parts: one text, in order, told as soon as it can be.

use std::time::Duration;

use bedrock_sim::{Outcome, Pacing, Scenario};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::asked::{Asked, Stage, asked, joined, parts};
use super::{answered, app, app_paced, book, knows_texts, streamed, told, well_formed};
use crate::support::book::Book;

fn body(text: &str) -> Value {
    json!({"text": text, "tone": "more-formal"})
}

#[tokio::test]
async fn a_stream_and_json_are_the_models_answers_with_the_documents_white_space() {
    let app = app(&[]).await;
    let book = book();
    let stream = streamed(&app, "/v1/rephrase", &body(&book.text)).await;
    let all = asked(&app).await;
    let parts = parts(&all);
    let document: String = parts.iter().map(|part| part.document()).collect();
    assert_eq!(document, book.text);
    let expected = joined(&parts, |part| part.answer().to_owned());
    assert_eq!(stream.text(), expected);
    let (start, done) = (stream.one("start"), stream.one("done"));
    assert_eq!((&start["strategy"], &start["chunks_total"]), (&json!("map_concat"), &json!(parts.len())));
    assert_eq!(done["output_chars"], expected.chars().count());
    assert_eq!(done["chunks"], json!({"total": parts.len(), "failed": 0, "levels": 0}));
    assert_eq!(done["attempts"], parts.len(), "one call for each part");
    app.sim.clear_calls();
    let whole = answered(&app, "/v1/rephrase", &body(&book.text)).await;
    assert_eq!(whole["text"], expected.as_str());
    assert_eq!((&whole["partial"], &whole["strategy"]), (&json!(false), &json!("map_concat")));
    assert_eq!(asked(&app).await.len(), parts.len(), "a request that succeeded leaves nothing behind");
    let text = app.post("/v1/rephrase?stream=text", body(&book.text)).send().await;
    assert_eq!(text.text(), expected);
    let lines = app.post("/v1/rephrase?stream=ndjson", body(&book.text)).send().await.ndjson();
    lines.assert_grammar();
    assert_eq!(lines.text(), expected);
}

#[tokio::test]
async fn the_first_words_leave_while_later_parts_are_written() {
    let pacing = Pacing { first_delta: Duration::ZERO, between_deltas: Duration::from_millis(10) };
    let app = app_paced(pacing, &[]).await;
    let request = app.post("/v1/rephrase?stream=sse", body(&book().text));
    let mut stream = request.open().await;
    stream.read_until(|text| text.contains("event: delta")).await;
    let second = app.call(|call| Asked::of(call.clone()).number() == Some(2)).await;
    assert_eq!(second.outcome, Outcome::InProgress);
    let first = app.call(|call| Asked::of(call.clone()).number() == Some(1)).await;
    assert_eq!(first.outcome, Outcome::InProgress, "the first part flows as it is written");
    drop(stream);
}

#[tokio::test]
async fn every_part_is_told_in_four_messages_a_second_and_one_at_the_end() {
    let app = app(&[]).await;
    app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 120 });
    let book = book();
    for (path, body) in [
        ("/v1/rephrase", body(&book.text)),
        ("/v1/summarize", super::summary_of(&book.text)),
        ("/v1/summarize", json!({"text": book.text, "strategy": "refine"})),
    ] {
        let began = Instant::now();
        let answer = app.post(&format!("{path}?stream=sse"), body).send().await;
        let most = began.elapsed().as_millis() / 250 + 2;
        let stream = well_formed(&answer);
        let reports = stream.all("progress").count();
        assert!(reports as u128 <= most, "{path}: {reports} reports, at most {most}");
        let total = usize::try_from(stream.one("start")["chunks_total"].as_u64().unwrap()).unwrap();
        assert_eq!(told(&stream, "completed"), total, "{path}: the end of every part is told");
        let first = &stream.all("progress").next().unwrap().data;
        assert_eq!((&first["stage"], &first["done"]), (&json!("split"), &json!(total)));
        assert!(stream.all("progress").any(|frame| frame.data["stage"] == "map"));
    }
}

#[tokio::test]
async fn partial_summaries_are_told_to_whoever_asks_for_them() {
    let app = app(&[]).await;
    let book = book();
    let mut body = super::summary_of(&book.text);
    body["include"] = json!(["partials", "text"]);
    let stream = streamed(&app, "/v1/summarize", &body).await;
    let all = asked(&app).await;
    let parts = parts(&all);
    let mut partials: Vec<&Value> = stream.all("partial").map(|frame| &frame.data).collect();
    partials.sort_by_key(|partial| partial["index"].as_u64());
    assert_eq!(partials.len(), parts.len());
    for (index, (partial, part)) in partials.iter().zip(&parts).enumerate() {
        assert_eq!((&partial["index"], &partial["text"]), (&json!(index), &json!(part.answer().trim())));
    }
    assert_eq!(stream.one("done")["text"], stream.text());
    let whole = answered(&app, "/v1/summarize", &body).await;
    assert_eq!(whole["partials"].as_array().unwrap().len(), parts.len());
}

#[tokio::test]
async fn bullets_are_expanded_in_parts_too() {
    let app = app(&[]).await;
    let bullets: Vec<String> = (1..=60)
        .map(|number| format!("Point {number:02}: the mill ground {number} sacks of flour in a day"))
        .collect();
    let answer = answered(&app, "/v1/expand", &json!({"bullets": bullets})).await;
    let all = asked(&app).await;
    let parts = parts(&all);
    assert!(parts.len() > 1 && answer["strategy"] == "map_concat", "{} parts", parts.len());
    for bullet in &bullets {
        let holding = parts.iter().filter(|part| part.document().contains(bullet.as_str())).count();
        assert!(holding == 1 || !knows_texts(), "{bullet}: {holding}");
    }
    let texts: Vec<&str> = parts.iter().map(|part| part.answer().trim()).collect();
    assert_eq!(answer["text"], texts.join("\n\n"));
}

#[tokio::test]
async fn the_older_paths_take_long_texts() {
    let app = app(&[]).await;
    let book = book();
    let rephrased =
        app.post("/api/rephrase", json!({"text": book.text, "style": "professional"})).send().await;
    assert_eq!(rephrased.status, 200, "{}", rephrased.text());
    let all = asked(&app).await;
    let expected = joined(&parts(&all), |part| part.answer().to_owned());
    assert_eq!(rephrased.json()["rephrased_text"], expected);
    // Longer than the second window of this chain.
    let app = super::app(&[("MODELS__FILE", "tests/fixtures/windows.toml")]).await;
    let book = Book::small(60, 60_000);
    let summarized = app.post("/api/summarize", json!({"text": book.text})).send().await;
    assert_eq!(summarized.status, 200, "{}", summarized.text());
    let all = asked(&app).await;
    assert!(parts(&all).len() > 10 && all.last().unwrap().stage == Stage::Answer);
    assert_eq!(summarized.json()["summary"], all.last().unwrap().answer().trim());
}
