//! The binary: one allocator, one runtime, one command.
//!
//! The one rule: when the command has ended, so does the process. Work that blocks,
//! such as reading a file on a disk that hangs, is not waited for.

use std::process::ExitCode;

use clap::Parser as _;
use redraft::app::cli::{self, Cli};

/// A request makes many small allocations, which this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(code) = cli::run_alone(&cli) {
        return code;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cli::no_runtime(&error),
    };
    let code = runtime.block_on(cli::run(cli));
    // Dropped, it would wait for file and DNS look-ups for as long as they take.
    runtime.shutdown_background();
    code
}
