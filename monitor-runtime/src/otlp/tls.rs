//! The certificates of an export: those it trusts, and its own.

use std::path::PathBuf;

use super::choices::OtlpProtocol;
use super::error::OtlpError;

#[cfg(feature = "otlp-tls")]
pub(super) use with::Tls;
#[cfg(not(feature = "otlp-tls"))]
pub(super) use without::Tls;

/// A file, and the variable or the builder's method that named it.
pub(super) type NamedFile = (String, PathBuf);

/// The files that a target names.
#[derive(Debug, Default)]
pub(super) struct TlsFiles {
    /// Certificates to trust in place of the system's.
    pub(super) certificate: Option<NamedFile>,
    pub(super) client_certificate: Option<NamedFile>,
    pub(super) client_key: Option<NamedFile>,
}

/// Whether this build supports TLS.
pub(super) const IS_SUPPORTED: bool = cfg!(feature = "otlp-tls");

#[cfg(not(feature = "otlp-tls"))]
mod without {
    use super::{OtlpError, OtlpProtocol, TlsFiles};
    use crate::otlp::variables::refused;

    /// No value of it exists without the feature.
    #[derive(Clone, Debug)]
    pub(in crate::otlp) enum Tls {}

    impl Tls {
        pub(in crate::otlp) fn read(
            files: &TlsFiles,
            _is_needed: bool,
            _protocol: OtlpProtocol,
            _endpoint: &str,
        ) -> Result<Option<Self>, OtlpError> {
            let set = [&files.certificate, &files.client_certificate, &files.client_key];
            match set.into_iter().flatten().next() {
                None => Ok(None),
                Some((setting, path)) => {
                    let expected = "nothing, unless `monitor-runtime` has the feature `otlp-tls`";
                    Err(refused(setting, &path.display().to_string(), expected))
                }
            }
        }
    }
}

#[cfg(feature = "otlp-tls")]
mod with {
    use std::path::Path;
    use std::sync::Arc;

    use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

    use super::{NamedFile, OtlpError, OtlpProtocol, TlsFiles};
    use crate::otlp::variables::refused;

    /// The TLS settings of a target's connections.
    #[derive(Clone, Debug)]
    pub(in crate::otlp) struct Tls(pub(in crate::otlp) Arc<ClientConfig>);

    /// A chain of certificates with its key, and the file of the key.
    type Identity<'a> = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, &'a NamedFile);

    impl Tls {
        /// Reads the files, so that a bad one is an error even if `endpoint` needs no TLS.
        pub(in crate::otlp) fn read(
            files: &TlsFiles,
            is_needed: bool,
            protocol: OtlpProtocol,
            endpoint: &str,
        ) -> Result<Option<Self>, OtlpError> {
            let trusted = files.certificate.as_ref().map(trusted).transpose()?;
            let identity = identity(files)?;
            if !is_needed {
                return Ok(None);
            }
            let roots = match trusted {
                Some(roots) => roots,
                None => system_roots(endpoint)?,
            };
            // Named, since a program may have several providers and no default.
            let provider = Arc::new(crypto::ring::default_provider());
            let versions =
                ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let builder = versions.expect("ring has suites of both versions").with_root_certificates(roots);
            let mut config = match identity {
                None => builder.with_no_client_auth(),
                Some((chain, key, file)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
                    unusable(file, format!("does not fit the client's certificate: {error}"))
                })?,
            };
            config.alpn_protocols = vec![match protocol {
                OtlpProtocol::Grpc => b"h2".to_vec(),
                OtlpProtocol::HttpProtobuf => b"http/1.1".to_vec(),
            }];
            Ok(Some(Self(Arc::new(config))))
        }
    }

    fn trusted(file: &NamedFile) -> Result<RootCertStore, OtlpError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots
                .add(certificate)
                .map_err(|error| unusable(file, format!("has an unusable certificate: {error}")))?;
        }
        Ok(roots)
    }

    fn system_roots(endpoint: &str) -> Result<RootCertStore, OtlpError> {
        let mut roots = RootCertStore::empty();
        // Unreadable and outdated certificates are left out, as in other programs.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() { Err(no_roots(endpoint)) } else { Ok(roots) }
    }

    fn no_roots(endpoint: &str) -> OtlpError {
        let expected = "trusted certificates for it: install those of the system (`ca-certificates`), or name a file in \
                        OTEL_EXPORTER_OTLP_CERTIFICATE";
        refused("endpoint", endpoint, expected)
    }

    fn identity(files: &TlsFiles) -> Result<Option<Identity<'_>>, OtlpError> {
        let (chain, key) = match (&files.client_certificate, &files.client_key) {
            (None, None) => return Ok(None),
            (Some(chain), Some(key)) => (chain, key),
            (Some((setting, path)), None) => {
                let expected =
                    "its key beside it, in OTEL_EXPORTER_OTLP_CLIENT_KEY or the variable of the signal";
                return Err(refused(setting, &path.display().to_string(), expected));
            }
            (None, Some((setting, path))) => {
                let expected = "its certificate beside it, in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE or the variable of the signal";
                return Err(refused(setting, &path.display().to_string(), expected));
            }
        };
        let read_key = PrivateKeyDer::from_pem_file(&key.1);
        let read_key = read_key.map_err(|error| unusable(key, said(&error, "no private key")))?;
        Ok(Some((certificates(chain)?, read_key, key)))
    }

    /// Every certificate of a file, which has one at least.
    fn certificates(file: &NamedFile) -> Result<Vec<CertificateDer<'static>>, OtlpError> {
        let read = CertificateDer::pem_file_iter(&file.1).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let read = read.map_err(|error| unusable(file, said(&error, "no certificate")))?;
        if read.is_empty() { Err(unusable(file, "has no certificate".to_owned())) } else { Ok(read) }
    }

    fn said(error: &pem::Error, missing: &str) -> String {
        match error {
            pem::Error::Io(error) => format!("cannot be read: {error}"),
            pem::Error::NoItemsFound => format!("has {missing}"),
            other => format!("is no PEM file: {other}"),
        }
    }

    fn unusable((setting, path): &NamedFile, wrong: String) -> OtlpError {
        let path = Path::display(path).to_string();
        OtlpError::File { setting: setting.clone(), path, wrong }
    }
}
