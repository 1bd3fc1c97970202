//! Whose certificates are believed.

use crate::error::SettingsError;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

/// A client that believes whom `ca` signed, PEM; without it, whom the system believes.
pub(crate) fn client(ca: Option<&[u8]>) -> Result<ClientConfig, SettingsError> {
    let wrong = |why: String| SettingsError(format!("the certificates cannot be used: {why}"));
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
        }
        None => {
            // Some that nobody can read stand in many systems' folders.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(wrong("there are none".to_owned()));
    }
    believing(roots).map_err(|error| wrong(error.to_string()))
}

/// A client for a way without TLS.
pub(crate) fn nobody() -> Result<ClientConfig, SettingsError> {
    believing(RootCertStore::empty()).map_err(|error| SettingsError(error.to_string()))
}

fn believing(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth())
}
