//! TLS for the connection.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::mailer::SettingsError;

/// The TLS configuration for a server name.
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// Loads the trusted certificates of the system.
    ///
    /// # Errors
    /// Returns an error if the host name is invalid, or if TLS cannot be set up.
    pub(crate) fn new(host: &str) -> Result<Self, SettingsError> {
        let unprepared = |source: Box<dyn std::error::Error + Send + Sync>| SettingsError::Tls {
            host: host.to_owned(),
            source,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|why| unprepared(why.into()))?;
        let mut roots = RootCertStore::empty();
        // Certificates that cannot be parsed are skipped.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| unprepared(why.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Performs the TLS handshake and verifies the server's certificate.
    pub(crate) async fn encrypt(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}
