//! Summarize: says what a document says, in less space.
//!
//! Owns this task's options, their reading, the words of its prompt and the size
//! of its answers. What all tasks share stands in `brief` and `prompt`. The rule
//! it protects: the limit that the prompt names is the limit that is paid for.

use super::brief::Brief;
use super::fields::Fields;
use super::part::{Part, merged_scene};
use super::prompt::{MAIN_LANGUAGE, MARKDOWN, PLAIN_TEXT, Scene, TaskRules, compose, compose_in};
use super::size::with_reserve;
use super::vocabulary::{Vocabulary as _, vocabulary};
use crate::domain::{Boundary, OutputSize, Passage, Prompt, SourceText};

vocabulary! {
    /// What kind of summary.
    pub enum SummaryType {
        /// The most important points, as a list.
        KeyPoints = "key-points",
        /// A quick overview.
        Tldr = "tldr",
        /// The most interesting part, so that one wants to read on.
        Teaser = "teaser",
        /// The main point, in the manner of a headline.
        Headline = "headline",
    }
}

vocabulary! {
    /// How long a summary is; what that means depends on its type.
    pub enum SummaryLength {
        Short = "short",
        Medium = "medium",
        Long = "long",
    }
}

vocabulary! {
    /// How a summary is marked up.
    pub enum SummaryFormat {
        Markdown = "markdown",
        PlainText = "plain-text",
    }
}

vocabulary! {
    /// How a document is gone through.
    pub enum SummaryStrategy {
        /// At once where it fits, else in parts.
        Auto = "auto",
        /// At once.
        Single = "single",
        /// In parts side by side, whose summaries are merged.
        MapReduce = "map-reduce",
        /// In parts one after the other, each with the summary so far.
        Refine = "refine",
    }
}

/// One text to summarize, and how.
#[derive(Debug, Clone)]
pub struct Summarize {
    source: SourceText,
    strategy: SummaryStrategy,
    shape: Shape,
    length: SummaryLength,
    format: SummaryFormat,
    brief: Brief,
}

/// The most words of a summary of summaries that is merged once more.
const MERGED_WORDS: u32 = 250;

/// The most words of a summary that grows from part to part.
const REFINED_WORDS: u32 = 600;

/// The most words of the summary of a part: a fortieth of its tokens, within bounds. So a
/// hundred ordinary parts still merge at once in the smallest of today's windows.
fn partial_words(part_tokens: u32) -> u32 {
    (part_tokens / 40).clamp(60, 250)
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Typed(SummaryType),
    Paragraphs(u32),
}

impl Summarize {
    pub(super) const TEMPERATURE: f32 = 0.3;

    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let source = fields.source_text();
        let kind = fields.word::<SummaryType>("type");
        let length = fields.word("length").unwrap_or_default();
        let format = fields.word("format").unwrap_or_default();
        let paragraphs = fields.integer("paragraphs", 1..=10);
        let shape = match (paragraphs, kind) {
            (None, kind) => Shape::Typed(kind.unwrap_or_default()),
            (Some(count), None | Some(SummaryType::Tldr)) => Shape::Paragraphs(count),
            (Some(_), Some(other)) => {
                let detail = format!(
                    "`{}` cannot be combined with the type `{}`; leave one of them out.",
                    fields.spelling("paragraphs"),
                    other.as_str()
                );
                fields.problem(fields.pointer("paragraphs"), detail);
                Shape::Typed(other)
            }
        };
        let strategy = fields.word("strategy").unwrap_or_default();
        let brief = Brief::read(fields);
        Some(Self { source: source?, strategy, shape, length, format, brief })
    }

    pub(super) fn document(&self) -> Passage {
        self.source.share()
    }

    /// How the caller wants the document gone through.
    pub fn strategy(&self) -> SummaryStrategy {
        self.strategy
    }

    pub(super) fn format(&self) -> &'static str {
        self.format.as_str()
    }

    pub(super) fn prompt(&self, boundary: &Boundary) -> Prompt {
        compose(&self.rules(self.job()), &self.brief, boundary, self.document())
    }

    /// Sums up one part for [`Self::merge_prompt`].
    pub fn part_prompt(&self, part: &Part, boundary: &Boundary) -> Prompt {
        let scene = part.summed_up_scene("summarize", boundary);
        self.partial(&scene, partial_words(part.tokens), part.text.clone(), boundary)
    }

    /// The size of the summary of a part of so many tokens.
    pub fn part_size(&self, part_tokens: u32) -> OutputSize {
        self.partial_size(partial_words(part_tokens))
    }

    /// Merges summaries into the answer when they are all that is left, else into one
    /// more summary that will be merged.
    pub fn merge_prompt(&self, summaries: Passage, last: bool, boundary: &Boundary) -> Prompt {
        let scene = merged_scene();
        if last {
            compose_in(&scene, &self.rules(self.job()), &self.brief, boundary, summaries)
        } else {
            self.partial(&scene, MERGED_WORDS, summaries, boundary)
        }
    }

    /// The size of what [`Self::merge_prompt`] asks for.
    pub fn merge_size(&self, input_tokens: u32, last: bool) -> OutputSize {
        if last { self.output_size(input_tokens) } else { self.partial_size(MERGED_WORDS) }
    }

    /// Brings a part into the summary of the parts before it; the last part makes it the answer.
    pub fn refine_prompt(&self, part: &Part, so_far: &str, boundary: &Boundary) -> Prompt {
        let scene = part.refined_scene("summarize", so_far, boundary);
        if part.number == part.total {
            compose_in(&scene, &self.rules(self.job()), &self.brief, boundary, part.text.clone())
        } else {
            self.partial(&scene, REFINED_WORDS, part.text.clone(), boundary)
        }
    }

    /// The size of what [`Self::refine_prompt`] asks for.
    pub fn refine_size(&self, part: &Part) -> OutputSize {
        if part.number == part.total {
            self.output_size(part.document_tokens)
        } else {
            self.refine_size_of_others()
        }
    }

    /// The size of a summary that is brought on from part to part.
    pub fn refine_size_of_others(&self) -> OutputSize {
        self.partial_size(REFINED_WORDS)
    }

    fn partial(&self, scene: &Scene, words: u32, document: Passage, boundary: &Boundary) -> Prompt {
        let job = vec![
            format!(
                "Summarize the document for an editor who will merge what you write with more of its kind: at \
                 most {words} words."
            ),
            "Keep what a short version of the whole text needs: main statements, results, decisions and their \
             reasons, with names, figures and dates."
                .to_owned(),
            "Write full sentences in the order of the document: no heading, no list.".to_owned(),
        ];
        // Such a sentence would be merged like any other.
        let nothing_usable =
            "If the document holds nothing that can be summarized, answer with a single hyphen.";
        let rules = TaskRules { format: vec![PLAIN_TEXT], nothing_usable, ..self.rules(job) };
        // The caller's limit is for the answer.
        let brief = Brief { max_words: None, ..self.brief.clone() };
        compose_in(scene, &rules, &brief, boundary, document)
    }

    fn partial_size(&self, words: u32) -> OutputSize {
        with_reserve(self.brief.tokens_per_word(self.source.as_str()).tokens(words))
    }

    fn rules(&self, job: Vec<String>) -> TaskRules {
        TaskRules {
            role: "You are a careful editor who summarizes documents for busy readers.",
            verb: "summarize",
            product: "summary",
            job,
            content: vec![
                "Say only what the document says: no facts, opinions, advice or examples of your own.",
                "Keep its emphasis and its degree of certainty: a claim stays a claim, a plan stays a \
                 plan.",
                match self.shape {
                    Shape::Typed(SummaryType::Teaser) => "Say each thing once.",
                    _ => "Prefer what the reader must know to detail, and say each thing once.",
                },
            ],
            own_language: MAIN_LANGUAGE,
            format: match self.format {
                SummaryFormat::Markdown => vec![MARKDOWN],
                SummaryFormat::PlainText => vec![PLAIN_TEXT],
            },
            nothing_usable: "If the document holds nothing that can be summarized, say only that, in a \
                             short sentence in the language of the answer.",
        }
    }

    pub(super) fn output_size(&self, input_tokens: u32) -> OutputSize {
        let tokens_per_word = self.brief.tokens_per_word(self.source.as_str());
        // An answer of twice the document's size is no summary; the factor leaves
        // room for a translation, the floor for a one-line document.
        let useful = input_tokens.saturating_mul(2).max(64);
        with_reserve(tokens_per_word.tokens(self.word_limit()).min(useful))
    }

    /// The number of words that the prompt names as the limit.
    fn word_limit(&self) -> u32 {
        self.brief.max_words.unwrap_or_else(|| self.items() * self.words_per_item())
    }

    fn items(&self) -> u32 {
        match self.shape {
            Shape::Typed(SummaryType::KeyPoints) => self.by_length([3, 5, 7]),
            Shape::Typed(_) => 1,
            Shape::Paragraphs(count) => count,
        }
    }

    fn words_per_item(&self) -> u32 {
        self.by_length(match self.shape {
            Shape::Typed(SummaryType::KeyPoints) => [30, 30, 30],
            Shape::Typed(SummaryType::Tldr | SummaryType::Teaser) => [40, 80, 150],
            Shape::Typed(SummaryType::Headline) => [12, 17, 22],
            Shape::Paragraphs(_) => [80, 120, 180],
        })
    }

    fn by_length<T: Copy>(&self, [short, medium, long]: [T; 3]) -> T {
        match self.length {
            SummaryLength::Short => short,
            SummaryLength::Medium => medium,
            SummaryLength::Long => long,
        }
    }

    fn job(&self) -> Vec<String> {
        let words = self.word_limit();
        let prose = self.by_length(["one sentence", "one short paragraph", "one paragraph"]);
        let lines = match self.shape {
            Shape::Typed(SummaryType::KeyPoints) => {
                let (list, point, place) = match self.format {
                    SummaryFormat::Markdown => (
                        "a bulleted list of its key points",
                        "bullets",
                        ", each on a line that begins with \"- \"",
                    ),
                    SummaryFormat::PlainText => {
                        ("a list of its key points", "key points", ", each on a line of its own")
                    }
                };
                let limit = self.limit_of_items();
                [
                    format!(
                        "Summarize the document as {list}: at most {} {point}, {limit}{place}.",
                        self.items()
                    ),
                    "Put the most important point first; write fewer points where the document has fewer."
                        .to_owned(),
                    "Make each point a full sentence that can be understood on its own.".to_owned(),
                ]
            }
            Shape::Typed(SummaryType::Tldr) => [
                format!("Summarize the document in {prose} of at most {words} words."),
                "Begin with the main point or the outcome, not with what kind of document it \
                 is."
                .to_owned(),
                "Write connected prose: no list, no heading.".to_owned(),
            ],
            Shape::Typed(SummaryType::Teaser) => [
                format!("Summarize the document as a teaser: {prose} of at most {words} words."),
                "Make the reader want to read the document: show what is at stake or surprising, and hold \
                 back how it ends."
                    .to_owned(),
                "Promise nothing that the document does not hold, and write prose: no list, no heading."
                    .to_owned(),
            ],
            Shape::Typed(SummaryType::Headline) => [
                format!("Summarize the document as a headline: one line of at most {words} words."),
                "Name the main point with a concrete subject and verb, as a sober newspaper would."
                    .to_owned(),
                "Write the bare line: no heading sign, no quotation marks around it, no final period."
                    .to_owned(),
            ],
            Shape::Paragraphs(count) => {
                let (paragraphs, apart) = match count {
                    1 => ("paragraph", ""),
                    _ => ("paragraphs", ", with an empty line between them"),
                };
                let limit = self.limit_of_items();
                [
                    format!("Summarize the document in exactly {count} {paragraphs}, {limit}{apart}."),
                    "Write connected prose: no list, no heading.".to_owned(),
                    "Where the document has little to say, stay short; never pad or repeat.".to_owned(),
                ]
            }
        };
        lines.into()
    }

    /// The limit of an answer of several parts, for each part or for all of them.
    fn limit_of_items(&self) -> String {
        match self.brief.max_words {
            None if self.items() == 1 => format!("at most {} words", self.words_per_item()),
            None => format!("at most {} words each", self.words_per_item()),
            Some(words) => format!("at most {words} words in total"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Summarize;
    use crate::domain::Boundary;
    use crate::tasks::fields::Fields;

    fn summarize(options: &str) -> Summarize {
        let body = format!(r#"{{"text": "Some text in English." {options}}}"#);
        let mut fields = Fields::new(serde_json::from_str(&body).unwrap());
        let task = Summarize::read(&mut fields).unwrap();
        assert_eq!(fields.finish(), Ok(()), "{body}");
        task
    }

    #[test]
    fn the_size_follows_the_limit_that_the_prompt_names() {
        let table = [
            ("", "at most 3 bullets, at most 30 words each", 122),
            (r#","length":"medium""#, "at most 5 bullets, at most 30 words each", 203),
            (r#","length":"long""#, "at most 7 bullets, at most 30 words each", 284),
            (r#","type":"tldr""#, "one sentence of at most 40 words", 54),
            (r#","type":"tldr","length":"medium""#, "one short paragraph of at most 80 words", 108),
            (r#","type":"teaser","length":"long""#, "one paragraph of at most 150 words", 203),
            (r#","type":"headline""#, "one line of at most 12 words", 17),
            (r#","type":"headline","length":"medium""#, "one line of at most 17 words", 23),
            (r#","type":"headline","length":"long""#, "one line of at most 22 words", 30),
            (r#","paragraphs":1"#, "exactly 1 paragraph, at most 80 words", 108),
            (r#","paragraphs":3,"length":"long""#, "exactly 3 paragraphs, at most 180 words each", 729),
            (r#","max_words":50"#, "at most 3 bullets, at most 50 words in total", 68),
            (r#","type":"headline","max_words":8"#, "one line of at most 8 words", 11),
            (r#","max_words":50,"output_language":"de""#, "at most 50 words in total", 90),
            (r#","max_words":50,"output_language":"ja-JP""#, "at most 50 words in total", 125),
        ];
        for (options, limit, expected_tokens) in table {
            let task = summarize(options);
            let system = task.prompt(&Boundary::fixed("b")).system;
            assert!(system.contains(limit), "{options}: {system}");
            let size = task.output_size(10_000);
            assert_eq!(size.expected_tokens, expected_tokens, "{options}");
            assert_eq!(size.max_tokens, expected_tokens + (expected_tokens / 2).max(64), "{options}");
        }
    }

    #[test]
    fn no_more_is_reserved_than_a_summary_of_a_short_text_can_use() {
        let task = summarize(r#","paragraphs":10,"length":"long""#);
        assert_eq!(task.output_size(100_000).expected_tokens, 2430);
        assert_eq!(task.output_size(200).expected_tokens, 400);
        assert_eq!(task.output_size(0).expected_tokens, 64);
    }
}
