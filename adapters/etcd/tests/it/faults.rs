//! etcd stops, hangs, forgets.

use crate::support::{Folder, source};
use tidegate_source::ConfigSource as _;
use tidegate_source_rig::contract::{Fixture as _, soon, told};
use tidegate_source_rig::relay::Relay;

#[tokio::test]
async fn an_etcd_that_is_killed_and_comes_back_tells_what_changed_meanwhile_and_later() {
    let Some(mut folder) = Folder::new() else { return };
    folder.write("a.yaml", Some("one"));
    let mut source = folder.source();
    told::<Folder>(&mut *source, "the first state", &[("a.yaml", "one")]).await;
    folder.0.kill();
    let address = folder.0.address().to_owned();
    let error = soon("that etcd is gone", source.next()).await.expect_err("etcd is gone");
    assert!(error.message.starts_with(&format!("etcd at {address}: the watch ")), "{error}");
    let error = soon("that it is gone still", source.next()).await.expect_err("etcd is gone");
    assert_eq!(error.message, format!("etcd at {address}: no connection: Connection refused (os error 111)"));
    folder.0.run();
    // Before it is asked again.
    folder.write("a.yaml", Some("two"));
    told::<Folder>(&mut *source, "the change meanwhile", &[("a.yaml", "two")]).await;
    folder.write("b.yaml", Some("three"));
    told::<Folder>(&mut *source, "a later change", &[("a.yaml", "two"), ("b.yaml", "three")]).await;
}

#[tokio::test]
async fn what_was_compacted_while_the_way_was_cut_is_not_missed() {
    let Some(mut folder) = Folder::new() else { return };
    folder.write("a.yaml", Some("one"));
    let relay = Relay::start(folder.0.address()).await;
    let mut source = source(&[relay.address()], None);
    told::<Folder>(&mut source, "the first state", &[("a.yaml", "one")]).await;
    relay.lead(None);
    soon("that the way is cut", source.next()).await.expect_err("the way is cut");
    folder.write("gone.yaml", Some("soon gone"));
    folder.write("a.yaml", Some("two"));
    folder.write("a.yaml", Some("three"));
    folder.write("gone.yaml", None);
    folder.0.compact();
    relay.lead(Some(folder.0.address()));
    told::<Folder>(&mut source, "the state after the compaction", &[("a.yaml", "three")]).await;
    folder.write("a.yaml", Some("four"));
    told::<Folder>(&mut source, "a change after it", &[("a.yaml", "four")]).await;
}

#[tokio::test]
async fn a_cluster_that_was_made_anew_and_counts_from_one_is_followed() {
    let Some(mut folder) = Folder::new() else { return };
    for text in ["one", "two", "three", "four"] {
        folder.write("a.yaml", Some(text));
    }
    let mut source = folder.source();
    told::<Folder>(&mut *source, "the first state", &[("a.yaml", "four")]).await;
    folder.0.kill();
    folder.0.wipe();
    folder.0.run();
    folder.write("b.yaml", Some("new"));
    told::<Folder>(&mut *source, "the new cluster's state", &[("b.yaml", "new")]).await;
    folder.write("b.yaml", Some("newer"));
    told::<Folder>(&mut *source, "the new cluster's change", &[("b.yaml", "newer")]).await;
}

#[tokio::test]
async fn an_etcd_that_hangs_is_noticed_and_followed_when_it_goes_on() {
    let Some(mut folder) = Folder::new() else { return };
    folder.write("a.yaml", Some("one"));
    let mut source = folder.source();
    told::<Folder>(&mut *source, "the first state", &[("a.yaml", "one")]).await;
    folder.0.server().pause();
    let silent = soon("that it hangs", source.next()).await.expect_err("it hangs");
    let unanswered = soon("that it hangs still", source.next()).await.expect_err("it hangs");
    folder.0.server().resume();
    let address = folder.0.address();
    assert_eq!(silent.message, format!("etcd at {address}: the watch is silent: no sign of life for 4s"));
    assert_eq!(unanswered.message, format!("etcd at {address}: no answer to reading within 5s"));
    folder.write("a.yaml", Some("two"));
    told::<Folder>(&mut *source, "the change after it", &[("a.yaml", "two")]).await;
}

#[tokio::test]
async fn another_member_is_asked_when_one_fails() {
    let Some(mut folder) = Folder::new() else { return };
    folder.write("a.yaml", Some("one"));
    let way = Relay::start(folder.0.address()).await;
    let dead = Relay::start(folder.0.address()).await;
    dead.lead(None);
    let mut source = source(&[dead.address(), way.address()], None);
    let error = soon("the first member's failure", source.next()).await.expect_err("nobody is behind it");
    assert!(error.message.starts_with(&format!("etcd at {}: ", dead.address())), "{error}");
    let document = soon("the second member", source.next()).await.expect("it is there");
    assert_eq!(document.parts.len(), 1);
    way.lead(None);
    dead.lead(Some(folder.0.address()));
    soon("the second member's failure", source.next()).await.expect_err("the way is cut");
    folder.write("a.yaml", Some("two"));
    told::<Folder>(&mut source, "the change, by the first member", &[("a.yaml", "two")]).await;
}

#[tokio::test]
async fn a_quiet_watch_stays_open() {
    let Some(mut folder) = Folder::new() else { return };
    folder.write("a.yaml", Some("one"));
    let mut source = folder.source();
    told::<Folder>(&mut *source, "the first state", &[("a.yaml", "one")]).await;
    // Three questions and their answers.
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(7), source.next()).await;
    assert_eq!(quiet.map_err(drop), Err(()), "nothing happened, and nothing is told");
    folder.write("a.yaml", Some("two"));
    let document = soon("a change on the same watch", source.next()).await.expect("it is open still");
    assert_eq!(document.parts[0].text, b"two");
}
