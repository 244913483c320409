//! The catalogue: what each model can do and costs, and the chains made of them.
//!
//! Everything that differs between models is data here, never a guess from a
//! name. A flag that is off is never tried: each one is backed by a real
//! rejection of the provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{BaseModel, CalendarDate, Family, Guardrail, ModelId, Prices, Region, TaskName};
use crate::inference::CallTerms;

/// One model, as the service may use it.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub id: ModelId,
    /// The foundation model behind the id; `None` when only AWS knows it.
    pub base: Option<BaseModel>,
    /// Where it can be called from; empty when that is not known.
    pub regions: Vec<Region>,
    /// A name for people.
    pub name: String,
    /// Input and output together, in tokens.
    pub context_tokens: u32,
    /// The most tokens it writes in one answer.
    pub max_output_tokens: u32,
    /// The fewest it accepts as `maxTokens`.
    pub min_output_tokens: u32,
    pub accepts_temperature: bool,
    /// Whether its answers can come in pieces; otherwise a stream gets them whole.
    pub streams: bool,
    /// Whether a guardrail can watch its calls.
    pub accepts_guardrail: bool,
    /// The fewest tokens of a prompt's beginning that it remembers; `None` when it
    /// remembers nothing, or rejects being asked to.
    pub cache_min_tokens: Option<u32>,
    pub terms: Arc<CallTerms>,
    /// Its tokens for one estimated token, before anything was learnt about it.
    pub token_ratio: f64,
    /// `None` when the price is not known; costs are then unknown, not zero.
    pub prices: Option<Prices>,
    /// After this day it answers no more; `None` when no such day is known.
    pub end_of_life: Option<CalendarDate>,
}

/// A model in a region: one thing that can be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub model: Arc<Model>,
    /// `None` is the region the service runs in.
    pub region: Option<Region>,
}

/// A target of a stage and its share of the stage's calls.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedTarget {
    pub target: Target,
    /// Twice the weight is twice the calls in flight; at least 1.
    pub weight: u32,
}

/// Targets of equal rank: calls are balanced over them.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Never empty.
    pub targets: Vec<WeightedTarget>,
}

/// An ordered list of stages: the next one is asked when the one before fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    pub name: Arc<str>,
    /// Never empty.
    pub stages: Vec<Stage>,
    /// Watches every call of the chain, unless the task has one of its own.
    pub guardrail: Option<Arc<Guardrail>>,
}

#[cfg(test)]
impl Model {
    /// A model for tests: sound, without prices, and without anything special.
    pub fn sample(id: &str, context_tokens: u32, max_output_tokens: u32) -> Self {
        let id = ModelId::parse(id).expect("a test names models that can exist");
        Self {
            base: id.base(),
            regions: Vec::new(),
            name: id.to_string(),
            id,
            context_tokens,
            max_output_tokens,
            min_output_tokens: 1,
            accepts_temperature: true,
            streams: true,
            accepts_guardrail: true,
            cache_min_tokens: None,
            terms: Arc::default(),
            token_ratio: 1.0,
            prices: None,
            end_of_life: None,
        }
    }
}

impl Model {
    /// Whose model it is, as far as that is known.
    pub fn family(&self) -> Family {
        self.base.as_ref().map_or(Family::Other, BaseModel::family)
    }
}

impl Stage {
    /// A stage of one target.
    pub fn of(target: Target) -> Self {
        Self { targets: vec![WeightedTarget { target, weight: 1 }] }
    }
}

impl Chain {
    /// The model of that id, if the chain has it.
    pub fn model(&self, id: &ModelId) -> Option<&Arc<Model>> {
        self.targets().map(|target| &target.model).find(|model| model.id == *id)
    }

    /// Every target, stage by stage.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.stages.iter().flat_map(|stage| &stage.targets).map(|weighted| &weighted.target)
    }
}

/// All models and chains, and which chain serves which task.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    pub models: Vec<Arc<Model>>,
    pub chains: BTreeMap<Arc<str>, Arc<Chain>>,
    /// The chain of each task when the request names none.
    pub task_chains: BTreeMap<TaskName, Arc<str>>,
    /// Guardrails of tasks, whichever chain serves them.
    pub task_guardrails: BTreeMap<TaskName, Arc<Guardrail>>,
    /// Names of guardrails that watch nothing.
    pub unused_guardrails: Vec<Arc<str>>,
    /// The chain for `preference: "speed"`.
    pub speed_chain: Arc<str>,
    /// The chain for `preference: "capability"`.
    pub capability_chain: Arc<str>,
}

impl Catalogue {
    /// The chain of that name.
    pub fn chain(&self, name: &str) -> Option<&Arc<Chain>> {
        self.chains.get(name)
    }

    /// Every task that can be asked for: the built-in ones in the order of the documentation,
    /// then the others by name.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskName> {
        let place = |task: &TaskName| {
            TaskName::BUILT_IN_WORDS.iter().position(|word| *word == task.as_str()).unwrap_or(usize::MAX)
        };
        let mut names: Vec<&TaskName> = self.task_chains.keys().collect();
        names.sort_by_key(|task| place(task));
        names.into_iter()
    }

    /// The chain that serves a task by default.
    pub fn task_chain(&self, task: &TaskName) -> &Arc<Chain> {
        let name = &self.task_chains[task];
        &self.chains[name]
    }

    /// The guardrails that chains and tasks have, once for each that has it.
    pub fn guardrails(&self) -> impl Iterator<Item = &Arc<Guardrail>> {
        let of_chains = self.chains.values().filter_map(|chain| chain.guardrail.as_ref());
        of_chains.chain(self.task_guardrails.values())
    }

    /// Regions that targets name, each once.
    pub fn regions(&self) -> Vec<Region> {
        let mut regions: Vec<Region> = Vec::new();
        for target in self.chains.values().flat_map(|chain| chain.targets()) {
            if let Some(region) = &target.region
                && !regions.contains(region)
            {
                regions.push(region.clone());
            }
        }
        regions
    }
}
