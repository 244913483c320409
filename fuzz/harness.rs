//! What the fuzz targets check, apart from the fuzzer.
//!
//! Each target is one function over bytes, which panics when something does not hold. The
//! targets under `fuzz_targets` feed them; `tests/fuzz_seeds.rs` runs them over the seeds. The one
//! rule it protects: a check depends on nothing but its bytes, so that what was found is found again.

#[path = "harness/bodies.rs"]
pub mod bodies;
#[path = "harness/events.rs"]
pub mod events;
#[path = "harness/frames.rs"]
mod frames;
#[path = "harness/input.rs"]
mod input;
#[path = "harness/service.rs"]
mod service;
#[path = "../tests/api/support/sse.rs"]
#[expect(dead_code, reason = "the tests of the API read more of a transcript than these checks do")]
mod sse;
#[path = "harness/upstream_bytes.rs"]
pub mod upstream_bytes;
