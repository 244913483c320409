//! The members, words and limits of the contract, held against those that read them.

use super::{document, members, root};
use crate::support::TestApp;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;

/// The names that the readers ask for stand in their source, and nowhere else.
#[test]
fn every_member_that_is_read_is_described() {
    let document = document();
    let request_wide = names_read(&["src/http/submission.rs", "src/http/representation.rs"]);
    let shared = names_read(&["src/tasks/brief.rs"]);
    for task in ["summarize", "rephrase", "expand"] {
        let mut read = names_read(&[&format!("src/tasks/{task}.rs")]);
        read.extend(shared.iter().chain(&request_wide).cloned());
        read.extend(["text", "prompt", "input"].map(str::to_owned));
        let described: BTreeSet<String> =
            members(&document, &format!("/v1/{task}")).keys().cloned().collect();
        assert_eq!(described, read, "{task}");
    }
    let mut read = names_read(&["src/tasks/refine.rs"]);
    read.extend(shared.iter().chain(&request_wide).cloned());
    read.extend(["text", "prompt"].map(str::to_owned));
    assert_eq!(members(&document, "/v1/refine").keys().cloned().collect::<BTreeSet<String>>(), read);
}

#[tokio::test]
async fn every_word_list_is_the_readers_own() {
    let app = TestApp::start().await;
    let document = document();
    for path in ["/v1/summarize", "/v1/rephrase", "/v1/expand", "/api/rephrase"] {
        for (name, schema) in members(&document, path) {
            let Some(words) = schema["enum"].as_array() else { continue };
            let answer = app.post(path, json!({"text": "A text.", name.as_str(): "?"})).send().await;
            assert_eq!(answer.status, 422, "{path} {name}");
            let answer = answer.json();
            let sentence = answer["errors"][0]["detail"].as_str().or(answer["error"].as_str()).unwrap();
            let word = |text: &str| text.replace('"', "");
            // The sentence names the member, then the words, then what was sent.
            let offered: BTreeSet<String> = match name.as_str() {
                "stream" => sentence
                    .split("one of ")
                    .nth(1)
                    .unwrap()
                    .trim_end_matches('.')
                    .split(", ")
                    .map(word)
                    .collect(),
                _ => sentence
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .skip(1)
                    .filter(|text| *text != "?")
                    .map(word)
                    .collect(),
            };
            let listed = words.iter().filter(|word| !word.is_null()).map(|value| word(&value.to_string()));
            assert_eq!(listed.collect::<BTreeSet<_>>(), offered, "{path} {name}: {sentence}");
        }
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn limits_of_request_wide_members_are_the_readers_own() {
    let app = TestApp::start().await;
    let members = members(&document(), "/v1/rephrase");
    let chars = members["chain"]["maxLength"].as_u64().unwrap();
    let items = members["include"]["maxItems"].as_u64().unwrap();
    for (limit, member, at, beyond) in [
        (chars, "chain", json!("x".repeat(64)), json!("x".repeat(65))),
        (items, "include", vec!["text"; 8].into(), vec!["text"; 9].into()),
    ] {
        let sentence = format!("must have at most {limit} ");
        let within = app.post("/v1/rephrase", json!({"text": "A text.", member: at})).send().await;
        assert!(!within.text().contains(&sentence), "{}", within.text());
        let over = app.post("/v1/rephrase", json!({"text": "A text.", member: beyond})).send().await;
        assert!(over.text().contains(&sentence), "{}", over.text());
    }
    assert!(app.stop().await);
}

/// First arguments of calls such as `fields.word("tone")`.
fn names_read(files: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files {
        let source = fs::read_to_string(root().join(file)).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        for call in code.split("fields").skip(1) {
            let call: String = call.chars().filter(|c| !c.is_whitespace()).take(80).collect();
            let readers = [".word", ".string(", ".strings(", ".integer(", ".boolean(", ".value(", ".take("];
            let Some(reader) = readers.iter().find(|reader| call.starts_with(**reader)) else { continue };
            let argument =
                call[reader.len()..].split_once('"').map(|(_, rest)| rest.split('"').next().unwrap());
            names.insert(argument.unwrap().to_owned());
        }
    }
    assert!(!names.is_empty(), "{files:?}: no names were found");
    names
}
