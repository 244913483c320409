//! What may be sent: the schema of every request body.
//!
//! The options come from the table in `options`; this file adds the material
//! (`text`, `bullets`), what a request says about its own answer, and the rules
//! between members. Schemas are closed, as the reader is. They show each member
//! under its one documented name, though the reader also takes camelCase. Bodies that
//! are files stand in `files`, examples in `request_examples`.

use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, AnyOfBuilder, ArrayBuilder, Discriminator, Object, ObjectBuilder,
    OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{ComponentsBuilder, Ref};

use super::answers::REPRESENTATIONS;
use super::generators;
use super::options::{self, Member, Range, not_both, nullable, only};
use super::{own_tasks, refine};
use crate::domain::TaskKind;
use crate::pipeline::OwnTasks;
use crate::tasks::Generator;

/// What `stream` may be in a body.
const STREAM_VALUES: [&str; 5] = REPRESENTATIONS;
/// What `stream` may be in a query.
pub(super) const STREAM_PARAMETER_VALUES: [&str; 9] =
    ["true", "false", "json", "sse", "ndjson", "text", "ui", "1", "0"];
const MAX_CHAIN_CHARS: usize = 64;
const MAX_INCLUDED: usize = 8;
const MAX_BULLETS: usize = 200;
const MAX_BULLET_CHARS: usize = 5000;
/// What `include` may hold.
pub(super) const INCLUDED: [&str; 2] = ["text", "partials"];
pub(super) const NOT_BLANK: &str = "\\S";

const TEXT: &str = "The text to work on. It must hold more than white space. How many tokens it may have: see \
                    `input_quota_tokens` of `GET /v1/capabilities`.";
const BULLETS: &str = "The points to expand: a list, or a string with one point per line. Signs such as `-`, `*`, \
                       `•` and numbers in front are dropped, and so are blank points. At most 200 points of at \
                       most 5000 characters; at least one that is not blank.";

/// The schemas of all bodies, as components.
pub(super) fn components(components: ComponentsBuilder, own: &OwnTasks) -> ComponentsBuilder {
    let on_text = TaskKind::ALL.map(|kind| (kind.as_str(), measure_name(kind).to_owned())).into_iter();
    let generated =
        Generator::ALL.map(|generator| (generator.as_str(), generators::measure_name(generator).to_owned()));
    let of_own = own.iter().map(|(name, spec)| (name.as_str(), own_tasks::measure_name(spec)));
    let named: Vec<(&str, String)> =
        on_text.chain(generated).chain([("refine", refine::MEASURE.to_owned())]).chain(of_own).collect();
    let measured = named.iter().map(|(task, schema)| (*task, reference(schema)));
    let measure = OneOfBuilder::new()
        .description(Some("The body of the task's own path, with `task` beside it."))
        .discriminator(Some(Discriminator::with_mapping("task", measured)));
    let measure = named
        .iter()
        .fold(measure, |measure, (_, schema)| measure.item(Ref::from_schema_name(schema.as_str())));
    TaskKind::ALL.into_iter().fold(components.schema(MEASURE, measure), |components, kind| {
        components
            .schema(v1_name(kind), v1(kind, Task::OfItsPath))
            .schema(measure_name(kind), v1(kind, Task::Named))
            .schema(compat_name(kind), compat(kind))
    })
}

/// The name of the schema of a body of `POST /v1/measure`.
pub(super) const MEASURE: &str = "MeasureRequest";

fn measure_name(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Summarize => "MeasureSummarizeRequest",
        TaskKind::Rephrase => "MeasureRephraseRequest",
        TaskKind::Expand => "MeasureExpandRequest",
    }
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The name of the schema of a body of `POST /v1/{task}`.
pub(super) fn v1_name(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Summarize => "SummarizeRequest",
        TaskKind::Rephrase => "RephraseRequest",
        TaskKind::Expand => "ExpandRequest",
    }
}

/// The name of the schema of a body of `POST /api/{task}`.
pub(super) fn compat_name(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Summarize => "CompatSummarizeRequest",
        TaskKind::Rephrase => "CompatRephraseRequest",
        TaskKind::Expand => "CompatExpandRequest",
    }
}

/// Where a body says its task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    OfItsPath,
    Named,
}

fn v1(kind: TaskKind, task: Task) -> Schema {
    let mut body = material(kind);
    if task == Task::Named {
        let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind.as_str()]));
        body = body.property("task", word).required("task");
    }
    for member in options::of(kind) {
        body = with(body, &member);
    }
    body = with(body, &options::preference());
    for (name, schema) in about_the_answer() {
        body = body.property(name, schema);
    }
    let mut rules = vec![one_material(kind), chain_or_preference()];
    if kind == TaskKind::Summarize {
        rules.push(paragraphs_or_type());
    }
    closed(body, rules)
}

fn compat(kind: TaskKind) -> Schema {
    let mut body = material(kind);
    if kind == TaskKind::Summarize {
        let about = "How many paragraphs the summary has.";
        body = with(
            body,
            &Member {
                name: "max_length",
                about,
                range: Range::Number { least: 1, most: 10, default: Some(2) },
            },
        );
    }
    // A summary has its shape from `max_length` here.
    let shape = |member: &Member| kind == TaskKind::Summarize && matches!(member.name, "type" | "paragraphs");
    for member in options::of(kind).iter().filter(|member| !shape(member)) {
        body = if member.name == "n" { with(body, &one_suggestion()) } else { with(body, member) };
    }
    closed(body, vec![one_material(kind)])
}

/// A path that answers with one text has no place for more.
fn one_suggestion() -> Member {
    Member {
        name: "n",
        about: "One suggestion; `POST /v1/rephrase` makes several.",
        range: Range::Number { least: 1, most: 1, default: Some(1) },
    }
}

pub(super) fn with(body: ObjectBuilder, member: &Member) -> ObjectBuilder {
    body.property(member.name, member.range.schema(member.about))
}

fn material(kind: TaskKind) -> ObjectBuilder {
    let mut body = ObjectBuilder::new();
    if kind == TaskKind::Expand {
        body = body.property("bullets", bullets());
    }
    text_members(body)
}

/// The text, under each of its names.
pub(super) fn text_members(body: ObjectBuilder) -> ObjectBuilder {
    let text = |about: &str| nullable(Type::String).pattern(Some(NOT_BLANK)).description(Some(about));
    body.property("text", text(TEXT))
        .property(
            "prompt",
            text("Another name for `text`. Where nothing else says how to answer, the answer is the AI SDK's chunks."),
        )
        .property("input", text("Another name for `text`."))
}

fn bullets() -> Schema {
    let point = ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_BULLET_CHARS));
    let list = ArrayBuilder::new().items(point).min_items(Some(1)).max_items(Some(MAX_BULLETS));
    // utoipa has no field for the keyword `contains`, so it comes in as what it calls an extension.
    let contains = Extensions::from_iter([("contains", json!({ "pattern": NOT_BLANK }))]);
    let one_not_blank = ObjectBuilder::new().schema_type(SchemaType::AnyValue).extensions(Some(contains));
    let list = AllOfBuilder::new().item(list).item(one_not_blank);
    let lines = ObjectBuilder::new().schema_type(Type::String).pattern(Some(NOT_BLANK));
    let nothing = ObjectBuilder::new().schema_type(Type::Null);
    AnyOfBuilder::new().description(Some(BULLETS)).item(list).item(lines).item(nothing).into()
}

/// What a request says about its own answer rather than about the text.
pub(super) fn about_the_answer() -> [(&'static str, Schema); 5] {
    let values = [json!(true), json!(false)].into_iter().chain(STREAM_VALUES.map(Value::from));
    let stream = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Boolean, Type::String, Type::Null]))
        .enum_values(Some(values.chain([Value::Null])))
        .description(Some(
            "How the answer is written; `true` means `sse` and `false` means `json`. The query parameter \
             `stream` comes before it, the header `Accept` after it, and then a text called `prompt`, which \
             means `ui`.",
        ));
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(INCLUDED));
    let include = ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(word)
        .max_items(Some(MAX_INCLUDED))
        .description(Some(ABOUT_INCLUDE));
    [
        ("chain", chain()),
        ("stream", stream.into()),
        ("include", include.into()),
        ("on_failover", on_failover()),
        ("on_chunk_error", on_chunk_error()),
    ]
}

/// Which chain of models is asked.
pub(super) fn chain() -> Schema {
    nullable(Type::String)
        .max_length(Some(MAX_CHAIN_CHARS))
        .examples(["default"])
        .description(Some(
            "The chain of models to ask; `GET /v1/models` names them. Not together with `preference`.",
        ))
        .into()
}

/// What `include` does.
pub(super) const ABOUT_INCLUDE: &str = "Extras. `text` lets the event `done` repeat the whole text. `partials` \
                                        tells what each part of a text gave that is worked on in parts; with \
                                        `refine`, the summary so far.";

/// What happens when a part of the text cannot be worked on.
pub(super) fn on_chunk_error() -> Schema {
    nullable(Type::String)
        .enum_values(Some([json!("fail"), json!("skip"), Value::Null]))
        .default(Some(json!("fail")))
        .description(Some(
            "What happens when all models fail on a part of a text that is worked on in parts. `fail`: so does \
             the request. `skip`: the answer goes on without the part and says so: with a sentence in square \
             brackets in the text, a warning `chunk_skipped` for each, and `partial`.",
        ))
        .into()
}

/// What happens when a model breaks off.
pub(super) fn on_failover() -> Schema {
    nullable(Type::String)
        .enum_values(Some([json!("error"), json!("restart"), Value::Null]))
        .default(Some(json!("error")))
        .description(Some(
            "What happens when a model breaks off after part of a stream was sent. `error`: the stream ends \
             with the event `error`. `restart`: the event `reset` makes what was sent void, and the next model \
             starts over; not for plain text, `ui` and chat completions. Answers in one piece start over by \
             themselves.",
        ))
        .into()
}

/// Exactly one member carries what is to be worked on.
fn one_material(kind: TaskKind) -> Schema {
    let rule = match kind {
        TaskKind::Summarize | TaskKind::Rephrase => "Exactly one of `text`, `prompt` and `input`.",
        TaskKind::Expand => "Exactly one of `bullets`, `text`, `prompt` and `input`.",
    };
    let mut one = OneOfBuilder::new().description(Some(rule));
    if kind == TaskKind::Expand {
        let given = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Array, Type::String]));
        one = one.item(only("bullets", given).required("bullets"));
    }
    one_text(one)
}

/// The same where the text is all there is.
pub(super) fn one_text(mut one: OneOfBuilder) -> Schema {
    for name in ["text", "prompt", "input"] {
        one = one.item(only(name, Object::with_type(Type::String)).required(name));
    }
    one.into()
}

pub(super) fn chain_or_preference() -> Schema {
    let absent = || Object::with_type(Type::Null);
    not_both("Not both `chain` and `preference`.", ("chain", absent()), ("preference", absent()))
}

fn paragraphs_or_type() -> Schema {
    let absent = Object::with_type(Type::Null);
    let prose = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .enum_values(Some([json!("tldr"), Value::Null]))
        .build();
    not_both(
        "`paragraphs` only without `type` or with the type `tldr`.",
        ("paragraphs", absent),
        ("type", prose),
    )
}

/// No member but those that are listed, and the rules between them.
pub(super) fn closed(body: ObjectBuilder, rules: Vec<Schema>) -> Schema {
    let body = body.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let all = AllOfBuilder::new().item(body);
    rules.into_iter().fold(all, AllOfBuilder::item).into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::request_examples::{compat_examples, v1_examples};
    use super::{MAX_BULLET_CHARS, MAX_BULLETS};
    use crate::domain::TaskKind;
    use crate::tasks::{Fields, Task};

    /// They are read beside the task, not with it.
    const ANSWER_OPTIONS: [&str; 6] =
        ["chain", "preference", "stream", "include", "on_failover", "on_chunk_error"];

    fn is_read(kind: TaskKind, body: &Value, mut ready: impl FnMut(&mut Fields)) -> Result<(), String> {
        let Value::Object(members) = body else { panic!("an example is no object: {body}") };
        let mut fields = Fields::new(members.clone());
        ready(&mut fields);
        let _problems = Task::read(kind, &mut fields);
        fields.finish().map_err(|problems| format!("{body}: {problems:?}"))
    }

    #[test]
    fn the_reader_accepts_every_example() {
        for kind in TaskKind::ALL {
            for example in v1_examples(kind) {
                let took = is_read(kind, &example.body, |fields| {
                    for name in ANSWER_OPTIONS {
                        fields.value(name);
                    }
                });
                assert_eq!(took, Ok(()), "{kind} {}", example.name);
            }
            for example in compat_examples(kind) {
                let took = is_read(kind, &example.body, |fields| fields.rename("max_length", "paragraphs"));
                assert_eq!(took, Ok(()), "{kind} {}", example.name);
            }
        }
    }

    #[test]
    fn the_reader_draws_the_lines_for_bullets_where_the_schema_does() {
        let read = |bullets: Value| is_read(TaskKind::Expand, &json!({ "bullets": bullets }), |_| {}).is_ok();
        assert!(read(vec!["a"; MAX_BULLETS].into()));
        assert!(!read(vec!["a"; MAX_BULLETS + 1].into()));
        assert!(read(json!(["a".repeat(MAX_BULLET_CHARS), ""])));
        assert!(!read(json!(["a".repeat(MAX_BULLET_CHARS + 1)])));
        assert!(!read(json!([])) && !read(json!([" "])) && !read(json!(" \n")));
    }
}
