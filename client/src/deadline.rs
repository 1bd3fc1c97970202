//! When a call has to end, known to all that is done for it.

use crate::clock;
use http::{HeaderMap, Request};
use std::time::Duration;
use tokio::time::Instant;

/// When a call has to end. Stands in the extensions of a request that went through a [`DeadlineLayer`], and is
/// [current](Self::current) while its handler runs.
///
/// [`DeadlineLayer`]: crate::DeadlineLayer
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub(crate) Instant);

tokio::task_local!(pub(crate) static CURRENT: Deadline);

impl Deadline {
    /// So long from now; `None` if that is out of what the clock can say.
    #[must_use]
    pub fn after(time: Duration) -> Option<Self> {
        clock::now().checked_add(time).map(Self)
    }

    /// That of the request which this task serves: calls that it makes through a [`DeadlineLayer`] end by then as
    /// well. Tasks that it spawns have none; give it to them by [`scope`](Self::scope).
    ///
    /// [`DeadlineLayer`]: crate::DeadlineLayer
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|deadline| *deadline).ok()
    }

    /// That of a request.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        request.extensions().get().copied()
    }

    /// What is left of it.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(clock::now())
    }

    /// Runs `work` with this as its [current](Self::current) one. Does not end it.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }
}

/// The earliest of all that are known of a request: its extensions, what its caller says, that of the task, and the
/// service's own limit.
pub(crate) fn earliest(
    protocol: crate::Protocol,
    extensions: &http::Extensions,
    headers: &HeaderMap,
    own: Option<Duration>,
) -> Option<Deadline> {
    let said = [protocol.timeout_in(headers), own].into_iter().flatten().filter_map(Deadline::after);
    said.chain(extensions.get().copied()).chain(Deadline::current()).min()
}
