//! The upstream: a server of a real model that writes in the author's place.
//!
//! Owns what is asked of a server of chat completions in the manner of OpenAI (Ollama, llama.cpp,
//! vLLM and others), how long it is waited for, and what of Bedrock its failures are. Where the
//! text goes is the matter of the operations.
//! The one rule it protects: an answer that did not come to its own end is a failure, whatever of it
//! was read.

mod address;
mod connection;
mod lines;
mod probe;
mod reply;
mod request;

pub use address::{InvalidUpstreamUrl, UpstreamUrl};
pub(crate) use reply::{Piece, Reply};

use std::fmt;
use std::io;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::time::{Instant, timeout, timeout_at};

use crate::author::Author;
use crate::errors::{ApiError, Refusal, StreamError};
use crate::request::ConverseRequest;
use crate::scenario::StopReason;
use connection::{Door, Line};

/// Bodies that are no stream are read up to here.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// What servers write into a refusal of a prompt that is longer than the model's context.
const TOO_LONG_MARKS: [&str; 4] =
    ["context_length_exceeded", "exceed_context_size", "maximum context length", "context window"];

/// A server of chat completions and the model of it that writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Where its API begins, such as `http://127.0.0.1:11434/v1`.
    pub url: UpstreamUrl,
    /// The name of the model at that server.
    pub model: String,
    pub api_key: Option<ApiKey>,
    pub clocks: UpstreamClocks,
}

impl Upstream {
    /// The model of a server that asks for no key, with the usual clocks.
    pub fn new(url: UpstreamUrl, model: impl Into<String>) -> Self {
        Self { url, model: model.into(), api_key: None, clocks: UpstreamClocks::default() }
    }
}

/// How long each step of a call may take. The caller's own clocks come on top: a call ends when
/// its client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamClocks {
    /// Until there is a connection.
    pub connect: Duration,
    /// From the request to the first piece of the answer. A model on a processor may read a long
    /// prompt for minutes.
    pub first_piece: Duration,
    /// Between two pieces.
    pub idle: Duration,
}

impl Default for UpstreamClocks {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_piece: Duration::from_secs(300),
            idle: Duration::from_secs(120),
        }
    }
}

/// What a server wants to be shown. It never reaches a log, not even through `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// None for a text that no header can carry.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        let fits = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(key.to_owned()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

/// Why an upstream did not write an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpstreamError {
    /// There is no connection: refused, no such host, no TLS, or too slow.
    Unreachable,
    /// Connected, and then nothing for too long.
    Silent,
    /// It refused with this status.
    Refused { status: u16 },
    /// It refused because the prompt does not fit.
    InputTooLong,
    /// What it sent is no stream of chat completions.
    NotUnderstood,
    /// It said in its stream that it failed.
    Failed,
    /// The stream ended before the answer did.
    Cut,
    /// The stream stood still for too long.
    Stalled,
    /// The answer is larger than any that was asked for.
    TooLarge,
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("The model server cannot be reached."),
            Self::Silent => f.write_str("The model server did not begin an answer in time."),
            Self::Refused { status } => write!(f, "The model server answered with status {status}."),
            Self::InputTooLong => f.write_str("Input is too long for requested model."),
            Self::NotUnderstood => f.write_str("The model server sent no chat completion."),
            Self::Failed => f.write_str("The model server failed while it answered."),
            Self::Cut => f.write_str("The model server's answer was cut."),
            Self::Stalled => f.write_str("The model server's answer stood still."),
            Self::TooLarge => f.write_str("The model server's answer is too large."),
        }
    }
}

impl UpstreamError {
    /// Type and status are those that Bedrock has for such a failure. The text is our own: it tells
    /// whoever runs the server what to look at, and quotes nothing that the server said.
    pub(crate) fn refusal(self, model_id: &str) -> Refusal {
        let alike = match self {
            Self::Unreachable | Self::Refused { status: 503 } => ApiError::ServiceUnavailable,
            Self::Silent | Self::Stalled | Self::Refused { status: 408 | 504 } => ApiError::ModelTimeout,
            Self::Refused { status: 401 | 403 } => ApiError::AccessDenied,
            Self::Refused { status: 404 } => ApiError::ResourceNotFound,
            Self::Refused { status: 429 } => ApiError::ThrottlingRequests,
            Self::InputTooLong => ApiError::InputTooLong,
            Self::Refused { .. } | Self::NotUnderstood | Self::Failed | Self::Cut | Self::TooLarge => {
                ApiError::ModelError
            }
        };
        Refusal { message: self.to_string(), ..alike.refusal(model_id) }
    }

    /// What stands in a stream that has begun.
    pub(crate) fn in_stream(self) -> StreamError {
        match self {
            Self::InputTooLong => StreamError::Validation,
            _ => StreamError::ModelStreamError,
        }
    }
}

/// Who writes the answers of a running simulator.
#[derive(Debug)]
pub(crate) enum Writer {
    Sentences,
    Model(Box<Client>),
}

impl Writer {
    pub(crate) fn new(author: Author) -> io::Result<Self> {
        Ok(match author {
            Author::Sentences => Self::Sentences,
            Author::Upstream(upstream) => Self::Model(Box::new(Client::new(upstream)?)),
        })
    }

    /// The word for it in the header of every answer.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Sentences => "author",
            Self::Model(_) => "upstream",
        }
    }
}

/// The tokens of an answer, as the upstream counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Counted {
    #[serde(rename = "prompt_tokens")]
    pub(crate) input: u64,
    #[serde(rename = "completion_tokens")]
    pub(crate) output: u64,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) reason: StopReason,
    /// None from a server that does not count.
    pub(crate) counted: Option<Counted>,
}

/// Asks one upstream.
#[derive(Debug)]
pub(crate) struct Client {
    upstream: Upstream,
    door: Door,
}

impl Client {
    fn new(upstream: Upstream) -> io::Result<Self> {
        let door = Door::new(&upstream.url)?;
        Ok(Self { upstream, door })
    }

    /// Asks, and returns once the server has begun to answer. Dropping the reply ends the call.
    pub(crate) async fn ask(&self, asked: &ConverseRequest) -> Result<Reply, UpstreamError> {
        let body = request::body(&self.upstream.model, asked);
        let line = self.connect().await?;
        let first_piece_by = Instant::now() + self.upstream.clocks.first_piece;
        let sending = self.send(line, Method::POST, "/chat/completions", Body::from(body));
        let answered = timeout_at(first_piece_by, sending).await.map_err(|_| UpstreamError::Silent)?;
        let (response, line) = answered?;
        let status = response.status();
        if status != StatusCode::OK {
            let reading = read(response.into_body());
            let body = timeout_at(first_piece_by, reading).await.unwrap_or_default();
            return Err(refused(status, &body));
        }
        Ok(Reply::new(response.into_body(), line, first_piece_by, self.upstream.clocks.idle))
    }

    /// The whole answer.
    pub(crate) async fn write(&self, asked: &ConverseRequest) -> Result<(String, Ended), UpstreamError> {
        let mut reply = self.ask(asked).await?;
        let mut text = String::new();
        loop {
            match reply.next().await? {
                Piece::Text(more) => text.push_str(&more),
                // Told in streams alone, where it shows that the model is at work.
                Piece::Reasoning(_) => {}
                Piece::End(ended) => return Ok((text, ended)),
            }
        }
    }

    /// The names of the server's models.
    async fn models(&self) -> Result<Vec<String>, UpstreamError> {
        #[derive(Deserialize)]
        struct Listing {
            data: Vec<Listed>,
        }
        #[derive(Deserialize)]
        struct Listed {
            id: String,
        }
        let line = self.connect().await?;
        let (response, _line) = self.send(line, Method::GET, "/models", Body::empty()).await?;
        let status = response.status();
        let body = read(response.into_body()).await;
        if status != StatusCode::OK {
            return Err(refused(status, &body));
        }
        let listing: Listing = serde_json::from_slice(&body).map_err(|_| UpstreamError::NotUnderstood)?;
        Ok(listing.data.into_iter().map(|listed| listed.id).collect())
    }

    async fn connect(&self) -> Result<Line, UpstreamError> {
        let connecting = self.door.connect();
        timeout(self.upstream.clocks.connect, connecting).await.unwrap_or(Err(UpstreamError::Unreachable))
    }

    async fn send(
        &self,
        mut line: Line,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<(http::Response<Incoming>, Line), UpstreamError> {
        let url = &self.upstream.url;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", url.path()))
            .header(http::header::HOST, url.authority())
            .header(http::header::CONTENT_TYPE, "application/json");
        if let Some(ApiKey(key)) = &self.upstream.api_key {
            request = request.header(http::header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.body(body).expect("the address and the key were checked to fit");
        let response = line.send(request).await?;
        Ok((response, line))
    }
}

/// A body up to its bound; nothing of one that breaks off or is larger.
async fn read(body: Incoming) -> Vec<u8> {
    to_bytes(Body::new(body), MAX_BODY_BYTES).await.unwrap_or_default().to_vec()
}

fn refused(status: StatusCode, body: &[u8]) -> UpstreamError {
    let said = String::from_utf8_lossy(body);
    if status.is_client_error() && TOO_LONG_MARKS.iter().any(|mark| said.contains(mark)) {
        return UpstreamError::InputTooLong;
    }
    UpstreamError::Refused { status: status.as_u16() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown_and_fits_into_a_header() {
        let key = ApiKey::new(" sk-secret\n").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(***)");
        let upstream = Upstream::new("http://127.0.0.1:1/v1".parse().unwrap(), "m");
        let shown = format!("{:?}", Upstream { api_key: Some(key), ..upstream });
        assert!(!shown.contains("secret"), "{shown}");
        for unfit in ["", " ", "two words", "line\nbreak", "schlüssel"] {
            assert_eq!(ApiKey::new(unfit), None, "{unfit:?}");
        }
    }

    #[test]
    fn each_failure_is_one_that_bedrock_has() {
        let told = |status: u16| {
            let refusal = refused(StatusCode::from_u16(status).unwrap(), b"{}").refusal("m");
            (refusal.status.as_u16(), refusal.type_name)
        };
        assert_eq!(told(500), (424, "ModelErrorException"));
        assert_eq!(told(400), (424, "ModelErrorException"));
        assert_eq!(told(503), (503, "ServiceUnavailableException"));
        assert_eq!(told(504), (408, "ModelTimeoutException"));
        assert_eq!(told(429), (429, "ThrottlingException"));
        assert_eq!(told(404), (404, "ResourceNotFoundException"));
        assert_eq!(told(401), (403, "AccessDeniedException"));
        for mark in TOO_LONG_MARKS {
            let body = format!("{{\"error\":{{\"message\":\"{mark} …\"}}}}");
            assert_eq!(refused(StatusCode::BAD_REQUEST, body.as_bytes()), UpstreamError::InputTooLong);
        }
        let too_long = UpstreamError::InputTooLong.refusal("m");
        assert_eq!(too_long, ApiError::InputTooLong.refusal("m"));
    }

    #[test]
    fn the_text_of_a_failure_quotes_nothing_of_the_server() {
        let refusal = refused(StatusCode::BAD_REQUEST, b"your prompt: secret").refusal("m");
        assert_eq!(refusal.message, "The model server answered with status 400.");
    }
}
