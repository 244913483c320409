//! Whether requests can be signed: found out at start, asked cheaply, looked at
//! again while the answer is no.
//!
//! The SDK does not remember that it found no credentials: every call would
//! search the whole chain again, seconds at a time. So the search is made here,
//! under a clock, and calls fail at once while its last result was bad.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use tokio::time::{Instant, timeout};

use super::renewal::Identity;
use super::{CredentialsSource, classify};

const NO_REGION: &str = "no AWS region is known: set AWS_REGION (for example us-east-1), or choose a profile that names one with AWS_PROFILE";
const NO_CREDENTIALS: &str = "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_BEARER_TOKEN_BEDROCK, or run where a role is attached";
const REJECTED: &str =
    "AWS rejected the credentials of a call: they are expired or wrong, or this machine's clock is";

/// How long a rejection keeps the service from being ready; then it may try again.
const REJECTION_COUNTS_FOR: Duration = Duration::from_secs(30);

/// The state of signing in.
#[derive(Default)]
pub(super) struct SignIn {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Nothing can be signed.
    missing: Option<String>,
    /// AWS said no to a signature at this time.
    rejected_at: Option<Instant>,
}

impl SignIn {
    /// Why nothing can be signed; calls would be in vain.
    pub(super) fn missing(&self) -> Option<String> {
        self.lock(|state| state.missing.clone())
    }

    /// Why the service is not ready, as a sentence for the operator.
    pub(super) fn problem(&self) -> Option<String> {
        self.lock(|state| {
            let rejected = state.rejected_at.is_some_and(|at| at.elapsed() < REJECTION_COUNTS_FOR);
            state.missing.clone().or_else(|| rejected.then(|| REJECTED.to_owned()))
        })
    }

    /// Remembers what a search found.
    pub(super) fn searched(&self, result: Result<(), String>) {
        self.lock(|state| state.missing = result.err());
    }

    /// Remembers what AWS thought of a signature.
    pub(super) fn signed(&self, accepted: bool) {
        self.lock(|state| {
            if !accepted {
                state.rejected_at = Some(Instant::now());
            } else if state.rejected_at.is_some() {
                state.rejected_at = None;
            }
        });
    }

    fn lock<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Looks whether requests can be signed, and as whom, where that is known.
///
/// # Errors
/// A sentence that says what to set.
pub(super) async fn search(
    config: Option<&SdkConfig>,
    source: CredentialsSource,
    time: Duration,
) -> Result<Option<Identity>, String> {
    let config = config.filter(|config| config.region().is_some()).ok_or(NO_REGION)?;
    if source != CredentialsSource::DefaultChain {
        return Ok(None);
    }
    let provider = config.credentials_provider().ok_or(NO_CREDENTIALS)?;
    match timeout(time, provider.provide_credentials()).await {
        Ok(Ok(credentials)) => Ok(Some(Identity::of(&credentials))),
        Ok(Err(error)) => {
            // The reason is for the log: it can be long, and it names files and roles.
            tracing::warn!(cause = classify::cause(&error), "no AWS credentials");
            Err(NO_CREDENTIALS.to_owned())
        }
        Err(_elapsed) => {
            Err(format!("{NO_CREDENTIALS} (the search took longer than {} ms)", time.as_millis()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{REJECTION_COUNTS_FOR, SignIn};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_rejection_counts_for_a_while_and_an_accepted_call_ends_it() {
        let sign_in = SignIn::default();
        assert_eq!(sign_in.problem(), None);
        sign_in.signed(false);
        assert!(sign_in.problem().is_some());
        assert_eq!(sign_in.missing(), None, "calls are still made");
        sign_in.signed(true);
        assert_eq!(sign_in.problem(), None);
        sign_in.signed(false);
        tokio::time::advance(REJECTION_COUNTS_FOR + Duration::from_secs(1)).await;
        assert_eq!(sign_in.problem(), None);
    }

    #[test]
    fn what_a_search_found_stays_until_the_next() {
        let sign_in = SignIn::default();
        sign_in.searched(Err("set this".to_owned()));
        assert_eq!(sign_in.missing().as_deref(), Some("set this"));
        sign_in.searched(Ok(()));
        assert_eq!(sign_in.problem(), None);
    }
}
