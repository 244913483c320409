//! Feeds `redraft_fuzz::events`, which says what is checked.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redraft_fuzz::events::check(data));
