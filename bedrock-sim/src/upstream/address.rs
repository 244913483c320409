//! The address of an upstream.
//!
//! Owns reading it: scheme, host, port, and the path below which the API stands.
//! The one rule it protects: what cannot be called is refused when it is read, with a sentence that
//! says what was expected.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// An address such as `http://127.0.0.1:11434/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamUrl {
    is_tls: bool,
    /// As it stands in the address, with its port.
    authority: String,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// Without a slash at its end.
    path: String,
}

/// Why an address is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidUpstreamUrl {
    Scheme,
    Malformed,
    User,
    Query,
    Endpoint,
}

impl fmt::Display for InvalidUpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "expected an address that begins with http:// or https://",
            Self::Malformed => "expected an address such as http://127.0.0.1:11434/v1",
            Self::User => "expected an address without user name and password",
            Self::Query => "expected an address without ? and #",
            Self::Endpoint => "expected where the API begins, without /chat/completions",
        })
    }
}

impl std::error::Error for InvalidUpstreamUrl {}

impl FromStr for UpstreamUrl {
    type Err = InvalidUpstreamUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUpstreamUrl> {
        let text = text.trim();
        let is_tls = match text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(InvalidUpstreamUrl::Scheme),
        };
        if text.contains(['?', '#']) {
            return Err(InvalidUpstreamUrl::Query);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidUpstreamUrl::Malformed)?;
        let authority = uri.authority().ok_or(InvalidUpstreamUrl::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(InvalidUpstreamUrl::User);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let names_port = !authority.as_str().ends_with(authority.host());
        let port = match authority.port_u16() {
            Some(0) => return Err(InvalidUpstreamUrl::Malformed),
            Some(port) => port,
            None if names_port => return Err(InvalidUpstreamUrl::Malformed),
            None if is_tls => 443,
            None => 80,
        };
        if host.is_empty() {
            return Err(InvalidUpstreamUrl::Malformed);
        }
        let path = uri.path().trim_end_matches('/');
        if path.ends_with("/chat/completions") {
            return Err(InvalidUpstreamUrl::Endpoint);
        }
        Ok(Self {
            is_tls,
            authority: authority.to_string(),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl UpstreamUrl {
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_path_and_loses_its_last_slash() {
        let cases = [
            ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1", 11434, "127.0.0.1", "/v1"),
            ("http://localhost:8000/v1/", "http://localhost:8000/v1", 8000, "localhost", "/v1"),
            ("HTTPS://example.com", "https://example.com", 443, "example.com", ""),
            ("http://[::1]:80/a/b//", "http://[::1]:80/a/b", 80, "::1", "/a/b"),
        ];
        for (text, shown, port, host, path) in cases {
            let url: UpstreamUrl = text.parse().unwrap();
            assert_eq!(
                (url.to_string().as_str(), url.port(), url.host(), url.path()),
                (shown, port, host, path)
            );
        }
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        let cases = [
            ("127.0.0.1:11434/v1", InvalidUpstreamUrl::Scheme),
            ("ftp://example.com", InvalidUpstreamUrl::Scheme),
            ("http://", InvalidUpstreamUrl::Malformed),
            ("http://example.com:99999/v1", InvalidUpstreamUrl::Malformed),
            ("http://example.com:0/v1", InvalidUpstreamUrl::Malformed),
            ("http://two words/v1", InvalidUpstreamUrl::Malformed),
            ("http://user:secret@example.com/v1", InvalidUpstreamUrl::User),
            ("http://example.com/v1?key=1", InvalidUpstreamUrl::Query),
            ("http://example.com/v1#top", InvalidUpstreamUrl::Query),
            ("http://example.com/v1/chat/completions", InvalidUpstreamUrl::Endpoint),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<UpstreamUrl>(), Err(expected), "{text}");
        }
    }
}
