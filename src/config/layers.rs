//! Layers of settings, one over the other.
//!
//! From weak to strong: `config/default.toml`, `config/demo.toml` for the demo,
//! `config/demo-llm.toml` for a demo with a real model, a file, the environment, flags. Owns which keys exist and which layer wins;
//! it does not judge values. The one rule: `config/default.toml` is the list of
//! all keys, and a key that is not in it is a problem, never ignored.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use toml::{Table, Value};

use super::environment::{Environment, PREFIX, STANDARD_VARIABLES, variable_of};
use super::files::Files;
use super::problems::{Problems, nearest};
use super::{RunMode, Sources};

const DEFAULT_TOML: &str = include_str!("../../config/default.toml");
const DEMO_TOML: &str = include_str!("../../config/demo.toml");
const DEMO_LLM_TOML: &str = include_str!("../../config/demo-llm.toml");

/// What stands in a file of models and is often looked for among the settings.
const MODELS_TABLES: [&str; 4] = ["model", "chains", "tasks", "preference"];

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Compiled in.
    Default,
    /// Compiled in, for the demo.
    Demo,
    File(PathBuf),
    /// A line of a file, from 1.
    Line(PathBuf, usize),
    /// The variable's name.
    Environment(String),
    /// The flag as it is typed.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Demo => f.write_str("demo default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Line(path, line) => write!(f, "file {}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// A value and who set it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The strongest value of every key.
pub(super) struct Layers {
    settings: BTreeMap<String, Setting>,
}

impl Layers {
    /// All layers of these sources.
    pub(super) fn of(sources: &Sources, files: &mut Files, problems: &mut Problems) -> Self {
        let mut layers = Self::compiled_in();
        let of_demo: &[&str] = match sources.mode {
            RunMode::Serve => &[],
            RunMode::Demo => &[DEMO_TOML],
            RunMode::DemoWithLlm { .. } => &[DEMO_TOML, DEMO_LLM_TOML],
        };
        for layer in of_demo {
            let table = layer.parse().expect("the demo's layers are TOML, which a test proves");
            layers.overlay_table(&table, &Origin::Demo, problems);
        }
        if let Some(table) = sources.file.as_deref().and_then(|path| files.toml(path, problems)) {
            let path = sources.file.clone().unwrap_or_default();
            layers.overlay_table(&table, &Origin::File(path), problems);
        }
        layers.overlay_environment(&sources.environment, problems);
        if let Some(listen) = &sources.listen {
            layers.set("http.listen", Value::String(listen.clone()), Origin::Flag("--listen"));
        }
        layers
    }

    /// The value in effect. The key is one that the code spells, so it exists.
    pub(super) fn setting(&self, key: &str) -> &Setting {
        self.settings.get(key).expect("every key that the loader reads stands in config/default.toml")
    }

    pub(super) fn origin(&self, key: &str) -> &Origin {
        &self.setting(key).origin
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }

    pub(super) fn compiled_in() -> Self {
        let table: Table = DEFAULT_TOML.parse().expect("the compiled-in layer is TOML, which a test proves");
        let mut settings = BTreeMap::new();
        for (key, value) in leaves(&table) {
            settings.insert(key, Setting { value: value.clone(), origin: Origin::Default });
        }
        Self { settings }
    }

    fn overlay_table(&mut self, table: &Table, origin: &Origin, problems: &mut Problems) {
        for (key, value) in leaves(table) {
            if self.settings.contains_key(&key) {
                self.set(&key, value.clone(), origin.clone());
            } else if self.is_section(&key) {
                problems.add(&key, origin, format!("expected a table, [{key}], found {value}"));
            } else {
                problems.add(&key, origin, format!("unknown setting, {}", self.advice(&key)));
            }
        }
    }

    fn overlay_environment(&mut self, environment: &Environment, problems: &mut Problems) {
        for (key, names) in STANDARD_VARIABLES {
            if key == "bedrock.endpoint_url" && environment.ignores_endpoint_urls() {
                continue;
            }
            let found = names.iter().find_map(|name| Some((name, environment.get(name)?)));
            if let Some((name, text)) = found {
                self.set_text(key, text, (*name).to_owned());
            }
        }
        let by_variable: BTreeMap<String, String> =
            self.keys().map(|key| (variable_of(key), key.to_owned())).collect();
        for (name, text) in environment.own() {
            if let Some(key) = by_variable.get(name) {
                self.set_text(key, text, name.to_owned());
            } else {
                let key = name.trim_start_matches(PREFIX).replace("__", ".").to_ascii_lowercase();
                let advice = match self.meant(&key) {
                    Some(meant) => format!("did you mean {}?", variable_of(meant)),
                    None => self.advice(&key),
                };
                problems.add(
                    key,
                    &Origin::Environment(name.to_owned()),
                    format!("unknown setting, {advice}"),
                );
            }
        }
    }

    fn set(&mut self, key: &str, value: Value, origin: Origin) {
        self.settings.insert(key.to_owned(), Setting { value, origin });
    }

    /// Reads the text as the type of the default. Text that is not of that type
    /// stays text, so that the reader can say what it expected.
    fn set_text(&mut self, key: &str, text: &str, variable: String) {
        let as_text = || Value::String(text.to_owned());
        let value = match &self.setting(key).value {
            Value::Integer(_) => text.parse().map_or_else(|_| as_text(), Value::Integer),
            Value::Float(_) => text.parse().map_or_else(|_| as_text(), Value::Float),
            Value::Boolean(_) => text.parse().map_or_else(|_| as_text(), Value::Boolean),
            Value::Array(_) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
            }
            _ => as_text(),
        };
        self.set(key, value, Origin::Environment(variable));
    }

    fn is_section(&self, key: &str) -> bool {
        self.keys().any(|known| known.split_once('.').is_some_and(|(section, _)| section == key))
    }

    /// The key that the writer of an unknown one probably meant: the same name in
    /// another section, or a similar key.
    fn meant(&self, key: &str) -> Option<&str> {
        let name = key.rsplit('.').next();
        let elsewhere = self.keys().find(|known| known.rsplit('.').next() == name);
        elsewhere.or_else(|| nearest(key, self.keys()))
    }

    fn advice(&self, key: &str) -> String {
        let section = key.split('.').next();
        if section.is_some_and(|section| MODELS_TABLES.contains(&section)) {
            return "models and chains stand in a file of their own, which models.file names".to_owned();
        }
        if let Some(meant) = self.meant(key) {
            return format!("did you mean {meant}?");
        }
        let in_section: Vec<&str> = self.keys().filter(|known| known.split('.').next() == section).collect();
        if !in_section.is_empty() {
            return format!("known are {}", in_section.join(", "));
        }
        let mut sections: Vec<&str> = self.keys().filter_map(|known| known.split('.').next()).collect();
        sections.dedup();
        format!("known sections are {}", sections.join(", "))
    }
}

/// Parses TOML, or tells where it stops being TOML.
pub(super) fn parse_toml(text: &str, origin: &Origin, problems: &mut Problems) -> Option<Table> {
    let error = match text.parse::<Table>() {
        Ok(table) => return Some(table),
        Err(error) => error,
    };
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let message = error.message().replace('\n', ", ");
    problems.add("", origin, format!("line {line}, column {column}: {message}"));
    None
}

/// Key paths of all values that are not tables.
fn leaves(table: &Table) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) if !inner.is_empty() => {
                let inner = leaves(inner).into_iter();
                found.extend(inner.map(|(path, value)| (format!("{name}.{path}"), value)));
            }
            Value::Table(_) => {}
            _ => found.push((name.clone(), value)),
        }
    }
    found
}
