//! The checks of the fuzz targets, over their seeds, as ordinary tests.
//!
//! The fuzzer needs a nightly compiler and is run now and then; its checks are code like any
//! other and must not rot. An input that once broke something is kept as a seed.

#[path = "../fuzz/harness.rs"]
mod harness;

use std::path::PathBuf;

/// The seeds of a target, by name.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "{} seeds in {}", seeds.len(), folder.display());
    seeds
}

/// Runs a check over the seeds and every beginning of them, as a fuzzer would cut them.
fn run(target: &str, check: fn(&[u8])) {
    for (name, seed) in seeds(target) {
        println!("{target}/{name}");
        check(&seed);
        for end in (0..seed.len()).step_by(seed.len().div_ceil(8).max(1)) {
            check(&seed[..end]);
        }
    }
}

#[test]
fn upstream_bytes() {
    run("upstream_bytes", harness::upstream_bytes::check);
}

#[test]
fn events() {
    run("events", harness::events::check);
}

#[test]
fn bodies() {
    run("bodies", harness::bodies::check);
}
