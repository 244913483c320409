//! Native events: their schemas, and transcripts of whole streams.
//!
//! The transcripts are written from values of the very types whose schemas the
//! document shows. What the service really sends is compared with these schemas
//! by `tests/api/openapi.rs`.

use serde::Serialize;
use utoipa::openapi::schema::{AnyOfBuilder, Discriminator, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{ComponentsBuilder, Ref, RefOr};
use utoipa::{PartialSchema as _, ToSchema};

use super::super::error::ApiError;
use super::super::wire::{CostBody, Problem, TimingBody, UsageBody};
use super::examples::{CHAIN, CREATED, GENERATION_ID, MODEL, REQUEST_ID, SECOND_MODEL, request_id};
use crate::domain::CallFailure;
use crate::pipeline::{Failure, WarningCode};

/// One event, as it is written.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    Start(Start<'a>),
    Fallback(Fallback<'a>),
    Warning(Warning<'a>),
    Delta(Delta<'a>),
    Usage(Usage<'a>),
    Done(Done<'a>),
    Error(Error<'a>),
}

impl Event<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Fallback(_) => "fallback",
            Self::Warning(_) => "warning",
            Self::Delta(_) => "delta",
            Self::Usage(_) => "usage",
            Self::Done(_) => "done",
            Self::Error(_) => "error",
        }
    }
}

/// The request was admitted; no model has been asked yet.
#[derive(Serialize, ToSchema)]
#[schema(as = StartEvent)]
struct Start<'a> {
    /// Counts the events of a stream from 0.
    seq: u64,
    /// Names this answer.
    id: &'a str,
    /// `summarize`, `rephrase` or `expand`.
    task: &'a str,
    /// The model that is asked first.
    model: &'a str,
    chain: &'a str,
    /// Unix time in seconds.
    created: u64,
    /// How the document is worked on.
    strategy: &'a str,
    /// The parts it was split into.
    chunks_total: u32,
    /// Whether this stream can be taken up again after a break.
    resumable: bool,
    request_id: &'a str,
    /// The version of these events.
    api_version: &'a str,
}

/// A model failed before it wrote anything; the next one is asked.
#[derive(Serialize, ToSchema)]
#[schema(as = FallbackEvent)]
struct Fallback<'a> {
    seq: u64,
    from: &'a str,
    to: &'a str,
    /// What failed, in the words of `attempts`.
    reason: &'a str,
    /// Model calls made so far.
    attempt: u32,
    /// Which part of the work.
    stage: &'a str,
}

/// Something to know about an answer that is given all the same.
#[derive(Serialize, ToSchema)]
#[schema(as = WarningEvent)]
struct Warning<'a> {
    seq: u64,
    code: &'a str,
    detail: &'a str,
}

/// The next piece of the answer.
#[derive(Serialize, ToSchema)]
#[schema(as = DeltaEvent)]
struct Delta<'a> {
    seq: u64,
    text: &'a str,
}

/// What the answer used and cost; the last event but one, also of a failure that was billed.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageEvent)]
struct Usage<'a> {
    seq: u64,
    usage: UsageBody,
    cost: CostBody,
    /// The same, per model that was billed.
    by_model: Vec<ModelUsage<'a>>,
    timing: TimingBody,
}

/// What one model used.
#[derive(Serialize, ToSchema)]
struct ModelUsage<'a> {
    model: &'a str,
    input_tokens: u64,
    output_tokens: u64,
    /// `null` when a price is not known.
    #[schema(required)]
    cost_usd: Option<f64>,
}

/// The answer is complete; the last event.
#[derive(Serialize, ToSchema)]
#[schema(as = DoneEvent)]
struct Done<'a> {
    seq: u64,
    /// `stop`; or `length`, `content_filter`, `other` when the answer is not whole.
    finish_reason: &'a str,
    /// The model that wrote it.
    model: &'a str,
    /// Whether another model than the first of the chain wrote it.
    fallback: bool,
    /// Model calls made.
    attempts: usize,
    /// Unicode characters of the answer.
    output_chars: usize,
    /// The whole answer, where the request said `include: ["text"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<&'a str>,
}

/// There is no answer, or it broke off; the last event. The members are those of `Problem`, but
/// `type` names the event. `partial` says whether part of the answer was sent before.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorEvent)]
struct Error<'a> {
    seq: u64,
    #[serde(flatten)]
    problem: Problem<'a>,
}

const EVENT: &str = "One event of a stream. `type` tells which; readers pass over types and members that they do \
                     not know.\n\nThe order: `start`; then any of `fallback` and `warning`; then `delta`s, with \
                     warnings between them; then `usage`; then `done` or `error`, after which nothing comes. An \
                     `error` may come at any time; where nothing was billed, no `usage` comes before it. All \
                     `delta`s together are the answer, to the character.";

/// The schemas of this file, as components.
pub(super) fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    let kinds = [
        ("start", "StartEvent", Start::schema()),
        ("fallback", "FallbackEvent", Fallback::schema()),
        ("warning", "WarningEvent", Warning::schema()),
        ("delta", "DeltaEvent", Delta::schema()),
        ("usage", "UsageEvent", Usage::schema()),
        ("done", "DoneEvent", Done::schema()),
        ("error", "ErrorEvent", Error::schema()),
    ];
    let path = |name: &str| format!("#/components/schemas/{name}");
    let mapping = kinds.iter().map(|(kind, name, _)| (*kind, path(name)));
    let discriminator = Discriminator::with_mapping("type", mapping);
    let event = OneOfBuilder::new().description(Some(EVENT)).discriminator(Some(discriminator));
    let event = kinds.iter().fold(event, |event, (_, name, _)| event.item(Ref::new(path(name))));
    let components =
        components.schema("Event", event).schema("EventFrame", frame()).schema_from::<ModelUsage<'_>>();
    kinds
        .into_iter()
        .fold(components, |components, (kind, name, schema)| components.schema(name, tagged(kind, schema)))
}

/// A body of frames: as a whole it is text, frame by frame it has the shape of `EventFrame`.
pub(super) fn sse_body() -> Schema {
    let about = "Server-Sent Events in UTF-8. After a silence of 10 s (unless the operator chose otherwise) comes \
                 the comment line `: hb`, which readers pass over.";
    body(about, Ref::from_schema_name("EventFrame"))
}

/// A body of lines: as a whole it is text, line by line it has the shape of `Event`.
pub(super) fn lines_body() -> Schema {
    body("One `Event` per line, as JSON, each ended by a line feed.", Ref::from_schema_name("Event"))
}

/// Whole streams as SSE: name, sentence, bytes.
pub(super) fn sse_transcripts() -> [(&'static str, &'static str, String); 3] {
    transcripts(sse)
}

/// The same streams as lines.
pub(super) fn line_transcripts() -> [(&'static str, &'static str, String); 3] {
    transcripts(lines)
}

fn transcripts(write: fn(&[Event<'_>]) -> String) -> [(&'static str, &'static str, String); 3] {
    [
        ("done", "The first model is throttled twice, the second one answers.", answered(write)),
        (
            "cut-short",
            "The answer reached its limit; the request said `include: [\"text\"]`.",
            cut_short(write),
        ),
        ("error", "The model breaks off; part of the answer was sent.", broken_off(write)),
    ]
}

/// The schema of an event with its `type`, which stands beside the event's own members.
fn tagged(kind: &str, schema: RefOr<Schema>) -> RefOr<Schema> {
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind])).build();
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.properties.shift_insert(0, "type".to_owned(), word.into());
            object.required.insert(0, "type".to_owned());
            object.into()
        }
        RefOr::T(Schema::AllOf(mut all)) => {
            let tag = ObjectBuilder::new().property("type", word).required("type");
            all.items.push(tag.into());
            RefOr::T(all.into())
        }
        other => other,
    }
}

fn frame() -> Schema {
    let text = |about: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(about));
    let data = text("An `Event` as JSON, on one line.")
        .content_media_type("application/json")
        .content_schema(Some(Ref::from_schema_name("Event")));
    let retry = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("In the first frame: how long to wait before reconnecting, in milliseconds."));
    ObjectBuilder::new()
        .description(Some("One frame of a stream, after the rules of Server-Sent Events."))
        .property("id", text("The answer's id and the event's `seq`, joined by `-`."))
        .property("event", text("The event's `type`."))
        .property("data", data)
        .property("retry", retry)
        .required("id")
        .required("event")
        .required("data")
        .into()
}

fn body(about: &str, part: Ref) -> Schema {
    let whole = ObjectBuilder::new().schema_type(Type::String);
    AnyOfBuilder::new().description(Some(about)).item(part).item(whole).into()
}

fn answered(write: fn(&[Event<'_>]) -> String) -> String {
    let fallback = Fallback {
        seq: 1,
        from: MODEL,
        to: SECOND_MODEL,
        reason: CallFailure::Throttled.as_str(),
        attempt: 2,
        stage: "final",
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
    let failure = Failure { code, retry_after: None, partial: true, attempts: Vec::new() };
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

const INPUT_TOKENS: u64 = 342;

fn start() -> Event<'static> {
    Event::Start(Start {
        seq: 0,
        id: GENERATION_ID,
        task: "summarize",
        model: MODEL,
        chain: CHAIN,
        created: CREATED,
        strategy: "single",
        chunks_total: 1,
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
