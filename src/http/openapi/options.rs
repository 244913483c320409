//! The options of a request, once: name, meaning, values.
//!
//! Owns the table from which both the request schemas and the `options` of
//! `/v1/capabilities` are written, so that they cannot differ. Word lists come
//! from the readers' own vocabularies; the numbers are held to the readers by the
//! tests below. It does not read requests.

use serde_json::{Value, json};
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

use super::{generators, own_tasks, refine};
use crate::domain::TaskKind;
use crate::pipeline::Preference;
use crate::tasks::{
    ExpandFormat, ExpandLength, ExpandTone, Generator, MOST_SUGGESTIONS, RephraseFormat, RephraseLength,
    RephraseTone, Style, SummaryFormat, SummaryLength, SummaryStrategy, SummaryType, Vocabulary, Wanted,
};

/// A member of a request.
pub(super) struct Member {
    pub name: &'static str,
    /// What it does, in sentences.
    pub about: &'static str,
    pub range: Range,
}

/// What a member may be.
pub(super) enum Range {
    /// A word of a closed list.
    Words { values: Vec<&'static str>, default: Option<&'static str> },
    /// A whole number.
    Number { least: u32, most: u32, default: Option<u32> },
    /// Text of any content, also none.
    Text { max_chars: usize },
    /// A BCP 47 tag.
    Language,
    /// A list of BCP 47 tags.
    Languages { max_items: usize },
    /// A list of texts.
    Texts { max_items: usize, max_chars: usize },
    /// The same, or a string with one entry per line.
    Points { max_items: usize, max_chars: usize },
    /// A list of words of a closed list, each at most once and at least one.
    WordList { values: Vec<&'static str> },
}

/// The shape that the reader checks; whether a language exists is not checked.
const LANGUAGE_PATTERN: &str = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$";
const MAX_LANGUAGE_CHARS: usize = 35;

/// The options of a task, those that all tasks share last.
pub(super) fn of(kind: TaskKind) -> Vec<Member> {
    let own = match kind {
        TaskKind::Summarize => summarize(),
        TaskKind::Rephrase => rephrase(),
        TaskKind::Expand => expand(),
    };
    own.into_iter().chain(shared()).collect()
}

/// The options of a generator, those that all tasks share last.
pub(super) fn of_generator(generator: Generator) -> Vec<Member> {
    generators::members(generator).into_iter().chain(shared()).collect()
}

/// Which chain of models is asked, in the words of the Writing Assistance APIs.
pub(super) fn preference() -> Member {
    Member {
        name: "preference",
        about: "What matters more to you; it chooses the chain of models. Not together with `chain`.",
        range: Range::words::<Preference>(),
    }
}

/// The options of a task as `/v1/capabilities` tells them.
pub(super) fn capabilities(wanted: &Wanted) -> Value {
    listed(&match wanted {
        Wanted::OnText(kind) => of(*kind),
        Wanted::Generate(generator) => of_generator(*generator),
        Wanted::Refine => refine::options(),
        Wanted::Own(spec) => own_tasks::common(spec),
    })
}

/// These options and the choice of a chain, in the same manner.
pub(super) fn listed(members: &[Member]) -> Value {
    let preference = preference();
    let members = members.iter().chain([&preference]);
    members.map(|member| (member.name.to_owned(), member.range.capability())).collect()
}

fn summarize() -> Vec<Member> {
    vec![
        Member {
            name: "type",
            about: "What kind of summary: its most important points as a list, a quick overview, a text that \
                    makes one want to read on, or a headline.",
            range: Range::words::<SummaryType>(),
        },
        Member {
            name: "length",
            about: "How long, by type. `key-points`: at most 3, 5 or 7 points. `tldr` and `teaser`: one \
                    sentence, a short paragraph or a paragraph. `headline`: at most 12, 17 or 22 words.",
            range: Range::words::<SummaryLength>(),
        },
        Member {
            name: "format",
            about: "How the answer is marked up.",
            range: Range::words::<SummaryFormat>(),
        },
        Member {
            name: "paragraphs",
            about: "Exactly so many paragraphs. Only without `type`, or with the type `tldr`.",
            range: Range::Number { least: 1, most: 10, default: None },
        },
        Member {
            name: "strategy",
            about: "How a long text is gone through. `auto`: at once where it fits the models of the chain, \
                    else in parts. `single`: at once. `map-reduce`: in parts side by side, whose summaries \
                    are merged. `refine`: in parts one after the other, each with the summary so far; it \
                    takes as long as all parts together.",
            range: Range::words::<SummaryStrategy>(),
        },
    ]
}

fn rephrase() -> Vec<Member> {
    vec![
        Member {
            name: "tone",
            about: "How formal the new wording is, against the old.",
            range: Range::words::<RephraseTone>(),
        },
        Member {
            name: "length",
            about: "How long the new wording is, against the old.",
            range: Range::words::<RephraseLength>(),
        },
        Member {
            name: "format",
            about: "How the answer is marked up; `as-is` keeps the markup of the text.",
            range: Range::words::<RephraseFormat>(),
        },
        Member {
            name: "style",
            about: "The manner in which the text is written anew. Without it, the manner stays. The older \
                    word `simplify` still means `simple`.",
            range: Range::optional_words::<Style>(),
        },
        Member {
            name: "n",
            about: "How many suggestions, each in words of its own: they are written side by side, and each \
                    is a model call that costs as much as one answer. Above 1, the answer has `suggestions`, \
                    and the text must be short enough to be worked on at once. Not above 1 for plain text.",
            range: Range::Number { least: 1, most: MOST_SUGGESTIONS, default: Some(1) },
        },
    ]
}

fn expand() -> Vec<Member> {
    vec![
        Member { name: "tone", about: "How formal the text is.", range: Range::words::<ExpandTone>() },
        Member {
            name: "length",
            about: "At most 100, 300 or 500 words. What is long already may grow all the same: by a quarter, \
                    by half, or to twice its length.",
            range: Range::words::<ExpandLength>(),
        },
        Member {
            name: "format",
            about: "How the answer is marked up.",
            range: Range::words::<ExpandFormat>(),
        },
    ]
}

pub(super) fn shared() -> Vec<Member> {
    vec![
        Member {
            name: "max_words",
            about: "The most words the answer may have; it replaces the limit that `length` sets.",
            range: Range::Number { least: 1, most: 5000, default: None },
        },
        Member {
            name: "context",
            about: "Background for this one request, such as who will read the answer.",
            range: Range::Text { max_chars: 10_000 },
        },
        Member {
            name: "shared_context",
            about: "Background that is the same for many requests; it is told before `context`.",
            range: Range::Text { max_chars: 10_000 },
        },
        Member {
            name: "output_language",
            about: "The language of the answer, as a BCP 47 tag. Without it, the language of the text.",
            range: Range::Language,
        },
        Member {
            name: "expected_input_languages",
            about: "The languages that the text may be in, as BCP 47 tags.",
            range: Range::Languages { max_items: 20 },
        },
    ]
}

impl Range {
    pub(super) fn words<T: Vocabulary>() -> Self {
        Self::Words { values: names::<T>(), default: Some(T::default().as_str()) }
    }

    /// Words of which none is taken when the member is missing.
    fn optional_words<T: Vocabulary>() -> Self {
        Self::Words { values: names::<T>(), default: None }
    }

    /// Whether it is a list, which a query and a field of a form hold as text.
    pub(super) fn is_list(&self) -> bool {
        matches!(
            self,
            Self::Languages { .. } | Self::Texts { .. } | Self::Points { .. } | Self::WordList { .. }
        )
    }

    /// The schema. `null` is the same as leaving the member out.
    pub(super) fn schema(&self, about: &str) -> Schema {
        let object = |kind: Type| nullable(kind).description(Some(about));
        match self {
            Self::Words { values, default } => {
                let words = values.iter().map(|word| Value::from(*word)).chain([Value::Null]);
                object(Type::String).enum_values(Some(words)).default(default.map(Value::from)).into()
            }
            Self::Number { least, most, default } => {
                let bounded = object(Type::Integer).minimum(Some(*least)).maximum(Some(*most));
                bounded.default(default.map(Value::from)).into()
            }
            Self::Text { max_chars } => object(Type::String).max_length(Some(*max_chars)).into(),
            Self::Language => object(Type::String)
                .pattern(Some(LANGUAGE_PATTERN))
                .max_length(Some(MAX_LANGUAGE_CHARS))
                .examples(["en", "pt-BR"])
                .into(),
            Self::Texts { max_items, max_chars } => list(*max_items, *max_chars)
                .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
                .description(Some(about))
                .into(),
            Self::Points { max_items, max_chars } => AnyOfBuilder::new()
                .description(Some(about))
                .item(list(*max_items, *max_chars))
                .item(nullable(Type::String))
                .into(),
            Self::WordList { values } => ArrayBuilder::new()
                .description(Some(about))
                .items(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values.clone())))
                .min_items(Some(1))
                .max_items(Some(values.len()))
                .into(),
            Self::Languages { max_items } => {
                let tag = ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(LANGUAGE_PATTERN))
                    .max_length(Some(MAX_LANGUAGE_CHARS));
                ArrayBuilder::new()
                    .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
                    .description(Some(about))
                    .items(tag)
                    .max_items(Some(*max_items))
                    .into()
            }
        }
    }

    fn capability(&self) -> Value {
        match self {
            Self::Words { values, default: Some(default) } => {
                json!({ "type": "string", "values": values, "default": default })
            }
            Self::Words { values, default: None } => json!({ "type": "string", "values": values }),
            Self::Number { least, most, .. } => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Self::Text { max_chars } => json!({ "type": "string", "max_length": max_chars }),
            Self::Language => json!({ "type": "string", "format": "bcp-47" }),
            Self::Texts { max_items, max_chars } | Self::Points { max_items, max_chars } => {
                json!({ "type": "array", "max_items": max_items, "max_length": max_chars })
            }
            Self::WordList { values } => {
                json!({ "type": "array", "values": values, "max_items": values.len() })
            }
            Self::Languages { max_items } => {
                json!({ "type": "array", "format": "bcp-47", "max_items": max_items })
            }
        }
    }
}

fn list(max_items: usize, max_chars: usize) -> ArrayBuilder {
    let entry = ObjectBuilder::new().schema_type(Type::String).max_length(Some(max_chars));
    ArrayBuilder::new().items(entry).max_items(Some(max_items))
}

/// A value of that type, or `null`.
pub(super) fn nullable(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([kind, Type::Null]))
}

/// An object of which only one member is looked at.
pub(super) fn only(name: &str, member: impl Into<Schema>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).property(name, member.into())
}

/// Two members that are not sent together: the one is absent, or the other is.
pub(super) fn not_both(rule: &str, one: (&str, Object), other: (&str, Object)) -> Schema {
    let [one, other] = [one, other].map(|(name, schema)| only(name, schema));
    AnyOfBuilder::new().description(Some(rule)).item(one).item(other).into()
}

fn names<T: Vocabulary>() -> Vec<&'static str> {
    T::NAMES.iter().map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::generators;
    use super::{Range, capabilities, of, of_generator};
    use crate::domain::TaskKind;
    use crate::tasks::{Fields, Generator, Task, Wanted};

    fn is_accepted(kind: TaskKind, name: &str, value: Value) -> bool {
        let members = Map::from_iter([("text".to_owned(), json!("A text.")), (name.to_owned(), value)]);
        let mut fields = Fields::new(members);
        Task::read(kind, &mut fields).is_some() && fields.finish().is_ok()
    }

    /// What the table allows just so, and what it just forbids.
    fn edges(range: &Range) -> (Vec<Value>, Vec<Value>) {
        match range {
            Range::Words { values, .. } => {
                (values.iter().map(|word| json!(word)).collect(), vec![json!("no-such-word"), json!(1)])
            }
            Range::Number { least, most, .. } => (
                vec![json!(least), json!(most)],
                vec![json!(least - 1), json!(most + 1), json!(1.5), json!("1")],
            ),
            Range::Text { max_chars } => (
                vec![json!(""), json!("ä".repeat(*max_chars))],
                vec![json!("ä".repeat(max_chars + 1)), json!(1)],
            ),
            Range::Language => (
                vec![json!("en"), json!("zh-Hant-TW"), json!("aaaaaaaa-bbbbbbbb-cccccccc-dddddddd")],
                vec![json!("e"), json!("en_US"), json!(""), json!("aaaaaaaa-bbbbbbbb-cccccccc-dddddddd-e")],
            ),
            Range::Texts { max_items, max_chars } | Range::Points { max_items, max_chars } => (
                vec![vec!["a"; *max_items].into(), json!(["ä".repeat(*max_chars)])],
                vec![
                    vec!["a"; max_items + 1].into(),
                    json!(["ä".repeat(max_chars + 1)]),
                    json!([1]),
                    json!(1),
                ],
            ),
            Range::WordList { values } => (
                vec![json!(values), json!([values[0]])],
                vec![json!([]), json!([values[0], values[0]]), json!(["no-such-word"]), json!(values[0])],
            ),
            Range::Languages { max_items } => {
                let tags = |count: usize| Value::from(vec!["en"; count]);
                (vec![json!([]), tags(*max_items)], vec![tags(max_items + 1), json!(["e"]), json!("en")])
            }
        }
    }

    #[test]
    fn the_reader_draws_every_line_where_the_table_does() {
        for kind in TaskKind::ALL {
            for member in of(kind) {
                let (allowed, forbidden) = edges(&member.range);
                for value in allowed.into_iter().chain([Value::Null]) {
                    assert!(is_accepted(kind, member.name, value.clone()), "{kind} {}: {value}", member.name);
                }
                for value in forbidden {
                    assert!(
                        !is_accepted(kind, member.name, value.clone()),
                        "{kind} {}: {value}",
                        member.name
                    );
                }
            }
        }
    }

    #[test]
    fn the_readers_of_generators_draw_every_line_where_the_table_does() {
        for generator in Generator::ALL {
            let is_accepted = |name: &str, value: Value| {
                let Value::Object(mut members) = generators::examples(generator).remove(0).body else {
                    panic!("an example is an object")
                };
                members.insert(name.to_owned(), value);
                let mut fields = Fields::new(members);
                Task::read_generate(generator, &mut fields).is_some() && fields.finish().is_ok()
            };
            for member in of_generator(generator) {
                let is_needed = generators::needed(generator).contains(&member.name);
                let (allowed, forbidden) = edges(&member.range);
                let may_be_blank = |value: &Value| !is_needed || *value != json!("");
                for value in allowed.into_iter().filter(may_be_blank) {
                    assert!(
                        is_accepted(member.name, value.clone()),
                        "{generator:?} {}: {value}",
                        member.name
                    );
                }
                assert_eq!(
                    is_accepted(member.name, Value::Null),
                    !is_needed,
                    "{generator:?} {}",
                    member.name
                );
                for value in forbidden {
                    assert!(
                        !is_accepted(member.name, value.clone()),
                        "{generator:?} {}: {value}",
                        member.name
                    );
                }
            }
        }
    }

    #[test]
    fn an_option_of_another_task_alone_is_no_option_of_this_one() {
        for kind in TaskKind::ALL {
            let own: Vec<&str> = of(kind).iter().map(|member| member.name).collect();
            for other in TaskKind::ALL.into_iter().flat_map(of) {
                let value = edges(&other.range).0.swap_remove(0);
                if !own.contains(&other.name) {
                    assert!(!is_accepted(kind, other.name, value), "{kind} {}", other.name);
                }
            }
        }
    }

    #[test]
    fn capabilities_name_the_default_first() {
        let options = capabilities(&Wanted::OnText(TaskKind::Summarize));
        assert_eq!(options["type"]["values"][0], options["type"]["default"]);
        assert_eq!(options["paragraphs"], json!({"type": "integer", "minimum": 1, "maximum": 10}));
        assert_eq!(options["preference"]["values"], json!(["auto", "speed", "capability"]));
        assert!(capabilities(&Wanted::OnText(TaskKind::Rephrase))["style"].get("default").is_none());
    }
}
