//! Pages on other origins: off by default, right when allowed.

use hyper::Method;
use serde_json::json;

use crate::support::{Answer, Request, TestApp};
use crate::validation::assert_problem;

const ORIGIN: &str = "https://app.example.com";

async fn preflight(app: &TestApp, origin: &str) -> Answer {
    Request::new(app.api, Method::OPTIONS, "/v1/summarize")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,user-agent,x-stainless-os,last-event-id")
        .send()
        .await
}

#[tokio::test]
async fn without_configured_origins_no_page_gets_leave() {
    let app = TestApp::start().await;
    let answer = preflight(&app, ORIGIN).await;
    assert_eq!(answer.status, 405);
    let post = app.post("/v1/summarize", json!({"text": "a b."})).header("origin", ORIGIN).send().await;
    for answer in [answer, post] {
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
    }
}

#[tokio::test]
async fn what_a_form_of_another_site_sends_costs_nothing_unless_it_may_call() {
    let app = TestApp::with(&[("HTTP__ALLOWED_ORIGINS", ORIGIN)]).await;
    let of = |origin: &str, site: &str| {
        let request = Request::new(app.api, Method::POST, "/v1/summarize?type=tldr");
        let request = request.header("origin", origin).header("sec-fetch-site", site);
        request.header("content-type", "text/plain").body("The library opened on Monday.")
    };
    let answer = of("https://evil.example", "cross-site").send().await;
    assert_problem(&answer, 403, "origin_not_allowed");
    assert!(app.sim.calls().is_empty(), "a model was asked");
    for (origin, site) in [(ORIGIN, "cross-site"), ("http://127.0.0.1", "same-origin"), ("null", "none")] {
        assert_eq!(of(origin, site).send().await.status, 200, "{origin} {site}");
    }
}

#[tokio::test]
async fn an_allowed_page_may_send_what_its_client_adds_and_read_our_headers() {
    let app =
        TestApp::with(&[("HTTP__ALLOWED_ORIGINS", "https://app.example.com,https://*.example.org")]).await;
    for origin in [ORIGIN, "https://a.example.org"] {
        let answer = preflight(&app, origin).await;
        assert_eq!(answer.status, 204);
        assert!(!answer.header("x-request-id").is_empty());
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert!(answer.header("access-control-allow-methods").contains("POST"));
        let allowed = answer.header("access-control-allow-headers");
        for header in ["content-type", "user-agent", "x-stainless-os", "last-event-id"] {
            assert!(allowed.contains(header), "{header} in {allowed}");
        }
        assert_eq!(answer.header("access-control-max-age"), "7200");
        let vary: Vec<_> = answer.headers.get_all("vary").iter().map(|v| v.to_str().unwrap()).collect();
        assert!(vary.join(",").to_lowercase().contains("origin"), "{vary:?}");
        assert!(answer.headers.get("access-control-allow-credentials").is_none());
    }
    let request = app.post("/v1/summarize?stream=sse", json!({"text": "a b."})).header("origin", ORIGIN);
    let stream = request.send().await;
    assert_eq!(stream.header("access-control-allow-origin"), ORIGIN);
    let exposed = stream.header("access-control-expose-headers");
    for header in ["x-request-id", "x-vercel-ai-ui-message-stream"] {
        assert!(exposed.contains(header), "{header} in {exposed}");
    }
    let error = app.post("/v1/summarize", json!({})).header("origin", ORIGIN).send().await;
    assert_eq!((error.status.as_u16(), error.header("access-control-allow-origin")), (422, ORIGIN));
}

#[tokio::test]
async fn other_pages_get_nothing() {
    let app = TestApp::with(&[("HTTP__ALLOWED_ORIGINS", ORIGIN)]).await;
    for origin in ["https://evil.example.com", "http://app.example.com", "null"] {
        assert!(
            preflight(&app, origin).await.headers.get("access-control-allow-origin").is_none(),
            "{origin}"
        );
    }
}
