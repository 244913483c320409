//! Expand: makes a full text out of bullet points or a short text.
//!
//! Owns this task's options, their reading, the words of its prompt and the size
//! of its answers. What all tasks share stands in `brief` and `prompt`. The rule
//! it protects: an expansion may connect and explain, but it invents nothing.

use serde_json::Value;

use super::brief::Brief;
use super::fields::{Fields, is_longer};
use super::language::TokensPerWord;
use super::part::{Part, Voice};
use super::prompt::{MAIN_LANGUAGE, MARKDOWN, PLAIN_TEXT, TaskRules, compose, compose_in};
use super::size::with_reserve;
use super::vocabulary::{Vocabulary as _, vocabulary};
use crate::chunk::estimate_tokens;
use crate::domain::{Boundary, OutputSize, Passage, Prompt};

vocabulary! {
    /// How formal the text is.
    pub enum ExpandTone {
        Neutral = "neutral",
        Formal = "formal",
        Casual = "casual",
    }
}

vocabulary! {
    /// How long the text may become.
    pub enum ExpandLength {
        /// At most 100 words.
        Short = "short",
        /// At most 300 words.
        Medium = "medium",
        /// At most 500 words.
        Long = "long",
    }
}

vocabulary! {
    /// How the text is marked up.
    pub enum ExpandFormat {
        Markdown = "markdown",
        PlainText = "plain-text",
    }
}

/// Bullet points or a text to expand, and how.
#[derive(Debug, Clone)]
pub struct Expand {
    document: Passage,
    material: Material,
    tone: ExpandTone,
    format: ExpandFormat,
    length: ExpandLength,
    document_words: u32,
    /// Estimated tokens of the document, at least one.
    document_tokens: u32,
    brief: Brief,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Material {
    Bullets,
    Text,
}

/// The most bullets in one request.
const MAX_BULLETS: usize = 200;

/// The longest bullet, in characters.
const MAX_BULLET_CHARS: usize = 5_000;

impl Expand {
    pub(super) const TEMPERATURE: f32 = 0.6;

    pub(super) fn read(fields: &mut Fields) -> Option<Self> {
        let source = read_material(fields);
        let tone = fields.word("tone").unwrap_or_default();
        let length = fields.word("length").unwrap_or_default();
        let format = fields.word("format").unwrap_or_default();
        let brief = Brief::read(fields);
        let (material, document) = source?;
        let document_tokens = estimate_tokens(&document).max(1);
        let document_words = TokensPerWord::of_text(&document).words_of(document_tokens);
        Some(Self { document, material, tone, format, length, document_words, document_tokens, brief })
    }

    pub(super) fn document(&self) -> Passage {
        self.document.clone()
    }

    /// Whether the document is a list with one bullet per line.
    pub fn is_list(&self) -> bool {
        self.material == Material::Bullets
    }

    /// The same job on a part of the document alone; `None` when the part is blank.
    pub(super) fn on(&self, part: &Part) -> Option<Self> {
        if part.text.trim().is_empty() {
            return None;
        }
        let document = part.text.clone();
        let document_tokens = part.tokens.max(1);
        let document_words = TokensPerWord::of_text(&document).words_of(document_tokens);
        // The room that a whole text has is for all of its parts.
        let whole = Some(self.word_limit(self.document_words)).filter(|_| self.brief.max_words.is_none());
        let mut brief = self.brief.shared_with(part);
        brief.max_words = brief.max_words.or_else(|| whole.map(|words| part.share_of(words)));
        Some(Self { document, document_words, document_tokens, brief, ..self.clone() })
    }

    /// What the model is told about a part; `self` is the job on that part.
    pub(super) fn part_prompt(&self, part: &Part, document: &Passage, boundary: &Boundary) -> Prompt {
        let scene = part.joined_scene("expand", "expanded", &Voice::of(document), boundary);
        compose_in(&scene, &self.rules(), &self.brief, boundary, self.document())
    }

    pub(super) fn format(&self) -> &'static str {
        self.format.as_str()
    }

    pub(super) fn prompt(&self, boundary: &Boundary) -> Prompt {
        compose(&self.rules(), &self.brief, boundary, self.document())
    }

    fn rules(&self) -> TaskRules {
        TaskRules {
            role: "You are a skilled writer who expands notes and drafts into finished texts.",
            verb: "expand",
            product: "finished text",
            job: self.job(),
            content: vec![
                "Connect and explain what the document says, and spell out what it plainly implies.",
                "Invent nothing: no facts, figures, names, dates, quotations, sources, events or results \
                 that the document does not give.",
            ],
            own_language: MAIN_LANGUAGE,
            format: match self.format {
                ExpandFormat::Markdown => vec![MARKDOWN],
                ExpandFormat::PlainText => vec![PLAIN_TEXT],
            },
            nothing_usable: "If the document holds nothing that can be expanded, say only that, in a short \
                             sentence in the language of the answer.",
        }
    }

    /// For a part of the document as well as for all of it: the part's words are
    /// taken to be its share of the tokens.
    pub(super) fn output_size(&self, input_tokens: u32) -> OutputSize {
        let words =
            u64::from(self.document_words) * u64::from(input_tokens) / u64::from(self.document_tokens);
        let limit = self.word_limit(u32::try_from(words).unwrap_or(u32::MAX));
        with_reserve(self.brief.tokens_per_word(&self.document).tokens(limit))
    }

    /// The most words of an answer to so many words; what the caller says comes first.
    fn word_limit(&self, document_words: u32) -> u32 {
        self.brief.max_words.unwrap_or_else(|| word_limit(self.length, document_words))
    }

    fn job(&self) -> Vec<String> {
        let [job, cover] = match self.material {
            Material::Bullets => [
                "Expand the bullet points of the document into one connected text, in paragraphs of prose.",
                "Cover every bullet point, in the given order.",
            ],
            Material::Text => [
                "Expand the document into a fuller text, in paragraphs of prose.",
                "Develop each of its points, in the given order.",
            ],
        };
        let length = format!(
            "Write at most {} words; use the room, but never pad or repeat yourself.",
            self.word_limit(self.document_words)
        );
        let tone = match self.tone {
            ExpandTone::Neutral => "Use a neutral tone: plain and factual, neither stiff nor chatty.",
            ExpandTone::Formal => "Use a formal tone: complete sentences, precise words, no contractions.",
            ExpandTone::Casual => {
                "Use a casual tone: relaxed and friendly, everyday words, natural contractions."
            }
        };
        vec![job.to_owned(), cover.to_owned(), length, tone.to_owned()]
    }
}

/// The limit by length; a document that is long already may grow all the same.
fn word_limit(length: ExpandLength, document_words: u32) -> u32 {
    let (words, growth_percent) = match length {
        ExpandLength::Short => (100, 125),
        ExpandLength::Medium => (300, 150),
        ExpandLength::Long => (500, 200),
    };
    let grown = u64::from(document_words) * growth_percent / 100;
    u32::try_from(grown.next_multiple_of(10)).unwrap_or(u32::MAX).max(words)
}

fn read_material(fields: &mut Fields) -> Option<(Material, Passage)> {
    let has_text = ["text", "prompt", "input"].into_iter().any(|name| fields.contains(name));
    match (fields.contains("bullets"), has_text) {
        (true, true) => {
            read_bullets(fields);
            fields.source_text();
            fields.problem("/bullets", "Send either `bullets` or `text`, not both.");
            None
        }
        (true, false) => read_bullets(fields).map(|bullets| (Material::Bullets, bullets)),
        (false, true) => fields.source_text().map(|text| (Material::Text, text.share())),
        (false, false) => {
            fields.problem("/text", "There is nothing to expand; send `bullets` or `text`.");
            None
        }
    }
}

fn read_bullets(fields: &mut Fields) -> Option<Passage> {
    let member = fields.take("bullets")?;
    let lines = match member.value {
        Value::String(lines) => lines.lines().map(str::to_owned).collect(),
        Value::Array(items) => fields.string_items(&member.name, items, MAX_BULLETS, MAX_BULLET_CHARS)?,
        _ => {
            fields.refuse(&member.name, "must be a list of strings, or a string with one bullet per line");
            return None;
        }
    };
    let bullets: Vec<&str> =
        lines.iter().map(|line| without_marker(line)).filter(|bullet| !bullet.is_empty()).collect();
    if bullets.is_empty() {
        fields.refuse(&member.name, "must have at least one bullet that is not blank");
        return None;
    }
    if bullets.len() > MAX_BULLETS {
        fields.refuse(&member.name, &format!("must have at most {MAX_BULLETS} bullets"));
        return None;
    }
    if bullets.iter().any(|bullet| is_longer(bullet, MAX_BULLET_CHARS)) {
        fields.refuse(&member.name, &format!("must have at most {MAX_BULLET_CHARS} characters per bullet"));
        return None;
    }
    let listed: Vec<String> = bullets
        .iter()
        .map(|bullet| format!("- {}", bullet.lines().collect::<Vec<_>>().join("\n  ")))
        .collect();
    Some(listed.join("\n").into())
}

/// A bullet without the sign or number in front of it.
///
/// The sign counts as one only where white space follows, so that "-5 degrees",
/// "1.5 million" and "*emphasis*" stay whole.
fn without_marker(line: &str) -> &str {
    let bullet = line.trim();
    let digits = bullet.bytes().take_while(u8::is_ascii_digit).count();
    let rest = match digits {
        0 => bullet.strip_prefix(['-', '*', '•']),
        1..=3 => bullet[digits..].strip_prefix(['.', ')']),
        _ => None,
    };
    match rest {
        Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => rest.trim_start(),
        Some(rest) if bullet.starts_with('•') => rest,
        _ => bullet,
    }
}

#[cfg(test)]
mod tests {
    use crate::chunk::estimate_tokens;
    use serde_json::{Value, json};

    use super::Expand;
    use crate::tasks::fields::{FieldProblem, Fields};

    fn read(body: Value) -> Result<Expand, Vec<FieldProblem>> {
        let Value::Object(members) = body else { panic!("not an object: {body}") };
        let mut fields = Fields::new(members);
        let task = Expand::read(&mut fields);
        fields.finish().map(|()| task.unwrap())
    }

    fn pointers(body: Value) -> Vec<String> {
        read(body).unwrap_err().into_iter().map(|problem| problem.pointer).collect()
    }

    #[test]
    fn bullets_stand_one_per_line_without_their_own_markers() {
        let table = [
            (json!(["one", "two"]), "- one\n- two"),
            (json!("one\ntwo"), "- one\n- two"),
            (
                json!("- one\r\n\r\n  * two\n• three\n•four\n5. five\n66) six"),
                "- one\n- two\n- three\n- four\n- five\n- six",
            ),
            (json!(["- one", " ", "-", "2.", "", "two"]), "- one\n- two"),
            (
                json!(["-5 degrees", "1.5 million", "*so* it is", "2024. That year", "3.", "1)x"]),
                "- -5 degrees\n- 1.5 million\n- *so* it is\n- 2024. That year\n- 1)x",
            ),
            (json!(["one\nwith detail", "two"]), "- one\n  with detail\n- two"),
            (json!("東京\n・大阪"), "- 東京\n- ・大阪"),
        ];
        for (bullets, document) in table {
            let task = read(json!({ "bullets": bullets })).unwrap();
            assert_eq!(&*task.document(), document, "{bullets}");
        }
    }

    #[test]
    fn bullets_that_cannot_be_used_are_problems() {
        assert_eq!(pointers(json!({"bullets": []})), ["/bullets"]);
        assert_eq!(pointers(json!({"bullets": "\n - \n"})), ["/bullets"]);
        assert_eq!(pointers(json!({"bullets": 3})), ["/bullets"]);
        assert_eq!(pointers(json!({"bullets": ["a", 1, "b", null]})), ["/bullets/1", "/bullets/3"]);
        assert_eq!(pointers(json!({"bullets": ["a", "x".repeat(5001)]})), ["/bullets/1"]);
        assert_eq!(pointers(json!({"bullets": "x".repeat(5001)})), ["/bullets"]);
        assert_eq!(pointers(json!({"bullets": vec!["a"; 201]})), ["/bullets"]);
        assert_eq!(pointers(json!({"bullets": "a\n".repeat(201)})), ["/bullets"]);
        assert!(read(json!({"bullets": vec!["a"; 200]})).is_ok());
        assert!(read(json!({"bullets": "a\n\n".repeat(200)})).is_ok());
    }

    #[test]
    fn exactly_one_of_bullets_and_text_is_taken() {
        assert_eq!(pointers(json!({"bullets": ["a"], "text": "b"})), ["/bullets"]);
        assert_eq!(pointers(json!({"bullets": ["a"], "input": "b"})), ["/bullets"]);
        assert_eq!(pointers(json!({})), ["/text"]);
        assert_eq!(pointers(json!({"bullets": null, "text": null})), ["/text"]);
        assert_eq!(&*read(json!({"bullets": null, "prompt": " b "})).unwrap().document(), " b ");
    }

    #[test]
    fn the_limit_is_the_table_unless_the_document_is_longer_or_the_caller_says_so() {
        let long = "A plain English sentence of eight words here. ".repeat(100);
        let limit = |body: Value| {
            let task = read(body).unwrap();
            task.word_limit(task.document_words)
        };
        assert_eq!(limit(json!({"text": "a"})), 100);
        assert_eq!(limit(json!({"text": "a", "length": "medium"})), 300);
        assert_eq!(limit(json!({"text": "a", "length": "long"})), 500);
        assert_eq!(limit(json!({"text": "a", "length": "long", "max_words": 20})), 20);
        assert_eq!(limit(json!({"text": long, "max_words": 20})), 20);
        let grown = limit(json!({ "text": long }));
        assert!((900..=1250).contains(&grown) && grown % 10 == 0, "{grown}");
        assert!(limit(json!({"text": long, "length": "long"})) > grown);
    }

    #[test]
    fn the_size_follows_the_limit_and_the_language() {
        let size = |body: Value| {
            let task = read(body).unwrap();
            task.output_size(estimate_tokens(&task.document))
        };
        assert_eq!(size(json!({"text": "a"})).expected_tokens, 135);
        assert_eq!(size(json!({"text": "a"})).max_tokens, 202);
        assert_eq!(size(json!({"text": "a", "output_language": "fr"})).expected_tokens, 180);
        assert_eq!(size(json!({"text": "東京", "length": "long"})).expected_tokens, 1250);
        assert_eq!(size(json!({"text": "a", "max_words": 1})).max_tokens, 66);
    }
}
