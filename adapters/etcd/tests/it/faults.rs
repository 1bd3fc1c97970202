//! etcd stops, hangs, forgets.

use crate::support::{Folder, source};
use tidegate_etcd::Etcd;
use tidegate_source::{ConfigSource as _, Part, Why};
use tidegate_source_rig::contract::{Fixture as _, soon, told};
use tidegate_source_rig::etcd;
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
async fn an_etcd_that_is_not_there_is_told_from_one_that_fails() {
    let Some(mut folder) = Folder::new() else { return };
    folder.write("a.yaml", Some("one"));
    let mut source = folder.source();
    told::<Folder>(&mut *source, "the first state", &[("a.yaml", "one")]).await;
    folder.0.kill();
    let mut errors = Vec::new();
    for _ in 0..3 {
        errors.push(soon("that it is dead", source.next()).await.expect_err("it is dead").why);
    }
    // What ended at first was a watch.
    assert_eq!(errors, [Why::Failed, Why::Unreachable, Why::Unreachable]);
}

#[tokio::test]
async fn another_member_is_asked_when_one_fails_and_it_is_an_error_if_all_do() {
    let Some(mut folder) = Folder::new() else { return };
    folder.write("a.yaml", Some("one"));
    let one = Relay::start(folder.0.address()).await;
    let other = Relay::start(folder.0.address()).await;
    one.lead(None);
    let mut source = source(&[one.address(), other.address()], None);
    told_next(&mut source, "one").await;
    one.lead(Some(folder.0.address()));
    other.lead(None);
    folder.write("a.yaml", Some("two"));
    told_next(&mut source, "two").await;
    one.lead(None);
    let error = soon("that nobody is left", source.next()).await.expect_err("nobody is left");
    let (first, second) = error.message.split_once("; ").expect("both failures");
    assert!(first.starts_with(&format!("etcd at {}: the watch ", one.address())), "{error}");
    assert!(second.starts_with(&format!("etcd at {}: ", other.address())), "{error}");
    other.lead(Some(folder.0.address()));
    told_next(&mut source, "two").await;
}

/// The very next thing that is told: no error comes before.
async fn told_next(source: &mut Etcd, text: &str) {
    let document = soon(text, source.next()).await.expect("one of the members can be used");
    assert_eq!(document.parts, [Part { name: "/tidegate/a.yaml".into(), text: text.into() }]);
}

#[tokio::test]
async fn a_member_that_has_lost_the_others_is_no_source_until_they_are_back() {
    let Some(mut cluster) = etcd::Etcd::start_cluster(3) else { return };
    cluster[0].put("/tidegate/a.yaml", "one");
    let mut source = source(&[cluster[0].address()], None);
    told_next(&mut source, "one").await;
    cluster[1].kill();
    // Two of three go on.
    cluster[0].put("/tidegate/a.yaml", "two");
    told_next(&mut source, "two").await;
    cluster[2].kill();
    let address = cluster[0].address().to_owned();
    let error = soon("that there is no leader", source.next()).await.expect_err("there is no leader");
    assert_eq!(error.message, format!("etcd at {address}: the watch was cancelled: no leader"));
    cluster[1].run();
    cluster[1].put("/tidegate/a.yaml", "three");
    told::<Folder>(&mut source, "what another member wrote", &[("a.yaml", "three")]).await;
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
