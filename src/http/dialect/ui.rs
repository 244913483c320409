//! The AI SDK's UI message stream, version 1: what each event looks like as a chunk.
//!
//! Its readers are strict. A chunk with a type or a member that they do not know ends
//! the stream with an error of theirs, so nothing stands here that they have not had
//! since version 5.0; what is ours goes into `data-…` chunks and into metadata, which
//! are free. A stream that ends without an `error` is whole to them, so every failure
//! is told as one.

use std::io::Write as _;

use bytes::{BufMut as _, BytesMut};
use serde::Serialize;

use super::super::error::ApiError;
use super::super::task_routes::AnswerContext;
use super::super::wire::{Chunks, CostBody, PartialBody, SuggestionBody, UsageBody, WarningBody};
use super::native::{FallbackPayload, ProgressPayload, UsagePayload};
use super::stream_body::{Broken, Encode};
use crate::pipeline::{Done, Event, Failure, Started, UsageReport};

/// The answer is one text.
const TEXT_ID: &str = "txt_0";
/// Each progress takes the place of the one before.
const PROGRESS_ID: &str = "progress";
/// Ends every stream; readers stop there.
const END: &[u8] = b"data: [DONE]\n\n";

/// The encoder.
pub(super) struct UiChunks {
    context: AnswerContext,
    /// Whether the text has begun.
    writing: bool,
    /// The whole text, where the caller asked for it at the end.
    text: Option<String>,
    usage: Option<UsageReport>,
}

impl UiChunks {
    pub(super) fn new(context: AnswerContext) -> Self {
        let text = context.include_text.then(String::new);
        Self { context, writing: false, text, usage: None }
    }

    fn started(&self, started: &Started, piece: &mut BytesMut) {
        let message_metadata = StartMetadata {
            request_id: self.context.request_id.as_str(),
            task: self.context.task.as_str(),
            model: started.model.as_str(),
            chain: &started.chain,
        };
        let message_id = self.context.generation_id.as_str();
        write(&Chunk::Start { message_id, message_metadata }, piece);
    }

    fn delta(&mut self, delta: &str, piece: &mut BytesMut) {
        if !self.writing {
            self.writing = true;
            write(&Chunk::StartStep, piece);
            write(&Chunk::TextStart { id: TEXT_ID }, piece);
        }
        write(&Chunk::TextDelta { id: TEXT_ID, delta }, piece);
        if let Some(whole) = &mut self.text {
            whole.push_str(delta);
        }
    }

    /// The text is whole: what follows is about it.
    fn close_text(&mut self, piece: &mut BytesMut) {
        if self.writing {
            self.writing = false;
            write(&Chunk::TextEnd { id: TEXT_ID }, piece);
            write(&Chunk::FinishStep, piece);
        }
    }

    fn usage(&mut self, report: UsageReport, piece: &mut BytesMut) {
        write(&Chunk::Usage { data: UsagePayload::from(&report) }, piece);
        self.usage = Some(report);
    }

    fn done(&mut self, done: &Done, piece: &mut BytesMut) {
        self.close_text(piece);
        let message_metadata = FinishMetadata {
            model: done.model.as_str(),
            finish_reason: done.finish.as_str(),
            fallback: done.fallback,
            attempts: done.model_calls,
            partial: done.chunks.is_partial(),
            chunks: Chunks::from(done.chunks),
            usage: self.usage.as_ref().map(UsageBody::from),
            cost: self.usage.as_ref().map(CostBody::from),
            text: self.text.as_deref(),
        };
        write(&Chunk::Finish { message_metadata }, piece);
        piece.extend_from_slice(END);
    }

    /// The text stays open: it was not finished.
    fn failed(failure: Failure, piece: &mut BytesMut) {
        let error = ApiError::from(failure);
        let error_text = format!("{}: {}", error.code.as_str(), error.detail());
        write(&Chunk::Error { error_text }, piece);
        piece.extend_from_slice(END);
    }
}

impl Encode for UiChunks {
    fn encode(&mut self, event: Event, piece: &mut BytesMut) -> Result<(), Broken> {
        match event {
            Event::Started(started) => self.started(&started, piece),
            Event::Progress(report) => {
                let data = ProgressPayload::from(&report);
                write(&Chunk::Progress { id: PROGRESS_ID, data, transient: true }, piece);
            }
            Event::Partial(partial) => {
                let id = format!("partial_{}", partial.index);
                write(&Chunk::Partial { id, data: PartialBody::from(&partial) }, piece);
            }
            Event::Suggestion(suggestion) => {
                let id = format!("suggestion_{}", suggestion.index);
                write(&Chunk::Suggestion { id, data: SuggestionBody::from(&suggestion) }, piece);
            }
            Event::Fallback(fallback) => {
                write(&Chunk::Fallback { data: FallbackPayload::from(&fallback) }, piece);
            }
            Event::Warning(warning) => write(&Chunk::Warning { data: WarningBody::from(&warning) }, piece),
            Event::Delta(text) => self.delta(&text, piece),
            // Text that has left cannot be taken back here, so this dialect never asks for a restart.
            Event::Reset(_) => return Err(Broken),
            Event::Usage(report) => self.usage(report, piece),
            Event::Done(done) => self.done(&done, piece),
            Event::Failed(failure) => Self::failed(failure, piece),
        }
        Ok(())
    }
}

fn write(chunk: &Chunk<'_>, piece: &mut BytesMut) {
    const SOUND: &str = "strings and numbers always serialize into memory";
    let mut out = piece.writer();
    out.write_all(b"data: ").expect(SOUND);
    serde_json::to_writer(&mut out, chunk).expect(SOUND);
    out.write_all(b"\n\n").expect(SOUND);
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Chunk<'a> {
    Start {
        message_id: &'a str,
        message_metadata: StartMetadata<'a>,
    },
    StartStep,
    TextStart {
        id: &'a str,
    },
    TextDelta {
        id: &'a str,
        delta: &'a str,
    },
    TextEnd {
        id: &'a str,
    },
    FinishStep,
    #[serde(rename = "data-progress")]
    Progress {
        id: &'a str,
        data: ProgressPayload<'a>,
        /// It is gone when the message is there.
        transient: bool,
    },
    #[serde(rename = "data-partial")]
    Partial {
        id: String,
        data: PartialBody<'a>,
    },
    #[serde(rename = "data-suggestion")]
    Suggestion {
        id: String,
        data: SuggestionBody<'a>,
    },
    #[serde(rename = "data-fallback")]
    Fallback {
        data: FallbackPayload<'a>,
    },
    #[serde(rename = "data-warning")]
    Warning {
        data: WarningBody<'a>,
    },
    #[serde(rename = "data-usage")]
    Usage {
        data: UsagePayload<'a>,
    },
    Finish {
        message_metadata: FinishMetadata<'a>,
    },
    Error {
        error_text: String,
    },
}

#[derive(Serialize)]
struct StartMetadata<'a> {
    request_id: &'a str,
    task: &'a str,
    model: &'a str,
    chain: &'a str,
}

#[derive(Serialize)]
struct FinishMetadata<'a> {
    model: &'a str,
    finish_reason: &'a str,
    fallback: bool,
    attempts: u32,
    partial: bool,
    chunks: Chunks,
    usage: Option<UsageBody>,
    cost: Option<CostBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}
