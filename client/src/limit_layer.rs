//! Limits around a service.

use crate::deadline::Deadline;
use crate::limit::spent;
use crate::limiter::{Head, Limiter, PeerOf, ValueOf, Verdict};
use crate::protocol::Protocol;
use crate::ready::take_ready;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tidegate_limit::rules::Source;
use tower_layer::Layer;
use tower_service::Service;

/// Requests ask the limits of a [`Limiter`] before the service sees them. One that is refused gets the answer that the
/// gateway gives: 429 or `RESOURCE_EXHAUSTED` with `Retry-After`, `RateLimit` and the details.
///
/// Limits see headers, the query, the method and the path of a request. What the application knows beside it (who
/// called, variables of its routes) it tells by [`value`](Self::value) and [`peer`](Self::peer).
///
/// ```
/// # use std::convert::Infallible;
/// # use http::{Request, Response};
/// # use http_body_util::{Empty, Full};
/// # use tower::{Layer as _, ServiceExt as _, service_fn};
/// use tidegate_client::limit::{Algorithm, Limit, Rate, Source};
/// use tidegate_client::{LimitLayer, Limiter, Protocol};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let one = Algorithm::TokenBucket { rate: Rate::per_second(1), burst: 1 };
/// let limiter = Limiter::builder().limit(Limit::new("all", vec![Source::Path], one)).build().unwrap();
/// let layer = LimitLayer::new(Protocol::Http, limiter);
/// let service = service_fn(|_: Request<_>| async {
///     Ok::<_, Infallible>(Response::new(Full::new(bytes::Bytes::from("hello"))))
/// });
/// let first = layer.layer(service).oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
/// let second = layer.layer(service).oneshot(Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
/// assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 429));
/// # });
/// ```
#[derive(Clone)]
pub struct LimitLayer {
    limiter: Limiter,
    protocol: Protocol,
    value: Option<Arc<ValueOf>>,
    peer: Option<Arc<PeerOf>>,
}

/// Lines of an edge that are looked at.
const MOST: usize = 4;

/// A service behind limits.
#[derive(Clone, Debug)]
pub struct LimitService<S> {
    inner: S,
    layer: LimitLayer,
}

// === impl LimitLayer ===

impl LimitLayer {
    /// Limits that every service of the layer and its clones share.
    #[must_use]
    pub fn new(protocol: Protocol, limiter: Limiter) -> Self {
        Self { limiter, protocol, value: None, peer: None }
    }

    /// What the application knows of a request: the verified identity, variables of its path, its route. What it gives
    /// goes before what the layer sees; `None` is left to the layer.
    #[must_use]
    pub fn value(self, value: impl Fn(&Parts, &Source) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { value: Some(Arc::new(value)), ..self }
    }

    /// Who is connected, for limits by [`PEER`](crate::limit::PEER). Without it all peers are one.
    #[must_use]
    pub fn peer(self, peer: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self { peer: Some(Arc::new(peer)), ..self }
    }

    /// The limits.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    fn ask(&self, head: &Parts) -> impl Future<Output = Verdict> + Send + use<> {
        let facts = Head { head, value: self.value.as_deref(), peer: self.peer.as_deref() };
        // An edge that has several secrets has a line for each.
        let texts: Vec<&str> =
            head.headers.get_all(spent::HEADER).iter().take(MOST).filter_map(|text| text.to_str().ok()).collect();
        let request = head.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let told = (texts.as_slice(), request);
        let deadline = head.extensions.get::<Deadline>().copied().or_else(Deadline::current);
        let questions = self.limiter.questions(&facts, Some(told));
        self.limiter.finish(questions, deadline.map_or(Duration::MAX, Deadline::left))
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = LimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LimitService { inner, layer: self.clone() }
    }
}

impl fmt::Debug for LimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitLayer").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}

// === impl LimitService ===

impl<S, A, B> Service<Request<A>> for LimitService<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    A: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    S::Error: Send,
{
    type Response = Response<LimitBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let protocol = self.layer.protocol;
        let (head, body) = request.into_parts();
        let verdict = self.layer.ask(&head);
        let mut inner = take_ready(&mut self.inner);
        Box::pin(async move {
            let verdict = verdict.await;
            if let Some(answer) = verdict.answer(protocol) {
                return Ok(answer.map(LimitBody::of_text));
            }
            if !verdict.wait().is_zero() {
                tokio::time::sleep(verdict.wait()).await;
            }
            let mut answer = inner.call(Request::from_parts(head, body)).await?;
            verdict.write(answer.headers_mut());
            Ok(answer.map(LimitBody::of_service))
        })
    }
}

pin_project! {
    /// The body of an answer: that of the service, or why there is none.
    #[derive(Debug)]
    pub struct LimitBody<B> {
        #[pin]
        inner: Option<B>,
        text: Option<Bytes>,
    }
}

impl<B> LimitBody<B> {
    fn of_service(inner: B) -> Self {
        Self { inner: Some(inner), text: None }
    }

    fn of_text(text: String) -> Self {
        Self { inner: None, text: Some(Bytes::from(text)).filter(|text| !text.is_empty()) }
    }
}

impl<B: HttpBody<Data = Bytes>> HttpBody for LimitBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll_frame(context),
            None => Poll::Ready(this.text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().map_or(self.text.is_none(), HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let text = || SizeHint::with_exact(self.text.as_ref().map_or(0, |text| text.len() as u64));
        self.inner.as_ref().map_or_else(text, HttpBody::size_hint)
    }
}
