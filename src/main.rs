//! The binary: one allocator, one runtime, one command.

use std::process::ExitCode;

use clap::Parser as _;
use redraft::app::cli::{self, Cli};

/// Small allocations are most of a request; this allocator is the cheapest measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(Cli::parse()).await
}
