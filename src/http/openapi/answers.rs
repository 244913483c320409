//! What comes back: schemas of the JSON answers.
//!
//! Most schemas are derived from the types that are really serialized; this file
//! adds the closed word lists, which those types hold as plain text, and the
//! shapes that have no type. Examples stand in `answer_examples`.

use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Components, ComponentsBuilder, Ref, RefOr};

use super::super::catalogue::{
    ChainBody, ModelBody, ModelsBody, PricesBody, TargetBody, TaskBody, TaskModelBody, TierBody,
};
use super::super::measure::MeasureBody;
use super::super::meta::VersionBody;
use super::super::wire::{
    AttemptBody, Chunks, CostBody, FieldProblemBody, OpenAiError, PartialBody, Problem, SuggestionBody,
    TaskAnswer, TimingBody, UsageBody, WarningBody,
};
use super::errors;
use crate::domain::{CallFailure, FailureCode, TaskKind, TaskName};
use crate::pipeline::{ChunkState, FinishReason, OwnTasks, Stage, Strategy, WarningCode};
use crate::tasks::Generator;

/// The schemas of JSON answers, as components.
pub(super) fn components(components: ComponentsBuilder, own_tasks: &OwnTasks) -> ComponentsBuilder {
    components
        .schema_from::<TaskAnswer<'_>>()
        .schema_from::<AttemptBody<'_>>()
        .schema_from::<Chunks>()
        .schema_from::<PartialBody<'_>>()
        .schema_from::<SuggestionBody<'_>>()
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
        .schema_from::<TaskBody<'_>>()
        .schema_from::<TierBody<'_>>()
        .schema_from::<TaskModelBody>()
        .schema_from::<VersionBody>()
        .schema("ErrorCode", error_code())
        .schema("Sentence", sentence())
        .schema("Capabilities", capabilities(own_tasks))
        .schema("OptionRange", option())
        .schema("CompatSummary", compat(TaskKind::Summarize))
        .schema("CompatRephrase", compat(TaskKind::Rephrase))
        .schema("CompatExpansion", compat(TaskKind::Expand))
}

/// Writes the word lists into the members that take their values from one.
pub(super) fn close_word_lists(components: &mut Components, own_tasks: &OwnTasks) {
    let finish = [FinishReason::Stop, FinishReason::Length, FinishReason::ContentFilter, FinishReason::Other]
        .map(FinishReason::as_str);
    let warnings = [
        WarningCode::Truncated,
        WarningCode::UnpricedModel,
        WarningCode::ChunkSkipped,
        WarningCode::UndecodableBytes,
        WarningCode::PartlyRead,
        WarningCode::GuardrailIntervened,
        WarningCode::PostShortened,
        WarningCode::FewerSuggestions,
    ]
    .map(WarningCode::as_str);
    let strategies: Vec<&str> = Strategy::ALL.iter().map(|strategy| strategy.as_str()).collect();
    let stages = [Stage::Split, Stage::Map, Stage::Reduce, Stage::Final].map(Stage::as_str);
    let of_a_fallback = [Stage::Map, Stage::Reduce, Stage::Final].map(Stage::as_str);
    let states = [ChunkState::Started, ChunkState::Completed, ChunkState::Failed, ChunkState::Cached]
        .map(ChunkState::as_str);
    let failures = CallFailure::ALL.map(CallFailure::as_str);
    let tasks = task_words(own_tasks);
    let objects = [
        "summary",
        "rephrase",
        "expansion",
        "refinement",
        "blog_post",
        "product_description",
        "social_posts",
        "task_result",
    ];
    let codes: Vec<&str> = errors::codes().map(FailureCode::as_str).collect();
    let of_openai = ["stop", "length", "content_filter"];
    let lists: [(&str, &str, &[&str]); 27] = [
        ("TaskAnswer", "object", &objects),
        ("TaskAnswer", "task", &tasks),
        ("TaskAnswer", "format", &["markdown", "plain-text", "as-is", "json"]),
        ("TaskAnswer", "finish_reason", &finish),
        ("TaskAnswer", "strategy", &strategies),
        ("Suggestion", "finish_reason", &finish),
        ("SuggestionEvent", "finish_reason", &finish),
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
        ("ChatChoice", "finish_reason", &of_openai),
        ("ChatServed", "strategy", &strategies),
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

/// The name of an older answer's schema.
pub(super) fn compat_name(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Summarize => "CompatSummary",
        TaskKind::Rephrase => "CompatRephrase",
        TaskKind::Expand => "CompatExpansion",
    }
}

/// What `stream` can be.
pub(in crate::http) const REPRESENTATIONS: [&str; 5] = ["json", "sse", "ndjson", "text", "ui"];

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

/// The member of an older answer that holds its text.
pub(super) fn compat_member(kind: TaskKind) -> &'static str {
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

/// The tasks that there are, by name.
fn task_words(own_tasks: &OwnTasks) -> Vec<&str> {
    let on_text = TaskKind::ALL.map(TaskKind::as_str).into_iter();
    let generated = Generator::ALL.map(Generator::as_str);
    on_text.chain(generated).chain(["refine"]).chain(own_tasks.keys().map(TaskName::as_str)).collect()
}

fn capabilities(own_tasks: &OwnTasks) -> Schema {
    let options =
        ObjectBuilder::new().description(Some("The options of the task, by name.")).additional_properties(
            Some(AdditionalProperties::RefOr(Ref::from_schema_name("OptionRange").into())),
        );
    let tasks = task_words(own_tasks);
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
    ])
    .property("description", text("What it does; only of a task from a file."))
    .property(
        "input_schema",
        ObjectBuilder::new()
            .description(Some("A JSON schema of the members of its own; only of a task from a file.")),
    );
    let representation = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(REPRESENTATIONS));
    let limits = all_required(vec![
        ("max_body_bytes", number(Type::Integer, "The most bytes a JSON body may have.").into()),
        ("max_file_bytes", number(Type::Integer, "The most bytes a file or a form may have.").into()),
    ]);
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
