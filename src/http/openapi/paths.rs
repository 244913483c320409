//! Every path with its methods: what it takes, what it answers.
//!
//! One operation per route of `http.rs`; `tests/openapi.rs` compares the two
//! lists. Shapes and examples come from the files beside this one.

use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::ResponsesBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    HttpMethod, PathItem, Paths, PathsBuilder, Ref, Required, ResponseBuilder, ServerBuilder,
};

use super::super::error::describe_problem;
use super::errors::{self, Family};
use super::{answers, events, headers, requests};
use crate::domain::{FailureCode, TaskKind};

pub(super) const WRITING: &str = "Writing";
pub(super) const COMPATIBLE: &str = "Compatible";
pub(super) const ABOUT: &str = "About the service";
pub(super) const PROBES: &str = "Probes";

/// Where the operator's port is by default.
const OPS_URL: &str = "http://127.0.0.1:9464";

/// All paths.
pub(super) fn paths() -> Paths {
    let mut paths = PathsBuilder::new();
    for kind in TaskKind::ALL {
        paths = paths
            .path(format!("/v1/{kind}"), PathItem::new(HttpMethod::Post, task(kind)))
            .path(format!("/api/{kind}"), PathItem::new(HttpMethod::Post, compat(kind)));
    }
    for (path, operation) in about_the_service().into_iter().chain(probes()) {
        let operation = operation.parameter_ref(headers::parameter("X-Request-Id"));
        paths = paths.path(path, PathItem::new(HttpMethod::Get, operation));
    }
    paths.path("/metrics", PathItem::new(HttpMethod::Get, metrics())).build()
}

fn task(kind: TaskKind) -> OperationBuilder {
    let (summary, about) = match kind {
        TaskKind::Summarize => ("Say what a text says, in less space", "Makes a summary."),
        TaskKind::Rephrase => ("Say the same in other words", "Rephrases a text; its meaning stays."),
        TaskKind::Expand => ("Make a full text from points or a draft", "Expands points or a text; it invents nothing."),
    };
    let description = format!(
        "{about} The answer comes as JSON, as native events (SSE or one JSON object per line), or as plain text. \
         The query parameter `stream` chooses, then the body's `stream`, then the header `Accept`; else it is JSON.\n\n\
         Members may also be written in camelCase, `null` counts as absent, and in words `_` may stand for `-`. \
         Unknown members and query parameters are errors.\n\n\
         A plain text stream has no place for an error: its head waits for the first word, and a failure after \
         that breaks the connection."
    );
    let body = request_body(requests::v1(kind), requests::v1_examples(kind));
    let responses = ResponsesBuilder::new().response("200", task_answer(kind));
    OperationBuilder::new()
        .tag(WRITING)
        .operation_id(Some(kind.as_str()))
        .summary(Some(summary))
        .description(Some(description))
        .parameter_ref(headers::parameter("stream"))
        .parameter_ref(headers::parameter("X-Request-Timeout-Ms"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .request_body(Some(body))
        .responses(with_404_left_out(responses))
}

fn with_404_left_out(responses: ResponsesBuilder) -> ResponsesBuilder {
    errors::of_a_task(responses, Family::Problem)
}

fn task_answer(kind: TaskKind) -> ResponseBuilder {
    let json = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("TaskAnswer")))
        .examples_from_iter([example("whole", "The whole answer.", answers::task_example(kind))]);
    let sse = transcripts(events::sse_body(), events::sse_transcripts());
    let lines = transcripts(events::lines_body(), events::line_transcripts());
    let text = ContentBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).description(Some("The answer, nothing else."))))
        .examples_from_iter([example("whole", "The whole body.", answers::text_example(kind).into())]);
    let answer = ResponseBuilder::new()
        .description("The answer. A stream can still end in the event `error`: its status is sent before its end is known.")
        .content("application/json", json)
        .content("text/event-stream", sse)
        .content("application/x-ndjson", lines)
        .content("text/plain", text);
    let answer = headers::add(answer, &headers::ON_EVERY_ANSWER);
    headers::add(answer, &["X-Generation-Id", "X-Model", "Server-Timing", "X-Accel-Buffering"])
}

fn compat(kind: TaskKind) -> OperationBuilder {
    let description = format!(
        "For clients of an older interface. New clients use `POST /v1/{kind}`, which has the same limits and also \
         streams. An error is one friendly sentence, with the status that `/v1` has."
    );
    let body = request_body(requests::compat(kind), requests::compat_examples(kind));
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(answers::compat_name(kind))))
        .examples_from_iter([example("whole", "The answer.", answers::compat_example(kind))]);
    let answer = ResponseBuilder::new().description("The answer.").content("application/json", content);
    let answer = headers::add(answer, &headers::ON_EVERY_ANSWER);
    let responses = ResponsesBuilder::new().response("200", headers::add(answer, &["Link"]));
    OperationBuilder::new()
        .tag(COMPATIBLE)
        .operation_id(Some(format!("compat_{kind}")))
        .summary(Some(format!("The task {kind} for older clients")))
        .description(Some(description))
        .parameter_ref(headers::parameter("X-Request-Timeout-Ms"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .request_body(Some(body))
        .responses(errors::of_a_task(responses, Family::Sentence))
}

fn about_the_service() -> Vec<(&'static str, OperationBuilder)> {
    let json = |schema: &str, value| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema)));
        content.examples_from_iter([example("usual", "Shortened.", value)]).build()
    };
    let document = ObjectBuilder::new().schema_type(Type::Object).description(Some("An OpenAPI 3.1 document."));
    let page = describe_problem(FailureCode::ValidationFailed.as_str()).unwrap_or_default();
    let problem = get(
        ABOUT,
        "problem",
        "What an error code means",
        "The page that the member `type` of an error names.",
        ("text/plain", plain_text("validation_failed", &page)),
    );
    let code = ParameterBuilder::new()
        .name("code")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The error's `code`."))
        .schema(Some(Ref::from_schema_name("ErrorCode")))
        .example(Some(FailureCode::ValidationFailed.as_str().into()));
    let about_problem = usual(&problem.1).response("200", problem.0);
    vec![
        (
            "/v1/models",
            finish(get(
                ABOUT,
                "models",
                "The models and chains",
                "Every model of the catalogue with its sizes and prices, and every chain with its models in the \
                 order in which they are asked.",
                ("application/json", json("Catalogue", answers::models_example())),
            )),
        ),
        (
            "/v1/capabilities",
            finish(get(
                ABOUT,
                "capabilities",
                "The tasks and their options",
                "What a page needs in order to build its controls: tasks, options with their values, limits.",
                ("application/json", json("Capabilities", answers::capabilities_example())),
            )),
        ),
        ("/problems/{code}", problem_operation),
    ]
}
