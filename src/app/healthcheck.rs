//! `redraft healthcheck`: asks a running instance whether it is ready, for
//! containers that have no curl.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIME: Duration = Duration::from_secs(3);
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Asks `GET /readyz` at `address`.
///
/// # Errors
/// A sentence for the operator when there is no answer, or the answer is no.
pub(super) async fn ask(address: SocketAddr) -> Result<(), String> {
    timeout(TIME, get(address))
        .await
        .map_err(|_elapsed| format!("{address} did not answer in {} s", TIME.as_secs()))?
}

async fn get(address: SocketAddr) -> Result<(), String> {
    let at = |what: &str, error: &dyn std::fmt::Display| format!("{address}: {what}: {error}");
    let stream = TcpStream::connect(address).await.map_err(|error| at("cannot connect", &error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| at("no HTTP", &error))?;
    let request = hyper::Request::get("/readyz")
        .header("host", address.to_string())
        .body(Empty::<Bytes>::new())
        .expect("the request is made of constants and an address");
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| at("no answer", &error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
        let text =
            body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
        if status.is_success() { Ok(()) } else { Err(format!("{address} is not ready ({status})\n{text}")) }
    };
    tokio::select! {
        result = exchange => result,
        Err(error) = connection => Err(at("the connection broke", &error)),
    }
}
