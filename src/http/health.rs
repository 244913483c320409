//! Probes: is the process alive, can it serve.
//!
//! Readiness says whether this instance is set up and willing. It does not fail
//! because Bedrock fails: then every instance would leave the load balancer at
//! once and nothing would be better.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Api;

/// The check that fails once the service has been asked to stop.
pub(super) const RUNNING: &str = "running";

/// What stands between this instance and being ready.
#[derive(Debug, Default)]
pub struct Readiness {
    checks: Mutex<BTreeMap<&'static str, Option<String>>>,
}

impl Readiness {
    /// Sets the result of a check: `None` is good, otherwise what to do about it.
    pub fn set(&self, check: &'static str, problem: Option<String>) {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).insert(check, problem);
    }

    /// Whether every check is good.
    pub fn is_ready(&self) -> bool {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).values().all(Option::is_none)
    }

    fn report(&self) -> String {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (check, problem) in checks.iter() {
            match problem {
                None => writeln!(text, "[+]{check} ok"),
                Some(problem) => writeln!(text, "[-]{check} failed: {problem}"),
            }
            .expect("writing to a string does not fail");
        }
        text
    }
}

pub(super) async fn livez() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(api): State<Api>) -> Response {
    let (status, verdict) = if api.0.readiness.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    (status, format!("{}{verdict}\n", api.0.readiness.report())).into_response()
}
