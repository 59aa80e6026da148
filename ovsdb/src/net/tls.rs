//! TLS with client certificates (rustls, ring).
//!
//! Open vSwitch's convention is a private authority per installation and addresses instead of
//! names: the peer must show a certificate issued by the configured authority; its name is not
//! compared (ovsdb-server(1) "--ca-cert"). [`TlsConfig::check_name`] adds the comparison.

use core::fmt;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files for TLS, all PEM.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// Certificates of the authorities that may issue the server's certificate.
    pub ca_cert: PathBuf,
    /// Our certificate chain.
    pub certificate: PathBuf,
    /// Our private key.
    pub private_key: PathBuf,
    /// Also require the certificate to name the server's address.
    pub check_name: bool,
}

/// Why a client cannot be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// A file cannot be read or holds no PEM item of the right kind.
    File(PathBuf, Box<str>),
    /// The files do not fit together.
    Config(Box<str>),
    /// The thread could not be started.
    Thread(Box<str>),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, text) => write!(f, "{}: {text}", path.display()),
            Self::Config(text) => write!(f, "TLS: {text}"),
            Self::Thread(text) => write!(f, "thread: {text}"),
        }
    }
}

impl core::error::Error for TlsError {}

/// Reads the files.
pub(super) fn connector(config: &TlsConfig) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&config.ca_cert)? {
        roots
            .add(certificate)
            .map_err(|e| file(&config.ca_cert, &e))?;
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|e| TlsError::Config(e.to_string().into()))?;
    let chain = certificates(&config.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&config.private_key)
        .map_err(|e| file(&config.private_key, &e))?;
    let verifier = Verifier {
        inner,
        check_name: config.check_name,
    };
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Config(e.to_string().into()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain, key)
        .map(Arc::new)
        .map_err(|e| TlsError::Config(e.to_string().into()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|e| file(path, &e))?
        .collect();
    let found = found.map_err(|e| file(path, &e))?;
    if found.is_empty() {
        return Err(TlsError::File(path.into(), "no certificate".into()));
    }
    Ok(found)
}

fn file(path: &Path, error: &dyn fmt::Display) -> TlsError {
    TlsError::File(path.into(), error.to_string().into())
}

/// The usual verification, with the comparison of names optional.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    check_name: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        // Chain, dates and usage are verified before the name, so only the name is left.
        match verdict {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
