//! Certificate authorities that an operator trusts in place of the system's.
//!
//! Owns reading them: the HTTP client under the SDK would panic on a file that
//! holds none. It reads no file. The one rule: a value of this type holds at
//! least one certificate, and all of them can be used.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Certificates in PEM, as `AWS_CA_BUNDLE` names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedAuthorities {
    pem: Arc<[u8]>,
}

/// The text holds no certificates that could be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorities {
    #[error("holds no certificate in PEM")]
    None,
    #[error("certificate {number} cannot be read: {reason}")]
    Unreadable { number: usize, reason: String },
}

impl TrustedAuthorities {
    /// Reads one or more certificates.
    ///
    /// # Errors
    /// [`InvalidAuthorities`] when there is none, or one that cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidAuthorities> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let unreadable = |reason: String| InvalidAuthorities::Unreadable { number: index + 1, reason };
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(InvalidAuthorities::None);
        }
        Ok(Self { pem: pem.into() })
    }

    pub(super) fn as_pem(&self) -> &[u8] {
        &self.pem
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidAuthorities, TrustedAuthorities};

    const AUTHORITY: &str = include_str!("../../../bedrock-sim/tests/fixtures/tls/authority.pem");

    #[test]
    fn certificates_are_read_and_anything_else_is_told() {
        assert!(TrustedAuthorities::from_pem(AUTHORITY.as_bytes()).is_ok());
        assert!(TrustedAuthorities::from_pem([AUTHORITY, AUTHORITY].concat().as_bytes()).is_ok());
        for text in
            ["", "nothing of the kind", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
        {
            assert_eq!(
                TrustedAuthorities::from_pem(text.as_bytes()),
                Err(InvalidAuthorities::None),
                "{text}"
            );
        }
        let broken = [AUTHORITY, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"].concat();
        let error = TrustedAuthorities::from_pem(broken.as_bytes()).unwrap_err();
        assert!(matches!(error, InvalidAuthorities::Unreadable { number: 2, .. }), "{error}");
        let cut = TrustedAuthorities::from_pem(&AUTHORITY.as_bytes()[..200]).unwrap_err();
        assert!(matches!(cut, InvalidAuthorities::Unreadable { number: 1, .. }), "{cut}");
    }
}
