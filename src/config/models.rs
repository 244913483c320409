//! The file of models: what each can do and costs, the chains, and who uses which.
//!
//! Turns `models.toml` into the catalogue of `routing`. A problem in one entry
//! never hides the next one. The one rule: a name that a chain, a task or a
//! preference uses must exist here.

mod chains;
mod entry;
mod guardrails;
mod identity;
mod local;
mod native_format;
mod service;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::{Table, Value};

pub(super) use self::local::served_by_one;

use self::chains::KnownChains;
use self::guardrails::KnownGuardrails;
use super::files::Files;
use super::layers::{Origin, parse_toml};
use super::problems::Problems;
use crate::config::section::Section;
use crate::routing::{Catalogue, Model};

const BUILT_IN: &str = include_str!("../../config/models.toml");

/// Loads the named file, or the built-in one when there is no name. A path that
/// a file names is relative to that file.
pub(super) fn load(
    file: &str,
    set_by: &Origin,
    files: &mut Files,
    problems: &mut Problems,
) -> Option<Catalogue> {
    if file.is_empty() {
        let table = parse_toml(BUILT_IN, &Origin::Default, problems)?;
        return read(&table, &Origin::Default, problems);
    }
    let path = match set_by {
        Origin::File(settings) => settings.parent().unwrap_or(Path::new("")).join(file),
        _ => Path::new(file).to_owned(),
    };
    let table = files.toml(&path, problems)?;
    read(&table, &Origin::File(path), problems)
}

fn read(table: &Table, origin: &Origin, problems: &mut Problems) -> Option<Catalogue> {
    let mut root = Section::new("", table, origin);
    let entries = root.required("model", "[[model]] entries", problems, as_tables);
    let chains = root.required("chains", "tables [chains.<name>]", problems, Value::as_table);
    let tasks = root.required("tasks", "a table [tasks]", problems, Value::as_table);
    let preference = root.required("preference", "a table [preference]", problems, Value::as_table);
    let guardrails = root.optional("guardrails", "tables [guardrails.<name>]", problems, Value::as_table);
    root.finish(problems);

    let guardrails = guardrails.map(|table| KnownGuardrails::read(table, origin, problems));
    let models = read_entries(&entries.unwrap_or_default(), origin, problems);
    let guardrails = guardrails?;
    let chains = chains.map(|table| KnownChains::read(table, &models, &guardrails, origin, problems));
    let (of_tasks, preferred) = match &chains {
        Some(chains) => (
            tasks.and_then(|table| chains.read_tasks(table, &guardrails, origin, problems)),
            preference.and_then(|table| chains.read_preference(table, origin, problems)),
        ),
        None => (None, None),
    };
    let (speed_chain, capability_chain) = preferred?;
    let of_tasks = of_tasks?;
    let chains = chains?.into_chains();
    let watching =
        chains.values().filter_map(|chain| chain.guardrail.as_ref()).chain(of_tasks.guardrails.values());
    let unused_guardrails = guardrails.others_than(watching);
    let catalogue = Catalogue {
        models: models.into_values().flatten().collect(),
        chains,
        unused_guardrails,
        task_chains: of_tasks.chains,
        task_guardrails: of_tasks.guardrails,
        speed_chain,
        capability_chain,
    };
    Some(catalogue)
}

/// Models by id; `None` for an entry with problems, which its users need not be told again.
type ModelsById<'a> = BTreeMap<&'a str, Option<Arc<Model>>>;

fn read_entries<'a>(entries: &[&'a Table], origin: &Origin, problems: &mut Problems) -> ModelsById<'a> {
    let mut known = ModelsById::new();
    for (index, table) in entries.iter().enumerate() {
        let path = format!("model[{index}]");
        let entry = entry::read(&path, table, origin, problems);
        let Some(id) = entry.id else { continue };
        if known.contains_key(id) {
            problems.add(format!("{path}.id"), origin, format!("{id} has an entry already"));
            continue;
        }
        known.insert(id, entry.model.map(Arc::new));
    }
    known
}

fn as_tables(value: &Value) -> Option<Vec<&Table>> {
    value.as_array()?.iter().map(Value::as_table).collect()
}

#[cfg(test)]
mod tests;
