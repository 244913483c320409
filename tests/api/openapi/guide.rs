//! `docs/API.md` against the service: tables, transcripts and commands.

use std::fs;

use redraft::domain::FailureCode;
use redraft::http::describe_problem;
use serde_json::{Value, json};

use super::schema::{assert_fits, resolve};
use super::{document, members, operations, root, status_of};
use crate::support::{Answer, Request, TestApp};

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
    assert_fits(&document, &shape("Measure"), &shown[1], "the measure");
    assert_fits(&document, &shape("Problem"), &shown[2], "the problem");
    assert_fits(&document, &shape("Sentence"), &shown[3], "the friendly sentence");
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
        let path =
            command.split("$API").nth(1).unwrap().split_whitespace().next().unwrap().trim_end_matches('"');
        let quoted = |flag: &str| command.split(flag).nth(1).map(|rest| rest.split('\'').next().unwrap());
        let answer = if let Some(body) = quoted("-d '") {
            app.post(path, serde_json::from_str(body).unwrap()).send().await
        } else if let Some(media_type) = quoted("-H 'content-type: ") {
            assert!(command.contains("--data-binary @"), "{command}");
            Request::post(app.api, path).header("content-type", media_type).body(report("md")).send().await
        } else {
            post_fields(&app, path, command).await
        };
        assert_eq!(answer.status, 200, "{command}: {}", answer.text());
    }
    assert!(app.stop().await);
}

/// Sends what `curl -F` would send; a file is a report of one sentence.
async fn post_fields(app: &TestApp, path: &str, command: &str) -> Answer {
    let mut body = Vec::new();
    for field in command.split("-F ").skip(1) {
        let field = match field.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next().unwrap(),
            None => field.split_whitespace().next().unwrap(),
        };
        let (name, value) = field.split_once('=').unwrap();
        body.extend(format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"").bytes());
        match value.strip_prefix('@') {
            Some(file) => {
                body.extend(format!("; filename=\"{file}\"\r\n\r\n").bytes());
                body.extend(report(file.rsplit_once('.').unwrap().1));
            }
            None => body.extend(format!("\r\n\r\n{value}").bytes()),
        }
        body.extend(b"\r\n");
    }
    body.extend(b"--edge--\r\n");
    let request = Request::post(app.api, path).header("content-type", "multipart/form-data; boundary=edge");
    request.body(body).send().await
}

/// A file with that ending.
fn report(extension: &str) -> Vec<u8> {
    const SENTENCE: &str = "The new library opened on Monday.";
    match extension {
        "md" => SENTENCE.into(),
        "pdf" => pdf(SENTENCE),
        other => panic!("there is no report.{other} here"),
    }
}

/// The smallest PDF that shows a sentence.
fn pdf(sentence: &str) -> Vec<u8> {
    let page = format!("BT /F1 12 Tf 72 700 Td ({sentence}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{page}\nendstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let (mut file, mut places) = ("%PDF-1.4\n".to_owned(), String::new());
    for (number, object) in (1..).zip(&objects) {
        places += &format!("{:010} 00000 n \n", file.len());
        file += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let table_at = file.len();
    let count = objects.len() + 1;
    file += &format!("xref\n0 {count}\n0000000000 65535 f \n{places}");
    file += &format!("trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{table_at}\n%%EOF\n");
    file.into_bytes()
}
