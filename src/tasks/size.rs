//! How many tokens an answer needs.
//!
//! Owns the reserve that is asked for above the expected size. It does not know
//! models: their own output limits are applied where a target is chosen. The
//! rule it protects: a quota reserves what a call asks for, so a call asks for
//! what its task can use, and for enough that an ordinary answer is never cut.

use crate::domain::OutputSize;

/// The least reserve: a model's vocabulary may be coarser than expected, and
/// half of a one-line answer is no room at all.
const MIN_RESERVE_TOKENS: u32 = 64;

/// Adds the reserve: half of what is expected, and at least 64 tokens.
pub(super) fn with_reserve(tokens: u32) -> OutputSize {
    let expected_tokens = tokens.max(1);
    let reserve = (expected_tokens / 2).max(MIN_RESERVE_TOKENS);
    OutputSize { expected_tokens, max_tokens: expected_tokens.saturating_add(reserve) }
}
