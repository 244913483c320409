//! What the clients of the soak ask for: the mix, drawn from the number of each request.
//!
//! Every sentence of every document carries the number, so that no two right answers are the
//! same and an answer that went to the wrong client is seen. The one rule it protects: the same
//! number always makes the same request.

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

/// What marks a document; nine digits follow.
const MARK: &str = "dossier-";
const DIGITS: usize = 9;
const LARGEST_SENTENCES: u64 = 500;

/// How the answer is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    Json,
    Sse,
    Ndjson,
    Text,
    Compat,
}

impl Dialect {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sse => "sse",
            Self::Ndjson => "ndjson",
            Self::Text => "text",
            Self::Compat => "/api",
        }
    }
}

/// What the client does with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Steady,
    /// Takes a small piece at a time, with pauses.
    Slow,
    /// Leaves after the first piece of the body.
    Leaves,
}

/// One request.
#[derive(Debug)]
pub struct Shape {
    pub case: u64,
    pub path: String,
    pub body: String,
    pub dialect: Dialect,
    pub reader: Reader,
}

impl Shape {
    /// The request of that number. Clients that are all steady show what the service can do.
    pub fn of(case: u64, all_steady: bool) -> Self {
        let mut random = SmallRng::seed_from_u64(case);
        let dialect = match random.random_range(0..100) {
            0..35 => Dialect::Json,
            35..65 => Dialect::Sse,
            65..75 => Dialect::Ndjson,
            75..85 => Dialect::Text,
            _ => Dialect::Compat,
        };
        let sentences = match random.random_range(0..100) {
            0..60 => random.random_range(2..6),
            60..92 => random.random_range(10..30),
            92..99 => random.random_range(80..150),
            _ => LARGEST_SENTENCES,
        };
        let task = match random.random_range(0..10) {
            // The largest texts are summarized: to write them anew takes the simulator a second.
            _ if sentences == LARGEST_SENTENCES => "summarize",
            0..5 => "summarize",
            5..8 => "rephrase",
            _ => "expand",
        };
        let reader = match random.random_range(0..100) {
            _ if all_steady => Reader::Steady,
            0..4 => Reader::Leaves,
            4..8 => Reader::Slow,
            _ => Reader::Steady,
        };
        let mut body = match task {
            // Points are written out at length: a few of them are enough.
            "expand" => {
                json!({"bullets": (0..sentences.min(12)).map(|at| sentence(case, at)).collect::<Vec<_>>()})
            }
            _ => json!({"text": document(case, sentences)}),
        };
        let (family, query) = match dialect {
            Dialect::Compat => ("api", ""),
            Dialect::Json => ("v1", ""),
            Dialect::Sse => ("v1", "?stream=sse"),
            Dialect::Ndjson => ("v1", "?stream=ndjson"),
            Dialect::Text => ("v1", "?stream=text"),
        };
        if dialect == Dialect::Sse && random.random_range(0..4) == 0 {
            body["include"] = json!(["text"]);
        }
        if matches!(dialect, Dialect::Sse | Dialect::Ndjson) && random.random_range(0..3) == 0 {
            body["on_failover"] = json!("restart");
        }
        Self { case, path: format!("/{family}/{task}{query}"), body: body.to_string(), dialect, reader }
    }

    pub fn request_id(&self) -> String {
        format!("soak-{}", self.case)
    }
}

/// The number of the request whose document a prompt holds.
pub fn case_in(prompt: &[u8]) -> Option<u64> {
    let prompt = std::str::from_utf8(prompt).ok()?;
    let start = prompt.find(MARK)? + MARK.len();
    prompt.get(start..start + DIGITS)?.parse().ok()
}

fn document(case: u64, sentences: u64) -> String {
    (0..sentences).map(|at| sentence(case, at)).collect::<Vec<_>>().join(" ")
}

fn sentence(case: u64, at: u64) -> String {
    const WHO: [&str; 5] =
        ["The harbour office", "A clerk of the museum", "The city council", "An engineer", "The library"];
    const DID: [&str; 7] = ["opened", "closed", "counted", "moved", "described", "repaired", "sold"];
    const WHAT: [&str; 6] = [
        "the northern ferry line",
        "a collection of 400 maps",
        "the bridge for cyclists",
        "two reading rooms – “quiet” ones",
        "the archive's café",
        "a tower of 38 m",
    ];
    let pick = |words: &[&'static str], step: u64| {
        let index = (case / 3 + at * step) % u64::try_from(words.len()).unwrap();
        words[usize::try_from(index).unwrap()]
    };
    let (who, did, what) = (pick(&WHO, 3), pick(&DID, 5), pick(&WHAT, 7));
    format!("{who} {did} {what} in {MARK}{case:0DIGITS$}, as page {at} tells.")
}
