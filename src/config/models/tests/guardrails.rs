//! Guardrails: what is read, who may name them, and what they cannot watch.

use super::{MODEL, REST, try_read};
use crate::config::warnings;
use crate::domain::{CalendarDate, GuardrailStream, OnBlock, Region, TaskKind, TaskName};

const SAFE: &str = "[guardrails.safe]\nid = \"gr7abc\"\nversion = \"3\"\n";

/// The problems of a file with these guardrails, in which `from` was replaced by `to`.
fn problems(guardrails: &str, from: &str, to: &str) -> Vec<String> {
    let sound = format!("{MODEL}{REST}{guardrails}");
    assert!(sound.contains(from), "{from}");
    try_read(&sound.replacen(from, to, 1)).1
}

#[test]
fn a_guardrail_of_a_chain_and_one_of_a_task_arrive_with_every_key() {
    let strict = "[guardrails.strict]\nid = \"gr9\"\nversion = \"DRAFT\"\nstream = \"async\"\non_block = \"answer\"\ntrace = true\n";
    let rest = REST
        .replace("stages = [\"a.one\"]", "stages = [\"a.one\"]\nguardrail = \"safe\"")
        .replace("rephrase = \"main\"", "rephrase = { chain = \"main\", guardrail = \"strict\" }");
    let (catalogue, problems) = try_read(&format!("{MODEL}{rest}{SAFE}{strict}"));
    assert_eq!(problems, [""; 0]);
    let catalogue = catalogue.unwrap();
    let of_chain = catalogue.chain("main").unwrap().guardrail.as_ref().unwrap();
    assert_eq!((&*of_chain.name, &*of_chain.id, &*of_chain.version), ("safe", "gr7abc", "3"));
    assert_eq!((of_chain.stream, of_chain.on_block), (GuardrailStream::Sync, OnBlock::Refuse));
    assert!(!of_chain.trace);
    let rephrase = TaskName::of(TaskKind::Rephrase);
    assert_eq!(catalogue.task_guardrails.keys().collect::<Vec<_>>(), [&TaskName::REFINE, &rephrase]);
    let of_task = &catalogue.task_guardrails[&rephrase];
    assert_eq!((of_task.stream, of_task.on_block), (GuardrailStream::Async, OnBlock::Answer));
    assert!(of_task.trace);
    assert_eq!(&*catalogue.task_chain(&rephrase).name, "main");
}

#[test]
fn each_slip_of_a_guardrail_is_told_at_its_key() {
    for (from, to, line) in [
        (
            "id = \"gr7abc\"",
            "id = \"GR 7\"",
            "guardrails.safe.id: expected a guardrail id or ARN, found \"GR 7\"",
        ),
        ("id = \"gr7abc\"\n", "", "guardrails.safe.id: is missing, expected a guardrail id or ARN"),
        (
            "version = \"3\"",
            "version = 3",
            "guardrails.safe.version: expected a number in quotes, or \"DRAFT\", found 3",
        ),
        (
            "version = \"3\"",
            "version = \"3\"\nstream = \"late\"",
            "guardrails.safe.stream: expected \"sync\" or \"async\", found \"late\"",
        ),
        (
            "version = \"3\"",
            "version = \"3\"\non_block = \"drop\"",
            "guardrails.safe.on_block: expected \"refuse\" or \"answer\", found \"drop\"",
        ),
        (
            "version = \"3\"",
            "version = \"3\"\ntrace = 1",
            "guardrails.safe.trace: expected true or false, found 1",
        ),
        (
            "version = \"3\"",
            "version = \"3\"\nonblock = \"answer\"",
            "guardrails.safe.onblock: unknown key, did you mean on_block?",
        ),
        (
            "[guardrails.safe]",
            "[guardrails]\nother = 5\n[guardrails.safe]",
            "guardrails.other: expected a table with an id and a version, found 5",
        ),
        (
            "stages = [\"a.one\"]",
            "stages = [\"a.one\"]\nguardrail = \"sfae\"",
            "chains.main.guardrail: no guardrail is called sfae, did you mean safe?",
        ),
        (
            "expand = \"main\"",
            "expand = { chain = \"main\", guardrail = \"x\" }",
            "tasks.expand.guardrail: no guardrail is called x, known are safe",
        ),
        (
            "expand = \"main\"",
            "expand = { guardrail = \"safe\" }",
            "tasks.expand.chain: is missing, expected the name of a chain",
        ),
        (
            "expand = \"main\"",
            "expand = { chain = \"main\", gaurdrail = \"safe\" }",
            "tasks.expand.gaurdrail: unknown key, did you mean guardrail?",
        ),
    ] {
        assert_eq!(problems(SAFE, from, to), [line]);
    }
    let without = problems("", "stages =", "guardrail = \"safe\"\nstages =");
    assert_eq!(
        without,
        ["chains.main.guardrail: no guardrail is called safe, add a table [guardrails.safe]"]
    );
}

/// A model that no guardrail can watch, beside the one that the rest uses.
fn unwatched() -> String {
    format!("{}accepts_guardrail = false\n", MODEL.replace("a.one", "b.two"))
}

#[test]
fn a_watched_chain_holds_no_model_that_cannot_be_watched() {
    let guarded = "stages = [\"a.one\", \"b.two\"]\nguardrail = \"safe\"";
    let rest = REST.replace("stages = [\"a.one\"]", guarded);
    let (catalogue, problems) = try_read(&format!("{MODEL}{}{rest}{SAFE}", unwatched()));
    assert!(catalogue.is_none() || !problems.is_empty());
    assert_eq!(problems, ["chains.main: b.two takes no guardrail, and safe is to watch the chain"]);
}

/// A request chooses the chain, also for a task that is watched.
#[test]
fn a_watched_task_can_meet_no_chain_with_a_model_that_cannot_be_watched() {
    let side = "[chains.side]\nstages = [\"a.one\", \"b.two\"]\n";
    let unwatched_task = format!("{MODEL}{}{side}{REST}{SAFE}", unwatched());
    assert_eq!(try_read(&unwatched_task).1, [""; 0]);
    let watched = unwatched_task
        .replace("summarize = \"main\"", "summarize = { chain = \"main\", guardrail = \"safe\" }");
    assert_eq!(
        try_read(&watched).1,
        [
            "tasks.summarize.guardrail: b.two takes no guardrail, and safe is to watch the task in every chain that a request may ask for, such as side"
        ]
    );
}

#[test]
fn a_guardrail_that_watches_nothing_or_not_every_region_is_warned_about() {
    let warned = |rest: &str, guardrail: &str| {
        let (catalogue, problems) = try_read(&format!("{MODEL}{rest}{guardrail}"));
        assert_eq!(problems, [""; 0]);
        let today = CalendarDate::new(2026, 11, 27);
        warnings::of_models(&catalogue.unwrap(), Some(&Region::new("us-east-1")), today)
    };
    let watched = REST.replace("stages = [\"a.one\"]", "guardrail = \"safe\"\nstages = [\"a.one\"]");
    let elsewhere =
        watched.replace("[\"a.one\"]", "[\"a.one\", { model = \"a.one\", region = \"eu-west-1\" }]");
    let arn = SAFE.replace("gr7abc", "arn:aws:bedrock:us-east-1:123456789012:guardrail/gr7abc");
    assert_eq!(warned(REST, SAFE), ["guardrail safe watches nothing: no chain and no task names it"]);
    assert_eq!(warned(&watched, SAFE), [""; 0]);
    assert_eq!(warned(&watched, &arn), [""; 0]);
    let detour = watched.replace("[chains.main]", "[chains.free]\nstages = [\"a.one\"]\n[chains.main]");
    assert_eq!(
        warned(&detour, SAFE),
        [
            "guardrail safe watches chain main alone: a request may ask for free, unless its task has a guardrail"
        ]
    );
    let of_every_task = ["summarize", "rephrase", "expand"].iter().fold(detour, |rest, task| {
        let named = format!("{task} = {{ chain = \"main\", guardrail = \"safe\" }}");
        rest.replace(&format!("{task} = \"main\""), &named)
    });
    assert_eq!(warned(&of_every_task, SAFE), [""; 0]);
    assert_eq!(
        warned(&elsewhere, SAFE),
        ["chain main has targets in several regions: guardrail safe must exist in each under the same id"]
    );
    assert_eq!(
        warned(&elsewhere, &arn),
        ["guardrail safe is of region us-east-1: it cannot watch targets of chain main in eu-west-1"]
    );
}
