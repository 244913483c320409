//! The operations of the Bedrock Runtime: from a received request to a response.
//!
//! Owns the order of the steps that all operations share: record the call, check the caller, read
//! the request, choose the scenario. Each operation is a file of its own and adds what is its own.
//! The one rule it protects: a call is in the log before anything can go wrong with it.

mod answer;
mod answering;
mod apply_guardrail;
mod caller;
mod converse;
mod converse_stream;
mod count_tokens;
mod in_one_piece;
mod invoke_model;
mod invoke_stream;
mod live;
mod telling;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request};
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use rand::RngCore;
use serde_json::json;

use crate::call_log::{Arrival, CallGuard, CallLog, Operation};
use crate::errors::{ApiError, Refusal, TYPE_SUFFIX};
use crate::guardrails::GuardrailBook;
use crate::pacing::Pacing;
use crate::prompt_cache::PromptCache;
use crate::scenario::Scenario;
use crate::scenario::book::ScenarioBook;
use crate::server::Connection;
use crate::upstream::Writer;
pub(crate) use live::{Live, Outlook};
pub(crate) use usage::{ToldUsage, Usage};

/// The largest request body that is read.
const MAX_BODY_BYTES: usize = 25_000_000;

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) log: Arc<CallLog>,
    pub(crate) book: ScenarioBook,
    pub(crate) guardrails: GuardrailBook,
    pub(crate) cache: Arc<PromptCache>,
    pub(crate) writer: Writer,
    pub(crate) pacing: Pacing,
    pub(crate) split_frames: bool,
}

pub(crate) fn routes() -> Router<Arc<Backend>> {
    Router::new()
        .route("/model/{model_id}/converse", post(converse::answer))
        .route("/model/{model_id}/converse-stream", post(converse_stream::answer))
        .route("/model/{model_id}/count-tokens", post(count_tokens::answer))
        .route("/model/{model_id}/invoke", post(invoke_model::answer))
        .route("/model/{model_id}/invoke-with-response-stream", post(invoke_stream::answer))
        .route("/guardrail/{model_id}/version/{version}/apply", post(apply_guardrail::answer))
        .fallback(unknown_operation)
        .method_not_allowed_fallback(unknown_operation)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// A request as it came in.
#[derive(Debug)]
struct Received {
    backend: Arc<Backend>,
    connection: Connection,
    model_id: String,
    /// What the path names besides the model.
    version: Option<String>,
    headers: HeaderMap,
    body: Bytes,
}

impl FromRequest<Arc<Backend>> for Received {
    type Rejection = Response;

    async fn from_request(request: Request, backend: &Arc<Backend>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let path = Path::<Vec<(String, String)>>::from_request_parts(&mut parts, backend).await;
        let mut names = path.map_or_else(|_| Vec::new(), |Path(path)| path).into_iter().map(|(_, name)| name);
        let Some(model_id) = names.next() else {
            let refusal = ApiError::InvalidModelId.refusal("");
            return Err(unrecorded(refusal.status, refusal.type_name, refusal.body().to_string()));
        };
        let connection = parts.extensions.get::<Connection>().cloned().unwrap_or_default();
        let headers = std::mem::take(&mut parts.headers);
        let body = Bytes::from_request(Request::from_parts(parts, body), backend).await.map_err(too_large)?;
        let backend = Arc::clone(backend);
        Ok(Self { backend, connection, model_id, version: names.next(), headers, body })
    }
}

/// A recorded call: its record, and what answering it takes.
#[derive(Debug)]
struct Call {
    backend: Arc<Backend>,
    connection: Connection,
    guard: CallGuard,
}

impl Call {
    /// Records the call and checks who makes it.
    fn open(received: Received, operation: Operation) -> Result<(Self, Bytes), Response> {
        let sdk_request =
            received.headers.get("amz-sdk-request").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let guard = received.backend.log.begin(Arrival {
            operation,
            model_id: received.model_id,
            guardrail_version: received.version,
            request_id: new_request_id(),
            sdk_request,
            headers: caller::shown(&received.headers),
            signed_by: caller::signed_by(&received.headers),
            body: received.body.clone(),
        });
        let call = Self { backend: received.backend, connection: received.connection, guard };
        match caller::check(&received.headers) {
            Ok(()) => Ok((call, received.body)),
            Err(refusal) => Err(call.refuse(&refusal)),
        }
    }

    /// Chooses the scenario and plays the part of it that comes before any answer. What depends on
    /// the last user message is decided here; an operation that answers none has no such text.
    async fn scenario(&self, user_text: Option<&str>) -> Result<Scenario, Response> {
        let model_id = self.guard.model_id();
        let scenario = self.backend.book.choose(model_id, self.guard.sequence()).for_text(user_text);
        self.guard.chose(scenario.clone());
        match &scenario {
            Scenario::Error { error } => Err(self.refuse(&error.refusal(model_id))),
            Scenario::TokenBucket { capacity, refill_per_second }
                if !self.backend.book.take_token(model_id, *capacity, *refill_per_second) =>
            {
                let error = ApiError::ThrottlingRequests;
                Err(self.refuse(&error.refusal(model_id)))
            }
            Scenario::UntypedThrottling => {
                self.guard.failed(429, "untyped-throttling");
                let body = Body::from("{\"message\":\"Too many requests\"}");
                Err(self.response(StatusCode::TOO_MANY_REQUESTS, "application/json", body))
            }
            Scenario::HtmlBadGateway => {
                self.guard.failed(502, "html-bad-gateway");
                let body = Body::from(
                    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                     <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n",
                );
                Err(self.response(StatusCode::BAD_GATEWAY, "text/html", body))
            }
            Scenario::EmptyJson => {
                self.guard.failed(200, "empty-json");
                Err(self.response(StatusCode::OK, "application/json", Body::from("{}")))
            }
            Scenario::ResetBeforeHeaders => {
                self.guard.failed(0, "reset-before-headers");
                self.connection.reset();
                std::future::pending::<()>().await;
                Ok(scenario)
            }
            Scenario::SlowHeaders { wait_ms } => {
                tokio::time::sleep(Duration::from_millis(*wait_ms)).await;
                Ok(scenario)
            }
            _ => Ok(scenario),
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        self.guard.failed(refusal.status.as_u16(), refusal.type_name);
        let body = Body::from(refusal.body().to_string());
        let mut response = self.response(refusal.status, "application/json", body);
        response.headers_mut().insert(
            "x-amzn-ErrorType",
            HeaderValue::try_from(format!("{}{TYPE_SUFFIX}", refusal.type_name))
                .expect("type names are plain letters"),
        );
        response
    }

    fn response(&self, status: StatusCode, content_type: &'static str, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Ok(request_id) = HeaderValue::from_str(self.guard.request_id()) {
            headers.insert("x-amzn-RequestId", request_id);
        }
        headers.insert("x-bedrock-sim", HeaderValue::from_static(self.backend.writer.as_str()));
        response
    }
}

/// A body that cannot be read: it is too large, or the client left while it was sent.
fn too_large(_: BytesRejection) -> Response {
    let body = json!({ "message": format!("The request body exceeds {MAX_BODY_BYTES} bytes.") }).to_string();
    unrecorded(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", body)
}

async fn unknown_operation() -> Response {
    let body = json!({
        "Output": { "__type": "com.amazon.coral.service#UnknownOperationException" },
        "Version": "1.0",
    });
    unrecorded(StatusCode::NOT_FOUND, "UnknownOperationException", body.to_string())
}

/// A refusal of something that is no call yet.
fn unrecorded(status: StatusCode, type_name: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-amzn-ErrorType", HeaderValue::from_static(type_name));
    response
}

fn new_request_id() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let value = u128::from_be_bytes(bytes);
    let hex = format!("{value:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
