//! A deadline around a service.

use crate::body::{Body, BoxError};
use crate::deadline::{CURRENT, earliest};
use crate::protocol::{Protocol, Refused};
use http::{Request, Response};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout_at;
use tower_layer::Layer;
use tower_service::Service;

/// Clients that look at the deadline as well (tonic's channels do) give up at the same moment, with an error of their own:
/// so shortly before it, an error is the deadline's. `grpc-timeout` is rounded down by up to a millisecond, as timers are.
const AT_ONCE: Duration = Duration::from_millis(2);

/// A call ends in time: by its [timeout](Self::timeout), by what its caller says (`grpc-timeout`), by the
/// [`Deadline`](crate::Deadline) in the request's extensions, and by that of the request which this task serves, whichever
/// comes first. Without any it does nothing.
///
/// What is left is told to the service: in `grpc-timeout`, in the request's extensions, and as the deadline of the
/// task. A call that is late is dropped and answered with `DEADLINE_EXCEEDED` or 504; if its answer has begun, gRPC ends it
/// with that status, and HTTP breaks it off.
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use http_body_util::Empty;
/// # use tower::{Layer as _, ServiceExt as _, service_fn};
/// use std::time::Duration;
/// use tidegate_client::{Deadline, DeadlineLayer, Protocol};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let silent = service_fn(|_: Request<_>| async {
///     assert!(Deadline::current().is_some());
///     std::future::pending::<Result<Response<Empty<bytes::Bytes>>, Infallible>>().await
/// });
/// let layer = DeadlineLayer::new(Protocol::Http).timeout(Duration::from_millis(1));
/// let answer = layer.layer(silent).oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
/// assert_eq!(answer.status(), 504);
/// # });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer {
    protocol: Protocol,
    timeout: Option<Duration>,
}

/// A service whose calls end in time.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    layer: DeadlineLayer,
}

impl DeadlineLayer {
    /// Without a timeout of its own.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        Self { protocol, timeout: None }
    }

    /// How long a call may take, the end of its answer included.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DeadlineService { inner, layer: *self }
    }
}

impl<S, A, B> Service<Request<A>> for DeadlineService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: http_body::Body<Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let DeadlineLayer { protocol, timeout } = self.layer;
        let Some(deadline) = earliest(protocol, request.extensions(), request.headers(), timeout) else {
            let call = self.inner.call(request);
            return Box::pin(async move { Ok(call.await?.map(Body::new)) });
        };
        // Whoever is late does not ask: a quick answer could come before the timer.
        if deadline.left().is_zero() {
            return Box::pin(async move { Ok(protocol.refuse(Refused::DEADLINE).map(|()| Body::none())) });
        }
        protocol.write_timeout(request.headers_mut(), deadline.left());
        request.extensions_mut().insert(deadline);
        // Services may do their work here already.
        let call = CURRENT.sync_scope(deadline, || self.inner.call(request));
        Box::pin(async move {
            match timeout_at(deadline.0, CURRENT.scope(deadline, call)).await {
                Ok(Ok(answer)) => Ok(answer.map(|body| Body::new(body).with_deadline(protocol, deadline))),
                Ok(Err(error)) if deadline.left() > AT_ONCE => Err(error),
                _ => Ok(protocol.refuse(Refused::DEADLINE).map(|()| Body::none())),
            }
        })
    }
}
