//! One task file: its keys, read with their bounds.
//!
//! Owns the names and bounds of the keys. What a template or a schema may hold, the
//! room `tasks` knows. The one rule: a key means something or is a problem.

use std::sync::Arc;

use toml::{Table, Value};

use crate::config::layers::Origin;
use crate::config::problems::{Problems, advice};
use crate::config::section::Section;
use crate::domain::TaskName;
use crate::routing::Catalogue;
use crate::tasks::{
    AnswerLength, CommonOptions, OwnFormat, OwnStrategy, OwnTaskSpec, OwnTaskText, SpecProblem, Vocabulary,
};

/// A task, and the chain that its file names.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) struct Entry {
    pub spec: Arc<OwnTaskSpec>,
    pub chain: Option<Arc<str>>,
}

/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 300;
/// The most tokens of an answer.
const MOST_ANSWER_TOKENS: i64 = 32_000;
/// The most hundredths of a document's length that an answer may have.
const MOST_PERCENT: i64 = 500;
/// The most tokens of a document that a limit can name.
const MOST_INPUT_TOKENS: i64 = 100_000_000;
/// Options of all tasks that a file may ask for.
const OPTIONS: [&str; 3] = ["context", "output_language", "expected_input_languages"];

/// Reads a file. `None` comes with a problem in `problems`; else what is wrong with the
/// task as a whole.
pub(super) fn read(
    name: &TaskName,
    table: &Table,
    catalogue: Option<&Catalogue>,
    origin: &Origin,
    problems: &mut Problems,
) -> Option<Result<Entry, Vec<SpecProblem>>> {
    let mut root = Section::new("", table, origin);
    let about = format!("a sentence of at most {LONGEST_DESCRIPTION} characters");
    let description = root.required("description", &about, problems, |value| {
        let fits = |text: &&str| !text.trim().is_empty() && text.chars().count() <= LONGEST_DESCRIPTION;
        value.as_str().filter(fits)
    });
    let prompt = root.required("prompt", "the rules of the task", problems, Value::as_str);
    let merge = root.optional("merge", "the rules of a merge", problems, Value::as_str);
    let strategy = word::<OwnStrategy>(&mut root, "strategy", problems);
    let format = word::<OwnFormat>(&mut root, "format", problems);
    let temperature = root.optional("temperature", "a number from 0 to 1", problems, as_temperature);
    let chain = chain(&mut root, catalogue, problems);
    let common = options(&mut root, problems);
    let answer = root.required("answer", "a table [answer]", problems, Value::as_table);
    let answer = answer.and_then(|table| answer_length(table, origin, problems));
    let limits = root.optional("limits", "a table [limits]", problems, Value::as_table);
    let max_input_tokens = match limits {
        Some(Some(table)) => max_input_tokens(table, origin, problems),
        Some(None) => Some(None),
        None => None,
    };
    let input = root.optional("input", "a table [input] with a JSON schema", problems, Value::as_table);
    let output = root.optional("output", "a table [output] with a JSON schema", problems, Value::as_table);
    if table.contains_key("name") {
        root.know("name");
        root.refuse("name", "a task is called like its file", problems);
    }
    root.finish(problems);
    let input = match input? {
        Some(table) => as_json(table),
        None => serde_json::json!({}),
    };
    let (answer, answer_language) = answer?;
    let text = OwnTaskText {
        name: name.clone(),
        description: description?.to_owned(),
        prompt: prompt?.to_owned(),
        merge: merge?.map(str::to_owned),
        input,
        strategy: strategy?,
        answer,
        answer_language,
        format: format?,
        temperature: temperature?.unwrap_or(0.3),
        common: common?,
        max_input_tokens: max_input_tokens?,
        output: output?.map(as_json),
    };
    let chain = chain?;
    Some(OwnTaskSpec::new(text).map(|spec| Entry { spec: Arc::new(spec), chain }))
}

fn as_json(table: &Table) -> serde_json::Value {
    serde_json::to_value(table).expect("a table is an object, with texts for dates")
}

fn word<T: Vocabulary>(section: &mut Section<'_>, key: &'static str, problems: &mut Problems) -> Option<T> {
    let names: Vec<String> = T::NAMES.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let read = section.optional(key, &names.join(" or "), problems, |value| T::from_word(value.as_str()?));
    read.map(Option::unwrap_or_default)
}

/// Temperatures have a few digits, which a number of half the size keeps.
#[expect(clippy::cast_possible_truncation, reason = "the value lies between 0 and 1")]
fn as_temperature(value: &Value) -> Option<f32> {
    let whole = value.as_integer().filter(|number| (0..=1).contains(number));
    let number = value.as_float().or(whole.map(|number| if number == 0 { 0.0 } else { 1.0 }))?;
    (0.0..=1.0).contains(&number).then_some(number as f32)
}

fn whole(value: &Value, most: i64) -> Option<u32> {
    value.as_integer().filter(|number| (1..=most).contains(number)).and_then(|number| number.try_into().ok())
}

/// The chain that the file names, which must exist.
fn chain(
    section: &mut Section<'_>,
    catalogue: Option<&Catalogue>,
    problems: &mut Problems,
) -> Option<Option<Arc<str>>> {
    let name = section.optional("chain", "the name of a chain", problems, Value::as_str)?;
    if let (Some(name), Some(catalogue)) = (name, catalogue)
        && catalogue.chain(name).is_none()
    {
        let known: Vec<&str> = catalogue.chains.keys().map(|known| &**known).collect();
        section.refuse("chain", &format!("no chain is called {name}, {}", advice(name, &known)), problems);
        return None;
    }
    Some(name.map(Arc::from))
}

fn options(section: &mut Section<'_>, problems: &mut Problems) -> Option<CommonOptions> {
    let expected = format!("a list of {}", OPTIONS.map(|name| format!("\"{name}\"")).join(", "));
    let names = section.optional("options", &expected, problems, |value| {
        let names: Vec<&str> = value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
        names.iter().all(|name| OPTIONS.contains(name)).then_some(names)
    })?;
    let names = names.unwrap_or_default();
    let [context, output_language, expected_input_languages] = OPTIONS.map(|name| names.contains(&name));
    Some(CommonOptions { context, output_language, expected_input_languages })
}

/// How long the answer is, and the member that tells its language.
fn answer_length(
    table: &Table,
    origin: &Origin,
    problems: &mut Problems,
) -> Option<(AnswerLength, Option<String>)> {
    let mut section = Section::new("answer", table, origin);
    let mut number = |key, most| {
        let expected = format!("a whole number from 1 to {most}");
        section.optional(key, &expected, problems, |value| whole(value, most))
    };
    let tokens = number("tokens", MOST_ANSWER_TOKENS);
    let percent = number("percent_of_input", MOST_PERCENT);
    let language = section.optional("language", "the name of a member of the input", problems, Value::as_str);
    let length = match (tokens, percent) {
        (Some(Some(tokens)), Some(None)) => Some(AnswerLength::Tokens(tokens)),
        (Some(None), Some(Some(percent))) => Some(AnswerLength::PercentOfInput(percent)),
        (Some(Some(_)), Some(Some(_))) => {
            section.refuse("tokens", "expected either tokens or percent_of_input, not both", problems);
            None
        }
        (Some(None), Some(None)) => {
            let message = "is missing, expected how long an answer is: tokens, or percent_of_input";
            section.refuse("tokens", message, problems);
            None
        }
        (None, _) | (_, None) => None,
    };
    section.finish(problems);
    Some((length?, language?.map(str::to_owned)))
}

fn max_input_tokens(table: &Table, origin: &Origin, problems: &mut Problems) -> Option<Option<u32>> {
    let mut section = Section::new("limits", table, origin);
    let expected = format!("a whole number from 1 to {MOST_INPUT_TOKENS}");
    let limit =
        section.optional("max_input_tokens", &expected, problems, |value| whole(value, MOST_INPUT_TOKENS));
    section.finish(problems);
    limit
}
