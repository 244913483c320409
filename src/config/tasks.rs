//! Tasks from files: `tasks.folder`, one file for each, named after its task.
//!
//! Turns the files of a folder into the tasks that the service offers besides its own.
//! A problem in one file never hides the next one. The one rule: a problem names its
//! file, its line and its key, and a file with a problem is no task.

mod entry;
mod lines;

use std::collections::BTreeMap;
use std::path::Path;

use self::entry::Entry;
use self::lines::Lines;
use super::files::Files;
use super::layers::{Origin, parse_toml};
use super::problems::Problems;
use crate::domain::{TaskKind, TaskName};
use crate::pipeline::OwnTasks;
use crate::routing::Catalogue;
use crate::tasks::SpecProblem;

/// The tasks that are compiled in, by name.
const BUILT_IN: [(&str, &str); 2] = [
    ("extract-action-items", include_str!("../../config/tasks/extract-action-items.toml")),
    ("translate", include_str!("../../config/tasks/translate.toml")),
];

/// The most tasks: each has label values of its own.
const MOST_TASKS: usize = 64;

/// Tasks by name.
pub(super) type Entries = BTreeMap<TaskName, Entry>;

/// Makes the tasks known to the catalogue. One whose file names no chain has the one of
/// `expand`; the guardrail of `expand` watches them all, as it does the other tasks that
/// a file of models does not name.
pub(super) fn adopt(entries: Entries, catalogue: &mut Catalogue) -> OwnTasks {
    let usual = catalogue.task_chains.get(TaskKind::Expand.as_str()).cloned();
    let guardrail = catalogue.task_guardrails.get(TaskKind::Expand.as_str()).cloned();
    let mut tasks = OwnTasks::default();
    for (name, Entry { spec, chain }) in entries {
        catalogue.task_chains.extend(chain.or_else(|| usual.clone()).map(|chain| (name.clone(), chain)));
        catalogue.task_guardrails.extend(guardrail.clone().map(|guardrail| (name.clone(), guardrail)));
        tasks.insert(name, spec);
    }
    tasks
}

/// The tasks that are compiled in.
pub(super) fn built_in() -> OwnTasks {
    let mut problems = Problems::default();
    let of_file = |(stem, text)| of_file(stem, text, None, None, &mut problems);
    let entries = BUILT_IN.into_iter().filter_map(of_file);
    entries.map(|(name, entry)| (name, entry.spec)).collect()
}

/// The longest file, in bytes: two templates and two schemas.
const MOST_BYTES: usize = 256 * 1024;

/// Loads the files of the named folder, or the built-in ones when there is no name. A path
/// that a file names is relative to that file.
pub(super) fn load(
    folder: &str,
    set_by: &Origin,
    catalogue: Option<&Catalogue>,
    files: &mut Files,
    problems: &mut Problems,
) -> Option<Entries> {
    let before = problems.count();
    let mut entries = Entries::new();
    if folder.is_empty() {
        for (stem, text) in BUILT_IN {
            entries.extend(of_file(stem, text, None, catalogue, problems));
        }
    } else {
        let folder = match set_by {
            Origin::File(settings) => settings.parent().unwrap_or(Path::new("")).join(folder),
            _ => Path::new(folder).to_owned(),
        };
        let origin = Origin::File(folder.clone());
        let paths = match files.folder(&folder, "toml") {
            Ok(paths) => paths,
            Err(reason) => {
                problems.add("tasks.folder", set_by, format!("{} {reason}", folder.display()));
                return None;
            }
        };
        if paths.len() > MOST_TASKS {
            let count = paths.len();
            problems.add("", &origin, format!("has {count} tasks, the most are {MOST_TASKS}"));
            return None;
        }
        for path in paths {
            // A pipe would be waited for.
            if !path.is_file() {
                problems.add("", &Origin::File(path), "is no file that can be read");
                continue;
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(text) = files.text(&path, problems) {
                entries.extend(of_file(&stem, &text, Some(&path), catalogue, problems));
            }
        }
    }
    (problems.count() == before).then_some(entries)
}

/// One task; `None` comes with a problem.
fn of_file(
    stem: &str,
    text: &str,
    path: Option<&Path>,
    catalogue: Option<&Catalogue>,
    problems: &mut Problems,
) -> Option<(TaskName, Entry)> {
    let origin = path.map_or(Origin::Default, |path| Origin::File(path.to_owned()));
    let name = match TaskName::own(stem) {
        Ok(name) => name,
        Err(error) => {
            problems.add("", &origin, format!("a task is called like its file, and {error}"));
            return None;
        }
    };
    if text.len() > MOST_BYTES {
        let message = format!("has {} bytes, the most of a task are {MOST_BYTES}", text.len());
        problems.add("", &origin, message);
        return None;
    }
    let table = parse_toml(text, &origin, problems)?;
    let lines = Lines::of(text);
    let at = |line: Option<usize>| match (path, line) {
        (Some(path), Some(line)) => Origin::Line(path.to_owned(), line),
        _ => origin.clone(),
    };
    let mut found = Problems::default();
    let entry = entry::read(&name, &table, catalogue, &origin, &mut found);
    let mut sound = found.is_empty();
    for problem in found.iter() {
        let keys: Vec<&str> = problem.key.split('.').collect();
        problems.add(&problem.key, &at(lines.of_key(&keys)), &problem.message);
    }
    match entry {
        Some(Ok(entry)) if sound => return Some((name, entry)),
        Some(Err(of_spec)) => {
            sound = false;
            for SpecProblem { path: keys, line, message } in of_spec {
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let line = match line {
                    Some(inside) => lines.of_text(&keys, inside),
                    None => lines.of_key(&keys),
                };
                problems.add(keys.join("."), &at(line), message);
            }
        }
        _ => {}
    }
    debug_assert!(!sound, "a file without problems is a task");
    None
}

#[cfg(test)]
mod tests;
