//! Rate limits: those of the listener before anything is looked up, those of the route once they know what they
//! look at.

use crate::answer::Refusal;
use crate::exchange::Exchange;
use crate::limits::{Asking, Facts, Message, RouteLimits};
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
pub(in crate::pipeline) struct Called<'c, 'b> {
    /// `/pkg.Service/Method`.
    pub(in crate::pipeline) rpc: &'c str,
    pub(in crate::pipeline) schema: &'c Schema,
    pub(in crate::pipeline) body: &'b RequestBody,
    /// What `grpc-encoding` says of a native call.
    pub(in crate::pipeline) encoding: Option<&'b str>,
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
    let facts = facts(head, peer, "", None);
    hold(answer(exchange.ask(&snapshot, set, &facts, patience)).await?).await;
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
    ask(limits, facts(head, peer, &limits.route, None), exchange).await
}

/// The limits of a route that need to. What waits for them does not borrow the body: that cannot be looked at from two
/// threads.
#[expect(clippy::needless_pass_by_value, reason = "a borrowed one would be held by whoever waits")]
pub(in crate::pipeline) fn with<'c>(
    limits: &'c RouteLimits,
    called: Called<'c, '_>,
    head: &'c request::Parts,
    peer: &'c Peer,
    exchange: &'c mut Exchange,
) -> impl Future<Output = Result<(), Refusal>> + Send + use<'c> {
    let Called { rpc, schema, body, encoding } = called;
    let asks = limits.look_into && !limits.set.is_empty();
    let wire = if asks { message(body, encoding) } else { None };
    async move {
        if !asks {
            return Ok(());
        }
        let message = Message { schema, fields: limits.fields(rpc), wire: wire.as_deref() };
        ask(limits, facts(head, peer, &limits.route, Some(message)), exchange).await
    }
}

/// Asks them, and holds the request back until its turn comes.
async fn ask(limits: &RouteLimits, facts: Facts<'_>, exchange: &mut Exchange) -> Result<(), Refusal> {
    let snapshot = Arc::clone(exchange.snapshot());
    let left = exchange.deadline().map(|deadline| deadline.saturating_duration_since(clock::now()));
    let patience = left.unwrap_or(exchange.limits().request_timeout);
    let asked = answer(exchange.ask(&snapshot, &limits.set, &facts, patience)).await;
    let wait = asked.inspect_err(|_| exchange.gives_back(&snapshot))?;
    hold(wait).await;
    Ok(())
}

/// How long the request is to be held back.
async fn answer(asking: Asking<'_>) -> Result<Duration, Refusal> {
    match asking {
        Asking::Done(said) => said,
        Asking::Waits(said) => said.await,
    }
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
