//! Apollo over TLS.

use crate::scripted::{Do, Scripted, ok, release, status};
use crate::support::config;
use std::sync::Arc;
use std::time::Duration;
use tidegate_apollo::{Apollo, Config, Tls};
use tidegate_source::{ConfigSource as _, Document, Revision};
use tidegate_source_rig::certificates::Certificates;
use tidegate_source_rig::contract::soon;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn acceptor(certificates: &Certificates) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(&certificates.read("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(&certificates.read("server.key")).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate], key).expect("they belong together")))
}

async fn start(certificates: &Certificates, script: impl IntoIterator<Item = Do>) -> Scripted {
    Scripted::start_with(script, Some(acceptor(certificates))).await
}

fn source(server: &Scripted, ca: Option<Vec<u8>>) -> Apollo {
    let config = Config { tls: Some(Tls { ca }), ..config(&[server.address()], &["a.yaml"], None) };
    Apollo::new(config, || Duration::ZERO)
}

#[tokio::test]
async fn apollo_is_read_over_tls_and_believed_if_its_certificate_is() {
    let certificates = Certificates::new();
    let server = start(&certificates, [status(404), release("r1", "one")]).await;
    let mut good = source(&server, Some(certificates.read("ca.pem")));
    assert_eq!(good.name(), format!("apollos://{}/gateway/a.yaml", server.address()));
    let one = Document::whole(Revision::new("r1"), "a.yaml", "one");
    assert_eq!(soon("the release", good.next()).await, Ok(one));

    // Its authority is neither that of strangers nor one of the system's.
    for ca in [Some(Certificates::new().read("ca.pem")), None] {
        let error = soon("an answer", source(&server, ca).next()).await.expect_err("nobody believes it").message;
        let want = format!("apollo at {}: no connection: invalid peer certificate: UnknownIssuer", server.address());
        assert_eq!(error, want);
    }
    let mut without = Apollo::new(config(&[server.address()], &["a.yaml"], None), || Duration::ZERO);
    soon("an answer", without.next()).await.expect_err("it speaks TLS");
}

#[tokio::test]
async fn certificates_that_are_none_are_told() {
    let server = start(&Certificates::new(), []).await;
    let error = soon("an answer", source(&server, Some(b"nothing".to_vec())).next()).await.expect_err("no authority");
    assert_eq!(error.message, format!("apollo at {}: the certificates are wrong: there are none", server.address()));
    assert_eq!(server.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_meta_server_over_tls_leads_to_no_service_without() {
    let certificates = Certificates::new();
    let service = start(&certificates, [release("r1", "one")]).await;
    let named = |scheme: &str| ok(&format!(r#"[{{"homepageUrl":"{scheme}://{}/"}}]"#, service.address()));
    let meta = start(&certificates, [named("http"), named("https")]).await;
    let mut source = source(&meta, Some(certificates.read("ca.pem")));
    let error = soon("an answer", source.next()).await.expect_err("the way to it is open to all").message;
    assert_eq!(error, format!("apollo at {}: it knows no config service with an https:// address", meta.address()));
    let one = Document::whole(Revision::new("r1"), "a.yaml", "one");
    assert_eq!(soon("the release", source.next()).await, Ok(one));
}
