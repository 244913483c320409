//! Cross-origin rules: off until origins are configured, then right for pages
//! that read streams with `fetch`.
//!
//! Request headers are mirrored for allowed origins, because clients add their
//! own (`user-agent`, `x-stainless-*`) and some browsers ask for leave. There are
//! no cookies here, so credentials are never allowed. What a form could send, browsers
//! send without asking; it is refused here when it comes from another site, because
//! answers cost money also when nobody can read them.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::Api;
use super::error::{ApiError, id_of};
use crate::domain::FailureCode;

/// Chrome caps the preflight cache here.
const MAX_AGE: Duration = Duration::from_secs(7200);

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const EXPOSED: [&str; 8] = [
    "x-request-id",
    "x-generation-id",
    "x-model",
    "retry-after",
    "retry-after-ms",
    "link",
    "server-timing",
    "x-vercel-ai-ui-message-stream",
];

/// `None` when no origin is allowed.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = origins.to_vec();
    let allowed = move |origin: &HeaderValue, _: &http::request::Parts| is_allowed(&origins, origin);
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(allowed))
            .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(EXPOSED.map(HeaderName::from_static))
            .max_age(MAX_AGE),
    )
}

/// Refuses what the page of another site sends without leave.
pub(super) async fn refuse_strangers(State(api): State<Api>, request: Request, next: Next) -> Response {
    let changes_nothing = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes_nothing || !is_a_strangers(request.headers(), &api.0.settings.allowed_origins) {
        return next.run(request).await;
    }
    ApiError::new(FailureCode::OriginNotAllowed).response(&id_of(&request))
}

/// Browsers say where a request comes from, and pages cannot change what they say.
fn is_a_strangers(headers: &HeaderMap, allowed: &[String]) -> bool {
    let is_of_another_site = headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site");
    is_of_another_site && !headers.get(ORIGIN).is_some_and(|origin| is_allowed(allowed, origin))
}

fn is_allowed(rules: &[String], origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| rules.iter().any(|rule| matches(rule, origin)))
}

/// Whether an origin obeys a rule: the same text, any subdomain, or anything.
fn matches(rule: &str, origin: &str) -> bool {
    if rule == "*" {
        return true;
    }
    match rule.split_once("://*.") {
        Some((scheme, domain)) => origin
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix("://"))
            .and_then(|host| host.strip_suffix(domain))
            .is_some_and(|subdomain| subdomain.len() > 1 && subdomain.ends_with('.')),
        None => rule.eq_ignore_ascii_case(origin),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_wildcard_covers_subdomains_and_nothing_that_only_looks_like_one() {
        assert!(matches("https://app.example.com", "https://app.example.com"));
        assert!(!matches("https://app.example.com", "http://app.example.com"));
        let rule = "https://*.example.com";
        assert!(matches(rule, "https://a.example.com"));
        assert!(matches(rule, "https://a.b.example.com"));
        for other in [
            "https://example.com",
            "https://evilexample.com",
            "http://a.example.com",
            "https://.example.com",
            "https://a.example.com.evil.org",
        ] {
            assert!(!matches(rule, other), "{other}");
        }
        assert!(matches("*", "null"));
    }
}
