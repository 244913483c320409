//! The service as its clients see it: one test binary, one file per family.
//!
//! One binary because linking the SDK is most of a test's cost. Every test
//! starts the real service against the simulator over real sockets on loopback,
//! with ports that the system picks.

mod support;

mod admission;
mod client_gone;
mod clocks;
mod compat;
mod connections;
mod cors;
mod credentials;
mod dialects;
mod drain;
mod failover;
mod fallback;
mod faults;
mod files;
mod forms;
mod generate;
mod guardrails;
mod lifecycle;
mod logs;
mod meta;
mod metrics;
mod openapi;
mod own_tasks;
mod parts;
mod playground;
mod refine;
mod reload;
mod replay;
mod shadow;
mod slow_clients;
mod streams;
mod suggestions;
mod tasks;
mod terms;
mod upstream;
mod validation;
