//! What a caller may say about any job, whatever its task.
//!
//! Owns the options that all tasks share: background, languages and the word
//! limit. It does not write prompts. The rule it protects: the shared options
//! have one reader, so that they mean the same in every task.

use serde_json::Value;

use super::fields::Fields;
use super::language::{LanguageTag, TokensPerWord};
use super::own::CommonOptions;
use super::part::Part;

/// The options that every task has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Brief {
    /// What `shared_context` and `context` said, in this order.
    pub(super) background: Option<String>,
    /// How much of it, in bytes, is what `shared_context` said: it comes with many requests.
    pub(super) shared_background_bytes: usize,
    pub(super) output_language: Option<LanguageTag>,
    pub(super) expected_input_languages: Vec<LanguageTag>,
    pub(super) max_words: Option<u32>,
}

/// The longest `context` or `shared_context`, in characters.
pub const MAX_CONTEXT_CHARS: usize = 10_000;

/// The most languages a caller may expect.
const MAX_LANGUAGES: usize = 20;

impl Brief {
    /// Reads the shared options.
    pub(super) fn read(fields: &mut Fields) -> Self {
        let (background, shared_background_bytes) = background(fields);
        Self {
            background,
            shared_background_bytes,
            output_language: output_language(fields),
            expected_input_languages: expected_input_languages(fields),
            max_words: fields.integer("max_words", 1..=5000),
        }
    }

    /// Reads those of the shared options that a task has.
    pub(super) fn read_only(fields: &mut Fields, wanted: CommonOptions) -> Self {
        let (background, shared_background_bytes) =
            if wanted.context { background(fields) } else { (None, 0) };
        let output_language = wanted.output_language.then(|| output_language(fields)).flatten();
        let expected = wanted.expected_input_languages.then(|| expected_input_languages(fields));
        Self {
            background,
            shared_background_bytes,
            output_language,
            expected_input_languages: expected.unwrap_or_default(),
            max_words: None,
        }
    }

    /// What holds for one part of the document: a limit is for all parts together.
    pub(super) fn shared_with(&self, part: &Part) -> Self {
        let max_words = self.max_words.map(|words| part.share_of(words));
        Self { max_words, ..self.clone() }
    }

    /// The size class of the answer to a document.
    pub(super) fn tokens_per_word(&self, document: &str) -> TokensPerWord {
        match &self.output_language {
            Some(tag) => TokensPerWord::of_tag(tag),
            None => TokensPerWord::of_text(document),
        }
    }
}

/// What `shared_context` and `context` say, and how many bytes of it the former says.
fn background(fields: &mut Fields) -> (Option<String>, usize) {
    let not_blank = |text: &String| !text.trim().is_empty();
    let shared = fields.string("shared_context", MAX_CONTEXT_CHARS).filter(not_blank);
    let own = fields.string("context", MAX_CONTEXT_CHARS).filter(not_blank);
    let shared_bytes = shared.as_ref().map_or(0, String::len);
    let told: Vec<String> = shared.into_iter().chain(own).collect();
    ((!told.is_empty()).then(|| told.join("\n\n")), shared_bytes)
}

fn output_language(fields: &mut Fields) -> Option<LanguageTag> {
    let member = fields.take("output_language")?;
    let tag = member.value.as_str().and_then(|text| LanguageTag::parse(text).ok());
    if tag.is_none() {
        fields.refuse(&member.name, "must be a language tag such as `en` or `pt-BR`");
    }
    tag
}

fn expected_input_languages(fields: &mut Fields) -> Vec<LanguageTag> {
    let Some(member) = fields.take("expected_input_languages") else { return Vec::new() };
    let Value::Array(items) = member.value else {
        fields.refuse(&member.name, "must be a list of language tags such as `en` or `pt-BR`");
        return Vec::new();
    };
    if items.len() > MAX_LANGUAGES {
        fields.refuse(&member.name, &format!("must have at most {MAX_LANGUAGES} entries"));
        return Vec::new();
    }
    let mut tags: Vec<LanguageTag> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item.as_str().and_then(|text| LanguageTag::parse(text).ok()) {
            Some(tag) if tags.contains(&tag) => {}
            Some(tag) => tags.push(tag),
            None => {
                fields.refuse_entry(&member.name, index, "must be a language tag such as `en` or `pt-BR`");
            }
        }
    }
    tags
}
