//! Whole streams of other people's dialects as examples.
//!
//! They are written by the encoders themselves, from the events of one run, so an
//! example cannot differ from what is sent.

use std::sync::Arc;
use std::time::Duration;

use super::super::chat::{ChatShape, MODEL_PREFIX};
use super::super::dialect;
use super::super::task_routes::AnswerContext;
use super::examples::{CHAIN, CREATED, GENERATION_ID, MODEL, SECOND_MODEL, model_id, request_id};
use super::transcripts::Stream;
use crate::domain::{CallFailure, Cost, GenerationId, TaskKind, TaskName, TokenUsage};
use crate::pipeline::{
    ChunkCounts, Done, Event, Failure, Fallback, FallbackReport, FinishReason, ModelUsage, Stage, Started,
    Strategy, Timing, UsageReport,
};

/// What `useCompletion` reads.
pub(super) fn ui_transcript() -> Stream {
    let context = context();
    let id = context.generation_id.clone();
    let bytes = dialect::ui_transcript(context, answered());
    ("ui", "With `stream: \"ui\"`: the AI SDK's chunks. The first model is throttled.", named(&bytes, &id))
}

/// What OpenAI's clients read.
pub(super) fn openai_transcripts() -> [Stream; 2] {
    let write = |events, include_usage| {
        let context = context();
        let id = context.generation_id.clone();
        let shape = ChatShape { model: format!("{MODEL_PREFIX}{}", TaskKind::Summarize), include_usage };
        named(&dialect::openai_transcript(context, shape, events), &id)
    };
    [
        ("done", "With `stream_options: {\"include_usage\": true}`.", write(answered(), true)),
        ("error", "The model breaks off; part of the answer was sent.", write(broken_off(), false)),
    ]
}

/// Ids are made anew for every answer; an example has one for good.
fn named(bytes: &str, id: &GenerationId) -> String {
    bytes.replace(id.as_str(), GENERATION_ID)
}

fn context() -> AnswerContext {
    AnswerContext {
        generation_id: GenerationId::generate(),
        request_id: request_id(),
        task: TaskName::of(TaskKind::Summarize),
        object: "summary",
        format: "markdown",
        created: CREATED,
        include_text: false,
        _held: None,
    }
}

fn answered() -> Vec<Event> {
    let fallback = Fallback {
        from: model_id(MODEL),
        to: model_id(SECOND_MODEL),
        reason: CallFailure::Throttled,
        attempt: 2,
    };
    let text = ["The new library has opened", " with 40,000 books."];
    let done = Done {
        finish: FinishReason::Stop,
        model: model_id(SECOND_MODEL),
        fallback: true,
        model_calls: 3,
        attempts: Vec::new(),
        output_chars: text.concat().chars().count(),
        chunks: ChunkCounts { total: 1, failed: 0, levels: 0 },
    };
    let mut events =
        vec![started(), Event::Fallback(FallbackReport { fallback, stage: Stage::Final, chunk: None })];
    events.extend(text.map(|piece| Event::Delta(piece.to_owned())));
    events.extend([Event::Usage(usage()), Event::Done(done)]);
    events
}

fn broken_off() -> Vec<Event> {
    let failure = Failure {
        code: CallFailure::StreamCut.code(),
        retry_after: None,
        detail: None,
        partial: true,
        attempts: Vec::new(),
    };
    vec![started(), Event::Delta("The new library has".to_owned()), Event::Failed(failure)]
}

fn started() -> Event {
    let chain = Arc::from(CHAIN);
    Event::Started(Started { chain, model: model_id(MODEL), strategy: Strategy::Single, chunks: 1 })
}

fn usage() -> UsageReport {
    let usage = TokenUsage { input_tokens: 342, output_tokens: 12, ..TokenUsage::default() };
    let cost = Cost::of_usd(0.000_044_22);
    let first_token = Duration::from_micros(391_220);
    let generation = Duration::from_micros(118_400);
    UsageReport {
        usage,
        model_calls: 3,
        cost,
        estimated: false,
        by_model: vec![ModelUsage { model: model_id(SECOND_MODEL), usage, cost, estimated: false }],
        timing: Timing {
            queue: Duration::from_micros(10),
            time_to_first_token: Some(first_token),
            generation: Some(generation),
            total: first_token + generation,
            tokens_per_second: Some(101.4),
            upstream: first_token + generation,
            overhead: Duration::from_micros(610),
        },
    }
}
