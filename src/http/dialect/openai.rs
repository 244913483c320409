//! OpenAI's chunks of a chat completion: what each event looks like as one.
//!
//! An answer is whole when a chunk has said its `finish_reason` and `[DONE]` has come;
//! a failure is a chunk with `error`, and no `[DONE]` follows it. What OpenAI has no
//! chunk for, such as progress, is not told.

use std::io::Write as _;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;

use super::super::chat::ChatShape;
use super::super::chat::wire::{
    ChatUsageBody, ChunkBody, ChunkChoiceBody, DeltaBody, ServedBody, finish_reason,
};
use super::super::error::ApiError;
use super::super::task_routes::AnswerContext;
use super::super::wire::Problem;
use super::stream_body::{Broken, Encode};
use crate::pipeline::{Done, Event, Failure, Strategy, UsageReport, Warning};

const OBJECT: &str = "chat.completion.chunk";
const ROLE: &str = "assistant";
/// Ends an answer that is whole.
const END: &[u8] = b"data: [DONE]\n\n";

/// The encoder.
pub(super) struct ChatChunks {
    context: AnswerContext,
    shape: ChatShape,
    /// What was written before the head left.
    first: Option<Bytes>,
    chain: Arc<str>,
    strategy: Strategy,
    warnings: Vec<Warning>,
    usage: Option<UsageReport>,
}

impl ChatChunks {
    pub(super) fn new(context: AnswerContext, shape: ChatShape) -> Self {
        Self {
            context,
            shape,
            first: None,
            chain: Arc::from(""),
            strategy: Strategy::Single,
            warnings: Vec::new(),
            usage: None,
        }
    }

    /// The body begins with what was written so far.
    pub(super) fn starting_with(self, first: Bytes) -> Self {
        Self { first: Some(first), ..self }
    }

    fn delta(&self, delta: DeltaBody<'_>, piece: &mut BytesMut) {
        let choice = ChunkChoiceBody { index: 0, delta, logprobs: None, finish_reason: None };
        self.chunk(vec![choice], None, None, piece);
    }

    fn done(&mut self, done: &Done, piece: &mut BytesMut) {
        let finish_reason = Some(finish_reason(done.finish));
        let choice = ChunkChoiceBody { index: 0, delta: DeltaBody::default(), logprobs: None, finish_reason };
        let usage = self.usage.take();
        let strategy = self.strategy.as_str();
        let served =
            usage.as_ref().map(|usage| ServedBody::new(&self.chain, strategy, &self.warnings, usage, done));
        self.chunk(vec![choice], None, served, piece);
        if let Some(usage) = usage.filter(|_| self.shape.include_usage) {
            self.chunk(Vec::new(), Some(ChatUsageBody::from(&usage)), None, piece);
        }
        piece.extend_from_slice(END);
    }

    fn failed(&self, failure: Failure, piece: &mut BytesMut) {
        let partial = failure.partial;
        let error = ApiError::from(failure);
        let request_id = self.context.request_id.clone();
        write(&Problem { kind: None, partial: Some(partial), ..error.problem(&request_id) }, piece);
    }

    fn chunk(
        &self,
        choices: Vec<ChunkChoiceBody<'_>>,
        usage: Option<ChatUsageBody>,
        redraft: Option<ServedBody<'_>>,
        piece: &mut BytesMut,
    ) {
        let chunk = ChunkBody {
            id: self.context.generation_id.as_str(),
            object: OBJECT,
            created: self.context.created,
            model: &self.shape.model,
            choices,
            usage: self.shape.include_usage.then_some(usage),
            redraft,
        };
        write(&chunk, piece);
    }
}

impl Encode for ChatChunks {
    fn encode(&mut self, event: Event, piece: &mut BytesMut) -> Result<(), Broken> {
        match event {
            Event::Started(started) => {
                (self.chain, self.strategy) = (started.chain, started.strategy);
                self.delta(DeltaBody { role: Some(ROLE), content: Some("") }, piece);
            }
            // A chat asks for one answer, so there are no suggestions.
            Event::Progress(_) | Event::Partial(_) | Event::Fallback(_) | Event::Suggestion(_) => {}
            Event::Warning(warning) => self.warnings.push(warning),
            Event::Delta(text) => self.delta(DeltaBody { role: None, content: Some(&text) }, piece),
            // Text that has left cannot be taken back here, so this dialect never asks for a restart.
            Event::Reset(_) => return Err(Broken),
            Event::Usage(report) => self.usage = Some(report),
            Event::Done(done) => self.done(&done, piece),
            Event::Failed(failure) => self.failed(failure, piece),
        }
        Ok(())
    }

    fn preface(&mut self) -> Option<Bytes> {
        self.first.take()
    }
}

fn write(chunk: &impl Serialize, piece: &mut BytesMut) {
    const SOUND: &str = "strings and numbers always serialize into memory";
    let mut out = piece.writer();
    out.write_all(b"data: ").expect(SOUND);
    serde_json::to_writer(&mut out, chunk).expect(SOUND);
    out.write_all(b"\n\n").expect(SOUND);
}
