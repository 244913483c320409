//! Chains, and who uses which: `[chains.<name>]`, `[tasks]`, `[preference]`.
//!
//! Every name that is used is looked up here. A chain whose stages have problems
//! still counts as known, so that its users are not told about it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::{Table, Value};

use super::ModelsById;
use super::section::{Section, path_of};
use crate::config::address;
use crate::config::layers::Origin;
use crate::config::problems::{Problems, advice, nearest};
use crate::domain::{Region, TaskKind};
use crate::routing::{Chain, Stage, Target, WeightedTarget};

/// Chains by name; `None` for one with problems.
pub(super) struct KnownChains<'a> {
    by_name: BTreeMap<&'a str, Option<Arc<Chain>>>,
}

impl<'a> KnownChains<'a> {
    pub(super) fn read(
        table: &'a Table,
        models: &ModelsById<'_>,
        origin: &Origin,
        problems: &mut Problems,
    ) -> Self {
        let read = |(name, value): (&'a String, &Value)| {
            let path = path_of("chains", name);
            (name.as_str(), read_chain(&path, name, value, models, origin, problems).map(Arc::new))
        };
        Self { by_name: table.iter().map(read).collect() }
    }

    pub(super) fn into_chains(self) -> BTreeMap<Arc<str>, Arc<Chain>> {
        self.by_name.into_values().flatten().map(|chain| (Arc::clone(&chain.name), chain)).collect()
    }

    /// The chain of each task.
    pub(super) fn read_tasks(
        &self,
        table: &Table,
        origin: &Origin,
        problems: &mut Problems,
    ) -> Option<BTreeMap<TaskKind, Arc<str>>> {
        let mut section = Section::new("tasks", table, origin);
        let chains = TaskKind::ALL.map(|task| (task, self.read_name(&mut section, task.as_str(), problems)));
        section.finish(problems);
        chains.into_iter().map(|(task, chain)| Some((task, chain?))).collect()
    }

    /// The chains for speed and for capability.
    pub(super) fn read_preference(
        &self,
        table: &Table,
        origin: &Origin,
        problems: &mut Problems,
    ) -> Option<(Arc<str>, Arc<str>)> {
        let mut section = Section::new("preference", table, origin);
        let speed = self.read_name(&mut section, "speed", problems);
        let capability = self.read_name(&mut section, "capability", problems);
        section.finish(problems);
        Some((speed?, capability?))
    }

    fn read_name(
        &self,
        section: &mut Section<'_>,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Arc<str>> {
        let name = section.required(key, "the name of a chain", problems, Value::as_str)?;
        if self.by_name.contains_key(name) {
            return Some(name.into());
        }
        let known: Vec<&str> = self.by_name.keys().copied().collect();
        section.refuse(key, &format!("no chain is called {name}, {}", advice(name, &known)), problems);
        None
    }
}

fn read_chain(
    path: &str,
    name: &str,
    value: &Value,
    models: &ModelsById<'_>,
    origin: &Origin,
    problems: &mut Problems,
) -> Option<Chain> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let name_is_sound = !name.is_empty() && name.len() <= 64 && name.bytes().all(is_name);
    if !name_is_sound {
        problems.add(path, origin, "expected a name of 1 to 64 characters of a-z 0-9 _ -");
    }
    let Some(table) = value.as_table() else {
        problems.add(path, origin, format!("expected a table with stages, found {value}"));
        return None;
    };
    let mut section = Section::new(path, table, origin);
    let expected = "a list of stages, not empty: a model id, a table { model = \"…\", region = \"…\" }, or a list of those";
    let stages = section
        .required("stages", expected, problems, |value| value.as_array().filter(|stages| !stages.is_empty()));
    section.finish(problems);
    let mut known: Vec<(String, Target)> = Vec::new();
    let mut read: Vec<Option<Stage>> = Vec::new();
    for (index, stage) in stages?.iter().enumerate() {
        let path = format!("{path}.stages[{index}]");
        let alone = std::slice::from_ref(stage);
        let several = stage.as_array();
        if several.is_some_and(Vec::is_empty) {
            problems.add(path.as_str(), origin, "expected at least one target");
        }
        let mut targets = Vec::new();
        for (place, target) in several.map_or(alone, Vec::as_slice).iter().enumerate() {
            let path = if several.is_some() { format!("{path}[{place}]") } else { path.clone() };
            let target = read_target(&path, target, models, origin, problems);
            if let Some(WeightedTarget { target, .. }) = &target {
                match known.iter().find(|(_, earlier)| earlier == target) {
                    Some((earlier, _)) => problems.add(
                        path,
                        origin,
                        format!("repeats {earlier}: a model that failed is not asked again"),
                    ),
                    None => known.push((path, target.clone())),
                }
            }
            targets.push(target);
        }
        read.push(targets.into_iter().collect::<Option<Vec<_>>>().map(|targets| Stage { targets }));
    }
    let stages = read.into_iter().collect::<Option<Vec<_>>>()?;
    name_is_sound.then(|| Chain { name: name.into(), stages })
}

fn read_target(
    path: &str,
    target: &Value,
    models: &ModelsById<'_>,
    origin: &Origin,
    problems: &mut Problems,
) -> Option<WeightedTarget> {
    const HEAVIEST: i64 = 1000;
    let (id, region, weight) = match target {
        Value::String(id) => (Some(id.as_str()), Some(None), Some(1)),
        Value::Table(table) => {
            let mut section = Section::new(path, table, origin);
            let id = section.required("model", "a model id", problems, Value::as_str);
            let region = section.optional("region", "a region such as eu-west-1", problems, |value| {
                value.as_str().filter(|name| address::is_region(name)).map(Region::new)
            });
            let weight = section.optional("weight", "a whole number from 1 to 1000", problems, |value| {
                let weight = value.as_integer().filter(|weight| (1..=HEAVIEST).contains(weight))?;
                u32::try_from(weight).ok()
            });
            section.finish(problems);
            (id, region, weight.map(|weight| weight.unwrap_or(1)))
        }
        _ => {
            problems.add(path, origin, format!("expected a model id or a table with one, found {target}"));
            (None, None, None)
        }
    };
    let id = id?;
    let Some(model) = models.get(id) else {
        let advice = match nearest(id, models.keys().copied()) {
            Some(known) => format!("did you mean {known}?"),
            None => "add a [[model]] entry for it".to_owned(),
        };
        problems.add(path, origin, format!("no [[model]] has the id {id}, {advice}"));
        return None;
    };
    let target = Target { model: Arc::clone(model.as_ref()?), region: region? };
    Some(WeightedTarget { target, weight: weight? })
}
