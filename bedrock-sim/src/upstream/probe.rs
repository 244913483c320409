//! A look at an upstream before anybody calls: is it there, and has it the model?
//!
//! Owns the sentences for whoever starts a simulator. A server that is not there yet may come: this
//! keeps nobody from starting.
//! The one rule it protects: names that a server tells are shown without anything that a terminal
//! would obey, and not without end.

use std::time::Duration;

use tokio::time::timeout;

use super::{Client, Upstream, UpstreamError};

const MOST_NAMES: usize = 20;
const MOST_CHARS_OF_A_NAME: usize = 100;
/// What Ollama adds to the name of a model that has no tag.
const USUAL_TAG: &str = ":latest";

impl Upstream {
    /// What is wrong with the server or its model, as far as can be seen within this time.
    pub async fn problem(&self, within: Duration) -> Option<String> {
        let names = match timeout(within, self.names()).await.unwrap_or(Err(UpstreamError::Silent)) {
            Ok(names) => names,
            Err(error) => {
                return Some(format!("No answer from {}: {error} {}", self.url, Self::unseen(error)));
            }
        };
        let tagged = format!("{}{USUAL_TAG}", self.model);
        if names.iter().any(|name| *name == self.model || *name == tagged) {
            return None;
        }
        Some(format!("{} has no model {}. It has: {}.", self.url, self.model, listed(&names)))
    }

    fn unseen(error: UpstreamError) -> &'static str {
        match error {
            UpstreamError::Unreachable | UpstreamError::Silent => "Is the server running?",
            UpstreamError::Refused { status: 401 | 403 } => "Does the server want an API key?",
            _ => "Does the address end where the API begins, such as /v1?",
        }
    }

    async fn names(&self) -> Result<Vec<String>, UpstreamError> {
        Client::new(self.clone()).map_err(|_| UpstreamError::Unreachable)?.models().await
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown = names.iter().take(MOST_NAMES).map(|name| {
        name.chars()
            .filter(|character| !character.is_control())
            .take(MOST_CHARS_OF_A_NAME)
            .collect::<String>()
    });
    let more = if names.len() > MOST_NAMES { ", …" } else { "" };
    format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_control_characters_and_not_without_end() {
        assert_eq!(listed(&[]), "none");
        assert_eq!(listed(&["a\u{1b}[2Jb".to_owned(), "c".to_owned()]), "a[2Jb, c");
        let many: Vec<String> = (0..30).map(|number| number.to_string()).collect();
        assert!(listed(&many).ends_with("18, 19, …"));
        assert_eq!(listed(&["x".repeat(5_000)]).len(), MOST_CHARS_OF_A_NAME);
    }
}
