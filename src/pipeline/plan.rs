//! What will be done, before anything is: the chain, the prompt, the sizes.
//!
//! The quota is checked here, against an estimate, so that a text that no model
//! of the chain can hold costs no call.

use std::sync::Arc;

use super::live::Live;
use crate::chunk::estimate_tokens;
use crate::domain::{Boundary, ModelId, TaskKind, TokenUsage};
use crate::routing::{Catalogue, Chain, Model, RouteRequest, fits_any, room_for_input};
use crate::tasks::{Fields, Task};

/// Bounds on a request, whatever the chain could take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub max_input_tokens: u32,
}

/// Which chain the caller asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainChoice {
    /// The one of that name.
    Named(String),
    /// The one that serves the preference best.
    Preferred(Preference),
}

/// What matters more to the caller.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preference {
    #[default]
    Auto,
    Speed,
    Capability,
}

/// A request that can be run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub task: TaskKind,
    pub chain: Arc<Chain>,
    pub request: RouteRequest,
    /// What the request goes by to its end.
    pub(super) live: Arc<Live>,
}

impl Plan {
    /// The model of that id, if the chain has it.
    pub(super) fn model(&self, id: &ModelId) -> Option<&Arc<Model>> {
        self.chain.targets().map(|target| &target.model).find(|model| model.id == *id)
    }

    /// What a call used when nobody told: the estimated prompt, and what was seen of the answer.
    pub(super) fn estimated_usage(&self, output_tokens: u32) -> TokenUsage {
        TokenUsage {
            input_tokens: self.request.input_tokens.into(),
            output_tokens: output_tokens.into(),
            ..TokenUsage::default()
        }
    }
}

/// A request that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no chain of that name")]
    UnknownChain { known: Vec<String> },
    #[error("the text has about {requested} tokens, the quota is {quota}")]
    InputTooLarge { requested: u32, quota: u32 },
}

pub(super) fn plan(task: &Task, choice: &ChainChoice, live: &Arc<Live>) -> Result<Plan, PlanError> {
    let limits = live.limits;
    let chain = choose(task.kind(), choice, &live.catalogue)?;
    let prompt = task.prompt(&Boundary::generate());
    let document_tokens = estimate_tokens(&prompt.user.document);
    let overhead_tokens = overhead_tokens(&prompt.system);
    let request = RouteRequest {
        prompt: Arc::new(prompt),
        input_tokens: document_tokens.saturating_add(overhead_tokens),
        output: task.output_size(document_tokens),
        temperature: task.temperature(),
    };
    if document_tokens > limits.max_input_tokens || !fits_any(&request, chain) {
        // Only a refusal needs the exact figure; finding it takes many size estimates.
        let quota = quota_beside(task, chain, limits, overhead_tokens);
        return Err(PlanError::InputTooLarge { requested: document_tokens, quota });
    }
    Ok(Plan { task: task.kind(), chain: Arc::clone(chain), request, live: Arc::clone(live) })
}

/// The most tokens a document may have, for the task with its default options.
pub(super) fn quota(kind: TaskKind, chain: &Chain, limits: Limits) -> u32 {
    // Short words, so that the promise holds for ordinary text: an answer's length follows words.
    const SAMPLE: &str = "a text of short words as most of us write it";
    let members = serde_json::Map::from_iter([("text".to_owned(), SAMPLE.into())]);
    Task::read(kind, &mut Fields::new(members)).map_or(0, |task| {
        let prompt = task.prompt(&Boundary::fixed("0000000000000000"));
        quota_beside(&task, chain, limits, overhead_tokens(&prompt.system))
    })
}

fn quota_beside(task: &Task, chain: &Chain, limits: Limits, overhead_tokens: u32) -> u32 {
    let answer_for = |input: u32| task.output_size(input.saturating_sub(overhead_tokens));
    room_for_input(chain, answer_for).saturating_sub(overhead_tokens).min(limits.max_input_tokens)
}

/// The rules and the two fences around the document.
fn overhead_tokens(system: &str) -> u32 {
    const FENCES_TOKENS: u32 = 48;
    estimate_tokens(system).saturating_add(FENCES_TOKENS)
}

fn choose<'a>(
    task: TaskKind,
    choice: &ChainChoice,
    catalogue: &'a Catalogue,
) -> Result<&'a Arc<Chain>, PlanError> {
    let named = |name: &str| {
        catalogue.chain(name).ok_or_else(|| PlanError::UnknownChain {
            known: catalogue.chains.keys().map(ToString::to_string).collect(),
        })
    };
    match choice {
        ChainChoice::Named(name) => named(name),
        ChainChoice::Preferred(Preference::Auto) => Ok(catalogue.task_chain(task)),
        ChainChoice::Preferred(Preference::Speed) => named(&catalogue.speed_chain),
        ChainChoice::Preferred(Preference::Capability) => named(&catalogue.capability_chain),
    }
}
