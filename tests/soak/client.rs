//! An HTTP client that keeps its connections: a new one per request would use up the ports.
//!
//! The one rule it protects: a connection whose answer was not read to its end is closed, which
//! is what a client that leaves looks like to the service.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::time::{interval, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::shape::{Reader, Shape};

/// No request of the soak may take longer.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE_OF_SLOW_READERS: Duration = Duration::from_millis(15);
const BUFFER_OF_SLOW_READERS: u32 = 4096;

/// The clients of one service. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    idle: Arc<Mutex<Vec<Connection>>>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

/// What came back.
pub enum Heard {
    Answer {
        status: StatusCode,
        headers: HeaderMap,
        body: Vec<u8>,
        /// The connection broke before the body's end.
        cut: bool,
    },
    /// The client left, as its part was.
    Left,
    /// There was no answer.
    Nothing(String),
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, idle: Arc::default() }
    }

    /// Sends the request and plays the part of its reader.
    pub async fn exchange(&self, shape: &Shape) -> Heard {
        match timeout(PATIENCE, self.try_exchange(shape)).await {
            Ok(Ok(heard)) => heard,
            Ok(Err(error)) => Heard::Nothing(format!("no answer: {error:?}")),
            Err(_elapsed) => Heard::Nothing(format!("no answer within {PATIENCE:?}")),
        }
    }

    async fn try_exchange(&self, shape: &Shape) -> Result<Heard, Box<dyn std::error::Error + Send + Sync>> {
        let mut connection = self.connection(shape.reader).await?;
        let request = hyper::Request::post(&shape.path)
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .header("x-request-id", shape.request_id())
            .body(Full::new(Bytes::from(shape.body.clone())))?;
        let (head, mut incoming) = connection.sender.send_request(request).await?.into_parts();
        let (mut body, mut cut) = (Vec::new(), false);
        let mut pauses = interval(PAUSE_OF_SLOW_READERS);
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    cut = true;
                    break;
                }
            }
            match shape.reader {
                Reader::Steady => {}
                Reader::Leaves => return Ok(Heard::Left),
                Reader::Slow => {
                    pauses.tick().await;
                }
            }
        }
        if !cut && shape.reader == Reader::Steady {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(Heard::Answer { status: head.status, headers: head.headers, body, cut })
    }

    async fn connection(
        &self,
        reader: Reader,
    ) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
        // A slow reader needs a socket of its own kind.
        let kept = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        while let Some(mut kept) = (reader != Reader::Slow).then(kept).flatten() {
            if kept.sender.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let socket = TcpSocket::new_v4()?;
        if reader == Reader::Slow {
            socket.set_recv_buffer_size(BUFFER_OF_SLOW_READERS)?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async move { drop(driver.await) });
        Ok(Connection { sender, _driver: AbortOnDropHandle::new(driver) })
    }
}
