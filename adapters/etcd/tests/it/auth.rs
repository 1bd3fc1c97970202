//! Users and passwords.

use crate::support::{Folder, source};
use tidegate_source::{ConfigSource as _, Document, Revision, Why};
use tidegate_source_rig::contract::soon;

#[tokio::test]
async fn a_user_reads_what_it_may_and_others_are_told_why_not() {
    let Some(mut folder) = Folder::new() else { return };
    folder.0.put("/tidegate/a.yaml", "one");
    folder.0.lock();
    folder.0.ctl(&["user", "add", "nobody:hush"], "");
    let address = folder.0.address().to_owned();
    let ask = async |credentials| {
        let mut source = source(&[&address], credentials);
        soon("an answer", source.next()).await.map_err(|error| error.message)
    };
    let one = Document::whole(Revision::new("2"), "/tidegate/a.yaml", "one");
    assert_eq!(ask(Some(("gateway", "hush"))).await, Ok(one));
    let wrong = "authentication failed, invalid user ID or password";
    assert_eq!(
        ask(Some(("gateway", "wrong"))).await,
        Err(format!("etcd at {address}: user `gateway` is not let in: {wrong}"))
    );
    assert_eq!(
        ask(Some(("nobody", "hush"))).await,
        Err(format!("etcd at {address}: user `nobody` may not read /tidegate/: permission denied"))
    );
    assert_eq!(
        ask(None).await,
        Err(format!("etcd at {address}: a client without credentials is not let in: etcd wants a user and a password"))
    );
}

#[tokio::test]
async fn credentials_may_be_set_before_etcd_asks_for_them_and_a_new_password_is_asked_for() {
    let Some(mut folder) = Folder::new() else { return };
    folder.0.put("/tidegate/a.yaml", "one");
    let mut source = source(&[folder.0.address()], Some(("gateway", "hush")));
    soon("the config of an open etcd", source.next()).await.expect("credentials do no harm");
    folder.0.lock();
    folder.0.kill();
    folder.0.run();
    let error = soon("the lost connection", source.next()).await.expect_err("etcd was stopped");
    assert_eq!(error.why, Why::Failed, "{error}");
    let again = soon("the config of a locked etcd", source.next()).await.expect("the login");
    assert_eq!(again, Document::whole(again.revision.clone(), "/tidegate/a.yaml", "one"));
}
