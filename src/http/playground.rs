//! The playground: one page on which the tasks can be tried.
//!
//! Owns its files, which are compiled in, and the headers they are served with; what the
//! page does stands in its own source. What only people read of them, indentation and
//! comments, stays here. In the demo it also has a switch that makes
//! models fail ([`switch`]). The one rule it protects: the page may load from and talk to
//! this service alone, and nothing on it is ever inserted as HTML.

mod switch;

pub use switch::{Fault, FaultOrder, FaultSwitch, fault_switch};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::Api;
use super::entity_tag::{entity_tag, is_known};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";
/// The page needs none of them.
const PERMISSIONS: &str =
    "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()";
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file of the page.
struct File {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const FILES: [File; 8] = [
    File { path: "/", media_type: HTML, text: include_str!("playground/index.html") },
    File { path: "/playground/style.css", media_type: STYLE, text: include_str!("playground/style.css") },
    File { path: "/playground/app.js", media_type: SCRIPT, text: include_str!("playground/app.js") },
    File { path: "/playground/answer.js", media_type: SCRIPT, text: include_str!("playground/answer.js") },
    File { path: "/playground/options.js", media_type: SCRIPT, text: include_str!("playground/options.js") },
    File { path: "/playground/render.js", media_type: SCRIPT, text: include_str!("playground/render.js") },
    File { path: "/playground/samples.js", media_type: SCRIPT, text: include_str!("playground/samples.js") },
    File { path: "/playground/wire.js", media_type: SCRIPT, text: include_str!("playground/wire.js") },
];

/// The routes of the page, where the settings want it; else there is nothing at its paths.
pub(super) fn routes(api: &Api) -> Router<Api> {
    if !api.0.settings.playground {
        return Router::new();
    }
    let files = FILES.iter().fold(Router::new(), |router, file| {
        let text = Bytes::from(file.served());
        let etag = entity_tag(&text);
        router.route(file.path, get(async move |headers: HeaderMap| file.answer(&headers, &etag, &text)))
    });
    files.route("/playground/fault", get(switch::fault).put(switch::set_fault))
}

impl File {
    /// What is sent of it. Lines keep their number, so that a browser's message leads to the source.
    fn served(&self) -> String {
        let lines = self.text.lines().map(|line| match line.trim_start_matches('\t') {
            comment if self.media_type == SCRIPT && is_comment(comment) => "",
            line => line,
        });
        let mut served: String = lines.flat_map(|line| [line, "\n"]).collect();
        if self.media_type == STYLE {
            for gap in [": ", "; ", ", ", " {", "{ ", " }", " > "] {
                served = served.replace(gap, gap.trim());
            }
        }
        served
    }

    fn answer(&self, asked: &HeaderMap, etag: &HeaderValue, text: &Bytes) -> Response {
        let headers = [
            (ETAG, etag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (PERMISSIONS_POLICY, HeaderValue::from_static(PERMISSIONS)),
            (OPENER_POLICY, HeaderValue::from_static("same-origin")),
        ];
        if is_known(asked, etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(CONTENT_TYPE, HeaderValue::from_static(self.media_type))], text.clone()).into_response()
    }
}

/// A comment has lines of its own, and each begins anew.
fn is_comment(line: &str) -> bool {
    line.starts_with("//") || (line.starts_with("/**") && line.ends_with("*/"))
}

#[cfg(test)]
mod tests {
    use super::{FILES, HTML, SCRIPT, STYLE, is_comment};

    /// The whole page as it is sent, uncompressed.
    const MAX_BYTES: usize = 80 << 10;

    #[test]
    fn the_page_stays_small() {
        let bytes: usize = FILES.iter().map(|file| file.served().len()).sum();
        assert!(bytes < MAX_BYTES, "{bytes} bytes");
    }

    #[test]
    fn what_is_sent_lacks_comments_and_white_space_alone() {
        for file in &FILES {
            let served = file.served();
            assert_eq!(served.lines().count(), file.text.lines().count(), "{}", file.path);
            for (sent, written) in served.lines().zip(file.text.lines()) {
                let written = written.trim_start_matches('\t');
                match file.media_type {
                    SCRIPT if is_comment(written) => assert_eq!(sent, "", "{}", file.path),
                    STYLE => assert_eq!(sent.replace(' ', ""), written.replace(' ', "")),
                    _ => assert_eq!(sent, written, "{}", file.path),
                }
            }
        }
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_inserts_no_html() {
        for file in &FILES {
            for banned in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "//cdn"]
            {
                assert!(!file.text.contains(banned), "{} has {banned}", file.path);
            }
            if file.media_type == HTML {
                assert!(!file.text.contains(" style="), "{} has inline style", file.path);
                assert!(!file.text.contains(" onclick="), "{} has inline script", file.path);
            }
        }
    }

    #[test]
    fn every_module_that_is_imported_is_served() {
        for file in &FILES {
            for import in file.text.split("from \"./").skip(1) {
                let path = format!("/playground/{}", import.split('"').next().unwrap());
                assert!(FILES.iter().any(|known| known.path == path), "{} imports {path}", file.path);
            }
        }
    }
}
