//! TLS.

use std::sync::Arc;

use tidegate_limit::front::{By, Failure};
use tidegate_limit::ports::LimitService as _;
use tidegate_rls::{Config, Service, Tls};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::ServerConfig;

use crate::calls::pass;
use crate::server::Server;
use crate::{ask_one, config, terms};

#[tokio::test]
async fn a_service_is_believed_by_its_certificate_alone() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).expect("a key");
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let mut tls = tls.with_single_cert(vec![made.cert.der().clone()], key).expect("a certificate");
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let server = Server::start_with(pass(), Some(TlsAcceptor::from(Arc::new(tls)))).await;
    let url = format!("rlss://{}", server.address);
    let closed = terms(Failure::Closed);
    let ca = |pem: String| Tls { ca: Some(pem.into_bytes()), identity: None };
    let believed = Service::start(Config { tls: ca(made.cert.pem()), ..config(&url) });
    assert!(ask_one(&believed, &closed).await.decision.is_admitted());
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let strange = Service::start(Config { tls: ca(other.cert.pem()), ..config(&url) });
    assert_eq!(ask_one(&strange, &closed).await.by, By::Failure);
    let why = strange.standing().servers.failure.unwrap_or_default();
    assert!(why.contains("certificate"), "{why}");
    assert!(ca("no certificate".to_owned()).check().is_err());
    assert_eq!(server.seen().len(), 1);
}
