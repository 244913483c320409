//! An HTTP/2 client over one connection, with windows of a chosen size.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::{Method, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No test waits longer for a byte.
const PATIENCE: Duration = Duration::from_secs(20);

/// The body of a request, which may take its time.
pub type SlowBody = BoxBody<Bytes, std::convert::Infallible>;

/// One connection, which ends when it is dropped.
pub struct Http2 {
    sender: http2::SendRequest<SlowBody>,
}

impl Http2 {
    /// `window` is how much of each answer may come before it is read.
    pub async fn connect(address: SocketAddr, window: u32) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        // It ends with the last handle.
        tokio::spawn(async move { drop(connection.await) });
        Self { sender }
    }

    /// Sends JSON and comes back with the head.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Response<Incoming> {
        self.send(Method::POST, path, Full::new(body.into()).boxed()).await
    }

    /// Sends any request and comes back with the head.
    pub async fn send(&self, method: Method, path: &str, body: SlowBody) -> Response<Incoming> {
        let request = hyper::Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"))
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        let answer = self.sender.clone().send_request(request);
        timeout(PATIENCE, answer).await.expect("a head in time").unwrap()
    }
}

/// The rest of an answer's body; an error when the stream was reset.
pub async fn rest(answer: Response<Incoming>) -> Result<String, hyper::Error> {
    let body = timeout(PATIENCE, answer.into_body().collect()).await.expect("a body in time")?;
    Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
}
