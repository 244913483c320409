//! Native events: their schemas.
//!
//! `transcripts.rs` writes examples from values of these very types. What the
//! service really sends is compared with the schemas by `tests/api/openapi.rs`.

use serde::Serialize;
use utoipa::openapi::schema::{AnyOfBuilder, Discriminator, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{ComponentsBuilder, Ref, RefOr};
use utoipa::{PartialSchema as _, ToSchema};

use super::super::wire::{Chunks, CostBody, Problem, TimingBody, UsageBody};

/// One event, as it is written.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    Start(Start<'a>),
    Progress(Progress<'a>),
    Partial(Partial<'a>),
    Suggestion(Suggestion<'a>),
    Fallback(Fallback<'a>),
    Warning(Warning<'a>),
    Delta(Delta<'a>),
    Reset(Reset<'a>),
    Usage(Usage<'a>),
    Done(Done<'a>),
    Error(Error<'a>),
}

impl Event<'_> {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Progress(_) => "progress",
            Self::Partial(_) => "partial",
            Self::Suggestion(_) => "suggestion",
            Self::Fallback(_) => "fallback",
            Self::Warning(_) => "warning",
            Self::Delta(_) => "delta",
            Self::Reset(_) => "reset",
            Self::Usage(_) => "usage",
            Self::Done(_) => "done",
            Self::Error(_) => "error",
        }
    }
}

/// The request was admitted; no model has been asked yet.
#[derive(Serialize, ToSchema)]
#[schema(as = StartEvent)]
pub(super) struct Start<'a> {
    /// Counts the events of a stream from 0.
    pub(super) seq: u64,
    /// Names this answer.
    pub(super) id: &'a str,
    /// `summarize`, `rephrase` or `expand`.
    pub(super) task: &'a str,
    /// The model that is asked first.
    pub(super) model: &'a str,
    pub(super) chain: &'a str,
    /// Unix time in seconds.
    pub(super) created: u64,
    /// How the document is worked on: at once, `single` or, for several suggestions, `several`; or in
    /// parts, `map_reduce`, `map_concat` or `refine`.
    pub(super) strategy: &'a str,
    /// The parts it was split into; 1 when it is worked on at once.
    pub(super) chunks_total: u32,
    /// Whether this stream can be taken up again after a break.
    pub(super) resumable: bool,
    pub(super) request_id: &'a str,
    /// The version of these events.
    pub(super) api_version: &'a str,
}

/// How far the work on a document in parts has come. At most four a second; none where a document
/// is worked on at once.
#[derive(Serialize, ToSchema)]
#[schema(as = ProgressEvent)]
pub(super) struct Progress<'a> {
    pub(super) seq: u64,
    /// What is being done: the document was split, its parts are worked on, summaries of parts are
    /// merged and will be merged again, the answer is written.
    pub(super) stage: &'a str,
    /// Of `total`. It never goes back within a stage and level.
    pub(super) done: u32,
    /// What the stage has to do: parts, merges, or the one answer.
    pub(super) total: u32,
    /// The round of merging, from 1; only with the stage `reduce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) level: Option<u32>,
    /// The last entry of `chunks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) chunk: Option<ChunkChange<'a>>,
    /// What has happened to parts since the last `progress`; not there when nothing has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) chunks: Vec<ChunkChange<'a>>,
}

/// Something has happened to a part of the document.
#[derive(Clone, Copy, Serialize, ToSchema)]
pub(super) struct ChunkChange<'a> {
    /// The part, from 0.
    pub(super) index: u32,
    /// `cached`: its answer was there from an earlier request that failed, and costs nothing.
    pub(super) status: &'a str,
    /// The model that works on it or did, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) model: Option<&'a str>,
}

/// What one part gave, or with `refine` the summary so far; it is not a piece of the answer. Only where the request said
/// `include: ["partials"]`, and in the order in which the parts are done.
#[derive(Serialize, ToSchema)]
#[schema(as = PartialEvent)]
pub(super) struct Partial<'a> {
    pub(super) seq: u64,
    /// The part, from 0.
    pub(super) index: u32,
    pub(super) text: &'a str,
}

/// One of several suggestions, whole, as soon as it is there. Only where the request asked for several
/// with `n`. The `delta`s, which come when all have ended, repeat the one with the lowest number.
#[derive(Serialize, ToSchema)]
#[schema(as = SuggestionEvent)]
pub(super) struct Suggestion<'a> {
    pub(super) seq: u64,
    /// Its number, from 0. One is missing where the model failed, or had nothing new to say.
    pub(super) index: u32,
    pub(super) text: &'a str,
    /// The model that wrote it.
    pub(super) model: &'a str,
    /// `stop`; or `length`, `content_filter`, `other` when it is not whole.
    pub(super) finish_reason: &'a str,
}

/// A model failed before it wrote anything that was told; the next one is asked.
#[derive(Serialize, ToSchema)]
#[schema(as = FallbackEvent)]
pub(super) struct Fallback<'a> {
    pub(super) seq: u64,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// What failed, in the words of `attempts`.
    pub(super) reason: &'a str,
    /// Model calls made so far.
    pub(super) attempt: u32,
    /// Which part of the work: `map` a part of the document, `reduce` a merge of summaries, `final`
    /// the answer.
    pub(super) stage: &'a str,
    /// The part of the document, from 0, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) chunk_index: Option<u32>,
}

/// Something to know about an answer that is given all the same.
#[derive(Serialize, ToSchema)]
#[schema(as = WarningEvent)]
pub(super) struct Warning<'a> {
    pub(super) seq: u64,
    pub(super) code: &'a str,
    pub(super) detail: &'a str,
}

/// The next piece of the answer.
#[derive(Serialize, ToSchema)]
#[schema(as = DeltaEvent)]
pub(super) struct Delta<'a> {
    pub(super) seq: u64,
    pub(super) text: &'a str,
}

/// The `delta`s so far are void: a model broke off, and the next one starts over. Only where the
/// request said `on_failover: "restart"`.
#[derive(Serialize, ToSchema)]
#[schema(as = ResetEvent)]
pub(super) struct Reset<'a> {
    pub(super) seq: u64,
    /// What failed, in the words of `attempts`.
    pub(super) reason: &'a str,
    /// Unicode characters that are void.
    pub(super) discarded_chars: usize,
}

/// What the answer used and cost; the last event but one, also of a failure that was billed.
#[derive(Serialize, ToSchema)]
#[schema(as = UsageEvent)]
pub(super) struct Usage<'a> {
    pub(super) seq: u64,
    pub(super) usage: UsageBody,
    pub(super) cost: CostBody,
    /// The same, per model that was billed.
    pub(super) by_model: Vec<ModelUsage<'a>>,
    pub(super) timing: TimingBody,
}

/// What one model used.
#[derive(Serialize, ToSchema)]
pub(super) struct ModelUsage<'a> {
    pub(super) model: &'a str,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    /// `null` when a price is not known.
    #[schema(required)]
    pub(super) cost_usd: Option<f64>,
}

/// The answer is complete; the last event.
#[derive(Serialize, ToSchema)]
#[schema(as = DoneEvent)]
pub(super) struct Done<'a> {
    pub(super) seq: u64,
    /// `stop`; or `length`, `content_filter`, `other` when the answer is not whole.
    pub(super) finish_reason: &'a str,
    /// The model that wrote it.
    pub(super) model: &'a str,
    /// Whether another target than the one named first wrote it: another model, or another region.
    pub(super) fallback: bool,
    /// Model calls made.
    pub(super) attempts: u32,
    /// Unicode characters of the answer.
    pub(super) output_chars: usize,
    /// Whether parts of the document are missing in the answer; only with `on_chunk_error: "skip"`.
    pub(super) partial: bool,
    pub(super) chunks: Chunks,
    /// The whole answer, where the request said `include: ["text"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) text: Option<&'a str>,
}

/// There is no answer, or it broke off; the last event. The members are those of `Problem`, but
/// `type` names the event. `partial` says whether part of the answer, or a suggestion, was sent before.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorEvent)]
pub(super) struct Error<'a> {
    pub(super) seq: u64,
    #[serde(flatten)]
    pub(super) problem: Problem<'a>,
}

const EVENT: &str = "One event of a stream. `type` tells which; readers pass over types and members that they do \
                     not know.\n\nThe order: `start`; then any of `fallback` and `warning`; then `delta`s, with \
                     warnings between them; then `usage`; then `done` or `error`, after which nothing comes. An \
                     `error` may come at any time; where nothing was billed, no `usage` comes before it. All \
                     `delta`s together are the answer, to the character. With `on_failover: \"restart\"`, a \
                     `reset` may come among the `delta`s, with `fallback`s after it; then those after the last \
                     `reset` are the answer.\n\nWhere a document is worked on in parts, `progress` and, where \
                     they were asked for, `partial` come anywhere between `start` and `usage`; when its parts \
                     are joined (`map_concat`), also `fallback` comes among the `delta`s, for parts that are \
                     told later.\n\nWhere several suggestions were asked for, each comes as a `suggestion` \
                     before the first `delta`, in the order in which they are ready; the `delta`s are the one \
                     with the lowest number.";

/// The schemas of this file, as components.
pub(super) fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    let kinds = [
        ("start", "StartEvent", Start::schema()),
        ("progress", "ProgressEvent", Progress::schema()),
        ("partial", "PartialEvent", Partial::schema()),
        ("suggestion", "SuggestionEvent", Suggestion::schema()),
        ("fallback", "FallbackEvent", Fallback::schema()),
        ("warning", "WarningEvent", Warning::schema()),
        ("delta", "DeltaEvent", Delta::schema()),
        ("reset", "ResetEvent", Reset::schema()),
        ("usage", "UsageEvent", Usage::schema()),
        ("done", "DoneEvent", Done::schema()),
        ("error", "ErrorEvent", Error::schema()),
    ];
    let path = |name: &str| format!("#/components/schemas/{name}");
    let mapping = kinds.iter().map(|(kind, name, _)| (*kind, path(name)));
    let discriminator = Discriminator::with_mapping("type", mapping);
    let event = OneOfBuilder::new().description(Some(EVENT)).discriminator(Some(discriminator));
    let event = kinds.iter().fold(event, |event, (_, name, _)| event.item(Ref::new(path(name))));
    let components = components
        .schema("Event", event)
        .schema("EventFrame", frame())
        .schema_from::<ModelUsage<'_>>()
        .schema_from::<ChunkChange<'_>>();
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
