//! The environment, as far as it concerns the service.
//!
//! The only place that reads the variables of the process; everything else is
//! given a value of this type. Of AWS's secrets it keeps that they are set, never
//! what they are; the one secret it hands on, the key of a demo's model server, has
//! no other reader. A variable that is empty counts as not set.

use std::collections::BTreeMap;

/// What every variable of the service's own begins with.
pub(super) const PREFIX: &str = "REDRAFT__";

/// Setting by setting, the AWS and Rust variables that stand for it, strongest first.
pub(super) const STANDARD_VARIABLES: [(&str, &[&str]); 4] = [
    ("bedrock.region", &["AWS_REGION", "AWS_DEFAULT_REGION"]),
    ("bedrock.endpoint_url", &["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"]),
    ("bedrock.ca_file", &["AWS_CA_BUNDLE"]),
    ("log.level", &["RUST_LOG"]),
];

/// Tells the AWS SDKs to leave the variables for endpoints aside.
const IGNORE_ENDPOINTS: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
const PROFILE: &str = "AWS_PROFILE";
const BEARER_TOKEN: &str = "AWS_BEARER_TOKEN_BEDROCK";

/// What the model server of `redraft demo --llm` wants to be shown.
const LLM_API_KEY: &str = "REDRAFT_LLM_API_KEY";

/// Variables that mean something to the service.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    has_bearer_token: bool,
    llm_api_key: Option<String>,
}

impl Environment {
    /// The variables of this process. A character that is not Unicode is replaced.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// The variable's value without blanks around it, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The service's own variables: name and value.
    pub(super) fn own(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| name.starts_with(PREFIX))
    }

    /// Whether the standard variables for the endpoint do not count.
    pub(super) fn ignores_endpoint_urls(&self) -> bool {
        self.get(IGNORE_ENDPOINTS).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn profile(&self) -> Option<&str> {
        self.get(PROFILE)
    }

    /// The key for the model server of a demo. It is a secret: it belongs into a header and
    /// nowhere else.
    pub fn llm_api_key(&self) -> Option<&str> {
        self.llm_api_key.as_deref()
    }

    pub(super) fn has_bearer_token(&self) -> bool {
        self.has_bearer_token
    }
}

impl<N: Into<String>, V: AsRef<str>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let (name, value) = (name.into(), value.as_ref().trim());
            if value.is_empty() {
                continue;
            }
            if name == BEARER_TOKEN {
                environment.has_bearer_token = true;
            } else if name == LLM_API_KEY {
                environment.llm_api_key = Some(value.to_owned());
            } else if concerns_us(&name) {
                environment.variables.insert(name, value.to_owned());
            }
        }
        environment
    }
}

/// The variable of a setting: `http.listen` is set by `REDRAFT__HTTP__LISTEN`.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

fn concerns_us(name: &str) -> bool {
    name.starts_with(PREFIX)
        || name == PROFILE
        || name == IGNORE_ENDPOINTS
        || STANDARD_VARIABLES.iter().any(|(_, names)| names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::{Environment, variable_of};

    #[test]
    fn a_key_has_one_variable() {
        assert_eq!(variable_of("clocks.first_event_ms"), "REDRAFT__CLOCKS__FIRST_EVENT_MS");
    }

    #[test]
    fn only_what_concerns_the_service_is_kept_and_of_the_token_only_that_it_is_set() {
        let environment: Environment = [
            ("AWS_BEARER_TOKEN_BEDROCK", "secret-token"),
            ("AWS_SECRET_ACCESS_KEY", "secret-key"),
            ("REDRAFT_SERVICE_HOST", "10.0.0.1"),
            ("REDRAFT__HTTP__LISTEN", " 127.0.0.1:1 \n"),
            ("AWS_REGION", "  "),
        ]
        .into_iter()
        .collect();
        assert!(environment.has_bearer_token());
        assert_eq!(environment.variables.len(), 1);
        assert_eq!(environment.get("REDRAFT__HTTP__LISTEN"), Some("127.0.0.1:1"));
        assert_eq!(environment.get("AWS_REGION"), None);
        assert!(!Environment::from_iter([("AWS_BEARER_TOKEN_BEDROCK", "")]).has_bearer_token());
    }

    #[test]
    fn the_process_environment_can_be_read_whatever_it_holds() {
        // Other values are not known here; that reading them does not panic is what counts.
        let environment = Environment::of_process();
        assert!(environment.own().all(|(name, value)| name.starts_with("REDRAFT__") && !value.is_empty()));
    }
}
