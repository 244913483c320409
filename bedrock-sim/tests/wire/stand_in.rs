//! A stand-in for a server of chat completions: the test says what it answers, piece by piece.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bedrock_sim::{Author, Sim, SimOptions, Upstream, UpstreamClocks};
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::client::PATIENCE;

pub const MODEL: &str = "small:1b";
/// Requests, or pieces of an answer, that nobody has taken yet.
const MOST_WAITING: usize = 64;

/// A server that is told what to answer. It ends when it is dropped.
#[derive(Debug)]
pub struct StandIn {
    pub upstream: Upstream,
    router: Router,
    asked: mpsc::Receiver<Asked>,
    _server: AbortOnDropHandle<()>,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    pub headers: HeaderMap,
    pub body: Value,
    answer: oneshot::Sender<Response>,
}

/// An answer that is being written. Dropping it ends it in good order.
#[derive(Debug)]
pub struct Writing(mpsc::Sender<io::Result<Bytes>>);

impl StandIn {
    pub async fn start() -> Self {
        let (asked_by, asked) = mpsc::channel(MOST_WAITING);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/", listener.local_addr().unwrap());
        let router = router(asked_by);
        let served = router.clone();
        let server = tokio::spawn(async move { axum::serve(listener, served).await.unwrap() });
        let upstream = Upstream::new(url.parse().unwrap(), MODEL);
        Self { upstream, router, asked, _server: AbortOnDropHandle::new(server) }
    }

    /// Its routes, for another door than its own.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub async fn next(&mut self) -> Asked {
        timeout(PATIENCE, self.asked.recv()).await.expect("the upstream is asked").unwrap()
    }

    /// Whether nobody has asked since.
    pub fn is_quiet(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }
}

fn router(asked_by: mpsc::Sender<Asked>) -> Router {
    let models = || async { axum::Json(json!({"object": "list", "data": [{"id": MODEL}]})) };
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(complete))
        .with_state(asked_by)
}

async fn complete(State(asked_by): State<mpsc::Sender<Asked>>, headers: HeaderMap, body: Bytes) -> Response {
    let (answer, answered) = oneshot::channel();
    let body = serde_json::from_slice(&body).unwrap();
    // A test that is over asks for nothing more.
    let _sent = asked_by.try_send(Asked { headers, body, answer });
    answered.await.unwrap_or_else(|_| http::StatusCode::NOT_IMPLEMENTED.into_response())
}

impl Asked {
    /// Refuses, or sends what is no stream.
    pub fn answer(self, response: impl IntoResponse) {
        let _gone = self.answer.send(response.into_response());
    }

    /// Begins a stream.
    pub fn write(self) -> Writing {
        let (writer, pieces) = mpsc::channel(MOST_WAITING);
        self.answer(([("content-type", "text/event-stream")], Body::new(Pieces(pieces))));
        Writing(writer)
    }

    /// Streams a whole answer of these pieces.
    pub fn say(self, pieces: &[&str]) {
        let writing = self.write();
        writing.role();
        pieces.iter().for_each(|piece| writing.text(piece));
        writing.finish("stop");
        writing.usage(11, 7);
        writing.done();
    }
}

impl Writing {
    pub fn bytes(&self, bytes: impl Into<Bytes>) {
        self.0.try_send(Ok(bytes.into())).ok();
    }

    pub fn data(&self, data: &Value) {
        self.bytes(format!("data: {data}\n\n"));
    }

    pub fn role(&self) {
        self.choice(&json!({"role": "assistant", "content": ""}), None);
    }

    pub fn text(&self, text: &str) {
        self.choice(&json!({"content": text}), None);
    }

    pub fn finish(&self, reason: &str) {
        self.choice(&json!({}), Some(reason));
    }

    pub fn choice(&self, delta: &Value, finish_reason: Option<&str>) {
        self.data(&json!({
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
            "usage": null,
        }));
    }

    pub fn usage(&self, input: u64, output: u64) {
        let usage =
            json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
        self.data(&json!({"choices": [], "usage": usage}));
    }

    pub fn done(&self) {
        self.bytes("data: [DONE]\n\n");
    }

    /// Ends the connection in the middle.
    pub fn cut(self) {
        self.0.try_send(Err(io::Error::other("cut"))).ok();
    }

    /// Waits until the one who asked has left.
    pub async fn left(&self) {
        timeout(PATIENCE, self.0.closed()).await.expect("the call is ended");
    }
}

/// What is written, as a body.
struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }
}

/// A simulator whose author is the stand-in, with these clocks.
pub async fn sim_over(stand_in: &StandIn, clocks: UpstreamClocks) -> Sim {
    let upstream = Upstream { clocks, ..stand_in.upstream.clone() };
    sim_of(upstream).await
}

pub async fn sim_of(upstream: Upstream) -> Sim {
    Sim::start(SimOptions { author: Author::Upstream(upstream), ..SimOptions::default() }).await.unwrap()
}
