//! What can change while the service runs: models, chains, prices, limits, times.
//!
//! It is replaced as a whole and never edited. A request takes it once, when it
//! has been read, and keeps it to its end, so that no request sees half of a change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::kept_parts::KeepPolicy;
use crate::domain::{Cost, TaskName};
use crate::routing::{Catalogue, RoutingPolicy};
use crate::tasks::{OwnTaskSpec, Wanted};

/// Bounds on a request, whatever its chain could take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Tokens of a document.
    pub max_input_tokens: u32,
    /// The usual size of a part, in tokens: smaller ones run side by side and are cheap
    /// to repeat.
    pub target_chunk_tokens: u32,
    /// The usual size of the answer to a part that is written anew, in tokens.
    pub target_answer_tokens: u32,
    /// Parts of a document.
    pub max_chunks: u32,
    /// The forecast cost of a request.
    pub max_cost: Cost,
    /// Model calls of a request at once.
    pub max_parallel: usize,
    /// What is kept of requests that failed.
    pub keep: KeepPolicy,
}

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

/// Tasks from files, by name.
pub type OwnTasks = BTreeMap<TaskName, Arc<OwnTaskSpec>>;

/// One state of the configuration that requests go by.
#[derive(Debug, Clone)]
pub struct Live {
    /// It has a chain for every task, those of `own_tasks` included.
    pub catalogue: Arc<Catalogue>,
    pub own_tasks: Arc<OwnTasks>,
    pub limits: Limits,
    pub deadlines: Deadlines,
    pub routing: Arc<RoutingPolicy>,
}

impl Live {
    /// Every task that can be asked for by its name: the built-in ones in the order of the
    /// documentation, then the others by name.
    pub fn tasks(&self) -> impl Iterator<Item = Wanted> {
        Wanted::BUILT_IN.into_iter().chain(self.own_tasks.values().cloned().map(Wanted::Own))
    }

    /// The task of that name.
    pub fn task(&self, name: &str) -> Option<Wanted> {
        let built_in = Wanted::BUILT_IN.into_iter().find(|wanted| wanted.name().as_str() == name);
        built_in.or_else(|| self.own_tasks.get(name).cloned().map(Wanted::Own))
    }
}
