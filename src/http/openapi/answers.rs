//! What comes back: schemas of the JSON answers, and examples.
//!
//! Most schemas are derived from the types that are really serialized; this file
//! adds the closed word lists, which those types hold as plain text, and the
//! shapes that have no type. Examples are serialized from the same types.

use std::iter;

use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Components, ComponentsBuilder, Ref, RefOr};

use super::super::measure::MeasureBody;
use super::super::meta::{ChainBody, ModelBody, ModelsBody, PricesBody, TargetBody, VersionBody};
use super::super::wire::{
    AttemptBody, Chunks, CostBody, FieldProblemBody, OpenAiError, PartialBody, Problem, TaskAnswer,
    TimingBody, UsageBody, WarningBody,
};
use super::examples::{CHAIN, CREATED, GENERATION_ID, MODEL, SECOND_MODEL};
use super::{errors, options};
use crate::domain::{CallFailure, FailureCode, TaskKind};
use crate::pipeline::{ChunkState, FinishReason, Stage, Strategy, WarningCode};

/// The schemas of JSON answers, as components.
pub(super) fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    components
        .schema_from::<TaskAnswer<'_>>()
        .schema_from::<AttemptBody<'_>>()
        .schema_from::<Chunks>()
        .schema_from::<PartialBody<'_>>()
        .schema_from::<MeasureBody<'_>>()
        .schema_from::<UsageBody>()
        .schema_from::<CostBody>()
        .schema_from::<TimingBody>()
        .schema_from::<WarningBody<'_>>()
        .schema_from::<Problem<'_>>()
        .schema_from::<FieldProblemBody<'_>>()
        .schema_from::<OpenAiError<'_>>()
        .schema_from::<ModelsBody<'_>>()
        .schema_from::<ModelBody<'_>>()
        .schema_from::<PricesBody>()
        .schema_from::<ChainBody<'_>>()
        .schema_from::<TargetBody<'_>>()
        .schema_from::<VersionBody>()
        .schema("ErrorCode", error_code())
        .schema("Sentence", sentence())
        .schema("Capabilities", capabilities())
        .schema("OptionRange", option())
        .schema("CompatSummary", compat(TaskKind::Summarize))
        .schema("CompatRephrase", compat(TaskKind::Rephrase))
        .schema("CompatExpansion", compat(TaskKind::Expand))
}

/// Writes the word lists into the members that take their values from one.
pub(super) fn close_word_lists(components: &mut Components) {
    let finish = [FinishReason::Stop, FinishReason::Length, FinishReason::ContentFilter, FinishReason::Other]
        .map(FinishReason::as_str);
    let warnings = [
        WarningCode::Truncated,
        WarningCode::UnpricedModel,
        WarningCode::ChunkSkipped,
        WarningCode::UndecodableBytes,
        WarningCode::PartlyRead,
    ]
    .map(WarningCode::as_str);
    let strategies: Vec<&str> = Strategy::ALL.iter().map(|strategy| strategy.as_str()).collect();
    let stages = [Stage::Split, Stage::Map, Stage::Reduce, Stage::Final].map(Stage::as_str);
    let of_a_fallback = [Stage::Map, Stage::Reduce, Stage::Final].map(Stage::as_str);
    let states = [ChunkState::Started, ChunkState::Completed, ChunkState::Failed, ChunkState::Cached]
        .map(ChunkState::as_str);
    let failures = CallFailure::ALL.map(CallFailure::as_str);
    let tasks = TaskKind::ALL.map(TaskKind::as_str);
    let codes: Vec<&str> = errors::codes().map(FailureCode::as_str).collect();
    let lists: [(&str, &str, &[&str]); 23] = [
        ("TaskAnswer", "object", &["summary", "rephrase", "expansion"]),
        ("TaskAnswer", "task", &tasks),
        ("TaskAnswer", "format", &["markdown", "plain-text", "as-is"]),
        ("TaskAnswer", "finish_reason", &finish),
        ("TaskAnswer", "strategy", &strategies),
        ("Attempt", "outcome", &["ok", "error", "skipped"]),
        ("Attempt", "error", &failures),
        ("Warning", "code", &warnings),
        ("Problem", "code", &codes),
        ("StartEvent", "task", &tasks),
        ("StartEvent", "strategy", &strategies),
        ("ProgressEvent", "stage", &stages),
        ("ChunkChange", "status", &states),
        ("FallbackEvent", "stage", &of_a_fallback),
        ("FallbackEvent", "reason", &failures),
        ("ResetEvent", "reason", &failures),
        ("WarningEvent", "code", &warnings),
        ("DoneEvent", "finish_reason", &finish),
        ("Measure", "task", &tasks),
        ("Measure", "method", &["estimate", "count_tokens"]),
        ("Measure", "strategy", &strategies),
        ("Measure", "unit", &["tokens"]),
        ("Measure", "refusal", &[FailureCode::InputTooLarge.as_str()]),
    ];
    for (schema, member, words) in lists {
        close(components, schema, member, words).expect("every member in the table stands in its schema");
    }
}

fn close(components: &mut Components, schema: &str, member: &str, words: &[&str]) -> Option<()> {
    let RefOr::T(Schema::Object(object)) = components.schemas.get_mut(schema)? else { return None };
    let RefOr::T(Schema::Object(member)) = object.properties.get_mut(member)? else { return None };
    member.enum_values = Some(words.iter().map(|word| Value::from(*word)).collect());
    Some(())
}

/// An answer to the first request example of the task.
pub(super) fn task_example(kind: TaskKind) -> Value {
    let (object, text, format, model) = match kind {
        TaskKind::Summarize => ("summary", KEY_POINTS, "markdown", MODEL),
        TaskKind::Rephrase => ("rephrase", FORMAL, "as-is", SECOND_MODEL),
        TaskKind::Expand => ("expansion", EXPANDED, "markdown", MODEL),
    };
    let fallback = model != MODEL;
    let throttled = |latency_ms| {
        let error = Some(CallFailure::Throttled.as_str());
        AttemptBody { model: MODEL, region: None, outcome: "error", error, latency_ms }
    };
    let mut attempts = if fallback { vec![throttled(104), throttled(98)] } else { Vec::new() };
    attempts.push(AttemptBody { model, region: None, outcome: "ok", error: None, latency_ms: 812 });
    let answer = TaskAnswer {
        id: GENERATION_ID,
        object,
        created: CREATED,
        task: kind.as_str(),
        text,
        format,
        finish_reason: FinishReason::Stop.as_str(),
        model,
        chain: CHAIN,
        fallback,
        strategy: "single",
        chunks: Chunks { total: 1, failed: 0, levels: 0 },
        partial: false,
        partials: Vec::new(),
        usage: UsageBody {
            input_tokens: 342,
            output_tokens: 41,
            total_tokens: 383,
            cache_read_input_tokens: 0,
            cache_write_input_tokens: 0,
            model_calls: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        },
        cost: CostBody { usd: Some(if fallback { 0.000_060_17 } else { 0.000_225_61 }), estimated: false },
        timing: TimingBody {
            queue_ms: 0.01,
            time_to_first_token_ms: None,
            generation_time_ms: Some(812.37),
            total_ms: 813.02,
            tokens_per_second: Some(50.5),
        },
        warnings: Vec::new(),
        attempts,
    };
    to_value(&answer)
}

/// Examples of whole answers: name, sentence, value.
pub(super) fn task_examples(kind: TaskKind) -> impl Iterator<Item = (&'static str, &'static str, Value)> {
    let in_parts = (kind == TaskKind::Summarize).then(|| {
        let about = "A text of three parts, one of which was left out; the request said `include: [\"partials\"]` \
                     and `on_chunk_error: \"skip\"`.";
        ("in-parts", about, in_parts())
    });
    iter::once(("whole", "The whole answer.", task_example(kind))).chain(in_parts)
}

fn in_parts() -> Value {
    let gap = "\n\n[Not covered: part 2 of 3.]";
    let mut answer = task_example(TaskKind::Summarize);
    answer["text"] = format!("{KEY_POINTS}{gap}").into();
    answer["strategy"] = Strategy::MapReduce.as_str().into();
    answer["chunks"] = to_value(&Chunks { total: 3, failed: 1, levels: 1 });
    answer["partial"] = true.into();
    let partials = [(0, "- The library opened on Monday."), (2, "- The city paid half of it.")];
    answer["partials"] =
        partials.iter().map(|(index, text)| to_value(&PartialBody { index: *index, text })).collect();
    let detail = "Part 2 of 3 of the text is not in the answer.";
    let warning = WarningBody { code: WarningCode::ChunkSkipped.as_str(), detail };
    answer["warnings"] = vec![to_value(&warning)].into();
    answer
}

/// What `POST /v1/measure` says of the first request example of a summary.
pub(super) fn measure_example() -> Value {
    to_value(&measured())
}

/// What it says of a text that is too long.
pub(super) fn refused_measure_example() -> Value {
    to_value(&MeasureBody {
        input_usage: 5_231_400,
        fits: false,
        refusal: Some(FailureCode::InputTooLarge.as_str()),
        estimated_cost_usd: Some(1.726_71),
        ..measured()
    })
}

fn measured() -> MeasureBody<'static> {
    MeasureBody {
        object: "measure",
        task: TaskKind::Summarize.as_str(),
        chain: CHAIN,
        model: MODEL,
        unit: "tokens",
        input_usage: 52,
        input_quota: 5_000_000,
        exact: false,
        method: "estimate",
        fits: true,
        refusal: None,
        strategy: Strategy::Single.as_str(),
        chunks: 1,
        levels: 0,
        model_calls: 1,
        output_tokens: 104,
        estimated_cost_usd: Some(0.000_465_85),
        estimated_time_ms: 2333,
    }
}

/// The text of an answer, as the plain text representation has it.
pub(super) fn text_example(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Summarize => KEY_POINTS,
        TaskKind::Rephrase => FORMAL,
        TaskKind::Expand => EXPANDED,
    }
}

/// The name of an older answer's schema.
pub(super) fn compat_name(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Summarize => "CompatSummary",
        TaskKind::Rephrase => "CompatRephrase",
        TaskKind::Expand => "CompatExpansion",
    }
}

/// An answer of a compatible path.
pub(super) fn compat_example(kind: TaskKind) -> Value {
    let text = match kind {
        TaskKind::Summarize => {
            "The new library, half paid for by the city, opened on Monday with 40,000 books."
        }
        TaskKind::Rephrase | TaskKind::Expand => text_example(kind),
    };
    json!({ compat_member(kind): text, "latency": 0.813 })
}

/// What `GET /v1/models` shows, shortened to one chain.
pub(super) fn models_example() -> Value {
    let prices =
        |input, output, cache_read, cache_write| PricesBody { input, output, cache_read, cache_write };
    to_value(&ModelsBody {
        models: vec![
            ModelBody {
                id: MODEL,
                name: "Amazon Nova 2 Lite",
                context_tokens: 1_000_000,
                max_output_tokens: 64_000,
                usd_per_million_tokens: Some(prices(0.33, 2.75, Some(0.0825), None)),
            },
            ModelBody {
                id: SECOND_MODEL,
                name: "Claude Haiku 5.5",
                context_tokens: 1_000_000,
                max_output_tokens: 128_000,
                usd_per_million_tokens: Some(prices(0.11, 0.55, Some(0.011), Some(0.1375))),
            },
        ],
        chains: vec![ChainBody {
            name: CHAIN,
            models: vec![MODEL, SECOND_MODEL],
            stages: vec![
                vec![TargetBody { model: MODEL, region: None, weight: 1 }],
                vec![TargetBody { model: SECOND_MODEL, region: None, weight: 1 }],
            ],
            default_for: TaskKind::ALL.map(TaskKind::as_str).to_vec(),
        }],
    })
}

/// What `GET /v1/capabilities` shows, shortened to one task.
pub(super) fn capabilities_example() -> Value {
    json!({
        "tasks": [{
            "task": "rephrase",
            "path": "/v1/rephrase",
            "availability": "available",
            "default_chain": CHAIN,
            "input_quota_tokens": 2_048_000,
            "options": options::capabilities(TaskKind::Rephrase),
            "output_languages": "any BCP 47 tag; without one, the language of the text",
        }],
        "representations": REPRESENTATIONS,
        "chains": ["capability", CHAIN, "speed"],
        "limits": { "max_body_bytes": 4 << 20 },
    })
}

/// What `GET /version` shows.
pub(super) fn version_example() -> Value {
    to_value(&VersionBody {
        name: "redraft",
        version: env!("CARGO_PKG_VERSION"),
        git_sha: Some("3f9c2ab"),
        rustc: None,
    })
}

const REPRESENTATIONS: [&str; 4] = ["json", "sse", "ndjson", "text"];

const KEY_POINTS: &str = "- The new library opened on Monday with 40,000 books and a reading room for 120 people.\n\
                          - Visitors may borrow up to ten books at a time.\n\
                          - The building cost 12 million euros, half of it paid by the city.";
const FORMAL: &str = "We regret that we are unable to ship your order today, as our warehouse is closed.";
const EXPANDED: &str = "The launch takes place on 3 May. The app works offline, so that it can be used where there is \
                        no network. For schools, it is free.";

fn to_value(answer: &impl serde::Serialize) -> Value {
    serde_json::to_value(answer).expect("strings and numbers always serialize")
}

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about))
}

fn number(kind: Type, about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind).minimum(Some(0)).description(Some(about))
}

fn error_code() -> Schema {
    let codes = errors::codes().map(FailureCode::as_str);
    text("What went wrong. These words are stable: match on them.").enum_values(Some(codes)).into()
}

fn sentence() -> Schema {
    let error = text("What went wrong, in words that an end user can act on.");
    ObjectBuilder::new().property("error", error).required("error").into()
}

fn compat_member(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Summarize => "summary",
        TaskKind::Rephrase => "rephrased_text",
        TaskKind::Expand => "expanded_text",
    }
}

fn compat(kind: TaskKind) -> Schema {
    let name = compat_member(kind);
    ObjectBuilder::new()
        .property(name, text("The answer."))
        .required(name)
        .property("latency", number(Type::Number, "How long it took, in seconds."))
        .required("latency")
        .into()
}

fn capabilities() -> Schema {
    let options =
        ObjectBuilder::new().description(Some("The options of the task, by name.")).additional_properties(
            Some(AdditionalProperties::RefOr(Ref::from_schema_name("OptionRange").into())),
        );
    let tasks = TaskKind::ALL.map(TaskKind::as_str);
    let task = all_required(vec![
        ("task", text("The task.").enum_values(Some(tasks)).into()),
        ("path", text("Where to send it.").into()),
        (
            "availability",
            text("Whether this instance can work now.")
                .enum_values(Some(["available", "unavailable"]))
                .into(),
        ),
        ("default_chain", text("The chain of a request that names none.").into()),
        (
            "input_quota_tokens",
            number(Type::Integer, "The most tokens a text may have on the default chain, about.").into(),
        ),
        ("options", options.into()),
        ("output_languages", text("Which languages `output_language` may name.").into()),
    ]);
    let representation = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(REPRESENTATIONS));
    let limits = all_required(vec![(
        "max_body_bytes",
        number(Type::Integer, "The most bytes a body may have.").into(),
    )]);
    let list =
        |items: ObjectBuilder, about: &str| ArrayBuilder::new().items(items).description(Some(about)).into();
    all_required(vec![
        ("tasks", list(task, "The writing tasks.")),
        ("representations", list(representation, "What `stream` can be.")),
        ("chains", list(ObjectBuilder::new().schema_type(Type::String), "What `chain` can be.")),
        ("limits", limits.into()),
    ])
    .into()
}

fn option() -> Schema {
    let kinds = ["string", "integer", "array"];
    let values = ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::String))
        .description(Some("The words it can be; the default comes first."));
    ObjectBuilder::new()
        .description(Some("What an option can be."))
        .property("type", text("Its JSON type.").enum_values(Some(kinds)))
        .required("type")
        .property("values", values)
        .property("default", text("What it is when it is left out."))
        .property("minimum", ObjectBuilder::new().schema_type(Type::Integer))
        .property("maximum", ObjectBuilder::new().schema_type(Type::Integer))
        .property("max_length", number(Type::Integer, "The most characters."))
        .property("max_items", number(Type::Integer, "The most entries."))
        .property("format", text("`bcp-47`: language tags."))
        .into()
}

fn all_required(members: Vec<(&str, Schema)>) -> ObjectBuilder {
    members
        .into_iter()
        .fold(ObjectBuilder::new(), |object, (name, schema)| object.property(name, schema).required(name))
}
