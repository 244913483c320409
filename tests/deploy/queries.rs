//! Reads PromQL as far as it has to be read: which series it selects, by which
//! labels, and whether the service exposes them.

use std::collections::BTreeSet;

use crate::exposition::{Families, family_name};

/// Labels whose values are all there from the start.
const CLOSED: &[&str] = &[
    "task",
    "stream",
    "outcome",
    "error",
    "api",
    "reason",
    "direction",
    "fallback",
    "stage",
    "gen_ai_token_type",
];
/// Such labels of one family only: elsewhere the same label is open.
const CLOSED_IN: &[(&str, &str)] = &[
    ("redraft_breaker_transitions_total", "to"),
    ("gen_ai_client_operation_duration_seconds", "error_type"),
];
/// Labels and metrics that Prometheus itself adds.
const OF_PROMETHEUS: &[&str] = &["le", "job", "instance", "up", "scrape_samples_scraped"];
const PREFIXES: &[&str] = &["redraft_", "gen_ai_", "http_", "process_", "tokio_"];

/// A selector of a query: the name of a series and its matchers.
#[derive(Debug, PartialEq)]
pub struct Selector {
    pub name: String,
    pub matchers: Vec<(String, String, String)>,
}

/// Everything in a query that could be a series of ours, with its matchers.
pub fn selectors(query: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':' | '"')) {
        rest = &rest[start..];
        if let Some(text) = rest.strip_prefix('"') {
            rest = text.split_once('"').map_or("", |(_, after)| after);
            continue;
        }
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        let inside = after.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let matchers = inside.map(|(inside, after)| {
            rest = after;
            matchers(inside)
        });
        if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || matchers.is_some() {
            found.push(Selector { name: name.to_owned(), matchers: matchers.unwrap_or_default() });
        }
    }
    found
}

fn matchers(inside: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut rest = inside;
    while let Some((before, after)) = rest.split_once('"') {
        let (value, after) = after.split_once('"').unwrap_or((after, ""));
        let label_end = before.find(['=', '!']).unwrap_or(before.len());
        let (label, operator) = before.split_at(label_end);
        let label = label.trim_matches([',', ' ']);
        found.push((label.to_owned(), operator.to_owned(), value.to_owned()));
        rest = after;
    }
    found
}

/// The labels in `by (…)`, `without (…)` and `on (…)`.
fn grouping_labels(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    for keyword in ["by (", "without (", "on ("] {
        for (at, _) in query.match_indices(keyword) {
            let list = query[at + keyword.len()..].split(')').next().unwrap_or_default();
            found.extend(
                list.split(',').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()),
            );
        }
    }
    found
}

fn is_closed(family: &str, label: &str) -> bool {
    CLOSED.contains(&label) || CLOSED_IN.contains(&(family, label))
}

/// What is wrong with a query, against what the service exposes.
pub fn problems(query: &str, families: &Families, recorded: &BTreeSet<String>) -> Vec<String> {
    let labels: BTreeSet<&str> =
        families.values().flat_map(|family| family.labels.keys().map(String::as_str)).collect();
    let mut broken = Vec::new();
    for Selector { name, matchers } in selectors(query) {
        if labels.contains(name.as_str()) || recorded.contains(&name) {
            continue;
        }
        let of = family_name(&name, families);
        let Some(family) = families.get(of) else {
            if !OF_PROMETHEUS.contains(&name.as_str()) {
                broken.push(format!("{name} is no metric, in {query}"));
            }
            continue;
        };
        if family.kind == "histogram" && families.contains_key(&name) {
            broken.push(format!("{name} is a histogram and needs _bucket, _sum or _count, in {query}"));
        }
        for (label, operator, value) in matchers {
            match family.labels.get(&label) {
                None if OF_PROMETHEUS.contains(&label.as_str()) => {}
                None => broken.push(format!("{name} has no label {label}, in {query}")),
                Some(known) if is_closed(of, &label) && !value.contains('$') => {
                    let alternatives =
                        if operator.ends_with('~') { value.split('|').collect() } else { vec![&*value] };
                    let unknown =
                        alternatives.into_iter().filter(|one| !one.is_empty() && !known.contains(*one));
                    broken.extend(unknown.map(|one| format!("{name}: {label} is never {one}, in {query}")));
                }
                Some(_) => {}
            }
        }
    }
    for label in grouping_labels(query) {
        if !labels.contains(label.as_str()) && !OF_PROMETHEUS.contains(&label.as_str()) {
            broken.push(format!("no metric has a label {label}, in {query}"));
        }
    }
    for (_, arguments) in query
        .match_indices("label_values(")
        .filter_map(|(at, call)| query[at + call.len()..].split_once(')').map(|(inside, _)| (at, inside)))
    {
        let (metric, label) = arguments.split_once(',').unwrap_or((arguments, ""));
        let label = label.trim();
        let known = families.get(metric.trim()).is_some_and(|family| family.labels.contains_key(label));
        if !known && !OF_PROMETHEUS.contains(&label) {
            broken.push(format!("{metric} has no label {label}, in {query}"));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Selector, grouping_labels, problems, selectors};
    use crate::exposition::families;

    #[test]
    fn a_query_is_read_as_its_selectors() {
        let query = r#"sum by (task) (rate(redraft_a_total{x="1", y=~"a|b"}[5m])) / redraft_b > on (job) up{job="z"}"#;
        let triple = |label: &str, operator: &str, value: &str| {
            (label.to_owned(), operator.to_owned(), value.to_owned())
        };
        assert_eq!(
            selectors(query),
            [
                Selector {
                    name: "redraft_a_total".to_owned(),
                    matchers: vec![triple("x", "=", "1"), triple("y", "=~", "a|b")]
                },
                Selector { name: "redraft_b".to_owned(), matchers: Vec::new() },
                Selector { name: "up".to_owned(), matchers: vec![triple("job", "=", "z")] },
            ]
        );
        assert_eq!(grouping_labels(query), ["task", "job"]);
    }

    #[test]
    fn a_query_for_what_is_not_there_is_found() {
        let families = families();
        let none = BTreeSet::new();
        for (query, finding) in [
            ("rate(redraft_request_total[5m])", "is no metric"),
            ("redraft_overhead_seconds", "is a histogram"),
            (r#"redraft_requests_total{model="a"}"#, "has no label model"),
            (r#"redraft_requests_total{outcome=~"ok|upstream_failure"}"#, "is never upstream_failure"),
            (r#"redraft_breaker_transitions_total{to="opened"}"#, "is never opened"),
            (r#"gen_ai_client_operation_duration_seconds_count{error_type="denied"}"#, "is never denied"),
            (r#"redraft_fallbacks_total{reason="credentials_rejected"}"#, "is never credentials_rejected"),
            ("sum by (kind) (redraft_ready)", "no metric has a label kind"),
            ("label_values(redraft_ready, task)", "has no label task"),
        ] {
            let found = problems(query, &families, &none);
            assert!(found.len() == 1 && found[0].contains(finding), "{query}: {found:?}");
        }
        let good =
            r#"redraft_requests_total{outcome!="ok", task=~"$task"} + redraft_fallbacks_total{to="c.three"}"#;
        assert_eq!(problems(good, &families, &none), Vec::<String>::new());
    }
}
