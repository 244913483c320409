//! The settings of documents and of the work on them in parts.

use std::time::Duration;

use super::{HOUR, SECOND};
use crate::config::reader::Reader;
use crate::domain::Cost;
use crate::pipeline::{KeepPolicy, Limits};

/// How files are read.
pub(super) struct Files {
    pub max_file_bytes: usize,
    pub max_parallel: usize,
    pub max_memory_bytes: u64,
    pub max_cpu: Duration,
    pub timeout: Duration,
    pub max_text_bytes: usize,
}

/// Bounds on the reading of files.
pub(super) fn files(reader: &mut Reader<'_, '_>) -> Option<Files> {
    let max_file_bytes = reader.whole("documents.max_file_bytes", 1..=1 << 30, "bytes");
    let max_parallel = reader.whole("documents.max_readers", 1..=256, "processes");
    let max_memory_bytes = reader.whole("documents.max_memory_bytes", 256 << 20..=1 << 36, "bytes");
    let max_cpu = reader.millis("documents.max_cpu_ms", SECOND..=HOUR);
    let timeout = reader.millis("documents.read_ms", 1..=HOUR);
    let max_text_bytes = reader.whole("documents.max_text_bytes", 1..=1 << 30, "bytes");
    Some(Files {
        max_file_bytes: max_file_bytes?,
        max_parallel: max_parallel?,
        max_memory_bytes: max_memory_bytes?,
        max_cpu: max_cpu?,
        timeout: timeout?,
        max_text_bytes: max_text_bytes?,
    })
}

/// Bounds on a request.
pub(super) fn limits(reader: &mut Reader<'_, '_>) -> Option<Limits> {
    let max_parallel = reader.whole("fanout.max_parallel", 1..=64, "model calls");
    let max_input_tokens = reader.whole("limits.max_input_tokens", 1..=100_000_000, "tokens");
    let target_chunk_tokens = reader.whole("documents.target_chunk_tokens", 64..=1_000_000, "tokens");
    let target_answer_tokens = reader.whole("documents.target_answer_tokens", 64..=100_000, "tokens");
    let max_chunks = reader.whole("documents.max_chunks", 1..=10_000, "parts");
    let max_cost = reader.number("documents.max_cost_usd", 0..=10_000, "USD").and_then(Cost::of_usd);
    let keep_for = reader.millis("documents.keep_ms", 0..=24 * HOUR);
    let max_bytes = reader.whole("documents.keep_max_bytes", 0..=1 << 40, "bytes");
    Some(Limits {
        max_input_tokens: max_input_tokens?,
        target_chunk_tokens: target_chunk_tokens?,
        target_answer_tokens: target_answer_tokens?,
        max_chunks: max_chunks?,
        max_cost: max_cost?,
        max_parallel: max_parallel?,
        keep: KeepPolicy { max_bytes: max_bytes?, keep_for: keep_for? },
    })
}
