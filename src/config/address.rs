//! Checks of addresses: where to listen, which origins may call, where Bedrock is.
//!
//! Pure functions from text to an accepted value or a reason. They look nothing
//! up: whether a host exists shows when it is called.

use std::net::SocketAddr;

use http::Uri;

pub(super) const LISTEN: &str = "an address and port such as 127.0.0.1:8080";
pub(super) const ENDPOINT: &str = "a URL such as https://bedrock-runtime.eu-central-1.amazonaws.com";

/// An address to listen on. Names are not looked up.
pub(super) fn listen(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

/// Whether two listeners would want the same port of the same address.
pub(super) fn collide(left: SocketAddr, right: SocketAddr) -> bool {
    let any = |address: SocketAddr| address.ip().is_unspecified();
    left.port() != 0 && left.port() == right.port() && (left.ip() == right.ip() || any(left) || any(right))
}

/// The address of an AWS service: http or https, a host, no query.
pub(super) fn is_endpoint(text: &str) -> bool {
    let has_scheme = text.starts_with("http://") || text.starts_with("https://");
    let Some(uri) = text.parse::<Uri>().ok().filter(|_| has_scheme && !text.contains('#')) else {
        return false;
    };
    let Some(authority) = uri.authority() else { return false };
    let (host, after) = match authority.as_str().rsplit('@').next() {
        Some(address) => address.split_at(authority.host().len().min(address.len())),
        None => ("", ""),
    };
    let port_is_sound = after.is_empty() || authority.port_u16().is_some();
    !host.is_empty() && port_is_sound && uri.query().is_none()
}

/// A region's name; AWS alone knows which exist.
pub(super) fn is_region(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(allowed)
}

/// A rule for origins, in the lower case that browsers send.
///
/// # Errors
/// Why the rule would never match what a browser sends.
pub(super) fn origin_rule(text: &str) -> Result<String, String> {
    let rule = text.to_ascii_lowercase();
    if rule == "*" {
        return Ok(rule);
    }
    let expected = "expected an origin such as https://app.example.com, https://*.example.com or *";
    let Some((scheme, rest)) = rule.split_once("://") else { return Err(expected.to_owned()) };
    if let Some((address, _path)) = rest.split_once('/') {
        return Err(format!("an origin has no path, write {scheme}://{address}"));
    }
    let (host, port) = split_port(rest);
    let default_port = match scheme {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => None,
    };
    if port.is_some() && port == default_port {
        return Err(format!("browsers leave the default port out, write {scheme}://{host}"));
    }
    let host = host.strip_prefix("*.").unwrap_or(host);
    let port_is_sound = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if is_scheme(scheme) && is_host(host) && port_is_sound { Ok(rule) } else { Err(expected.to_owned()) }
}

fn split_port(address: &str) -> (&str, Option<&str>) {
    match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (address, None),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.split('.').all(is_label)
}

/// A header's name: up to 64 letters, digits, `_` and `-`, which every proxy lets through;
/// none that holds a secret, because its value is logged.
pub(super) fn is_header_name(text: &str) -> bool {
    const SECRET: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];
    if SECRET.contains(&text.to_ascii_lowercase().as_str()) {
        return false;
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::{collide, is_endpoint, is_region, listen, origin_rule};

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for good in [
            "*",
            "https://app.example.com",
            "https://*.example.com",
            "http://localhost:3000",
            "http://*.localhost:3000",
            "https://[::1]:8443",
            "capacitor://localhost",
        ] {
            assert_eq!(origin_rule(good).as_deref(), Ok(good));
        }
        assert_eq!(origin_rule("HTTPS://App.Example.com").as_deref(), Ok("https://app.example.com"));
        for bad in [
            "app.example.com",
            "https://",
            "https://*",
            "https://a.*.example.com",
            "https://*example.com",
            "https://a b.example.com",
            "https://a..example.com",
            "https://user@example.com",
            "https://example.com:99999",
            "https://example.com:0",
            "https://example.com:",
            "://example.com",
            "1s://example.com",
            "https://[nonsense]",
            "null",
        ] {
            assert!(origin_rule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_usual_slips_in_origins_come_with_the_right_text() {
        for (slip, right) in [
            ("https://app.example.com/", "write https://app.example.com"),
            ("https://app.example.com/editor", "write https://app.example.com"),
            ("https://app.example.com:443", "write https://app.example.com"),
            ("http://app.example.com:80", "write http://app.example.com"),
        ] {
            assert!(origin_rule(slip).unwrap_err().ends_with(right), "{slip}");
        }
    }

    #[test]
    fn an_endpoint_is_http_with_a_host() {
        for good in [
            "http://127.0.0.1:9999",
            "https://bedrock-runtime.eu-central-1.amazonaws.com",
            "http://[::1]:80/prefix",
            "https://user:secret@example.com",
        ] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:9999",
            "ftp://example.com",
            "http://",
            "http://:80",
            "http://example.com:99999",
            "http://example.com:x",
            "https://example.com?key=1",
            "https://example.com#part",
            "https://a b",
        ] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }

    #[test]
    fn listeners_collide_on_one_port_of_one_address() {
        let at = |text: &str| listen(text).unwrap();
        assert!(collide(at("127.0.0.1:80"), at("127.0.0.1:80")));
        assert!(collide(at("0.0.0.0:80"), at("127.0.0.1:80")));
        assert!(!collide(at("127.0.0.2:80"), at("127.0.0.1:80")));
        assert!(!collide(at("127.0.0.1:0"), at("127.0.0.1:0")));
        assert!(listen("localhost:80").is_none() && listen(":80").is_none() && listen("x").is_none());
    }

    #[test]
    fn a_region_is_lower_case_with_hyphens() {
        assert!(is_region("eu-central-1") && is_region("us-gov-west-1"));
        assert!(!is_region("") && !is_region("US-EAST-1") && !is_region("us east 1"));
    }

    #[test]
    fn a_tenant_is_not_read_from_a_header_that_holds_a_secret() {
        for good in ["x-tenant", "X_Org-1"] {
            assert!(super::is_header_name(good), "{good}");
        }
        for bad in ["", "x tenant", "Authorization", "cookie", "é", &"x".repeat(65)] {
            assert!(!super::is_header_name(bad), "{bad}");
        }
    }
}
