//! The modules that a page imports: the client, and the polyfill on top of it.
//!
//! They are files of the binary, the same for everybody, and tell nothing of the
//! service. So caches may keep them, and ask each time whether they are still the
//! latest. Pages of other origins may import them where those are allowed, like all
//! else (`cors`): whoever may not call the service has no use for its client.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::entity_tag::{entity_tag, is_known};

const CLIENT: &str = include_str!("clients/client.js");
const POLYFILL: &str = include_str!("clients/polyfill.js");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
/// Another build may answer next time, so nothing is used unasked.
const ASK_FIRST: &str = "no-cache";

pub(super) async fn client(asked: HeaderMap) -> Response {
    module(CLIENT, &asked)
}

pub(super) async fn polyfill(asked: HeaderMap) -> Response {
    module(POLYFILL, &asked)
}

fn module(source: &'static str, asked: &HeaderMap) -> Response {
    let tag = entity_tag(source.as_bytes());
    let is_known = is_known(asked, &tag);
    let headers = [(ETAG, tag), (CACHE_CONTROL, HeaderValue::from_static(ASK_FIRST))];
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(CONTENT_TYPE, JAVASCRIPT)], source).into_response()
}

#[cfg(test)]
mod tests {
    use super::{CLIENT, POLYFILL};

    #[test]
    fn the_client_stays_under_three_kibibytes() {
        assert!(CLIENT.len() < 3 * 1024, "{} bytes", CLIENT.len());
    }

    #[test]
    fn a_module_needs_nothing_but_its_neighbours() {
        for source in [CLIENT, POLYFILL] {
            let imported =
                source.lines().filter(|line| line.starts_with("import ") || line.contains("import("));
            for line in imported {
                assert!(line.ends_with("from \"./client.js\";"), "{line}");
            }
        }
    }
}
