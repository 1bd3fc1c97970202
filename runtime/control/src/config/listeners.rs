//! `listeners`: where clients connect.

use super::limits;
use crate::fields::{Context, Fields};
use crate::value;
use std::sync::Arc;
use tidegate_gateway::config::Listener;

const LATER: &[&str] = &["tls", "trusted_peers", "identity_headers", "limits"];

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
        listeners.push(Listener { bind: bind.value, limits, place: bind.span.place() });
    }
    listeners
}
