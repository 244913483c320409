//! Tasks from files: what somebody else wants done to a text, in their own words.
//!
//! Owns a task's checked description, the reading of a request for it, and its sizes.
//! Where the description comes from it does not know. The rule it protects: a task that
//! exists here can be run: its template renders, its input is bounded, its sizes are
//! sound.

mod input;
mod prompt;
mod tags;
mod template;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::input::Input;
use self::template::{Piece, Template, TemplateProblem};
use super::brief::Brief;
use super::fields::{FieldProblem, Fields};
use super::generate::{JSON, Retry};
use super::language::{LanguageTag, TokensPerWord};
use super::part::{Part, Voice, merged_answers_scene};
use super::prompt::{MARKDOWN, PLAIN_TEXT, Scene};
use super::review::{Review, verdict};
use super::shape::{EDITION, Shape};
use super::size::with_reserve;
use super::vocabulary::{Vocabulary as _, vocabulary};
use crate::domain::{Boundary, OutputSchema, OutputSize, Passage, Prompt, SourceText, TaskName};

vocabulary! {
    /// How a document that is too long for one call is gone through.
    pub enum OwnStrategy {
        /// Not at all: it is refused.
        Single = "single",
        /// In parts whose answers are joined.
        MapConcat = "map-concat",
        /// In parts whose answers are merged by a call of their own.
        MapReduce = "map-reduce",
    }
}

vocabulary! {
    /// How the answer is marked up.
    pub enum OwnFormat {
        Markdown = "markdown",
        PlainText = "plain-text",
        AsIs = "as-is",
    }
}

/// How long an answer is expected to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AnswerLength {
    /// So many tokens, whatever the document.
    Tokens(u32),
    /// So many hundredths of the document's own length.
    PercentOfInput(u32),
}

/// Options of all tasks that a task from a file may have as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommonOptions {
    /// `context` and `shared_context`.
    pub context: bool,
    pub output_language: bool,
    pub expected_input_languages: bool,
}

/// What a file says of a task, before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnTaskText {
    pub name: TaskName,
    pub description: String,
    /// A template of the rules.
    pub prompt: String,
    /// A template of the rules by which the answers to parts are merged.
    pub merge: Option<String>,
    /// A JSON schema of an object with flat members.
    pub input: Value,
    pub strategy: OwnStrategy,
    pub answer: AnswerLength,
    /// The member that says in which language the answer is, as a tag: it tells its size.
    pub answer_language: Option<String>,
    pub format: OwnFormat,
    pub temperature: f32,
    pub common: CommonOptions,
    /// The most tokens of a document, where the task takes fewer than the service.
    pub max_input_tokens: Option<u32>,
    /// A JSON schema of the answer, where it is data.
    pub output: Option<Value>,
}

/// One thing that is wrong with a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecProblem {
    /// The names that lead to it: `input`, `properties`, `tone`.
    pub path: Vec<String>,
    /// The line of the text there, from 1.
    pub line: Option<usize>,
    pub message: String,
}

/// A task that can be run.
#[derive(Debug)]
pub struct OwnTaskSpec {
    text: OwnTaskText,
    prompt: Template,
    merge: Option<Template>,
    input: Input,
    output: Option<Shape>,
}

/// Two are the same that say the same.
impl PartialEq for OwnTaskSpec {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl OwnTaskSpec {
    /// Checks what a file says.
    ///
    /// # Errors
    /// Every problem that does not follow from another one.
    pub fn new(text: OwnTaskText) -> Result<Self, Vec<SpecProblem>> {
        let mut problems = Vec::new();
        let merges = text.strategy == OwnStrategy::MapReduce;
        if merges != text.merge.is_some() {
            let message = if merges {
                "is missing: map-reduce merges the answers to the parts by these rules"
            } else {
                "is of no use: only map-reduce merges answers"
            };
            problems.push(SpecProblem::at(&["merge"], message));
        }
        if merges && matches!(text.answer, AnswerLength::PercentOfInput(_)) {
            let message = "map-reduce takes answers of a fixed length, tokens: what grows with the text cannot be merged";
            problems.push(SpecProblem::at(&["answer", "percent_of_input"], message));
        }
        let output = match output(&text) {
            Ok(output) => output,
            Err(found) => {
                problems.push(found);
                None
            }
        };
        let input = match Input::new(&text.input) {
            Ok(input) => input,
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| problem.below("input")));
                // Whether templates know their members cannot be told.
                return Err(problems);
            }
        };
        if let Some(member) = &text.answer_language
            && !matches!(input.kind(member), Some(input::Kind::Word | input::Kind::Closed))
        {
            let message = format!("{member} is no member of the input that holds a word");
            problems.push(SpecProblem::at(&["answer", "language"], &message));
        }
        let mut template = |key: &str, source: &str| {
            let checked = Template::new(source, &input);
            let found = checked.as_ref().err().into_iter().flatten();
            problems.extend(found.map(|problem| SpecProblem::of_template(key, problem)));
            checked.ok()
        };
        let prompt = template("prompt", &text.prompt);
        let merge = text.merge.as_ref().map(|source| template("merge", source));
        match (prompt, merge) {
            (Some(prompt), None) if problems.is_empty() => {
                Ok(Self { text, prompt, merge: None, input, output })
            }
            (Some(prompt), Some(Some(merge))) if problems.is_empty() => {
                Ok(Self { text, prompt, merge: Some(merge), input, output })
            }
            _ => Err(problems),
        }
    }

    pub fn name(&self) -> &TaskName {
        &self.text.name
    }

    /// What it does, for people.
    pub fn description(&self) -> &str {
        &self.text.description
    }

    /// A JSON schema of the members of its own.
    pub fn input_schema(&self) -> &Value {
        self.input.schema()
    }

    /// The common options that it has.
    pub fn common_options(&self) -> CommonOptions {
        self.text.common
    }

    /// A body that it takes, without the text.
    pub fn example(&self) -> Map<String, Value> {
        self.input.least_sample()
    }

    /// How a document that is too long for one call is gone through.
    pub fn strategy(&self) -> OwnStrategy {
        self.text.strategy
    }

    /// How the answer is marked up; `json` where it is data.
    pub fn format(&self) -> &'static str {
        if self.output.is_some() { "json" } else { self.text.format.as_str() }
    }

    /// The shape of the answer, where it is data.
    pub fn output_schema(&self) -> Option<&Arc<OutputSchema>> {
        self.output.as_ref().map(Shape::schema)
    }

    /// The most tokens of a document, where there is such a limit.
    pub fn max_input_tokens(&self) -> Option<u32> {
        self.text.max_input_tokens
    }
}

/// The shape of an answer that is data. Parts of data are not put together.
fn output(text: &OwnTaskText) -> Result<Option<Shape>, SpecProblem> {
    let Some(schema) = &text.output else { return Ok(None) };
    if text.strategy != OwnStrategy::Single {
        let message =
            "an answer that is data goes with the strategy single: data of parts is not put together";
        return Err(SpecProblem::at(&["output"], message));
    }
    if schema["type"] != "object" {
        return Err(SpecProblem::at(
            &["output", "type"],
            "expected \"object\": models answer with no other data",
        ));
    }
    // Another edition gives some words another meaning, or one that this one passes over.
    if let Some(edition) = schema.get("$schema")
        && edition.as_str().map(|edition| edition.trim_end_matches('#')) != Some(EDITION)
    {
        let message =
            format!("expected {EDITION:?} or nothing, found {edition}: answers are checked by that");
        return Err(SpecProblem::at(&["output", "$schema"], &message));
    }
    let schema = OutputSchema::new(text.name.as_str(), schema.clone());
    let schema = schema.expect("the name of a task is one, and the schema describes an object");
    Shape::new(schema).map(Some).map_err(|error| {
        let path = error.instance_path().as_str().to_owned();
        let path: Vec<&str> = ["output"].into_iter().chain(path.split('/').skip(1)).collect();
        SpecProblem::at(&path, &format!("is no JSON schema that can be used: {error}"))
    })
}

impl SpecProblem {
    fn at(path: &[&str], message: &str) -> Self {
        let path = path.iter().map(ToString::to_string).collect();
        Self { path, line: None, message: message.to_owned() }
    }

    fn of_template(key: &str, problem: &TemplateProblem) -> Self {
        Self { line: problem.line, ..Self::at(&[key], &problem.message) }
    }

    fn below(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }
}

/// One text to work on, and what its request says.
#[derive(Debug, Clone)]
pub struct OwnTask {
    spec: Arc<OwnTaskSpec>,
    source: SourceText,
    /// The members of its own, by the names of the schema, defaults included.
    members: Arc<Map<String, Value>>,
    /// The rules, rendered.
    rules: Arc<[Piece]>,
    /// The rules of a merge, rendered.
    merge_rules: Option<Arc<[Piece]>>,
    brief: Brief,
}

impl OwnTask {
    pub(super) fn read(spec: &Arc<OwnTaskSpec>, fields: &mut Fields) -> Option<Self> {
        let source = fields.source_text();
        let members = read_members(&spec.input, fields);
        let brief = Brief::read_only(fields, spec.text.common);
        let members = members?;
        let mut rendered = |template: &Template| match template.render(&members, &spec.input) {
            Ok(pieces) => Some(Arc::from(pieces)),
            Err(_) => {
                let detail = "The rules of this task cannot be written for these members. Whoever wrote the \
                              task has to look at it.";
                fields.problem("", detail);
                None
            }
        };
        let rules = rendered(&spec.prompt)?;
        let merge_rules = match &spec.merge {
            Some(template) => Some(rendered(template)?),
            None => None,
        };
        let spec = Arc::clone(spec);
        Some(Self { spec, source: source?, members: Arc::new(members), rules, merge_rules, brief })
    }

    pub fn spec(&self) -> &Arc<OwnTaskSpec> {
        &self.spec
    }

    pub(super) fn document(&self) -> Passage {
        self.source.share()
    }

    pub(super) fn prompt(&self, boundary: &Boundary) -> Prompt {
        self.compose(&self.rules, &Scene::default(), self.document(), boundary)
    }

    /// The same job on a part of the document alone; `None` when the part is blank.
    pub(super) fn on(&self, part: &Part) -> Option<Self> {
        let source = SourceText::of(part.text.clone()).ok()?;
        Some(Self { source, ..self.clone() })
    }

    /// What the model is told about a part whose answer is joined with the others; `self`
    /// is the job on that part.
    pub(super) fn joined_prompt(&self, part: &Part, document: &Passage, boundary: &Boundary) -> Prompt {
        let scene = part.joined_scene("work on", "worked on", &Voice::of(document), boundary);
        self.compose(&self.rules, &scene, self.document(), boundary)
    }

    /// What the model is told about a part whose answer is merged with the others.
    pub(super) fn mapped_prompt(&self, part: &Part, boundary: &Boundary) -> Prompt {
        let scene = part.summed_up_scene("work on", boundary);
        self.compose(&self.rules, &scene, part.text.clone(), boundary)
    }

    /// Merges answers to parts into one.
    pub(super) fn merge_prompt(&self, answers: Passage, boundary: &Boundary) -> Prompt {
        // Only map-reduce merges, and it has rules for that.
        let rules = self.merge_rules.as_ref().unwrap_or(&self.rules);
        self.compose(rules, &merged_answers_scene(), answers, boundary)
    }

    pub(super) fn output_size(&self, input_tokens: u32) -> OutputSize {
        let expected = match self.spec.text.answer {
            AnswerLength::Tokens(tokens) => tokens,
            AnswerLength::PercentOfInput(percent) => {
                let own = TokensPerWord::of_text(self.source.as_str());
                let translated = own.translate(input_tokens, self.answer_language().unwrap_or(own));
                let tokens = u64::from(translated) * u64::from(percent) / 100;
                u32::try_from(tokens).unwrap_or(u32::MAX)
            }
        };
        with_reserve(expected)
    }

    pub(super) fn temperature(&self) -> f32 {
        self.spec.text.temperature
    }

    /// The size class of the answer, where a request says in which language it is.
    fn answer_language(&self) -> Option<TokensPerWord> {
        let member = self.spec.text.answer_language.as_ref();
        let tag = member.and_then(|name| self.members.get(name)).and_then(Value::as_str);
        let tag = tag.and_then(|tag| LanguageTag::parse(tag).ok());
        tag.as_ref().or(self.brief.output_language.as_ref()).map(TokensPerWord::of_tag)
    }

    /// What is made of a finished answer that is data.
    pub(super) fn review(&self, answer: &str, was_told: bool) -> Review {
        verdict(self.spec.output.as_ref(), answer, was_told)
    }

    /// What the model is told after an answer that could not be used; see [`super::Task::second_prompt`].
    pub(super) fn second_prompt(&self, answer: Option<&str>, problem: &str, boundary: &Boundary) -> Prompt {
        let scene = Retry { answer, problem }.scene(boundary);
        self.compose(&self.rules, &scene, self.document(), boundary)
    }

    fn compose(&self, rules: &[Piece], scene: &Scene, document: Passage, boundary: &Boundary) -> Prompt {
        let format = match self.spec.text.format {
            _ if self.spec.output.is_some() => Some(JSON),
            OwnFormat::Markdown => Some(MARKDOWN),
            OwnFormat::PlainText => Some(PLAIN_TEXT),
            OwnFormat::AsIs => None,
        };
        let data = self.spec.output_schema().map(|schema| schema.text());
        let rules = prompt::OwnRules { pieces: rules, members: &self.members, format, data };
        prompt::compose(&rules, scene, &self.brief, boundary, document)
    }
}

/// The members of the task's own, or the problems they have.
fn read_members(input: &Input, fields: &mut Fields) -> Option<Map<String, Value>> {
    let mut members = Map::new();
    let mut spelled: Vec<(String, String)> = Vec::new();
    for name in input.names() {
        match fields.take_named(name) {
            Some(member) => {
                let value =
                    if fields.is_textual() { input.of_text(name, member.value) } else { member.value };
                members.insert(name.to_owned(), value);
                spelled.push((name.to_owned(), member.name));
            }
            None => {
                if let Some(default) = input.default_of(name) {
                    members.insert(name.to_owned(), default.clone());
                }
            }
        }
    }
    let members = Value::Object(members);
    let problems = input.problems(&members);
    let sound = problems.is_empty();
    for FieldProblem { pointer, detail } in problems {
        let as_spelled = spelled.iter().find(|(name, spelling)| {
            let rest = pointer.strip_prefix('/').and_then(|rest| rest.strip_prefix(name.as_str()));
            name != spelling && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        match as_spelled {
            Some((name, spelling)) => fields.problem(
                pointer.replacen(name.as_str(), spelling, 1),
                detail.replacen(&format!("`{name}`"), &format!("`{spelling}`"), 1),
            ),
            None => fields.problem(pointer, detail),
        }
    }
    match members {
        Value::Object(members) if sound => Some(members),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
