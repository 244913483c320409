//! What happens to every request: it gets an id, it is measured, a panic becomes
//! a 500, and the answer gets the common headers.
//!
//! The measurement ends with the answer's body, also when the client leaves
//! before: a guard inside the body records it.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::Api;
use super::error::{ApiError, ProblemCode};
use crate::domain::{FailureCode, RequestId};
use crate::telemetry::Metrics;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// Paths without a route share one label value.
const NO_ROUTE: &str = "none";

pub(super) async fn surround(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let request_id = given.and_then(|text| RequestId::parse(text).ok()).unwrap_or_else(RequestId::generate);
    let measurement = Measurement::start(&api.0.metrics, &request);
    request.extensions_mut().insert(request_id.clone());
    // A panic becomes an answer here, where the request's id is known; the process lives on.
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_panic) => {
            api.0.metrics.panics.inc();
            ApiError::new(FailureCode::Internal).response(&request_id)
        }
    };
    if response.headers().contains_key(ACCESS_CONTROL_ALLOW_METHODS) && response.status() == StatusCode::OK {
        // Only preflights carry it; they have no body, and say so.
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    let headers = response.headers_mut();
    let id = HeaderValue::from_str(request_id.as_str()).expect("a request id holds header characters only");
    headers.insert(X_REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(origin) = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned() {
        // Without it a page sees its own request's timings as zero.
        headers.insert(TIMING_ALLOW_ORIGIN, origin);
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let measurement = measurement.with_head(&response);
    response.map(|body| Body::new(MeasuredBody { body, _measurement: measurement }))
}

fn route_of(request: &Request) -> Option<MatchedPath> {
    request.extensions().get::<MatchedPath>().cloned()
}

fn route_label(route: Option<&MatchedPath>) -> &str {
    route.map_or(NO_ROUTE, MatchedPath::as_str)
}

/// One request under measurement; recorded when it is dropped.
struct Measurement {
    metrics: Arc<Metrics>,
    started: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
    status: u16,
    error_type: &'static str,
}

impl Measurement {
    fn start(metrics: &Arc<Metrics>, request: &Request) -> Self {
        let method = known_method(request.method());
        metrics.http_active_requests.with_label_values(&[method]).inc();
        Self {
            metrics: Arc::clone(metrics),
            started: Instant::now(),
            method,
            route: route_of(request),
            // Stays when the client leaves before there is a head.
            status: 499,
            error_type: "cancelled",
        }
    }

    fn with_head(mut self, response: &Response) -> Self {
        self.status = response.status().as_u16();
        self.error_type = response.extensions().get::<ProblemCode>().map_or("", |code| code.0.as_str());
        self
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.metrics.http_active_requests.with_label_values(&[self.method]).dec();
        let mut status = [0; 3];
        let status = status_text(self.status, &mut status);
        let labels = [self.method, route_label(self.route.as_ref()), status, self.error_type];
        let time = self.started.elapsed().as_secs_f64();
        self.metrics.http_request_duration.with_label_values(&labels).observe(time);
    }
}

/// The method as a label: callers can invent others.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}

fn status_text(status: u16, digits: &mut [u8; 3]) -> &str {
    for (digit, place) in digits.iter_mut().zip([100, 10, 1]) {
        *digit = b'0' + u8::try_from(status / place % 10).unwrap_or_default();
    }
    std::str::from_utf8(digits).unwrap_or_default()
}

struct MeasuredBody {
    body: Body,
    _measurement: Measurement,
}

impl http_body::Body for MeasuredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
