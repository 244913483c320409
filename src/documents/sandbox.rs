//! The parent's side of the pipes: start the child, feed it, hear it, judge its end.
//!
//! The one rule: whatever the child does, and whenever this future is dropped, the child
//! ends and takes up no more of the parent's memory than the longest text allowed.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::error::{Crash, ExtractError, Refusal};
use super::extractor::ExtractionPolicy;
use super::format::DocumentFormat;
use super::job::{Job, Step};
use super::report::{self, Extracted};

/// The runtime's last words are short. They are looked at here and told nobody.
const COMPLAINT_BYTES: usize = 4096;
const OUT_OF_MEMORY: &str = "memory allocation of";
const STACK_OVERFLOW: &str = "has overflowed its stack";

/// Has one document read.
pub(super) async fn read(
    policy: &ExtractionPolicy,
    format: DocumentFormat,
    bytes: &[u8],
) -> Result<Result<Extracted, Refusal>, ExtractError> {
    let job = Job {
        step: Step::Confine,
        format,
        size_bytes: bytes.len(),
        max_text_bytes: policy.max_text_bytes,
        max_memory_bytes: policy.max_memory_bytes,
        max_cpu_seconds: whole_seconds(policy),
    };
    let mut child = Command::new(&policy.program)
        .arg0("redraft")
        .args(job.arguments())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C in a terminal is for the service, which lets open requests end.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(ExtractError::Spawn)?;
    let mut stdin = child.stdin.take().expect("it was piped above");
    let stdout = child.stdout.take().expect("it was piped above");
    let stderr = child.stderr.take().expect("it was piped above");

    let feed = async {
        // A child that ended early does not listen any more; its end says why.
        let _fed = stdin.write_all(bytes).await;
        drop(stdin);
        Ok(())
    };
    let limit_bytes = policy.max_text_bytes;
    let hear = async {
        let said = hear(stdout, limit_bytes + report::MAX_LINE_BYTES).await?;
        said.ok_or(ExtractError::TooLarge { limit_bytes })
    };
    // All three at once: a full pipe on one side must not stop the others.
    let ((), said, complaint) = tokio::try_join!(feed, hear, overhear(stderr))?;
    let status = child.wait().await.map_err(ExtractError::Spawn)?;
    judge(policy, status, said, &complaint)
}

fn whole_seconds(policy: &ExtractionPolicy) -> u64 {
    let seconds = policy.max_cpu.as_secs();
    if policy.max_cpu.subsec_nanos() > 0 { seconds + 1 } else { seconds.max(1) }
}

/// Everything, or `None` when it is more than the limit.
async fn hear(pipe: impl AsyncRead + Unpin, limit_bytes: usize) -> Result<Option<Vec<u8>>, ExtractError> {
    let mut said = Vec::new();
    pipe.take(limit_bytes as u64 + 1).read_to_end(&mut said).await.map_err(ExtractError::Spawn)?;
    Ok((said.len() <= limit_bytes).then_some(said))
}

/// The beginning; the rest is read too, so that nobody waits, and forgotten.
async fn overhear(mut pipe: impl AsyncRead + Unpin) -> Result<Vec<u8>, ExtractError> {
    let mut beginning = Vec::new();
    let mut buffer = [0; COMPLAINT_BYTES];
    loop {
        let read_bytes = pipe.read(&mut buffer).await.map_err(ExtractError::Spawn)?;
        if read_bytes == 0 {
            return Ok(beginning);
        }
        let room = COMPLAINT_BYTES - beginning.len();
        beginning.extend_from_slice(&buffer[..read_bytes.min(room)]);
    }
}

fn judge(
    policy: &ExtractionPolicy,
    status: ExitStatus,
    said: Vec<u8>,
    complaint: &[u8],
) -> Result<Result<Extracted, Refusal>, ExtractError> {
    if status.success() {
        return report::parse(said).ok_or(ExtractError::Crashed(Crash::Garbled));
    }
    let out_of_memory = ExtractError::OutOfMemory { limit_bytes: policy.max_memory_bytes };
    let complaint = String::from_utf8_lossy(complaint);
    if complaint.contains(OUT_OF_MEMORY) {
        return Err(out_of_memory);
    }
    if complaint.contains(STACK_OVERFLOW) {
        return Err(ExtractError::Crashed(Crash::StackOverflow));
    }
    Err(match status.signal() {
        Some(signal) if signal == Signal::XCPU.as_raw() => ExtractError::OutOfTime,
        // Nobody here kills a child and then asks how it ended. It was the kernel, for want
        // of memory.
        Some(signal) if signal == Signal::KILL.as_raw() => out_of_memory,
        Some(signal) => ExtractError::Crashed(Crash::Signal(signal)),
        None => ExtractError::Crashed(Crash::ExitCode(status.code().unwrap_or_default())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::time::Duration;

    fn policy() -> ExtractionPolicy {
        ExtractionPolicy {
            program: PathBuf::new(),
            max_parallel: 1,
            max_memory_bytes: 7,
            max_cpu: Duration::from_millis(1500),
            timeout: Duration::from_secs(1),
            max_text_bytes: 100,
        }
    }

    /// The wait status of a process: a signal, or an exit code in the second byte.
    fn ended(raw: i32, complaint: &str) -> ExtractError {
        judge(&policy(), ExitStatus::from_raw(raw), b"partial".to_vec(), complaint.as_bytes()).unwrap_err()
    }

    #[test]
    fn every_way_to_end_badly_has_its_name() {
        let xcpu = Signal::XCPU.as_raw();
        assert!(matches!(ended(xcpu, ""), ExtractError::OutOfTime));
        assert!(matches!(ended(9, ""), ExtractError::OutOfMemory { limit_bytes: 7 }));
        assert!(matches!(ended(6, "memory allocation of 9 bytes failed"), ExtractError::OutOfMemory { .. }));
        assert!(matches!(
            ended(6, "\nthread '<unnamed>' (7) has overflowed its stack\n"),
            ExtractError::Crashed(Crash::StackOverflow)
        ));
        assert!(matches!(ended(11, ""), ExtractError::Crashed(Crash::Signal(11))));
        assert!(matches!(ended(2 << 8, ""), ExtractError::Crashed(Crash::ExitCode(2))));
        assert!(matches!(ended(0, ""), ExtractError::Crashed(Crash::Garbled)));
    }

    #[test]
    fn processor_time_is_rounded_up_and_never_none() {
        assert_eq!(whole_seconds(&policy()), 2);
        assert_eq!(whole_seconds(&ExtractionPolicy { max_cpu: Duration::ZERO, ..policy() }), 1);
        assert_eq!(whole_seconds(&ExtractionPolicy { max_cpu: Duration::from_secs(3), ..policy() }), 3);
    }
}
