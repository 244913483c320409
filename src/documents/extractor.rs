//! The entrance of the room: a document and a deadline go in, text comes out.
//!
//! Owns the number of documents read at once. The one rule: nothing is parsed on the
//! threads that serve requests. Plain text is decoded beside them, everything else is
//! read in a child process, and dropping the future ends the child.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::error::{Crash, ExtractError, Refusal};
use super::format::DocumentFormat;
use super::report::Extracted;
use super::{read, sandbox, sniff};

/// What reading one document may take, and how many are read at once.
#[derive(Debug, Clone)]
pub struct ExtractionPolicy {
    /// The program that has the hidden subcommand: [`this_program`], except in tests.
    pub program: PathBuf,
    pub max_parallel: usize,
    /// Address space, which is more than resident memory: the program alone takes 60 MB.
    pub max_memory_bytes: u64,
    /// Processor time of one document, rounded up to whole seconds.
    pub max_cpu: Duration,
    /// Wall-clock time of one document, without the wait for a place.
    pub timeout: Duration,
    pub max_text_bytes: usize,
}

/// The program that runs, also after its file was replaced by a newer one.
///
/// # Errors
/// When the system does not tell.
pub fn this_program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}

/// Decoding so little takes microseconds, less than moving it to another thread is worth.
const DECODED_IN_PLACE_BYTES: usize = 64 << 10;

/// Reads documents, so many at a time.
pub struct Extractor {
    policy: ExtractionPolicy,
    places: Semaphore,
}

impl Extractor {
    pub fn new(policy: ExtractionPolicy) -> Self {
        Self { places: Semaphore::new(policy.max_parallel), policy }
    }

    /// Reads one document whole. `until` is the caller's own deadline: it bounds the wait
    /// for a place and the reading.
    ///
    /// # Errors
    /// [`ExtractError`]: nothing of it quotes the document.
    pub async fn extract(
        &self,
        format: &DocumentFormat,
        bytes: Bytes,
        until: Instant,
    ) -> Result<Extracted, ExtractError> {
        let said = match *format {
            text @ (DocumentFormat::PlainText { .. } | DocumentFormat::Markdown { .. }) => {
                self.decode(text, bytes).await?
            }
            other => self.read_in_child(other, bytes, until).await?,
        };
        said.map_err(|refusal| self.explain(refusal))
    }

    async fn decode(
        &self,
        format: DocumentFormat,
        bytes: Bytes,
    ) -> Result<Result<Extracted, Refusal>, ExtractError> {
        let max_text_bytes = self.policy.max_text_bytes;
        if bytes.len() <= DECODED_IN_PLACE_BYTES {
            return Ok(read::document(format, &bytes, max_text_bytes));
        }
        tokio::task::spawn_blocking(move || read::document(format, &bytes, max_text_bytes))
            .await
            .map_err(|_panicked| ExtractError::Crashed(Crash::Garbled))
    }

    async fn read_in_child(
        &self,
        format: DocumentFormat,
        bytes: Bytes,
        until: Instant,
    ) -> Result<Result<Extracted, Refusal>, ExtractError> {
        // What can be told at a glance takes no place and no process.
        if let Err(refusal) = sniff::agrees(format, &bytes) {
            return Ok(Err(refusal));
        }
        let place = timeout_at(until, self.places.acquire()).await;
        let _place = place.map_err(|_elapsed| ExtractError::Busy)?.expect("the places are never closed");
        let ends_at = (Instant::now() + self.policy.timeout).min(until);
        match timeout_at(ends_at, sandbox::read(&self.policy, format, &bytes)).await {
            Ok(said) => said,
            Err(_elapsed) if ends_at == until => Err(ExtractError::Deadline),
            Err(_elapsed) => Err(ExtractError::OutOfTime),
        }
    }

    fn explain(&self, refusal: Refusal) -> ExtractError {
        match refusal {
            Refusal::TypeMismatch => ExtractError::TypeMismatch,
            Refusal::Unsupported => ExtractError::Unsupported,
            Refusal::NoText => ExtractError::NoText,
            Refusal::Encrypted => ExtractError::Encrypted,
            Refusal::TooLarge => ExtractError::TooLarge { limit_bytes: self.policy.max_text_bytes },
            Refusal::Malformed => ExtractError::Malformed,
        }
    }
}
