//! What surrounds the binary, held against the binary: dashboard, alerts, the
//! operator's handbook, image and compose file.
//!
//! A metric or a label that is renamed in the code must not live on in a query
//! that then shows nothing. The truth is what the service exposes at its start:
//! every metric with its labels and, for closed labels, every value.

mod exposition;
mod queries;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use exposition::{families, family_name};
use queries::{problems, selectors};

fn read(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn assert_none(broken: &[String], what: &str) {
    assert!(broken.is_empty(), "{what}:\n{}", broken.join("\n"));
}

/// Every string under one of `keys`, anywhere in the document.
fn strings<'a>(value: &'a Value, keys: &[&str], found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(text) if keys.contains(&key.as_str()) => found.push(text),
                    other => strings(other, keys, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, keys, found)),
        _ => {}
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/grafana/dashboards/redraft.json")).unwrap()
}

/// The words after `key:` of each line that has it.
fn yaml_values(text: &str, key: &str) -> Vec<String> {
    let value = |line: &str| {
        let line = line.trim().trim_start_matches("- ");
        Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().to_owned())
    };
    text.lines().filter_map(value).collect()
}

#[test]
fn every_query_of_the_dashboard_asks_for_what_the_service_exposes() {
    let (families, board) = (families(), dashboard());
    let mut queries = Vec::new();
    strings(&board, &["expr", "query", "definition"], &mut queries);
    assert!(queries.len() > 50, "the queries were not found");
    let broken: Vec<String> =
        queries.into_iter().flat_map(|query| problems(query, &families, &BTreeSet::new())).collect();
    assert_none(&broken, "the dashboard asks for what is not there");
}

#[test]
fn every_metric_of_ours_is_on_the_dashboard() {
    let mut queries = Vec::new();
    let board = dashboard();
    strings(&board, &["expr"], &mut queries);
    let families = families();
    let shown: BTreeSet<String> = queries
        .into_iter()
        .flat_map(selectors)
        .map(|selector| family_name(&selector.name, &families).to_owned())
        .collect();
    let ours = families.keys().filter(|name| !name.starts_with("process_") && *name != "redraft_build_info");
    let missing: Vec<String> = ours.filter(|name| !shown.contains(*name)).cloned().collect();
    assert_none(&missing, "metrics that no panel shows");
}

#[test]
fn the_dashboard_names_its_data_source_by_variable_and_no_panel_twice() {
    let board = dashboard();
    assert_eq!(board["uid"], "redraft");
    let mut ids = BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64()), "the id of {} stands twice", panel["title"]);
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
        let position = &panel["gridPos"];
        assert!(
            position["x"].as_u64().unwrap() + position["w"].as_u64().unwrap() <= 24,
            "{}",
            panel["title"]
        );
    }
}

#[test]
fn every_rule_asks_for_what_the_service_exposes() {
    let rules = read("deploy/prometheus/rules.yml");
    let recorded: BTreeSet<String> = yaml_values(&rules, "record").into_iter().collect();
    assert!(recorded.len() > 5, "the recording rules were not found");
    // A rule ends where its labels begin; annotations hold prose. Comments are prose too.
    let expressions: Vec<String> = rules
        .split("expr:")
        .skip(1)
        .map(|rule| rule.split("labels:").next().unwrap_or_default())
        .map(|rule| rule.split("- record:").next().unwrap_or_default())
        .map(|rule| {
            rule.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
        })
        .collect();
    assert!(expressions.len() > 25, "the rules were not found");
    let families = families();
    let mut broken: Vec<String> =
        expressions.iter().flat_map(|query| problems(query, &families, &recorded)).collect();
    for query in &expressions {
        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':'));
        let unknown = words.filter(|word| word.starts_with("redraft:") && !recorded.contains(*word));
        broken.extend(unknown.map(|word| format!("{word} is not recorded")));
    }
    assert_none(&broken, "the rules ask for what is not there");
}

#[test]
fn every_alert_is_tried_out_and_the_handbook_tells_what_to_do() {
    let (rules, handbook) = (read("deploy/prometheus/rules.yml"), read("docs/OPERATIONS.md"));
    let tests = read("deploy/prometheus/rules_test.yml") + &read("deploy/prometheus/rules_week_test.yml");
    let headings: BTreeSet<String> =
        handbook.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_ascii_lowercase).collect();
    let alerts = yaml_values(&rules, "alert");
    assert!(alerts.len() > 15, "the alerts were not found");
    for alert in &alerts {
        assert!(handbook.contains(alert.as_str()), "{alert} is not in docs/OPERATIONS.md");
        let fires = tests.split("- eval_time:").any(|check| check.contains(&format!("alertname: {alert}\n")));
        assert!(fires, "no rule test lets {alert} fire");
    }
    for runbook in yaml_values(&rules, "runbook") {
        let anchor = runbook.strip_prefix("docs/OPERATIONS.md#").expect("every runbook is in the handbook");
        assert!(headings.contains(anchor), "docs/OPERATIONS.md has no heading {anchor}");
    }
    let named = handbook.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| {
        word.strip_prefix("Redraft").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    });
    for name in named {
        let is_group = headings.contains(&name.to_ascii_lowercase());
        assert!(is_group || alerts.iter().any(|alert| alert == name), "there is no alert {name}");
    }
}

#[test]
fn the_handbook_lists_every_metric_with_its_type_and_labels_and_no_other() {
    let handbook = read("docs/OPERATIONS.md");
    let listed: BTreeMap<&str, (&str, BTreeSet<&str>)> = handbook
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, name, kind, labels, meaning, _] = cells.as_slice() else { return None };
            let kind_is_known = ["counter", "gauge", "histogram"].contains(kind);
            assert!(!kind_is_known || meaning.len() > 5, "{name} has no meaning");
            let labels =
                labels.split(',').map(|label| label.trim().trim_matches('`')).filter(|label| *label != "–");
            kind_is_known.then(|| (name.trim_matches('`'), (*kind, labels.collect())))
        })
        .collect();
    // The process collector exists on Linux only.
    let everywhere = |name: &str| cfg!(target_os = "linux") || !name.starts_with("process_");
    let mut broken = Vec::new();
    let families = families();
    for (name, family) in &families {
        let labels: BTreeSet<&str> = family.labels.keys().map(String::as_str).collect();
        match listed.get(name.as_str()) {
            None => broken.push(format!("{name} is missing")),
            Some((kind, _)) if *kind != family.kind => broken.push(format!("{name} is a {}", family.kind)),
            Some((_, known)) if *known != labels => broken.push(format!("{name} has the labels {labels:?}")),
            Some(_) => {}
        }
    }
    let gone = listed.keys().filter(|name| everywhere(name) && !families.contains_key(**name));
    broken.extend(gone.map(|name| format!("{name} does not exist")));
    assert_none(&broken, "the table of metrics in docs/OPERATIONS.md is not true");
}

#[test]
fn the_handbook_lists_every_field_of_a_requests_log_line() {
    let source = read("src/telemetry/request_record.rs");
    let (_, event) = source.split_once("$level,\n").expect("the log line is written with one macro");
    let fields: Vec<&str> = event
        .lines()
        .take_while(|line| !line.trim_start().starts_with('"'))
        .map(|line| line.split('=').next().unwrap_or_default().trim().trim_end_matches(','))
        .collect();
    assert!(fields.len() > 15, "the fields were not found");
    let handbook = read("docs/OPERATIONS.md");
    let missing: Vec<String> = fields
        .into_iter()
        .filter(|field| !handbook.contains(&format!("`{field}`")))
        .map(str::to_owned)
        .collect();
    assert_none(&missing, "fields that docs/OPERATIONS.md does not name");
}

#[test]
fn every_setting_that_deployments_name_exists() {
    let defaults: toml::Table = read("config/default.toml").parse().unwrap();
    let known =
        |section: &str, key: &str| defaults.get(section).is_some_and(|section| section.get(key).is_some());
    let mut broken = Vec::new();
    for file in ["Dockerfile", "docker-compose.yml", "docs/OPERATIONS.md", "CONTRIBUTING.md"] {
        let text = read(file);
        for (at, prefix) in text.match_indices("REDRAFT__") {
            let name = &text[at + prefix.len()..];
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            let (section, key) = name[..end].split_once("__").unwrap_or_default();
            if !known(&section.to_ascii_lowercase(), &key.to_ascii_lowercase()) {
                broken.push(format!("{file}: REDRAFT__{}", &name[..end]));
            }
        }
        for quoted in text.split('`').skip(1).step_by(2) {
            if let Some((section, key)) =
                quoted.split(" = ").next().and_then(|setting| setting.split_once('.'))
                && defaults.contains_key(section)
                && !known(section, key)
            {
                broken.push(format!("{file}: {quoted}"));
            }
        }
    }
    assert_none(&broken, "settings that do not exist");
}

#[test]
fn the_image_is_pinned_and_says_which_version_it_is() {
    let (dockerfile, compose) = (read("Dockerfile"), read("docker-compose.yml"));
    let version = env!("CARGO_PKG_VERSION");
    assert!(dockerfile.contains(&format!("image.version=\"{version}\"")), "the label of the Dockerfile");
    assert!(compose.contains(&format!("image: redraft:{version}\n")), "the tag in docker-compose.yml");
    let stages: BTreeSet<&str> =
        dockerfile.lines().filter_map(|line| line.split_once(" AS ")).map(|(_, name)| name).collect();
    let bases = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "))
        .filter_map(|line| line.split(' ').next());
    let images = yaml_values(&compose, "image");
    for image in bases.filter(|base| !stages.contains(base)).chain(images.iter().map(String::as_str)) {
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        assert!(tag.is_some_and(|tag| tag != "latest"), "{image} is not pinned");
    }
    let (_, toolchain) = dockerfile.split_once("/rust:").expect("a Rust image builds it");
    let minor =
        |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).unwrap();
    assert!(minor(toolchain) >= minor(env!("CARGO_PKG_RUST_VERSION")), "the image's Rust is too old");
}

#[test]
fn the_profile_with_a_model_names_flags_that_exist_and_one_context() {
    let compose = read("docker-compose.yml");
    let flag = |line: &str| {
        line.trim()
            .strip_prefix("- --")?
            .split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let flags: Vec<(String, String)> =
        compose.lines().filter_map(flag).filter(|(name, _)| name.starts_with("llm")).collect();
    let names: Vec<&str> = flags.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["llm", "llm-model", "llm-context"]);
    let help = Command::new(env!("CARGO_BIN_EXE_redraft")).args(["demo", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for name in names {
        assert!(help.contains(&format!("--{name} <")), "--{name} is not in {help}");
    }
    let told = yaml_values(&compose, "OLLAMA_CONTEXT_LENGTH");
    assert_eq!(
        told,
        [format!("\"{}\"", flags[2].1)],
        "the server's context is not the one that the demo is told"
    );
    let pulled = compose.lines().find(|line| line.contains("\"pull\"")).unwrap();
    assert!(pulled.contains(&flags[1].1), "the model that is fetched is not the one that writes: {pulled}");
}

#[test]
fn every_port_of_the_compose_file_is_open_to_this_machine_only() {
    let compose = read("docker-compose.yml");
    let published: Vec<&str> = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- \""))
        .filter(|port| port.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(published.len(), 6, "API and metrics twice, Prometheus, Grafana");
    assert!(published.iter().all(|port| port.starts_with("127.0.0.1:")), "{published:?}");
}
