//! What clients may take: `connections` and `memory` of the process, and the limits of a listener.

use crate::fields::{Context, Fields, Located};
use crate::{machine, value};
use tidegate_gateway::config::Limits;
use tidegate_gateway::config::limits::{Body, Connections, H2, Headers, Memory};

/// The value in the file, in the place of the default.
pub(super) fn take<T>(place: &mut T, found: Option<Located<T>>) {
    if let Some(found) = found {
        *place = found.value;
    }
}

/// `connections` of the process.
pub(super) fn connections(fields: &mut Fields<'_>, cx: &mut Context) -> Connections {
    let mut connections = Connections::default();
    let Some(node) = fields.node("connections", cx) else { return connections };
    let Some(mut fields) = Fields::of(node, "`connections`", cx) else { return connections };
    take(&mut connections.max, fields.optional("max", cx, value::count));
    take(&mut connections.fd_reserve, fields.optional("fd_reserve", cx, value::count));
    fields.finish(cx);
    connections
}

/// `memory`: by default four fifths of what the machine, or the container, has.
pub(super) fn memory(fields: &mut Fields<'_>, cx: &mut Context) -> Memory {
    let mut memory = Memory { max: machine::memory().map(|bytes| bytes / 5 * 4), ..Memory::default() };
    let Some(node) = fields.node("memory", cx) else { return memory };
    let Some(mut fields) = Fields::of(node, "`memory`", cx) else { return memory };
    if let Some(max) = fields.optional("max", cx, value::size) {
        memory.max = Some(max.value);
    }
    take(&mut memory.shed_percent, fields.optional("shed", cx, value::percent));
    fields.finish(cx);
    memory
}

/// The limits that stand in a listener.
pub(super) fn listener(fields: &mut Fields<'_>, cx: &mut Context) -> Limits {
    let mut limits = Limits::default();
    if let Some(node) = fields.node("connections", cx)
        && let Some(mut fields) = Fields::of(node, "`connections`", cx)
    {
        take(&mut limits.connections, fields.optional("max", cx, value::count));
        take(&mut limits.connections_per_ip, fields.optional("per_ip", cx, value::count));
        fields.finish(cx);
    }
    limits.headers = headers(fields, cx);
    limits.body = body(fields, cx);
    limits.h2 = h2(fields, cx);
    for (key, place) in [
        ("idle_timeout", &mut limits.idle_timeout),
        ("write_timeout", &mut limits.write_timeout),
        ("request_timeout", &mut limits.request_timeout),
        ("max_age", &mut limits.max_age),
    ] {
        take(place, fields.optional(key, cx, value::duration));
    }
    if let Some(requests) = fields.optional("max_requests", cx, value::count) {
        limits.max_requests = requests.value as u64;
    }
    limits
}

fn headers(fields: &mut Fields<'_>, cx: &mut Context) -> Headers {
    let mut headers = Headers::default();
    let Some(node) = fields.node("headers", cx) else { return headers };
    let Some(mut fields) = Fields::of(node, "`headers`", cx) else { return headers };
    take(&mut headers.max, fields.optional("max", cx, value::header_count));
    take(&mut headers.max_bytes, fields.optional("max_bytes", cx, value::header_bytes));
    take(&mut headers.timeout, fields.optional("timeout", cx, value::duration));
    fields.finish(cx);
    headers
}

fn body(fields: &mut Fields<'_>, cx: &mut Context) -> Body {
    let mut body = Body::default();
    let Some(node) = fields.node("body", cx) else { return body };
    let Some(mut fields) = Fields::of(node, "`body`", cx) else { return body };
    take(&mut body.max_bytes, fields.optional("max_bytes", cx, value::buffer));
    take(&mut body.timeout, fields.optional("timeout", cx, value::duration));
    take(&mut body.min_rate, fields.optional("min_rate", cx, value::byte_rate));
    fields.finish(cx);
    body
}

fn h2(fields: &mut Fields<'_>, cx: &mut Context) -> H2 {
    let mut h2 = H2::default();
    let Some(node) = fields.node("h2", cx) else { return h2 };
    let Some(mut fields) = Fields::of(node, "`h2`", cx) else { return h2 };
    for (key, place) in [("max_streams", &mut h2.max_streams), ("max_resets", &mut h2.max_resets)] {
        if let Some(count) = fields.optional(key, cx, value::count) {
            *place = u32::try_from(count.value).unwrap_or(u32::MAX);
        }
    }
    take(&mut h2.max_local_resets, fields.optional("max_local_resets", cx, value::count));
    take(&mut h2.stream_window, fields.optional("stream_window", cx, value::window));
    let connection = fields.optional("connection_window", cx, value::window);
    if let Some(connection) = connection.as_ref().filter(|connection| connection.value < h2.stream_window) {
        cx.error_with(connection.span, "`connection_window` is less than `stream_window`", |diagnostic| {
            diagnostic.label("one stream could not use its own")
        });
    }
    take(&mut h2.connection_window, connection);
    take(&mut h2.ping_interval, fields.optional("ping_interval", cx, value::duration));
    take(&mut h2.ping_timeout, fields.optional("ping_timeout", cx, value::duration));
    fields.finish(cx);
    h2
}
