//! The body of a request on its way into hyper.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

use crate::{BodyError, RequestBody};

/// A body that tells what becomes of it.
pub(super) struct Sending {
    body: RequestBody,
    progress: Option<Arc<Progress>>,
}

/// How far a body that is a stream has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// hyper has all of it, or wants no more.
    over: AtomicBool,
    failure: Mutex<Option<BodyError>>,
}

/// What hyper is told when the source fails; the caller is told why.
#[derive(Debug, thiserror::Error)]
#[error("the request's body failed")]
pub(super) struct SourceFailed;

impl Sending {
    /// A body in memory.
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { body: bytes.into(), progress: None }
    }

    /// A body that is pulled, and where to look how far it is.
    pub(super) fn stream(body: RequestBody) -> (Self, Arc<Progress>) {
        let progress = Arc::<Progress>::default();
        (Self { body, progress: Some(Arc::clone(&progress)) }, progress)
    }
}

impl Progress {
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// The error of the source, if that is what ended the request.
    pub(super) fn take_failure(&self) -> Option<BodyError> {
        self.failure.lock().take()
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = SourceFailed;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SourceFailed>>> {
        let sending = &mut *self;
        Pin::new(&mut sending.body).poll_frame(cx).map(|frame| {
            frame.map(|frame| {
                frame.map_err(|error| {
                    if let Some(progress) = &sending.progress {
                        *progress.failure.lock() = Some(error);
                    }
                    SourceFailed
                })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sending {
    /// hyper drops a body with its last frame.
    fn drop(&mut self) {
        if let Some(progress) = &self.progress {
            progress.over.store(true, Relaxed);
        }
    }
}
