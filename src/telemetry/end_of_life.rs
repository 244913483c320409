//! How many days models have left, counted anew at every scrape.
//!
//! A gauge that is set once is wrong on the next day. This one holds dates and does
//! the sum when it is asked, so it is true as days pass and names no model that the
//! configuration has dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};

use crate::domain::{CalendarDate, ModelId};

/// The last days of models. Clones share them.
#[derive(Clone)]
pub struct EndsOfLife {
    opts: Opts,
    /// Tells the registry name and labels; it never holds a value.
    empty: IntGaugeVec,
    ends: Arc<RwLock<BTreeMap<ModelId, CalendarDate>>>,
    today: fn() -> CalendarDate,
}

impl EndsOfLife {
    pub(super) fn new(name: &str, help: &str, today: fn() -> CalendarDate) -> Self {
        let opts = Opts::new(name, help);
        Self { empty: gauges(&opts), opts, ends: Arc::default(), today }
    }

    /// From now on these, and no others.
    pub(super) fn replace(&self, ends: &BTreeMap<ModelId, CalendarDate>) {
        ends.clone_into(&mut self.ends.write().unwrap_or_else(PoisonError::into_inner));
    }
}

fn gauges(opts: &Opts) -> IntGaugeVec {
    IntGaugeVec::new(opts.clone(), &["model"]).expect("the definition is a constant of `metrics.rs`")
}

impl Collector for EndsOfLife {
    fn desc(&self) -> Vec<&Desc> {
        self.empty.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauges = gauges(&self.opts);
        let today = (self.today)();
        for (model, end) in &*self.ends.read().unwrap_or_else(PoisonError::into_inner) {
            gauges.with_label_values(&[model.as_str()]).set(end.days_since(today));
        }
        gauges.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::EndsOfLife;
    use crate::domain::{CalendarDate, ModelId};
    use prometheus::core::Collector as _;
    use std::sync::atomic::{AtomicU8, Ordering};

    static DAY: AtomicU8 = AtomicU8::new(1);

    fn shown(ends: &EndsOfLife) -> Vec<(String, f64)> {
        let families = ends.collect();
        let metrics = families.iter().flat_map(|family| family.get_metric());
        let mut shown: Vec<(String, f64)> =
            metrics.map(|one| (one.get_label()[0].value().to_owned(), one.get_gauge().get_value())).collect();
        shown.sort_by(|one, other| one.0.cmp(&other.0));
        shown
    }

    #[test]
    fn days_are_counted_at_each_scrape_and_only_for_the_models_of_now() {
        let today = || CalendarDate::new(2026, 12, DAY.load(Ordering::Relaxed));
        let ends = EndsOfLife::new("days", "Days.", today);
        assert_eq!(shown(&ends), []);
        let of = |id: &str, day| (ModelId::parse(id).unwrap(), CalendarDate::new(2026, 12, day));
        ends.replace(&[of("a.one", 3), of("b.two", 31)].into());
        assert_eq!(shown(&ends), [("a.one".to_owned(), 2.0), ("b.two".to_owned(), 30.0)]);
        DAY.store(5, Ordering::Relaxed);
        assert_eq!(shown(&ends), [("a.one".to_owned(), -2.0), ("b.two".to_owned(), 26.0)]);
        ends.replace(&[of("b.two", 31)].into());
        assert_eq!(shown(&ends), [("b.two".to_owned(), 26.0)]);
    }
}
