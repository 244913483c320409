//! A blog post about a topic.
//!
//! Owns this generator's options, their reading, its prompt, its size and the shape of its
//! data. The rule it protects: the caller's words are the matter of the post; beyond them
//! only what is generally known may be said.

use std::sync::LazyLock;

use super::composed::{
    GenerateFormat, GenerateLength, LANGUAGE_OF_THE_WORDS, Output, Retry, as_data, composed, format_rules,
};
use super::material::{Material, line, lines, needed_line, points};
use crate::domain::{Boundary, OutputSize, Passage, Prompt};
use crate::tasks::brief::Brief;
use crate::tasks::fields::Fields;
use crate::tasks::prompt::TaskRules;
use crate::tasks::shape::Shape;
use crate::tasks::size::with_reserve;

/// A post to write, and how.
#[derive(Debug, Clone)]
pub struct BlogPost {
    document: Passage,
    has_keywords: bool,
    has_outline: bool,
    length: GenerateLength,
    format: GenerateFormat,
    output: Output,
    brief: Brief,
}

const MAX_TOPIC_CHARS: usize = 1_000;
const MAX_WORDS_CHARS: usize = 200;
const MAX_KEYWORDS: usize = 20;
const MAX_KEYWORD_CHARS: usize = 100;
const MAX_POINTS: usize = 50;
const MAX_POINT_CHARS: usize = 500;

/// The shape of a post that is data.
const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "title": {"type": "string", "description": "The title of the post, without markup."},
        "summary": {"type": "string", "description": "What it says, in one or two sentences for search results."},
        "sections": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "heading": {"type": "string", "description": "The heading of the section, without markup."},
                "text": {"type": "string", "description": "Its paragraphs."}
            },
            "required": ["heading", "text"],
            "additionalProperties": false
        }},
        "tags": {"type": "array", "items": {"type": "string"}}
    },
    "required": ["title", "summary", "sections", "tags"],
    "additionalProperties": false
}"#;
static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::of_ours("blog_post", SCHEMA));

impl BlogPost {
    pub(super) const TEMPERATURE: f32 = 0.7;

    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        // A page's box for one line of text calls what is typed into it a prompt.
        fields.rename("prompt", "topic");
        let topic = needed_line(fields, "topic", MAX_TOPIC_CHARS, "what the post is about");
        let audience = line(fields, "audience", MAX_WORDS_CHARS);
        let tone = line(fields, "tone", MAX_WORDS_CHARS);
        let keywords = lines(fields, "keywords", MAX_KEYWORDS, MAX_KEYWORD_CHARS);
        let outline = points(fields, "outline", MAX_POINTS, MAX_POINT_CHARS);
        let length = fields.word("length").unwrap_or_default();
        let format = fields.word("format").unwrap_or_default();
        let output = fields.word("output").unwrap_or_default();
        let brief = Brief::read(fields);
        let mut material = Material::default();
        material.line("Topic", Some(&topic?));
        material.line("Audience", audience.as_deref());
        material.line("Tone", tone.as_deref());
        material.list("Keywords", &keywords);
        material.list("Outline", &outline);
        let (has_keywords, has_outline) = (!keywords.is_empty(), !outline.is_empty());
        Some(Self {
            document: material.into_document(),
            has_keywords,
            has_outline,
            length,
            format,
            output,
            brief,
        })
    }

    pub(super) fn document(&self) -> Passage {
        self.document.clone()
    }

    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) fn format(&self) -> GenerateFormat {
        self.format
    }

    pub(super) fn shape(&self) -> Option<&Shape> {
        match self.output {
            Output::Text => None,
            Output::Json => Some(&SHAPE),
        }
    }

    pub(super) fn prompt(&self, boundary: &Boundary, retry: Option<Retry<'_>>) -> Prompt {
        composed(self.rules(), self.shape(), &self.brief, boundary, self.document(), retry)
    }

    pub(super) fn output_size(&self) -> OutputSize {
        let tokens = self.brief.tokens_per_word(&self.document).tokens(self.word_limit());
        with_reserve(match self.output {
            Output::Text => tokens,
            Output::Json => as_data(tokens, 20),
        })
    }

    fn word_limit(&self) -> u32 {
        self.brief.max_words.unwrap_or(match self.length {
            GenerateLength::Short => 300,
            GenerateLength::Medium => 700,
            GenerateLength::Long => 1_200,
        })
    }

    fn rules(&self) -> TaskRules {
        let mut job = vec![
            "Write a blog post about the document's `Topic`, for its `Audience` and in its `Tone` where the \
             document names them."
                .to_owned(),
            match self.has_outline {
                true => {
                    "Follow the document's `Outline`: one section for each of its points, in their order."
                }
                false => "Begin with what makes one read on, then take one aspect after the other.",
            }
            .to_owned(),
        ];
        if self.has_keywords {
            job.push(
                "Use each of the document's `Keywords` at least once, where it reads naturally.".to_owned(),
            );
        }
        job.push(format!(
            "Write at most {} words; use the room, but never pad or repeat yourself.",
            self.word_limit()
        ));
        if self.output == Output::Text {
            job.push(
                match self.format {
                    GenerateFormat::Markdown => {
                        "Begin with the title as a level-one heading, and give each section a level-two heading."
                    }
                    GenerateFormat::PlainText => {
                        "Begin with the title on a line of its own, and give each section a heading on a line of \
                         its own."
                    }
                }
                .to_owned(),
            );
        }
        TaskRules {
            role: "You are a skilled writer of blog posts.",
            verb: "write about",
            product: match self.output {
                Output::Text => "post",
                Output::Json => "JSON object",
            },
            job,
            content: vec![
                "Say what the document says and what is generally known to be true.",
                "Invent nothing: no figures, names, dates, quotations, studies, sources, links, events or results \
                 that the document does not give.",
            ],
            own_language: LANGUAGE_OF_THE_WORDS,
            format: format_rules(self.format, self.output),
            nothing_usable: "If the topic names nothing that can be written about, write the post about that \
                             alone, in a few sentences.",
        }
    }
}
