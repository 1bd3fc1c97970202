//! Choose: which upstream takes the request.

use crate::canary::Rules;
use crate::exchange::Exchange;
use crate::peer::Peer;
use http::request;
use tidegate_traffic::RequestView;

/// The upstream that the route's canary rules choose, else the route's own; an index into the config's.
pub(super) fn upstream(
    rules: Option<&Rules>,
    stable: usize,
    head: &request::Parts,
    peer: &Peer,
    exchange: &mut Exchange,
) -> usize {
    let Some(rules) = rules else { return stable };
    let chosen = rules.choose(&view(head, peer));
    let upstream = chosen.upstream;
    exchange.chosen(chosen);
    upstream
}

/// What decisions look at of a request.
pub(crate) fn view<'r>(head: &'r request::Parts, peer: &Peer) -> RequestView<'r> {
    RequestView { method: &head.method, query: head.uri.query(), headers: &head.headers, trusted: peer.is_trusted() }
}
