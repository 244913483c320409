//! Reads a chat completion's body as a request for a task.
//!
//! The user's message is what the task works on, system messages are its `context`, and
//! the options of the task stand beside OpenAI's own members. The rule it protects: what is sent is
//! done, or refused, or has no bearing on the answer; a member that would change the
//! answer is never passed over.

use std::sync::Arc;

use axum::body::Body as Incoming;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde_json::Value;

use super::super::Api;
use super::super::body;
use super::super::body_buffers::HeldBytes;
use super::super::error::{ApiError, unknown_chain};
use super::super::submission::{self, Submission};
use super::members::MEMBERS;
use super::{ChatShape, model_not_found};
use crate::domain::{FailureCode, SourceText};
use crate::pipeline::{Live, Manners, Mode};
use crate::tasks::{FieldProblem, Fields, MAX_CONTEXT_CHARS, Wanted};
use crate::telemetry::{Dialect, RequestRecord};

/// A task's name as a model begins with this.
pub(in crate::http) const MODEL_PREFIX: &str = "redraft/";

/// A body of which the task is known.
pub(super) struct Asked {
    pub task: Wanted,
    /// What the request goes by to its end: the task is one of its.
    live: Arc<Live>,
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
    let live = api.0.pipeline.live();
    let named = parse_model(&model).and_then(|(name, chain)| Some((live.task(name)?, chain)));
    let (task, chain) = named.ok_or_else(|| {
        let tasks = live.tasks().map(|task| format!("{MODEL_PREFIX}{}", task.name()));
        let tasks = tasks.collect::<Vec<_>>().join(", ");
        model_not_found(format!("There is no such model. A task is a model here: {tasks}."))
    })?;
    let chain = chain.map(str::to_owned);
    Ok(Asked { task, live, chain, model, fields, held })
}

/// The name of the task that a model's name holds, and the chain behind its `@`.
fn parse_model(model: &str) -> Option<(&str, Option<&str>)> {
    let name = model.strip_prefix(MODEL_PREFIX)?;
    Some(match name.split_once('@') {
        Some((name, chain)) => (name, Some(chain)),
        None => (name, None),
    })
}

/// Reads the rest.
pub(super) fn read(
    asked: Asked,
    headers: &HeaderMap,
    record: &mut RequestRecord,
) -> Result<(Submission, ChatShape), ApiError> {
    let Asked { task: wanted, live, model, chain, mut fields, held } = asked;
    let streamed = fields.boolean("stream").unwrap_or_default();
    let dialect = if streamed { Dialect::OpenAi } else { Dialect::Json };
    record.set_dialect(dialect);
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
    for (name, rule) in MEMBERS.iter().filter(|(name, _)| !wanted.has_own_member(name)) {
        let Some(value) = fields.value(name) else { continue };
        if let Some(advice) = rule.problem(&value) {
            let pointer = fields.pointer(name);
            fields.problem(pointer, format!("`{name}` {advice}."));
        }
    }
    let place = messages(&mut fields, &wanted);
    let chain = submission::chain_choice(&mut fields, &live.catalogue);
    let manners = Manners {
        mode: if streamed { Mode::Pieces } else { Mode::Whole },
        on_failover: submission::on_failover(&mut fields, dialect, true),
        on_chunk_error: fields.word("on_chunk_error").unwrap_or_default(),
        tell_partials: false,
    };
    let since = fields.problem_count();
    let task = wanted.read(&mut fields);
    fields.trace_back(since, wanted.matter()[0], &place);
    let task = submission::finish(fields, task)?;
    record.set_input_bytes(task.text_bytes());
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

/// Puts the user's message where the task looks for what it works on, and the system's where
/// it looks for `context`. Gives the pointer to what the user said.
fn messages(fields: &mut Fields, wanted: &Wanted) -> String {
    let matter = wanted.matter();
    for name in matter {
        if fields.value(name).is_some() {
            let detail =
                format!("The user's message is the `{}`; send no `{name}` beside `messages`.", matter[0]);
            fields.problem(format!("/{name}"), detail);
        }
    }
    let problems_before = fields.problem_count();
    let said = match fields.value("messages") {
        Some(Value::Array(messages)) => conversation(messages, fields, wanted.takes_context()),
        Some(_) => {
            fields.problem("/messages", "`messages` must be a list of messages.");
            Said::default()
        }
        None => {
            fields.problem("/messages", "`messages` is missing; send a message of the role `user`.");
            Said::default()
        }
    };
    let Said { user, context } = said;
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
    let (place, text) = user.unwrap_or_default();
    fields.set_default(matter[0], if sound { text } else { "-".to_owned() });
    place
}

/// What a conversation says.
#[derive(Default)]
struct Said {
    /// The user's message, and the pointer to it.
    user: Option<(String, String)>,
    /// What the system said.
    context: Vec<String>,
}

fn conversation(messages: Vec<Value>, fields: &mut Fields, takes_context: bool) -> Said {
    let mut said = Said::default();
    if messages.len() > MAX_MESSAGES {
        fields.problem("/messages", format!("`messages` must have at most {MAX_MESSAGES} messages."));
        return said;
    }
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
                let background = content_text(content, &at, fields).filter(|text| !text.trim().is_empty());
                if background.is_some() && !takes_context {
                    fields.problem(at, NO_CONTEXT);
                } else {
                    said.context.extend(background);
                }
            }
            Some("user") if said.user.is_some() => fields.problem(at, ONE_MESSAGE),
            Some("user") => {
                let text = content_text(content, &at, fields);
                if text.as_deref().is_some_and(|text| SourceText::parse(text).is_err()) {
                    let detail =
                        "The user's message is empty or holds only white space; send the text to work on.";
                    fields.problem(format!("{at}/content"), detail);
                }
                said.user = Some((format!("{at}/content"), text.unwrap_or_default()));
            }
            Some("assistant" | "tool" | "function") => fields.problem(at, ONE_MESSAGE),
            _ => {
                let detail = "`role` must be `user`, `system` or `developer`.";
                fields.problem(format!("{at}/role"), detail);
            }
        }
    }
    if said.user.is_none() {
        fields.problem(
            "/messages",
            "There is no message of the role `user`; send one with the text to work on.",
        );
    }
    said
}

/// Those of the system and one of the user.
const MAX_MESSAGES: usize = 100;
/// Parts of one message.
const MAX_PARTS: usize = 1_000;

/// A conversation would be answered as if nothing had been said before its last message.
const ONE_MESSAGE: &str = "A task works on one text and reads no conversation: send one message of the role `user`, \
                           and none of an assistant or a tool.";

const NO_CONTEXT: &str = "This task has no place for background, so a message of the role `system` would change nothing: leave it out.";

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
    if parts.len() > MAX_PARTS {
        fields.problem(format!("{at}/content"), format!("`content` must have at most {MAX_PARTS} parts."));
        return None;
    }
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
    use super::{messages, parse_model, stream_options};
    use crate::domain::TaskKind;
    use crate::tasks::{Fields, Generator, Wanted};
    use serde_json::{Value, json};

    const SUMMARIZE: Wanted = Wanted::OnText(TaskKind::Summarize);

    fn fields(body: Value) -> Fields {
        let Value::Object(members) = body else { panic!("an object") };
        Fields::new(members)
    }

    /// The text and the context that messages make, or the pointers of what is wrong.
    fn read(conversation: Value) -> Result<(Value, Value), Vec<String>> {
        let mut fields = fields(json!({ "messages": conversation }));
        messages(&mut fields, &SUMMARIZE);
        let made = (fields.value("text").unwrap_or_default(), fields.value("context").unwrap_or_default());
        let pointers = |problems: Vec<crate::tasks::FieldProblem>| {
            problems.into_iter().map(|problem| problem.pointer).collect()
        };
        fields.finish().map(|()| made).map_err(pointers)
    }

    #[test]
    fn a_models_name_is_a_task_and_perhaps_a_chain() {
        assert_eq!(parse_model("redraft/blog-post"), Some(("blog-post", None)));
        assert_eq!(parse_model("redraft/expand@speed"), Some(("expand", Some("speed"))));
        for other in ["summarize", "gpt-5", "Redraft/summarize"] {
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
        messages(&mut twice, &SUMMARIZE);
        assert_eq!(twice.finish().unwrap_err()[0].pointer, "/prompt");
    }

    #[test]
    fn the_users_message_goes_where_the_task_has_its_matter() {
        for (generator, name, taken) in [
            (Generator::BlogPost, "topic", "topic"),
            (Generator::ProductDescription, "features", "features"),
            (Generator::SocialPosts, "content", "text"),
        ] {
            let wanted = Wanted::Generate(generator);
            let conversation = json!([{"role": "user", "content": "a\nb"}]);
            let mut one = fields(json!({ "messages": conversation }));
            assert_eq!(messages(&mut one, &wanted), "/messages/0/content");
            assert_eq!(one.value(name), Some(json!("a\nb")));
            let mut twice = fields(json!({ "messages": conversation, taken: "b" }));
            messages(&mut twice, &wanted);
            assert_eq!(twice.finish().unwrap_err()[0].pointer, format!("/{taken}"));
        }
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
}
