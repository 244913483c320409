//! Typed reading of settings: a value, or a problem that says what was expected.
//!
//! Owns the messages and what is shown of a value. It keeps reading after a
//! problem. The one rule: a value that may hold a secret is masked before it
//! enters a message or a report.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Value;

use super::layers::{Layers, Origin, Setting};
use super::problems::Problems;

/// A setting in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// The key path, such as `http.listen`.
    pub key: String,
    /// As it would be written in a file, with secrets masked.
    pub value: String,
    pub origin: Origin,
}

/// Reads settings and remembers which.
pub(super) struct Reader<'l, 'p> {
    layers: &'l Layers,
    problems: &'p mut Problems,
    settings: Vec<EffectiveSetting>,
    warnings: Vec<String>,
}

impl<'l, 'p> Reader<'l, 'p> {
    pub(super) fn new(layers: &'l Layers, problems: &'p mut Problems) -> Self {
        Self { layers, problems, settings: Vec::new(), warnings: Vec::new() }
    }

    /// Everything that was read, in order, and what deserves a look.
    pub(super) fn finish(self) -> (Vec<EffectiveSetting>, Vec<String>) {
        (self.settings, self.warnings)
    }

    /// A whole number; `what` is its unit for the message.
    pub(super) fn whole<T: TryFrom<i64>>(
        &mut self,
        key: &str,
        range: RangeInclusive<i64>,
        what: &str,
    ) -> Option<T> {
        let value = self.read(key).value.as_integer().filter(|number| range.contains(number));
        let number = value.and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            let (least, most) = range.into_inner();
            self.refuse(key, format_args!("expected a whole number of {what} from {least} to {most}"));
        }
        number
    }

    /// A number that need not be whole; `what` is its unit for the message.
    pub(super) fn number(&mut self, key: &str, range: RangeInclusive<i32>, what: &str) -> Option<f64> {
        let value = &self.read(key).value;
        let whole = || value.as_integer().and_then(|number| i32::try_from(number).ok()).map(f64::from);
        let (least, most) = range.into_inner();
        let bounds = f64::from(least)..=f64::from(most);
        let number = value.as_float().or_else(whole).filter(|number| bounds.contains(number));
        if number.is_none() {
            self.refuse(key, format_args!("expected a number of {what} from {least} to {most}"));
        }
        number
    }

    /// Yes or no.
    pub(super) fn switch(&mut self, key: &str) -> Option<bool> {
        let value = self.read(key).value.as_bool();
        if value.is_none() {
            self.refuse(key, format_args!("expected true or false"));
        }
        value
    }

    /// A time in milliseconds.
    pub(super) fn millis(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<Duration> {
        self.whole(key, range, "milliseconds").map(Duration::from_millis)
    }

    /// Text of any kind.
    pub(super) fn text(&mut self, key: &str) -> Option<&'l str> {
        let text = self.read(key).value.as_str();
        if text.is_none() {
            self.refuse(key, format_args!("expected text"));
        }
        text
    }

    /// Text that `parse` accepts.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = self.read(key).value.as_str().and_then(parse);
        if parsed.is_none() {
            self.refuse(key, format_args!("expected {expected}"));
        }
        parsed
    }

    /// A list of texts, each of which `parse` accepts or says why not.
    pub(super) fn list<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let setting = self.read(key);
        let Some(entries) = setting.value.as_array() else {
            self.refuse(key, format_args!("expected a list of texts"));
            return None;
        };
        let mut parsed = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let result = match entry.as_str() {
                Some(text) => parse(text),
                None => Err("expected text".to_owned()),
            };
            match result {
                Ok(value) => parsed.push(value),
                Err(reason) => {
                    let message = format!("{reason}, found {}", shown(key, entry));
                    self.problems.add(format!("{key}[{index}]"), &setting.origin, message);
                }
            }
        }
        (parsed.len() == entries.len()).then_some(parsed)
    }

    /// Adds a problem about the value of `key`, which it ends with.
    pub(super) fn refuse(&mut self, key: &str, expected: fmt::Arguments<'_>) {
        let setting = self.layers.setting(key);
        let message = format!("{expected}, found {}", shown(key, &setting.value));
        self.problems.add(key, &setting.origin, message);
    }

    /// Adds something that works but deserves a look.
    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Whether somebody set the key, rather than the compiled-in layer.
    pub(super) fn is_set(&self, key: &str) -> bool {
        *self.layers.origin(key) != Origin::Default
    }

    fn read(&mut self, key: &str) -> &'l Setting {
        let setting = self.layers.setting(key);
        self.settings.push(EffectiveSetting {
            key: key.to_owned(),
            value: shown(key, &setting.value),
            origin: setting.origin.clone(),
        });
        setting
    }
}

/// A value as a file would hold it, without what may be secret.
fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::String(url) if key.ends_with("_url") => Value::String(without_secrets(url)).to_string(),
        _ => value.to_string(),
    }
}

/// Hides the user name and password of a URL, and its query.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = match rest.rsplit_once('@') {
        Some((_, host)) => format!("***@{host}"),
        None => rest.to_owned(),
    };
    let rest = match rest.split_once('?') {
        Some((path, _)) => format!("{path}?***"),
        None => rest,
    };
    if scheme.is_empty() { rest } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn what_may_be_secret_in_a_url_is_hidden_also_when_the_url_is_wrong() {
        for (url, shown) in [
            ("https://example.com/path", "https://example.com/path"),
            ("https://user:secret@example.com", "https://***@example.com"),
            ("http://user:se@cret@example.com:80/x", "http://***@example.com:80/x"),
            ("user:secret@example.com", "***@example.com"),
            ("https://example.com?token=secret", "https://example.com?***"),
            ("https://user:se/cret@", "https://***@"),
            ("", ""),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
