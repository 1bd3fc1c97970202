//! A call into a service of this process.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;
use tower_service::Service;

use crate::{BodyError, Call, CallError, Kind, RequestBody, body::Parts, upload::Failure};

/// A service of this process as something to call: any `tower` service of HTTP requests, such as
/// the routes of a tonic server.
///
/// Bodies stream both ways, at the pace of whoever reads them. Dropping the call, or the body of
/// its answer, drops the service's future or body. The deadline needs the timer of a tokio runtime.
#[derive(Clone, Copy, Debug)]
pub struct InProcess<S> {
    service: S,
}

/// The body of an [`InProcess`] answer.
pub struct InProcessBody<B> {
    /// `None` once it has ended.
    body: Option<Pin<Box<B>>>,
    limits: Limits,
}

/// What ends a call before its time.
struct Limits {
    deadline: Option<Pin<Box<Sleep>>>,
    failure: Option<Failure>,
}

/// A request body that leaves the error of its source where the call finds it.
struct Watched {
    body: RequestBody,
    failure: Failure,
}

/// What the service is told when the source of the request's body fails; the caller is told why.
#[derive(Debug, thiserror::Error)]
#[error("the request's body failed")]
struct SourceFailed;

// === impl InProcess ===

impl<S> InProcess<S> {
    /// Wraps a service.
    pub fn new(service: S) -> Self {
        Self { service }
    }
}

impl<S, B> Call for InProcess<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BodyError>, Future: Send> + Clone + Send,
    B: Body<Data = Bytes, Error: Into<BodyError>> + Send,
{
    type Body = InProcessBody<B>;

    fn call(
        &self,
        request: Request<RequestBody>,
        deadline: Option<Instant>,
    ) -> impl Future<Output = Result<Response<Self::Body>, CallError>> + Send {
        let mut service = self.service.clone();
        async move {
            let (request, failure) = watch(request);
            let deadline = deadline.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
            let mut limits = Limits { deadline, failure };
            let ready = poll_fn(|cx| match service.poll_ready(cx) {
                Poll::Ready(result) => Poll::Ready(result.map_err(failed)),
                Poll::Pending => limits.poll_over(cx).map(Err),
            });
            ready.await?;
            let mut response = pin!(service.call(request));
            let response = poll_fn(|cx| match response.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(match limits.take_failure() {
                    Some(error) => Err(error),
                    None => result.map_err(failed),
                }),
                Poll::Pending => limits.poll_over(cx).map(Err),
            });
            let response = response.await?;
            Ok(response.map(|body| InProcessBody { body: Some(Box::pin(body)), limits }))
        }
    }

    fn endpoint(_: &Self::Body) -> Option<&str> {
        None
    }
}

fn failed(error: impl Into<BodyError>) -> CallError {
    CallError::new(Kind::Service(error.into()))
}

/// Watches the body of a request if it is one that can fail.
fn watch(request: Request<RequestBody>) -> (Request<RequestBody>, Option<Failure>) {
    let (head, body) = request.into_parts();
    match body.into_parts() {
        Parts::Whole(bytes) => (Request::from_parts(head, bytes.into()), None),
        Parts::Stream(body) => {
            let failure = Failure::default();
            let watched = Watched { body, failure: Arc::clone(&failure) };
            (Request::from_parts(head, RequestBody::stream(watched)), Some(failure))
        }
    }
}

// === impl Limits ===

impl Limits {
    /// Ready when the deadline has passed or the request's body has failed.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<CallError> {
        if let Some(error) = self.take_failure() {
            return Poll::Ready(error);
        }
        match &mut self.deadline {
            None => Poll::Pending,
            Some(deadline) => {
                ready!(deadline.as_mut().poll(cx));
                Poll::Ready(CallError::new(Kind::Deadline))
            }
        }
    }

    fn take_failure(&self) -> Option<CallError> {
        let error = self.failure.as_ref()?.lock().take()?;
        Some(CallError::new(Kind::RequestBody(error)))
    }
}

// === impl InProcessBody ===

impl<B> Body for InProcessBody<B>
where
    B: Body<Data = Bytes, Error: Into<BodyError>>,
{
    type Data = Bytes;
    type Error = CallError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CallError>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let polled = body.as_mut().poll_frame(cx);
        if let Poll::Ready(error) = this.limits.poll_over(cx) {
            this.body = None;
            return Poll::Ready(Some(Err(error)));
        }
        let frame = ready!(polled).map(|frame| frame.map_err(failed));
        if !matches!(frame, Some(Ok(_))) {
            this.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), |body| body.size_hint())
    }
}

impl<B> fmt::Debug for InProcessBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcessBody").field("ended", &self.body.is_none()).finish_non_exhaustive()
    }
}

// === impl Watched ===

impl Body for Watched {
    type Data = Bytes;
    type Error = SourceFailed;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SourceFailed>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                *self.failure.lock() = Some(error);
                SourceFailed
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
