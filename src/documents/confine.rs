//! The child's own life: it takes its liberties away, then reads and reports.
//!
//! Two steps, because limits bind only what comes after them: by the time `main` runs,
//! the allocator has already set aside more address space than a document may use. So
//! the child sets its limits and starts the program over in the same process; from then
//! on they hold from the first instruction. Before the first byte of the document is
//! read, the number of descriptors it may have is set to none: the three pipes stay,
//! and no file and no socket can be opened any more.
//!
//! The one rule: the hard limits only ever go down, so that nothing raises a soft one.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

use super::error::Refusal;
use super::extractor::this_program;
use super::job::{Job, Step};
use super::read;
use super::report::{self, Extracted};

/// The report was made, whatever it says.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const MISUSED: u8 = 2;
/// Deep but honest nesting fits; a document that needs more is hostile. It is the first
/// thread's own stack: another thread would ask for its stack, and for a heap of the C
/// library, as new address space, which under some limits is just what is lacking.
const STACK_BYTES: u64 = 64 << 20;
/// The service's own threads go first.
const NICENESS: i32 = 10;

/// Runs the hidden subcommand. Must come before any runtime or thread is made.
///
/// Returns the exit code: 0 when a report was written.
pub fn run(arguments: &[OsString]) -> u8 {
    let Some(job) = Job::parse(arguments) else { return MISUSED };
    match job.step {
        Step::Confine => match start_over(&job) {
            Ok(never) => match never {},
            Err(_) => FAILED,
        },
        Step::Read => match close_the_doors().and_then(|()| tell(&job)) {
            Ok(()) => DONE,
            Err(_) => FAILED,
        },
    }
}

fn start_over(job: &Job) -> io::Result<Infallible> {
    #[cfg(target_os = "linux")]
    {
        // When memory is short on the whole machine, the kernel takes the child first.
        // Where this may not be written, the usual order holds.
        let _written = std::fs::write("/proc/self/oom_score_adj", "1000");
    }
    lower(Resource::As, job.max_memory_bytes, job.max_memory_bytes)?;
    // The first limit ends the child with a signal that names the reason. Were the second
    // the same, the kernel would kill it and the parent could only guess.
    lower(Resource::Cpu, job.max_cpu_seconds, job.max_cpu_seconds.saturating_add(1))?;
    lower(Resource::Stack, STACK_BYTES, STACK_BYTES)?;
    lower(Resource::Core, 0, 0)?;
    lower(Resource::Fsize, 0, 0)?;
    // A machine may forbid this; then it is only less polite.
    let _nicer = nice(NICENESS);
    let job = Job { step: Step::Read, ..*job };
    Err(Command::new(this_program()?).arg0("redraft").args(job.arguments()).env_clear().exec())
}

/// No descriptor beyond those that are open, and no further thread or process. On the
/// way here one of each was still needed, to load the program itself.
fn close_the_doors() -> io::Result<()> {
    // The kernel does not hold root to this one.
    lower(Resource::Nproc, 0, 0)?;
    lower(Resource::Nofile, 0, 0)
}

/// Sets the soft and the hard limit, neither higher than the hard one is.
fn lower(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let highest = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    setrlimit(resource, Rlimit { current: Some(soft.min(highest)), maximum: Some(hard.min(highest)) })?;
    Ok(())
}

fn tell(job: &Job) -> io::Result<()> {
    // A panic's own text can quote the document, and the parent hears standard error.
    std::panic::set_hook(Box::new(|_| ()));
    let outcome = read_or_give_up(job, &listen(job)?);
    let mut out = io::stdout().lock();
    out.write_all(report::line(&outcome).as_bytes())?;
    if let Ok(extracted) = &outcome {
        out.write_all(extracted.text.as_bytes())?;
    }
    out.flush()
}

fn listen(job: &Job) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(job.size_bytes);
    io::stdin().lock().take(job.size_bytes as u64).read_to_end(&mut bytes)?;
    if bytes.len() < job.size_bytes {
        // The parent is gone.
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// What panics was not well formed: readers of intricate formats give up this way, too.
fn read_or_give_up(job: &Job, bytes: &[u8]) -> Result<Extracted, Refusal> {
    // Nothing is used afterwards that a panic could have left half done.
    let reading = catch_unwind(AssertUnwindSafe(|| read::document(job.format, bytes, job.max_text_bytes)));
    reading.unwrap_or(Err(Refusal::Malformed))
}
