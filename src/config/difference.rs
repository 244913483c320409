//! What one configuration changes against another, and what of it can change
//! while the service runs.
//!
//! Names settings by their keys and models and chains by their names; it tells no
//! values. The one rule: what is built once at the start (sockets, clients, the
//! log) needs a restart, and everything that requests go by does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Loaded;
use crate::domain::{Guardrail, ModelId, Region, TaskName};
use crate::pipeline::OwnTasks;
use crate::routing::{Catalogue, Chain};

/// What differs, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// What can change while the service runs.
    pub live: Vec<String>,
    /// Settings that only a restart changes.
    pub needs_restart: Vec<String>,
}

/// What `read` changes against `running`.
pub fn difference(running: &Loaded, read: &Loaded) -> Difference {
    let before: BTreeMap<&str, &str> =
        running.settings.iter().map(|setting| (setting.key.as_str(), setting.value.as_str())).collect();
    let changed =
        read.settings.iter().filter(|now| before.get(now.key.as_str()) != Some(&now.value.as_str()));
    let (mut needs_restart, mut live): (Vec<String>, Vec<String>) =
        changed.map(|setting| setting.key.clone()).partition(|key| needs_restart(key));
    let ca_file = "bedrock.ca_file".to_owned();
    let authorities = |loaded: &Loaded| loaded.config.bedrock.trusted_authorities.clone();
    // The same file can hold other certificates.
    if authorities(running) != authorities(read) && !needs_restart.contains(&ca_file) {
        needs_restart.push(ca_file);
    }
    live.extend(of_models(running, read));
    live.extend(of_chains(&running.config.catalogue, &read.config.catalogue));
    live.extend(of_own_tasks(&running.config.own_tasks, &read.config.own_tasks));
    Difference { live, needs_restart }
}

/// Whether only a restart changes a setting.
pub(super) fn needs_restart(key: &str) -> bool {
    const SECTIONS: [&str; 6] = ["http", "ops", "playground", "shutdown", "log", "bedrock"];
    // The connectors of the clients know it, or the reader of files does.
    const KEYS: [&str; 7] = [
        "clocks.connect_ms",
        "documents.max_file_bytes",
        "documents.max_readers",
        "documents.max_memory_bytes",
        "documents.max_cpu_ms",
        "documents.read_ms",
        "documents.max_text_bytes",
    ];
    let section = key.split('.').next().unwrap_or_default();
    SECTIONS.contains(&section) || KEYS.contains(&key)
}

fn of_models(running: &Loaded, read: &Loaded) -> Vec<String> {
    let known = |loaded: &Loaded| -> BTreeMap<ModelId, _> {
        let models = loaded.config.catalogue.models.iter();
        models.map(|model| (model.id.clone(), Arc::clone(model))).collect()
    };
    differing(&known(running), &known(read)).map(|id| format!("model {id}")).collect()
}

/// Tasks from files whose text has changed. Those that came or went are told by their chain.
fn of_own_tasks(running: &OwnTasks, read: &OwnTasks) -> Vec<String> {
    let stayed = |name: &&TaskName| running.contains_key(*name) && read.contains_key(*name);
    differing(running, read).filter(stayed).map(|name| format!("task {name}")).collect()
}

fn of_chains(running: &Catalogue, read: &Catalogue) -> Vec<String> {
    let chains = |catalogue: &Catalogue| -> BTreeMap<String, _> {
        catalogue.chains.iter().map(|(name, chain)| (name.to_string(), shape(chain))).collect()
    };
    let uses = |catalogue: &Catalogue| -> BTreeMap<String, (String, Option<Arc<Guardrail>>)> {
        let of_task = |task: &TaskName| {
            let watched = catalogue.task_guardrails.get(task).cloned();
            (format!("tasks.{task}"), (catalogue.task_chain(task).name.to_string(), watched))
        };
        let of_preference = [
            ("preference.speed".to_owned(), (catalogue.speed_chain.to_string(), None)),
            ("preference.capability".to_owned(), (catalogue.capability_chain.to_string(), None)),
        ];
        catalogue.tasks().map(of_task).chain(of_preference).collect()
    };
    let mut names: Vec<String> =
        differing(&chains(running), &chains(read)).map(|name| format!("chains.{name}")).collect();
    names.extend(differing(&uses(running), &uses(read)).cloned());
    names
}

/// Model, region and weight of each target, stage by stage, and who watches.
type Shape = (Vec<Vec<(ModelId, Option<Region>, u32)>>, Option<Arc<Guardrail>>);

/// A chain without what its models are: that is told of the models.
fn shape(chain: &Chain) -> Shape {
    let targets = chain.stages.iter().map(|stage| stage.targets.iter());
    let stages = targets
        .map(|targets| {
            targets.map(|one| (one.target.model.id.clone(), one.target.region.clone(), one.weight)).collect()
        })
        .collect();
    (stages, chain.guardrail.clone())
}

/// Names that only one of the two has, or whose values differ.
fn differing<'a, K: Ord, V: PartialEq>(
    before: &'a BTreeMap<K, V>,
    now: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = &'a K> {
    let all: BTreeSet<&K> = before.keys().chain(now.keys()).collect();
    all.into_iter().filter(|name| before.get(name) != now.get(name))
}

#[cfg(test)]
mod tests {
    use super::{Difference, difference, needs_restart};
    use crate::config::layers::Layers;
    use crate::config::{CalendarDate, Loaded, RunMode, Sources, load_on};
    use std::path::PathBuf;

    const MODELS: &str = include_str!("../../tests/fixtures/windows.toml");

    /// The shipped configuration with these settings.
    fn with(variables: &[(&str, &str)]) -> Loaded {
        let environment = variables.iter().copied().collect();
        let sources = Sources { mode: RunMode::Serve, file: None, listen: None, environment };
        let loaded = load_on(&sources, CalendarDate::new(2026, 11, 20));
        loaded.unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The shipped configuration with a file of models in which each text was replaced.
    fn with_models(name: &str, replacements: &[(&str, &str)]) -> Loaded {
        let mut text = MODELS.to_owned();
        for (from, to) in replacements {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let path: PathBuf =
            std::env::temp_dir().join(format!("redraft-difference-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let loaded = with(&[("REDRAFT__MODELS__FILE", &path.to_string_lossy())]);
        std::fs::remove_file(&path).unwrap();
        loaded
    }

    fn live(names: &[&str]) -> Difference {
        Difference { live: names.iter().map(ToString::to_string).collect(), ..Difference::default() }
    }

    #[test]
    fn the_same_configuration_has_no_difference_wherever_its_values_come_from() {
        let set = with(&[("REDRAFT__CLOCKS__IDLE_MS", "20000"), ("REDRAFT__HTTP__HEARTBEAT_MS", "10000")]);
        assert_eq!(difference(&with(&[]), &set), Difference::default());
    }

    #[test]
    fn settings_are_told_apart_by_whether_they_need_a_restart() {
        let changed = with(&[
            ("REDRAFT__CLOCKS__IDLE_MS", "1"),
            ("REDRAFT__CLOCKS__CONNECT_MS", "1"),
            ("REDRAFT__HTTP__HEARTBEAT_MS", "11"),
            ("REDRAFT__BREAKER__OPEN_MS", "1"),
            ("AWS_REGION", "us-east-1"),
        ]);
        let expected = Difference {
            live: vec!["clocks.idle_ms".into(), "breaker.open_ms".into()],
            needs_restart: vec![
                "http.heartbeat_ms".into(),
                "clocks.connect_ms".into(),
                "bedrock.region".into(),
            ],
        };
        assert_eq!(difference(&with(&[]), &changed), expected);
    }

    #[test]
    fn what_needs_a_restart_stays_a_difference_until_there_is_one() {
        let running = with(&[]);
        let changed = || with(&[("REDRAFT__CLOCKS__IDLE_MS", "1"), ("REDRAFT__LOG__FORMAT", "pretty")]);
        let now = changed().in_place_of(&running);
        let again = difference(&now, &changed());
        assert_eq!((again.live.len(), again.needs_restart), (0, vec!["log.format".to_owned()]));
        assert_eq!(difference(&now, &running), live(&["clocks.idle_ms"]), "the format never changed");
    }

    #[test]
    fn a_file_of_authorities_with_other_certificates_needs_a_restart() {
        let authority = include_str!("../../bedrock-sim/tests/fixtures/tls/authority.pem");
        let path = std::env::temp_dir().join(format!("redraft-difference-{}.pem", std::process::id()));
        let with_file = |text: &str| {
            std::fs::write(&path, text).unwrap();
            with(&[("AWS_CA_BUNDLE", &path.to_string_lossy())])
        };
        let (before, after) = (with_file(authority), with_file(&format!("{authority}\n{authority}")));
        std::fs::remove_file(&path).unwrap();
        let restart = vec!["bedrock.ca_file".to_owned()];
        assert_eq!(
            difference(&before, &after),
            Difference { live: Vec::new(), needs_restart: restart.clone() }
        );
        assert_eq!(difference(&with(&[]), &after).needs_restart, restart, "told once");
        let kept = after.clone().in_place_of(&before);
        assert_eq!(difference(&kept, &after).needs_restart, restart, "until there is one");
        assert_eq!(difference(&kept, &before), Difference::default());
    }

    #[test]
    fn models_chains_and_their_users_are_told_by_name() {
        let running = with_models("before", &[]);
        let against = |name: &str, replacements: &[(&str, &str)]| {
            let mut difference = difference(&running, &with_models(name, replacements));
            difference.live.retain(|name| name != "models.file");
            difference
        };
        assert_eq!(against("same", &[]), Difference::default());
        let large = "id = \"us.amazon.nova-pro-v1:0\"";
        let priced = format!("{large}\nusd_per_million_input = 1\nusd_per_million_output = 2");
        assert_eq!(against("price", &[(large, &priced)]), live(&["model us.amazon.nova-pro-v1:0"]));
        let ends = format!("{large}\nend_of_life = 2027-01-01");
        assert_eq!(against("end", &[(large, &ends)]), live(&["model us.amazon.nova-pro-v1:0"]));
        let (all, fewer) =
            ("\"us.amazon.nova-lite-v1:0\", \"us.amazon.nova-micro-v1:0\"", "\"us.amazon.nova-lite-v1:0\"");
        assert_eq!(against("stage", &[(all, fewer)]), live(&["chains.default"]));
        let balanced = format!("[{all}]");
        assert_eq!(against("balance", &[(all, &balanced)]), live(&["chains.default"]));
        let other = "[chains.other]\nstages = [\"us.amazon.nova-pro-v1:0\"]\n[chains.default]";
        let users = [
            ("[chains.default]", other),
            ("expand = \"default\"", "expand = \"other\""),
            ("speed = \"default\"", "speed = \"other\""),
        ];
        assert_eq!(
            against("users", &users),
            live(&[
                "chains.other",
                "preference.speed",
                // Those that are not named go by it.
                "tasks.blog-post",
                "tasks.expand",
                "tasks.extract-action-items",
                "tasks.product-description",
                "tasks.social-posts",
                "tasks.translate"
            ])
        );
        let (first, gone) = (MODELS.find("[[model]]").unwrap(), MODELS.find(large).unwrap());
        let entries = &MODELS[first..gone];
        let without = against("gone", &[(entries, "[[model]]\n"), (&format!("{all}, "), "")]);
        assert_eq!(
            without,
            live(&["model us.amazon.nova-lite-v1:0", "model us.amazon.nova-micro-v1:0", "chains.default"])
        );
    }

    #[test]
    fn the_documentation_lists_what_needs_a_restart() {
        let documentation = include_str!("../../docs/CONFIGURATION.md");
        let (_, rest) = documentation.split_once("Only a restart changes ").expect("the sentence is there");
        let sentence = rest.split("; ").next().unwrap_or_default();
        let listed: Vec<&str> = sentence.split('`').skip(1).step_by(2).collect();
        for key in Layers::compiled_in().keys() {
            let section = format!("{}.*", key.split('.').next().unwrap());
            let is_listed = listed.iter().any(|name| *name == key || *name == section);
            assert_eq!(needs_restart(key), is_listed, "{key}");
        }
    }
}
