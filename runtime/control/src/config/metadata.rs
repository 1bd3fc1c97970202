//! `metadata`: which request headers become gRPC metadata.

use crate::fields::{Context, Fields};
use crate::value;
use tidegate_gateway::config::MetadataPolicy;

const LATER: &[&str] = &["map", "set", "preset"];

pub(super) fn read(fields: &mut Fields<'_>, cx: &mut Context) -> MetadataPolicy {
    let Some(node) = fields.node("metadata", cx) else { return MetadataPolicy::default() };
    let Some(fields) = Fields::of(node, "`metadata`", cx) else { return MetadataPolicy::default() };
    let mut fields = fields.not_yet(LATER);
    let allow = fields.node("allow", cx).and_then(|node| cx.scalars("allow", node, value::header_pattern));
    fields.finish(cx);
    match allow {
        Some(names) => MetadataPolicy { allow: names.into_iter().map(|name| name.value).collect() },
        None => MetadataPolicy::default(),
    }
}
