//! A model that breaks off in the middle of a part.

use bedrock_sim::{Scenario, StreamError};
use serde_json::{Value, json};

use super::asked::{asked, joined, parts};
use super::{answered, app, book, streamed};
use crate::support::TestApp;

const ONE_AT_A_TIME: [(&str, &str); 2] = [("ROUTING__MAX_RETRIES", "0"), ("FANOUT__MAX_PARALLEL", "1")];
const BROKEN: Scenario = Scenario::StreamError { error: StreamError::ModelStreamError, after_deltas: 3 };

/// The service whose second call breaks off after some words, and the text that should
/// come of it all the same.
async fn breaking(body: &Value) -> (TestApp, String) {
    let app = app(&ONE_AT_A_TIME).await;
    answered(&app, "/v1/rephrase", body).await;
    let expected = joined(&parts(&asked(&app).await), |part| part.answer().to_owned());
    app.sim.clear_calls();
    app.sim.set_scenario_times("*", Scenario::Normal, 1);
    app.sim.set_scenario_times("*", BROKEN, 1);
    (app, expected)
}

#[tokio::test]
async fn the_text_is_told_again_from_its_begin() {
    let body = json!({"text": book().text, "on_failover": "restart", "include": ["text"]});
    let (app, expected) = breaking(&body).await;
    let stream = streamed(&app, "/v1/rephrase", &body).await;
    let reset_at = stream.frames.iter().position(|frame| frame.kind == "reset").unwrap();
    let void: String = stream.frames[..reset_at]
        .iter()
        .filter(|frame| frame.kind == "delta")
        .map(|frame| frame.data["text"].as_str().unwrap())
        .collect();
    let reset = stream.one("reset");
    assert_eq!(reset["discarded_chars"], void.chars().count());
    assert!(expected.starts_with(void.trim_end()) && void.len() < expected.len());
    let all = asked(&app).await;
    let first = all.iter().find(|call| call.number() == Some(1)).unwrap();
    assert!(void.len() > first.answer().len(), "some of the second part was told");
    assert_eq!(stream.text(), expected);
    let done = stream.one("done");
    assert_eq!((&done["text"], &done["partial"]), (&json!(expected), &json!(false)));
    assert_eq!(done["output_chars"], expected.chars().count());
    let asked_twice = all.iter().filter(|call| call.number() == Some(2)).count();
    assert_eq!(
        (asked_twice, all.len()),
        (2, parts(&all).len()),
        "nothing but the broken part is asked again"
    );
}

#[tokio::test]
async fn without_leave_to_start_over_the_stream_ends_with_what_was_told() {
    let body = json!({"text": book().text});
    let (app, expected) = breaking(&body).await;
    let stream = streamed(&app, "/v1/rephrase", &body).await;
    let error = stream.one("error");
    assert_eq!((&error["partial"], &error["retryable"]), (&json!(true), &json!(true)), "{error}");
    assert_eq!(stream.all("reset").count(), 0);
    assert!(expected.starts_with(stream.text().trim_end()));
    assert_eq!(app.sim.calls().len(), 2);
}

#[tokio::test]
async fn a_part_that_broke_off_may_be_left_out_from_there_on() {
    let body = json!({"text": book().text, "on_chunk_error": "skip"});
    let (app, _) = breaking(&body).await;
    let stream = streamed(&app, "/v1/rephrase", &body).await;
    let text = stream.text();
    let total = stream.one("start")["chunks_total"].as_u64().unwrap();
    let gap = format!(" [The rest of part 2 of {total} is missing.]");
    assert_eq!(text.matches(&gap).count(), 1, "{text}");
    let all = asked(&app).await;
    let last = parts(&all).last().unwrap().answer().trim().to_owned();
    assert!(text.ends_with(&last), "the parts after it are whole");
    assert_eq!(stream.one("done")["partial"], true);
    assert_eq!(stream.one("warning")["code"], "chunk_skipped");
}

#[tokio::test]
async fn a_part_behind_the_front_starts_over_unseen() {
    let app = app(&[("ROUTING__MAX_RETRIES", "0"), ("FANOUT__MAX_PARALLEL", "2")]).await;
    let body = json!({"text": book().text});
    let expected = answered(&app, "/v1/rephrase", &body).await["text"].clone();
    // The first call waits, and the second one breaks off: that of the second part, unless
    // the calls overtook each other on their way.
    for _ in 0..5 {
        app.sim.clear_calls();
        app.sim.set_scenario_times("*", Scenario::Stall { after_deltas: 0, for_ms: Some(300) }, 1);
        app.sim.set_scenario_times("*", BROKEN, 1);
        let stream = app.post("/v1/rephrase?stream=sse", body.clone()).send().await.sse();
        if asked(&app).await[0].number() == Some(1) {
            assert_eq!(stream.all("reset").count(), 0);
            assert_eq!(stream.text(), expected);
            assert_eq!(stream.one("fallback")["chunk_index"], 1);
            return;
        }
    }
    panic!("the first part's call never came first");
}

#[tokio::test]
async fn json_starts_over_by_itself() {
    let body = json!({"text": book().text});
    let (app, expected) = breaking(&body).await;
    // A whole answer breaks off as a failed call does.
    let answer = answered(&app, "/v1/rephrase", &body).await;
    assert_eq!((&answer["text"], &answer["partial"]), (&json!(expected), &json!(false)));
}

#[tokio::test]
async fn an_answer_made_of_summaries_starts_over_alone() {
    let mut body = super::summary_of(&book().text);
    let app = app(&ONE_AT_A_TIME).await;
    let expected = answered(&app, "/v1/summarize", &body).await["text"].clone();
    let total = u32::try_from(parts(&asked(&app).await).len()).unwrap();
    let break_off_the_answer = || {
        app.sim.clear_calls();
        app.sim.set_scenario_times("*", Scenario::Normal, total);
        app.sim.set_scenario_times("*", BROKEN, 1);
    };
    body["on_failover"] = json!("restart");
    break_off_the_answer();
    let stream = streamed(&app, "/v1/summarize", &body).await;
    assert!(stream.one("reset")["discarded_chars"].as_u64().unwrap() > 0);
    assert_eq!(stream.text(), expected);
    assert_eq!(app.sim.calls().len(), usize::try_from(total).unwrap() + 2);
    body["on_failover"] = json!("error");
    break_off_the_answer();
    let stream = streamed(&app, "/v1/summarize", &body).await;
    assert_eq!(stream.one("error")["partial"], true);
    app.sim.clear_calls();
    let stream = streamed(&app, "/v1/summarize", &body).await;
    assert_eq!(stream.text(), expected);
    assert_eq!(app.sim.calls().len(), 1, "the parts were paid for");
}
