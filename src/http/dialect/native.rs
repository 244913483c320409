//! Native events, version 1: what each looks like as SSE and as NDJSON.
//!
//! Every event is one line of JSON with `type` and `seq`; SSE adds the id, the
//! event name and, in the first frame, the time to wait before reconnecting.

use std::io::Write as _;

use bytes::{BufMut as _, BytesMut};
use serde::Serialize;

use super::super::error::ApiError;
use super::super::task_routes::AnswerContext;
use super::super::wire::{
    Chunks, CostBody, PartialBody, Problem, SuggestionBody, TimingBody, UsageBody, WarningBody,
};
use super::stream_body::{Broken, Encode};
use crate::pipeline::{
    ChunkChange, Done, Event, Failure, FallbackReport, ProgressReport, Started, UsageReport,
};

const API_VERSION: &str = "1";
/// What a client should wait before it reconnects.
const RETRY_MS: u32 = 3000;

/// How events are told apart on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Sse,
    Lines,
}

/// The encoder.
pub(super) struct NativeEvents {
    context: AnswerContext,
    framing: Framing,
    seq: u64,
    /// The whole text, where the caller asked for it at the end.
    text: Option<String>,
}

impl NativeEvents {
    pub(super) fn new(context: AnswerContext, framing: Framing) -> Self {
        let text = context.include_text.then(String::new);
        Self { context, framing, seq: 0, text }
    }

    /// Writes one event. The payload is an object with at least one member; its
    /// opening brace becomes the comma after our own members.
    fn write(&mut self, kind: &'static str, payload: &impl Serialize, piece: &mut BytesMut) {
        const SOUND: &str = "strings and numbers always serialize into memory";
        let seq = self.seq;
        self.seq += 1;
        let mut out = piece.writer();
        if self.framing == Framing::Sse {
            if seq == 0 {
                writeln!(out, "retry: {RETRY_MS}").expect(SOUND);
            }
            write!(out, "id: {}-{seq}\nevent: {kind}\ndata: ", self.context.generation_id).expect(SOUND);
        }
        write!(out, "{{\"type\":\"{kind}\",\"seq\":{seq}").expect(SOUND);
        let comma_at = piece.len();
        serde_json::to_writer(piece.writer(), payload).expect(SOUND);
        piece[comma_at] = b',';
        piece.extend_from_slice(if self.framing == Framing::Sse { b"\n\n" } else { b"\n" });
    }

    fn started(&mut self, started: &Started, piece: &mut BytesMut) {
        let context = self.context.clone();
        let payload = StartPayload {
            id: context.generation_id.as_str(),
            task: context.task.as_str(),
            model: started.model.as_str(),
            chain: &started.chain,
            created: context.created,
            strategy: started.strategy.as_str(),
            chunks_total: started.chunks,
            resumable: false,
            request_id: context.request_id.as_str(),
            api_version: API_VERSION,
        };
        self.write("start", &payload, piece);
    }

    fn usage(&mut self, report: &UsageReport, piece: &mut BytesMut) {
        self.write("usage", &UsagePayload::from(report), piece);
    }

    fn done(&mut self, done: &Done, piece: &mut BytesMut) {
        let text = self.text.take();
        let payload = DonePayload {
            finish_reason: done.finish.as_str(),
            model: done.model.as_str(),
            fallback: done.fallback,
            attempts: done.model_calls,
            output_chars: done.output_chars,
            partial: done.chunks.is_partial(),
            chunks: Chunks::from(done.chunks),
            text: text.as_deref(),
        };
        self.write("done", &payload, piece);
    }

    fn failed(&mut self, failure: Failure, piece: &mut BytesMut) {
        let partial = failure.partial;
        let error = ApiError::from(failure);
        let request_id = self.context.request_id.clone();
        // `type` names the event here, so the problem's own type gives way; `code` says the same.
        let problem = Problem { kind: None, partial: Some(partial), ..error.problem(&request_id) };
        self.write("error", &problem, piece);
    }
}

impl Encode for NativeEvents {
    fn encode(&mut self, event: Event, piece: &mut BytesMut) -> Result<(), Broken> {
        match event {
            Event::Started(started) => self.started(&started, piece),
            Event::Progress(report) => self.write("progress", &ProgressPayload::from(&report), piece),
            Event::Partial(partial) => self.write("partial", &PartialBody::from(&partial), piece),
            Event::Suggestion(suggestion) => {
                self.write("suggestion", &SuggestionBody::from(&suggestion), piece);
            }
            Event::Fallback(fallback) => self.write("fallback", &FallbackPayload::from(&fallback), piece),
            Event::Warning(warning) => self.write("warning", &WarningBody::from(&warning), piece),
            Event::Delta(text) => {
                self.write("delta", &DeltaPayload { text: &text }, piece);
                if let Some(whole) = &mut self.text {
                    whole.push_str(&text);
                }
            }
            Event::Reset(reset) => {
                let payload =
                    ResetPayload { reason: reset.reason.as_str(), discarded_chars: reset.discarded_chars };
                self.write("reset", &payload, piece);
                if let Some(whole) = &mut self.text {
                    whole.clear();
                }
            }
            Event::Usage(report) => self.usage(&report, piece),
            Event::Done(done) => self.done(&done, piece),
            Event::Failed(failure) => self.failed(failure, piece),
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct StartPayload<'a> {
    id: &'a str,
    task: &'a str,
    model: &'a str,
    chain: &'a str,
    created: u64,
    strategy: &'a str,
    chunks_total: u32,
    resumable: bool,
    request_id: &'a str,
    api_version: &'a str,
}

#[derive(Serialize)]
pub(super) struct FallbackPayload<'a> {
    from: &'a str,
    to: &'a str,
    reason: &'a str,
    attempt: u32,
    stage: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk_index: Option<u32>,
}

impl<'a> From<&'a FallbackReport> for FallbackPayload<'a> {
    fn from(report: &'a FallbackReport) -> Self {
        let fallback = &report.fallback;
        Self {
            from: fallback.from.as_str(),
            to: fallback.to.as_str(),
            reason: fallback.reason.as_str(),
            attempt: fallback.attempt,
            stage: report.stage.as_str(),
            chunk_index: report.chunk,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ProgressPayload<'a> {
    stage: &'a str,
    done: u32,
    total: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<u32>,
    /// The last of `chunks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk: Option<ChunkPayload<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chunks: Vec<ChunkPayload<'a>>,
}

impl<'a> From<&'a ProgressReport> for ProgressPayload<'a> {
    fn from(report: &'a ProgressReport) -> Self {
        Self {
            stage: report.stage.as_str(),
            done: report.done,
            total: report.total,
            level: report.level,
            chunk: report.changes.last().map(ChunkPayload::from),
            chunks: report.changes.iter().map(ChunkPayload::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct ChunkPayload<'a> {
    index: u32,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

impl<'a> From<&'a ChunkChange> for ChunkPayload<'a> {
    fn from(change: &'a ChunkChange) -> Self {
        let model = change.model.as_ref().map(|model| model.as_str());
        Self { index: change.index, status: change.state.as_str(), model }
    }
}

#[derive(Serialize)]
struct DeltaPayload<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct ResetPayload<'a> {
    reason: &'a str,
    discarded_chars: usize,
}

#[derive(Serialize)]
pub(super) struct UsagePayload<'a> {
    usage: UsageBody,
    cost: CostBody,
    by_model: Vec<ByModel<'a>>,
    timing: TimingBody,
}

impl<'a> From<&'a UsageReport> for UsagePayload<'a> {
    fn from(report: &'a UsageReport) -> Self {
        let by_model = report.by_model.iter().map(|entry| ByModel {
            model: entry.model.as_str(),
            input_tokens: entry.usage.input_tokens,
            output_tokens: entry.usage.output_tokens,
            cost_usd: entry.cost.map(|cost| cost.usd()),
        });
        Self {
            usage: UsageBody::from(report),
            cost: CostBody::from(report),
            by_model: by_model.collect(),
            timing: TimingBody::from(&report.timing),
        }
    }
}

#[derive(Serialize)]
struct ByModel<'a> {
    model: &'a str,
    input_tokens: u64,
    output_tokens: u64,
    cost_usd: Option<f64>,
}

#[derive(Serialize)]
struct DonePayload<'a> {
    finish_reason: &'a str,
    model: &'a str,
    fallback: bool,
    attempts: u32,
    output_chars: usize,
    partial: bool,
    chunks: Chunks,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}
