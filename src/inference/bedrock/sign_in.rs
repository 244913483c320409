//! Whether requests can be signed, found out once at start and asked cheaply.
//!
//! The SDK does not remember that it found no credentials: every call would
//! search the whole chain again, seconds at a time. So the search is made here,
//! under a clock, and calls fail at once while its last result was bad.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;

use super::CredentialsSource;

const NO_REGION: &str = "no AWS region is known: set AWS_REGION (for example us-east-1), or choose a profile that names one with AWS_PROFILE";

/// The state of signing in.
pub struct SignIn {
    config: Option<SdkConfig>,
    source: CredentialsSource,
    timeout: Duration,
    problem: Mutex<Option<String>>,
}

impl SignIn {
    pub(super) fn new(config: Option<SdkConfig>, source: CredentialsSource, timeout: Duration) -> Self {
        Self { config, source, timeout, problem: Mutex::new(Some("not checked yet".to_owned())) }
    }

    /// What is missing, as a sentence for the operator; `None` when all is well.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks for credentials again and remembers the result.
    pub async fn check(&self) {
        let problem = self.look().await.err();
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    async fn look(&self) -> Result<(), String> {
        let Some(config) = &self.config else {
            return Err(format!("{NO_REGION} (the search for one took too long)"));
        };
        if config.region().is_none() {
            return Err(NO_REGION.to_owned());
        }
        if self.source != CredentialsSource::DefaultChain {
            return Ok(());
        }
        let advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_BEARER_TOKEN_BEDROCK, or run where a role is attached";
        let provider =
            config.credentials_provider().ok_or_else(|| format!("no AWS credentials: {advice}"))?;
        match tokio::time::timeout(self.timeout, provider.provide_credentials()).await {
            Ok(Ok(_credentials)) => Ok(()),
            Ok(Err(error)) => Err(format!("no AWS credentials ({error}): {advice}")),
            Err(_elapsed) => Err(format!("no AWS credentials within {} s: {advice}", self.timeout.as_secs())),
        }
    }
}
