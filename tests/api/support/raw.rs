//! Upstreams below HTTP: a server that says any bytes, a relay that dies without
//! closing its connections, as a firewall does, and an address without any.
//!
//! All live until they are dropped, with every connection they hold.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redraft::app::App;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::client::Request;
use super::load;

/// An address of this machine where nobody listens, and nobody can while this lives: it is taken.
pub struct NoListener(TcpSocket);

impl NoListener {
    pub fn take() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self(socket)
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.0.local_addr().unwrap())
    }
}

/// A TCP server that treats each connection as it was told.
pub struct RawUpstream {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _serving: AbortOnDropHandle<()>,
}

impl RawUpstream {
    /// Runs `answer` on each connection.
    pub async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(TcpStream) -> A + Send + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&accepted);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                connections.spawn(answer(stream));
            }
        });
        Self { address, accepted, _serving: AbortOnDropHandle::new(serving) }
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    pub fn connections_accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

/// Reads one request, headers and body, and returns its head in lower case.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen).to_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            if seen.len() >= end + 4 + length {
                return text[..end].to_owned();
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => seen.extend_from_slice(&buffer[..read]),
            _ => return String::new(),
        }
    }
}

/// Passes bytes on to a server until it is frozen. Then the connections it has
/// stay open and carry nothing, and new ones work.
pub struct FreezingRelay {
    upstream: RawUpstream,
    frozen: Arc<std::sync::Mutex<CancellationToken>>,
}

impl FreezingRelay {
    pub async fn to(server: SocketAddr) -> Self {
        let frozen = Arc::new(std::sync::Mutex::new(CancellationToken::new()));
        let current = Arc::clone(&frozen);
        let upstream = RawUpstream::start(move |mut client| {
            let frozen = current.lock().unwrap().clone();
            async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    () = frozen.cancelled() => std::future::pending().await,
                }
            }
        })
        .await;
        Self { upstream, frozen }
    }

    pub fn url(&self, scheme: &str) -> String {
        self.upstream.url(scheme)
    }

    pub fn freeze(&self) {
        std::mem::take(&mut *self.frozen.lock().unwrap()).cancel();
    }

    pub fn connections_accepted(&self) -> usize {
        self.upstream.connections_accepted()
    }
}

/// The service over any endpoint.
pub struct ServiceOver {
    pub api: SocketAddr,
    _shutdown: DropGuard,
}

impl ServiceOver {
    pub async fn start(endpoint: String, settings: &[(&str, &str)]) -> Self {
        let mut config = load(settings);
        config.bedrock.endpoint_url = Some(endpoint);
        let app = App::build(&config).await.unwrap();
        let api = app.addresses().unwrap().public;
        let shutdown = CancellationToken::new();
        tokio::spawn(app.run(shutdown.clone()));
        Self { api, _shutdown: shutdown.drop_guard() }
    }

    pub fn post(&self, path: &str, body: &Value) -> Request {
        Request::post(self.api, path).header("content-type", "application/json").body(body.to_string())
    }

    /// The error of the first attempt of a request that fails as a whole.
    pub async fn first_failure(&self) -> String {
        let answer = self.post("/v1/summarize", &json!({"text": "A door. A key. A lock."})).send().await;
        let problem = answer.json();
        problem["attempts"][0]["error"]
            .as_str()
            .unwrap_or_else(|| panic!("a failed attempt: {problem}"))
            .to_owned()
    }
}
