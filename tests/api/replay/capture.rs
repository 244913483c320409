//! Captures: answers of Bedrock as they came over the wire.
//!
//! Two kinds. Recorded ones are real traffic; they are no part of the repository
//! and are read from a folder `shared/wire` beside it, where there is one. Our own
//! are text files, made into frames here; `tests/fixtures/replay/README.md` says
//! how they are written. A capture does not say what is expected of the service.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::support::{error_frame, frame};

const FRAMES: &str = "application/vnd.amazon.eventstream";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// What a fixture puts in the place of its variants.
const VARIANT: &str = "$variant";

/// One answer of Bedrock.
pub struct Capture {
    pub name: String,
    pub operation: Operation,
    pub status: u16,
    /// What the header of a refusal calls it.
    pub error_type: Option<String>,
    /// The same body without padding and with it; one where there is no other.
    pub bodies: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Converse,
    ConverseStream,
    CountTokens,
}

impl Capture {
    pub fn is_refusal(&self) -> bool {
        self.status != 200
    }

    pub fn content_type(&self) -> &'static str {
        let framed = self.operation == Operation::ConverseStream;
        if framed && !self.is_refusal() { FRAMES } else { "application/json" }
    }

    fn of_answer(name: String, operation: Operation, answer: &Value) -> Self {
        Self {
            name,
            operation,
            status: answer.get("status").map_or(200, |status| status.as_u64().unwrap().try_into().unwrap()),
            error_type: answer["error_type"].as_str().map(str::to_owned),
            bodies: vec![answer["body"].to_string().into_bytes()],
        }
    }
}

/// Real traffic, where there is some.
pub fn recorded() -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/wire");
    if !folder.is_dir() {
        println!("skipped: there are no records of real traffic here");
        return Vec::new();
    }
    let captures: Vec<Capture> = json_files(&folder).into_iter().map(|path| read_record(&path)).collect();
    assert!(captures.len() >= 10, "the folder of records is there, but holds few of them");
    captures
}

fn read_record(path: &Path) -> Capture {
    let record = read(path);
    let operation = match record["uri"].as_str().unwrap().rsplit('/').next().unwrap() {
        "converse" => Operation::Converse,
        "converse-stream" => Operation::ConverseStream,
        "count-tokens" => Operation::CountTokens,
        other => panic!("{}: the operation {other} is unknown here", path.display()),
    };
    let status = record["status"].as_u64().unwrap().try_into().unwrap();
    let body = match record["events"].is_array() {
        true => std::fs::read(path.with_extension("eventstream.bin")).unwrap(),
        false => record["response_body"].to_string().into_bytes(),
    };
    // The records keep few headers, and not the one that names the error.
    let error_type = (status == 400).then(|| "ValidationException".to_owned());
    Capture { name: file_name(path), operation, status, error_type, bodies: vec![body] }
}

/// The fixtures of the repository, once per variant.
pub fn our_own() -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/replay");
    json_files(&folder).iter().flat_map(|path| read_fixture(path)).collect()
}

fn read_fixture(path: &Path) -> Vec<Capture> {
    let fixture = read(path);
    let known = ["about", "variants", "streams", "answers", "counts"];
    let stranger = members(&fixture).keys().find(|key| !known.contains(&key.as_str()));
    assert!(stranger.is_none(), "{}: {stranger:?} is unknown here", path.display());
    let alone = Map::from_iter([(String::new(), Value::Null)]);
    let variants = fixture.get("variants").map_or(&alone, members);
    let mut captures = Vec::new();
    for (variant, put) in variants {
        let name = |name: &str| match variant.as_str() {
            "" => format!("{}: {name}", file_name(path)),
            variant => format!("{}: {name}, {variant}", file_name(path)),
        };
        let all = |member: &str| fixture.get(member).map(members).into_iter().flatten();
        for (stream, events) in all("streams") {
            let events = with_variant(events, put);
            let mut bodies = vec![frames(&events, false), frames(&events, true)];
            // Exceptions carry no padding.
            bodies.dedup();
            captures.push(Capture {
                name: name(stream),
                operation: Operation::ConverseStream,
                status: 200,
                error_type: None,
                bodies,
            });
        }
        for (answer, content) in all("answers") {
            let content = with_variant(content, put);
            captures.push(Capture::of_answer(name(answer), Operation::Converse, &content));
        }
        for (count, content) in all("counts") {
            captures.push(Capture::of_answer(name(count), Operation::CountTokens, content));
        }
    }
    captures
}

/// Puts a variant where the fixture leaves room for it.
fn with_variant(value: &Value, put: &Value) -> Value {
    match value {
        Value::String(text) if text == VARIANT => put.clone(),
        Value::Array(values) => values.iter().map(|value| with_variant(value, put)).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), with_variant(value, put))).collect()
        }
        other => other.clone(),
    }
}

/// Writes events as frames, one after the other.
fn frames(events: &Value, padded: bool) -> Vec<u8> {
    let events = events.as_array().unwrap();
    let one = |(index, event): (usize, &Value)| {
        let (name, payload) = only_member(event);
        match name {
            "exception" => {
                let (name, payload) = only_member(payload);
                frame("exception", name, payload)
            }
            "error" => {
                let said = |header: &str| payload[header].as_str().unwrap();
                error_frame(said(":error-code"), said(":error-message"))
            }
            _ => {
                let mut payload = members(payload).clone();
                if padded {
                    // Of every length that AWS uses, in turn.
                    let padding = &LETTERS[..1 + index * 17 % LETTERS.len()];
                    payload.entry("p").or_insert(padding.into());
                }
                frame("event", name, &payload.into())
            }
        }
    };
    events.iter().enumerate().flat_map(one).collect()
}

fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("an object in place of {value}"))
}

fn only_member(value: &Value) -> (&str, &Value) {
    let mut members = members(value).iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => (name, value),
        _ => panic!("one member in {value}"),
    }
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}
