//! A simulator of the AWS Bedrock Runtime wire.
//!
//! It answers Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream, CountTokens and
//! ApplyGuardrail over a real socket with the bytes that AWS sends: event-stream frames, error
//! headers, padding. Faults are chosen per model id or per call.
//! It owns the wire and the faults; it is no model, and its [`author`] says so. A server of a real
//! model can write in the author's place.
//! The one rule it protects: what a client sees here is what it would see from AWS, or it is
//! written down in the README as a difference.

mod admin;
pub mod author;
mod call_log;
#[cfg(test)]
mod captures;
mod errors;
mod frames;
mod guardrails;
mod models;
mod native;
mod operations;
mod pacing;
mod prompt_cache;
mod request;
mod scenario;
mod script;
mod server;
pub mod tokens;
mod upstream;

pub use author::Author;
pub use call_log::{CallRecord, Operation, Outcome};
pub use errors::{ApiError, StreamError};
pub use guardrails::{GuardrailRules, MaskedPhrase};
pub use pacing::Pacing;
pub use scenario::{Ingredient, Scenario, StopReason};
pub use server::{Sim, SimOptions, TlsIdentity};
pub use upstream::{ApiKey, InvalidUpstreamUrl, Upstream, UpstreamClocks, UpstreamUrl};
