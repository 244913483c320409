//! Who makes a call, and which headers of a request the log shows.
//!
//! Owns the reading of the Authorization header. A signature is looked at, not verified.
//! The one rule it protects: a call without credentials for `bedrock` is refused.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::errors::Refusal;

/// What stands for a caller with a bearer token.
const BEARER: &str = "bearer";

/// AWS accepts a SigV4 signature for the service `bedrock` or a bearer token. Neither is verified.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(authorization) = headers.get(AUTHORIZATION) else {
        return Err(Refusal::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token"));
    };
    let authorization = authorization.to_str().unwrap_or_default();
    if authorization.strip_prefix("Bearer ").is_some_and(|token| !token.trim().is_empty()) {
        return Ok(());
    }
    if !authorization.starts_with("AWS4-HMAC-SHA256 ") {
        return Err(Refusal::new(
            403,
            "IncompleteSignatureException",
            "Authorization header requires a SigV4 signature or a bearer token.",
        ));
    }
    let service = credential(authorization).and_then(|scope| scope.split('/').nth(3));
    if service != Some("bedrock") {
        return Err(Refusal::new(
            403,
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'bedrock'.",
        ));
    }
    Ok(())
}

/// The access key id of the signature, or `bearer`.
pub(super) fn signed_by(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get(AUTHORIZATION)?.to_str().ok()?;
    if authorization.starts_with("Bearer ") {
        return Some(BEARER.to_owned());
    }
    credential(authorization)?.split('/').next().map(str::to_owned)
}

/// The access key id and the scope: `AKID/20261120/us-east-1/bedrock/aws4_request`.
fn credential(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=").and_then(|(_, rest)| rest.split([',', ' ']).next())
}

/// The headers that say how an answer is wanted.
pub(super) fn shown(headers: &HeaderMap) -> BTreeMap<String, String> {
    let is_shown =
        |name: &str| ["accept", "content-type"].contains(&name) || name.starts_with("x-amzn-bedrock-");
    let shown = headers.iter().filter(|(name, _)| is_shown(name.as_str()));
    shown
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}
