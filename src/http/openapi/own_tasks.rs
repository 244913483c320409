//! Tasks from files: one path for each, with the schema that its file has.
//!
//! The schema of a file goes into the document word for word, with the text and the
//! options of all tasks beside it. Which tasks there are, the configuration says.

use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::response::ResponsesBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, HttpMethod, PathItem, PathsBuilder, Ref};

use super::errors::{self, Family};
use super::files::{self, Options};
use super::options::{self, Member};
use super::request_examples::{Example, LIBRARY};
use super::written::as_written;
use super::{headers, paths, requests};
use crate::pipeline::OwnTasks;
use crate::tasks::OwnTaskSpec;

/// The name of the schema of a body. No built-in schema has a dot in its name.
pub(super) fn body_name(spec: &OwnTaskSpec) -> String {
    format!("tasks.{}", spec.name())
}

/// The name of the schema of a body of `POST /v1/measure`.
pub(super) fn measure_name(spec: &OwnTaskSpec) -> String {
    format!("tasks.{}.measure", spec.name())
}

/// The schemas of all bodies, as components.
pub(super) fn components(components: ComponentsBuilder, tasks: &OwnTasks) -> ComponentsBuilder {
    tasks.values().fold(components, |components, spec| {
        components.schema(body_name(spec), body(spec, false)).schema(measure_name(spec), body(spec, true))
    })
}

/// The paths of all tasks.
pub(super) fn paths(all: PathsBuilder, tasks: &OwnTasks) -> PathsBuilder {
    tasks.values().fold(all, |all, spec| {
        all.path(format!("/v1/tasks/{}", spec.name()), PathItem::new(HttpMethod::Post, task(spec)))
    })
}

/// Options that all tasks have and this one has as well.
pub(super) fn common(spec: &OwnTaskSpec) -> Vec<Member> {
    let common = spec.common_options();
    let has = |name: &str| match name {
        "context" | "shared_context" => common.context,
        "output_language" => common.output_language,
        "expected_input_languages" => common.expected_input_languages,
        _ => false,
    };
    options::shared().into_iter().filter(|member| has(member.name)).collect()
}

/// The members of a task's own, with their schemas as the file has them.
pub(super) fn own_members(spec: &OwnTaskSpec) -> impl Iterator<Item = (&str, &Value)> {
    let properties = spec.input_schema()["properties"].as_object();
    properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
}

fn body(spec: &OwnTaskSpec, names_task: bool) -> Schema {
    let mut body = requests::text_members(ObjectBuilder::new());
    if names_task {
        let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([spec.name().as_str()]));
        body = body.property("task", word).required("task");
    }
    body = add_members(body, spec);
    for (name, schema) in requests::about_the_answer() {
        body = body.property(name, schema);
    }
    let rules = [requests::one_text(OneOfBuilder::new()), requests::chain_or_preference()];
    requests::closed(body, rules.into_iter().chain(rule_between_members(spec)).collect())
}

/// Adds what a task's file lists, and the options of every task that it has.
pub(super) fn add_members(mut body: ObjectBuilder, spec: &OwnTaskSpec) -> ObjectBuilder {
    for (name, schema) in own_members(spec) {
        body = body.property(name, as_written(schema));
    }
    for member in common(spec).iter().chain([&options::preference()]) {
        body = body.property(member.name, member.range.schema(member.about));
    }
    let required = spec.input_schema()["required"].as_array();
    required.into_iter().flatten().filter_map(Value::as_str).fold(body, ObjectBuilder::required)
}

/// Which members go with which.
pub(super) fn rule_between_members(spec: &OwnTaskSpec) -> Option<Schema> {
    let rule = spec.input_schema().get("dependentRequired")?;
    let rule = Extensions::from_iter([("dependentRequired".to_owned(), rule.clone())]);
    Some(ObjectBuilder::new().schema_type(SchemaType::AnyValue).extensions(Some(rule)).into())
}

fn task(spec: &OwnTaskSpec) -> OperationBuilder {
    let description = format!(
        "{} A task of this service's own: its file says what it does and which members it has. Everything else is \
         as with `POST /v1/rephrase`: the body is a JSON object, a file, or a form with a file, and the answer comes \
         as JSON, as native events or as plain text. `null` counts as absent.",
        spec.description()
    );
    let mut body = spec.example();
    body.insert("text".to_owned(), LIBRARY.into());
    let example = Example { name: "least", summary: "The least that it must be told.", body: body.into() };
    let request = paths::request_body(&body_name(spec), vec![example]);
    let request = files::add(request, Options::Own(spec)).build();
    let json = ContentBuilder::new().schema(Some(Ref::from_schema_name("TaskAnswer")));
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some("The answer, nothing else."));
    let answer = paths::answer_with(json, ContentBuilder::new().schema(Some(text)));
    let responses = ResponsesBuilder::new().response("200", answer);
    OperationBuilder::new()
        .tag(paths::OWN)
        .operation_id(Some(format!("task_{}", spec.name().as_str().replace('-', "_"))))
        .summary(Some(spec.description()))
        .description(Some(description))
        .parameter_ref(headers::parameter("stream"))
        .parameter(files::parameter(Options::Own(spec)))
        .parameter_ref(headers::parameter("X-Request-Timeout-Ms"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .request_body(Some(request))
        .responses(errors::of_a_task(responses, Family::Problem))
}
