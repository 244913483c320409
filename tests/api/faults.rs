//! The fault matrix: everything that can go wrong upstream, in every representation.
//!
//! Rows stand in [`table`], one per scenario of the simulator and per fault that
//! is no scenario. Each is run twice: only the first model of the chain has the
//! fault, and all have it. After each cell nothing may be left open, and after
//! all of them the process has as many tasks and sockets as before.

mod cell;
mod document;
mod history;
mod leaks;
mod rules;
mod subject;
pub mod table;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use bedrock_sim::Scenario;
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use cell::{Cell, Dialect};
use leaks::Baseline;
use subject::Subject;
use table::Clocks;

/// Cells at once that are not slow: back-offs and pauses of one are time for another.
const AT_ONCE: usize = 8;

#[test]
fn every_scenario_of_the_simulator_has_a_row() {
    let rows: BTreeSet<&str> = table::rows().map(|row| row.name).collect();
    let names = Scenario::names();
    let missing: Vec<&String> = names.iter().filter(|name| !rows.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    for row in table::rows().filter(|row| row.fault == table::Fault::Named) {
        assert!(Scenario::from_name(row.name).is_some(), "{} is no scenario", row.name);
    }
}

#[test]
fn the_document_is_written_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/FAULTS.md");
    let written = document::document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(golden, written, "docs/FAULTS.md differs; UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn every_word_is_used_by_a_row() {
    let of_rows = table::rows().flat_map(|row| [row.json.word(), row.stream.word()]).flatten();
    let used: BTreeSet<&str> = of_rows.chain(history::ROWS.iter().map(|row| row.word)).collect();
    let listed: BTreeSet<&str> = table::words::WORDS.iter().map(|word| word.word).collect();
    assert_eq!(used, listed);
}

/// Runs cells at the same time. Starting services and reading their counters is the work:
/// one comes before and the other after the requests, because short clocks must not run
/// meanwhile.
async fn together(cells: Vec<Cell>, chain: &[String]) -> Vec<(Cell, std::thread::Result<Vec<String>>)> {
    let mut prepared = Vec::new();
    for cell in cells {
        prepared.push((cell, cell.prepare(chain).await));
    }
    let asked = join_all(prepared.iter().map(|(cell, subject)| cell.ask(subject))).await;
    let mut ran = Vec::new();
    for ((cell, subject), asked) in prepared.into_iter().zip(asked) {
        // One broken promise must not hide the others.
        let checked = AssertUnwindSafe(cell.check(subject, asked, chain)).catch_unwind().await;
        ran.push((cell, checked));
    }
    ran
}

async fn sweep(dialect: Dialect) {
    let subject = Subject::with(|_| {}).await;
    let chain = subject.chain().await;
    subject.stop().await;
    let baseline = Baseline::take();
    let (slow, quick): (Vec<Cell>, Vec<Cell>) =
        Cell::all(dialect, table::rows()).into_iter().partition(|cell| cell.row.clocks != Clocks::Shipped);
    let mut ran = together(slow, &chain).await;
    for cells in quick.chunks(AT_ONCE) {
        ran.extend(together(cells.to_vec(), &chain).await);
    }
    let broken: Vec<String> =
        ran.iter().filter(|(_, ran)| ran.is_err()).map(|(cell, _)| cell.to_string()).collect();
    assert!(broken.is_empty(), "{} of {} cells: {broken:#?}", broken.len(), ran.len());
    let sockets = ran.into_iter().filter_map(|(_, ran)| ran.ok()).flatten().collect();
    baseline.is_reached(&sockets).await;
}

#[tokio::test]
async fn whole_answers() {
    sweep(Dialect::Json).await;
}

#[tokio::test]
async fn server_sent_events() {
    sweep(Dialect::Sse).await;
}

#[tokio::test]
async fn ndjson() {
    sweep(Dialect::Ndjson).await;
}

#[tokio::test]
async fn plain_text() {
    sweep(Dialect::Text).await;
}
