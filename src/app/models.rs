//! `redraft models`: the catalogue as a table, or as the API tells it; with
//! `--check`, held against what the account is offered.
//!
//! Asking the account needs a crate that takes minutes to compile, so it is a
//! feature of the build; without it `--check` says so and does nothing.

#[cfg(feature = "account-check")]
mod check;
mod table;

use serde_json::Value;

use crate::config::Config;
use crate::http;
use crate::routing::Catalogue;

/// What the command prints, and what it says of the chains.
pub(super) struct Listing {
    pub(super) text: String,
    /// A chain names a model that the account cannot call.
    pub(super) a_chain_fails: bool,
}

/// Why the account could not be asked.
#[expect(dead_code, reason = "each build makes one of them")]
pub(super) enum CheckError {
    NotInThisBuild,
    Asking(String),
}

/// The catalogue alone.
pub(super) fn listing(catalogue: &Catalogue, as_json: bool) -> Listing {
    let text = if as_json { pretty(&http::catalogue(catalogue)) } else { table::of(catalogue) };
    Listing { text, a_chain_fails: false }
}

/// The catalogue held against the account.
#[cfg(feature = "account-check")]
pub(super) async fn checked(config: &Config, as_json: bool) -> Result<Listing, CheckError> {
    let catalogue = &config.catalogue;
    let verdicts = check::of(catalogue, &config.bedrock).await.map_err(CheckError::Asking)?;
    let text = if as_json {
        let mut told = http::catalogue(catalogue);
        told["account"] = verdicts.iter().map(check::Verdict::to_json).collect();
        pretty(&told)
    } else {
        verdicts.iter().map(|verdict| format!("{verdict}\n")).collect()
    };
    Ok(Listing { text, a_chain_fails: verdicts.iter().any(check::Verdict::fails_a_chain) })
}

/// The catalogue held against the account: not in this build.
#[cfg(not(feature = "account-check"))]
#[expect(clippy::unused_async, reason = "it waits in builds that can ask")]
pub(super) async fn checked(_config: &Config, _as_json: bool) -> Result<Listing, CheckError> {
    Err(CheckError::NotInThisBuild)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
