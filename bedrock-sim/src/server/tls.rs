//! TLS: what the simulator shows to a client, and the handshake.
//!
//! Owns the certificate chain and key, and the protocols that are offered: HTTP/2 first, as AWS
//! does, then HTTP/1.1. Who trusts the certificate is the client's matter.
//! The one rule it protects: the key never reaches a log, not even through `Debug`.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate chain and its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    chain_pem: Vec<u8>,
    key_pem: Vec<u8>,
}

impl TlsIdentity {
    /// The server's certificate first, then those that lead to an authority. What is wrong with
    /// them is told when a simulator starts with them.
    pub fn from_pem(chain_pem: impl Into<Vec<u8>>, key_pem: impl Into<Vec<u8>>) -> Self {
        Self { chain_pem: chain_pem.into(), key_pem: key_pem.into() }
    }

    pub(super) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let chain = CertificateDer::pem_slice_iter(&self.chain_pem).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| unusable("certificate", &error))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key_pem).map_err(|error| unusable("key", &error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

fn unusable(what: &str, error: &pem::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("the TLS {what} cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::TlsIdentity;

    const CHAIN: &[u8] = include_bytes!("../../tests/fixtures/tls/server.pem");
    const KEY: &[u8] = include_bytes!("../../tests/fixtures/tls/server.key");

    #[test]
    fn a_chain_with_its_key_is_accepted_and_a_mistake_is_told() {
        assert!(TlsIdentity::from_pem(CHAIN, KEY).acceptor().is_ok());
        for (chain, key, told) in
            [(CHAIN, &b"no key"[..], "TLS key"), (b"no certificate", KEY, "no certificates")]
        {
            let error = TlsIdentity::from_pem(chain, key).acceptor().err().unwrap().to_string();
            assert!(error.to_lowercase().contains(&told.to_lowercase()), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", TlsIdentity::from_pem(CHAIN, KEY)), "TlsIdentity { .. }");
    }
}
