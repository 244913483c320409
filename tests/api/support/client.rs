//! An HTTP/1.1 client of one connection per request, which can be dropped at any
//! point: what a browser tab does when it is closed.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::sse::Transcript;

/// No test waits longer for a byte.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request to be sent.
pub struct Request {
    address: SocketAddr,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    patience: Duration,
}

impl Request {
    pub fn new(address: SocketAddr, method: Method, path: &str) -> Self {
        Self {
            address,
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            patience: PATIENCE,
        }
    }

    pub fn get(address: SocketAddr, path: &str) -> Self {
        Self::new(address, Method::GET, path)
    }

    pub fn post(address: SocketAddr, path: &str) -> Self {
        Self::new(address, Method::POST, path)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits longer for each byte: on paused clocks, the test's own patience is a clock too.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Answer {
        self.open().await.finish().await
    }

    /// Sends it and comes back with the head.
    pub async fn open(self) -> OpenStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        // The connection ends when the client drops its handle, as a closed tab does.
        let connection = tokio::spawn(async move { drop(connection.await) }).abort_handle();
        let connection = Connection(connection);
        let mut request = hyper::Request::builder().method(self.method).uri(self.path);
        request = request.header("host", self.address.to_string());
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).unwrap();
        let response =
            timeout(self.patience, sender.send_request(request)).await.expect("a head in time").unwrap();
        let (head, body) = response.into_parts();
        OpenStream {
            status: head.status,
            headers: head.headers,
            body,
            patience: self.patience,
            _connection: connection,
        }
    }
}

/// Ends the connection when it is dropped.
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer whose body is still coming.
pub struct OpenStream {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    patience: Duration,
    _connection: Connection,
}

impl OpenStream {
    /// The next bytes as they came off the socket; `None` at a clean end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        let frame = timeout(self.patience, self.body.frame()).await.expect("bytes in time")?;
        Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    /// Reads until the text so far satisfies `enough`.
    pub async fn read_until(&mut self, enough: impl Fn(&str) -> bool) -> String {
        let mut text = Vec::new();
        loop {
            if enough(&String::from_utf8_lossy(&text)) {
                return String::from_utf8(text).unwrap();
            }
            let chunk = self.chunk().await.expect("the stream goes on").unwrap();
            text.extend_from_slice(&chunk);
        }
    }

    /// Reads the rest; `cut` tells a connection that broke.
    pub async fn finish(mut self) -> Answer {
        let (mut body, mut cut) = (Vec::new(), false);
        while let Some(chunk) = self.chunk().await {
            match chunk {
                Ok(bytes) => body.extend_from_slice(&bytes),
                Err(_) => {
                    cut = true;
                    break;
                }
            }
        }
        Answer { status: self.status, headers: self.headers, body, cut }
    }
}

/// A whole answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The connection broke before the body's end.
    pub cut: bool,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body read as Server-Sent Events.
    pub fn sse(&self) -> Transcript {
        Transcript::of_sse(&self.text())
    }

    /// The body read as one JSON object per line.
    pub fn ndjson(&self) -> Transcript {
        Transcript::of_lines(&self.text())
    }
}
