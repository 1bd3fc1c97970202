//! Requests that suggest that a schema is missing or out of date, told to whoever fetches schemas.

use tokio::sync::Notify;

/// One mark per upstream of the config. Marking costs an atomic operation, and happens only when a
/// request was answered with an error.
#[derive(Debug)]
pub struct SchemaHints(Box<[Notify]>);

impl SchemaHints {
    pub(crate) fn new(upstreams: usize) -> Self {
        Self((0..upstreams).map(|_| Notify::new()).collect())
    }

    /// A request needed the schema of this upstream, which is not known yet, or the upstream answered that
    /// it does not have a method that its schema has.
    pub fn give(&self, upstream: usize) {
        if let Some(mark) = self.0.get(upstream) {
            mark.notify_one();
        }
    }

    /// Waits until a request gives a hint about the upstream at this index of the config; at once if one
    /// did since the last wait. For one waiter per upstream.
    ///
    /// # Cancel safety
    /// A hint is lost only to a future that was ready.
    pub async fn wait(&self, upstream: usize) {
        match self.0.get(upstream) {
            Some(mark) => mark.notified().await,
            None => std::future::pending().await,
        }
    }
}
