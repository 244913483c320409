//! A part that no model can work on: the request fails at once, or goes on without it
//! and says so.

use std::time::Duration;

use bedrock_sim::{ApiError, Outcome, Pacing, Scenario};
use serde_json::{Value, json};

use super::asked::{Asked, Stage, asked, joined, mark_of, parts, summaries};
use super::{all_ended, answered, app_paced, book, count, summary_of, well_formed};
use crate::support::TestApp;
use crate::support::book::Book;

const ONE_TRY: (&str, &str) = ("ROUTING__MAX_RETRIES", "0");
/// Long enough that others run when a part fails.
const PACING: Pacing = Pacing { first_delta: Duration::from_millis(120), between_deltas: Duration::ZERO };

/// Which of the parts is lost.
#[derive(Debug, Clone, Copy)]
enum Place {
    First,
    Middle,
    Last,
}

impl Place {
    const ALL: [Self; 3] = [Self::First, Self::Middle, Self::Last];

    fn of(self, total: usize) -> usize {
        match self {
            Self::First => 1,
            Self::Middle => total.div_ceil(2),
            Self::Last => total,
        }
    }
}

/// The service, what the models are asked when all is well, and a word that stands in
/// one part only.
struct Lost {
    app: TestApp,
    well: Vec<Asked>,
    number: usize,
    total: usize,
}

impl Lost {
    async fn part(place: Place, path: &str, body: &Value) -> Self {
        let app = app_paced(PACING, &[ONE_TRY]).await;
        answered(&app, path, body).await;
        let well = asked(&app).await;
        let parts = parts(&well);
        let (total, number) = (parts.len(), place.of(parts.len()));
        let contains = mark_of(&parts, number).to_owned();
        app.sim.set_scenario("*", Scenario::ErrorWhen { contains, error: ApiError::ModelError });
        app.sim.clear_calls();
        Self { app, well, number, total }
    }
}

/// The request fails with the part's number, and nothing of it goes on.
async fn assert_failed(lost: &Lost, path: &str, body: &Value) {
    let Lost { app, number, total, .. } = lost;
    let answer = app.post(&format!("{path}?stream=sse"), body.clone()).send().await;
    let stream = well_formed(&answer);
    let error = stream.one("error");
    assert_eq!((&error["code"], &error["status"]), (&json!("upstream_error"), &json!(502)), "{error}");
    let part = format!("Part {number} of {total} of the text could not be worked on.");
    assert!(error["detail"].as_str().unwrap().starts_with(&part), "{error}");
    assert!(stream.one("usage")["usage"]["model_calls"].as_u64().unwrap() > 0);
    app.until_metric("redraft_admission_inflight", &[], 0.0).await;
    let calls = all_ended(app).await;
    let failed = calls.iter().filter(|call| matches!(call.outcome, Outcome::Failed { .. })).count();
    assert_eq!(failed, 2, "each model of the chain once");
    let (gone, whole) = (count(&calls, &Outcome::ClientGone), count(&calls, &Outcome::Completed));
    assert_eq!(calls.len(), failed + gone + whole);
    if *number == 1 {
        assert!(gone > 0, "those that ran were cancelled");
    }
    if number < total {
        assert!(gone + whole < *total, "the rest was never begun");
    }
    assert_eq!(error["partial"], stream.all("delta").count() > 0);
}

#[tokio::test]
async fn a_lost_part_of_a_rephrased_text_fails_the_request() {
    let body = json!({"text": book().text});
    for place in Place::ALL {
        let lost = Lost::part(place, "/v1/rephrase", &body).await;
        assert_failed(&lost, "/v1/rephrase", &body).await;
    }
}

#[tokio::test]
async fn a_lost_part_of_a_summarized_text_fails_the_request() {
    let body = summary_of(&book().text);
    for place in Place::ALL {
        let lost = Lost::part(place, "/v1/summarize", &body).await;
        assert_failed(&lost, "/v1/summarize", &body).await;
    }
}

#[tokio::test]
async fn a_rephrased_text_goes_on_without_a_part_and_says_where() {
    let body = json!({"text": book().text, "on_chunk_error": "skip"});
    for place in Place::ALL {
        let Lost { app, well, number, total } = Lost::part(place, "/v1/rephrase", &body).await;
        let gap = format!("[Part {number} of {total} is missing.]");
        let expected = joined(&parts(&well), |part| match part.number() == Some(number) {
            true => gap.clone(),
            false => part.answer().to_owned(),
        });
        let answer = answered(&app, "/v1/rephrase", &body).await;
        assert_eq!(answer["text"], expected.as_str(), "{place:?}");
        assert_skipped(&answer, &[number], total);
        let stream = app.post("/v1/rephrase?stream=sse", body.clone()).send().await;
        let stream = well_formed(&stream);
        assert_eq!(stream.text(), expected, "{place:?}");
        assert_eq!(stream.one("done")["partial"], true);
        assert_eq!(stream.one("warning")["code"], "chunk_skipped");
        let skipped = [("task", "rephrase"), ("status", "skipped")];
        assert_eq!(app.metric("redraft_chunks_total", &skipped).await, 2.0);
    }
}

fn assert_skipped(answer: &Value, missing: &[usize], total: usize) {
    assert_eq!(answer["partial"], true);
    assert_eq!(answer["chunks"]["total"], total);
    assert_eq!(answer["chunks"]["failed"], missing.len());
    let warnings = answer["warnings"].as_array().unwrap();
    let skipped: Vec<&str> = warnings
        .iter()
        .filter(|warning| warning["code"] == "chunk_skipped")
        .map(|warning| warning["detail"].as_str().unwrap())
        .collect();
    assert_eq!(skipped.len(), missing.len(), "{warnings:?}");
    for number in missing {
        let part = format!("Part {number} of {total} ");
        assert!(skipped.iter().any(|detail| detail.starts_with(&part)), "{part}: {skipped:?}");
    }
}

#[tokio::test]
async fn a_summary_goes_on_without_a_part_and_says_which() {
    let mut body = summary_of(&book().text);
    body["on_chunk_error"] = json!("skip");
    for place in Place::ALL {
        let Lost { app, number, total, .. } = Lost::part(place, "/v1/summarize", &body).await;
        let answer = answered(&app, "/v1/summarize", &body).await;
        assert_skipped(&answer, &[number], total);
        let all = asked(&app).await;
        let merge = all.iter().find(|call| call.stage == Stage::Answer).unwrap();
        let expected: Vec<usize> = (1..=total).filter(|part| *part != number).collect();
        assert_eq!(merged(merge), expected);
        let gap = format!("{}\n\n[Not covered: part {number} of {total}.]", merge.answer());
        assert_eq!(answer["text"], gap.as_str());
    }
}

#[tokio::test]
async fn a_text_of_which_no_part_can_be_worked_on_has_no_answer() {
    let app = app_paced(PACING, &[ONE_TRY]).await;
    app.sim.set_scenario("*", Scenario::Error { error: ApiError::ModelError });
    let text = book().text;
    for (path, mut body) in [
        ("/v1/summarize", summary_of(&text)),
        ("/v1/rephrase", json!({"text": text})),
        ("/v1/summarize", json!({"text": text, "strategy": "refine"})),
    ] {
        body["on_chunk_error"] = json!("skip");
        let answer = app.post(path, body).send().await;
        assert!(answer.status.is_server_error(), "{path}: {} {}", answer.status, answer.text());
    }
}

/// A text whose summaries are merged twice, and a call that merges some of them.
async fn in_two_levels() -> (TestApp, Value, Vec<Asked>) {
    let app = app_paced(PACING, &[ONE_TRY]).await;
    let mut body = summary_of(&Book::small(40, 40_000).text);
    body["chain"] = json!("narrow");
    let answer = answered(&app, "/v1/summarize", &body).await;
    assert!(answer["chunks"]["levels"].as_u64().unwrap() >= 2, "{}", answer["chunks"]);
    let well = asked(&app).await;
    app.sim.clear_calls();
    (app, body, well)
}

/// Numbers of the parts whose summaries this call merges.
fn merged(call: &Asked) -> Vec<usize> {
    summaries(call.document()).iter().flat_map(|summary| summary.first..=summary.last).collect()
}

#[tokio::test]
async fn a_lost_merge_fails_the_request_or_leaves_its_parts_out() {
    let (app, mut body, well) = in_two_levels().await;
    let total = parts(&well).len();
    let merges = || well.iter().filter(|call| call.number().is_none());
    // The simulator's author may copy a label; one that it did not copy stands in one call.
    let stands_once = |label: &String| merges().filter(|call| call.document().contains(label)).count() == 1;
    let mut labels = (2..=total).map(|number| format!("[Part {number} of {total}"));
    let contains = labels.find(stands_once).unwrap();
    app.sim.set_scenario("*", Scenario::ErrorWhen { contains, error: ApiError::ModelError });
    body["on_chunk_error"] = json!("skip");
    let answer = answered(&app, "/v1/summarize", &body).await;
    let lost = lost_merge(&app).await;
    assert_skipped(&answer, &lost, total);
    let numbers: Vec<String> = lost.iter().map(ToString::to_string).collect();
    let gap = format!("\n\n[Not covered: parts {} of {total}.]", numbers.join(", "));
    assert!(answer["text"].as_str().unwrap().ends_with(&gap), "{}", answer["text"]);
    app.sim.clear_calls();
    body["on_chunk_error"] = json!("fail");
    let answer = app.post("/v1/summarize?stream=sse", body).send().await;
    let stream = well_formed(&answer);
    let lost = lost_merge(&app).await;
    let detail = stream.one("error")["detail"].as_str().unwrap();
    let named = [format!("Part {} of {total}", lost[0]), format!("Parts {} to", lost[0])];
    assert!(named.iter().any(|named| detail.starts_with(named.as_str())), "{detail}");
    let spent = stream.one("usage")["usage"]["model_calls"].as_u64().unwrap();
    assert!(spent >= u64::try_from(total).unwrap(), "{spent} calls for {total} parts");
}

/// Numbers of the parts of the one merge that failed, at each model of the chain.
async fn lost_merge(app: &TestApp) -> Vec<usize> {
    let all = asked(app).await;
    let is_lost = |call: &&Asked| matches!(call.call.outcome, Outcome::Failed { .. });
    let lost: Vec<&Asked> = all.iter().filter(is_lost).collect();
    assert!(lost.len() == 2 && lost.iter().all(|call| call.stage == Stage::Reduce));
    merged(lost[0])
}

#[tokio::test]
async fn a_lost_answer_fails_the_request_whatever_may_be_skipped() {
    for policy in ["fail", "skip"] {
        let app = app_paced(PACING, &[ONE_TRY]).await;
        let mut body = summary_of(&book().text);
        body["on_chunk_error"] = json!(policy);
        let contains = "[Part 1 of ".to_owned();
        app.sim.set_scenario("*", Scenario::ErrorWhen { contains, error: ApiError::ModelError });
        let answer = app.post("/v1/summarize?stream=sse", body.clone()).send().await;
        let stream = well_formed(&answer);
        assert_eq!(stream.one("error")["code"], "upstream_error", "{policy}");
        assert_eq!(stream.one("error")["partial"], false);
        assert!(stream.one("usage")["usage"]["output_tokens"].as_u64().unwrap() > 0, "{policy}");
        let calls = all_ended(&app).await;
        let lost = calls.iter().filter(|call| matches!(call.outcome, Outcome::Failed { .. })).count();
        assert_eq!((lost, count(&calls, &Outcome::ClientGone)), (2, 0), "each model of the chain once");
    }
}

#[tokio::test]
async fn a_growing_summary_goes_on_without_a_part_and_says_which() {
    let body = json!({"text": book().text, "strategy": "refine", "on_chunk_error": "skip"});
    for place in Place::ALL {
        let Lost { app, number, total, .. } = Lost::part(place, "/v1/summarize", &body).await;
        let answer = answered(&app, "/v1/summarize", &body).await;
        assert_skipped(&answer, &[number], total);
        let all = asked(&app).await;
        let done: Vec<&Asked> = all.iter().filter(|call| call.call.outcome == Outcome::Completed).collect();
        let last = done.last().unwrap();
        let gap = format!("{}\n\n[Not covered: part {number} of {total}.]", last.answer());
        assert_eq!(answer["text"], gap.as_str(), "{place:?}");
        let read: Vec<usize> = done.iter().filter_map(|call| call.number()).collect();
        let expected: Vec<usize> = (1..=total).filter(|part| *part != number).collect();
        assert_eq!(read, expected, "{place:?}");
        for pair in done.windows(2).filter(|pair| pair[1].number().is_some()) {
            assert_eq!(pair[1].so_far(), Some(pair[0].answer().trim()), "{place:?}");
        }
        if number == total {
            assert_eq!(last.stage, Stage::Answer, "the answer is made of the parts before");
            assert_eq!(last.document(), done[done.len() - 2].answer().trim());
        }
    }
}

#[tokio::test]
async fn a_request_whose_time_is_over_does_not_go_on_without_anything() {
    let text = book().text;
    for (path, body) in [
        ("/v1/rephrase", json!({"text": text, "on_chunk_error": "skip"})),
        ("/v1/summarize", json!({"text": text, "on_chunk_error": "skip", "strategy": "map-reduce"})),
        ("/v1/summarize", json!({"text": text, "on_chunk_error": "skip", "strategy": "refine"})),
    ] {
        let app = app_paced(PACING, &[ONE_TRY]).await;
        app.sim.set_scenario("*", Scenario::SlowHeaders { wait_ms: 600_000 });
        app.sim.set_scenario_times("*", Scenario::Normal, 2);
        let request = app.post(&format!("{path}?stream=sse"), body.clone());
        let answer = request.header("x-request-timeout-ms", "900").send().await;
        let stream = well_formed(&answer);
        assert_eq!(stream.one("error")["code"], "deadline_exceeded", "{path} {}", body["strategy"]);
        let calls = all_ended(&app).await;
        assert_eq!(count(&calls, &Outcome::Completed), 2);
        assert_eq!(count(&calls, &Outcome::ClientGone), calls.len() - 2);
        assert!(calls.len() <= 8, "{} calls: three at once, at each model", calls.len());
    }
}
