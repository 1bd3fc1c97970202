//! `listeners`: where clients connect.

use super::{limits, rate_limits};
use crate::fields::{Context, Fields};
use crate::value;
use std::sync::Arc;
use tidegate_gateway::config::{Listener, Trust};

const LATER: &[&str] = &["tls"];

pub(super) fn read(fields: &mut Fields<'_>, cx: &mut Context) -> Vec<Listener> {
    let Some(node) = fields.required_node("listeners", cx) else { return Vec::new() };
    let Some(items) = cx.list("listeners", node) else { return Vec::new() };
    if items.is_empty() {
        cx.error(node.span, "`listeners` is empty: the gateway needs a port to listen on");
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for item in items {
        let Some(fields) = Fields::of(item, "a listener", cx) else { continue };
        let mut fields = fields.not_yet(LATER);
        let bind = fields.required("bind", cx, value::bind);
        let limits = Arc::new(limits::listener(&mut fields, cx));
        let trust = Arc::new(trust(&mut fields, cx));
        let rate_limits = rate_limits::names(&mut fields, cx);
        fields.finish(cx);
        let Some(bind) = bind else { continue };
        let same = |listener: &&Listener| listener.bind == bind.value && bind.value.port() != 0;
        if let Some(first) = listeners.iter().find(same) {
            let (source, place) = (cx.source.clone(), first.place);
            cx.error_with(bind.span, format!("two listeners bind {}", bind.value), |diagnostic| {
                diagnostic.label("again here").related(&source, place.into(), "first here")
            });
            continue;
        }
        listeners.push(Listener { bind: bind.value, limits, trust, rate_limits, place: bind.span.place() });
    }
    listeners
}

/// Whom it believes what headers say.
fn trust(fields: &mut Fields<'_>, cx: &mut Context) -> Trust {
    let peers = fields.node("trusted_peers", cx).and_then(|node| cx.scalars("trusted_peers", node, value::network));
    let names = fields
        .node("identity_headers", cx)
        .and_then(|node| cx.scalars("identity_headers", node, value::identity_header));
    let peers: Vec<_> = peers.unwrap_or_default();
    for all in peers.iter().filter(|peer| peer.value.is_everyone()) {
        cx.warn(all.span, format!("`{}` trusts every client with who it is and where it comes from", all.value));
    }
    Trust {
        peers: peers.into_iter().map(|peer| peer.value).collect(),
        identity_headers: names.unwrap_or_default().into_iter().map(|name| name.value).collect(),
    }
}
