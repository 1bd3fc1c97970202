//! What Apollo does and its server for tests does not: releases, the held poll, access keys, meta servers.

use crate::scripted::{Do, Scripted, ok, release, status};
use crate::support::{config, source};
use std::time::Duration;
use tidegate_apollo::{Apollo, Config};
use tidegate_source::{ConfigSource as _, Document, Revision, Why};
use tidegate_source_rig::contract::soon;

fn document(key: &str, content: &str) -> Document {
    Document::whole(Revision::new(key), "a.yaml", content)
}

const POLL: &str = "/notifications/v2?appId=gateway&cluster=default&notifications=\
                    %5B%7B%22namespaceName%22%3A%22a.yaml%22%2C%22notificationId%22%3A";

#[tokio::test]
async fn a_release_is_waited_for_and_read_with_what_the_server_said_of_it() {
    let notification =
        r#"[{"namespaceName":"a.yaml","notificationId":7,"messages":{"details":{"gateway+default+a.yaml":7}}}]"#;
    let later = r#"[{"namespaceName":"a.yaml","notificationId":9}]"#;
    let server = Scripted::start([
        status(404),
        release("r1", "one"),
        // The first poll is answered at once: what was read may be older.
        ok(notification),
        status(304),
        // Nothing happened in a minute.
        status(304),
        ok(later),
        release("r2", "two"),
    ])
    .await;
    let mut source = source(&[server.address()], &["a.yaml"], None);
    assert_eq!(soon("the first release", source.next()).await, Ok(document("r1", "one")));
    assert_eq!(soon("the second release", source.next()).await, Ok(document("r2", "two")));
    let messages = "messages=%7B%22details%22%3A%7B%22gateway%2Bdefault%2Ba.yaml%22%3A7%7D%7D";
    assert_eq!(
        server.requests(),
        [
            "/services/config?appId=gateway".to_owned(),
            "/configs/gateway/default/a.yaml".to_owned(),
            format!("{POLL}-1%7D%5D"),
            format!("/configs/gateway/default/a.yaml?releaseKey=r1&{messages}"),
            format!("{POLL}7%7D%5D"),
            format!("{POLL}7%7D%5D"),
            "/configs/gateway/default/a.yaml?releaseKey=r1".to_owned(),
        ]
    );
}

#[tokio::test]
async fn requests_are_signed_with_the_access_key() {
    let server = Scripted::start([status(404), release("r1", "one")]).await;
    let mut source = source(&[server.address()], &["a.yaml"], Some("df23df3f59884980844ff3dada30fa97"));
    soon("the release", source.next()).await.expect("a release");
    let signed = |target: &str, signature: &str| {
        format!("{target} authorization: Apollo gateway:{signature} timestamp: 1576478257344")
    };
    // As Python's hmac has them.
    assert_eq!(
        server.requests(),
        [
            signed("/services/config?appId=gateway", "g+CfT/G4OwOI+Tz8B9QI+DaiqOQ="),
            signed("/configs/gateway/default/a.yaml", "oTHzkMVtAkJUXjMq7myemknUfMU="),
        ]
    );
}

#[tokio::test]
async fn what_apollo_refuses_is_told_with_what_to_do() {
    for (answer, secret, expected) in [
        (status(401), None, "an access key is needed"),
        (status(401), Some("wrong"), "the access key is refused (or the clocks differ by more than a minute)"),
        (status(503), None, "the answer to reading was HTTP 503"),
        (ok("<html>"), None, "the answer to reading is not Apollo's: expected value at line 1 column 1"),
    ] {
        let server = Scripted::start([status(404), answer]).await;
        let mut source = source(&[server.address()], &["a.yaml"], secret);
        let error = soon("a refusal", source.next()).await.expect_err("it is refused");
        assert_eq!(error.message, format!("apollo at {}: {expected}", server.address()));
        assert_eq!(error.why, Why::Failed);
    }
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_absent_and_told_when_it_is_released() {
    let later = r#"[{"namespaceName":"a.yaml","notificationId":1}]"#;
    let server = Scripted::start([status(404), status(404), ok(later), release("r1", "one")]).await;
    let mut source = source(&[server.address()], &["a.yaml"], None);
    let error = soon("that it is absent", source.next()).await.expect_err("it is absent");
    let message = format!("apollo at {}: app gateway, cluster default has no release of a.yaml", server.address());
    assert_eq!((error.message, error.why), (message, Why::Absent));
    assert_eq!(soon("the release", source.next()).await, Ok(document("r1", "one")));
}

#[tokio::test]
async fn config_services_are_found_by_the_meta_server_and_the_next_is_asked_when_one_fails() {
    let first = Scripted::start([release("r1", "one"), status(500)]).await;
    let second = Scripted::start([release("r2", "two"), status(502)]).await;
    let services = |server: &Scripted| format!(r#"{{"appName":"x","homepageUrl":"http://{}/"}}"#, server.address());
    let meta = Scripted::start([ok(&format!("[{},{}]", services(&first), services(&second))), status(504)]).await;
    let mut source = source(&[meta.address()], &["a.yaml"], None);
    assert_eq!(soon("the first service", source.next()).await, Ok(document("r1", "one")));
    assert_eq!(soon("the second service", source.next()).await, Ok(document("r2", "two")));
    assert_eq!((meta.requests().len(), first.requests().len()), (1, 2));
    let error = soon("that nobody is left", source.next()).await.expect_err("nobody is left");
    let expected = format!("apollo at {}: the answer to the long poll was HTTP 502", second.address());
    assert_eq!(error.message, expected);
    let error = soon("the search", source.next()).await.expect_err("the search fails");
    let asked = "the search for config services";
    assert_eq!(error.message, format!("apollo at {}: the answer to {asked} was HTTP 504", meta.address()));
}

#[tokio::test]
async fn the_next_meta_server_is_asked_when_one_fails_or_knows_nothing() {
    let failing = Scripted::start([status(500), status(500)]).await;
    let ignorant = Scripted::start([ok("[]"), ok("[]")]).await;
    let itself = Scripted::start([status(404), release("r1", "one"), status(500), status(500)]).await;
    let mut source = source(&[failing.address(), ignorant.address(), itself.address()], &["a.yaml"], None);
    assert_eq!(soon("the third", source.next()).await, Ok(document("r1", "one")));
    let error = soon("that all fail", source.next()).await.expect_err("all fail");
    let expected = [
        format!("apollo at {}: the answer to the long poll was HTTP 500", itself.address()),
        format!("apollo at {}: the answer to the search for config services was HTTP 500", failing.address()),
        format!("apollo at {}: it knows no config service with an http:// address", ignorant.address()),
    ];
    assert_eq!(error.message, expected.join("; "));
}

#[tokio::test]
async fn a_server_may_be_asked_without_a_search() {
    let server = Scripted::start([release("r1", "one")]).await;
    let config = Config { discover: false, ..config(&[server.address()], &["a.yaml"], None) };
    let mut source = Apollo::new(config, || Duration::ZERO);
    assert_eq!(soon("the release", source.next()).await, Ok(document("r1", "one")));
    assert_eq!(server.requests(), ["/configs/gateway/default/a.yaml"]);
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = Scripted::start([status(404), Do::Hold]).await;
    let mut source = source(&[server.address()], &["a.yaml"], None);
    let error = soon("that there is no answer", source.next()).await.expect_err("no answer");
    assert_eq!(error.message, format!("apollo at {}: no answer to reading within 5s", server.address()));
}

#[tokio::test]
async fn more_than_a_config_may_have_is_refused() {
    let server = Scripted::start([status(404), release("r1", &"#".repeat(5 << 20))]).await;
    let mut source = source(&[server.address()], &["a.yaml"], None);
    let error = soon("a refusal", source.next()).await.expect_err("too large");
    assert_eq!(error.message, format!("apollo at {}: a.yaml has more than 4194304 bytes", server.address()));
}
