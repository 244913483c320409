//! Reads streams of chunks back, more strictly than their clients do.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

/// A stream of `data:` frames.
pub struct Chunks {
    pub chunks: Vec<Value>,
    /// Whether `[DONE]` came, and last.
    pub done: bool,
    pub heartbeats: usize,
}

impl Chunks {
    pub fn read(text: &str) -> Self {
        assert!(!text.contains('\r'), "a carriage return in the stream");
        assert!(!text.contains("\n\n\n"), "a blank line outside a frame");
        assert!(text.is_empty() || text.ends_with("\n\n"), "a frame without its end: {text:?}");
        let (mut chunks, mut done, mut heartbeats) = (Vec::new(), false, 0);
        for block in text.split_terminator("\n\n") {
            assert!(!done, "something comes after [DONE]: {block}");
            let (beats, rest): (Vec<&str>, Vec<&str>) = block.lines().partition(|line| *line == ": hb");
            heartbeats += beats.len();
            let [data] = rest.as_slice() else { panic!("a frame is one line of data: {block:?}") };
            match data.strip_prefix("data: ").expect("data") {
                "[DONE]" => done = true,
                chunk => chunks.push(serde_json::from_str(chunk).unwrap()),
            }
        }
        Self { chunks, done, heartbeats }
    }

    /// All pieces of text together.
    pub fn text(&self) -> String {
        let piece = |chunk: &Value| {
            let delta = chunk.get("delta").or_else(|| chunk.pointer("/choices/0/delta/content"));
            delta.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        self.chunks.iter().map(piece).collect()
    }

    /// Whether it says of itself that it is whole.
    pub fn is_whole(&self) -> bool {
        let says_so = |chunk: &Value| {
            chunk["type"] == "finish"
                || chunk.pointer("/choices/0/finish_reason").is_some_and(Value::is_string)
        };
        self.done && self.chunks.iter().any(says_so)
    }

    /// What went wrong: the code, a colon and a sentence.
    pub fn error(&self) -> Option<String> {
        self.chunks.iter().find_map(|chunk| {
            let text = chunk["errorText"].as_str().map(str::to_owned);
            let error = &chunk["error"];
            let of_openai = || {
                let (code, message) = (error["code"].as_str()?, error["message"].as_str()?);
                Some(format!("{code}: {message}"))
            };
            text.or_else(of_openai)
        })
    }

    /// Types of chunks in order, runs of the same one folded into one.
    pub fn outline(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.chunks.iter().map(|chunk| chunk["type"].as_str().unwrap_or("?")).collect();
        names.dedup();
        names
    }

    pub fn one(&self, kind: &str) -> &Value {
        let mut found = self.chunks.iter().filter(|chunk| chunk["type"] == kind);
        let first = found.next().unwrap_or_else(|| panic!("no {kind} in {:?}", self.outline()));
        assert!(found.next().is_none(), "more than one {kind}");
        first
    }

    /// Compares with `tests/golden/dialects/{name}.txt`, but for ids and times.
    pub fn assert_golden(&self, name: &str) {
        let lines = self.chunks.iter().map(|chunk| settled(chunk.clone()).to_string());
        let end = self.done.then(|| "[DONE]".to_owned());
        let found: String = lines.chain(end).map(|line| format!("data: {line}\n\n")).collect();
        let path = format!("{}/tests/golden/dialects/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
            fs::write(&path, &found).unwrap();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(found, golden, "{path} differs; UPDATE_GOLDEN=1 rewrites it");
    }
}

/// The same value without what differs from run to run.
pub fn settled(value: Value) -> Value {
    let member = |(name, value): (String, Value)| {
        let value = match (name.as_str(), value) {
            ("created", Value::Number(_)) => json!(0),
            // An answer that came at once has no speed.
            ("tokens_per_second", Value::Number(_) | Value::Null) => json!(0.0),
            (name, Value::Number(_)) if name.ends_with("_ms") => json!(0.0),
            ("id" | "messageId", Value::String(id)) if id.starts_with("gen_") => json!("gen_0"),
            ("request_id", Value::String(_)) => json!("req_0"),
            ("instance", Value::String(_)) => json!("urn:redraft:request:req_0"),
            (_, value) => settled(value),
        };
        (name, value)
    };
    match value {
        Value::Object(members) => Value::Object(members.into_iter().map(member).collect::<Map<_, _>>()),
        Value::Array(items) => items.into_iter().map(settled).collect(),
        other => other,
    }
}
