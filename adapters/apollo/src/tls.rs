//! What requests need beside the config: the time, and whose certificates are believed.

use crate::config::Tls;
use crate::failure::Failure;
use crate::source::WallClock;
use std::fmt;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The means of requests.
pub(crate) struct Means {
    pub(crate) clock: WallClock,
    /// `None` without TLS; else the connector, or why there is none.
    tls: Option<Result<TlsConnector, String>>,
}

// === impl Means ===

impl Means {
    pub(crate) fn new(clock: WallClock, tls: Option<&Tls>) -> Self {
        Self { clock, tls: tls.map(|tls| connector(tls.ca.as_deref())) }
    }

    /// The connector, if it is to be TLS.
    pub(crate) fn tls(&self) -> Result<Option<&TlsConnector>, Failure> {
        match &self.tls {
            None => Ok(None),
            Some(Ok(connector)) => Ok(Some(connector)),
            Some(Err(reason)) => Err(Failure::Certificates { reason: reason.clone() }),
        }
    }
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Means").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// Believes whom `ca` signed, PEM; without it, whom the system believes.
fn connector(ca: Option<&[u8]>) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| error.to_string())?;
                roots.add(certificate).map_err(|error| error.to_string())?;
            }
        }
        None => {
            // Some that nobody can read stand in many systems' folders.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err("there are none".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}
