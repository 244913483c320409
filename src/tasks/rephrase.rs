//! Rephrase: says the same in other words.
//!
//! Owns this task's options, their reading, the words of its prompt and the size
//! of its answers. What all tasks share stands in `brief` and `prompt`. The rule
//! it protects: the meaning stays, only the wording changes.

use super::brief::Brief;
use super::fields::Fields;
use super::language::TokensPerWord;
use super::part::{Part, Voice};
use super::prompt::{MARKDOWN, PLAIN_TEXT, TaskRules, compose, compose_in};
use super::size::with_reserve;
use super::suggestion::{MOST_SUGGESTIONS, Suggestion};
use super::vocabulary::{Vocabulary as _, vocabulary};
use crate::domain::{Boundary, OutputSize, Passage, Prompt, SourceText};

vocabulary! {
    /// How formal the new wording is, against the old.
    pub enum RephraseTone {
        AsIs = "as-is",
        MoreFormal = "more-formal",
        MoreCasual = "more-casual",
    }
}

vocabulary! {
    /// How long the new wording is, against the old.
    pub enum RephraseLength {
        AsIs = "as-is",
        Shorter = "shorter",
        Longer = "longer",
    }
}

vocabulary! {
    /// How the new wording is marked up.
    pub enum RephraseFormat {
        AsIs = "as-is",
        PlainText = "plain-text",
        Markdown = "markdown",
    }
}

vocabulary! {
    /// The manner in which the text is written anew.
    pub enum Style {
        Professional = "professional",
        Casual = "casual",
        Academic = "academic",
        Simple = "simple",
    }
    older { "simplify" => Simple }
}

/// One text to rephrase, and how.
#[derive(Debug, Clone)]
pub struct Rephrase {
    source: SourceText,
    tone: RephraseTone,
    length: RephraseLength,
    format: RephraseFormat,
    style: Option<Style>,
    /// At least 1.
    suggestions: u32,
    brief: Brief,
}

impl Rephrase {
    pub(super) const TEMPERATURE: f32 = 0.7;

    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let source = fields.source_text();
        let tone = fields.word("tone").unwrap_or_default();
        let length = fields.word("length").unwrap_or_default();
        let format = fields.word("format").unwrap_or_default();
        let style = fields.word("style");
        let suggestions = fields.integer("n", 1..=MOST_SUGGESTIONS).unwrap_or(1);
        let brief = Brief::read(fields);
        Some(Self { source: source?, tone, length, format, style, suggestions, brief })
    }

    pub(super) fn document(&self) -> Passage {
        self.source.share()
    }

    /// The same job on a part of the document alone; `None` when the part is blank.
    pub(super) fn on(&self, part: &Part) -> Option<Self> {
        let source = SourceText::of(part.text.clone()).ok()?;
        let brief = self.brief.shared_with(part);
        Some(Self { source, brief, ..self.clone() })
    }

    /// What the model is told about a part; `self` is the job on that part.
    pub(super) fn part_prompt(&self, part: &Part, document: &Passage, boundary: &Boundary) -> Prompt {
        let scene = part.joined_scene("rephrase", "rephrased", &Voice::of(document), boundary);
        compose_in(&scene, &self.rules(), &self.brief, boundary, self.document())
    }

    pub(super) fn format(&self) -> &'static str {
        self.format.as_str()
    }

    /// What the one call is told, or the first of several.
    pub(super) fn prompt(&self, boundary: &Boundary) -> Prompt {
        if self.suggestions > 1 {
            let first = Suggestion { number: 1, of: self.suggestions, taken: None };
            return self.suggestion_prompt(&first, boundary);
        }
        compose(&self.rules(), &self.brief, boundary, self.document())
    }

    /// How many suggestions are asked for.
    pub fn suggestions(&self) -> u32 {
        self.suggestions
    }

    /// What the call of one of several suggestions is told.
    pub fn suggestion_prompt(&self, suggestion: &Suggestion<'_>, boundary: &Boundary) -> Prompt {
        let scene = suggestion.scene("rephrase", boundary);
        compose_in(&scene, &self.rules(), &self.brief, boundary, self.document())
    }

    fn rules(&self) -> TaskRules {
        TaskRules {
            role: "You are a skilled editor who rephrases documents without changing what they say.",
            verb: "rephrase",
            product: "rephrased text",
            job: self.job(),
            content: vec![
                match self.brief.max_words {
                    None => {
                        "Keep the meaning: leave out no statement, add none, and keep each one as strong \
                         as it is."
                    }
                    Some(_) => {
                        "Keep the meaning and add nothing. Where the word limit forces you to cut, cut \
                         minor detail first."
                    }
                },
                "Keep who speaks and who is addressed. Leave code, links and addresses unchanged.",
            ],
            own_language: "Write each passage in the language that the document has there, whatever \
                           language these rules are in.",
            format: match self.format {
                RephraseFormat::AsIs => vec![
                    "Keep the document's own markup: headings, lists, tables, links, emphasis and line \
                     breaks stay; add none.",
                ],
                RephraseFormat::PlainText => {
                    vec![
                        PLAIN_TEXT,
                        "Where the document has headings or lists, write their words as plain lines.",
                    ]
                }
                RephraseFormat::Markdown => {
                    vec![MARKDOWN, "Keep the document's structure of headings, paragraphs and lists."]
                }
            },
            nothing_usable: "If the document holds nothing that can be said in other words, return it \
                             unchanged.",
        }
    }

    pub(super) fn output_size(&self, input_tokens: u32) -> OutputSize {
        let tokens_per_word = self.brief.tokens_per_word(self.source.as_str());
        let translated =
            TokensPerWord::of_text(self.source.as_str()).translate(input_tokens, tokens_per_word);
        let rephrased = match self.length {
            RephraseLength::Shorter => translated - translated / 3,
            RephraseLength::AsIs => translated,
            RephraseLength::Longer => translated.saturating_add(translated / 2),
        };
        let limit = self.brief.max_words.map_or(u32::MAX, |words| tokens_per_word.tokens(words));
        with_reserve(rephrased.min(limit))
    }

    fn job(&self) -> Vec<String> {
        let mut lines = vec![
            "Rephrase the document: say the same in other words, sentence by sentence, not just word by \
             word."
                .to_owned(),
        ];
        lines.extend(self.style.map(|style| style_rule(style).to_owned()));
        lines.extend(self.tone_rule().map(str::to_owned));
        lines.push(self.length_rule());
        lines
    }

    fn tone_rule(&self) -> Option<&'static str> {
        match (self.tone, self.style) {
            (RephraseTone::AsIs, None) => Some("Keep the tone and the level of formality."),
            (RephraseTone::AsIs, Some(_)) => None,
            (RephraseTone::MoreFormal, None) => Some(
                "Make the tone more formal than it is: complete sentences, precise words, no slang, no \
                 contractions.",
            ),
            (RephraseTone::MoreFormal, Some(_)) => Some(
                "Within this style, prefer the more formal \
                                                         wording.",
            ),
            (RephraseTone::MoreCasual, None) => Some(
                "Make the tone more casual than it is: everyday words, natural contractions, as among \
                 colleagues.",
            ),
            (RephraseTone::MoreCasual, Some(_)) => Some(
                "Within this style, prefer the more casual \
                                                         wording.",
            ),
        }
    }

    fn length_rule(&self) -> String {
        match (self.length, self.brief.max_words) {
            (RephraseLength::AsIs, None) => "Keep about the same length.".to_owned(),
            (RephraseLength::AsIs, Some(words)) => {
                format!("Keep about the same length, but write at most {words} words.")
            }
            (RephraseLength::Shorter, None) => {
                "Make it shorter, by about a third: cut wordiness and repetition.".to_owned()
            }
            (RephraseLength::Shorter, Some(words)) => {
                format!("Make it shorter, at most {words} words: cut wordiness and repetition.")
            }
            (RephraseLength::Longer, None) => {
                "Make it longer, by at most half: spell out what is packed densely.".to_owned()
            }
            (RephraseLength::Longer, Some(words)) => {
                format!("Make it longer, but at most {words} words: spell out what is packed densely.")
            }
        }
    }
}

fn style_rule(style: Style) -> &'static str {
    match style {
        Style::Professional => {
            "Use a professional style: clear, courteous and to the point, as in good business writing."
        }
        Style::Casual => {
            "Use a casual style: relaxed and friendly, in everyday words, as one tells a friend."
        }
        Style::Academic => {
            "Use an academic style: precise terms, an even voice, measured wording; add no sources."
        }
        Style::Simple => {
            "Use a simple style: short sentences and common words that a twelve-year-old understands; keep \
             a technical term only where no common word means the same."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rephrase;
    use crate::domain::Boundary;
    use crate::tasks::fields::Fields;

    fn rephrase(options: &str) -> Rephrase {
        let body = format!(r#"{{"text": "Some text in English." {options}}}"#);
        let mut fields = Fields::new(serde_json::from_str(&body).unwrap());
        let task = Rephrase::read(&mut fields).unwrap();
        assert_eq!(fields.finish(), Ok(()), "{body}");
        task
    }

    #[test]
    fn the_size_follows_the_document_the_length_and_the_language() {
        let table = [
            ("", 1000, 1000, 1500),
            (r#","length":"shorter""#, 1000, 667, 1000),
            (r#","length":"longer""#, 1000, 1500, 2250),
            (r#","max_words":100"#, 1000, 135, 202),
            (r#","max_words":5000"#, 1000, 1000, 1500),
            (r#","output_language":"ru""#, 1000, 1851, 2776),
            (r#","output_language":"en-GB""#, 1000, 1000, 1500),
            ("", 4, 4, 68),
            ("", 0, 1, 65),
            (r#","length":"longer""#, u32::MAX, u32::MAX, u32::MAX),
        ];
        for (options, input_tokens, expected_tokens, max_tokens) in table {
            let size = rephrase(options).output_size(input_tokens);
            assert_eq!((size.expected_tokens, size.max_tokens), (expected_tokens, max_tokens), "{options}");
        }
    }

    #[test]
    fn a_style_replaces_the_rule_that_the_tone_stays() {
        let system = |options: &str| rephrase(options).prompt(&Boundary::fixed("b")).system;
        assert!(system("").contains("Keep the tone"));
        assert!(!system(r#","style":"academic""#).contains("Keep the tone"));
        assert!(system(r#","style":"academic","tone":"more-formal""#).contains("Within this style"));
    }

    #[test]
    fn a_word_limit_replaces_the_rule_that_nothing_is_left_out() {
        let system = |options: &str| rephrase(options).prompt(&Boundary::fixed("b")).system;
        assert!(system("").contains("leave out no statement"));
        assert!(!system(r#","max_words":20"#).contains("leave out no statement"));
    }

    #[test]
    fn the_older_word_for_simple_is_understood() {
        let system = |options: &str| rephrase(options).prompt(&Boundary::fixed("b")).system;
        assert_eq!(system(r#","style":"simplify""#), system(r#","style":"simple""#));
    }
}
