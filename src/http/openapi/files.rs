//! Bodies that are files: alone, with the options in the query, or in a form.
//!
//! Owns the two shapes in which options come as text, and the media types of
//! `POST /v1/…`. Which types are read, the room `documents` says; the names of the
//! options come from the same table as those of a JSON body.

use serde_json::{Value, json};
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::encoding::EncodingBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, Ref, Required};

use super::options::{self, Member};
use super::refine;
use super::request_examples::LIBRARY;
use super::written::as_written;
use super::{own_tasks, requests};
use crate::documents::DocumentFormat;
use crate::domain::{TaskKind, TaskName};
use crate::pipeline::OwnTasks;
use crate::tasks::OwnTaskSpec;

/// The media type of a form.
pub(super) const FORM: &str = "multipart/form-data";

/// Whose options a file comes with.
#[derive(Clone, Copy)]
pub(super) enum Options<'a> {
    Of(TaskKind),
    Refined,
    Own(&'a OwnTaskSpec),
    /// Those of every task, and which task it is.
    Measured(&'a OwnTasks),
}

impl Options<'_> {
    pub(super) fn query_name(self) -> String {
        match self {
            Self::Of(TaskKind::Summarize) => "SummarizeQuery".to_owned(),
            Self::Of(TaskKind::Rephrase) => "RephraseQuery".to_owned(),
            Self::Of(TaskKind::Expand) => "ExpandQuery".to_owned(),
            Self::Refined => "RefineQuery".to_owned(),
            Self::Own(spec) => format!("{}.query", own_tasks::body_name(spec)),
            Self::Measured(_) => "MeasureQuery".to_owned(),
        }
    }

    pub(super) fn form_name(self) -> String {
        match self {
            Self::Of(TaskKind::Summarize) => "SummarizeForm".to_owned(),
            Self::Of(TaskKind::Rephrase) => "RephraseForm".to_owned(),
            Self::Of(TaskKind::Expand) => "ExpandForm".to_owned(),
            Self::Refined => "RefineForm".to_owned(),
            Self::Own(spec) => format!("{}.form", own_tasks::body_name(spec)),
            Self::Measured(_) => "MeasureForm".to_owned(),
        }
    }

    /// Every option with its schema, as text has it.
    fn members(self) -> Vec<(String, Schema)> {
        let of_tasks = match self {
            Self::Of(kind) => options::of(kind),
            Self::Refined => refine::beside_a_file(),
            Self::Own(spec) => own_tasks::common(spec),
            // Options of one name differ by task in their words, so they are told once as text.
            Self::Measured(_) => Vec::new(),
        };
        let about_all = [options::preference()];
        let mut members: Vec<(String, Schema)> = Vec::new();
        if let Self::Own(spec) = self {
            let own = own_tasks::own_members(spec);
            members.extend(own.map(|(name, schema)| (name.to_owned(), written_as_text(schema))));
        }
        let common = of_tasks.iter().chain(&about_all);
        members.extend(common.map(|member| (member.name.to_owned(), as_text(member))));
        let about_the_answer = [
            ("chain", not_null(requests::chain())),
            ("include", list(requests::ABOUT_INCLUDE)),
            ("on_failover", not_null(requests::on_failover())),
            ("on_chunk_error", not_null(requests::on_chunk_error())),
        ];
        members.extend(about_the_answer.map(|(name, schema)| (name.to_owned(), schema)));
        if let Self::Measured(own_tasks) = self {
            // Generators take no files.
            let built_in = TaskKind::ALL.map(TaskKind::as_str).into_iter().chain(["refine"]);
            let tasks = built_in.chain(own_tasks.keys().map(TaskName::as_str));
            let task = text("The task. Its own options may stand beside it.").enum_values(Some(tasks));
            members.insert(0, ("task".to_owned(), task.into()));
        }
        members
    }
}

/// The schemas of options that come with files, as components.
pub(super) fn components(components: ComponentsBuilder, own_tasks: &OwnTasks) -> ComponentsBuilder {
    let built_in = TaskKind::ALL.map(Options::Of).into_iter().chain([Options::Refined]);
    let all = built_in.chain(own_tasks.values().map(|spec| Options::Own(spec)));
    all.chain([Options::Measured(own_tasks)]).fold(components, |components, options| {
        components.schema(options.query_name(), query(options)).schema(options.form_name(), form(options))
    })
}

/// The options of a request whose body is a file: each is a query parameter of its own.
pub(super) fn parameter(options: Options<'_>) -> ParameterBuilder {
    ParameterBuilder::new()
        .name("options")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .style(Some(ParameterStyle::Form))
        .explode(Some(true))
        .description(Some(
            "Only where the body is a file or a form: the options of the request, each as a query parameter of \
             its own, such as `?type=tldr&max_words=80`. With a JSON body they stand in it.",
        ))
        .schema(Some(Ref::from_schema_name(options.query_name())))
}

/// Adds what a body may be beside JSON.
pub(super) fn add(body: RequestBodyBuilder, options: Options<'_>) -> RequestBodyBuilder {
    let body = body.content(FORM, form_content(options));
    DocumentFormat::MEDIA_TYPES
        .iter()
        .fold(body, |body, media_type| body.content(*media_type, file_content(media_type)))
}

fn query(options: Options<'_>) -> Schema {
    let about = "The options of a request, as text. Entries of a list are separated by commas.";
    let object = ObjectBuilder::new().description(Some(about));
    options.members().into_iter().fold(object, |object, (name, schema)| object.property(name, schema)).into()
}

fn form(options: Options<'_>) -> Schema {
    let about = "A file, and the options of the request: together in `options`, each as a field of its own, or in \
                 the query. What `options` says takes the place of what was said before; else an option that is \
                 given twice is an error.";
    let file =
        text("The document. What it is, its `Content-Type` says; where that says nothing, its file name.")
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
    let together = text("All options as a JSON object, without `text` and `bullets`.")
        .content_media_type("application/json");
    let object = ObjectBuilder::new()
        .description(Some(about))
        .property("file", file)
        .required("file")
        .property("options", together);
    options.members().into_iter().fold(object, |object, (name, schema)| object.property(name, schema)).into()
}

fn form_content(options: Options<'_>) -> Content {
    let types = DocumentFormat::MEDIA_TYPES.join(", ");
    let shown = match options {
        Options::Of(_) => json!({ "file": LIBRARY, "max_words": 80 }),
        Options::Refined => refine::form_example(),
        Options::Own(spec) => {
            let mut members = spec.example();
            members.insert("file".to_owned(), LIBRARY.into());
            Value::Object(members)
        }
        Options::Measured(_) => json!({ "file": LIBRARY, "task": "summarize" }),
    };
    let example = ExampleBuilder::new().summary("A text file with one option.").value(Some(shown)).build();
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(options.form_name())))
        .encoding("file", EncodingBuilder::new().content_type(Some(types)).build())
        .encoding("options", EncodingBuilder::new().content_type(Some("application/json")).build())
        .examples_from_iter([("file-and-option", example)])
        .build()
}

fn file_content(media_type: &str) -> Content {
    let shown = match media_type {
        "text/plain" => LIBRARY.to_owned(),
        "text/markdown" => format!("# The new library\n\n{LIBRARY}\n"),
        "text/html" => format!("<h1>The new library</h1>\n<p>{LIBRARY}</p>\n"),
        _ => String::new(),
    };
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
    let content = ContentBuilder::new().schema(Some(schema));
    if shown.is_empty() {
        return content.build();
    }
    let example = ExampleBuilder::new().summary("The bytes of the file.").value(Some(Value::from(shown)));
    content.examples_from_iter([("usual", example.build())]).build()
}

/// The same for a member whose schema a file has.
fn written_as_text(schema: &Value) -> Schema {
    if schema["type"] == "array" {
        list(schema["description"].as_str().unwrap_or_default())
    } else {
        as_written(schema)
    }
}

fn as_text(member: &Member) -> Schema {
    if member.range.is_list() { list(member.about) } else { not_null(member.range.schema(member.about)) }
}

/// Text has no word for `null`; an option that is not meant is left out.
fn not_null(mut schema: Schema) -> Schema {
    if let Schema::Object(object) = &mut schema {
        if let SchemaType::Array(types) = &mut object.schema_type {
            types.retain(|kind| *kind != Type::Null);
        }
        if let Some(values) = &mut object.enum_values {
            values.retain(|value| !value.is_null());
        }
    }
    schema
}

fn list(about: &str) -> Schema {
    text(&format!("{about} Entries are separated by commas.")).into()
}

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about))
}
