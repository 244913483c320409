//! Feeds `redraft_fuzz::bodies`, which says what is checked.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redraft_fuzz::bodies::check(data));
