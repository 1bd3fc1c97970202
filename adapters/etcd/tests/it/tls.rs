//! etcd over TLS.

use tidegate_etcd::{Config, Etcd, EtcdBoard, Tls};
use tidegate_source::{ConfigSource as _, Document, Revision};
use tidegate_source_rig::certificates::Certificates;
use tidegate_source_rig::contract::soon;
use tidegate_source_rig::etcd;
use tidegate_traffic::ports::Board as _;

#[tokio::test]
async fn etcd_is_read_over_tls_by_who_has_a_certificate_and_believed_if_it_has_one() {
    let Some(etcd) = etcd::Etcd::start_with_tls() else { return };
    etcd.put("/tidegate", "one");
    let certificates = etcd.certificates();
    let identity = Some((certificates.read("client.pem"), certificates.read("client.key")));
    let ask = async |tls| {
        let endpoints = vec![etcd.address().to_owned()];
        let mut source = Etcd::new(Config { endpoints, key: "/tidegate".into(), credentials: None, tls });
        soon("an answer", source.next()).await.map_err(|error| error.message)
    };
    let good = Tls { ca: certificates.read("ca.pem"), identity };
    let one = Document::whole(Revision::new("2"), "/tidegate", "one");
    assert_eq!(ask(Some(good.clone())).await, Ok(one));

    // So is the board.
    let endpoints = vec![etcd.address().to_owned()];
    let board = EtcdBoard::new(
        &Config { endpoints, key: "/tidegate".into(), credentials: None, tls: Some(good.clone()) },
        "first",
    );
    soon("a lease", board.alive()).await.expect("etcd is there");
    assert_eq!(soon("a look", board.look("orders@0")).await.map(|seen| seen.leader), Ok("first".into()));

    let address = etcd.address();
    let stranger = Tls { ca: Certificates::new().read("ca.pem"), ..good.clone() };
    let error = ask(Some(stranger)).await.expect_err("nobody believes it");
    assert_eq!(error, format!("etcd at {address}: no connection: invalid peer certificate: UnknownIssuer"));

    let anonymous = Tls { identity: None, ..good.clone() };
    let error = ask(Some(anonymous)).await.expect_err("etcd wants a certificate");
    // Whether the reason arrives before the connection is closed is a matter of luck.
    assert!(error.starts_with(&format!("etcd at {address}: reading failed: ")), "{error}");
    assert!(error.ends_with(" (etcd may want a certificate of ours)"), "{error}");

    let broken = Tls { identity: Some((b"nothing".into(), b"nothing".into())), ..good };
    let error = ask(Some(broken)).await.expect_err("they are none");
    assert!(error.starts_with(&format!("etcd at {address}: the certificates are wrong: ")), "{error}");

    ask(None).await.expect_err("it speaks TLS");
}
