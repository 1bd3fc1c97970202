//! A bulkhead around a service.

use crate::body::{Body, Ending};
use crate::clock::{Clock, LateClock};
use crate::deadline::Deadline;
use crate::protocol::{Cause, Protocol, Refused};
use crate::random;
use crate::ready::take_ready;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tidegate_traffic::bulkhead::{Admission, Bulkhead, Figures, Permit, Queued, Refusal, Settings};
use tidegate_traffic::priority::Class;
use tokio::time::timeout_at;
use tower_layer::Layer;
use tower_service::Service;

/// So many calls are in flight at once, a few wait, and the rest is refused before it costs anything; a call whose
/// deadline could not be met as well. Every service that one layer and its clones make has the same bulkhead.
///
/// A call is in flight until its answer was read to the end, or was dropped.
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use http_body_util::Empty;
/// # use tower::{Layer as _, ServiceExt as _, service_fn};
/// # use http_body_util::Full;
/// use std::time::Duration;
/// use tidegate_client::{BulkheadLayer, Protocol, bulkhead::{Limit, Settings, Shares}};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let settings =
///     Settings { limit: Limit::Fixed(1), queue: 0, wait: Duration::from_secs(1), shares: Shares::EVEN };
/// let bulkhead = BulkheadLayer::new(Protocol::Http, settings);
/// let service = service_fn(|_: Request<_>| async {
///     Ok::<_, Infallible>(Response::new(Full::new(bytes::Bytes::from("hello"))))
/// });
/// let first = bulkhead.layer(service).oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
/// let second = bulkhead.layer(service).oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
/// assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 503));
/// drop(first);
/// assert_eq!(bulkhead.figures().in_flight, 0);
/// # });
/// ```
#[derive(Clone)]
pub struct BulkheadLayer {
    shared: Arc<Shared>,
    protocol: Protocol,
    class: Option<Arc<ClassOf>>,
}

/// A service behind a bulkhead.
#[derive(Clone, Debug)]
pub struct BulkheadService<S> {
    inner: S,
    layer: BulkheadLayer,
}

type ClassOf = dyn Fn(&Parts) -> Class + Send + Sync;

#[derive(Debug)]
struct Shared {
    settings: Settings,
    clock: LateClock,
    bulkhead: OnceLock<Arc<Bulkhead>>,
}

/// A call in flight.
struct Held {
    permit: Permit,
    clock: Clock,
    begun: Duration,
}

// === impl BulkheadLayer ===

impl BulkheadLayer {
    /// A bulkhead with all places free. Ask [`Settings::check`] for settings that were not written by hand.
    #[must_use]
    pub fn new(protocol: Protocol, settings: Settings) -> Self {
        let shared = Shared { settings, clock: LateClock::default(), bulkhead: OnceLock::new() };
        Self { shared: Arc::new(shared), protocol, class: None }
    }

    /// The class of a request, by its head: the lower ones are refused first.
    #[must_use]
    pub fn class(self, class: impl Fn(&Parts) -> Class + Send + Sync + 'static) -> Self {
        Self { class: Some(Arc::new(class)), ..self }
    }

    /// Calls in flight and waiting, and how many there may be.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.shared.bulkhead.get().map(|bulkhead| bulkhead.figures()).unwrap_or_default()
    }

    fn enter(&self, head: &Parts) -> (Clock, Admission) {
        let clock = self.shared.clock.get();
        let bulkhead = self.shared.bulkhead.get_or_init(|| Bulkhead::new(self.shared.settings, clock.now()));
        let class = self.class.as_ref().map_or(Class::default(), |class| class(head));
        let known = head.extensions.get::<Deadline>().copied().or_else(Deadline::current);
        (clock, bulkhead.enter(class, known.map(|deadline| clock.at(deadline.0)), clock.now()))
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = BulkheadService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService { inner, layer: self.clone() }
    }
}

impl fmt::Debug for BulkheadLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadLayer").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

// === impl BulkheadService ===

impl<S, A, B> Service<Request<A>> for BulkheadService<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    A: Send + 'static,
    B: HttpBody + Send + 'static,
    S::Error: Send,
{
    type Response = Response<Body<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let protocol = self.layer.protocol;
        let (head, body) = request.into_parts();
        let (clock, admission) = self.layer.enter(&head);
        let mut inner = take_ready(&mut self.inner);
        Box::pin(async move {
            let permit = match admission {
                Admission::Admitted(permit) => Ok(permit),
                Admission::Queued(queued) => wait(queued, clock).await,
                Admission::Refused(refusal) => Err(refusal),
            };
            let permit = match permit {
                Ok(permit) => permit,
                Err(Refusal { why, retry_after }) => {
                    let refused = Refused { cause: Cause::Bulkhead(why), retry_after };
                    return Ok(protocol.refuse(refused).map(|()| Body::none()));
                }
            };
            let held = Held { permit, clock, begun: clock.now() };
            let answer = inner.call(Request::from_parts(head, body)).await?;
            Ok(answer.map(|body| {
                if body.is_end_stream() {
                    // Nobody asks a body that has ended for its end.
                    Box::new(held).ended(None);
                    return Body::new(body);
                }
                Body::new(body).with_ending(held)
            }))
        })
    }
}

/// Waits in the queue as long as it may.
async fn wait(mut queued: Queued, clock: Clock) -> Result<Permit, Refusal> {
    let Some(until) = clock.instant(queued.until()) else { return queued.await };
    match timeout_at(until, &mut queued).await {
        Ok(told) => told,
        Err(_) => queued.give_up(clock.now()),
    }
}

impl Ending for Held {
    fn ended(self: Box<Self>, _: Option<&HeaderMap>) {
        let now = self.clock.now();
        self.permit.end(Some((self.begun, now)), now, random::u64());
    }

    fn broke(self: Box<Self>) {
        self.permit.end(None, self.clock.now(), random::u64());
    }
}
