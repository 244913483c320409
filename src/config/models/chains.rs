//! Chains, and who uses which: `[chains.<name>]`, `[tasks]`, `[preference]`.
//!
//! Every name that is used is looked up here. A chain whose stages have problems
//! still counts as known, so that its users are not told about it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::{Table, Value};

use super::ModelsById;
use super::guardrails::KnownGuardrails;
use crate::config::address;
use crate::config::layers::Origin;
use crate::config::problems::{Problems, advice, nearest};
use crate::config::section::{Section, path_of};
use crate::domain::{Guardrail, Region, TaskKind, TaskName};
use crate::routing::{Chain, Model, Stage, Target, WeightedTarget};

/// Chains by name; `None` for one with problems.
pub(super) struct KnownChains<'a> {
    by_name: BTreeMap<&'a str, Option<Arc<Chain>>>,
}

/// What tasks use.
#[derive(Default)]
pub(super) struct OfTasks {
    pub(super) chains: BTreeMap<TaskName, Arc<str>>,
    /// Of the tasks that have one of their own.
    pub(super) guardrails: BTreeMap<TaskName, Arc<Guardrail>>,
}

/// The task whose chain and guardrail another one has, unless the catalogue names it: a
/// catalogue that was written before a task was there watches that task all the same.
fn stands_in(task: &TaskName) -> Option<TaskName> {
    if *task == TaskName::REFINE {
        return Some(TaskKind::Rephrase.into());
    }
    let is_of_text = TaskKind::ALL.into_iter().any(|kind| *task == kind.into());
    (!is_of_text).then(|| TaskKind::Expand.into())
}

impl<'a> KnownChains<'a> {
    pub(super) fn read(
        table: &'a Table,
        models: &ModelsById<'_>,
        guardrails: &KnownGuardrails<'_>,
        origin: &Origin,
        problems: &mut Problems,
    ) -> Self {
        let known = Known { models, guardrails };
        let read = |(name, value): (&'a String, &Value)| {
            let path = path_of("chains", name);
            (name.as_str(), read_chain(&path, name, value, &known, origin, problems).map(Arc::new))
        };
        Self { by_name: table.iter().map(read).collect() }
    }

    pub(super) fn into_chains(self) -> BTreeMap<Arc<str>, Arc<Chain>> {
        self.by_name.into_values().flatten().map(|chain| (Arc::clone(&chain.name), chain)).collect()
    }

    /// The chain of each task, and the guardrails that tasks have of their own. A task
    /// that is not named goes by what [`stands_in`] says.
    pub(super) fn read_tasks(
        &self,
        table: &Table,
        guardrails: &KnownGuardrails<'_>,
        origin: &Origin,
        problems: &mut Problems,
    ) -> Option<OfTasks> {
        let mut section = Section::new("tasks", table, origin);
        let mut read = OfTasks::default();
        let mut sound = true;
        for (task, word) in TaskName::BUILT_IN.into_iter().zip(TaskName::BUILT_IN_WORDS) {
            if let Some(other) = stands_in(&task).filter(|_| !table.contains_key(word)) {
                let chain = read.chains.get(&other).cloned();
                read.chains.extend(chain.map(|chain| (task.clone(), chain)));
                let guardrail = read.guardrails.get(&other).cloned();
                read.guardrails.extend(guardrail.map(|guardrail| (task, guardrail)));
                section.know(word);
                continue;
            }
            let of_task = match table.get(word).and_then(Value::as_table) {
                Some(of_task) => {
                    section.know(word);
                    let path = path_of("tasks", word);
                    let mut section = Section::new(&path, of_task, origin);
                    let chain = self.read_name(&mut section, "chain", problems);
                    let guardrail = guardrails.named(&mut section, problems);
                    let is_kept = guardrail.as_ref().is_none_or(|guardrail| {
                        guardrail.as_ref().is_none_or(|one| self.every_chain_takes(one, &section, problems))
                    });
                    section.finish(problems);
                    chain.zip(guardrail).filter(|_| is_kept)
                }
                None => self.read_name(&mut section, word, problems).map(|chain| (chain, None)),
            };
            match of_task {
                Some((chain, guardrail)) => {
                    read.chains.insert(task.clone(), chain);
                    read.guardrails.extend(guardrail.map(|guardrail| (task, guardrail)));
                }
                None => sound = false,
            }
        }
        section.finish(problems);
        sound.then_some(read)
    }

    /// A request may ask for any chain, so the guardrail of a task meets every model.
    fn every_chain_takes(
        &self,
        guardrail: &Guardrail,
        section: &Section<'_>,
        problems: &mut Problems,
    ) -> bool {
        let mut all_take_it = true;
        for chain in self.by_name.values().flatten() {
            if let Some(model) = unguarded(chain) {
                let (id, chain, name) = (&model.id, &chain.name, &guardrail.name);
                let message = format!(
                    "{id} takes no guardrail, and {name} is to watch the task in every chain that a request may ask for, such as {chain}"
                );
                section.refuse("guardrail", &message, problems);
                all_take_it = false;
            }
        }
        all_take_it
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

/// What chains can name.
struct Known<'k> {
    models: &'k ModelsById<'k>,
    guardrails: &'k KnownGuardrails<'k>,
}

/// A model of the chain that no guardrail can watch.
fn unguarded(chain: &Chain) -> Option<&Model> {
    chain.targets().map(|target| &*target.model).find(|model| !model.accepts_guardrail)
}

fn read_chain(
    path: &str,
    name: &str,
    value: &Value,
    known: &Known<'_>,
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
    let guardrail = known.guardrails.named(&mut section, problems);
    section.finish(problems);
    let mut reader = StageReader { models: known.models, origin, problems, known: Vec::new() };
    let stages = stages?.iter().enumerate();
    let stages: Vec<Option<Stage>> =
        stages.map(|(index, stage)| reader.stage(&format!("{path}.stages[{index}]"), stage)).collect();
    let stages = stages.into_iter().collect::<Option<Vec<_>>>()?;
    let chain = Chain { name: name.into(), stages, guardrail: guardrail? };
    if let (Some(guardrail), Some(model)) = (&chain.guardrail, unguarded(&chain)) {
        let (id, name) = (&model.id, &guardrail.name);
        problems.add(path, origin, format!("{id} takes no guardrail, and {name} is to watch the chain"));
        return None;
    }
    name_is_sound.then_some(chain)
}

/// Reads the stages of one chain, in order.
struct StageReader<'r> {
    models: &'r ModelsById<'r>,
    origin: &'r Origin,
    problems: &'r mut Problems,
    /// The targets so far, and where each stands.
    known: Vec<(Place, Target)>,
}

/// Where a target stands.
struct Place {
    stage: String,
    path: String,
}

impl StageReader<'_> {
    /// One target, or several of equal rank.
    fn stage(&mut self, path: &str, stage: &Value) -> Option<Stage> {
        let Some(several) = stage.as_array() else {
            let target = self.target(path, path, stage)?;
            return Some(Stage { targets: vec![target] });
        };
        if several.is_empty() {
            self.problems.add(path, self.origin, "expected at least one model, found []");
        }
        let several = several.iter().enumerate();
        let targets: Vec<Option<WeightedTarget>> =
            several.map(|(index, target)| self.target(path, &format!("{path}[{index}]"), target)).collect();
        targets.into_iter().collect::<Option<Vec<_>>>().map(|targets| Stage { targets })
    }

    fn target(&mut self, stage: &str, path: &str, value: &Value) -> Option<WeightedTarget> {
        let (id, region, weight) = match value {
            Value::String(id) => (Some(id.as_str()), Some(None), Some(1)),
            Value::Table(table) => fields(path, table, self.origin, self.problems),
            _ => {
                let message = format!("expected a model id or a table with one, found {value}");
                self.problems.add(path, self.origin, message);
                (None, None, None)
            }
        };
        let model = self.model(path, id?)?;
        let target = Target { model, region: region? };
        self.refuse_repetition(stage, path, &target);
        Some(WeightedTarget { target, weight: weight? })
    }

    fn model(&mut self, path: &str, id: &str) -> Option<Arc<Model>> {
        if let Some(model) = self.models.get(id) {
            return model.clone();
        }
        let advice = match nearest(id, self.models.keys().copied()) {
            Some(known) => format!("did you mean {known}?"),
            None => "add a [[model]] entry for it".to_owned(),
        };
        self.problems.add(path, self.origin, format!("no [[model]] has the id {id}, {advice}"));
        None
    }

    fn refuse_repetition(&mut self, stage: &str, path: &str, target: &Target) {
        let place = Place { stage: stage.to_owned(), path: path.to_owned() };
        let Some((earlier, _)) = self.known.iter().find(|(_, known)| known == target) else {
            self.known.push((place, target.clone()));
            return;
        };
        let why = if earlier.stage == stage {
            "a weight gives a model more of the calls"
        } else {
            "a model that failed is not asked again"
        };
        self.problems.add(path, self.origin, format!("repeats {}: {why}", earlier.path));
    }
}

/// The model, the region and the weight of a target; `None` for one with a problem.
fn fields<'t>(
    path: &'t str,
    table: &'t Table,
    origin: &'t Origin,
    problems: &mut Problems,
) -> (Option<&'t str>, Option<Option<Region>>, Option<u32>) {
    let mut section = Section::new(path, table, origin);
    let id = section.required("model", "a model id", problems, Value::as_str);
    let region = section.optional("region", "a region such as eu-west-1", problems, |value| {
        value.as_str().filter(|name| address::is_region(name)).map(Region::new)
    });
    let weight = section.optional("weight", "a whole number from 1 to 1000", problems, as_weight);
    section.finish(problems);
    (id, region, weight.map(|weight| weight.unwrap_or(1)))
}

fn as_weight(value: &Value) -> Option<u32> {
    const HEAVIEST: i64 = 1000;
    let weight = value.as_integer().filter(|weight| (1..=HEAVIEST).contains(weight))?;
    u32::try_from(weight).ok()
}
