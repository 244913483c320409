//! Redraft turns text into better text on AWS Bedrock: summarize, rephrase, expand.
//!
//! # A request, in seven steps
//! 1. [`http`] parses the body into a [`tasks::Task`] and picks the dialect: JSON, SSE, …
//! 2. [`pipeline`] takes an admission permit, by value, and a deadline.
//! 3. It asks [`chunk`] how long the text is and whether it fits the chain's models.
//! 4. [`tasks`] writes the prompt.
//! 5. [`routing`] picks a target and runs the attempt loop; `decide()` says retry,
//!    next target, or give up.
//! 6. [`inference::bedrock`] makes the SDK call; events come back.
//! 7. [`pipeline`] turns them into [`pipeline::Event`]s; [`http`] folds them into one JSON
//!    answer or encodes them one by one. A record counts and logs what happened
//!    exactly once, also when the client goes away.
//!
//! Modules stand in reading order, bottom up; `tests/architecture.rs` holds who may
//! import whom.

pub mod domain;

pub mod telemetry;

pub mod chunk;

pub mod tasks;

pub mod inference;

pub mod routing;

pub mod pipeline;

pub mod documents;

pub mod http;

pub mod config;

pub mod app;
