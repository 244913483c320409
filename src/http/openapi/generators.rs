//! The generators: their paths, bodies and answers.
//!
//! Owns what each generator takes beside the options of every task, and the shapes of the
//! data that they give. Whatever all paths share comes from the files beside this one. The
//! limits are held to the readers by the tests of `options`.

use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, Ref, RefOr};

use super::options::{self, Member, Range, nullable, only};
use super::request_examples::{Example, LIBRARY};
use super::requests;
use crate::tasks::{
    GenerateFormat, GenerateLength, Generator, Output, Platform, PostsOutput, Vocabulary as _, Wanted,
};

const NOT_BLANK: &str = "\\S";

/// The name of the schema of a body of `POST /v1/generate/{generator}`.
pub(super) fn request_name(generator: Generator) -> &'static str {
    match generator {
        Generator::BlogPost => "BlogPostRequest",
        Generator::ProductDescription => "ProductDescriptionRequest",
        Generator::SocialPosts => "SocialPostsRequest",
    }
}

/// The name of the schema of such a body for `POST /v1/measure`.
pub(super) fn measure_name(generator: Generator) -> &'static str {
    match generator {
        Generator::BlogPost => "MeasureBlogPostRequest",
        Generator::ProductDescription => "MeasureProductDescriptionRequest",
        Generator::SocialPosts => "MeasureSocialPostsRequest",
    }
}

/// The name of the schema of the data that a generator gives.
pub(super) fn data_name(generator: Generator) -> &'static str {
    match generator {
        Generator::BlogPost => "BlogPost",
        Generator::ProductDescription => "ProductDescription",
        Generator::SocialPosts => "SocialPosts",
    }
}

/// The schemas of bodies and data, as components.
pub(super) fn components(components: ComponentsBuilder) -> ComponentsBuilder {
    Generator::ALL.into_iter().fold(components, |components, generator| {
        components
            .schema(request_name(generator), body(generator, false))
            .schema(measure_name(generator), body(generator, true))
            .schema(data_name(generator), data(generator))
    })
}

/// What a generator takes, what it needs first; the options of every task are not among it.
pub(super) fn members(generator: Generator) -> Vec<Member> {
    match generator {
        Generator::BlogPost => blog_post(),
        Generator::ProductDescription => product_description(),
        Generator::SocialPosts => social_posts(),
    }
}

/// The members that a body cannot do without.
pub(super) fn needed(generator: Generator) -> &'static [&'static str] {
    match generator {
        Generator::BlogPost => &["topic"],
        Generator::ProductDescription => &["name", "features"],
        Generator::SocialPosts => &["content", "platforms"],
    }
}

fn blog_post() -> Vec<Member> {
    vec![
        Member { name: "topic", about: "What the post is about.", range: Range::Text { max_chars: 1_000 } },
        Member {
            name: "length",
            about: "At most 700, 300 or 1200 words.",
            range: Range::words::<GenerateLength>(),
        },
        Member {
            name: "audience",
            about: "Who is to read it, such as `first-time gardeners`.",
            range: Range::Text { max_chars: 200 },
        },
        tone(),
        Member {
            name: "keywords",
            about: "Words that are to stand in the post.",
            range: Range::Texts { max_items: 20, max_chars: 100 },
        },
        Member {
            name: "outline",
            about: "The sections, in their order: a list, or a string with one per line.",
            range: Range::Points { max_items: 50, max_chars: 500 },
        },
        format(),
        output(),
    ]
}

fn product_description() -> Vec<Member> {
    vec![
        Member { name: "name", about: "The name of the product.", range: Range::Text { max_chars: 200 } },
        Member {
            name: "features",
            about: "What it has and does: a list, or a string with one per line. At least one that is not blank.",
            range: Range::Points { max_items: 50, max_chars: 500 },
        },
        Member { name: "target_audience", about: "Whom it is for.", range: Range::Text { max_chars: 200 } },
        tone(),
        Member {
            name: "length",
            about: "At most 130, 60 or 250 words.",
            range: Range::words::<GenerateLength>(),
        },
        format(),
        output(),
    ]
}

fn social_posts() -> Vec<Member> {
    vec![
        Member {
            name: "platforms",
            about: "Where the posts are to appear; one post is written for each. `twitter` is another word for `x`.",
            range: Range::WordList { values: Platform::NAMES.iter().map(|(name, _)| *name).collect() },
        },
        tone(),
        Member { name: "output", about: "Posts are always data.", range: Range::words::<PostsOutput>() },
    ]
}

fn tone() -> Member {
    Member {
        name: "tone",
        about: "How it is to sound, in a few words, such as `friendly` or `sober and exact`.",
        range: Range::Text { max_chars: 200 },
    }
}

fn format() -> Member {
    Member {
        name: "format",
        about: "How the prose is marked up, also within data.",
        range: Range::words::<GenerateFormat>(),
    }
}

fn output() -> Member {
    Member {
        name: "output",
        about: "`json`: the answer is data of a fixed shape; `text` is then JSON, and `data` the same, parsed.",
        range: Range::words::<Output>(),
    }
}

fn body(generator: Generator, named: bool) -> Schema {
    let mut body = ObjectBuilder::new();
    let mut rules = Vec::new();
    if named {
        let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([generator.as_str()]));
        body = body.property("task", word).required("task");
    }
    let names = matter(generator);
    for (place, name) in names.iter().enumerate() {
        let about = match place {
            0 => None,
            _ => Some(format!("Another name for `{}`.", names[0])),
        };
        body = body.property(*name, matter_schema(generator, about));
    }
    rules.push(one_matter(names));
    body = add_members(body, generator, names);
    for (name, schema) in requests::about_the_answer() {
        body = body.property(name, schema);
    }
    rules.push(requests::chain_or_preference());
    requests::closed(body, rules)
}

/// The names of the member that holds what it writes about.
fn matter(generator: Generator) -> &'static [&'static str] {
    Wanted::Generate(generator).matter()
}

/// That member, which may be missing under one name because it has others.
fn matter_schema(generator: Generator, about: Option<String>) -> Schema {
    let usual = matter(generator)[0];
    let blank = |about: String| nullable(Type::String).pattern(Some(NOT_BLANK)).description(Some(about));
    let Some(member) = members(generator).into_iter().find(|member| member.name == usual) else {
        let content = "What the posts are about. How many tokens it may have: see `input_quota_tokens` of \
                       `GET /v1/capabilities`.";
        return blank(about.unwrap_or_else(|| content.to_owned())).into();
    };
    let about = about.unwrap_or_else(|| member.about.to_owned());
    match &member.range {
        Range::Text { max_chars } => blank(about).max_length(Some(*max_chars)).into(),
        range => range.schema(&about),
    }
}

/// Exactly one of these is there.
fn one_matter(names: &[&'static str]) -> Schema {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let one = OneOfBuilder::new().description(Some(format!("Exactly one of {}.", quoted.join(", "))));
    let given = |name: &str| {
        let there = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Array]));
        only(name, there).required(name)
    };
    names.iter().fold(one, |one, name| one.item(given(name))).into()
}

/// Adds what a generator takes, its options and those of every task, besides these members.
pub(super) fn add_members(body: ObjectBuilder, generator: Generator, besides: &[&str]) -> ObjectBuilder {
    let is_meant = |name: &str| !besides.contains(&name);
    let own = members(generator).into_iter().filter(|member| is_meant(member.name));
    let body = own.fold(body, |body, member| {
        body.property(member.name, schema(&member, needed(generator).contains(&member.name)))
    });
    let shared = options::shared().into_iter().chain([options::preference()]);
    let body =
        shared.fold(body, |body, member| body.property(member.name, member.range.schema(member.about)));
    needed(generator).iter().filter(|name| is_meant(name)).fold(body, |body, name| body.required(*name))
}

/// What is needed is not `null` and not blank.
fn schema(member: &Member, is_needed: bool) -> Schema {
    match &member.range {
        Range::Text { max_chars } if is_needed => ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(NOT_BLANK))
            .max_length(Some(*max_chars))
            .description(Some(member.about))
            .into(),
        range => range.schema(member.about),
    }
}

fn data(generator: Generator) -> Schema {
    match generator {
        Generator::BlogPost => {
            let section = closed_object(vec![
                ("heading", text("The heading of the section.")),
                ("text", text("Its paragraphs.")),
            ]);
            closed_object(vec![
                ("title", text("The title, without markup.")),
                ("summary", text("What the post says, in one or two sentences.")),
                ("sections", list(section.into(), "The sections, in their order.")),
                ("tags", list(text("A tag."), "What the post is about, in single words.")),
            ])
        }
        Generator::ProductDescription => closed_object(vec![
            ("headline", text("One line that says what the product is good for.")),
            ("description", text("The description.")),
            (
                "highlights",
                list(text("A feature, as what it does for the reader."), "The features, one by one."),
            ),
        ]),
        Generator::SocialPosts => {
            let names = Platform::NAMES.iter().map(|(name, _)| *name);
            let platform = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
            let number = |about: &str| -> Schema {
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .minimum(Some(0))
                    .description(Some(about))
                    .into()
            };
            let post = closed_object(vec![
                ("platform", platform.into()),
                ("text", text("The post, ready to be posted, with its hashtags.")),
                (
                    "hashtags",
                    list(text("Without `#`."), "Those that stand in a line of their own at its end."),
                ),
                ("length", number("How long it is, as the platform counts.")),
                ("max_length", number("How long it may be there.")),
            ]);
            closed_object(vec![(
                "posts",
                list(post.into(), "One for each platform, in the order of the request."),
            )])
        }
    }
    .into()
}

fn closed_object(members: Vec<(&str, Schema)>) -> ObjectBuilder {
    members
        .into_iter()
        .fold(ObjectBuilder::new(), |object, (name, schema)| object.property(name, schema).required(name))
}

fn text(about: &str) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about)).into()
}

fn list(items: Schema, about: &str) -> Schema {
    ArrayBuilder::new().items(RefOr::T(items)).description(Some(about)).into()
}

/// What a generator gives as data.
pub(super) fn any_data() -> Schema {
    let one = OneOfBuilder::new()
        .description(Some("The answer as data, where the task gives any: the same as `text`, parsed."));
    Generator::ALL
        .into_iter()
        .fold(one, |one, generator| one.item(Ref::from_schema_name(data_name(generator))))
        .into()
}

/// Examples for `POST /v1/generate/{generator}`; the first is the shortest.
pub(super) fn examples(generator: Generator) -> Vec<Example> {
    match generator {
        Generator::BlogPost => vec![
            Example {
                name: "topic",
                summary: "A post of at most 300 words.",
                body: json!({ "topic": "Reading aloud to children", "length": "short" }),
            },
            Example {
                name: "brief",
                summary: "By a full brief, as data.",
                body: json!({
                    "topic": "Reading aloud to children", "audience": "new parents", "tone": "warm",
                    "keywords": ["bedtime", "picture books"],
                    "outline": ["Why it matters", "Where to begin", "Keeping it up"],
                    "output": "json",
                }),
            },
        ],
        Generator::ProductDescription => vec![
            Example {
                name: "features",
                summary: "A description of at most 130 words.",
                body: json!({ "name": "Lumo reading lamp", "features": ["warm light", "clips to a book", "40 hours"] }),
            },
            Example {
                name: "data",
                summary: "For readers who are named, as data, in German.",
                body: json!({
                    "name": "Lumo reading lamp", "features": "warm light\nclips to a book\n40 hours",
                    "target_audience": "people who read at night", "tone": "sober", "length": "short",
                    "output": "json", "output_language": "de",
                }),
            },
        ],
        Generator::SocialPosts => vec![
            Example {
                name: "two",
                summary: "One post for each of two platforms.",
                body: json!({ "content": LIBRARY, "platforms": ["mastodon", "linkedin"] }),
            },
            Example {
                name: "all",
                summary: "All platforms, with a tone.",
                body: json!({
                    "content": LIBRARY, "tone": "glad",
                    "platforms": ["x", "linkedin", "facebook", "instagram", "threads", "mastodon", "bluesky"],
                }),
            },
        ],
    }
}

/// An answer's object, text, format and data, to the first example.
pub(super) fn answer_example(generator: Generator) -> (&'static str, String, &'static str, Option<Value>) {
    match generator {
        Generator::BlogPost => {
            let text = "# Reading aloud to children\n\nA story that is read aloud is time that belongs to two.\n\n\
                        ## Where to begin\n\nBegin with a short book that you like yourself, at the same hour each day.";
            ("blog_post", text.to_owned(), "markdown", None)
        }
        Generator::ProductDescription => {
            let text = "The **Lumo reading lamp** clips to your book and lights the page with a warm light, for 40 \
                        hours.";
            ("product_description", text.to_owned(), "markdown", None)
        }
        Generator::SocialPosts => {
            let post = |platform: Platform, text: &str, hashtags: &[&str]| {
                json!({
                    "platform": platform.as_str(), "text": text, "hashtags": hashtags,
                    "length": platform.length(text), "max_length": platform.max_length(),
                })
            };
            let open = "Our new library is open: 40,000 books and a reading room for 120 people.\n\n#Library";
            let paid = "The city paid half of our new library, which opened on Monday.\n\nWill you visit?";
            let data = json!({
                "posts": [post(Platform::Mastodon, open, &["Library"]), post(Platform::LinkedIn, paid, &[])],
            });
            ("social_posts", data.to_string(), "json", Some(data))
        }
    }
}
