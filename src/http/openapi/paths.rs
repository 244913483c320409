//! Every path with its methods: what it takes, what it answers.
//!
//! One operation per route of `http.rs`; `tests/api/openapi.rs` compares the two
//! lists. Shapes and examples come from the files beside this one.

use serde_json::Value;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponsesBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    HttpMethod, PathItem, Paths, PathsBuilder, Ref, Required, ResponseBuilder, ServerBuilder,
};

use super::super::error::describe_problem;
use super::errors::{self, Family};
use super::files::Options;
use super::transcripts::{Stream, line_transcripts, sse_transcripts};
use super::{
    answer_examples, answers, chat, dialects, events, files, generator_paths, headers, modules, own_tasks,
    refine, request_examples, requests,
};
use crate::domain::{FailureCode, TaskKind};
use crate::pipeline::OwnTasks;

pub(super) const WRITING: &str = "Writing";
pub(super) const OWN: &str = "Tasks of your own";
pub(super) const COMPATIBLE: &str = "Compatible";
pub(super) const ABOUT: &str = "About the service";
pub(super) const PROBES: &str = "Probes";

/// Where the operator's port is by default.
const OPS_URL: &str = "http://127.0.0.1:9464";

/// All paths.
pub(super) fn paths(own_tasks: &OwnTasks) -> Paths {
    let mut paths = PathsBuilder::new();
    for kind in TaskKind::ALL {
        paths = paths
            .path(format!("/v1/{kind}"), PathItem::new(HttpMethod::Post, task(kind)))
            .path(format!("/api/{kind}"), PathItem::new(HttpMethod::Post, compat(kind)));
    }
    for (path, operation) in generator_paths::operations() {
        paths = paths.path(path, PathItem::new(HttpMethod::Post, operation));
    }
    paths = own_tasks::paths(paths, own_tasks)
        .path("/v1/refine", PathItem::new(HttpMethod::Post, refine()))
        .path("/v1/measure", PathItem::new(HttpMethod::Post, measure(own_tasks)))
        .path("/v1/chat/completions", PathItem::new(HttpMethod::Post, chat::operation()));
    for (path, operation) in about_the_service().into_iter().chain(modules::operations()).chain(probes()) {
        paths = paths.path(path, PathItem::new(HttpMethod::Get, operation));
    }
    paths.path("/metrics", PathItem::new(HttpMethod::Get, metrics())).build()
}

fn task(kind: TaskKind) -> OperationBuilder {
    let (summary, about) = match kind {
        TaskKind::Summarize => ("Say what a text says, in less space", "Makes a summary."),
        TaskKind::Rephrase => ("Say the same in other words", "Rephrases a text; its meaning stays."),
        TaskKind::Expand => {
            ("Make a full text from points or a draft", "Expands points or a text; it invents nothing.")
        }
    };
    let description = format!(
        "{about} The answer comes as JSON, as native events (SSE or one JSON object per line), as plain text, or as \
         the AI SDK's chunks (`ui`). The query parameter `stream` chooses, then the body's `stream`, then the header \
         `Accept`, where it names more than `*/*`; else a text called `prompt` gives `ui`, and any other JSON.\n\n\
         Members may also be written in camelCase, `null` counts as absent, and in words `_` may stand for `-`. \
         Unknown members and query parameters are errors.\n\n\
         The body is a JSON object, a file, or a form with a file; the options of a file stand in the query, those \
         of a form in its fields. A text that is too long for a model is worked on in parts: see `strategy` of the \
         answer.\n\n\
         A plain text stream has no place for an error: its head waits for the first word, and a failure after \
         that breaks the connection."
    );
    let body = request_body(requests::v1_name(kind), request_examples::v1_examples(kind));
    let body = files::add(body, Options::Of(kind)).build();
    let responses = ResponsesBuilder::new().response("200", task_answer(kind));
    let responses = errors::of_a_task(responses, Family::Problem);
    OperationBuilder::new()
        .tag(WRITING)
        .operation_id(Some(kind.as_str()))
        .summary(Some(summary))
        .description(Some(description))
        .parameter_ref(headers::parameter("stream"))
        .parameter(files::parameter(Options::Of(kind)))
        .parameter_ref(headers::parameter("X-Request-Timeout-Ms"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .request_body(Some(body))
        .responses(responses)
}

/// An answer to a task, changed.
fn refine() -> OperationBuilder {
    let body = request_body(refine::REQUEST, refine::examples());
    let body = files::add(body, Options::Refined).build();
    let whole = example("whole", "The whole answer.", answer_examples::refined_example());
    let responses = ResponsesBuilder::new().response("200", answer([whole], refine::ANSWER));
    OperationBuilder::new()
        .tag(WRITING)
        .operation_id(Some("refine"))
        .summary(Some("Change an answer as its reader wishes"))
        .description(Some(refine::ABOUT))
        .parameter_ref(headers::parameter("stream"))
        .parameter(files::parameter(Options::Refined))
        .parameter_ref(headers::parameter("X-Request-Timeout-Ms"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .request_body(Some(body))
        .responses(errors::of_a_task(responses, Family::Problem))
}

fn task_answer(kind: TaskKind) -> ResponseBuilder {
    let examples =
        answer_examples::task_examples(kind).map(|(name, about, shown)| example(name, about, shown));
    answer(examples, answer_examples::text_example(kind))
}

/// An answer in all its representations; `text` is an example of its text.
fn answer(examples: impl IntoIterator<Item = (String, Example)>, text: &str) -> ResponseBuilder {
    let json =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("TaskAnswer"))).examples_from_iter(examples);
    let text = ContentBuilder::new()
        .schema(Some(
            ObjectBuilder::new().schema_type(Type::String).description(Some("The answer, nothing else.")),
        ))
        .examples_from_iter([example("whole", "The whole body.", text.into())]);
    answer_with(json, text)
}

/// The answer of a task in every dialect. Streams are alike for all tasks.
pub(super) fn answer_with(json: ContentBuilder, text: ContentBuilder) -> ResponseBuilder {
    let sse = sse_transcripts().into_iter().chain([dialects::ui_transcript()]);
    let sse = transcripts(events::sse_body(), sse);
    let lines = transcripts(events::lines_body(), line_transcripts().into_iter());
    let answer = ResponseBuilder::new()
        .description(
            "The answer. A stream can still end in an error: its status is sent before its end is known.",
        )
        .content("application/json", json)
        .content("text/event-stream", sse)
        .content("application/x-ndjson", lines)
        .content("text/plain", text);
    let answer = headers::add(answer, &headers::ON_EVERY_ANSWER);
    let own = ["X-Generation-Id", "X-Model", "Server-Timing", "X-Accel-Buffering"];
    headers::add(headers::add(answer, &own), &["X-Vercel-AI-UI-Message-Stream"])
}

/// What a request would take, before it is made.
fn measure(own_tasks: &OwnTasks) -> OperationBuilder {
    let description = "The body is that of the task's own path, in any of its media types, with `task` beside the \
                       options. No model is asked to write anything; where the text is close to a limit, the first \
                       model of the chain may be asked to count it. A request that would be refused for its size is \
                       answered with 200 and `fits: false`. What a request says about its answer is checked and \
                       changes nothing: the answer is always JSON.";
    let body = request_body(requests::MEASURE, request_examples::measure_examples());
    let examples = [
        example("fits", "A text that is worked on at once.", answer_examples::measure_example()),
        example("refused", "A text that would be refused.", answer_examples::refused_measure_example()),
    ];
    let json =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Measure"))).examples_from_iter(examples);
    let answer = ResponseBuilder::new()
        .description("What the request would take; all of it is an estimate.")
        .content("application/json", json);
    let answer = headers::add(answer, &headers::ON_EVERY_ANSWER);
    let responses = ResponsesBuilder::new().response("200", answer);
    OperationBuilder::new()
        .tag(WRITING)
        .operation_id(Some("measure"))
        .summary(Some("What a request would take"))
        .description(Some(description))
        .parameter_ref(headers::parameter("stream"))
        .parameter(files::parameter(Options::Measured(own_tasks)))
        .parameter_ref(headers::parameter("X-Request-Timeout-Ms"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .request_body(Some(files::add(body, Options::Measured(own_tasks)).build()))
        .responses(errors::of_a_measure(responses))
}

fn compat(kind: TaskKind) -> OperationBuilder {
    let description = format!(
        "For clients of an older interface. New clients use `POST /v1/{kind}`, which has the same limits and also \
         streams. An error is one friendly sentence, with the status that `/v1` has."
    );
    let body = request_body(requests::compat_name(kind), request_examples::compat_examples(kind)).build();
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(answers::compat_name(kind))))
        .examples_from_iter([example("whole", "The answer.", answer_examples::compat_example(kind))]);
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

/// A path that is only read.
struct Page {
    path: &'static str,
    tag: &'static str,
    operation_id: &'static str,
    summary: &'static str,
    description: &'static str,
    media_type: &'static str,
    content: Content,
}

impl Page {
    fn operation(self) -> (&'static str, OperationBuilder) {
        let answer = ResponseBuilder::new().description(self.summary).content(self.media_type, self.content);
        let responses =
            ResponsesBuilder::new().response("200", headers::add(answer, &headers::ON_EVERY_ANSWER));
        let operation = OperationBuilder::new()
            .tag(self.tag)
            .operation_id(Some(self.operation_id))
            .summary(Some(self.summary))
            .description(Some(self.description))
            .parameter_ref(headers::parameter("X-Request-Id"))
            .responses(errors::with_code(responses, FailureCode::MethodNotAllowed));
        (self.path, operation)
    }
}

fn about_the_service() -> Vec<(&'static str, OperationBuilder)> {
    let document =
        ObjectBuilder::new().schema_type(Type::Object).description(Some("An OpenAPI 3.1 document."));
    vec![
        Page {
            path: "/v1/models",
            tag: ABOUT,
            operation_id: "models",
            summary: "The models and chains",
            description: "Every model with what it can do and costs and when it ends, every chain with its models \
                          in the order in which they are asked, and the chain and guardrail of each task.",
            media_type: "application/json",
            content: shape("Catalogue", answer_examples::models_example()),
        }
        .operation(),
        Page {
            path: "/v1/capabilities",
            tag: ABOUT,
            operation_id: "capabilities",
            summary: "The tasks and their options",
            description: "What a page needs to build its controls: the tasks, their options with the values they \
                          take, and the limits.",
            media_type: "application/json",
            content: shape("Capabilities", answer_examples::capabilities_example()),
        }
        .operation(),
        Page {
            path: "/version",
            tag: ABOUT,
            operation_id: "version",
            summary: "Which build this is",
            description: "Also on the operator's port.",
            media_type: "application/json",
            content: shape("Version", answer_examples::version_example()),
        }
        .operation(),
        Page {
            path: "/openapi.json",
            tag: ABOUT,
            operation_id: "openapi",
            summary: "This document",
            description: "The same as `openapi.yaml`, as JSON.",
            media_type: "application/json",
            content: ContentBuilder::new().schema(Some(document)).build(),
        }
        .operation(),
        problem_page(),
    ]
}

fn problem_page() -> (&'static str, OperationBuilder) {
    let shown = FailureCode::ValidationFailed.as_str();
    let (path, operation) = Page {
        path: "/problems/{code}",
        tag: ABOUT,
        operation_id: "problem",
        summary: "What an error code means",
        description: "The page that the member `type` of an error names.",
        media_type: "text/plain",
        content: plain_text(shown, "One code.", &describe_problem(shown).unwrap_or_default()),
    }
    .operation();
    let code = ParameterBuilder::new()
        .name("code")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The `code` of an error."))
        .schema(Some(Ref::from_schema_name("ErrorCode")))
        .example(Some(shown.into()));
    let not_found = errors::reference(FailureCode::NotFound);
    (path, operation.parameter(code).response("404", not_found))
}

fn probes() -> Vec<(&'static str, OperationBuilder)> {
    let ready = |path, operation_id, description| {
        let content = plain_text("ready", "Ready.", "[+]running ok\n[+]sign_in ok\nready\n");
        let page = Page {
            path,
            tag: PROBES,
            operation_id,
            summary: "Whether this instance can serve",
            description,
            media_type: "text/plain",
            content,
        };
        let waiting = "[+]running ok\n[-]sign_in failed: no AWS credentials were found\nnot ready\n";
        let not_ready = ResponseBuilder::new()
            .description("Not ready: what is wrong and what to do about it, one line per check.")
            .content("text/plain", plain_text("not-ready", "No credentials.", waiting));
        let (path, operation) = page.operation();
        (path, operation.response("503", headers::add(not_ready, &headers::ON_EVERY_ANSWER)))
    };
    let alive = Page {
        path: "/livez",
        tag: PROBES,
        operation_id: "livez",
        summary: "Whether the process is alive",
        description: "It depends on nothing else. Also on the operator's port.",
        media_type: "text/plain",
        content: plain_text("alive", "Alive.", "ok\n"),
    };
    let about = "One line per check, then the verdict. It does not fail because models fail: then every instance \
                 would leave the load balancer at once. Also on the operator's port.";
    vec![
        alive.operation(),
        ready("/readyz", "readyz", about),
        ready("/healthz", "healthz", "The same as `/readyz`, under an older name."),
    ]
}

/// On a port of its own, which is not meant for the public.
fn metrics() -> OperationBuilder {
    let shown = "# HELP redraft_admission_inflight Requests at work.\n# TYPE redraft_admission_inflight gauge\n\
                 redraft_admission_inflight 3\n";
    let answer = ResponseBuilder::new()
        .description("All metrics, in the text format of Prometheus.")
        .content("text/plain", plain_text("one", "One of them.", shown));
    let port =
        ServerBuilder::new().url(OPS_URL).description(Some("The operator's port, at its default address."));
    OperationBuilder::new()
        .tag(PROBES)
        .operation_id(Some("metrics"))
        .summary(Some("Metrics for Prometheus"))
        .description(Some("On the operator's port only; on the API's port there is nothing at this path."))
        .server(port.build())
        .response("200", answer)
        .response("404", errors::reference(FailureCode::NotFound))
        .response("405", errors::reference(FailureCode::MethodNotAllowed))
}

pub(super) fn request_body(schema: &str, examples: Vec<request_examples::Example>) -> RequestBodyBuilder {
    let examples = examples.into_iter().map(|given| example(given.name, given.summary, given.body));
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .examples_from_iter(examples)
        .build();
    RequestBodyBuilder::new().required(Some(Required::True)).content("application/json", content)
}

fn shape(schema: &str, shown: Value) -> Content {
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .examples_from_iter([example("usual", "An answer, shortened.", shown)])
        .build()
}

pub(super) fn plain_text(name: &str, summary: &str, shown: &str) -> Content {
    ContentBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .examples_from_iter([example(name, summary, shown.into())])
        .build()
}

pub(super) fn transcripts(schema: Schema, streams: impl Iterator<Item = Stream>) -> Content {
    let examples = streams.map(|(name, summary, bytes)| example(name, summary, bytes.into()));
    ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build()
}

pub(super) fn example(name: &str, summary: &str, value: Value) -> (String, Example) {
    (name.to_owned(), ExampleBuilder::new().summary(summary).value(Some(value)).build())
}
