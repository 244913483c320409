//! Whole streams as examples, in both framings.
//!
//! They are written from values of the types whose schemas the document shows, so
//! an example cannot differ from its schema.

use super::super::error::ApiError;
use super::super::wire::{Chunks, CostBody, Problem, TimingBody, UsageBody};
use super::events::{
    ChunkChange, Delta, Done, Error, Event, Fallback, ModelUsage, Partial, Progress, Reset, Start,
    Suggestion, Usage, Warning,
};
use super::examples::{CHAIN, CREATED, GENERATION_ID, MODEL, REQUEST_ID, SECOND_MODEL, request_id};
use crate::domain::CallFailure;
use crate::pipeline::{Failure, WarningCode};

/// Name, sentence and bytes.
pub(super) type Stream = (&'static str, &'static str, String);

type Streams = [Stream; 6];

/// Whole streams as SSE: name, sentence, bytes.
pub(super) fn sse_transcripts() -> Streams {
    transcripts(sse)
}

/// The same streams as lines.
pub(super) fn line_transcripts() -> Streams {
    transcripts(lines)
}

fn transcripts(write: fn(&[Event<'_>]) -> String) -> Streams {
    [
        ("done", "The first model is throttled twice, the second one answers.", answered(write)),
        (
            "cut-short",
            "The answer reached its limit; the request said `include: [\"text\"]`.",
            cut_short(write),
        ),
        ("error", "The model breaks off; part of the answer was sent.", broken_off(write)),
        (
            "restart",
            "The model breaks off, and the request said `on_failover: \"restart\"`.",
            started_over(write),
        ),
        (
            "in-parts",
            "A text of three parts, whose summaries are merged; the request said `include: [\"partials\"]`.",
            in_parts(write),
        ),
        (
            "suggestions",
            "Three suggestions, one of which repeated another; the request said `n: 3`.",
            several(write),
        ),
    ]
}

fn answered(write: fn(&[Event<'_>]) -> String) -> String {
    let fallback = Fallback {
        seq: 1,
        from: MODEL,
        to: SECOND_MODEL,
        reason: CallFailure::Throttled.as_str(),
        attempt: 2,
        stage: "final",
        chunk_index: None,
    };
    let by_model = used(SECOND_MODEL, 12, 0.000_044_22);
    let usage = usage(4, by_model, 3, timing(391.22, 118.4, 101.4));
    let done = Done {
        seq: 5,
        finish_reason: "stop",
        model: SECOND_MODEL,
        fallback: true,
        attempts: 3,
        output_chars: 45,
        partial: false,
        chunks: at_once(),
        text: None,
    };
    write(&[
        start(),
        Event::Fallback(fallback),
        Event::Delta(Delta { seq: 2, text: "The new library has opened" }),
        Event::Delta(Delta { seq: 3, text: " with 40,000 books." }),
        Event::Usage(usage),
        Event::Done(done),
    ])
}

fn cut_short(write: fn(&[Event<'_>]) -> String) -> String {
    const TEXT: &str = "The new library has opened with 40,000";
    let warning = Warning {
        seq: 2,
        code: WarningCode::Truncated.as_str(),
        detail: "The answer reached its length limit and is cut short.",
    };
    let done = Done {
        seq: 4,
        finish_reason: "length",
        model: MODEL,
        fallback: false,
        attempts: 1,
        output_chars: 38,
        partial: false,
        chunks: at_once(),
        text: Some(TEXT),
    };
    write(&[
        start(),
        Event::Delta(Delta { seq: 1, text: TEXT }),
        Event::Warning(warning),
        Event::Usage(usage(3, used(MODEL, 9, 0.000_137_61), 1, timing(377.05, 80.2, 112.2))),
        Event::Done(done),
    ])
}

fn broken_off(write: fn(&[Event<'_>]) -> String) -> String {
    let id = request_id();
    let code = CallFailure::StreamCut.code();
    let failure = Failure { code, retry_after: None, detail: None, partial: true, attempts: Vec::new() };
    let partial = Some(failure.partial);
    let error = ApiError::from(failure);
    let mut usage = usage(2, used(MODEL, 4, 0.000_123_86), 1, timing(388.9, 61.07, 65.5));
    usage.cost.estimated = true;
    write(&[
        start(),
        Event::Delta(Delta { seq: 1, text: "The new library has" }),
        Event::Usage(usage),
        Event::Error(Error { seq: 3, problem: Problem { kind: None, partial, ..error.problem(&id) } }),
    ])
}

fn started_over(write: fn(&[Event<'_>]) -> String) -> String {
    let reason = CallFailure::StreamCut.as_str();
    let text = "The new library has";
    let fallback = Fallback {
        seq: 3,
        from: MODEL,
        to: SECOND_MODEL,
        reason,
        attempt: 1,
        stage: "final",
        chunk_index: None,
    };
    let mut usage = usage(5, used(SECOND_MODEL, 26, 0.000_184_03), 2, timing(388.9, 402.5, 64.6));
    usage.cost.estimated = true;
    write(&[
        start(),
        Event::Delta(Delta { seq: 1, text }),
        Event::Reset(Reset { seq: 2, reason, discarded_chars: text.chars().count() }),
        Event::Fallback(fallback),
        Event::Delta(Delta {
            seq: 4,
            text: "The library cost 12 million euros, half of it paid by the city.",
        }),
        Event::Usage(usage),
        Event::Done(Done {
            seq: 6,
            finish_reason: "stop",
            model: SECOND_MODEL,
            fallback: true,
            attempts: 2,
            output_chars: 63,
            partial: false,
            chunks: at_once(),
            text: None,
        }),
    ])
}

fn in_parts(write: fn(&[Event<'_>]) -> String) -> String {
    const PARTIALS: [&str; 3] =
        ["- The city planned a library.", "- It cost 12 million euros.", "- It opened on Monday."];
    let at_work = |model| move |index| ChunkChange { index, status: "started", model: Some(model) };
    let done = |model| move |index| ChunkChange { index, status: "completed", model: Some(model) };
    let started: Vec<ChunkChange<'_>> = (0..3).map(at_work(MODEL)).collect();
    let completed: Vec<ChunkChange<'_>> = [done(MODEL)(0), done(MODEL)(2), done(SECOND_MODEL)(1)].to_vec();
    let fallback = Fallback {
        seq: 3,
        from: MODEL,
        to: SECOND_MODEL,
        reason: CallFailure::Throttled.as_str(),
        attempt: 2,
        stage: "map",
        chunk_index: Some(1),
    };
    let partial = |seq, index: usize, text| {
        Event::Partial(Partial { seq, index: u32::try_from(index).unwrap_or(u32::MAX), text })
    };
    let mut usage = usage(11, used(MODEL, 118, 0.007_402_5), 6, timing(6120.4, 214.9, 158.2));
    usage.usage.input_tokens = 24_560;
    usage.usage.total_tokens = 24_678;
    usage.by_model[0].input_tokens = 24_560;
    let progress = |seq, stage, done, total, chunks: Vec<ChunkChange<'static>>| {
        Event::Progress(Progress {
            seq,
            stage,
            done,
            total,
            level: None,
            chunk: chunks.last().copied(),
            chunks,
        })
    };
    write(&[
        start_of("summarize", "map_reduce", 3),
        progress(1, "split", 3, 3, Vec::new()),
        progress(2, "map", 0, 3, started),
        Event::Fallback(fallback),
        partial(4, 0, PARTIALS[0]),
        partial(5, 2, PARTIALS[2]),
        partial(6, 1, PARTIALS[1]),
        progress(7, "map", 3, 3, completed),
        progress(8, "final", 0, 1, Vec::new()),
        Event::Delta(Delta { seq: 9, text: "- The new library opened on Monday" }),
        Event::Delta(Delta { seq: 10, text: " and cost 12 million euros." }),
        Event::Usage(usage),
        Event::Done(Done {
            seq: 12,
            finish_reason: "stop",
            model: MODEL,
            fallback: true,
            attempts: 6,
            output_chars: 61,
            partial: false,
            chunks: Chunks { total: 3, failed: 0, levels: 1 },
            text: None,
        }),
    ])
}

fn several(write: fn(&[Event<'_>]) -> String) -> String {
    const TEXTS: [&str; 2] = [
        "As the warehouse is closed, your order cannot leave today.",
        "Your order has to wait: our warehouse is closed.",
    ];
    let suggestion = |seq, index, text, model| {
        Event::Suggestion(Suggestion { seq, index, text, model, finish_reason: "stop" })
    };
    let warning = Warning {
        seq: 3,
        code: WarningCode::FewerSuggestions.as_str(),
        detail: "Suggestion 2 of 3 said the same as another one, also when it was asked for again.",
    };
    let mut usage = usage(5, used(MODEL, 52, 0.000_594_44), 4, timing(0.0, 912.6, 57.0));
    usage.usage.input_tokens = 1368;
    usage.usage.total_tokens = 1420;
    usage.by_model[0].input_tokens = 1368;
    usage.timing.time_to_first_token_ms = None;
    write(&[
        start_of("rephrase", "several", 1),
        suggestion(1, 2, TEXTS[1], MODEL),
        suggestion(2, 0, TEXTS[0], MODEL),
        Event::Warning(warning),
        Event::Delta(Delta { seq: 4, text: TEXTS[0] }),
        Event::Usage(usage),
        Event::Done(Done {
            seq: 6,
            finish_reason: "stop",
            model: MODEL,
            fallback: false,
            attempts: 4,
            output_chars: TEXTS[0].len(),
            partial: false,
            chunks: at_once(),
            text: None,
        }),
    ])
}

/// The parts of a text that was worked on at once.
fn at_once() -> Chunks {
    Chunks { total: 1, failed: 0, levels: 0 }
}

const INPUT_TOKENS: u64 = 342;

fn start() -> Event<'static> {
    start_of("summarize", "single", 1)
}

fn start_of(task: &'static str, strategy: &'static str, chunks_total: u32) -> Event<'static> {
    Event::Start(Start {
        seq: 0,
        id: GENERATION_ID,
        task,
        model: MODEL,
        chain: CHAIN,
        created: CREATED,
        strategy,
        chunks_total,
        resumable: false,
        request_id: REQUEST_ID,
        api_version: "1",
    })
}

fn used(model: &str, output_tokens: u64, cost_usd: f64) -> ModelUsage<'_> {
    ModelUsage { model, input_tokens: INPUT_TOKENS, output_tokens, cost_usd: Some(cost_usd) }
}

fn usage(seq: u64, used: ModelUsage<'_>, model_calls: u32, timing: TimingBody) -> Usage<'_> {
    let usage = UsageBody {
        input_tokens: used.input_tokens,
        output_tokens: used.output_tokens,
        total_tokens: used.input_tokens + used.output_tokens,
        cache_read_input_tokens: 0,
        cache_write_input_tokens: 0,
        model_calls,
    };
    let cost = CostBody { usd: used.cost_usd, estimated: false };
    Usage { seq, usage, cost, by_model: vec![used], timing }
}

fn timing(first_token_ms: f64, generation_ms: f64, tokens_per_second: f64) -> TimingBody {
    TimingBody {
        queue_ms: 0.01,
        time_to_first_token_ms: Some(first_token_ms),
        generation_time_ms: Some(generation_ms),
        total_ms: first_token_ms + generation_ms,
        tokens_per_second: Some(tokens_per_second),
    }
}

fn json(event: &Event<'_>) -> String {
    serde_json::to_string(event).expect("strings and numbers always serialize")
}

fn lines(events: &[Event<'_>]) -> String {
    events.iter().map(|event| json(event) + "\n").collect()
}

fn sse(events: &[Event<'_>]) -> String {
    let frames = events.iter().enumerate().map(|(seq, event)| {
        let retry = if seq == 0 { "retry: 3000\n" } else { "" };
        format!("{retry}id: {GENERATION_ID}-{seq}\nevent: {}\ndata: {}\n\n", event.kind(), json(event))
    });
    frames.collect()
}
