//! Retries around a service.

use crate::body::Body;
use crate::clock::{self, LateClock};
use crate::deadline::Deadline;
use crate::protocol::{Protocol, Refused};
use crate::random;
use crate::ready::take_ready;
use crate::replay::Replay;
use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Request, Response};
use http_body::Body as HttpBody;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tidegate_traffic::budget::Budget;
use tidegate_traffic::retry::{Failed, Failure, Pushback, Settings, Verdict, is_idempotent};
use tokio::time::{sleep, timeout};
use tower_layer::Layer;
use tower_service::Service;

/// The longest body that is kept to be sent again, in bytes.
const BODY_MAX: usize = 64 * 1024;
/// How often a call was made before (gRFC A6).
const PREVIOUS_ATTEMPTS: &str = "grpc-previous-rpc-attempts";

/// A call that failed before its answer began is made again, if doing it twice is the same as doing it once, its
/// deadline leaves time, and the budget allows: retries are a share of first tries, so that what fails is not multiplied.
///
/// Which requests may be made twice is said by [`Settings::idempotent`], by [`safe`](Self::safe), and else by the HTTP
/// method: of gRPC none. Of those the body is read before the call, up to 64 KiB; a longer one is sent once. An answer of
/// another layer ([`Refused`]) is not tried again.
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use http_body_util::Empty;
/// # use tower::{Layer as _, ServiceExt as _, service_fn};
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use tidegate_client::{Protocol, Replay, RetryLayer, retry::Settings};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// static CALLS: AtomicU32 = AtomicU32::new(0);
/// let flaky = service_fn(|_: Request<Replay<Empty<bytes::Bytes>>>| async {
///     let status = if CALLS.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
///     Ok::<_, Infallible>(Response::builder().status(status).body(Empty::<bytes::Bytes>::new()).unwrap())
/// });
/// let retry = RetryLayer::new(Protocol::Http, Settings::default());
/// let answer = retry.layer(flaky).oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
/// assert_eq!((answer.status().as_u16(), CALLS.load(Ordering::Relaxed)), (200, 2));
/// # });
/// ```
#[derive(Clone)]
pub struct RetryLayer<M = AsItIs> {
    protocol: Protocol,
    settings: Settings,
    budget: Arc<Budget>,
    clock: Arc<LateClock>,
    safe: Arc<dyn Fn(&Parts) -> bool + Send + Sync>,
    make: M,
}

/// The service takes the body as it is: a [`Replay`].
#[derive(Clone, Copy, Debug)]
pub struct AsItIs;

/// Makes the body that a service takes.
pub trait Make<B: HttpBody> {
    /// What the service takes.
    type Body;

    /// Makes it.
    fn make(&self, body: Replay<B>) -> Self::Body;
}

impl<B: HttpBody> Make<B> for AsItIs {
    type Body = Replay<B>;

    fn make(&self, body: Replay<B>) -> Replay<B> {
        body
    }
}

impl<B: HttpBody, F: Fn(Replay<B>) -> T, T> Make<B> for F {
    type Body = T;

    fn make(&self, body: Replay<B>) -> T {
        self(body)
    }
}

/// A service whose calls are made again.
#[derive(Clone, Debug)]
pub struct RetryService<S, M = AsItIs> {
    inner: S,
    layer: RetryLayer<M>,
}

// === impl RetryLayer ===

impl RetryLayer {
    /// With a budget of its own, of 20 %. Ask [`Settings::check`] for settings that were not written by hand.
    #[must_use]
    pub fn new(protocol: Protocol, settings: Settings) -> Self {
        Self {
            protocol,
            settings,
            budget: Arc::new(Budget::new(Budget::DEFAULT)),
            clock: Arc::default(),
            safe: Arc::new(|head| is_idempotent(&head.method)),
            make: AsItIs,
        }
    }
}

impl<M> RetryLayer<M> {
    /// Makes the body that the service takes, of one that can be sent again: of a tonic channel `tonic::body::Body::new`.
    #[must_use]
    pub fn body<N>(self, make: N) -> RetryLayer<N> {
        let Self { protocol, settings, budget, clock, safe, make: _ } = self;
        RetryLayer { protocol, settings, budget, clock, safe, make }
    }

    /// Which requests may be made twice, by their head. A stream of requests must not be among them: it would be read
    /// before it is sent.
    #[must_use]
    pub fn safe(self, safe: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self { safe: Arc::new(safe), ..self }
    }

    /// A budget that others have as well: one for each service that is called.
    #[must_use]
    pub fn budget(self, budget: Arc<Budget>) -> Self {
        Self { budget, ..self }
    }
}

impl<S, M: Clone> Layer<S> for RetryLayer<M> {
    type Service = RetryService<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService { inner, layer: self.clone() }
    }
}

impl<M> fmt::Debug for RetryLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RetryLayer");
        shown.field("settings", &self.settings).field("budget", &self.budget).finish_non_exhaustive()
    }
}

// === impl RetryService ===

impl<S, M, A, B> Service<Request<A>> for RetryService<S, M>
where
    S: Service<Request<M::Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    M: Make<A> + Clone + Send + Sync + 'static,
    M::Body: Send,
    A: HttpBody<Data = Bytes> + Unpin + Send + 'static,
    A::Error: Send,
    B: Send + 'static,
{
    type Response = Response<Body<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let tries = Tries { inner: take_ready(&mut self.inner), layer: self.layer.clone(), made: 0 };
        Box::pin(tries.run(request))
    }
}

/// The tries of one call.
struct Tries<S, M> {
    inner: S,
    layer: RetryLayer<M>,
    made: u32,
}

impl<S, M> Tries<S, M> {
    async fn run<A, B>(mut self, request: Request<A>) -> Result<Response<Body<B>>, S::Error>
    where
        S: Service<Request<M::Body>, Response = Response<B>>,
        M: Make<A>,
        A: HttpBody<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        let idempotent = self.layer.settings.idempotent || (self.layer.safe)(&head);
        let small = body.size_hint().exact().is_some_and(|length| length <= BODY_MAX as u64);
        let body = if idempotent || small { Replay::read(body, BODY_MAX).await } else { Replay::once(body) };
        self.layer.budget.deposit(self.layer.clock.get().now());
        let mut next = Some(body);
        while let Some(body) = next.take() {
            let again = body.again();
            let answer = self.attempt(&head, body).await;
            let Some((failure, pushback)) = self.failure(&answer) else { return finish(answer) };
            next = again;
            let Some(pause) = self.pause(&head, failure, pushback, idempotent).filter(|_| next.is_some()) else {
                return finish(answer);
            };
            drop(answer);
            sleep(pause).await;
            poll_fn(|context| self.inner.poll_ready(context)).await?;
        }
        unreachable!("invariant: the loop goes on only with a body")
    }

    /// One try. An answer that does not come in the time of a try is one of ours.
    async fn attempt<A, B>(&mut self, head: &Parts, body: Replay<A>) -> Result<Response<Option<B>>, S::Error>
    where
        S: Service<Request<M::Body>, Response = Response<B>>,
        M: Make<A>,
        A: HttpBody<Data = Bytes>,
    {
        let RetryLayer { protocol, settings, make, .. } = &self.layer;
        let mut request = Request::from_parts(head.clone(), make.make(body));
        if *protocol == Protocol::Grpc && self.made > 0 {
            request.headers_mut().insert(PREVIOUS_ATTEMPTS, HeaderValue::from(self.made));
        }
        self.made += 1;
        let call = self.inner.call(request);
        let answer = match settings.per_try_timeout {
            None => call.await?,
            Some(time) => match timeout(time, call).await {
                Ok(answer) => answer?,
                Err(_) => return Ok(protocol.refuse(Refused::DEADLINE).map(|()| None)),
            },
        };
        Ok(answer.map(Some))
    }

    /// What a try failed with, if that may be another time.
    fn failure<B, E>(&self, answer: &Result<Response<Option<B>>, E>) -> Option<(Failure, Pushback)> {
        let Ok(answer) = answer else { return Some((Failure::Reset, Pushback::None)) };
        if answer.body().is_none() {
            return Some((Failure::Timeout, Pushback::None));
        }
        if Refused::of(answer).is_some() {
            return None;
        }
        let headers = answer.headers();
        let failure = self.layer.protocol.failure(answer.status(), headers)?;
        let said = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        Some((failure, Pushback::of(said("grpc-retry-pushback-ms"), said(RETRY_AFTER.as_str()))))
    }

    /// How long to wait before the next try; `None` is that there is none.
    fn pause(
        &self,
        head: &Parts,
        failure: Failure,
        pushback: Pushback,
        idempotent: bool,
    ) -> Option<std::time::Duration> {
        let deadline = head.extensions.get::<Deadline>().copied().or_else(Deadline::current);
        let left = deadline.map(|deadline| deadline.0.saturating_duration_since(clock::now()));
        let failed = Failed { made: self.made, failure, idempotent, pushback, left };
        let Verdict::Again { after } = self.layer.settings.decide(&failed, random::u64()) else { return None };
        self.layer.budget.withdraw(self.layer.clock.get().now()).then_some(after)
    }
}

fn finish<B, E>(answer: Result<Response<Option<B>>, E>) -> Result<Response<Body<B>>, E> {
    Ok(answer?.map(|body| body.map_or_else(Body::none, Body::new)))
}
