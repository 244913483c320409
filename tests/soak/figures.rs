//! The figures of a soak as one table for people.
//!
//! Owns how they are laid out and how percentiles are read off; measures nothing itself.

use std::fmt::Write as _;
use std::time::Duration;

use crate::check::Checker;
use crate::service::Reading;

/// What was measured beside what the checker counted.
pub struct Figures {
    pub load_time: Duration,
    pub saturated_per_second: f64,
    pub rate: f64,
    /// Model calls that the whole soak made.
    pub calls: u64,
    pub at_start: Reading,
    pub warm: Reading,
    pub peak: Reading,
    pub after: Reading,
}

impl Figures {
    pub fn table(&self, checker: &Checker) -> String {
        let mut out = String::new();
        self.write(checker, &mut out).expect("a string takes everything");
        out
    }

    fn write(&self, checker: &Checker, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "\nload                {:?} at {:.0} requests/s, half of {:.0}",
            self.load_time, self.rate, self.saturated_per_second
        )?;
        let under_load: u64 = checker.by_end.values().sum();
        writeln!(
            out,
            "requests            {} in all, {under_load} under load, {} held back",
            checker.sent, checker.held_back
        )?;
        writeln!(out, "model calls         {} in all, {} of them spoilt", self.calls, checker.faults)?;
        let mut latencies = checker.latencies.clone();
        latencies.sort_unstable();
        writeln!(
            out,
            "complete answers    p50 {:.1?}, p99 {:.1?}, longest {:.1?}",
            at(&latencies, 50),
            at(&latencies, 99),
            at(&latencies, 100)
        )?;
        writeln!(out, "wrong answers       {}", checker.violations.len())?;
        for (name, reading) in [
            ("at the start", self.at_start),
            ("warm", self.warm),
            ("at most", self.peak),
            ("afterwards", self.after),
        ] {
            let Reading { rss_bytes, descriptors, threads } = reading;
            writeln!(
                out,
                "{name:<19} {:>4} MB resident, {descriptors:>4} descriptors, {threads} threads",
                rss_bytes >> 20
            )?;
        }
        for ((dialect, end), count) in &checker.by_end {
            writeln!(out, "  {:<7} {end:<24} {count:>8}", dialect.as_str())?;
        }
        for (fault, count) in &checker.by_fault {
            writeln!(out, "  fault   {fault:<36} {count:>6}")?;
        }
        Ok(())
    }
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(index).copied().unwrap_or_default()
}
