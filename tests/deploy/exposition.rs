//! What the service exposes before its first request: every metric, its labels,
//! and every value of the labels whose values are known from the start. Which
//! failures are counted where is asked of `routing`, as the service does it.

use std::collections::{BTreeMap, BTreeSet};

use redraft::domain::{CalendarDate, CallFailure, ModelId, TaskName};
use redraft::routing::{is_passed_on, is_retried, takes_out};
use redraft::telemetry::{ChainScope, MetricScope, Metrics, TargetScope};

use crate::queries::selectors;

#[derive(Default)]
pub struct Family {
    pub kind: String,
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

pub type Families = BTreeMap<String, Family>;

/// What the service exposes before the first request.
pub fn families() -> Families {
    let target = |id: &str| TargetScope { model: ModelId::parse(id).unwrap(), region: None };
    let chains =
        vec![ChainScope { name: "default".to_owned(), targets: vec![target("a.one"), target("b.two")] }];
    let those = |wanted: fn(CallFailure) -> bool| {
        CallFailure::ALL.into_iter().filter(|failure| wanted(*failure)).collect()
    };
    let scope = MetricScope {
        tasks: TaskName::BUILT_IN.into(),
        chains,
        guardrails: vec!["strict".to_owned()],
        ends_of_life: [(ModelId::parse("a.one").unwrap(), CalendarDate::new(2027, 3, 30))].into(),
        retried: those(is_retried),
        passed_on: those(is_passed_on),
        taking_out: those(takes_out),
    };
    let text = String::from_utf8(Metrics::new(&scope).encode()).unwrap();
    let mut families = Families::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            for selector in selectors(line) {
                let family = families.get_mut(family_name(&selector.name, &families)).unwrap();
                for (label, _, value) in selector.matchers.into_iter().filter(|(label, ..)| label != "le") {
                    family.labels.entry(label).or_default().insert(value);
                }
            }
        }
    }
    // These series come with the first such failure: a call that fails is rare enough.
    let failures = CallFailure::ALL.into_iter().map(|failure| failure.as_str().to_owned());
    let calls = families.get_mut("gen_ai_client_operation_duration_seconds").unwrap();
    calls.labels.get_mut("error_type").unwrap().extend(failures);
    assert!(families.len() > 25, "the metrics were not found");
    families
}

/// The family of a series: a histogram has three kinds of them.
pub fn family_name<'a>(series: &'a str, families: &Families) -> &'a str {
    let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix));
    histogram
        .filter(|name| families.get(*name).is_some_and(|family| family.kind == "histogram"))
        .unwrap_or(series)
}
