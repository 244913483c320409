//! `docs/API.md` against the service: tables, transcripts and commands.

use std::fs;

use redraft::domain::FailureCode;
use redraft::http::describe_problem;
use serde_json::{Value, json};

use super::schema::{assert_fits, resolve};
use super::{document, members, operations, root, status_of};
use crate::support::TestApp;

fn guide() -> String {
    fs::read_to_string(root().join("docs/API.md")).unwrap()
}

/// The contents of the fenced blocks in a language.
fn blocks<'a>(guide: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    guide.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_error_table_is_the_services_own() {
    let guide = guide();
    for code in FailureCode::ALL.into_iter().filter(|code| *code != FailureCode::Cancelled) {
        let page = describe_problem(code.as_str()).unwrap();
        let mut lines = page.lines().skip_while(|line| !line.starts_with("status: ")).skip(2);
        let (detail, retry) = (lines.next().unwrap(), lines.next().unwrap());
        let retry = if retry.contains("without a change") { "no" } else { "yes" };
        let row = format!("| {} | `{}` | {retry} | {detail} |", status_of(code), code.as_str());
        assert!(guide.contains(&row), "docs/API.md lacks this row:\n{row}");
    }
}

#[test]
fn the_guide_names_every_path_option_word_and_event() {
    let (guide, document) = (guide(), document());
    for (path, ..) in operations(&document) {
        assert!(guide.contains(&path), "{path}");
    }
    for path in ["/v1/summarize", "/v1/rephrase", "/v1/expand"] {
        for (name, schema) in members(&document, path) {
            assert!(guide.contains(&format!("`{name}`")), "{name}");
            for word in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                assert!(guide.contains(&format!("`{word}`")), "{word} of {name}");
            }
        }
    }
    for event in document["components"]["schemas"]["Event"]["oneOf"].as_array().unwrap() {
        let schema = resolve(&document, event);
        // An error is a problem; its row points to where problems are told.
        let Some(properties) = schema["properties"].as_object() else { continue };
        let kind = properties["type"]["enum"][0].as_str().unwrap();
        let row = guide.lines().find(|line| line.starts_with(&format!("| `{kind}` |"))).unwrap();
        for name in properties.keys().filter(|name| !["type", "seq"].contains(&name.as_str())) {
            assert!(row.contains(&format!("`{name}`")), "{kind}: {name}");
        }
    }
}

#[test]
fn the_transcripts_of_the_guide_have_the_described_shapes() {
    let (guide, document) = (guide(), document());
    let shape = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let shown: Vec<Value> =
        blocks(&guide, "json").into_iter().map(|block| serde_json::from_str(block).unwrap()).collect();
    assert_fits(&document, &shape("TaskAnswer"), &shown[0], "the JSON answer");
    assert_fits(&document, &shape("Problem"), &shown[1], "the problem");
    assert_fits(&document, &shape("Sentence"), &shown[2], "the friendly sentence");
    let lines = blocks(&guide, "text").into_iter().flat_map(str::lines);
    let events: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("data: ").or(line.starts_with('{').then_some(line)))
        .collect();
    assert!(events.len() > 8, "the transcripts were not found");
    for event in events {
        assert_fits(&document, &shape("Event"), &serde_json::from_str(event).unwrap(), event);
    }
}

#[tokio::test]
async fn the_commands_of_the_guide_work() {
    let (guide, app) = (guide(), TestApp::start().await);
    let commands: Vec<&str> =
        blocks(&guide, "sh").into_iter().flat_map(|block| block.split("curl ").skip(1)).collect();
    assert!(commands.len() > 4, "the commands were not found");
    for command in commands {
        let path = command.split("$API").nth(1).unwrap().split_whitespace().next().unwrap();
        let body = command.split("-d '").nth(1).unwrap().split('\'').next().unwrap();
        let answer = app.post(path, serde_json::from_str(body).unwrap()).send().await;
        assert_eq!(answer.status, 200, "{command}: {}", answer.text());
    }
    assert!(app.stop().await);
}
