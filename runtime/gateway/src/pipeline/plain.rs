//! Plain HTTP: a request that goes through as it is, to an upstream that need not know gRPC.
//!
//! Open, call and close as in [`super`]; what goes wrong is told as for any other request.

mod local;
mod reply;
mod request;
mod tunnel;
mod upgrade;

use super::admit::limit;
use super::attempts::{Called, call};
use super::{BodyOf, choose};
use crate::answer::{Answer, Refusal};
use crate::config::{Action, DEFAULT_IDLE_TIMEOUT, DEFAULT_TIMEOUT, Forward, Upgrade};
use crate::exchange::Exchange;
use crate::headers::plain::{strip_reply, write_upgrade};
use crate::idle::{Over, Watch};
use crate::peer::Peer;
use crate::policies::Plan;
use crate::snapshot::RoutedPlain;
use crate::upstreams::Upstreams;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version, request as http_request};
use http_body::Body;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tidegate_upstream::{Call, RequestBody, Tunnel};

pub(crate) use reply::Pass;
pub(crate) use tunnel::Handover;

/// What a request is answered with.
pub(crate) enum Served<R> {
    /// What the gateway says.
    Own(Response<Bytes>),
    /// What the upstream says, and how long it may be silent.
    Upstream(Response<R>, Duration),
    /// The connection becomes another.
    Tunnel(Response<Tunnel>, Duration),
}

/// Serves a request that a plain route took.
pub(super) async fn serve<U, B>(
    upstreams: &U,
    routed: &RoutedPlain<'_>,
    head: http_request::Parts,
    body: B,
    peer: &Peer,
    exchange: &mut Exchange,
) -> Result<Served<BodyOf<U>>, Refusal>
where
    U: Upstreams,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    exchange.routed_plain(routed);
    limit::before(&routed.route.limits, &head, peer, exchange).await?;
    let (forward, stable) = match (&routed.config.action, routed.route.upstream) {
        (Action::Forward(forward), Some(stable)) => (forward, stable),
        (Action::Redirect(redirect), _) => return local::redirect(redirect, &head, routed, peer, exchange),
        (Action::Respond(respond), _) => return Ok(local::respond(respond, peer, exchange)),
        (Action::Forward(_), None) => return Err(Refusal::new(Answer::Internal, "the route has no upstream")),
    };
    let index = choose::upstream(routed.route.canary.as_ref(), stable, &head, peer, exchange);
    let snapshot = Arc::clone(exchange.snapshot());
    let protocol = snapshot.config.upstreams[index].pool.protocol;
    exchange.set_plain_deadline(&head.headers, routed.config.timeout)?;
    let upgrade = upgrade::asked(&head, forward, protocol)?;
    let plan = routed.plan(&snapshot, index, &head, upgrade, peer);
    let limits = request::limits(routed, peer, &body)?;
    let body = request::body(body, limits, upgrade, plan.kept_bytes(), exchange).await?;
    let facts = choose::facts(stable, exchange, peer);
    let head = request::head(head, routed, forward, protocol, upgrade, &facts, exchange, peer);
    let request = Request::from_parts(head, body);
    let mut reply = match first(upstreams, request, &plan, forward, exchange).await? {
        Called::Reply(reply) => reply,
        Called::Canned(canned) => return Ok(Served::Own(canned.plain())),
    };
    exchange.upstream_answered();
    let idle = forward.idle_timeout.unwrap_or(DEFAULT_IDLE_TIMEOUT);
    let switched = switched::<U::Call>(&mut reply, upgrade)?;
    let (mut head, body) = reply.into_parts();
    strip_reply(&mut head.headers);
    head.extensions.clear();
    let facts = choose::facts(stable, exchange, peer);
    forward.response_headers.apply(&mut head.headers, &facts);
    Ok(match switched {
        Some((tunnel, protocol)) => {
            write_upgrade(&mut head.headers, protocol.name());
            Served::Tunnel(Response::from_parts(head, tunnel), idle)
        }
        None => Served::Upstream(Response::from_parts(head, body), idle),
    })
}

/// A head of its own: what was matched still looks at the path of the one that came.
pub(super) fn whole(method: &Method, uri: &Uri, version: Version, headers: HeaderMap) -> http_request::Parts {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method.clone_from(method);
    head.uri.clone_from(uri);
    head.version = version;
    head.headers = headers;
    head
}

/// Waits for the head of the reply: by the route's timeout, or as long as is usual after a request.
async fn first<U: Upstreams>(
    upstreams: &U,
    request: Request<RequestBody>,
    plan: &Plan<'_>,
    forward: &Forward,
    exchange: &mut Exchange,
) -> Result<Called<BodyOf<U>>, Refusal> {
    let while_sending = forward.idle_timeout.unwrap_or(DEFAULT_IDLE_TIMEOUT);
    let upload = exchange.upload();
    let limit = if exchange.deadline().is_some() { while_sending } else { DEFAULT_TIMEOUT };
    let watch = Watch::new(limit, exchange.deadline(), upload).with_patience(while_sending);
    match watch.first(pin!(call(upstreams, request, plan, exchange))).await {
        Ok(reply) => reply,
        Err(Over::Deadline) => Err(Refusal::new(Answer::Deadline, "the deadline passed before the upstream answered")),
        Err(Over::Silent(limit)) => {
            let message = format!("the upstream did not answer within {} s", limit.as_secs());
            Err(Refusal::new(Answer::Deadline, message))
        }
    }
}

/// The tunnel, if the upstream changes the protocol as it was asked to; it may not do so unasked.
fn switched<C: Call>(
    reply: &mut Response<C::Body>,
    asked: Option<Upgrade>,
) -> Result<Option<(Tunnel, Upgrade)>, Refusal> {
    if reply.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(None);
    }
    let said = upgrade::named(reply.headers());
    match (asked, C::take_tunnel(reply.body_mut())) {
        (Some(asked), Some(tunnel)) if said == Some(asked) => Ok(Some((tunnel, asked))),
        _ => Err(super::close::bad_reply("the upstream changed the protocol without being asked to")),
    }
}

/// A reply or a tunnel in which nothing came for too long, or that took too long.
fn refuse_over(over: Over) -> Refusal {
    match over {
        Over::Deadline => Refusal::new(Answer::Deadline, "the deadline passed before the reply ended"),
        Over::Silent(limit) => {
            Refusal::new(Answer::Deadline, format!("the upstream was silent for {} s", limit.as_secs()))
        }
    }
}
