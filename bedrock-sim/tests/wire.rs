//! What a client sees on the socket: status lines, headers, frames, cuts and silences.
//!
//! Every test starts a simulator of its own on a free port and talks to it over TCP.

#[path = "wire/client.rs"]
mod client;

#[path = "wire/admin.rs"]
mod admin;
#[path = "wire/caching.rs"]
mod caching;
#[path = "wire/conversations.rs"]
mod conversations;
#[path = "wire/guardrails.rs"]
mod guardrails;
#[path = "wire/llm.rs"]
mod llm;
#[path = "wire/log.rs"]
mod log;
#[path = "wire/native.rs"]
mod native;
#[path = "wire/program.rs"]
mod program;
#[path = "wire/refusals.rs"]
mod refusals;
#[path = "wire/server.rs"]
mod server;
#[path = "wire/stand_in.rs"]
mod stand_in;
#[path = "wire/streams.rs"]
mod streams;
#[path = "wire/tools.rs"]
mod tools;
#[path = "wire/whole_answers.rs"]
mod whole_answers;
