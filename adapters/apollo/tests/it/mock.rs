//! Apollo's own server for tests.

use crate::support::source;
use tidegate_source::{ConfigSource, Part, Why};
use tidegate_source_rig::apollo;
use tidegate_source_rig::contract::{self, Fixture, soon, told};
use tidegate_source_rig::relay::Relay;

/// Apollo with two namespaces, of which the first is read.
struct Namespace(apollo::Apollo);

impl Namespace {
    fn new() -> Option<Self> {
        apollo::Apollo::start(&["a.yaml", "B.yaml"]).map(Self)
    }
}

impl Fixture for Namespace {
    const PREFIX: &str = "";
    const MANY: bool = false;

    fn source(&self) -> Box<dyn ConfigSource> {
        Box::new(source(&[self.0.address()], &["a.yaml"], None))
    }

    fn write(&mut self, name: &str, content: Option<&str>) {
        match content {
            Some(content) => self.0.put(name, content),
            None => self.0.delete(name),
        }
    }
}

#[tokio::test]
async fn apollo_tells_the_story_of_every_source() {
    let Some(mut namespace) = Namespace::new() else { return };
    contract::tells_the_story(&mut namespace).await;
}

#[tokio::test]
async fn apollo_loses_nothing_if_its_caller_goes_away() {
    let Some(mut namespace) = Namespace::new() else { return };
    contract::loses_nothing_if_dropped(&mut namespace).await;
}

#[tokio::test]
async fn apollo_tells_again_when_asked() {
    let Some(mut namespace) = Namespace::new() else { return };
    contract::tells_again_when_asked(&mut namespace).await;
}

#[tokio::test]
async fn a_namespace_without_content_is_named() {
    let Some(mut namespace) = Namespace::new() else { return };
    let address = namespace.0.address().to_owned();
    let error = contract::says_that_there_is_none(&mut namespace).await;
    let expected = format!("apollo at {address}: app gateway, cluster default has no release of a.yaml");
    assert_eq!(error.message, expected);
}

#[tokio::test]
async fn several_namespaces_are_one_config_in_their_order_and_none_may_be_missing() {
    let Some(mut server) = apollo::Apollo::start(&["a.yaml", "B.yaml"]) else { return };
    server.put("B.yaml", "b: \"端点\"\n");
    let mut source = source(&[server.address()], &["a.yaml", "B.yaml"], None);
    let error = soon("that one is missing", source.next()).await.expect_err("it is missing");
    assert!(error.why == Why::Absent && error.message.ends_with("has no release of a.yaml"), "{error}");
    server.put("a.yaml", "a");
    let part = |name: &str, text: &str| Part { name: name.into(), text: text.into() };
    let document = soon("both", source.next()).await.expect("both");
    assert_eq!(document.parts, [part("a.yaml", "a"), part("B.yaml", "b: \"端点\"\n")]);
    server.delete("B.yaml");
    let error = soon("that the other is missing", source.next()).await.expect_err("it is missing");
    assert!(error.why == Why::Absent && error.message.ends_with("has no release of B.yaml"), "{error}");
}

#[tokio::test]
async fn an_apollo_that_is_killed_and_comes_back_tells_what_changed_meanwhile_and_later() {
    let Some(mut namespace) = Namespace::new() else { return };
    namespace.0.put("a.yaml", "one");
    let relay = Relay::start(namespace.0.address()).await;
    let mut source = source(&[relay.address()], &["a.yaml"], None);
    told::<Namespace>(&mut source, "the first state", &[("a.yaml", "one")]).await;
    drop(namespace);
    let error = soon("that it is gone", source.next()).await.expect_err("it is gone");
    assert!(error.message.starts_with(&format!("apollo at {}: ", relay.address())), "{error}");
    let Some(mut namespace) = Namespace::new() else { return };
    namespace.0.put("a.yaml", "two");
    relay.lead(Some(namespace.0.address()));
    told::<Namespace>(&mut source, "the change meanwhile", &[("a.yaml", "two")]).await;
    namespace.0.put("a.yaml", "three");
    told::<Namespace>(&mut source, "a later change", &[("a.yaml", "three")]).await;
}
