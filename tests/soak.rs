//! The soak: the service as a process of its own, under load and faults, for a while.
//!
//! Finds how many requests the service answers at most, then sends half as many while one model
//! call in ten is spoilt. Checks that no answer is wrong, that every failure is one that the API
//! documents, and that nothing stays behind: no request, stream, file descriptor or memory.
//! `REDRAFT_SOAK_SECONDS` sets the length of the load; without it a few seconds show that the
//! machinery works. The one rule it protects: an answer that was cut is never called complete.

#![cfg(target_os = "linux")]

#[path = "soak/check.rs"]
mod check;
#[path = "soak/client.rs"]
mod client;
#[path = "soak/figures.rs"]
mod figures;
#[path = "soak/load.rs"]
mod load;
#[path = "soak/service.rs"]
mod service;
#[path = "soak/shape.rs"]
mod shape;
#[path = "api/support/sse.rs"]
mod sse;

use std::time::Duration;

use bedrock_sim::{Sim, SimOptions};
use tokio::time::{Instant, interval};

use check::Checker;
use client::Client;
use figures::Figures;
use service::{Reading, Service};

/// How long everything may take to come to rest once the load has stopped.
const PATIENCE: Duration = Duration::from_secs(40);
/// What the process may have grown by, from the end of the warm-up to the end of the soak.
const ALLOWED_GROWTH_BYTES: u64 = 20 * 1024 * 1024;
/// Descriptors that may be open afterwards beside those of the start.
const ALLOWED_DESCRIPTORS: usize = 4;
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread")]
async fn under_faults_no_answer_is_wrong_and_nothing_stays_behind() {
    let load_time = Duration::from_secs(load_seconds());
    let ramp = (load_time / 10).clamp(Duration::from_secs(1), Duration::from_secs(15));
    let sim = Sim::start(SimOptions { log_capacity: 50_000, ..SimOptions::default() }).await.unwrap();
    let mut service = Service::start(&sim.endpoint_url()).await;
    let client = Client::new(service.api);
    let mut checker = Checker::default();

    let at_start = service.reading();
    load::closed_loop(&client, &sim, &mut checker, ramp).await;
    let saturated_per_second = load::closed_loop(&client, &sim, &mut checker, ramp).await;
    at_rest(&service).await;
    let warm = service.reading();

    let rate = saturated_per_second / 2.0;
    load::plan_faults(&sim, rate, load_time);
    let peak = load::open_loop(&client, &sim, &mut checker, rate, load_time, &service).await;
    sim.clear_scenarios();

    // Whatever a client began is over, one way or the other; nobody asks for anything any more.
    let still_open = at_rest(&service).await;
    checker.finish(&sim).await;
    drop(client);
    let metrics = service.metrics().await;
    let calls = sim.calls_after(0).last().map_or(0, |call| call.sequence);
    sim.stop().await;
    let after = settled(&service, &at_start, &warm).await;
    let ended = service.terminate(PATIENCE);

    let figures = Figures { load_time, saturated_per_second, rate, calls, at_start, warm, peak, after };
    println!("{}", figures.table(&checker));

    assert!(checker.violations.is_empty(), "{}", checker.told_violations());
    assert!(still_open.is_empty(), "still open after {PATIENCE:?}: {still_open:?}");
    assert_eq!(metrics.sum("redraft_panics_total"), 0.0, "panics");
    let counted = metrics.sum("redraft_requests_total");
    #[expect(clippy::cast_precision_loss, reason = "a soak sends far fewer than 2^52 requests")]
    let sent = checker.sent as f64;
    assert_eq!(counted, sent, "every request is counted once");
    assert!(
        after.descriptors <= at_start.descriptors + ALLOWED_DESCRIPTORS,
        "{} descriptors at the start, {} afterwards",
        at_start.descriptors,
        after.descriptors
    );
    assert!(
        after.rss_bytes <= warm.rss_bytes + ALLOWED_GROWTH_BYTES,
        "{} MB after the warm-up, {} MB at the end",
        warm.rss_bytes >> 20,
        after.rss_bytes >> 20
    );
    assert_eq!(ended, Some(0), "SIGTERM ends it with exit code 0; its last words:\n{}", service.last_words());
    assert!(
        checker.answers > 0 && checker.faults > 0,
        "the soak proved nothing: {}",
        figures.table(&checker)
    );
}

fn load_seconds() -> u64 {
    let Some(text) = std::env::var_os("REDRAFT_SOAK_SECONDS") else {
        return 5;
    };
    let seconds = text.to_str().and_then(|text| text.parse().ok());
    seconds.filter(|seconds| *seconds > 0).expect("REDRAFT_SOAK_SECONDS is a whole number of seconds")
}

/// Waits until no gauge of work shows any; returns those that still do.
async fn at_rest(service: &Service) -> Vec<String> {
    let until = Instant::now() + PATIENCE;
    let mut looks = interval(LOOK_EVERY);
    loop {
        let busy = service.metrics().await.gauges_of_work_above_zero();
        if busy.is_empty() || Instant::now() > until {
            return busy;
        }
        looks.tick().await;
    }
}

/// Waits until descriptors and memory are back within their bounds, or the patience ends.
async fn settled(service: &Service, at_start: &Reading, warm: &Reading) -> Reading {
    let until = Instant::now() + PATIENCE;
    let mut looks = interval(LOOK_EVERY);
    loop {
        let now = service.reading();
        let back = now.descriptors <= at_start.descriptors + ALLOWED_DESCRIPTORS
            && now.rss_bytes <= warm.rss_bytes + ALLOWED_GROWTH_BYTES;
        if back || Instant::now() > until {
            return now;
        }
        looks.tick().await;
    }
}
