//! The TLS settings of a server.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The TLS settings of a server.
#[derive(Clone)]
pub struct Tls(pub(crate) TlsAcceptor);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file has no valid certificate or key.
    #[error("`{path}` has no valid certificate or key in PEM format")]
    Pem {
        /// The file.
        path: String,
        /// Why.
        source: pem::Error,
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
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |error| match error {
                pem::Error::Io(source) => TlsError::Read { path, source },
                source => TlsError::Pem { path, source },
            }
        };
        let chain = CertificateDer::pem_file_iter(certificates).map_err(failed(certificates))?;
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(failed(certificates))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(failed(key))?;
        let config =
            ServerConfig::builder().with_no_client_auth().with_single_cert(chain, secret)?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn missing_and_invalid_files_are_reported() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let missing = folder.join("missing.pem");
        let error = Tls::read(&missing, &missing).err().unwrap();
        assert_eq!(error.to_string(), format!("cannot read `{}`", missing.display()));
        let source = error.source().unwrap().to_string();
        assert!(source.starts_with("No such file"), "{source}");
        let invalid = folder.join("Cargo.toml");
        let error = Tls::read(&invalid, &invalid).err().unwrap();
        let message = "has no valid certificate or key in PEM format";
        assert_eq!(error.to_string(), format!("`{}` {message}", invalid.display()));
    }
}
