//! A description of a product, made of its name and features.
//!
//! Owns this generator's options, their reading, its prompt, its size and the shape of its
//! data. The rule it protects: a description promises nothing that the features do not.

use std::sync::LazyLock;

use super::composed::{
    GenerateFormat, GenerateLength, LANGUAGE_OF_THE_WORDS, Output, Retry, as_data, composed, format_rules,
};
use super::material::{Material, line, needed_line, points};
use crate::domain::{Boundary, OutputSize, Passage, Prompt};
use crate::tasks::brief::Brief;
use crate::tasks::fields::Fields;
use crate::tasks::prompt::TaskRules;
use crate::tasks::shape::Shape;
use crate::tasks::size::with_reserve;

/// A product to describe, and how.
#[derive(Debug, Clone)]
pub struct ProductDescription {
    document: Passage,
    length: GenerateLength,
    format: GenerateFormat,
    output: Output,
    brief: Brief,
}

const MAX_NAME_CHARS: usize = 200;
const MAX_WORDS_CHARS: usize = 200;
const MAX_FEATURES: usize = 50;
const MAX_FEATURE_CHARS: usize = 500;

/// The shape of a description that is data.
const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "headline": {"type": "string", "description": "One line that says what the product is good for, without markup."},
        "description": {"type": "string", "description": "The description itself."},
        "highlights": {"type": "array", "items": {
            "type": "string", "description": "A feature as what it does for the reader, in one line."
        }}
    },
    "required": ["headline", "description", "highlights"],
    "additionalProperties": false
}"#;
static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::of_ours("product_description", SCHEMA));

impl ProductDescription {
    pub(super) const TEMPERATURE: f32 = 0.7;

    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        fields.rename("prompt", "features");
        let name = needed_line(fields, "name", MAX_NAME_CHARS, "the name of the product");
        let features = needed_features(fields);
        let audience = line(fields, "target_audience", MAX_WORDS_CHARS);
        let tone = line(fields, "tone", MAX_WORDS_CHARS);
        let length = fields.word("length").unwrap_or_default();
        let format = fields.word("format").unwrap_or_default();
        let output = fields.word("output").unwrap_or_default();
        let brief = Brief::read(fields);
        let mut material = Material::default();
        material.line("Name", Some(&name?));
        material.line("Target audience", audience.as_deref());
        material.line("Tone", tone.as_deref());
        material.list("Features", &features?);
        Some(Self { document: material.into_document(), length, format, output, brief })
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
            // The features come twice: in the description and one by one.
            Output::Json => as_data(tokens.saturating_add(tokens / 2), 20),
        })
    }

    fn word_limit(&self) -> u32 {
        self.brief.max_words.unwrap_or(match self.length {
            GenerateLength::Short => 60,
            GenerateLength::Medium => 130,
            GenerateLength::Long => 250,
        })
    }

    fn rules(&self) -> TaskRules {
        let described = match self.output {
            Output::Text => "Write",
            Output::Json => "Write, in the member `description`,",
        };
        TaskRules {
            role: "You are a skilled writer of product descriptions.",
            verb: "write about",
            product: match self.output {
                Output::Text => "description",
                Output::Json => "JSON object",
            },
            job: vec![
                "Write a product description of the product that the document names, for its `Target audience` \
                 and in its `Tone` where the document names them."
                    .to_owned(),
                "Name the product early, say what each of its `Features` does for the reader, the most useful \
                 first, and leave none out."
                    .to_owned(),
                format!(
                    "{described} at most {} words; use the room, but never pad or repeat yourself.",
                    self.word_limit()
                ),
            ],
            content: vec![
                "Say only what the document says and what plainly follows from it.",
                "Invent nothing: no features, figures, prices, materials, guarantees, awards, reviews or \
                 comparisons that the document does not give.",
            ],
            own_language: LANGUAGE_OF_THE_WORDS,
            format: format_rules(self.format, self.output),
            nothing_usable: "If the document names no product, say only that, in a short sentence in the language \
                             of the answer.",
        }
    }
}

fn needed_features(fields: &mut Fields) -> Option<Vec<String>> {
    if !fields.contains("features") {
        let detail = "`features` is missing; send a list of what the product has or does.";
        fields.problem("/features", detail);
        return None;
    }
    let problems = fields.problem_count();
    let features = points(fields, "features", MAX_FEATURES, MAX_FEATURE_CHARS);
    if features.is_empty() && fields.problem_count() == problems {
        let spelled = fields.spelling("features").to_owned();
        fields.refuse(&spelled, "must have at least one entry that is not blank");
    }
    (!features.is_empty()).then_some(features)
}
