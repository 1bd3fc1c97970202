//! The rest of a request whose reply has begun: a task sends it, so that neither side waits for the other.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use tokio::{net::tcp::OwnedWriteHalf, task::AbortHandle};

use super::{
    reader::closed,
    sending::{Failed, Sending},
};
use crate::{CallError, Kind};

/// A task that sends; ends when dropped, and its half of the connection with it.
pub(super) struct Upload {
    told: Arc<Mutex<Told>>,
    task: AbortHandle,
}

/// What the task tells whoever reads the reply.
#[derive(Default)]
struct Told {
    failure: Option<CallError>,
    reader: Option<Waker>,
}

impl Upload {
    pub(super) fn start(sending: Sending, socket: OwnedWriteHalf) -> Self {
        let told = Arc::<Mutex<Told>>::default();
        let task = tokio::spawn(run(sending, socket, Arc::clone(&told))).abort_handle();
        Self { told, task }
    }

    /// Ready when the request cannot be sent to its end.
    pub(super) fn poll_failed(&self, cx: &Context<'_>) -> Poll<CallError> {
        let mut told = self.told.lock();
        if let Some(failure) = told.failure.take() {
            return Poll::Ready(failure);
        }
        if told.reader.as_ref().is_none_or(|reader| !reader.will_wake(cx.waker())) {
            told.reader = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut sending: Sending, mut socket: OwnedWriteHalf, told: Arc<Mutex<Told>>) {
    let sent = poll_fn(|cx| sending.poll(&mut socket, cx)).await;
    // To close one side alone is to some servers to leave.
    socket.forget();
    let failure = match sent {
        // Who takes no more may still answer.
        Ok(()) | Err(Failed::Socket(_)) => return,
        Err(Failed::Source(error)) => CallError::new(Kind::RequestBody(error)),
        Err(Failed::Short) => closed(),
    };
    let mut told = told.lock();
    told.failure = Some(failure);
    if let Some(reader) = told.reader.take() {
        reader.wake();
    }
}
