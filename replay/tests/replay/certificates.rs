//! Certificates: those that are trusted, the one that is shown, and files that hold none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mynah_replay::{Error, HostHeader, HttpVersion, Options, Prepared, TlsVersion};
use mynah_traffic::run::RunDocument;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::server::{Reply, Server};
use crate::{once, play, prepared, try_play};

/// An authority, and files of what it has signed.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Authority { folder, issuer: Issuer::new(params, key) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (file, key_file) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        std::fs::write(&file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        (file, key_file)
    }

    /// A server for `localhost`; with `asks`, clients must show a certificate of this authority's.
    fn server(&self, asks: bool) -> Server {
        let (certificate, key) = self.sign("localhost");
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        Server::start_with(builder.with_single_cert(chain, key).unwrap(), |_| Reply::ok(""))
    }
}

fn asking(url: &str) -> Prepared {
    prepared(&format!("[[profile]]\nname='a'\nweight=1\n[[profile.step]]\nrequest='GET {url}'\nexpect=200\n"))
}

fn at(server: &Server, host: &str) -> Options {
    let target = Some(format!("https://{host}:{}", server.address.port()).parse().unwrap());
    Options { target, ..once(server) }
}

fn went_well(document: &RunDocument) {
    assert_eq!((document.requests, document.failures), (1, 0), "{:#?}", document.failure_rows);
}

fn refused(options: &Options) -> String {
    match try_play(&asking("/"), options).unwrap_err() {
        Error::Config(text) => text,
        other => panic!("{other}"),
    }
}

#[test]
fn who_signed_it_is_trusted_and_it_must_be_for_whom_is_asked() {
    let authority = Authority::new();
    let server = authority.server(false);
    let trusting = Options { ca: vec![authority.file("ca.pem")], ..at(&server, "localhost") };
    went_well(&play(&asking("/"), &trusting));
    let old = Options { tls_max: Some(TlsVersion::Tls12), http: HttpVersion::One, ..trusting.clone() };
    went_well(&play(&asking("/"), &old));
    let elsewhere = Options { target: at(&server, "127.0.0.1").target, ..trusting.clone() };
    let error = try_play(&asking("/"), &elsewhere).unwrap_err();
    assert!(
        matches!(&error, Error::Unreachable { source, .. } if source.to_string().contains("not valid for name")),
        "{error}"
    );
    // The recorded host is who is asked for, wherever that is.
    let recorded = Options { host_header: Some(HostHeader::Recorded), ..elsewhere };
    went_well(&play(&asking("https://localhost/"), &recorded));
    // Somebody else's authority is none; what to do is said.
    let other = Options { ca: vec![Authority::new().file("ca.pem")], ..trusting };
    match try_play(&asking("/"), &other).unwrap_err() {
        Error::Config(text) => assert!(text.contains("--ca"), "{text}"),
        Error::Unreachable { source, .. } => {
            let text = source.to_string();
            assert!(text.contains("UnknownIssuer") && text.contains("--ca FILE"), "{text}");
        }
        error => panic!("{error}"),
    }
}

#[test]
fn a_server_that_asks_for_a_certificate_is_shown_one() {
    let authority = Authority::new();
    let server = authority.server(true);
    let with = |certificate| Options {
        ca: vec![authority.file("ca.pem")],
        client_certificate: certificate,
        ..at(&server, "localhost")
    };
    went_well(&play(&asking("/"), &with(Some(authority.sign("client")))));
    // Without one, TLS 1.3 tells the client only when it reads.
    let document = play(&asking("/"), &with(None));
    assert_eq!(document.generator.errors.get("tls"), Some(&1), "{:?}", document.failure_rows);
    assert!(document.failure_rows[0].error.contains("CertificateRequired"), "{:?}", document.failure_rows);
}

#[test]
fn files_that_hold_none_are_named() {
    let authority = Authority::new();
    let server = authority.server(false);
    let (certificate, key) = authority.sign("client");
    let (_, other_key) = authority.sign("other");
    let write = |name: &str, text: &str| {
        std::fs::write(authority.file(name), text).unwrap();
        authority.file(name)
    };
    let base = Options { ca: vec![authority.file("ca.pem")], ..at(&server, "localhost") };
    let trusts = |file: &Path| refused(&Options { ca: vec![file.to_owned()], ..base.clone() });
    let shows = |certificate: &Path, key: &Path| {
        let pair = Some((certificate.to_owned(), key.to_owned()));
        refused(&Options { client_certificate: pair, ..base.clone() })
    };
    let empty = write("empty.pem", "nothing");
    let torn = write("torn.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    let locked = write(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    for (said, words) in [
        (trusts(&authority.file("gone.pem")), "gone.pem: No such file"),
        (trusts(&empty), "empty.pem: there is no certificate in it"),
        (trusts(&torn), "torn.pem: it is not PEM"),
        (shows(&empty, &key), "--cert"),
        (shows(&certificate, &empty), "empty.pem: there is no private key in it"),
        (shows(&certificate, &locked), "locked.key: the key in it is encrypted"),
        (shows(&certificate, &other_key), "the key is not that of the certificate"),
        (
            refused(&Options {
                tls_min: Some(TlsVersion::Tls13),
                tls_max: Some(TlsVersion::Tls12),
                ..base.clone()
            }),
            "--tls-min 1.3 is above --tls-max 1.2",
        ),
    ] {
        assert!(said.contains(words), "{said}");
    }
}
