//! The connections of an upstream, and how large its replies may be.

use super::limits::take;
use crate::fields::{Context, Fields};
use crate::value::{self, Wrong};
use tidegate_gateway::config::limits::Replies;
use tidegate_upstream::{Config, Keepalive, Protocol};

/// What HTTP/2 allows (RFC 9113, section 6.9.1).
const WINDOW_MAX: u64 = (1 << 31) - 1;

/// Takes the keys of an upstream into its pool.
pub(super) fn read(fields: &mut Fields<'_>, pool: &mut Config, cx: &mut Context) -> Replies {
    if pool.protocol == Protocol::H1 {
        refuse_keys_of_h2(fields, cx);
    }
    take(&mut pool.connect_timeout, fields.optional("connect_timeout", cx, value::duration));
    take(&mut pool.connections_max, fields.optional("connections", cx, value::count));
    connections_ahead(fields, pool, cx);
    if let Some(streams) = fields.optional("streams", cx, value::count) {
        pool.streams_max = u32::try_from(streams.value).unwrap_or(u32::MAX);
    }
    take(&mut pool.waiting_max, fields.optional("waiting", cx, value::count));
    if let Some(idle) = fields.optional("idle_timeout", cx, value::duration) {
        pool.idle_timeout = Some(idle.value);
    }
    keepalive(fields, pool, cx);
    h2(fields, pool, cx);
    let mut replies = Replies::default();
    take(&mut replies.max_message, fields.optional("max_message", cx, value::buffer));
    if let Some(ratio) = fields.optional("max_ratio", cx, value::count) {
        replies.max_ratio = u32::try_from(ratio.value).unwrap_or(u32::MAX);
    }
    replies
}

/// One where connections are kept for long: servers of HTTP/1.1 soon close what nobody uses.
fn connections_ahead(fields: &mut Fields<'_>, pool: &mut Config, cx: &mut Context) {
    pool.connections_ahead = usize::from(pool.protocol == Protocol::H2);
    let ahead = fields.optional("connections_ahead", cx, count_or_none);
    if let Some(ahead) = &ahead
        && ahead.value > pool.connections_max
    {
        cx.error(ahead.span, "`connections_ahead` is more than `connections` allows");
    }
    take(&mut pool.connections_ahead, ahead);
}

fn count_or_none(text: &str) -> Result<usize, Wrong> {
    if text == "0" { Ok(0) } else { value::count(text).map_err(|_| Wrong::new("a number", "`0` (none), or more")) }
}

/// Keys that would do nothing.
fn refuse_keys_of_h2(fields: &Fields<'_>, cx: &mut Context) {
    for entry in fields.entries().iter().filter(|entry| matches!(entry.key.as_str(), "streams" | "keepalive" | "h2")) {
        cx.error_with(
            entry.key_span,
            format!("`{}` is of HTTP/2, which this upstream does not speak", entry.key),
            |d| d.help("without a `schema` an upstream speaks HTTP/1.1; say `protocol: h2` if it speaks HTTP/2"),
        );
    }
}

fn keepalive(fields: &mut Fields<'_>, pool: &mut Config, cx: &mut Context) {
    let Some(node) = fields.node("keepalive", cx) else { return };
    let Some(mut fields) = Fields::of(node, "`keepalive`", cx) else { return };
    let Keepalive { mut interval, mut timeout } = tidegate_upstream::config::KEEPALIVE;
    take(&mut interval, fields.optional("interval", cx, value::duration));
    take(&mut timeout, fields.optional("timeout", cx, value::duration));
    fields.finish(cx);
    pool.keepalive = Some(Keepalive { interval, timeout });
}

fn h2(fields: &mut Fields<'_>, pool: &mut Config, cx: &mut Context) {
    let fields = fields.node("h2", cx).and_then(|node| Fields::of(node, "`h2`", cx));
    let mut connection = None;
    if let Some(mut fields) = fields {
        take(&mut pool.stream_window_bytes, fields.optional("stream_window", cx, value::window));
        connection = fields.optional("connection_window", cx, value::window);
        if let Some(bytes) = fields.optional("max_header_bytes", cx, value::header_bytes) {
            pool.header_list_max_bytes = u32::try_from(bytes.value).unwrap_or(u32::MAX);
        }
        fields.finish(cx);
    }
    match connection {
        Some(connection) if connection.value < pool.stream_window_bytes => {
            cx.error_with(connection.span, "`connection_window` is less than `stream_window`", |diagnostic| {
                diagnostic.label("one stream could not use its own")
            });
        }
        Some(connection) => pool.connection_window_bytes = connection.value,
        // Streams that are not read then never hold up one that is.
        None => {
            let all = u64::from(pool.streams_max) * u64::from(pool.stream_window_bytes);
            pool.connection_window_bytes = u32::try_from(all.min(WINDOW_MAX)).unwrap_or(pool.stream_window_bytes);
        }
    }
}
