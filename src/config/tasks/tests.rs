//! Task files, from their text to tasks or to problems with lines.

use std::fs;
use std::path::{Path, PathBuf};

use super::{BUILT_IN, Entries, MOST_BYTES, MOST_TASKS, built_in, load};
use crate::config::files::{Files, Occasion};
use crate::config::layers::Origin;
use crate::config::problems::Problems;
use crate::domain::{Boundary, Passage};
use crate::tasks::{Fields, Joined, OwnStrategy, Part, Reduced, Task};
use serde_json::{Value, json};

const SOUND: &str = "description = \"Shouts.\"\nprompt = '''\nShout {{ word }}.\n'''\n[answer]\ntokens = 10\n\
                     [input]\nrequired = [\"word\"]\n[input.properties.word]\ntype = \"string\"\nmaxLength = 10\n";

/// A folder of one test alone, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("redraft-tasks-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        Self(path)
    }

    fn load(&self) -> (Option<Entries>, Vec<String>) {
        let mut problems = Problems::default();
        let mut files = Files::new(Occasion::Start);
        let origin = Origin::Environment("REDRAFT__TASKS__FOLDER".to_owned());
        let entries = load(&self.0.to_string_lossy(), &origin, None, &mut files, &mut problems);
        let folder = format!("file {}/", self.0.display());
        (entries, problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn the_built_in_tasks_are_sound_and_the_files_of_their_folder() {
    let tasks = built_in();
    let names: Vec<&str> = tasks.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["extract-action-items", "translate"]);
    assert_eq!(tasks["translate"].strategy(), OwnStrategy::MapConcat);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tasks");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, BUILT_IN.map(|(name, _)| name));
}

#[test]
fn every_file_of_a_folder_is_a_task_and_nothing_else_is() {
    let files = [("shout.toml", SOUND), (".hidden.toml", "no"), ("notes.md", "no"), ("whisper.toml", SOUND)];
    let (entries, problems) = Folder::with("sound", &files).load();
    assert_eq!(problems, [""; 0]);
    let entries = entries.unwrap();
    let names: Vec<&str> = entries.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["shout", "whisper"]);
    assert_eq!(entries["shout"].spec.description(), "Shouts.");
    let (entries, problems) = Folder::with("none", &[]).load();
    assert!(entries.unwrap().is_empty() && problems.is_empty(), "no tasks are no problem");
}

#[test]
fn each_slip_is_told_with_its_file_line_and_key() {
    let table = [
        (
            "Shout {{ word }}",
            "Shout {{ wrd }}",
            "prompt (task.toml:3): wrd is no member of the input, did you mean word?",
        ),
        ("Shout {{ word }}", "Shout {{ word", "prompt (task.toml:3): cannot be used: syntax error"),
        ("description = \"Shouts.\"\n", "", "description (task.toml): is missing, expected a sentence"),
        ("description", "descripton", "descripton (task.toml:1): unknown key, did you mean description?"),
        ("description", "name = \"x\"\ndescription", "name (task.toml:1): a task is called like its file"),
        (
            "tokens = 10",
            "tokens = 0",
            "answer.tokens (task.toml:6): expected a whole number from 1 to 32000, found 0",
        ),
        ("tokens = 10", "", "answer.tokens (task.toml:5): is missing, expected how long an answer is"),
        (
            "tokens = 10",
            "tokens = 10\npercent_of_input = 3",
            "answer.tokens (task.toml:6): expected either tokens or percent_of_input, not both",
        ),
        (
            "[answer]",
            "strategy = \"map-reduse\"\n[answer]",
            "strategy (task.toml:5): expected \"single\" or \"map-concat\" or \"map-reduce\", found \"map-reduse\"",
        ),
        (
            "[answer]",
            "strategy = \"map-reduce\"\n[answer]",
            "merge (task.toml): is missing: map-reduce merges",
        ),
        (
            "[answer]",
            "temperature = 1.5\n[answer]",
            "temperature (task.toml:5): expected a number from 0 to 1",
        ),
        (
            "[answer]",
            "options = [\"tone\"]\n[answer]",
            "options (task.toml:5): expected a list of \"context\"",
        ),
        (
            "[answer]",
            "[limits]\nmax_input_tokens = -1\n[answer]",
            "limits.max_input_tokens (task.toml:6): expected",
        ),
        (
            "tokens = 10",
            "tokens = 10\nlanguage = \"wurd\"",
            "answer.language (task.toml:7): wurd is no member",
        ),
        (
            "maxLength = 10",
            "maxlength = 10",
            "input.properties.word.maxlength (task.toml:11): unknown word of a schema, did you mean maxLength?",
        ),
        (
            "maxLength = 10\n",
            "",
            "input.properties.word.maxLength (task.toml:9): expected a whole number from 1 to 10000, found none",
        ),
        (
            "type = \"string\"",
            "\"$ref\" = \"https://example.com/a\"",
            "input.properties.word.$ref (task.toml:10): unknown word of a schema, a schema is written out in its place",
        ),
        (
            "required = [\"word\"]",
            "required = [\"wort\"]",
            "input.required (task.toml:8): \"wort\" is no member of properties, did you mean word?",
        ),
        ("[answer]", "[answer", "task.toml: line 5, column 8: "),
    ];
    for (from, to, expected) in table {
        assert!(SOUND.contains(from), "{from}");
        let text = SOUND.replacen(from, to, 1);
        let (entries, problems) = Folder::with("slip", &[("task.toml", &text)]).load();
        assert!(entries.is_none(), "{to}");
        assert!(problems.iter().any(|problem| problem.starts_with(expected)), "{to}: {problems:#?}");
    }
}

#[test]
fn names_and_numbers_of_files_have_bounds_and_all_problems_are_told() {
    let files = [("Shout.toml", SOUND), ("summarize.toml", SOUND), ("a.toml", "x = 1"), ("b.toml", "y = 1")];
    let (_, problems) = Folder::with("names", &files).load();
    for part in [
        "Shout.toml: a task is called like its file, and a task's name is 1 to 40 characters",
        "summarize.toml: a task is called like its file, and a built-in task has this name",
        "x (a.toml:1): unknown key",
        "y (b.toml:1): unknown key",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(part)), "{part}: {problems:#?}");
    }
    let names: Vec<String> = (0..=MOST_TASKS).map(|number| format!("task-{number}.toml")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), SOUND)).collect();
    let (entries, problems) = Folder::with("many", &files).load();
    assert!(entries.is_none() && problems[0].ends_with("has 65 tasks, the most are 64"), "{problems:?}");
}

#[test]
fn what_is_no_file_or_too_long_for_one_is_a_problem() {
    let long = format!("{SOUND}# {}", "x".repeat(MOST_BYTES));
    let folder = Folder::with("strange", &[("long.toml", &long)]);
    fs::create_dir(folder.0.join("folder.toml")).unwrap();
    let (_, problems) = folder.load();
    let told = problems.join("\n");
    assert!(told.contains("folder.toml: is no file that can be read"), "{told}");
    assert!(told.contains("the most of a task are 262144"), "{told}");
}

#[test]
fn a_folder_that_cannot_be_read_is_a_problem_of_the_setting() {
    let mut problems = Problems::default();
    let mut files = Files::new(Occasion::Start);
    let origin = Origin::Environment("REDRAFT__TASKS__FOLDER".to_owned());
    assert!(load("/no/such/folder", &origin, None, &mut files, &mut problems).is_none());
    assert_eq!(
        problems.to_string(),
        "tasks.folder (environment REDRAFT__TASKS__FOLDER): /no/such/folder is no folder that can be read"
    );
    assert_eq!(files.finish().len(), 1, "it is looked at: it may come");
}

/// A change of words shows as a change of these files. `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn the_prompts_of_the_built_in_tasks_are_kept() {
    let tasks = built_in();
    let text = "Dana sends the plan by Friday. Lee books a room.";
    let least = json!({"text": text, "target_language": "de"});
    let most = json!({
        "text": text, "target_language": "Brazilian Portuguese", "formality": "formal",
        "glossary": "plan = plano", "context": "Minutes of a meeting.",
    });
    let read = |name: &str, body: &Value| {
        let Value::Object(members) = body.clone() else { panic!("not an object") };
        Task::read_own(&tasks[name], &mut Fields::new(members)).expect("the example is read")
    };
    let boundary = Boundary::fixed("0000");
    let whole = |name: &str, body: &Value| read(name, body).prompt(&boundary);
    let second = |task: &Task| {
        let document = task.document();
        let (text, before) = (document.part(31..document.len()), document.part(0..31));
        Part { text, before, headings: Vec::new(), number: 2, total: 2, tokens: 5, document_tokens: 12 }
    };
    let joined = |body: &Value| {
        let task = read("translate", body);
        let part = second(&task);
        let Task::Own(own) = task else { panic!("another task") };
        Joined::Own(own).part(&part, &boundary).expect("the part is not blank").0
    };
    let reduced = |merges: bool| {
        let task = read("extract-action-items", &json!({"text": text, "owner": "Lee", "include_done": true}));
        let part = second(&task);
        let Task::Own(own) = task else { panic!("another task") };
        let lists = Passage::from(
            "[Part 1 of 2]\n- [ ] Send the plan (Dana, Friday)\n\n[Part 2 of 2]\n- [ ] Book a room (Lee)",
        );
        match merges {
            true => Reduced::Own(own).merge_prompt(lists, true, &boundary),
            false => Reduced::Own(own).part_prompt(&part, &boundary),
        }
    };
    let prompts = [
        ("translate-least", whole("translate", &least)),
        ("translate-most", whole("translate", &most)),
        ("translate-part", joined(&most)),
        ("extract-action-items", whole("extract-action-items", &json!({"text": text}))),
        ("extract-action-items-part", reduced(false)),
        ("extract-action-items-merge", reduced(true)),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/own_tasks");
    for (name, prompt) in prompts {
        let path = folder.join(format!("{name}.txt"));
        let told = format!("=== system ===\n{}\n=== user ===\n{}\n", prompt.system, prompt.user.assemble());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &told).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap_or_default(),
            told,
            "{name}: UPDATE_GOLDEN=1 rewrites it"
        );
    }
}
