//! Credentials that AWS no longer takes, while a call is under way.
//!
//! A call whose signature was refused was not begun and is not billed, so it is signed
//! again, once, when other credentials can be found: a file was renewed, a role was
//! taken anew. The one rule: however many calls are refused at once, the search is made
//! once, and not again within a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use tokio::time::Instant;

/// A search that found nothing new is not repeated sooner.
const SEARCH_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is known of the credentials in use.
#[derive(Default)]
pub(super) struct Renewal {
    /// Held while a search is made.
    pub(super) searching: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    in_use: Option<Identity>,
    searched_in_vain: Option<Instant>,
}

/// What tells credentials apart; none of it is secret alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    access_key_id: String,
    session_token: Option<String>,
}

impl Identity {
    pub(super) fn of(credentials: &Credentials) -> Self {
        Self {
            access_key_id: credentials.access_key_id().to_owned(),
            session_token: credentials.session_token().map(str::to_owned),
        }
    }
}

impl Renewal {
    /// These credentials are used from now on. Whether they are others than before.
    pub(super) fn uses(&self, identity: Option<Identity>) -> bool {
        self.lock(|state| {
            let others = identity.is_some() && state.in_use != identity;
            state.in_use = identity;
            state.searched_in_vain = (!others).then(Instant::now);
            others
        })
    }

    /// Whether a search could find something new.
    pub(super) fn may_search(&self) -> bool {
        self.lock(|state| state.searched_in_vain.is_none_or(|at| at.elapsed() >= SEARCH_AGAIN_AFTER))
    }

    fn lock<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Renewal, SEARCH_AGAIN_AFTER};
    use aws_credential_types::Credentials;

    fn identity(key: &str, token: Option<&str>) -> Option<Identity> {
        Some(Identity::of(&Credentials::from_keys(key, "secret", token.map(str::to_owned))))
    }

    #[tokio::test(start_paused = true)]
    async fn only_other_credentials_are_worth_another_signature() {
        let renewal = Renewal::default();
        assert!(renewal.uses(identity("A", Some("one"))));
        assert!(renewal.may_search());
        assert!(!renewal.uses(identity("A", Some("one"))));
        assert!(!renewal.may_search(), "nothing new was there a moment ago");
        tokio::time::advance(SEARCH_AGAIN_AFTER).await;
        assert!(renewal.may_search());
        assert!(renewal.uses(identity("A", Some("two"))), "a role that was taken anew");
        assert!(!renewal.uses(None));
    }
}
