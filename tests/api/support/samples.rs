//! Reads counters and gauges out of an exposition text.

/// Every sample of one scrape.
pub struct Samples(Vec<Sample>);

struct Sample {
    name: String,
    labels: String,
    value: String,
}

impl Samples {
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.map(Sample::read).collect())
    }

    /// The sum of all series of `name` that have these labels, and any others.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> i64 {
        let of_name: Vec<&Sample> = self.0.iter().filter(|sample| sample.name == name).collect();
        assert!(!of_name.is_empty(), "no series of {name}");
        of_name
            .into_iter()
            .filter(|sample| labels.iter().all(|(label, value)| sample.has(label, value)))
            .map(|sample| sample.value.parse::<i64>().expect("counters and gauges count in whole numbers"))
            .sum()
    }
}

impl Sample {
    fn read(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').expect("a name and a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        Self { name: name.to_owned(), labels: format!(",{labels}"), value: value.to_owned() }
    }

    fn has(&self, label: &str, value: &str) -> bool {
        self.labels.contains(&format!(",{label}=\"{value}\""))
    }
}
