//! Making and registering metrics: one short call per kind.

use prometheus::{
    CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

/// Makes a metric and registers it. Definitions are constants of `metrics.rs`, so a
/// bad one is a defect that the first test shows.
pub(super) struct Declare<'a> {
    pub(super) registry: &'a Registry,
}

const SOUND: &str = "the metric's definition is a constant of `metrics.rs` and its name is used once";

impl Declare<'_> {
    pub(super) fn histogram(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(HistogramVec::new(opts, labels).expect(SOUND))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help).expect(SOUND))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels).expect(SOUND))
    }

    pub(super) fn counters_f64(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.add(CounterVec::new(Opts::new(name, help), labels).expect(SOUND))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels).expect(SOUND))
    }

    pub(super) fn gauges_f64(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.add(GaugeVec::new(Opts::new(name, help), labels).expect(SOUND))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help).expect(SOUND))
    }

    pub(super) fn gauge_f64(&self, name: &str, help: &str, version: &str) -> Gauge {
        self.add(Gauge::with_opts(Opts::new(name, help).const_label("version", version)).expect(SOUND))
    }

    pub(super) fn add<M: prometheus::core::Collector + Clone + 'static>(&self, metric: M) -> M {
        register(self.registry, metric.clone());
        metric
    }
}

pub(super) fn register(registry: &Registry, collector: impl prometheus::core::Collector + 'static) {
    registry.register(Box::new(collector)).expect(SOUND);
}
