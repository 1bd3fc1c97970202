//! Orders as they change.

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::Status;

use crate::{
    check::Check,
    fault::Fault,
    generated::shop::v1::{Order, WatchOrdersRequest},
    store::{Store, clock, orders as rows},
};

/// Orders read at a time: each a short transaction.
const CHUNK: i64 = 100;

/// What a watcher gets.
pub(super) type Changes = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;

/// Begins to watch: what changes after this returned is seen.
pub(super) async fn start(store: Store, request: WatchOrdersRequest) -> Result<Changes, Status> {
    let WatchOrdersRequest { tenant_id, since, max_changes } = request;
    let stamp = since.as_ref().map(clock::stamp);
    Check::default()
        .id("tenant_id", &tenant_id)
        .that(stamp != Some(None), "since", "must be a time")
        .that(max_changes >= 0, "max_changes", "must not be negative")
        .done()?;
    let since = match stamp.flatten() {
        Some(since) => since,
        None => store.read(|tx| Ok(clock::last(tx)?)).await?,
    };
    let left = if max_changes == 0 { u64::MAX } else { u64::from(max_changes.unsigned_abs()) };
    Ok(Box::pin(changes(store, tenant_id, since, left)))
}

fn changes(
    store: Store,
    tenant_id: String,
    mut since: i64,
    mut left: u64,
) -> impl Stream<Item = Result<Order, Status>> + Send {
    async_stream::try_stream! {
        let mut writes = store.writes();
        loop {
            // Before the read: a write that comes after it is then told of again.
            writes.mark_unchanged();
            let tenant = tenant_id.clone();
            let chunk = store.read(move |tx| rows::changed_since(tx, &tenant, since, CHUNK)).await?;
            let more = !chunk.is_empty();
            for (stamp, order) in chunk {
                since = stamp;
                yield order;
                left -= 1;
                if left == 0 {
                    return;
                }
            }
            if !more {
                writes.changed().await.map_err(|_closed| Fault::Gone)?;
            }
        }
    }
}
