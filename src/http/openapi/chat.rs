//! `POST /v1/chat/completions`: its operation, bodies and answers.
//!
//! The members of OpenAI's come from the reader's own table, the options of a task from
//! that of its own path.

use serde_json::{Value, json};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::OperationBuilder;
use utoipa::openapi::response::ResponsesBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, Ref, ResponseBuilder};

use super::super::chat::wire::{
    ChatUsageBody, ChoiceBody, ChunkBody, ChunkChoiceBody, CompletionBody, DeltaBody, MessageBody,
    PromptTokensBody, ServedBody, finish_reason,
};
use super::super::chat::{MEMBERS, MODEL_PREFIX, Rule};
use super::super::wire::{Chunks, CostBody};
use super::examples::{CHAIN, CREATED, GENERATION_ID, MODEL};
use super::options::{self, nullable};
use super::request_examples::{Example, LIBRARY};
use super::{dialects, errors, generators, headers, own_tasks, paths, refine, requests};
use crate::domain::TaskKind;
use crate::pipeline::{FinishReason, OwnTasks, Strategy};
use crate::tasks::{Generator, Wanted};

const REQUEST: &str = "ChatCompletionRequest";

/// The schemas of this file, as components.
pub(super) fn components(components: ComponentsBuilder, own_tasks: &OwnTasks) -> ComponentsBuilder {
    let request =
        AnyOfBuilder::new().description(Some("The options are those of the task that `model` names."));
    let tasks: Vec<Wanted> =
        Wanted::BUILT_IN.into_iter().chain(own_tasks.values().cloned().map(Wanted::Own)).collect();
    let request =
        tasks.iter().fold(request, |request, task| request.item(Ref::from_schema_name(body_name(task))));
    let components = components
        .schema(REQUEST, request)
        .schema("ChatRequestMessage", message())
        .schema("ChatFrame", frame())
        .schema_from::<CompletionBody<'_>>()
        .schema_from::<ChoiceBody<'_>>()
        .schema_from::<MessageBody<'_>>()
        .schema_from::<ChunkBody<'_>>()
        .schema_from::<ChunkChoiceBody<'_>>()
        .schema_from::<DeltaBody<'_>>()
        .schema_from::<ChatUsageBody>()
        .schema_from::<PromptTokensBody>()
        .schema_from::<ServedBody<'_>>();
    tasks.iter().fold(components, |components, task| components.schema(body_name(task), body(task)))
}

fn body_name(task: &Wanted) -> String {
    let name = match task {
        Wanted::OnText(TaskKind::Summarize) => "ChatSummarizeRequest",
        Wanted::OnText(TaskKind::Rephrase) => "ChatRephraseRequest",
        Wanted::OnText(TaskKind::Expand) => "ChatExpandRequest",
        Wanted::Generate(Generator::BlogPost) => "ChatBlogPostRequest",
        Wanted::Generate(Generator::ProductDescription) => "ChatProductDescriptionRequest",
        Wanted::Generate(Generator::SocialPosts) => "ChatSocialPostsRequest",
        Wanted::Refine => "ChatRefineRequest",
        Wanted::Own(spec) => return format!("tasks.{}.chat", spec.name()),
    };
    name.to_owned()
}

/// What the one message of the user is to a task.
fn about_messages(task: &Wanted) -> String {
    let user = match task {
        Wanted::OnText(_) | Wanted::Own(_) => "One message of the role `user`: its text is worked on.",
        Wanted::Generate(Generator::BlogPost) => "One message of the role `user`: the `topic`.",
        Wanted::Generate(Generator::ProductDescription) => {
            "One message of the role `user`: the `features`, one per line."
        }
        Wanted::Generate(Generator::SocialPosts) => "One message of the role `user`: the `content`.",
        Wanted::Refine => "One message of the role `user`: the `instruction`.",
    };
    let system = if task.takes_context() {
        "Messages of the roles `system` and `developer` become the `context` of the task."
    } else {
        "Messages of the roles `system` and `developer` are refused: the task has no place for background."
    };
    format!("{user} {system} A conversation is refused: a task reads none.")
}

/// Adds the options of a task; what it works on is the user's message.
fn add_options(body: ObjectBuilder, task: &Wanted) -> ObjectBuilder {
    match task {
        Wanted::OnText(kind) => options::of(*kind)
            .iter()
            .chain([&options::preference()])
            .fold(body, |body, member| body.property(member.name, member.range.schema(member.about))),
        Wanted::Generate(generator) => generators::add_members(body, *generator, task.matter()),
        Wanted::Refine => refine::add_members(body),
        Wanted::Own(spec) => own_tasks::add_members(body, spec),
    }
}

fn body(task: &Wanted) -> Schema {
    let name = format!("{MODEL_PREFIX}{}", task.name());
    let model = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^{name}(@.+)?$")))
        .examples([name])
        .description(Some(
            "The task. With `@` and the name of a chain behind it, that chain of models is asked.",
        ));
    let messages = ArrayBuilder::new().items(Ref::from_schema_name("ChatRequestMessage")).min_items(Some(1));
    let messages = messages.description(Some(about_messages(task)));
    let stream = nullable(Type::Boolean).description(Some("Whether the answer comes in chunks."));
    let include_usage = nullable(Type::Boolean)
        .description(Some("Whether the last chunk tells the usage, and none of the choices."));
    let stream_options = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .property("include_usage", include_usage)
        .description(Some("Only with `stream: true`."));
    let mut body = ObjectBuilder::new()
        .property("model", model)
        .required("model")
        .property("messages", messages)
        .required("messages")
        .property("stream", stream)
        .property("stream_options", stream_options);
    body = add_options(body, task)
        .property("chain", requests::chain())
        .property("on_failover", requests::on_failover())
        .property("on_chunk_error", requests::on_chunk_error());
    for (name, rule) in MEMBERS.iter().filter(|(name, _)| !task.has_own_member(name)) {
        let about = match rule {
            Rule::Harmless => "OpenAI's member; it has no bearing on the answer.".to_owned(),
            Rule::Only(_, advice) => format!("OpenAI's member; `{name}` {advice}."),
            Rule::Never(_) => continue,
        };
        let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(about));
        body = body.property(*name, any);
    }
    let rule = match task {
        Wanted::OnText(_) | Wanted::Generate(_) => None,
        Wanted::Refine => Some(refine::one_input()),
        Wanted::Own(spec) => own_tasks::rule_between_members(spec),
    };
    requests::closed(body, rule.into_iter().collect())
}

fn message() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let part = ObjectBuilder::new()
        .property("type", text().enum_values(Some(["text"])))
        .required("type")
        .property("text", text())
        .required("text");
    let content = AnyOfBuilder::new()
        .item(text())
        .item(ArrayBuilder::new().items(part).min_items(Some(1)))
        .description(Some("A text, or parts that are text: they are joined by line feeds."));
    ObjectBuilder::new()
        .description(Some("One message."))
        .property("role", text().enum_values(Some(["user", "system", "developer"])))
        .required("role")
        .property("content", content)
        .required("content")
        .into()
}

fn frame() -> Schema {
    let data = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "A `ChatCompletionChunk` as JSON, on one line. When the model breaks off, a `Problem` instead, whose \
             member `error` is OpenAI's; it is the last. `[DONE]` ends an answer that is whole, and no other.",
        ))
        .content_media_type("application/json")
        .content_schema(Some(Ref::from_schema_name("ChatCompletionChunk")));
    ObjectBuilder::new()
        .description(Some("One frame of a stream of chunks."))
        .property("data", data)
        .required("data")
        .into()
}

/// The operation.
pub(super) fn operation() -> OperationBuilder {
    let description = "The tasks for clients of OpenAI's: a task is a model, the user's message is \
                       what it works on: its text, or the `topic`, the `features` or the `content` of a generator, \
                       the `instruction` of a refinement. The options \
                       of the task stand beside OpenAI's members (their clients call it `extra_body`). A member of \
                       OpenAI's that would change the answer and cannot be honoured is refused, such as `temperature`, \
                       `max_tokens`, `seed` and `tools`.\n\nA stream's head waits for the first word: what fails before \
                       it is a status. Where a text is worked on in parts, the head leaves with the first news of them. \
                       There is no query parameter, and `Accept` is not read.";
    let request = paths::request_body(REQUEST, examples()).build();
    let json = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ChatCompletion")))
        .examples_from_iter([paths::example("whole", "The answer.", completion())]);
    let about = "Server-Sent Events in UTF-8, without names. After a silence of 10 s (unless the operator chose \
                 otherwise) comes the comment line `: hb`, which readers pass over.";
    let stream = AnyOfBuilder::new()
        .description(Some(about))
        .item(Ref::from_schema_name("ChatFrame"))
        .item(ObjectBuilder::new().schema_type(Type::String));
    let stream = paths::transcripts(stream.into(), dialects::openai_transcripts().into_iter());
    let answer = ResponseBuilder::new()
        .description(
            "The answer. A stream can still end in an error: its status is sent before its end is known.",
        )
        .content("application/json", json)
        .content("text/event-stream", stream);
    let answer = headers::add(answer, &headers::ON_EVERY_ANSWER);
    let answer = headers::add(answer, &["X-Generation-Id", "X-Model", "Server-Timing", "X-Accel-Buffering"]);
    OperationBuilder::new()
        .tag(paths::WRITING)
        .operation_id(Some("chat_completion"))
        .summary(Some("A task in OpenAI's shape"))
        .description(Some(description))
        .parameter_ref(headers::parameter("X-Request-Timeout-Ms"))
        .parameter_ref(headers::parameter("X-Request-Id"))
        .request_body(Some(request))
        .responses(errors::of_a_chat(ResponsesBuilder::new().response("200", answer)))
}

/// Examples of bodies, which `tests/api/openapi.rs` sends.
fn examples() -> Vec<Example> {
    let user = |text: &str| json!({ "role": "user", "content": text });
    vec![
        Example {
            name: "summarize",
            summary: "The key points of a text.",
            body: json!({ "model": "redraft/summarize", "messages": [user(LIBRARY)] }),
        },
        Example {
            name: "stream",
            summary: "A headline for readers who are named, in chunks, with the usage at the end.",
            body: json!({
                "model": "redraft/summarize", "type": "headline", "stream": true,
                "stream_options": { "include_usage": true },
                "messages": [{ "role": "system", "content": "For the town's newsletter." }, user(LIBRARY)],
            }),
        },
        Example {
            name: "posts",
            summary: "A post for each of two platforms, as JSON.",
            body: json!({
                "model": "redraft/social-posts", "platforms": ["mastodon", "linkedin"], "messages": [user(LIBRARY)],
            }),
        },
        Example {
            name: "chain",
            summary: "In a simple manner, by the quickest models.",
            body: json!({
                "model": "redraft/rephrase@speed", "style": "simple", "user": "u-17",
                "messages": [{ "role": "user", "content": [{ "type": "text", "text": LIBRARY }] }],
            }),
        },
    ]
}

fn completion() -> Value {
    let content = "- The new library opened on Monday.\n- It holds 40,000 books.";
    let body = CompletionBody {
        id: GENERATION_ID,
        object: "chat.completion",
        created: CREATED,
        model: "redraft/summarize",
        choices: [ChoiceBody {
            index: 0,
            message: MessageBody { role: "assistant", content, refusal: None },
            logprobs: None,
            finish_reason: finish_reason(FinishReason::Stop),
        }],
        usage: ChatUsageBody {
            prompt_tokens: 342,
            completion_tokens: 17,
            total_tokens: 359,
            prompt_tokens_details: PromptTokensBody { cached_tokens: 0 },
        },
        redraft: ServedBody {
            model: MODEL,
            chain: CHAIN,
            fallback: false,
            attempts: 1,
            strategy: Strategy::Single.as_str(),
            chunks: Chunks { total: 1, failed: 0, levels: 0 },
            partial: false,
            cost: CostBody { usd: Some(0.000_159_61), estimated: false },
            warnings: Vec::new(),
        },
    };
    serde_json::to_value(&body).expect("strings and numbers always serialize")
}
