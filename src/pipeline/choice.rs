//! Which chain serves a request: the one it names, or the one that suits it.

use std::sync::Arc;

use super::plan::PlanError;
use crate::domain::TaskName;
use crate::routing::{Catalogue, Chain};

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

/// The chain of that choice.
pub(super) fn choose<'a>(
    task: &TaskName,
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
