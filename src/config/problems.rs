//! What is wrong with a configuration, told so that it can be put right.
//!
//! Owns the list of problems and the search for the name that was meant. It
//! judges no value. The one rule: a problem names its key and its origin.

use std::fmt;

use super::layers::Origin;

/// One thing that must be put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key path, such as `http.listen` or `model[3].context_tokens`; empty when the whole source is meant.
    pub key: String,
    pub origin: Origin,
    pub message: String,
}

/// Everything that must be put right, in the order it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are so far.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    pub(super) fn add(&mut self, key: impl Into<String>, origin: &Origin, message: impl Into<String>) {
        self.0.push(Problem { key: key.into(), origin: origin.clone(), message: message.into() });
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.origin, self.message)
        } else {
            write!(f, "{} ({}): {}", self.key, self.origin, self.message)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known name that is most like `wanted`, if any is like it at all.
pub(super) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const ALIKE: f64 = 0.55;
    /// Comparing takes time and memory with the product of both lengths.
    const LONGEST: usize = 256;
    if wanted.len() > LONGEST {
        return None;
    }
    let wanted = wanted.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&wanted, &name.to_ascii_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}

/// `, did you mean …?` where a known name is near, otherwise the names there are.
pub(super) fn advice(wanted: &str, known: &[&str]) -> String {
    match nearest(wanted, known.iter().copied()) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, Problems, advice, nearest};

    #[test]
    fn the_nearest_name_is_found_and_a_foreign_one_is_not_guessed() {
        let known = ["http.listen", "http.heartbeat_ms", "ops.listen"];
        assert_eq!(nearest("http.heartbeat", known), Some("http.heartbeat_ms"));
        assert_eq!(nearest("HTTP.LISTNE", known), Some("http.listen"));
        assert_eq!(nearest("database.password", known), None);
        assert_eq!(nearest(&"a".repeat(100_000_000), known), None, "at once, like nothing there is");
        assert_eq!(advice("zzz", &["a", "b"]), "known are a, b");
    }

    #[test]
    fn each_problem_is_one_line_with_key_and_origin() {
        let mut problems = Problems::default();
        problems.add("http.listen", &Origin::Flag("--listen"), "expected an address");
        problems.add("", &Origin::File("a.toml".into()), "line 1, column 2: unexpected text");
        assert_eq!(
            problems.to_string(),
            "http.listen (flag --listen): expected an address\nfile a.toml: line 1, column 2: unexpected text"
        );
    }
}
