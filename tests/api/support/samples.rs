//! Reads counters and gauges out of an exposition text.

use std::collections::HashMap;

/// Every sample of one scrape but the buckets, by name.
pub struct Samples(HashMap<String, Vec<Sample>>);

struct Sample {
    labels: String,
    value: String,
}

impl Samples {
    pub fn read(text: &str) -> Self {
        let mut by_name: HashMap<String, Vec<Sample>> = HashMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket{")) {
            let (series, value) = line.rsplit_once(' ').expect("a name and a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let sample = Sample { labels: format!(",{labels}"), value: value.to_owned() };
            match by_name.get_mut(name) {
                Some(samples) => samples.push(sample),
                None => drop(by_name.insert(name.to_owned(), vec![sample])),
            }
        }
        Self(by_name)
    }

    /// The sum of all series of `name` that have these labels, and any others.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> i64 {
        let samples = self.0.get(name).unwrap_or_else(|| panic!("no series of {name}"));
        samples
            .iter()
            .filter(|sample| labels.iter().all(|(label, value)| sample.has(label, value)))
            .map(|sample| sample.value.parse::<i64>().expect("counters and gauges count in whole numbers"))
            .sum()
    }
}

impl Sample {
    fn has(&self, label: &str, value: &str) -> bool {
        self.labels.contains(&format!(",{label}=\"{value}\""))
    }
}
