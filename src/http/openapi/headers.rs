//! Request parameters and answer headers, each described once.
//!
//! Owns their names, meaning and examples as components that operations refer
//! to. It does not decide which answer carries which header; that stands beside
//! each answer.

use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ComponentsBuilder, Header, HeaderBuilder, Ref, Required, ResponseBuilder};

use super::examples::{GENERATION_ID, MODEL, REQUEST_ID};
use super::files;
use super::requests::STREAM_PARAMETER_VALUES;
use crate::documents::DocumentFormat;

/// The headers of every answer.
pub(super) const ON_EVERY_ANSWER: [&str; 4] =
    ["X-Request-Id", "Cache-Control", "Vary", "X-Content-Type-Options"];

/// All parameters and headers, as components.
pub(super) fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    let components = parameters()
        .into_iter()
        .fold(components, |components, (name, parameter)| components.parameter(name, parameter));
    headers().into_iter().fold(components, |components, (name, header)| components.header(name, header))
}

/// A reference to a parameter.
pub(super) fn parameter(name: &str) -> Ref {
    Ref::new(format!("#/components/parameters/{name}"))
}

/// Adds headers to an answer.
pub(super) fn add(answer: ResponseBuilder, names: &[&str]) -> ResponseBuilder {
    names.iter().fold(answer, |answer, name| {
        answer.header_ref(*name, Ref::new(format!("#/components/headers/{name}")))
    })
}

fn parameters() -> [(&'static str, Parameter); 4] {
    let stream = string().enum_values(Some(STREAM_PARAMETER_VALUES));
    let timeout = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    [
        (
            "stream",
            named("stream", ParameterIn::Query)
                .description(Some(
                    "How the answer is written: `json`, `sse`, `ndjson`, `text` or `ui`. `true` and `1` mean `sse`, \
                     `false` and `0` mean `json`. It comes before the body's `stream` and the header `Accept`.",
                ))
                .schema(Some(stream))
                .build(),
        ),
        (
            "X-Request-Timeout-Ms",
            named("X-Request-Timeout-Ms", ParameterIn::Header)
                .description(Some(
                    "How long the whole request may take, in milliseconds. Without it: 60000 for JSON, 300000 \
                     for streams, unless the operator chose otherwise. Shorter than 100 counts as 100; longer \
                     than the service allows (600000, unless the operator chose otherwise) counts as that.",
                ))
                .schema(Some(timeout))
                .example(Some(json!(30000)))
                .build(),
        ),
        (
            "X-Request-Id",
            named("X-Request-Id", ParameterIn::Header)
                .description(Some(
                    "Your own id for this request: 1 to 128 characters of `A-Z a-z 0-9 . _ -`. It comes back in \
                     the answer and stands in the logs. Any other value is replaced by a new id.",
                ))
                .schema(Some(string()))
                .example(Some(json!("order-4711.try-1")))
                .build(),
        ),
        (
            "If-None-Match",
            named("If-None-Match", ParameterIn::Header)
                .description(Some("The `ETag` of the file that is there already."))
                .schema(Some(string()))
                .example(Some(json!("W/\"9f1c8e4f2ab03d77\"")))
                .build(),
        ),
    ]
}

fn named(name: &str, place: ParameterIn) -> ParameterBuilder {
    ParameterBuilder::new().name(name).parameter_in(place).required(Required::False)
}

fn headers() -> Vec<(&'static str, Header)> {
    let whole_number = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let table: Vec<(&str, ObjectBuilder, &str, Value)> = vec![
        ("X-Request-Id", string(), "Names this request, also in the service's logs.", json!(REQUEST_ID)),
        ("X-Generation-Id", string(), "Names this answer.", json!(GENERATION_ID)),
        ("X-Model", string(), "The model that wrote the answer. JSON answers only.", json!(MODEL)),
        (
            "Server-Timing",
            string(),
            "Where the time went, in milliseconds: waiting for a turn, model calls, the service itself. JSON \
             answers only.",
            json!(format!("queue;dur=0.0, upstream;dur=812.4, overhead;dur=0.61, model;desc=\"{MODEL}\"")),
        ),
        (
            "Cache-Control",
            string(),
            "`no-store`; on streams `no-cache, no-store, no-transform`; on modules for pages `no-cache`.",
            json!("no-store"),
        ),
        (
            "Vary",
            string(),
            "The request headers that the answer depends on, where it does.",
            json!("accept-encoding"),
        ),
        ("ETag", string(), "Changes with the file.", json!("W/\"9f1c8e4f2ab03d77\"")),
        ("X-Content-Type-Options", string(), "Always `nosniff`.", json!("nosniff")),
        (
            "X-Accel-Buffering",
            string(),
            "`no`, on streams only: a proxy must not hold them back.",
            json!("no"),
        ),
        (
            "X-Vercel-AI-UI-Message-Stream",
            string(),
            "`v1`, on the AI SDK's chunks only (`ui`): the version of their protocol.",
            json!("v1"),
        ),
        ("Retry-After", whole_number(), "When to try again, in seconds.", json!(2)),
        ("retry-after-ms", whole_number(), "When to try again, in milliseconds.", json!(2000)),
        (
            "x-should-retry",
            string().enum_values(Some(["true", "false"])),
            "Whether the same request may succeed later.",
            json!("true"),
        ),
        ("Accept-Post", string(), "The media types that a body may have.", json!(body_types())),
        ("Allow", string(), "The methods that the path has.", json!("POST")),
        (
            "Connection",
            string(),
            "`close`, over HTTP/1.1: the rest of the body was not read.",
            json!("close"),
        ),
        (
            "Link",
            string(),
            "The path that took the place of this one.",
            json!("</v1/summarize>; rel=\"successor-version\""),
        ),
    ];
    table.into_iter().map(|(name, schema, about, example)| (name, header(schema, about, example))).collect()
}

fn body_types() -> String {
    let types = ["application/json", files::FORM].into_iter();
    types.chain(DocumentFormat::MEDIA_TYPES.iter().copied()).collect::<Vec<_>>().join(", ")
}

fn header(schema: ObjectBuilder, about: &str, example: Value) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(about)).example(Some(example)).build()
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
