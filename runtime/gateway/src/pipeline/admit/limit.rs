//! Rate limits: those of the listener before anything is looked up, those of the route once they know what they
//! look at.

use crate::answer::Refusal;
use crate::exchange::Exchange;
use crate::limits::{Facts, Message, RouteLimits};
use crate::peer::Peer;
use bytes::Bytes;
use http::request;
use std::sync::Arc;
use std::time::Duration;
use tidegate_protojson::Schema;
use tidegate_telemetry::clock;
use tidegate_transcode::frame::{Bounds, FRAME_HEADER_LEN, decompress};
use tidegate_upstream::RequestBody;

/// A compressed message is looked into up to this size.
const LOOK: Bounds = Bounds { max_bytes: 1 << 20, max_ratio: 200 };

/// The message of a call, before it goes out.
pub(in crate::pipeline) struct Called<'c> {
    /// `/pkg.Service/Method`.
    pub(in crate::pipeline) rpc: &'c str,
    pub(in crate::pipeline) schema: &'c Schema,
    pub(in crate::pipeline) body: &'c RequestBody,
    /// What `grpc-encoding` says of a native call.
    pub(in crate::pipeline) encoding: Option<&'c str>,
}

/// The limits of the listener.
pub(in crate::pipeline) async fn edge(
    head: &request::Parts,
    peer: &Peer,
    exchange: &mut Exchange,
) -> Result<(), Refusal> {
    let snapshot = Arc::clone(exchange.snapshot());
    let patience = exchange.limits().request_timeout;
    let set = snapshot.edge_limits(peer);
    let wait = exchange.ask(&snapshot, set, &facts(head, peer, "", None), patience)?;
    hold(wait).await;
    Ok(())
}

/// The limits of a route that need not know the message.
pub(in crate::pipeline) async fn before(
    limits: &RouteLimits,
    head: &request::Parts,
    peer: &Peer,
    exchange: &mut Exchange,
) -> Result<(), Refusal> {
    if limits.set.is_empty() || limits.look_into {
        return Ok(());
    }
    hold(ask(limits, &facts(head, peer, &limits.route, None), exchange)?).await;
    Ok(())
}

/// The limits of a route that need to. What is waited for after they were asked borrows nothing: a body cannot be looked
/// at from two threads.
#[expect(clippy::needless_pass_by_value, reason = "a borrowed one would be held by whoever waits")]
pub(in crate::pipeline) fn with(
    limits: &RouteLimits,
    called: Called<'_>,
    head: &request::Parts,
    peer: &Peer,
    exchange: &mut Exchange,
) -> impl Future<Output = Result<(), Refusal>> + Send + use<> {
    let wait = look(limits, &called, head, peer, exchange);
    async move {
        hold(wait?).await;
        Ok(())
    }
}

fn look(
    limits: &RouteLimits,
    called: &Called<'_>,
    head: &request::Parts,
    peer: &Peer,
    exchange: &mut Exchange,
) -> Result<Duration, Refusal> {
    if limits.set.is_empty() || !limits.look_into {
        return Ok(Duration::ZERO);
    }
    let wire = message(called.body, called.encoding);
    let message = Message { schema: called.schema, fields: limits.fields(called.rpc), wire: wire.as_deref() };
    ask(limits, &facts(head, peer, &limits.route, Some(message)), exchange)
}

/// How long the request is to be held back.
fn ask(limits: &RouteLimits, facts: &Facts<'_>, exchange: &mut Exchange) -> Result<Duration, Refusal> {
    let snapshot = Arc::clone(exchange.snapshot());
    let left = exchange.deadline().map(|deadline| deadline.saturating_duration_since(clock::now()));
    let patience = left.unwrap_or(exchange.limits().request_timeout);
    let asked = exchange.ask(&snapshot, &limits.set, facts, patience);
    asked.inspect_err(|_| exchange.gives_back(&snapshot))
}

/// Keeps the request until its turn comes.
async fn hold(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

fn facts<'r>(head: &'r request::Parts, peer: &'r Peer, route: &'r str, message: Option<Message<'r>>) -> Facts<'r> {
    Facts { method: &head.method, uri: &head.uri, headers: &head.headers, peer, route, message }
}

/// The one message of a call, if it is at hand as a whole.
fn message(body: &RequestBody, encoding: Option<&str>) -> Option<Bytes> {
    let frame = body.whole()?;
    let payload = frame.get(FRAME_HEADER_LEN..)?;
    match frame.first() {
        Some(0) => Some(frame.slice_ref(payload)),
        _ => decompress(encoding?, frame.slice(FRAME_HEADER_LEN..), LOOK)
            .ok()
            .map(|whole| Bytes::copy_from_slice(&whole)),
    }
}
