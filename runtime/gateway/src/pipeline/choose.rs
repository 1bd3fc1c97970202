//! Choose: which upstream takes the request.

use crate::canary::Rules;
use crate::config::template::Facts;
use crate::exchange::Exchange;
use crate::peer::Peer;
use http::request;
use tidegate_traffic::RequestView;
use tidegate_traffic::balance::Policy;

/// The upstream that the route's canary rules choose, else the route's own; an index into the config's.
pub(super) fn upstream(
    rules: Option<&Rules>,
    stable: usize,
    head: &request::Parts,
    peer: &Peer,
    exchange: &mut Exchange,
) -> usize {
    let upstream = match rules {
        Some(rules) => {
            let chosen = rules.choose(&view(head, peer));
            let upstream = chosen.upstream;
            exchange.chosen(chosen);
            upstream
        }
        None => stable,
    };
    if let Policy::RingHash { split, .. } = &exchange.snapshot().config.upstreams[upstream].pool.balance {
        let place = split.place(&view(head, peer));
        exchange.stands_at(place);
    }
    upstream
}

/// What placeholders stand for, once it is chosen.
pub(super) fn facts<'f>(stable: usize, exchange: &'f Exchange, peer: &'f Peer) -> Facts<'f> {
    Facts {
        canary: exchange.canary_rule(),
        peer: peer.forwarded_for(),
        request_id: exchange.request_id(),
        upstream: &exchange.snapshot().config.upstreams[exchange.upstream(stable)].name,
    }
}

/// What decisions look at of a request.
pub(crate) fn view<'r>(head: &'r request::Parts, peer: &Peer) -> RequestView<'r> {
    RequestView { method: &head.method, query: head.uri.query(), headers: &head.headers, trusted: peer.is_trusted() }
}
