//! The model-routing service: which model answers, and what happens when it does not.
//!
//! Owns the catalogue, chains, clocks, back-off and the attempt loop. What follows
//! from a failure is decided by one pure function, [`decide`]; everything else here
//! only measures time, calls the port and tells what happened. It knows nothing of
//! tasks or HTTP.

mod adaptive_limit;
mod attempt;
mod backoff;
mod breaker;
mod catalogue;
mod clocks;
mod decide;
mod fit;
mod open_answer;
mod retry_budget;
mod route;

pub use adaptive_limit::LimitPolicy;
pub use attempt::{Answer, FinishReason, Spent};
pub use backoff::Backoff;
pub use breaker::BreakerPolicy;
pub use catalogue::{Catalogue, Chain, Model, Stage, Target, WeightedTarget};
pub use clocks::{Clocks, Deadline};
pub use decide::{GiveUp, Next, Situation, decide, is_retried};
pub use fit::{Misfit, RouteRequest, fits_any, room_for_input};
pub use open_answer::{OpenAnswer, Piece};
pub use route::{Attempt, Fallback, Mode, Progress, Route, RouteError, Router, RoutingPolicy};
