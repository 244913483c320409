//! One call as it is stored and as it is shown.
//!
//! Owns the stored entry, whose open parts are set once each, and the snapshot of it that callers
//! read. The body is kept as bytes and parsed on the first look: most bodies are never looked at.
//! The one rule it protects: a snapshot never changes after it was taken.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Billed, millis};
use crate::prompt_cache::CacheUse;
use crate::scenario::Scenario;

/// An operation of the Bedrock Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Operation {
    Converse,
    ConverseStream,
    CountTokens,
    InvokeModel,
    InvokeModelWithResponseStream,
    ApplyGuardrail,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// It has not ended yet.
    InProgress,
    /// The whole answer was handed to the connection.
    Completed,
    /// It was refused, or its answer was broken on purpose.
    Failed {
        status: u16,
        /// The exception's name, or the name of what was done to the answer.
        error: String,
    },
    /// The client left before the end.
    ClientGone,
}

/// One call, as it stood when the record was taken.
#[derive(Clone, Serialize)]
pub struct CallRecord {
    /// Counts calls from 1.
    pub sequence: u64,
    pub operation: Operation,
    /// The model id, percent-decoded; of ApplyGuardrail, the guardrail's identifier.
    pub model_id: String,
    /// Of ApplyGuardrail, whose path names it.
    pub guardrail_version: Option<String>,
    /// What `x-amzn-RequestId` said in the answer.
    pub request_id: String,
    /// The header `amz-sdk-request`, such as `attempt=1; max=3`.
    pub sdk_request: Option<String>,
    /// The request headers `accept`, `content-type` and `x-amzn-bedrock-*`, by names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The access key id of the signature, or `bearer`.
    pub signed_by: Option<String>,
    /// From the simulator's start to the call's arrival, on a clock that never goes back.
    #[serde(skip)]
    pub began: Duration,
    /// From the simulator's start to the call's end, on the same clock.
    #[serde(skip)]
    pub ended: Option<Duration>,
    /// `began` in milliseconds.
    pub received_after_ms: u64,
    /// Milliseconds from the Unix epoch to the call's arrival.
    pub received_at_unix_ms: u64,
    pub scenario: Scenario,
    pub outcome: Outcome,
    /// `ended` in milliseconds.
    pub ended_after_ms: Option<u64>,
    /// Text and reasoning deltas handed to the connection.
    pub deltas_sent: u32,
    /// Zero where nothing was generated. Without those of the cache.
    pub billed_input_tokens: u64,
    /// What of the prompt came from the cache, and what was stored there.
    pub billed_cache_read_input_tokens: u64,
    pub billed_cache_write_input_tokens: u64,
    pub billed_output_tokens: u64,
    /// The text of the answer, as far as it was sent.
    pub text: Option<String>,
    request: RecordedBody,
}

impl CallRecord {
    pub(super) fn new(entry: Arc<Entry>) -> Self {
        // The end is read first: what it tells is then at least as old as the rest.
        let end = entry.end.get();
        let billed = end.and_then(|end| end.billed.as_ref());
        let cached = billed.and(entry.cached.get()).copied().unwrap_or_default();
        Self {
            sequence: entry.sequence,
            operation: entry.operation,
            model_id: entry.model_id.clone(),
            guardrail_version: entry.guardrail_version.clone(),
            request_id: entry.request_id.clone(),
            sdk_request: entry.sdk_request.clone(),
            headers: entry.headers.clone(),
            signed_by: entry.signed_by.clone(),
            began: entry.received_after,
            ended: end.map(|end| end.after),
            received_after_ms: millis(entry.received_after),
            received_at_unix_ms: millis(entry.received_at),
            scenario: entry.scenario.get().cloned().unwrap_or_default(),
            outcome: end.map_or(Outcome::InProgress, |end| end.outcome.clone()),
            ended_after_ms: end.map(|end| millis(end.after)),
            deltas_sent: entry.deltas_sent.load(Ordering::SeqCst),
            billed_input_tokens: billed.map_or(0, |billed| billed.input_tokens),
            billed_cache_read_input_tokens: cached.read_tokens,
            billed_cache_write_input_tokens: cached.write_tokens,
            billed_output_tokens: billed.map_or(0, |billed| billed.output_tokens),
            text: billed.map(|billed| billed.text.to_string()),
            request: RecordedBody(entry),
        }
    }

    /// The request body; null where it was no JSON.
    pub fn request(&self) -> &Value {
        self.request.json()
    }

    /// The request body as it came.
    pub fn request_bytes(&self) -> &Bytes {
        &self.request.0.body
    }
}

/// Leaves the request body out: it may be a whole document.
impl fmt::Debug for CallRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CallRecord")
            .field("sequence", &self.sequence)
            .field("operation", &self.operation)
            .field("model_id", &self.model_id)
            .field("scenario", &self.scenario)
            .field("outcome", &self.outcome)
            .field("received_after_ms", &self.received_after_ms)
            .field("ended_after_ms", &self.ended_after_ms)
            .field("deltas_sent", &self.deltas_sent)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) operation: Operation,
    pub(super) model_id: String,
    pub(super) guardrail_version: Option<String>,
    pub(super) request_id: String,
    pub(super) sdk_request: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) signed_by: Option<String>,
    pub(super) received_after: Duration,
    pub(super) received_at: Duration,
    pub(super) body: Bytes,
    pub(super) parsed_body: OnceLock<Value>,
    pub(super) scenario: OnceLock<Scenario>,
    pub(super) cached: OnceLock<CacheUse>,
    pub(super) end: OnceLock<End>,
    pub(super) deltas_sent: AtomicU32,
}

#[derive(Debug)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) after: Duration,
    pub(super) billed: Option<Billed>,
}

#[derive(Clone)]
struct RecordedBody(Arc<Entry>);

impl RecordedBody {
    fn json(&self) -> &Value {
        self.0.parsed_body.get_or_init(|| serde_json::from_slice(&self.0.body).unwrap_or(Value::Null))
    }
}

impl Serialize for RecordedBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}
