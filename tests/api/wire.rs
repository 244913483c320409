//! Real answers of AWS, byte for byte, through the SDK and the whole service.
//!
//! The recordings are not part of the repository: they are read from a folder
//! `shared/wire` beside it, and where that is missing the test says so and has
//! nothing to check.

use std::net::SocketAddr;
use std::path::PathBuf;

use rand::Rng as _;
use redraft::app::App;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, Request, load};

struct Recording {
    name: String,
    meta: Value,
    /// The body of the answer: JSON, or event-stream frames.
    body: Vec<u8>,
    content_type: &'static str,
}

fn recordings() -> Option<Vec<Recording>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/wire");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no folder {}", folder.display());
        return None;
    };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".json") || !name.starts_with("bedrock_") {
            continue;
        }
        let meta: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let (body, content_type) = if meta["events"].is_array() {
            let frames = path.with_extension("eventstream.bin");
            (std::fs::read(frames).unwrap(), "application/vnd.amazon.eventstream")
        } else {
            (meta["response_body"].to_string().into_bytes(), "application/json")
        };
        found.push(Recording { name, meta, body, content_type });
    }
    assert!(found.len() >= 8, "the folder holds recordings");
    Some(found)
}

/// Answers every request with one recording, its body cut at random.
async fn replay(recording: Recording, listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream, &recording).await;
    }
}

async fn serve(mut stream: TcpStream, recording: &Recording) {
    read_request(&mut stream).await;
    let status = recording.meta["status"].as_u64().unwrap();
    let error_type = if status == 400 { "x-amzn-errortype: ValidationException\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status} Replayed\r\ncontent-type: {}\r\n{error_type}transfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        recording.content_type
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut rest = recording.body.as_slice();
    while !rest.is_empty() {
        let size = rand::rng().random_range(1..=rest.len().min(200));
        let (piece, more) = rest.split_at(size);
        let chunk = [format!("{size:x}\r\n").as_bytes(), piece, b"\r\n"].concat();
        if stream.write_all(&chunk).await.is_err() {
            return;
        }
        rest = more;
    }
    // The service may have all it needs and be gone.
    let _sent = stream.write_all(b"0\r\n\r\n").await;
}

async fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).to_lowercase();
        if let Some(head_end) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            if seen.len() >= head_end + 4 + length {
                return;
            }
        }
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "a whole request");
        seen.extend_from_slice(&buffer[..read]);
    }
}

/// Runs a request through the service with the recording as its upstream.
async fn answered_by(recording: Recording, path: &str) -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream: SocketAddr = listener.local_addr().unwrap();
    let replaying = tokio::spawn(replay(recording, listener));
    let mut config = load(&[("ROUTING__MAX_RETRIES", "0")]);
    config.bedrock.endpoint_url = Some(format!("http://{upstream}"));
    let app = App::build(&config).await.unwrap();
    let address = app.addresses().unwrap().public;
    let shutdown = CancellationToken::new();
    let _ends = shutdown.clone().drop_guard();
    tokio::spawn(app.run(shutdown));
    let request = Request::post(address, path).header("content-type", "application/json");
    let answer = request.body(json!({"text": "Anything. It is not read."}).to_string()).send().await;
    replaying.abort();
    answer
}

fn finish_reason(stop_reason: &Value) -> &'static str {
    if stop_reason == "max_tokens" { "length" } else { "stop" }
}

#[tokio::test]
async fn recorded_whole_answers_come_out_as_aws_sent_them() {
    for recording in recordings().into_iter().flatten().filter(|r| !r.meta["events"].is_array()) {
        let (name, body) = (recording.name.clone(), recording.meta["response_body"].clone());
        let status = recording.meta["status"].clone();
        let answer = answered_by(recording, "/v1/summarize").await;
        if status != 200 {
            // "The provided model identifier is invalid." for every model of the chain.
            assert_eq!(answer.status, 503, "{name}: {}", answer.text());
            continue;
        }
        let blocks = body["output"]["message"]["content"].as_array().unwrap();
        let text: String = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
        let ours = answer.json();
        assert_eq!(ours["text"], text.as_str(), "{name}");
        assert_eq!(ours["finish_reason"], finish_reason(&body["stopReason"]), "{name}");
        for (ours_name, theirs) in [
            ("input_tokens", "inputTokens"),
            ("output_tokens", "outputTokens"),
            ("cache_read_input_tokens", "cacheReadInputTokens"),
            ("cache_write_input_tokens", "cacheWriteInputTokens"),
        ] {
            let theirs = body["usage"][theirs].as_u64().unwrap_or(0);
            assert_eq!(ours["usage"][ours_name], theirs, "{name}: {ours_name}");
        }
    }
}

#[tokio::test]
async fn recorded_streams_come_out_as_aws_sent_them() {
    for recording in recordings().into_iter().flatten().filter(|r| r.meta["events"].is_array()) {
        let name = recording.name.clone();
        let events = recording.meta["events"].as_array().unwrap().clone();
        let payloads = |kind: &str| {
            let of_kind = events.iter().filter(|event| event["headers"][":event-type"] == kind);
            of_kind.map(|event| event["payload"].clone()).collect::<Vec<_>>()
        };
        let text: String = payloads("contentBlockDelta")
            .iter()
            .filter_map(|delta| delta["delta"]["text"].as_str().map(str::to_owned))
            .collect();
        let stop = payloads("messageStop").remove(0);
        let metadata = payloads("metadata").remove(0);
        let stream = answered_by(recording, "/v1/summarize?stream=sse").await.sse();
        stream.assert_grammar();
        assert_eq!(stream.text(), text, "{name}");
        assert_eq!(stream.one("done")["finish_reason"], finish_reason(&stop["stopReason"]), "{name}");
        let usage = &stream.one("usage")["usage"];
        assert_eq!(usage["input_tokens"], metadata["usage"]["inputTokens"], "{name}");
        assert_eq!(usage["output_tokens"], metadata["usage"]["outputTokens"], "{name}");
    }
}
