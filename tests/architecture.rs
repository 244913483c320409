//! The layering of the house, as a test.
//!
//! Holds the table "module → what it may import", reads every source file and
//! names the line that breaks a rule. Also: who may know AWS, axum and the
//! environment, the size of a file, and words that have no place in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module → everything it may import from the crate. Lower rooms never look up.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("telemetry", &["domain"]),
    ("chunk", &["domain"]),
    ("tasks", &["domain", "chunk"]),
    ("inference", &["domain"]),
    ("routing", &["domain", "inference", "telemetry"]),
    ("pipeline", &["domain", "chunk", "tasks", "routing", "telemetry"]),
    ("documents", &["domain"]),
    ("http", &["domain", "tasks", "pipeline", "documents", "telemetry"]),
    ("config", &["domain", "tasks", "telemetry", "inference", "routing", "pipeline", "documents", "http"]),
    ("app", &["domain", "telemetry", "inference", "routing", "pipeline", "documents", "http", "config"]),
    ("main", &["app"]),
];

const MAX_CODE_LINES: usize = 400;
const BANNED_WORDS: &[&str] = &["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "FIXME", "XXX"];
const BANNED_MODULES: &[&str] = &["util", "utils", "common", "types", "helpers", "misc"];

struct Source {
    path: PathBuf,
    /// The room it belongs to.
    module: String,
    text: String,
}

impl Source {
    /// A file of tests: `tests.rs`, or one in a folder `tests`.
    fn is_test(&self) -> bool {
        let mut names = self.path.components().map(|name| name.as_os_str());
        names.any(|name| name == "tests" || name == "tests.rs")
    }

    /// Lines before the inline tests, with their numbers; none of a file of tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = if self.is_test() { "" } else { self.before_inline_tests() };
        lines.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn before_inline_tests(&self) -> &str {
        &self.text[..self.text.find("#[cfg(test)]\nmod ").unwrap_or(self.text.len())]
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
                found.extend(files_below(&path));
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let sources: Vec<Source> = files_below(&src)
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&src).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
            let module = first.trim_end_matches(".rs").to_owned();
            Source { text: fs::read_to_string(&path).unwrap(), module, path: inside.to_owned() }
        })
        .collect();
    assert!(sources.len() > 40, "the sources were not found");
    sources
}

fn everything() -> Vec<Source> {
    ["src", "tests", "benches", "examples", "bedrock-sim", "fuzz"]
        .iter()
        .map(|folder| root().join(folder))
        .filter(|folder| folder.exists())
        .flat_map(|folder| files_below(&folder))
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            module: String::new(),
            path: path.strip_prefix(root()).unwrap().to_owned(),
        })
        .collect()
}

fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// The crate's own modules that a line names.
fn imports(line: &str) -> Vec<&str> {
    let line = line.split("//").next().unwrap_or_default();
    let mut found = Vec::new();
    for (position, _) in line.match_indices("crate::").chain(line.match_indices("redraft::")) {
        let rest = &line[position..];
        let rest = &rest[rest.find("::").unwrap() + 2..];
        if let Some(group) = rest.strip_prefix('{') {
            let names = group.split(',').map(|part| part.trim().split("::").next().unwrap_or_default());
            found.extend(names.map(|name| name.trim_end_matches(['}', ';', ' '])));
        } else {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(&rest[..end]);
        }
    }
    found
}

#[test]
fn lower_rooms_never_look_up() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.module != "lib") {
        let allowed = table.get(source.module.as_str());
        let Some(allowed) = allowed else {
            broken.push(format!(
                "{}: the room {:?} is not in the table",
                source.path.display(),
                source.module
            ));
            continue;
        };
        for (number, line) in source.code() {
            if line.trim_end().ends_with("crate::{") {
                broken.push(format!("{}: name the rooms on one line each", source.at(number)));
            }
            for import in imports(line) {
                if import != source.module && !allowed.contains(&import) && table.contains_key(import) {
                    broken.push(format!("{}: {} may not import {import}", source.at(number), source.module));
                }
            }
        }
    }
    assert_none(&broken, "a room imports what it may not");
}

#[test]
fn an_import_list_is_read_as_the_rooms_it_names() {
    assert_eq!(imports("use crate::{config, http::Server};"), ["config", "http"]);
    assert_eq!(imports("let x = crate::domain::Cost::default();"), ["domain"]);
    assert_eq!(imports("// crate::http"), Vec::<&str>::new());
}

/// Checks that a text stands only in files whose path passes.
fn only_where(needles: &[&str], allowed: impl Fn(&Source) -> bool, rule: &str) {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| !allowed(source)) {
        for (number, line) in source.code() {
            let line_of_code = line.split("//").next().unwrap_or_default();
            if needles.iter().any(|needle| line_of_code.contains(needle)) {
                broken.push(format!("{}: {}", source.at(number), line.trim()));
            }
        }
    }
    assert_none(&broken, rule);
}

#[test]
fn only_the_bedrock_adapter_knows_aws() {
    let inside = |source: &Source| {
        source.path.starts_with("inference/bedrock") || source.path.ends_with("inference/bedrock.rs")
    };
    only_where(&["aws_"], inside, "AWS crates are used outside inference/bedrock");
}

#[test]
fn only_the_edge_knows_axum_and_status_codes() {
    let inside = |source: &Source| source.module == "http";
    only_where(&["axum::", "StatusCode"], inside, "axum or status codes are used outside http");
}

#[test]
fn the_environment_is_read_in_config_and_main_only() {
    let inside = |source: &Source| source.module == "config" || source.module == "main";
    only_where(&["env::var", "env::vars", "env::args"], inside, "the environment is read elsewhere");
}

#[test]
fn every_file_says_what_it_owns() {
    let silent: Vec<String> = everything()
        .iter()
        .filter(|source| !source.text.starts_with("//!"))
        .map(|source| source.path.display().to_string())
        .collect();
    assert_none(&silent, "files that do not open with //!");
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut broken = Vec::new();
    let all = everything();
    let only_tested = |stem: &str| {
        let declared = format!("#[cfg(test)]\nmod {stem};");
        all.iter().any(|source| source.text.contains(&declared))
    };
    let is_code = |source: &&Source| {
        let in_src = source.path.components().any(|part| part.as_os_str() == "src");
        let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        in_src && !only_tested(stem)
    };
    for source in all.iter().filter(is_code) {
        for (number, line) in source.code() {
            if line.contains(".unwrap()") && !line.trim_start().starts_with("//") {
                broken.push(format!("{}: {}", source.at(number), line.trim()));
            }
        }
    }
    assert_none(&broken, "unwrap outside tests; expect(\"why it holds\") where it holds");
}

#[test]
fn no_file_outgrows_one_concept() {
    let long: Vec<String> = everything()
        .iter()
        .map(|source| {
            let counts = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
            // A file of tests is one concept, too.
            (source, source.before_inline_tests().lines().filter(|line| counts(line)).count())
        })
        .filter(|(_, lines)| *lines > MAX_CODE_LINES)
        .map(|(source, lines)| format!("{}: {lines} lines of code", source.path.display()))
        .collect();
    assert_none(&long, "files with more than 400 lines of code before their tests");
}

#[test]
fn no_unfinished_work_and_no_rooms_without_a_concept() {
    let mut broken = Vec::new();
    for source in everything().iter().filter(|source| !source.path.ends_with("tests/architecture.rs")) {
        for (index, line) in source.text.lines().enumerate() {
            if BANNED_WORDS.iter().any(|word| line.contains(word)) {
                broken.push(format!("{}: {}", source.at(index + 1), line.trim()));
            }
        }
        let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if BANNED_MODULES.contains(&stem) {
            broken.push(format!("{}: a module named {stem}", source.path.display()));
        }
    }
    assert_none(&broken, "unfinished work or a confession of a module");
}
