//! Life of a request, top to bottom: begin, match, admit, choose, open, call, close, end.
//!
//! [`handle`] is the whole of it. It knows neither sockets nor workers: whoever has a request and
//! something to call gets a response, in a proxy, in a tower layer and in a test.

mod admit;
pub(crate) mod arrival;
mod attempts;
mod choose;
mod close;
pub(crate) mod native;
mod open;
mod options;
pub(crate) mod plain;
mod reply;
pub(crate) mod stream;
mod upload;

use self::attempts::Called;
use crate::answer::{Answer, Refusal};
use crate::config::DEFAULT_IDLE_TIMEOUT;
use crate::exchange::Exchange;
use crate::gateway::Gateway;
use crate::idle::Watch;
use crate::peer::Peer;
use crate::phase::Phase;
use crate::policies::Plan;
use crate::snapshot::{Found, Routed, Snapshot};
use crate::trust;
use crate::upstreams::Upstreams;
use admit::limit;
use bytes::Bytes;
use http::{Request, Response, Uri, request};
use native::Protocol;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tidegate_transcode::Miss;
use tidegate_upstream::{Call, CallError, Class, RequestBody};

pub(crate) use arrival::overloaded;
pub(crate) use choose::view;
pub(crate) use native::is_call as is_native_call;
pub(crate) use reply::LARGE_BYTES;
pub use reply::{ReplyBody, ReplyError};

/// The body of a reply from these upstreams.
pub type BodyOf<U> = <<U as Upstreams>::Call as Call>::Body;

/// Serves one request.
///
/// Never fails: what goes wrong becomes a `google.rpc.Status` body under the HTTP status that
/// [`crate::answer`] pairs with it.
///
/// # Cancel safety
/// Dropping the future before it is ready, or the response body before its end, resets the upstream
/// stream (`RST_STREAM(CANCEL)`) and records status 499.
pub async fn handle<U, B>(
    gateway: &Arc<Gateway>,
    upstreams: &U,
    request: Request<B>,
    peer: &Peer,
) -> Response<ReplyBody<BodyOf<U>>>
where
    U: Upstreams,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut head, body) = request.into_parts();
    let snapshot = gateway.snapshot();
    let believed = snapshot.believes(peer);
    let peer = believed.as_ref().unwrap_or(peer);
    trust::cleanse(&mut head.headers, peer);
    let mut exchange = Exchange::begin(gateway, snapshot, &head, peer);
    let protocol = native::protocol(&head);
    let edge = match exchange.snapshot().edge_limits(peer) {
        [] => Ok(()),
        _ => until_over(gateway, limit::edge(&head, peer, &mut exchange)).await,
    };
    if let Err(refusal) = edge {
        return match protocol {
            Protocol::Grpc => exchange.end_rpc_refused(refusal),
            Protocol::Other | Protocol::Relative => exchange.end_refused(refusal),
        };
    }
    if let Err(refusal) = native::check_protocol(protocol, &head) {
        return exchange.end_refused(refusal);
    }
    if protocol == Protocol::Grpc {
        let served = until_over(gateway, native::serve(upstreams, head, body, peer, &mut exchange)).await;
        return match served {
            Ok(native::Served::Upstream(reply)) => exchange.end_with_rpc(reply),
            Ok(native::Served::Local(source)) => exchange.end_with_local(source),
            Err(refusal) => exchange.end_rpc_refused(refusal),
        };
    }
    match until_over(gateway, serve(upstreams, &mut head, body, peer, &mut exchange)).await {
        Ok(Served::Whole(response)) => exchange.end_whole(response),
        Ok(Served::Stream(response)) => exchange.end_with_stream(response),
        Ok(Served::Plain(served)) => exchange.end_with_plain(served),
        Err(refusal) => exchange.end_refused(refusal),
    }
}

/// The work of a request, or its end when the time of the gateway's drain is over.
///
/// In a box: this is most of what a request's future is, and that is moved several times before it runs.
fn until_over<T>(
    gateway: &Gateway,
    work: impl Future<Output = Result<T, Refusal>>,
) -> impl Future<Output = Result<T, Refusal>> {
    let mut work = Box::pin(work);
    poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Pending if gateway.phase() == Phase::Over => Poll::Ready(Err(stopping())),
        polled => polled,
    })
}

/// What a request or a stream is told that was not done when the gateway stopped.
pub(crate) fn stopping() -> Refusal {
    Refusal::new(Answer::Stopping, "the gateway is stopping")
}

/// A reply that is complete, or one that begins.
pub(crate) enum Served<R> {
    Whole(Response<Bytes>),
    Stream(Response<stream::Source<R>>),
    Plain(plain::Served<R>),
}

async fn serve<U, B>(
    upstreams: &U,
    head: &mut request::Parts,
    body: B,
    peer: &Peer,
    exchange: &mut Exchange,
) -> Result<Served<BodyOf<U>>, Refusal>
where
    U: Upstreams,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let snapshot = Arc::clone(exchange.snapshot());
    arrival::check(exchange, head)?;
    arrival::check_names(head)?;
    if let Some(answer) = options::answer(&snapshot, head) {
        return Ok(Served::Whole(answer));
    }
    let routed = match match_route(&snapshot, &head.uri, head, exchange)? {
        Found::Rule(routed) => routed,
        Found::Plain(routed) => {
            let headers = std::mem::take(&mut head.headers);
            let head = plain::whole(&head.method, &head.uri, head.version, headers);
            return plain::serve(upstreams, &routed, head, body, peer, exchange).await.map(Served::Plain);
        }
    };
    exchange.routed(&routed);
    let body_limits = open::body_limits(exchange.limits(), &routed);
    admit::all(head, &routed, body_limits.max_bytes)?;
    let index = choose::upstream(routed.route.canary.as_ref(), routed.route.upstream, head, peer, exchange);
    exchange.set_deadline(head, &routed)?;
    let limits = &routed.route.limits;
    limit::before(limits, head, peer, exchange).await?;
    let request = open::request(head, body, body_limits, peer, &routed, exchange).await?;
    let called = limit::Called {
        rpc: &routed.matched.binding.rpc,
        schema: &routed.route.schema,
        body: request.body(),
        encoding: None,
    };
    limit::with(limits, called, head, peer, exchange).await?;
    let mut plan = routed.plan(&snapshot, index, head, peer);
    plan.look_into(&routed.route.schema, request.body(), None);
    // A stream may have no deadline, but not be silent for ever.
    let watch = |upload| Watch::new(DEFAULT_IDLE_TIMEOUT, None, upload);
    let reply = match (routed.matched.binding.server_streaming, exchange.upload()) {
        (true, upload) => {
            let call = pin!(call_stream(upstreams, request, head, &plan, &routed, exchange));
            watch(upload).first(call).await
        }
        (false, Some(upload)) => {
            let call = pin!(call_whole(upstreams, request, &plan, &routed, exchange));
            watch(Some(upload)).first(call).await
        }
        (false, None) => Ok(call_whole(upstreams, request, &plan, &routed, exchange).await),
    };
    reply.unwrap_or_else(|over| Err(native::refuse_over(over)))
}

async fn call_whole<U: Upstreams>(
    upstreams: &U,
    request: Request<RequestBody>,
    plan: &Plan<'_>,
    routed: &Routed<'_>,
    exchange: &mut Exchange,
) -> Result<Served<BodyOf<U>>, Refusal> {
    match attempts::call(upstreams, request, plan, exchange).await? {
        Called::Reply(reply) => close::whole(reply, routed, exchange).await.map(Served::Whole),
        Called::Canned(canned) => close::canned(&canned, routed).map(Served::Whole),
    }
}

async fn call_stream<U: Upstreams>(
    upstreams: &U,
    request: Request<RequestBody>,
    head: &request::Parts,
    plan: &Plan<'_>,
    routed: &Routed<'_>,
    exchange: &mut Exchange,
) -> Result<Served<BodyOf<U>>, Refusal> {
    match attempts::call(upstreams, request, plan, exchange).await? {
        Called::Reply(reply) => close::stream(reply, head, routed, exchange).await.map(Served::Stream),
        Called::Canned(canned) => close::canned(&canned, routed).map(Served::Whole),
    }
}

fn match_route<'s>(
    snapshot: &'s Snapshot,
    uri: &'s Uri,
    head: &request::Parts,
    exchange: &Exchange,
) -> Result<Found<'s>, Refusal> {
    snapshot.find(&head.method, uri, &head.headers).map_err(|miss| match miss {
        Miss::NotFound if exchange.wants_schema(head) => Refusal::schema_unknown(),
        Miss::NotFound if native::is_path_of_rpc(snapshot, head) => native::wrong_content_type(),
        Miss::NotFound => Refusal::new(Answer::NoRoute, format!("nothing is served at {}", uri.path())),
        Miss::MethodNotAllowed { allow } => Refusal::method_not_allowed(&head.method, uri.path(), &allow),
        Miss::BadPath(status) => Refusal::with_status(Answer::BadRequest, status),
    })
}

/// A call that failed without a reply: what the caller is told says whose fault it was, not where
/// the endpoint is.
pub(crate) fn refuse_call(error: CallError) -> Refusal {
    let error = match error.into_request_body_error() {
        Ok(source) => return upload::refusal(source),
        Err(error) => error,
    };
    match error.class() {
        Class::Deadline => Refusal::new(Answer::Deadline, "the deadline passed before the upstream answered"),
        Class::Cancelled => Refusal::new(Answer::ClientGone, "the request's body ended early"),
        Class::Internal => {
            Refusal::new(Answer::BadReply, format!("the upstream broke the call off: {}", error.reason()))
        }
        Class::Unavailable | Class::Exhausted => {
            Refusal::new(Answer::Unavailable, format!("the upstream cannot serve the call: {}", error.reason()))
        }
    }
}
