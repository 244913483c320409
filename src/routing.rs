//! The model-routing service: which model answers, and what happens when it does not.
//!
//! Owns the catalogue, chains of stages, clocks, back-off, the health of targets
//! (breaker, adaptive limit, retry budget) and the attempt loop. What follows from
//! a failure is decided by one pure function, [`decide`]; what it teaches about its
//! target stands in one table, `lesson.rs`. It knows nothing of tasks or HTTP.

mod adaptive_limit;
mod attempt;
mod backoff;
mod breaker;
mod catalogue;
mod clocks;
mod counting;
mod decide;
mod fit;
mod gate;
mod lesson;
mod open_answer;
mod path;
mod retry_budget;
mod route;
mod route_error;
mod router;
mod running_call;
mod screening;

pub use adaptive_limit::LimitPolicy;
pub use attempt::{Answer, FinishReason, Spent};
pub use backoff::Backoff;
pub use breaker::BreakerPolicy;
pub use catalogue::{Catalogue, Chain, Model, Stage, Target, WeightedTarget};
pub use clocks::{Clocks, Deadline};
pub use decide::{GiveUp, Next, Situation, decide, is_passed_on, is_retried};
pub use fit::{Misfit, RouteRequest, fits_all, fits_any, room_for_document};
pub use gate::Owner;
pub use lesson::takes_out;
pub use open_answer::{Broken, OpenAnswer, Piece};
pub use route::{Attempt, Fallback, Mode, Progress, Route, RouteOptions, RoutingPolicy};
pub use route_error::RouteError;
pub use router::Router;
pub use screening::ScreeningOptions;

// A word of inference that is part of this room's own interface.
pub use crate::inference::Verdict;

#[cfg(test)]
mod tests;
