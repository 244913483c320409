//! Reads a chat completion's body as a request for a task.
//!
//! The user's message is the text, system messages are its `context`, and the options
//! of the task stand beside OpenAI's own members. The rule it protects: what is sent is
//! done, or refused, or has no bearing on the answer; a member that would change the
//! answer is never passed over.

use axum::body::Body as Incoming;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::super::body;
use super::super::body_buffers::HeldBytes;
use super::super::error::{ApiError, unknown_chain};
use super::super::submission::{self, Submission};
use super::super::{Api, intake};
use super::{ChatShape, model_not_found};
use crate::domain::{FailureCode, SourceText, TaskKind};
use crate::pipeline::{Manners, Mode};
use crate::tasks::{FieldProblem, Fields, MAX_CONTEXT_CHARS, Task};
use crate::telemetry::{Dialect, RequestRecord};

/// A task's name as a model begins with this.
pub(in crate::http) const MODEL_PREFIX: &str = "redraft/";

/// What happens to a member of OpenAI's.
pub(in crate::http) enum Rule {
    /// It has no bearing on the answer.
    Harmless,
    /// Only a value that asks for what is done anyway; else the words say what to do instead.
    Only(fn(&Value) -> bool, &'static str),
    /// No value.
    Never(&'static str),
}

impl Rule {
    /// What is wrong with a value, to be read after the member's name.
    fn problem(&self, value: &Value) -> Option<&'static str> {
        match self {
            Self::Harmless => None,
            Self::Only(asks_for_nothing, advice) => (!asks_for_nothing(value)).then_some(advice),
            Self::Never(advice) => Some(advice),
        }
    }
}

const SETS_ITSELF: &str = "is set by the task itself; leave it out";
const NO_TOOLS: &str = "has no use here: a task calls no tools; leave it out";
const USE_LENGTH: &str =
    "cannot be kept to, because a task sets it by its options; leave it out and use `length` or `max_words`";
const NO_LOGPROBS: &str = "is not possible: the models tell no probabilities; leave it out";

/// Members of OpenAI's that a task does not have.
pub(in crate::http) const MEMBERS: [(&str, Rule); 33] = [
    ("user", Rule::Harmless),
    ("safety_identifier", Rule::Harmless),
    ("metadata", Rule::Harmless),
    ("store", Rule::Harmless),
    ("prompt_cache_key", Rule::Harmless),
    ("prompt_cache_retention", Rule::Harmless),
    ("n", Rule::Only(|value| value == 1, "must be 1: a task gives one answer")),
    ("temperature", Rule::Never(SETS_ITSELF)),
    ("top_p", Rule::Only(|value| value.as_f64() == Some(1.0), SETS_ITSELF)),
    ("frequency_penalty", Rule::Only(is_zero, SETS_ITSELF)),
    ("presence_penalty", Rule::Only(is_zero, SETS_ITSELF)),
    ("seed", Rule::Never("is not possible: the models take none; leave it out")),
    ("max_tokens", Rule::Never(USE_LENGTH)),
    ("max_completion_tokens", Rule::Never(USE_LENGTH)),
    ("stop", Rule::Only(is_empty, "is not possible: an answer ends where it is whole; leave it out")),
    ("logit_bias", Rule::Only(is_empty, SETS_ITSELF)),
    ("logprobs", Rule::Only(|value| value == false, NO_LOGPROBS)),
    ("top_logprobs", Rule::Only(is_zero, NO_LOGPROBS)),
    (
        "response_format",
        Rule::Only(
            |value| value["type"] == "text",
            "must be `{\"type\": \"text\"}`: a task decides what its answer is",
        ),
    ),
    ("tools", Rule::Only(is_empty, NO_TOOLS)),
    ("tool_choice", Rule::Only(|value| value == "none", NO_TOOLS)),
    ("parallel_tool_calls", Rule::Never(NO_TOOLS)),
    ("functions", Rule::Only(is_empty, NO_TOOLS)),
    ("function_call", Rule::Only(|value| value == "none", NO_TOOLS)),
    (
        "modalities",
        Rule::Only(|value| *value == Value::from(vec!["text"]), "must be `[\"text\"]`: answers are text"),
    ),
    ("audio", Rule::Never("is not possible: answers are text; leave it out")),
    ("prediction", Rule::Never("is not possible; leave it out")),
    ("web_search_options", Rule::Never("is not possible: a task works on its text alone; leave it out")),
    ("reasoning_effort", Rule::Never(SETS_ITSELF)),
    ("verbosity", Rule::Never("is not known to the tasks; leave it out and use `length`")),
    (
        "service_tier",
        Rule::Only(
            |value| value == "auto" || value == "default",
            "is chosen by the service's operator; leave it out",
        ),
    ),
    ("include", Rule::Never("has no place in a chat completion; leave it out")),
    ("moderation", Rule::Never("is decided by the service's operator; leave it out")),
];

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// A body of which the task is known.
pub(super) struct Asked {
    pub task: TaskKind,
    model: String,
    /// The chain, where the model's name has one.
    chain: Option<String>,
    fields: Fields,
    held: HeldBytes,
}

/// Reads the body as far as its model.
pub(super) async fn open(parts: &Parts, body: Incoming, api: &Api) -> Result<Asked, ApiError> {
    let (members, held) = body::read_object(&parts.headers, body, api).await?;
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        let detail = "This path has no query parameters; everything goes into the body.";
        return Err(ApiError::detailed(FailureCode::ValidationFailed, detail));
    }
    let mut fields = Fields::new(members);
    let named = |detail: &str| {
        let problem = FieldProblem { pointer: "/model".to_owned(), detail: detail.to_owned() };
        ApiError::invalid(vec![problem])
    };
    let model = match fields.value("model") {
        Some(Value::String(model)) => model,
        Some(_) => return Err(named("`model` must be a string, such as `redraft/summarize`.")),
        None => return Err(named("`model` is missing; send a task, such as `redraft/summarize`.")),
    };
    let (task, chain) = parse_model(&model).ok_or_else(|| {
        let tasks = TaskKind::ALL.map(|task| format!("{MODEL_PREFIX}{task}")).join(", ");
        model_not_found(format!("There is no such model. A task is a model here: {tasks}."))
    })?;
    let chain = chain.map(str::to_owned);
    Ok(Asked { task, chain, model, fields, held })
}

/// The task that a model's name stands for, and the chain behind its `@`.
fn parse_model(model: &str) -> Option<(TaskKind, Option<&str>)> {
    let name = model.strip_prefix(MODEL_PREFIX)?;
    let (name, chain) = match name.split_once('@') {
        Some((name, chain)) => (name, Some(chain)),
        None => (name, None),
    };
    TaskKind::ALL.into_iter().find(|task| task.as_str() == name).map(|task| (task, chain))
}

/// Reads the rest.
pub(super) fn read(
    asked: Asked,
    headers: &HeaderMap,
    api: &Api,
    record: &mut RequestRecord,
) -> Result<(Submission, ChatShape), ApiError> {
    let Asked { task: kind, model, chain, mut fields, held } = asked;
    let streamed = fields.boolean("stream").unwrap_or_default();
    let dialect = if streamed { Dialect::OpenAi } else { Dialect::Json };
    record.set_dialect(dialect);
    let live = api.0.pipeline.live();
    let deadline = submission::deadline(headers, live.deadlines, dialect, record.elapsed())?;
    if let Some(chain) = chain {
        if live.catalogue.chain(&chain).is_none() {
            let known = unknown_chain(live.catalogue.chains.keys().map(|name| &**name));
            return Err(model_not_found(format!("The model's name asks for a chain. {}", known.detail)));
        }
        for name in ["chain", "preference"] {
            if fields.contains(name) {
                let detail = "The model's name has a chain; send no other one beside it.";
                fields.problem(format!("/{name}"), detail);
            }
        }
        fields.set_default("chain", chain);
    }
    let include_usage = stream_options(&mut fields, streamed);
    for (name, rule) in &MEMBERS {
        let Some(value) = fields.value(name) else { continue };
        if let Some(advice) = rule.problem(&value) {
            let pointer = fields.pointer(name);
            fields.problem(pointer, format!("`{name}` {advice}."));
        }
    }
    messages(&mut fields);
    let chain = submission::chain_choice(&mut fields, &live.catalogue);
    let manners = Manners {
        mode: if streamed { Mode::Pieces } else { Mode::Whole },
        on_failover: submission::on_failover(&mut fields, dialect, true),
        on_chunk_error: fields.word("on_chunk_error").unwrap_or_default(),
        tell_partials: false,
    };
    let task = Task::read(kind, &mut fields);
    let task = submission::finish(fields, task)?;
    record.set_input_bytes(task.document().len());
    let submission = Submission {
        task,
        chain,
        dialect,
        deadline,
        live,
        manners,
        warnings: Vec::new(),
        can_be_cut: true,
        include_text: false,
        held,
    };
    Ok((submission, ChatShape { model, include_usage }))
}

/// Whether a stream tells its usage.
fn stream_options(fields: &mut Fields, streamed: bool) -> bool {
    let Some(options) = fields.value("stream_options") else { return false };
    let Value::Object(options) = options else {
        fields.problem("/stream_options", "`stream_options` must be an object.");
        return false;
    };
    if !streamed {
        fields.problem("/stream_options", "`stream_options` is for streams; send `stream: true` with it.");
    }
    let mut include_usage = false;
    for (name, value) in options {
        match (name.as_str(), &value) {
            (_, Value::Null) | ("include_obfuscation", Value::Bool(false)) => {}
            ("include_usage", Value::Bool(asked)) => include_usage = *asked,
            ("include_usage", _) => {
                fields.problem("/stream_options/include_usage", "`include_usage` must be `true` or `false`.");
            }
            ("include_obfuscation", _) => fields.problem(
                "/stream_options/include_obfuscation",
                "`include_obfuscation` is not possible; leave it out.",
            ),
            _ => fields.problem("/stream_options", "`stream_options` has an unknown member."),
        }
    }
    include_usage
}

/// Puts the user's message where the task looks for its text, and the system's where it
/// looks for `context`.
fn messages(fields: &mut Fields) {
    for name in intake::TEXTS {
        if fields.value(name).is_some() {
            let detail = format!("The text is the user's message; send no `{name}` beside `messages`.");
            fields.problem(format!("/{name}"), detail);
        }
    }
    let problems_before = fields.problem_count();
    let (text, context) = match fields.value("messages") {
        Some(Value::Array(messages)) => conversation(messages, fields),
        Some(_) => {
            fields.problem("/messages", "`messages` must be a list of messages.");
            (None, Vec::new())
        }
        None => {
            fields.problem("/messages", "`messages` is missing; send a message of the role `user`.");
            (None, Vec::new())
        }
    };
    if !context.is_empty() {
        let context = context.join("\n\n");
        if fields.contains("context") {
            let detail = "The system's messages are the context; send no `context` beside them.";
            fields.problem("/context", detail);
        } else if context.chars().count() > MAX_CONTEXT_CHARS {
            let detail =
                format!("System messages must have at most {MAX_CONTEXT_CHARS} characters together.");
            fields.problem("/messages", detail);
        } else {
            fields.set_default("context", context);
        }
    }
    // What is wrong with the messages has been told; the task must not tell it again.
    let sound = fields.problem_count() == problems_before;
    fields.set_default("text", text.filter(|_| sound).unwrap_or_else(|| "-".to_owned()));
}

/// The user's text, and what the system said.
fn conversation(messages: Vec<Value>, fields: &mut Fields) -> (Option<String>, Vec<String>) {
    let (mut text, mut context) = (None, Vec::new());
    for (index, message) in messages.into_iter().enumerate() {
        let at = format!("/messages/{index}");
        let Value::Object(mut message) = message else {
            fields.problem(at, "A message must be an object with `role` and `content`.");
            continue;
        };
        let role = message.remove("role");
        let content = message.remove("content").unwrap_or_default();
        if message.values().any(|value| !value.is_null()) {
            fields.problem(at.as_str(), "A message may have `role` and `content` only.");
        }
        match role.as_ref().and_then(Value::as_str) {
            Some("system" | "developer") => {
                context.extend(content_text(content, &at, fields));
            }
            Some("user") if text.is_some() => fields.problem(at, ONE_MESSAGE),
            Some("user") => {
                let said = content_text(content, &at, fields);
                if said.as_deref().is_some_and(|said| SourceText::parse(said).is_err()) {
                    let detail =
                        "The user's message is empty or holds only white space; send the text to work on.";
                    fields.problem(format!("{at}/content"), detail);
                }
                text = Some(said.unwrap_or_default());
            }
            Some("assistant" | "tool" | "function") => fields.problem(at, ONE_MESSAGE),
            _ => {
                let detail = "`role` must be `user`, `system` or `developer`.";
                fields.problem(format!("{at}/role"), detail);
            }
        }
    }
    if text.is_none() {
        fields.problem(
            "/messages",
            "There is no message of the role `user`; send one with the text to work on.",
        );
    }
    (text, context)
}

/// A conversation would be answered as if nothing had been said before its last message.
const ONE_MESSAGE: &str = "A task works on one text and reads no conversation: send one message of the role `user`, \
                           and none of an assistant or a tool.";

/// What a message says: a string, or parts that are text.
fn content_text(content: Value, at: &str, fields: &mut Fields) -> Option<String> {
    let parts = match content {
        Value::String(text) => return Some(text),
        Value::Array(parts) => parts,
        _ => {
            fields
                .problem(format!("{at}/content"), "`content` must be a string, or a list of parts of text.");
            return None;
        }
    };
    let mut texts = Vec::with_capacity(parts.len());
    let mut complete = true;
    for (index, part) in parts.into_iter().enumerate() {
        if let Some(text) = part_text(part) {
            texts.push(text);
        } else {
            complete = false;
            let detail = "A part must be text: `{\"type\": \"text\", \"text\": \"…\"}`.";
            fields.problem(format!("{at}/content/{index}"), detail);
        }
    }
    complete.then(|| texts.join("\n"))
}

/// The text of a part that is nothing but text.
fn part_text(part: Value) -> Option<String> {
    let Value::Object(mut part) = part else { return None };
    let (kind, text) = (part.remove("type")?, part.remove("text")?);
    let alone = part.values().all(Value::is_null);
    match text {
        Value::String(text) if kind == "text" && alone => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{MEMBERS, messages, parse_model, stream_options};
    use crate::domain::TaskKind;
    use crate::tasks::Fields;
    use serde_json::{Value, json};

    fn fields(body: Value) -> Fields {
        let Value::Object(members) = body else { panic!("an object") };
        Fields::new(members)
    }

    /// The text and the context that messages make, or the pointers of what is wrong.
    fn read(conversation: Value) -> Result<(Value, Value), Vec<String>> {
        let mut fields = fields(json!({ "messages": conversation }));
        messages(&mut fields);
        let made = (fields.value("text").unwrap_or_default(), fields.value("context").unwrap_or_default());
        let pointers = |problems: Vec<crate::tasks::FieldProblem>| {
            problems.into_iter().map(|problem| problem.pointer).collect()
        };
        fields.finish().map(|()| made).map_err(pointers)
    }

    #[test]
    fn a_models_name_is_a_task_and_perhaps_a_chain() {
        assert_eq!(parse_model("redraft/summarize"), Some((TaskKind::Summarize, None)));
        assert_eq!(parse_model("redraft/expand@speed"), Some((TaskKind::Expand, Some("speed"))));
        for other in ["summarize", "redraft/", "redraft/poem", "gpt-5", "Redraft/summarize"] {
            assert_eq!(parse_model(other), None, "{other}");
        }
    }

    #[test]
    fn the_users_message_is_the_text_and_the_systems_are_the_context() {
        let parts = json!([{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]);
        let conversation = json!([
            {"role": "system", "content": "For children."},
            {"role": "user", "content": parts, "name": null},
            {"role": "developer", "content": "In verse."},
        ]);
        assert_eq!(read(conversation), Ok((json!("One.\nTwo."), json!("For children.\n\nIn verse."))));
        assert_eq!(read(json!([{"role": "user", "content": " a "}])), Ok((json!(" a "), Value::Null)));
    }

    #[test]
    fn what_cannot_be_done_with_messages_is_told_where_it_stands() {
        let user = |content: Value| json!({"role": "user", "content": content});
        let image = json!([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]);
        let cases = [
            (json!("hello"), vec!["/messages"]),
            (json!([]), vec!["/messages"]),
            (json!([{"role": "system", "content": "a"}]), vec!["/messages"]),
            (json!(["hello"]), vec!["/messages/0", "/messages"]),
            (json!([user(json!(" \n"))]), vec!["/messages/0/content"]),
            (json!([user(Value::Null)]), vec!["/messages/0/content"]),
            (json!([user(image)]), vec!["/messages/0/content/0"]),
            (json!([user(json!("a")), {"role": "assistant", "content": "b"}]), vec!["/messages/1"]),
            (json!([user(json!("a")), user(json!("b"))]), vec!["/messages/1"]),
            (json!([user(json!("a")), {"role": "critic", "content": "b"}]), vec!["/messages/1/role"]),
            (json!([{"role": "user", "content": "a", "name": "Ada"}]), vec!["/messages/0"]),
            (json!([{"role": "system", "content": "x".repeat(10_001)}, user(json!("a"))]), vec!["/messages"]),
        ];
        for (conversation, pointers) in cases {
            let told = read(conversation.clone()).unwrap_err();
            assert_eq!(told, pointers, "{conversation}");
        }
        let mut twice = fields(json!({"messages": [user(json!("a"))], "prompt": "b"}));
        messages(&mut twice);
        assert_eq!(twice.finish().unwrap_err()[0].pointer, "/prompt");
    }

    #[test]
    fn stream_options_are_read_to_the_letter() {
        let told = |options: Value, streamed: bool| {
            let mut fields = fields(json!({ "stream_options": options }));
            let include_usage = stream_options(&mut fields, streamed);
            fields.finish().map(|()| include_usage).map_err(|problems| problems[0].pointer.clone())
        };
        assert_eq!(told(json!({"include_usage": true}), true), Ok(true));
        assert_eq!(told(json!({"include_usage": false, "include_obfuscation": false}), true), Ok(false));
        assert_eq!(told(json!({"include_usage": true}), false), Err("/stream_options".to_owned()));
        assert_eq!(told(json!({"include_usage": 1}), true), Err("/stream_options/include_usage".to_owned()));
        let obfuscation = told(json!({"include_obfuscation": true}), true);
        assert_eq!(obfuscation, Err("/stream_options/include_obfuscation".to_owned()));
        assert_eq!(told(json!({"speed": 1}), true), Err("/stream_options".to_owned()));
        assert_eq!(told(json!(true), true), Err("/stream_options".to_owned()));
    }

    #[test]
    fn a_member_is_harmless_or_asks_for_what_is_done_anyway() {
        let takes = |name: &str, value: Value| {
            let (_, rule) = MEMBERS.iter().find(|(known, _)| *known == name).unwrap();
            rule.problem(&value).is_none()
        };
        for (name, value) in [
            ("user", json!("u1")),
            ("store", json!(true)),
            ("n", json!(1)),
            ("top_p", json!(1)),
            ("presence_penalty", json!(0)),
            ("stop", json!([])),
            ("tools", json!([])),
            ("tool_choice", json!("none")),
            ("response_format", json!({"type": "text"})),
            ("modalities", json!(["text"])),
            ("logit_bias", json!({})),
            ("service_tier", json!("auto")),
        ] {
            assert!(takes(name, value), "{name}");
        }
        for (name, value) in [
            ("n", json!(2)),
            ("temperature", json!(1)),
            ("top_p", json!(0.9)),
            ("seed", json!(7)),
            ("max_tokens", json!(100)),
            ("stop", json!("\n")),
            ("tools", json!([{}])),
            ("response_format", json!({"type": "json_object"})),
            ("modalities", json!(["text", "audio"])),
            ("service_tier", json!("flex")),
            ("include", json!(["text"])),
        ] {
            assert!(!takes(name, value), "{name}");
        }
    }
}
