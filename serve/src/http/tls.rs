//! The TLS settings of a server.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The TLS settings of a server.
#[derive(Clone)]
pub struct Tls(pub(crate) TlsAcceptor);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{path}` has no valid certificate or key in PEM format")]
    Pem {
        /// The file.
        path: String,
        /// Why.
        source: tokio_rustls::rustls::pki_types::pem::Error,
    },
    /// The certificate and the key do not match.
    #[error("cannot use the certificate with the key")]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

impl Tls {
    /// Reads a certificate chain and its key, both in PEM format.
    ///
    /// # Errors
    /// Returns an error if they cannot be read or do not match.
    pub fn read(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        let pem = |path: &Path| {
            let path = path.display().to_string();
            move |source| TlsError::Pem { path, source }
        };
        let chain = CertificateDer::pem_file_iter(certificates).map_err(pem(certificates))?;
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(pem(certificates))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(pem(key))?;
        let config =
            ServerConfig::builder().with_no_client_auth().with_single_cert(chain, secret)?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}
