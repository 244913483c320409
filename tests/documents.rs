//! Documents, read by the real child process: honest ones, hostile ones, and the child itself.
//!
//! What a reader makes of a format is tested beside it. Here everything goes the way that a
//! request's document goes. The one rule these tests protect: whatever a stranger sends, the
//! service gets text or a clear error, soon, and nothing stays behind.

#![cfg(target_os = "linux")]

#[path = "documents/builders.rs"]
mod builders;
#[path = "documents/child.rs"]
mod child;
#[path = "documents/formats.rs"]
mod formats;
#[path = "documents/hostile.rs"]
mod hostile;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use redraft::documents::{DocumentFormat, ExtractError, Extracted, ExtractionPolicy, Extractor};
use tokio::time::Instant;

const TEXT: DocumentFormat = DocumentFormat::PlainText { charset: None };
const HTML: DocumentFormat = DocumentFormat::Html { charset: None, is_xhtml: false };
const MEBIBYTE: u64 = 1 << 20;
/// Longer than any test needs; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn policy() -> ExtractionPolicy {
    ExtractionPolicy {
        program: PathBuf::from(env!("CARGO_BIN_EXE_redraft")),
        max_parallel: 2,
        max_memory_bytes: 512 * MEBIBYTE,
        max_cpu: Duration::from_secs(20),
        timeout: PATIENCE / 2,
        max_text_bytes: 64 << 20,
    }
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/documents").join(name)
}

/// A policy with a script in the place of the reader.
fn instead(script: &str) -> ExtractionPolicy {
    ExtractionPolicy { program: fixture(script), ..policy() }
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

async fn read_under(
    policy: ExtractionPolicy,
    format: DocumentFormat,
    bytes: impl Into<Bytes>,
) -> Result<Extracted, ExtractError> {
    Extractor::new(policy).extract(&format, bytes.into(), soon()).await
}

async fn read(format: DocumentFormat, bytes: impl Into<Bytes>) -> Result<Extracted, ExtractError> {
    read_under(policy(), format, bytes).await
}
