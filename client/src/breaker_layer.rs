//! A circuit breaker around a service.

use crate::body::{Body, Ending};
use crate::classify::{Classify, Judged};
use crate::clock::{Clock, LateClock};
use crate::protocol::{Cause, Protocol, Refused};
use crate::random;
use http::{HeaderMap, Request, Response};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidegate_traffic::breaker::{Breaker, Change, Outcome, Permit, Settings, State};
use tower_layer::Layer;
use tower_service::Service;

/// Calls to what keeps failing, or keeps being slow, are refused for a while. Every service that one layer and its
/// clones make has the same breaker.
///
/// A call that is under way when its future, or the body of its answer, is dropped counts neither way, and gives its place
/// back. A call is as slow as what judges it takes to come: the head, or the trailers.
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use http_body_util::Empty;
/// # use tower::{Layer as _, ServiceExt as _, service_fn};
/// use tidegate_client::{BreakerLayer, Protocol, Refused, breaker::{Settings, State, Window}};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let settings = Settings { window: Window::Calls(2), min_calls: 2, ..Settings::default() };
/// let breaker = BreakerLayer::new(Protocol::Http, settings);
/// let broken = service_fn(|_: Request<_>| async {
///     Ok::<_, Infallible>(Response::builder().status(500).body(Empty::<bytes::Bytes>::new()).unwrap())
/// });
/// for _ in 0..2 {
///     breaker.layer(broken).oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
/// }
/// assert_eq!(breaker.state(), State::Open);
/// let answer = breaker.layer(broken).oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
/// assert_eq!(answer.status(), 503);
/// assert!(Refused::of(&answer).is_some());
/// # });
/// ```
#[derive(Clone)]
pub struct BreakerLayer<C = Protocol> {
    shared: Arc<Shared>,
    protocol: Protocol,
    classify: C,
}

/// A service behind a breaker.
#[derive(Clone, Debug)]
pub struct BreakerService<S, C = Protocol> {
    inner: S,
    layer: BreakerLayer<C>,
}

struct Shared {
    breaker: Arc<Breaker>,
    clock: LateClock,
    told: Option<Box<dyn Fn(&Change) + Send + Sync>>,
}

/// What a call holds of the breaker until it is judged.
struct Held<C> {
    shared: Arc<Shared>,
    permit: Permit,
    clock: Clock,
    begun: Duration,
    classify: C,
}

// === impl BreakerLayer ===

impl BreakerLayer {
    /// A closed breaker. Settings that make none are taken for the nearest that do: ask [`Settings::check`] for
    /// those that were not written by hand.
    #[must_use]
    pub fn new(protocol: Protocol, settings: Settings) -> Self {
        let shared = Shared { breaker: Breaker::new(settings), clock: LateClock::default(), told: None };
        Self { shared: Arc::new(shared), protocol, classify: protocol }
    }
}

impl<C> BreakerLayer<C> {
    /// Judges calls by this in place of what the protocol says.
    #[must_use]
    pub fn classify<D>(self, classify: D) -> BreakerLayer<D> {
        BreakerLayer { shared: self.shared, protocol: self.protocol, classify }
    }

    /// Calls this with every change of its state, on the thread and in the middle of the call that brought it: for a
    /// line in a log, or a metric. To be said before the layer is cloned or used: it begins a breaker of its own.
    #[must_use]
    pub fn on_change(self, told: impl Fn(&Change) + Send + Sync + 'static) -> Self {
        let breaker = Breaker::new(self.shared.breaker.settings());
        let shared = Shared { breaker, clock: LateClock::default(), told: Some(Box::new(told)) };
        Self { shared: Arc::new(shared), ..self }
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.breaker.state()
    }

    /// Keeps all calls away until another command.
    pub fn force_open(&self) {
        self.shared.tell(self.shared.breaker.force_open());
    }

    /// Lets all calls pass, uncounted, until another command.
    pub fn disable(&self) {
        self.shared.tell(self.shared.breaker.disable());
    }

    /// Closes it with nothing counted: from there it works by itself.
    pub fn close(&self) {
        self.shared.tell(Some(self.shared.breaker.reset()));
    }
}

impl Shared {
    fn tell(&self, change: Option<Change>) {
        if let (Some(change), Some(told)) = (change, &self.told) {
            told(&change);
        }
    }
}

impl<S, C: Clone> Layer<S> for BreakerLayer<C> {
    type Service = BreakerService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService { inner, layer: self.clone() }
    }
}

impl<C> fmt::Debug for BreakerLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerLayer").field("state", &self.state()).finish_non_exhaustive()
    }
}

// === impl BreakerService ===

impl<S, C, A, B> Service<Request<A>> for BreakerService<S, C>
where
    S: Service<Request<A>, Response = Response<B>>,
    C: Classify<S::Error> + Clone + Send + 'static,
    S::Error: 'static,
    B: HttpBody,
{
    type Response = Response<Body<B>>;
    type Error = S::Error;
    type Future = Guarded<S::Future, C>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let shared = &self.layer.shared;
        let clock = shared.clock.get();
        let begun = clock.now();
        let (admitted, change) = shared.breaker.admit(begun, random::u64());
        shared.tell(change);
        match admitted {
            Ok(permit) => {
                let (shared, classify) = (Arc::clone(shared), self.layer.classify.clone());
                let held = Held { shared, permit, clock, begun, classify };
                Guarded { call: Some(self.inner.call(request)), held: Some(held), refused: None }
            }
            Err(refusal) => {
                let refused = Refused { cause: Cause::Breaker(refusal.state), retry_after: refusal.retry_after };
                Guarded { call: None, held: None, refused: Some((self.layer.protocol, refused)) }
            }
        }
    }
}

pin_project! {
    /// A call through a breaker.
    pub struct Guarded<F, C> {
        #[pin]
        call: Option<F>,
        held: Option<Held<C>>,
        refused: Option<(Protocol, Refused)>,
    }
}

impl<F, C, B, E> Future for Guarded<F, C>
where
    F: Future<Output = Result<Response<B>, E>>,
    C: Classify<E> + Send + 'static,
    E: 'static,
    B: HttpBody,
{
    type Output = Result<Response<Body<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some((protocol, refused)) = this.refused.take() {
            return Poll::Ready(Ok(protocol.refuse(refused).map(|()| Body::none())));
        }
        let call = this.call.as_pin_mut().expect("invariant: what is not refused is called");
        let answer = ready!(call.poll(context));
        let Some(held) = this.held.take() else { return Poll::Ready(answer.map(|answer| answer.map(Body::new))) };
        Poll::Ready(match answer {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                let judged = match held.classify.head(&head) {
                    // Nobody asks a body that has ended for its end.
                    Judged::Later if body.is_end_stream() => held.classify.trailers(None),
                    judged => judged,
                };
                let body = Body::new(body);
                let body = match judged {
                    Judged::Later => body.with_ending(Waiting { held, error: PhantomData }),
                    judged => {
                        held.judge(judged);
                        body
                    }
                };
                Ok(Response::from_parts(head, body))
            }
            Err(error) => {
                let judged = held.classify.error(&error);
                held.judge(judged);
                Err(error)
            }
        })
    }
}

impl<F, C> fmt::Debug for Guarded<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("refused", &self.refused).finish_non_exhaustive()
    }
}

/// The end of the answer will tell.
struct Waiting<C, E> {
    held: Held<C>,
    /// What it would have been judged by instead.
    error: PhantomData<fn(E)>,
}

impl<C, E> Ending for Waiting<C, E>
where
    C: Classify<E> + Send,
{
    fn ended(self: Box<Self>, trailers: Option<&HeaderMap>) {
        let judged = self.held.classify.trailers(trailers);
        self.held.judge(judged);
    }

    fn broke(self: Box<Self>) {
        self.held.judge(Judged::Failed);
    }
}

impl<C> Held<C> {
    fn judge(self, judged: Judged) {
        let failed = match judged {
            Judged::Well => false,
            Judged::Failed => true,
            // Its permit is dropped.
            Judged::Nothing | Judged::Later => return,
        };
        let now = self.clock.now();
        let outcome = Outcome { failed, took: now.saturating_sub(self.begun) };
        let change = self.permit.end(outcome, now, random::u64());
        self.shared.tell(change);
    }
}
