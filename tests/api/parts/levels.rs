//! Summaries that are merged in rounds: they keep the document's order and their
//! labels, and they come to an end.

use std::time::Duration;

use redraft::domain::TokenUsage;
use redraft::inference::scripted::Turn;
use redraft::inference::{Completion, StopReason};
use serde_json::json;

use super::asked::{Stage, asked, parts, summaries};
use super::{answered, app, knows_texts, streamed, summary_of, with};
use crate::support::book::Book;
use crate::support::{Request, ScriptedApp};

#[tokio::test]
async fn rounds_keep_the_order_and_every_summary_is_merged_once() {
    let app = app(&[]).await;
    let mut body = summary_of(&Book::small(40, 40_000).text);
    body["chain"] = json!("narrow");
    let answer = answered(&app, "/v1/summarize", &body).await;
    let all = asked(&app).await;
    let total = parts(&all).len();
    let levels = answer["chunks"]["levels"].as_u64().unwrap();
    assert!(levels >= 2, "{}", answer["chunks"]);
    let last = all.iter().find(|call| call.stage == Stage::Answer).unwrap();
    let mut at = 1;
    for summary in summaries(last.document()) {
        assert_eq!(summary.first, at, "{summary:?}");
        at = summary.last + 1;
    }
    assert_eq!(at, total + 1, "the answer is made of all parts");
    let merges = || all.iter().filter(|call| call.number().is_none());
    for part in parts(&all) {
        let number = part.number().unwrap();
        let holding = merges().flat_map(|call| summaries(call.document()));
        let texts: Vec<&str> = holding
            .filter(|summary| (summary.first, summary.last) == (number, number))
            .map(|summary| summary.text)
            .collect();
        assert!(!texts.is_empty(), "part {number} is merged");
        assert!(texts.iter().all(|text| *text == part.answer().trim()), "{number}: {texts:?}");
    }
    assert_eq!(answer["text"], last.answer().trim());
    app.sim.clear_calls();
    let stream = streamed(&app, "/v1/summarize", &body).await;
    let rounds: Vec<_> = stream.all("progress").filter(|frame| frame.data["stage"] == "reduce").collect();
    assert!(rounds.iter().all(|frame| frame.data["level"].as_u64().unwrap() < levels));
    assert_eq!(stream.one("done")["chunks"]["levels"], levels);
}

#[tokio::test]
async fn a_summary_says_under_which_headings_its_part_stands() {
    let app = app(&[("DOCUMENTS__TARGET_CHUNK_TOKENS", "100")]).await;
    let chapter = |name: &str| {
        let sentences: Vec<String> =
            (1..=12).map(|day| format!("On day {day} the {name} was open.")).collect();
        format!("# The {name}\n\n{}\n\n", sentences.join(" "))
    };
    let text = [chapter("mill"), chapter("quarry"), chapter("dairy")].concat();
    answered(&app, "/v1/summarize", &summary_of(&text)).await;
    let all = asked(&app).await;
    let Some(last) = all.iter().find(|call| call.stage == Stage::Answer) else { panic!("parts are merged") };
    // A splitter that knows no headings has none to tell.
    if knows_texts() {
        for name in ["mill", "quarry", "dairy"] {
            assert!(last.document().contains(&format!(": The {name}]")), "{}", last.document());
        }
    }
}

fn answer_of(words: usize) -> Turn {
    let usage = TokenUsage { input_tokens: 900, output_tokens: 900, ..TokenUsage::default() };
    let completion = Completion {
        text: "prose ".repeat(words),
        stop_reason: StopReason::EndTurn,
        usage: Some(usage.into()),
    };
    Turn::Answer { after: Duration::ZERO, completion }
}

#[tokio::test]
async fn summaries_that_never_get_shorter_end_in_an_error_after_finitely_many_calls() {
    const MODEL: &str = "mistral.ministral-3-8b-instruct";
    let mut body = summary_of(&Book::small(30, 16_000).text);
    body["chain"] = json!("narrow");
    // Summaries of parts far longer than asked for; and merges that are longer than what they merge.
    for (of_parts, of_merges) in [(5000, 5000), (300, 2000)] {
        let app = ScriptedApp::with(&with(&[])).await;
        let post = |path| Request::post(app.api, path).header("content-type", "application/json");
        let mut measure = body.clone();
        measure["task"] = json!("summarize");
        let measure = post("/v1/measure").body(measure.to_string()).send().await.json();
        let parts = usize::try_from(measure["chunks"].as_u64().unwrap()).unwrap();
        let turns = std::iter::repeat_n(of_parts, parts).chain(std::iter::repeat_n(of_merges, 100));
        turns.for_each(|words| app.backend.then(MODEL, answer_of(words)));
        let answer = post("/v1/summarize").body(body.to_string()).send().await;
        assert_eq!(answer.status, 502, "{of_parts} {of_merges}: {}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["code"], "upstream_bad_response");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("The summaries of the text's parts do not get any shorter."), "{detail}");
        let calls = app.backend.calls().len();
        assert!((parts..2 * parts).contains(&calls), "{calls} calls for {parts} parts");
    }
}
