//! Recorded traffic of the real service against this crate: request bodies are read, frames are
//! decoded and written again to the same bytes, and events come in the order that scripts know.
//!
//! The records are no part of the repository. Where they are missing, the test says so and ends.

use std::fs;
use std::path::{Path, PathBuf};

use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_types::event_stream::Message;
use bytes::{Bytes, BytesMut};
use serde_json::Value;

use crate::frames::{self, Event};
use crate::operations::Usage;
use crate::request::{ConverseRequest, CountTokensRequest, Echo};

fn records(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: there are no records of real traffic here");
        return Vec::new();
    };
    let mut records: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    records.sort();
    assert!(!records.is_empty(), "the folder of records is there, but holds none that end in {ending}");
    records
}

fn messages(record: &Path) -> (Bytes, Vec<Message>) {
    let whole = Bytes::from(fs::read(record).unwrap());
    let mut rest = whole.clone();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        messages.push(read_message_from(&mut rest).unwrap());
    }
    (whole, messages)
}

fn header(message: &Message, name: &str) -> String {
    let header = message.headers().iter().find(|header| header.name().as_str() == name);
    header.unwrap().value().as_string().unwrap().as_str().to_owned()
}

#[test]
fn every_recorded_request_is_read() {
    for record in records(".json") {
        let record: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        let body = record["request_body"].to_string();
        let uri = record["uri"].as_str().unwrap();
        let read = match uri.ends_with("/count-tokens") {
            true => CountTokensRequest::read(body.as_bytes()).map(|request| request.input_tokens),
            false => ConverseRequest::read("amazon.nova-micro-v1:0", body.as_bytes())
                .map(|request| request.input_tokens),
        };
        assert!(read.as_ref().is_ok_and(|tokens| *tokens > 0), "{uri}: {read:?}");
    }
}

#[test]
fn recorded_frames_are_written_again_to_the_same_bytes() {
    for record in records(".eventstream.bin") {
        let (whole, messages) = messages(&record);
        let mut written = BytesMut::new();
        for message in &messages {
            write_message_to(message, &mut written).unwrap();
        }
        assert_eq!(whole, written, "{}", record.display());
    }
}

/// Every recorded event of a kind that this crate writes comes out of it byte for byte.
#[test]
fn recorded_events_are_the_ones_written_here() {
    let echo = Echo::default();
    let mut compared = 0;
    for record in records(".eventstream.bin") {
        for message in messages(&record).1 {
            let payload: Value = serde_json::from_slice(message.payload()).unwrap();
            let block = u32::try_from(payload["contentBlockIndex"].as_u64().unwrap_or(0)).unwrap();
            let delta = &payload["delta"];
            let event = match header(&message, ":event-type").as_str() {
                "messageStart" => Event::MessageStart,
                "contentBlockDelta" if delta["text"].is_string() => {
                    Event::Text { block, text: delta["text"].as_str().unwrap() }
                }
                "contentBlockDelta" => match delta["reasoningContent"]["text"].as_str() {
                    Some(text) => Event::Reasoning { block, text },
                    None => {
                        let signature = delta["reasoningContent"]["signature"].as_str().unwrap();
                        Event::ReasoningSignature { block, signature }
                    }
                },
                "contentBlockStop" => Event::BlockStop { block },
                "messageStop" => Event::MessageStop { reason: payload["stopReason"].as_str().unwrap() },
                "metadata" if payload["usage"]["serverToolUsage"].is_object() => {
                    let number = |value: &Value| value.as_u64().unwrap();
                    let usage = Usage {
                        input_tokens: number(&payload["usage"]["inputTokens"]),
                        output_tokens: number(&payload["usage"]["outputTokens"]),
                    };
                    let latency_ms = number(&payload["metrics"]["latencyMs"]);
                    Event::Metadata { usage: usage.into(), echo: &echo, latency_ms }
                }
                // An older record, whose usage lacks the member that no model describes.
                "metadata" => continue,
                other => panic!("{other} is unknown here"),
            };
            let mut written = BytesMut::new();
            frames::write(&event, payload["p"].as_str(), &mut written);
            let mut recorded = BytesMut::new();
            write_message_to(&message, &mut recorded).unwrap();
            assert_eq!(written, recorded, "{event:?}");
            compared += 1;
        }
    }
    println!("{compared} recorded events compared");
}

#[test]
fn recorded_streams_have_the_order_of_events_that_is_written_here() {
    for record in records(".eventstream.bin") {
        let kinds: Vec<String> =
            messages(&record).1.iter().map(|message| header(message, ":event-type")).collect();
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let [first, middle @ .., stop, last] = kinds.as_slice() else { panic!("too short: {kinds:?}") };
        assert_eq!(
            (*first, *stop, *last),
            ("messageStart", "messageStop", "metadata"),
            "{}",
            record.display()
        );
        assert_eq!(middle.last(), Some(&"contentBlockStop"));
        for kind in middle {
            assert!(matches!(*kind, "contentBlockDelta" | "contentBlockStop"), "{kind}");
        }
    }
}
