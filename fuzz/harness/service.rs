//! The service as a function from a request to an answer: its own routes, without a socket.
//!
//! Owns how it is built for the checks and what holds for every answer. The settings are the
//! shipped ones, save for those that a check names.

use std::sync::Arc;

use axum::Router;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use redraft::app::App;
use redraft::config::{self, Config, Environment, RunMode, Sources};
use redraft::domain::FailureCode;
use redraft::inference::ModelBackend;
use redraft::inference::bedrock::CredentialsSource;
use serde_json::Value;
use tower::ServiceExt as _;

pub struct Service {
    public: Router,
    ops: Router,
}

/// An answer, as far as it was read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The body ended with an error: on a socket, the connection would break.
    pub cut: bool,
}

impl Service {
    pub async fn over(backend: Arc<dyn ModelBackend>) -> Self {
        let app = App::build_over(backend, &settings(&[])).await.expect("free ports on loopback");
        Self::of(&app)
    }

    /// Over the real adapter, with Bedrock at another address and without repetitions.
    pub async fn over_bedrock_at(endpoint_url: String) -> Self {
        let mut config = settings(&[("ROUTING__MAX_RETRIES", "0")]);
        config.bedrock.endpoint_url = Some(endpoint_url);
        config.bedrock.credentials = CredentialsSource::Simulator;
        Self::of(&App::build(&config).await.expect("free ports on loopback"))
    }

    fn of(app: &App) -> Self {
        Self { public: redraft::http::routes(app.api()), ops: redraft::http::ops_routes(app.api()) }
    }

    /// The answer to a request, read up to `most_frames` frames of its body.
    pub async fn ask(&self, request: Request<Full<Bytes>>, most_frames: usize) -> Answer {
        let response = self.public.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let (head, mut incoming) = response.into_parts();
        let (mut body, mut cut) = (Vec::new(), false);
        for _ in 0..most_frames {
            match incoming.frame().await {
                Some(Ok(frame)) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(_)) => cut = true,
                None => break,
            }
        }
        let answer = Answer { status: head.status, headers: head.headers, body, cut };
        // The fuzzer stops at a panic by itself; elsewhere the edge turns it into this status.
        if answer.status == StatusCode::INTERNAL_SERVER_ERROR {
            assert!(blames_the_catalogue(&answer.json()), "{}", answer.text());
        }
        answer
    }

    /// Checks that nothing is under way.
    pub async fn assert_idle(&self) {
        let request = Request::get("/metrics").body(Full::<Bytes>::default()).expect("a valid request");
        let answer = self.ops.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let metrics = answer.into_body().collect().await.expect("metrics are whole").to_bytes();
        let metrics = String::from_utf8_lossy(&metrics);
        for name in ["redraft_admission_inflight", "redraft_streams_active", "http_server_active_requests"] {
            let mut series = metrics.lines().filter(|line| line.starts_with(name)).peekable();
            assert!(series.peek().is_some(), "no series {name}");
            for line in series {
                assert!(line.ends_with(" 0"), "{line}");
            }
        }
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("every answer is UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("our headers are ASCII"))
    }

    /// Checks that the answer is a problem that the API documents, and returns its code.
    pub fn documented_problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        documented_code(&problem)
    }
}

/// The code of a problem or an `error` event, checked against the closed list.
pub fn documented_code(problem: &Value) -> String {
    let code = problem["code"].as_str().expect("a code");
    assert!(FailureCode::ALL.iter().any(|known| known.as_str() == code), "{code}");
    assert!(code != FailureCode::Internal.as_str() || blames_the_catalogue(problem), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    assert!(problem["request_id"].is_string(), "{problem}");
    code.to_owned()
}

/// The one internal error that a model can cause: it rejects a parameter that the catalogue
/// says it accepts.
fn blames_the_catalogue(problem: &Value) -> bool {
    let attempts = problem["attempts"].as_array();
    attempts.is_some_and(|attempts| attempts.iter().any(|attempt| attempt["error"] == "parameter_rejected"))
}

fn settings(ours: &[(&str, &str)]) -> Config {
    let free_ports = [("HTTP__LISTEN", "127.0.0.1:0"), ("OPS__LISTEN", "127.0.0.1:0")];
    let ours = free_ports.iter().chain(ours).map(|(key, value)| (format!("REDRAFT__{key}"), *value));
    let environment: Environment = ours.chain([("AWS_REGION".to_owned(), "us-east-1")]).collect();
    let sources = Sources { mode: RunMode::Serve, file: None, listen: None, environment };
    config::load(&sources).unwrap_or_else(|problems| panic!("{problems}")).config
}
