//! Which certificates are accepted, and which is shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::{H1, H2};
use crate::options::{HttpVersion, TlsVersion};
use crate::{Error, Options};

/// The configuration of a run: which certificates are accepted, which is shown, and what is offered to be spoken inside.
pub(crate) fn client_config(options: &Options) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let from = options.tls_min.unwrap_or(TlsVersion::Tls12);
    let to = options.tls_max.unwrap_or(TlsVersion::Tls13);
    let versions: Vec<_> = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)]
        .into_iter()
        .filter(|(version, _)| (from..=to).contains(version))
        .map(|(_, version)| version)
        .collect();
    if versions.is_empty() {
        return Err(Error::Config(format!("--tls-min {from} is above --tls-max {to}")));
    }
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|error| Error::Engine(format!("TLS cannot be set up: {error}")))?;
    let builder = if options.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        builder.with_root_certificates(roots(&options.ca)?)
    };
    let mut config = match &options.client_certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate, "--cert")?;
            builder.with_client_auth_cert(chain, private_key(key)?).map_err(|error| {
                let (certificate, key) = (certificate.display(), key.display());
                let why = match error {
                    TlsError::InconsistentKeys(_) => "the key is not that of the certificate".to_owned(),
                    other => other.to_string(),
                };
                Error::Config(format!("--cert {certificate} with --key {key}: {why}"))
            })?
        }
    };
    config.alpn_protocols = match options.http {
        HttpVersion::Auto => vec![H2.to_vec(), H1.to_vec()],
        HttpVersion::One => vec![H1.to_vec()],
        HttpVersion::Two => vec![H2.to_vec()],
    };
    Ok(Arc::new(config))
}

/// The system's roots and those in these files.
fn roots(files: &[PathBuf]) -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry a certificate or two that nobody can read; the others do.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 && files.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(Error::Config(format!(
            "no root certificate was found on this system{why}; install them, give some with --ca FILE, or accept any \
             certificate with --insecure"
        )));
    }
    for file in files {
        for certificate in certificates(file, "--ca")? {
            roots.add(certificate).map_err(|error| {
                Error::Config(format!("--ca {}: a certificate in it cannot be used: {error}", file.display()))
            })?;
        }
    }
    Ok(roots)
}

/// All certificates of a file, at least one.
fn certificates(file: &Path, flag: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |why: &str| Error::Config(format!("{flag} {}: {why}", file.display()));
    let bytes = read(file, flag)?;
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        found.push(certificate.map_err(|error| wrong(&format!("it is not PEM: {error}")))?);
    }
    if found.is_empty() {
        return Err(wrong("there is no certificate in it; expected PEM (-----BEGIN CERTIFICATE-----)"));
    }
    Ok(found)
}

/// PKCS #8, SEC1 or PKCS #1.
fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let bytes = read(file, "--key")?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let why = match error {
            pem::Error::NoItemsFound if memchr::memmem::find(&bytes, b"ENCRYPTED").is_some() => {
                "the key in it is encrypted; decrypt it first (openssl pkey -in KEY -out PLAIN)".to_owned()
            }
            pem::Error::NoItemsFound => {
                "there is no private key in it; expected PEM (-----BEGIN PRIVATE KEY-----)".to_owned()
            }
            other => format!("it is not PEM: {other}"),
        };
        Error::Config(format!("--key {}: {why}", file.display()))
    })
}

fn read(file: &Path, flag: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|error| Error::Config(format!("{flag} {}: {error}", file.display())))
}

/// Accepts whatever certificate is shown; the handshake itself is still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
