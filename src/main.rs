//! The binary: one allocator, one runtime, one command.

use std::process::ExitCode;

use clap::Parser as _;
use redraft::app::cli::{self, Cli};

/// A request makes many small allocations, which this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run(Cli::parse()).await
}
