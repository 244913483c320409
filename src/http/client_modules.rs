//! The modules that a page imports: the client, and the polyfill on top of it.
//!
//! They are files of the binary, the same for everybody, and tell nothing of the
//! service. So caches may keep them, and ask each time whether they are still the
//! latest. Pages of other origins may import them where those are allowed, like all
//! else (`cors`): whoever may not call the service has no use for its client.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

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
    let tag = entity_tag(source);
    let is_known = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|tags| tags.to_str().ok())
        .flat_map(|tags| tags.split(','))
        .any(|known| known.trim() == tag);
    let headers = [(ETAG, tag.as_str()), (CACHE_CONTROL, ASK_FIRST)];
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(CONTENT_TYPE, JAVASCRIPT)], source).into_response()
}

/// Weak, because the same file is also sent compressed. FNV-1a: every build of the
/// same file has to come to the same value, and nobody gains by forging one.
fn entity_tag(source: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("W/\"{:016x}\"", source.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
mod tests {
    use super::{CLIENT, POLYFILL, entity_tag};

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

    #[test]
    fn another_file_has_another_tag() {
        assert_eq!(entity_tag(CLIENT), entity_tag(CLIENT));
        assert_ne!(entity_tag(CLIENT), entity_tag(POLYFILL));
    }
}
