//! What every source has to do.

use crate::support::Folder;
use tidegate_etcd::{Config, Etcd};
use tidegate_source::{ConfigSource as _, Document, Part, Revision};
use tidegate_source_rig::contract::{self, soon};

#[tokio::test]
async fn etcd_tells_the_story_of_every_source() {
    let Some(mut folder) = Folder::new() else { return };
    contract::tells_the_story(&mut folder).await;
}

#[tokio::test]
async fn etcd_loses_nothing_if_its_caller_goes_away() {
    let Some(mut folder) = Folder::new() else { return };
    contract::loses_nothing_if_dropped(&mut folder).await;
}

#[tokio::test]
async fn etcd_tells_again_when_asked() {
    let Some(mut folder) = Folder::new() else { return };
    contract::tells_again_when_asked(&mut folder).await;
}

#[tokio::test]
async fn a_folder_without_keys_is_named() {
    let Some(mut folder) = Folder::new() else { return };
    let address = folder.0.address().to_owned();
    let error = contract::says_that_there_is_none(&mut folder).await;
    assert_eq!(error.message, format!("etcd at {address}: no key begins with /tidegate/"));
}

#[tokio::test]
async fn one_key_is_read_without_those_that_begin_alike() {
    let Some(folder) = Folder::new() else { return };
    folder.0.put("/tidegate", "mine");
    folder.0.put("/tidegate-of-others", "theirs");
    let key = "/tidegate".to_owned();
    let mut source =
        Etcd::new(Config { endpoints: vec![folder.0.address().to_owned()], key, credentials: None, tls: None });
    assert_eq!(source.name(), format!("etcd://{}/tidegate", folder.0.address()));
    let document = soon("the key", source.next()).await;
    assert_eq!(document, Ok(Document::whole(Revision::new("3"), "/tidegate", "mine")));
}

#[tokio::test]
async fn writes_of_one_transaction_come_together() {
    let Some(folder) = Folder::new() else { return };
    let write = |value: &str| {
        let puts = format!("\nput /tidegate/a.yaml {value}\nput /tidegate/b.yaml {value}\n\n\n");
        folder.0.ctl(&["txn"], &puts);
    };
    write("0");
    let mut source = crate::support::source(&[folder.0.address()], None);
    for round in 0..10 {
        let text = round.to_string();
        let document = soon("both keys", source.next()).await.expect("etcd is there");
        let part = |name: &str| Part { name: name.into(), text: text.clone().into_bytes() };
        assert_eq!(document.parts, [part("/tidegate/a.yaml"), part("/tidegate/b.yaml")]);
        write(&(round + 1).to_string());
    }
}

#[tokio::test]
async fn many_keys_are_read_page_by_page_at_one_revision() {
    let Some(folder) = Folder::new() else { return };
    let names: Vec<String> = (0..100).map(|number| format!("/tidegate/{number:03}.yaml")).collect();
    let puts: String = names.iter().map(|name| format!("put {name} {name}\n")).collect();
    folder.0.ctl(&["txn"], &format!("\n{puts}\n\n"));
    let mut source = crate::support::source(&[folder.0.address()], None);
    let document = soon("all keys", source.next()).await;
    let parts = names.iter().map(|name| Part { name: name.clone(), text: name.clone().into_bytes() });
    assert_eq!(document, Ok(Document { revision: Revision::new("2"), parts: parts.collect() }));
}

#[tokio::test]
async fn more_than_a_config_may_have_is_refused_whether_it_is_there_or_comes() {
    let Some(folder) = Folder::new() else { return };
    let megabyte = "#".repeat(1 << 20);
    let mut source = crate::support::source(&[folder.0.address()], None);
    folder.0.put("/tidegate/0", &megabyte);
    soon("one part", source.next()).await.expect("not too large yet");
    for name in ["1", "2", "3", "4"] {
        folder.0.put(&format!("/tidegate/{name}"), &megabyte);
    }
    let expected = format!("etcd at {}: the keys below /tidegate/ have more than 4194304 bytes", folder.0.address());
    let mut refusals = Vec::new();
    while refusals.len() < 2 {
        if let Err(error) = soon("a refusal", source.next()).await {
            refusals.push(error.message);
        }
    }
    assert_eq!(refusals, [expected.clone(), expected]);
}
