//! Reads native events back, and knows their grammar.

use serde_json::Value;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub id: Option<String>,
    pub kind: String,
    pub data: Value,
}

/// All events of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    pub frames: Vec<Frame>,
    /// `: hb` lines.
    pub heartbeats: usize,
}

impl Transcript {
    /// Reads `text/event-stream`, more strictly than a browser would.
    pub fn of_sse(text: &str) -> Self {
        assert!(!text.contains('\r'), "a carriage return in the stream");
        assert!(!text.contains("\n\n\n"), "a blank line outside an event");
        let mut heartbeats = 0;
        let mut frames = Vec::new();
        for (index, block) in text.split_terminator("\n\n").enumerate() {
            let (mut id, mut kind, mut data) = (None, None, None);
            for line in block.lines() {
                match line.split_once(": ").expect("a field") {
                    ("", "hb") => heartbeats += 1,
                    ("retry", value) => {
                        assert_eq!((index, value), (0, "3000"), "retry stands in the first frame");
                    }
                    ("id", value) => id = Some(value.to_owned()),
                    ("event", value) => kind = Some(value.to_owned()),
                    ("data", value) => {
                        assert!(data.is_none(), "data is one line");
                        data = Some(serde_json::from_str::<Value>(value).unwrap());
                    }
                    other => panic!("an unknown field {other:?}"),
                }
            }
            frames.push(Frame { id, kind: kind.expect("an event name"), data: data.expect("data") });
        }
        for frame in &frames {
            assert_eq!(frame.data["type"], frame.kind.as_str());
            assert!(frame.id.as_deref().unwrap().ends_with(&format!("-{}", frame.data["seq"])));
        }
        Self { frames, heartbeats }
    }

    /// Reads NDJSON.
    pub fn of_lines(text: &str) -> Self {
        let frame = |line: &str| {
            let data: Value = serde_json::from_str(line).unwrap();
            Frame { id: None, kind: data["type"].as_str().unwrap().to_owned(), data }
        };
        Self { frames: text.lines().map(frame).collect(), heartbeats: 0 }
    }

    /// Event names in order, runs of `delta` folded into one.
    pub fn outline(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.frames.iter().map(|frame| frame.kind.as_str()).collect();
        names.dedup_by(|a, b| a == b && *a == "delta");
        names
    }

    /// The deltas after the last `reset` together.
    pub fn text(&self) -> String {
        let from = self.frames.iter().rposition(|frame| frame.kind == "reset").unwrap_or(0);
        self.frames[from..]
            .iter()
            .filter(|frame| frame.kind == "delta")
            .map(|frame| frame.data["text"].as_str().unwrap())
            .collect()
    }

    /// The only event of that name.
    pub fn one(&self, kind: &str) -> &Value {
        let found: Vec<usize> =
            (0..self.frames.len()).filter(|index| self.frames[*index].kind == kind).collect();
        assert_eq!(found.len(), 1, "exactly one {kind} in {:?}", self.outline());
        &self.frames[found[0]].data
    }

    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Frame> {
        self.frames.iter().filter(move |frame| frame.kind == kind)
    }

    /// Checks what holds for every stream: `start` first, consecutive numbers,
    /// one terminal event, which is last, and `usage` at most once, right before it.
    pub fn assert_grammar(&self) {
        let kinds: Vec<&str> = self.frames.iter().map(|frame| frame.kind.as_str()).collect();
        assert_eq!(kinds[0], "start");
        for (index, frame) in self.frames.iter().enumerate() {
            assert_eq!(frame.data["seq"], index, "numbers are consecutive");
        }
        let terminal = |kind: &&str| **kind == *"done" || **kind == *"error";
        assert_eq!(kinds.iter().filter(|kind| terminal(kind)).count(), 1, "{kinds:?}");
        assert!(terminal(kinds.last().unwrap()), "{kinds:?}");
        let usages: Vec<usize> =
            kinds.iter().enumerate().filter(|(_, k)| **k == "usage").map(|(i, _)| i).collect();
        assert!(usages.iter().all(|index| *index == kinds.len() - 2), "{kinds:?}");
        assert!(usages.len() <= 1 && (usages.len() == 1 || kinds.last() == Some(&"error")), "{kinds:?}");
        // Between its deltas an answer stays with its model, unless a reset made them void.
        for part in kinds.split(|kind| *kind == "reset") {
            let first_delta = part.iter().position(|kind| *kind == "delta").unwrap_or(part.len());
            assert!(part[first_delta..].iter().all(|kind| *kind != "fallback"), "{kinds:?}");
        }
    }
}
