//! The connection to an upstream: one per call, with TLS or without.
//!
//! Owns sockets and their handshakes; what is said over them is not its matter. A call to a model
//! takes seconds, so a connection of its own costs nothing, and ends with it.
//! The one rule it protects: when the line goes, its socket goes with it, whatever was being sent.

use std::fmt;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::task::AbortOnDropHandle;

use super::{UpstreamError, UpstreamUrl};

/// Where lines begin.
pub(super) struct Door {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Door {
    /// Reads the system's certificate authorities if the address needs them.
    pub(super) fn new(url: &UpstreamUrl) -> io::Result<Self> {
        let tls = url.is_tls().then(|| connector(url.host())).transpose()?;
        Ok(Self { host: url.host().to_owned(), port: url.port(), tls })
    }

    pub(super) async fn connect(&self) -> Result<Line, UpstreamError> {
        let lost = |_| UpstreamError::Unreachable;
        let socket = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(lost)?;
        socket.set_nodelay(true).map_err(lost)?;
        match &self.tls {
            None => Line::open(socket).await,
            Some((connector, name)) => {
                let socket = connector.connect(name.clone(), socket).await.map_err(lost)?;
                Line::open(socket).await
            }
        }
    }
}

fn connector(host: &str) -> io::Result<(TlsConnector, ServerName<'static>)> {
    let unusable = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| unusable(format!("{host} is no name that a certificate can be for")))?;
    let mut roots = RootCertStore::empty();
    // A certificate of the system that is unreadable is one authority less.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(unusable(
            "an upstream with https:// needs the system's certificate authorities, and none were found"
                .to_owned(),
        ));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Line {
    sender: SendRequest<Body>,
    /// Moves the bytes, until the line is dropped.
    _driver: AbortOnDropHandle<()>,
}

impl Line {
    async fn open<S>(socket: S) -> Result<Self, UpstreamError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let opened = handshake(TokioIo::new(socket)).await;
        let (sender, connection) = opened.map_err(|_| UpstreamError::Unreachable)?;
        let driver = tokio::spawn(async move {
            // How it ended is told to whoever reads the answer.
            let _ended = connection.await;
        });
        Ok(Self { sender, _driver: AbortOnDropHandle::new(driver) })
    }

    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, UpstreamError> {
        // What was no HTTP, or no answer at all, is one that was cut before it began.
        self.sender
            .send_request(request)
            .await
            .map_err(|error| if error.is_parse() { UpstreamError::NotUnderstood } else { UpstreamError::Cut })
    }
}
