//! What can change while the service runs: models, chains, prices, limits, times.
//!
//! It is replaced as a whole and never edited. A request takes it once, when it
//! has been read, and keeps it to its end, so that no request sees half of a change.

use std::sync::Arc;
use std::time::Duration;

use super::plan::{self, ChainChoice, Limits, Plan, PlanError};
use crate::routing::{Catalogue, RoutingPolicy};
use crate::tasks::Task;

/// The time of a whole request, from its head to the end of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Of an answer in one piece, unless the request says otherwise.
    pub json: Duration,
    /// Of a stream, unless the request says otherwise.
    pub stream: Duration,
    /// The longest that a request may ask for.
    pub longest: Duration,
}

/// One state of the configuration that requests go by.
#[derive(Debug, Clone)]
pub struct Live {
    pub catalogue: Arc<Catalogue>,
    pub limits: Limits,
    pub deadlines: Deadlines,
    pub routing: Arc<RoutingPolicy>,
}

impl Live {
    /// Finds the chain and checks that the text fits it. Calls no model.
    ///
    /// # Errors
    /// When the chain does not exist or no model of it can hold the text.
    pub fn plan(self: &Arc<Self>, task: &Task, choice: &ChainChoice) -> Result<Plan, PlanError> {
        plan::plan(task, choice, self)
    }
}
