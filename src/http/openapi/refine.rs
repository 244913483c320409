//! The refinement: what `POST /v1/refine` takes, with examples.
//!
//! Owns the members that no other task has. Whatever all paths share comes from the files
//! beside this one. The limits are held to the reader by the tests below.

use serde_json::{Value, json};
use utoipa::openapi::ComponentsBuilder;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};

use super::options::{self, Member, Range, nullable, only};
use super::request_examples::{Example, LIBRARY};
use super::requests::{self, NOT_BLANK};
use crate::tasks::RefineFormat;

/// The name of the schema of a body of `POST /v1/refine`.
pub(super) const REQUEST: &str = "RefineRequest";
/// The name of the schema of such a body for `POST /v1/measure`.
pub(super) const MEASURE: &str = "MeasureRefineRequest";

pub(super) const ABOUT: &str = "Continues a conversation: the text, an answer that was given to it, and what its \
                                reader wishes of the next one. Nothing is remembered from one request to the next, so \
                                a body holds all that was said. The answer comes in every representation that the \
                                tasks have.\n\n\
                                Everything is given to a model at once. Where it is too long for that, the answer is \
                                413 and says so.";

/// The answer to the first example.
pub(super) const ANSWER: &str = "- The new library opened on Monday.\n- The building cost 12 million euros.";

const RESULT: &str =
    "- The new library opened on Monday.\n- It holds 40,000 books.\n- Visitors may borrow ten books.";
const TASK_PATTERN: &str = "^[A-Za-z0-9_-]+$";
const MAX_TASK_CHARS: usize = 64;
const MAX_INSTRUCTION_CHARS: usize = 2_000;
const MAX_ROUNDS: usize = 10;

const ABOUT_TASK: &str =
    "The task that the result came from, such as `summarize`; a name that is not known is taken, too.";
const ABOUT_INPUT: &str = "The text that the result was made from.";
const ABOUT_RESULT: &str = "The answer that is to be changed.";
const ABOUT_INSTRUCTION: &str = "What is to be changed, in the reader's own words, such as `shorter, and mention the \
                                 price`. It is about the answer; it changes no rule of the service.";
const ABOUT_HISTORY: &str =
    "The rounds before this one, oldest first: each an earlier result and what was wished of it.";

/// The schemas of the bodies, as components.
pub(super) fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    components.schema(REQUEST, body(false)).schema(MEASURE, body(true))
}

/// What is said about the answer besides what every request says.
pub(super) fn options() -> Vec<Member> {
    let format = Member {
        name: "format",
        about: "How the answer is marked up; `as-is` keeps the markup of the result.",
        range: Range::words::<RefineFormat>(),
    };
    [format].into_iter().chain(options::shared()).collect()
}

/// The same with what a body has beside its text, as fields of a form have it.
pub(super) fn beside_a_file() -> Vec<Member> {
    let text = |name: &'static str, about: &'static str, max_chars: usize| Member {
        name,
        about,
        range: Range::Text { max_chars },
    };
    let needed = [
        text("task", ABOUT_TASK, MAX_TASK_CHARS),
        text("result", ABOUT_RESULT, MAX_FIELD_CHARS),
        text("instruction", ABOUT_INSTRUCTION, MAX_INSTRUCTION_CHARS),
    ];
    needed.into_iter().chain(options()).collect()
}

/// A result may be as long as a form can be.
const MAX_FIELD_CHARS: usize = 1_000_000;

/// `is_measured`: there, `task` is the refinement itself.
fn body(is_measured: bool) -> Schema {
    let task = match is_measured {
        true => text("This task.").enum_values(Some(["refine"])),
        false => result_task(),
    };
    let wish = |about: &str| given(about).max_length(Some(MAX_INSTRUCTION_CHARS));
    let mut body = add_what_was_said(ObjectBuilder::new(), task)
        .property("instruction", wish(ABOUT_INSTRUCTION))
        .property("prompt", wish("Another name for `instruction`."));
    body = add_options(body);
    for (name, schema) in requests::about_the_answer() {
        body = body.property(name, schema);
    }
    let rules = vec![one_input(), one_of(["instruction", "prompt"]), requests::chain_or_preference()];
    requests::closed(body, rules)
}

/// Adds all that a body has beside what is to be changed.
pub(super) fn add_members(body: ObjectBuilder) -> ObjectBuilder {
    add_options(add_what_was_said(body, result_task()))
}

/// Exactly one member carries the text that the result was made from.
pub(super) fn one_input() -> Schema {
    one_of(["input", "text"])
}

fn add_what_was_said(body: ObjectBuilder, task: ObjectBuilder) -> ObjectBuilder {
    body.property("task", task)
        .required("task")
        .property("input", given(ABOUT_INPUT))
        .property("text", given("Another name for `input`."))
        .property("result", text(ABOUT_RESULT).pattern(Some(NOT_BLANK)))
        .required("result")
        .property("history", history())
}

fn add_options(body: ObjectBuilder) -> ObjectBuilder {
    options().iter().chain([&options::preference()]).fold(body, requests::with)
}

/// The task that the result came from.
fn result_task() -> ObjectBuilder {
    text(ABOUT_TASK).pattern(Some(TASK_PATTERN)).max_length(Some(MAX_TASK_CHARS))
}

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about))
}

fn given(about: &str) -> ObjectBuilder {
    nullable(Type::String).pattern(Some(NOT_BLANK)).description(Some(about))
}

fn history() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String).pattern(Some(NOT_BLANK));
    let round = ObjectBuilder::new()
        .property("result", text())
        .required("result")
        .property("instruction", text().max_length(Some(MAX_INSTRUCTION_CHARS)))
        .required("instruction")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(round)
        .max_items(Some(MAX_ROUNDS))
        .description(Some(ABOUT_HISTORY))
        .into()
}

/// Two names of one member.
fn one_of(names: [&str; 2]) -> Schema {
    let rule = format!("Exactly one of `{}` and `{}`.", names[0], names[1]);
    let one = OneOfBuilder::new().description(Some(rule));
    let given = |name: &str| only(name, Object::with_type(Type::String)).required(name);
    names.into_iter().fold(one, |one, name| one.item(given(name))).into()
}

/// Examples for `POST /v1/refine`; the first is the shortest.
pub(super) fn examples() -> Vec<Example> {
    vec![
        Example {
            name: "shorter",
            summary: "Shorter, and with something that was not in it.",
            body: json!({
                "task": "summarize", "input": LIBRARY, "result": RESULT,
                "instruction": "Shorter, and mention the cost.",
            }),
        },
        Example {
            name: "again",
            summary: "A second round, in plain text, as a stream.",
            body: json!({
                "task": "summarize", "input": LIBRARY, "result": ANSWER,
                "instruction": "As one sentence, please.", "format": "plain-text", "stream": true,
                "history": [{ "result": RESULT, "instruction": "Shorter, and mention the cost." }],
            }),
        },
    ]
}

/// A form with a file.
pub(super) fn form_example() -> Value {
    json!({ "file": LIBRARY, "task": "summarize", "result": RESULT, "instruction": "Shorter." })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MAX_INSTRUCTION_CHARS, MAX_ROUNDS, MAX_TASK_CHARS, examples};
    use crate::tasks::{Fields, Wanted};

    fn is_read(more: Value) -> bool {
        let mut body = json!({"task": "expand", "input": "A text.", "result": "A.", "instruction": "longer"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let Value::Object(members) = body else { unreachable!() };
        let mut fields = Fields::new(members);
        let task = Wanted::Refine.read(&mut fields);
        fields.finish().is_ok() && task.is_some()
    }

    #[test]
    fn the_reader_draws_every_line_where_the_schema_does() {
        let round = || json!({"result": "a", "instruction": "b"});
        for (within, beyond) in [
            (json!({"task": "x".repeat(MAX_TASK_CHARS)}), json!({"task": "x".repeat(MAX_TASK_CHARS + 1)})),
            (json!({"task": "my_own-task2"}), json!({"task": "my own task"})),
            (
                json!({"instruction": "ä".repeat(MAX_INSTRUCTION_CHARS)}),
                json!({"instruction": "ä".repeat(MAX_INSTRUCTION_CHARS + 1)}),
            ),
            (
                json!({"history": vec![round(); MAX_ROUNDS]}),
                json!({"history": vec![round(); MAX_ROUNDS + 1]}),
            ),
            (json!({"history": null}), json!({"history": [{"result": "a"}]})),
            (json!({"format": "as-is"}), json!({"format": "html"})),
            (json!({"max_words": 5000}), json!({"max_words": 5001})),
            (json!({"output_language": "de"}), json!({"output_language": "d"})),
            (json!({"context": ""}), json!({"bullets": ["a"]})),
        ] {
            assert!(is_read(within.clone()), "{within}");
            assert!(!is_read(beyond.clone()), "{beyond}");
        }
    }

    #[test]
    fn the_reader_accepts_every_example() {
        for example in examples() {
            let mut body = example.body;
            body.as_object_mut().unwrap().remove("stream");
            assert!(is_read(body), "{}", example.name);
        }
    }
}
