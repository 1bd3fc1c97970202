//! What becomes of a request that a plain route takes.

use super::{BodyOf, Served, choose};
use crate::answer::{Answer, Refusal};
use crate::exchange::Exchange;
use crate::peer::Peer;
use crate::snapshot::RoutedPlain;
use crate::upstreams::Upstreams;
use bytes::Bytes;
use http::request;

/// Serves a request of a plain route.
pub(super) async fn serve<U, B>(
    _upstreams: &U,
    routed: &RoutedPlain<'_>,
    head: &request::Parts,
    _body: B,
    peer: &Peer,
    exchange: &mut Exchange,
) -> Result<Served<BodyOf<U>>, Refusal>
where
    U: Upstreams,
    B: http_body::Body<Data = Bytes>,
{
    exchange.routed_plain(routed);
    if let Some(stable) = routed.route.upstream {
        choose::upstream(routed.route.canary.as_ref(), stable, head, peer, exchange);
    }
    Err(Refusal::new(Answer::NotImplemented, "plain routes are not served yet"))
}
