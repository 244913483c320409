//! Feeds `redraft_fuzz::upstream_bytes`, which says what is checked.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redraft_fuzz::upstream_bytes::check(data));
