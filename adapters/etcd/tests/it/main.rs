//! Against a real etcd, which `TIDEGATE_ETCD` names, or which is in the `PATH`.

mod server;

use server::Etcd;
use std::time::Duration;
use tidegate_etcd::EtcdSource;
use tidegate_source::contract::STORY;
use tidegate_source::{ConfigSource as _, Document, SourceError};

/// What never comes fails a test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);
const PREFIX: &str = "/tidegate/test/";

/// Parts by their names without the prefix.
fn parts(document: &Document) -> Vec<(String, String)> {
    let name = |name: &str| name.strip_prefix(PREFIX).expect("below the prefix").to_owned();
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).expect("text");
    document.parts.iter().map(|part| (name(&part.name), text(&part.text))).collect()
}

fn owned(parts: &[(&str, &str)]) -> Vec<(String, String)> {
    parts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

async fn next(source: &mut EtcdSource) -> Result<Document, SourceError> {
    tokio::time::timeout(PATIENCE, source.next()).await.expect("it says something in time")
}

/// Asks until these parts are told. Errors are passed over, as the caller of a source does.
async fn until(source: &mut EtcdSource, expected: &[(&str, &str)]) {
    let asking = async {
        loop {
            match source.next().await {
                Ok(document) if parts(&document) == owned(expected) => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{expected:?} is told in time"));
}

fn source(etcd: &Etcd) -> EtcdSource {
    EtcdSource::new(format!("http://{}{PREFIX}", etcd.address()).parse().expect("an address"))
}

#[tokio::test]
async fn the_contract_of_sources_is_kept() {
    let Some(etcd) = Etcd::start().await else { return };
    let mut source = source(&etcd);
    for step in STORY {
        for (name, text) in step.writes {
            match text {
                Some(text) => etcd.put(&format!("{PREFIX}{name}"), text).await,
                None => etcd.delete(&format!("{PREFIX}{name}")).await,
            }
        }
        let mut told = parts(&next(&mut source).await.expect(step.about));
        while told != owned(step.told) {
            told = parts(&next(&mut source).await.expect(step.about));
        }
    }
}

#[tokio::test]
async fn what_belongs_together_is_told_together() {
    let Some(etcd) = Etcd::start().await else { return };
    etcd.put(&format!("{PREFIX}a"), "1").await;
    let mut source = source(&etcd);
    assert_eq!(parts(&next(&mut source).await.expect("it is there")), owned(&[("a", "1")]));
    etcd.put("/tidegate/testing", "of somebody else").await;
    etcd.put(&format!("{PREFIX}a"), "2").await;
    etcd.put(&format!("{PREFIX}b"), "2").await;
    assert_eq!(parts(&next(&mut source).await.expect("it changed")), owned(&[("a", "2"), ("b", "2")]));
}

#[tokio::test]
async fn an_empty_prefix_is_told_once_and_then_waited_for() {
    let Some(etcd) = Etcd::start().await else { return };
    let mut source = source(&etcd);
    let error = next(&mut source).await.expect_err("there is nothing");
    assert_eq!(error, SourceError::absent("there is no key below `/tidegate/test/` in etcd"));
    let waiting = source.next();
    etcd.put(&format!("{PREFIX}a"), "1").await;
    assert_eq!(parts(&waiting.await.expect("it is there now")), owned(&[("a", "1")]));
}

#[tokio::test]
async fn after_a_crash_of_etcd_the_state_is_told_and_so_is_what_was_compacted_meanwhile() {
    let Some(mut etcd) = Etcd::start().await else { return };
    etcd.put(&format!("{PREFIX}a"), "1").await;
    let mut source = source(&etcd);
    until(&mut source, &[("a", "1")]).await;
    etcd.kill().await;
    let error = next(&mut source).await.expect_err("it is away");
    assert!(error.message.contains("cannot connect to") && !error.absent, "{error}");
    etcd.restart().await;
    for text in ["2", "3", "4"] {
        etcd.put(&format!("{PREFIX}a"), text).await;
    }
    etcd.compact().await;
    until(&mut source, &[("a", "4")]).await;
    etcd.put(&format!("{PREFIX}a"), "5").await;
    until(&mut source, &[("a", "5")]).await;
}

#[tokio::test]
async fn a_future_that_is_dropped_loses_nothing() {
    let Some(etcd) = Etcd::start().await else { return };
    etcd.put(&format!("{PREFIX}a"), "1").await;
    let mut source = source(&etcd);
    until(&mut source, &[("a", "1")]).await;
    etcd.put(&format!("{PREFIX}a"), "2").await;
    let asking = async {
        loop {
            // Long enough for some answers and too short for others, whatever the machine does.
            for micros in [1, 500, 5_000, 50_000, 150_000] {
                let asked = tokio::time::timeout(Duration::from_micros(micros), source.next());
                if let Ok(Ok(document)) = asked.await {
                    return parts(&document);
                }
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, asking).await.expect("it is told in time");
    assert_eq!(told, owned(&[("a", "2")]));
}
