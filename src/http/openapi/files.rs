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
use super::request_examples::LIBRARY;
use super::requests;
use crate::documents::DocumentFormat;
use crate::domain::TaskKind;

/// The media type of a form.
pub(super) const FORM: &str = "multipart/form-data";

/// Whose options a file comes with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Options {
    Of(TaskKind),
    /// Those of every task, and which task it is.
    Measured,
}

impl Options {
    const ALL: [Self; 4] = [
        Self::Of(TaskKind::Summarize),
        Self::Of(TaskKind::Rephrase),
        Self::Of(TaskKind::Expand),
        Self::Measured,
    ];

    fn query_name(self) -> &'static str {
        match self {
            Self::Of(TaskKind::Summarize) => "SummarizeQuery",
            Self::Of(TaskKind::Rephrase) => "RephraseQuery",
            Self::Of(TaskKind::Expand) => "ExpandQuery",
            Self::Measured => "MeasureQuery",
        }
    }

    fn form_name(self) -> &'static str {
        match self {
            Self::Of(TaskKind::Summarize) => "SummarizeForm",
            Self::Of(TaskKind::Rephrase) => "RephraseForm",
            Self::Of(TaskKind::Expand) => "ExpandForm",
            Self::Measured => "MeasureForm",
        }
    }

    /// Every option with its schema, as text has it.
    fn members(self) -> Vec<(&'static str, Schema)> {
        let of_tasks = match self {
            Self::Of(kind) => options::of(kind),
            // Options of one name differ by task in their words, so they are told once as text.
            Self::Measured => Vec::new(),
        };
        let about_all = [options::preference()];
        let mut members: Vec<(&'static str, Schema)> =
            of_tasks.iter().chain(&about_all).map(|member| (member.name, as_text(member))).collect();
        members.extend([
            ("chain", not_null(requests::chain())),
            ("include", list(requests::ABOUT_INCLUDE)),
            ("on_failover", not_null(requests::on_failover())),
            ("on_chunk_error", not_null(requests::on_chunk_error())),
        ]);
        if self == Self::Measured {
            // The other tasks take no files.
            let tasks = TaskKind::ALL.map(TaskKind::as_str);
            let task = text("The task. Its own options may stand beside it.").enum_values(Some(tasks));
            members.insert(0, ("task", task.into()));
        }
        members
    }
}

/// The schemas of options that come with files, as components.
pub(super) fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    Options::ALL.into_iter().fold(components, |components, options| {
        components.schema(options.query_name(), query(options)).schema(options.form_name(), form(options))
    })
}

/// The options of a request whose body is a file: each is a query parameter of its own.
pub(super) fn parameter(options: Options) -> ParameterBuilder {
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
pub(super) fn add(body: RequestBodyBuilder, options: Options) -> RequestBodyBuilder {
    let body = body.content(FORM, form_content(options));
    DocumentFormat::MEDIA_TYPES
        .iter()
        .fold(body, |body, media_type| body.content(*media_type, file_content(media_type)))
}

fn query(options: Options) -> Schema {
    let about = "The options of a request, as text. Entries of a list are separated by commas.";
    let object = ObjectBuilder::new().description(Some(about));
    options.members().into_iter().fold(object, |object, (name, schema)| object.property(name, schema)).into()
}

fn form(options: Options) -> Schema {
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

fn form_content(options: Options) -> Content {
    let types = DocumentFormat::MEDIA_TYPES.join(", ");
    let mut shown = json!({ "file": LIBRARY, "max_words": 80 });
    if options == Options::Measured {
        shown = json!({ "file": LIBRARY, "task": "summarize" });
    }
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
