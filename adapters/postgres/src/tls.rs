//! TLS with the server's certificate verified as far as `sslmode` requires.

use std::path::Path;
use std::sync::Arc;

use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::address::Tls;
use crate::connect_error::ConnectError;

/// The name of the protocol in the TLS handshake. `sslnegotiation=direct` requires it.
const PROTOCOL: &[u8] = b"postgresql";

/// Returns the TLS connector, or `None` for connections without TLS.
///
/// # Errors
/// Returns an error if the trusted certificates cannot be read, or if TLS cannot be set up.
pub(crate) fn connector(tls: &Tls) -> Result<Option<MakeRustlsConnect>, ConnectError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ConnectError::Tls)?;
    let any_name = |roots| Arc::new(AnyName { roots, algorithms });
    let builder = match tls {
        Tls::Disabled => return Ok(None),
        Tls::Unverified => builder.dangerous().with_custom_certificate_verifier(any_name(None)),
        Tls::Authority(file) => {
            let verifier = any_name(Some(roots_of_file(file)?));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        Tls::Full(Some(file)) => builder.with_root_certificates(roots_of_file(file)?),
        Tls::Full(None) => builder.with_root_certificates(roots_of_system()),
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, ConnectError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| ConnectError::Roots {
        path: path.to_owned(),
        source,
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path);
    for certificate in certificates.map_err(|why| unreadable(why.into()))? {
        let certificate = certificate.map_err(|why| unreadable(why.into()))?;
        roots.add(certificate).map_err(|why| unreadable(why.into()))?;
    }
    if roots.is_empty() {
        return Err(ConnectError::NoRoots(path.to_owned()));
    }
    Ok(roots)
}

fn roots_of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Certificates that cannot be parsed are skipped. Without any, no server is trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Accepts a certificate for any host name. Without roots, it accepts any issuer too.
#[derive(Debug)]
struct AnyName {
    roots: Option<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
