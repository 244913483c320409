//! What can change while the service runs: models, chains, prices, limits.
//!
//! It is replaced as a whole and never edited. A request takes it once, when it
//! is planned, and keeps it to its end, so that no request sees half of a change.

use std::sync::Arc;

use super::plan::Limits;
use crate::routing::{Catalogue, RoutingPolicy};

/// One state of the configuration that requests go by.
#[derive(Debug, Clone)]
pub struct Live {
    pub catalogue: Arc<Catalogue>,
    pub limits: Limits,
    pub routing: Arc<RoutingPolicy>,
}
