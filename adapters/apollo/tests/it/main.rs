//! Against Apollo's own mock of its config service, which runs in a JVM; and against answers that are written
//! here, for what the mock does not do.

mod mock;
mod scripted;

use mock::Mock;
use scripted::{Answer, Scripted};
use std::time::Duration;
use tidegate_apollo::ApolloSource;
use tidegate_source::contract::STORY;
use tidegate_source::{ConfigSource as _, Document, SourceError};

/// What never comes fails a test instead of holding it up.
const PATIENCE: Duration = Duration::from_secs(60);

fn parts(document: &Document) -> Vec<(String, String)> {
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).expect("text");
    document.parts.iter().map(|part| (part.name.clone(), text(&part.text))).collect()
}

async fn next(source: &mut ApolloSource) -> Result<Document, SourceError> {
    tokio::time::timeout(PATIENCE, source.next()).await.expect("it says something in time")
}

fn source(address: &str, namespaces: &str) -> ApolloSource {
    ApolloSource::new(format!("http://{address}/gateway/default/{namespaces}").parse().expect("an address"))
}

#[tokio::test]
async fn the_contract_of_sources_is_kept() {
    let Some(mut apollo) = Mock::start().await else { return };
    let mut source = source(&apollo.address, "tidegate");
    for step in STORY {
        for (name, text) in step.writes {
            match text {
                Some(text) => apollo.put("tidegate", name, text).await,
                None => apollo.delete("tidegate", name).await,
            }
        }
        let expected: Vec<_> =
            step.told.iter().map(|(name, text)| (format!("tidegate/{name}"), (*text).to_owned())).collect();
        let mut told = parts(&next(&mut source).await.expect(step.about));
        while told != expected {
            told = parts(&next(&mut source).await.expect(step.about));
        }
    }
}

#[tokio::test]
async fn a_namespace_of_yaml_is_one_part() {
    let Some(mut apollo) = Mock::start().await else { return };
    apollo.put("tidegate.yaml", "content", "listeners: []\n").await;
    apollo.put("more", "b", "2").await;
    apollo.put("more", "a", "1").await;
    let mut source = source(&apollo.address, "tidegate.yaml,more");
    let expected = [("tidegate.yaml", "listeners: []\n"), ("more/a", "1"), ("more/b", "2")];
    let expected: Vec<_> = expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    assert_eq!(parts(&next(&mut source).await.expect("it is there")), expected);
}

const RELEASED: &str = r#"[{"namespaceName":"n.yaml","notificationId":7,"messages":{"details":{"a+b":7}}}]"#;

fn release(key: &str, text: &str) -> String {
    format!(r#"{{"releaseKey":"{key}","configurations":{{"content":"{text}"}}}}"#)
}

/// Asks for what is known of the namespace.
fn poll(number: i64) -> String {
    let known = format!("%5B%7B%22namespaceName%22%3A%22n.yaml%22%2C%22notificationId%22%3A{number}%7D%5D");
    format!("/notifications/v2?appId=gateway&cluster=default&notifications={known}")
}

#[tokio::test]
async fn polls_go_on_from_what_was_notified_last() {
    let config = "/configs/gateway/default/n.yaml";
    let messages = "?messages=%7B%22details%22%3A%7B%22a%2Bb%22%3A7%7D%7D";
    let mut apollo = Scripted::start(vec![
        Answer::new(200, &release("r1", "one")),
        Answer::new(304, ""),
        Answer::new(200, RELEASED),
        Answer::new(200, &release("r2", "two")),
        Answer::new(304, ""),
        Answer::cut(),
        Answer::new(503, "not now"),
        Answer::new(200, &release("r2", "two")),
    ])
    .await;
    let mut source = source(&apollo.address, "n.yaml");
    let mut told = Vec::new();
    while told.len() < 5 {
        told.push(match next(&mut source).await {
            Ok(document) => format!("{} {:?}", document.revision, parts(&document)[0].1),
            Err(error) => error.message.split(": ").nth(1).unwrap_or_default().to_owned(),
        });
    }
    let cut = told[2].clone();
    let expected =
        ["r1 \"one\"", "r2 \"two\"", &cut, "the namespace `n.yaml` is answered with 503 Service Unavailable"];
    assert_eq!((&told[..4], &told[4][..]), (&expected.map(String::from)[..], "r2 \"two\""), "the state is told again");
    let asked = apollo.asked();
    let with_messages = format!("{config}{messages}");
    let expected = [config, &poll(-1), &poll(-1), &with_messages, &poll(7), &poll(7), &with_messages, &with_messages];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn a_namespace_that_is_not_released_is_told_once_and_then_waited_for() {
    let apollo = Scripted::start(vec![
        Answer::new(404, ""),
        Answer::new(304, ""),
        Answer::new(200, RELEASED),
        Answer::new(200, &release("r1", "one")),
    ])
    .await;
    let mut source = source(&apollo.address, "n.yaml");
    let error = next(&mut source).await.expect_err("it is not there");
    assert!(error.absent && error.message.ends_with(": the namespace `n.yaml` is not released"), "{error}");
    assert_eq!(next(&mut source).await.expect("it is there now").revision.as_str(), "r1");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_away() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
    let error = next(&mut source(&free.to_string(), "n.yaml")).await.expect_err("nobody listens");
    let begin = format!("apollo http://{free}/gateway/default/n.yaml: cannot connect to {free}: ");
    assert!(!error.absent && error.message.starts_with(&begin), "{error}");
}
