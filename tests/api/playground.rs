//! The playground: its files with their headers, and the switch that only the demo has.

use hyper::Method;
use serde_json::json;

use crate::support::{Request, TestApp};

const ON: &[(&str, &str)] = &[("PLAYGROUND__ENABLED", "true")];
const FILES: [(&str, &str); 8] = [
    ("/", "text/html"),
    ("/playground/style.css", "text/css"),
    ("/playground/answer.js", "text/javascript"),
    ("/playground/app.js", "text/javascript"),
    ("/playground/options.js", "text/javascript"),
    ("/playground/render.js", "text/javascript"),
    ("/playground/samples.js", "text/javascript"),
    ("/playground/wire.js", "text/javascript"),
];

#[tokio::test]
async fn without_the_setting_there_is_nothing() {
    let app = TestApp::start().await;
    for (path, _) in FILES.into_iter().chain([("/playground/fault", "")]) {
        let answer = app.get(path).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str()),
            (404, Some("not_found")),
            "{path}"
        );
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn every_file_is_served_under_a_strict_policy() {
    let app = TestApp::with(ON).await;
    for (path, media_type) in FILES {
        let answer = app.get(path).send().await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), format!("{media_type}; charset=utf-8"));
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert!(answer.header("permissions-policy").contains("camera=()"));
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let app = TestApp::with(ON).await;
    let etag = app.get("/").send().await.header("etag").to_owned();
    for (known, status) in [
        (etag.clone(), 304),
        (format!("\"another\", {etag}"), 304),
        ("\"another\"".to_owned(), 200),
        (app.get("/playground/app.js").send().await.header("etag").to_owned(), 200),
    ] {
        let answer = app.get("/").header("if-none-match", &known).send().await;
        assert_eq!(answer.status, status, "{known}");
        assert_eq!(answer.header("etag"), etag);
        assert_eq!(answer.text().is_empty(), status == 304);
    }
    assert!(app.stop().await);
}

#[tokio::test]
async fn where_no_simulator_is_there_is_no_switch() {
    let app = TestApp::with(ON).await;
    assert_eq!(app.get("/playground/fault").send().await.json(), json!({"fault": null}));
    let set =
        Request::new(app.api, Method::PUT, "/playground/fault").header("content-type", "application/json");
    let answer = set.body(json!({"fault": "throttle"}).to_string()).send().await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (404, Some("not_found")));
    assert!(app.stop().await);
}
