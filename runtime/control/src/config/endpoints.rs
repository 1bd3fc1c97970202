//! `endpoints` of an upstream: a list, or where they are found.

use crate::diagnostics::Span;
use crate::fields::{Context, Fields, Located};
use crate::value::{self, Wrong};
use crate::yaml::{Kind, Node};
use std::net::{IpAddr, SocketAddr};
use tidegate_gateway::config::Listener;
use tidegate_upstream::{Config, Discovery, Endpoint};

/// The largest weight: what an SRV record can say.
const WEIGHT_MAX: u32 = 65_535;

/// Where DNS servers listen.
const DNS_PORT: u16 = 53;

/// What `endpoints` says.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    listed: Vec<(Endpoint, u32)>,
    discovery: Option<Discovery>,
}

impl Endpoints {
    pub(super) fn put(self, pool: &mut Config) {
        let (endpoints, weights): (Vec<_>, Vec<_>) = self.listed.into_iter().unzip();
        if weights.iter().any(|weight| *weight != 1) {
            pool.weights = weights;
        }
        pool.endpoints = endpoints;
        pool.discovery = self.discovery;
    }
}

pub(super) fn read(node: &Node, listeners: &[Listener], cx: &mut Context) -> Option<Endpoints> {
    if let Kind::Map(_) = &node.kind {
        return discovery(node, listeners, cx)
            .map(|found| Endpoints { discovery: Some(found), ..Endpoints::default() });
    }
    let items = cx.list("endpoints", node)?;
    if items.is_empty() {
        cx.error(node.span, "`endpoints` is empty: an upstream needs at least one");
    }
    let mut distinct: Vec<(Located<(String, u16)>, u32)> = Vec::new();
    for item in items {
        let Some((endpoint, weight)) = listed(item, cx) else { continue };
        refuse_ourselves(&endpoint, listeners, cx);
        if let Some((first, _)) = distinct.iter().find(|(other, _)| other.value == endpoint.value) {
            let (source, first) = (cx.source.clone(), first.span);
            let (host, port) = &endpoint.value;
            cx.error_with(endpoint.span, format!("the endpoint {host}:{port} is listed twice"), |d| {
                d.label("again here").related(&source, first, "first here")
            });
        } else {
            distinct.push((endpoint, weight));
        }
    }
    if !distinct.is_empty() && distinct.iter().all(|(_, weight)| *weight == 0) {
        cx.error(node.span, "the weights of `endpoints` sum to 0: no endpoint would take a call");
    }
    let endpoint = |(host, port)| Endpoint { host, port };
    let listed = distinct.into_iter().map(|(address, weight)| (endpoint(address.value), weight)).collect();
    Some(Endpoints { listed, discovery: None })
}

/// `127.0.0.1:50051`, or `{ address: 127.0.0.1:50051, weight: 3 }`.
fn listed(item: &Node, cx: &mut Context) -> Option<(Located<(String, u16)>, u32)> {
    if !matches!(item.kind, Kind::Map(_)) {
        return cx.scalars_of("endpoints", item, value::endpoint).map(|endpoint| (endpoint, 1));
    }
    let mut fields = Fields::of(item, "an endpoint", cx)?;
    let address = fields.required("address", cx, value::endpoint);
    let weight = fields.optional("weight", cx, weight);
    fields.finish(cx);
    Some((address?, weight.map_or(1, |weight| weight.value)))
}

fn weight(text: &str) -> Result<u32, Wrong> {
    let weight = text.parse().ok().filter(|weight| *weight <= WEIGHT_MAX);
    weight.ok_or_else(|| Wrong::new("a weight", format!("write a whole number, `0` (no calls) to `{WEIGHT_MAX}`")))
}

fn discovery(node: &Node, listeners: &[Listener], cx: &mut Context) -> Option<Discovery> {
    let mut fields = Fields::of(node, "`endpoints`", cx)?;
    let span = fields.span();
    let sources = fields.entries().iter().filter(|entry| entry.key != "servers");
    let given: Vec<Span> = sources.map(|entry| entry.key_span).collect();
    let dns = fields.optional("dns", cx, dns_name);
    let srv = fields.optional("srv", cx, srv_name);
    let etcd = fields.optional("etcd", cx, etcd_key);
    let servers_span = fields.key_span("servers");
    let servers = fields.node("servers", cx).and_then(|node| servers(node, cx));
    fields.finish(cx);
    if etcd.is_some() && servers.is_some() {
        cx.error(servers_span, "`servers` are those of DNS: etcd is named in its URL");
    }
    let servers = servers.unwrap_or_default();
    match given.as_slice() {
        [] => cx.error_with(span, "`endpoints` needs one of `dns`, `srv` and `etcd`", |d| {
            d.help("or list them: `[127.0.0.1:50051]`")
        }),
        [_] => {}
        [_, second, ..] => {
            cx.error(*second, "`endpoints` has more than one source: keep one of `dns`, `srv` and `etcd`");
        }
    }
    if let Some(name) = dns {
        refuse_ourselves(&name, listeners, cx);
        let (host, port) = name.value;
        return Some(Discovery::Dns { name: Endpoint { host, port }, servers });
    }
    srv.map(|name| Discovery::Srv { name: name.value, servers }).or(etcd.map(|key| Discovery::Etcd(key.value)))
}

/// The DNS servers that are asked in place of those of the system.
fn servers(node: &Node, cx: &mut Context) -> Option<Vec<SocketAddr>> {
    let items = cx.list("servers", node)?;
    if items.is_empty() {
        cx.error(node.span, "`servers` is empty: leave it out to ask those of the system");
    }
    let servers = items.iter().filter_map(|item| cx.scalars_of("servers", item, server));
    Some(servers.map(|server| server.value).collect())
}

/// `127.0.0.1:8600`, or an address alone.
fn server(text: &str) -> Result<SocketAddr, Wrong> {
    let alone = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    text.parse::<SocketAddr>().ok().filter(|server| server.port() != 0).or_else(|| alone().ok()).ok_or_else(|| {
        Wrong::new("a DNS server", "write its IP address, with a port if that is not 53: `127.0.0.1:8600`")
    })
}

/// A name and a port: an address needs no looking up.
fn dns_name(text: &str) -> Result<(String, u16), Wrong> {
    let (host, port) = value::endpoint(text)?;
    if host.parse::<IpAddr>().is_ok() {
        return Err(Wrong::new("a name and a port", format!("an address is no name: write `endpoints: [{text}]`")));
    }
    Ok((host, port))
}

/// `_grpc._tcp.shop.example`.
fn srv_name(text: &str) -> Result<String, Wrong> {
    let label = |part: &str| part.strip_prefix('_').is_some_and(|rest| !rest.is_empty());
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let mut parts = text.split('.');
    let fits = parts.next().is_some_and(label)
        && parts.next().is_some_and(label)
        && parts.next().is_some_and(|part| !part.is_empty())
        && text.bytes().all(name);
    if fits {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("the name of an SRV record", "for example `_grpc._tcp.shop.example`; it says the ports itself"))
}

/// `/endpoints/shop/`, in the etcd that the config is in, or the URL of another one.
fn etcd_key(text: &str) -> Result<String, Wrong> {
    let wrong = |hint: &str| Wrong::new("a prefix of keys in etcd", hint);
    let path = match text.split_once("://") {
        Some(("etcd" | "etcds", rest)) if rest.split('/').next().is_some_and(|hosts| hosts.contains('@')) => {
            return Err(wrong("a URL without credentials: those of the environment are used"));
        }
        Some(("etcd" | "etcds", rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        Some(_) => return Err(wrong("its URL begins with `etcd://` or `etcds://`")),
        None => text,
    };
    if !path.starts_with('/') || !path.ends_with('/') || path.len() < 3 {
        return Err(wrong(
            "it begins and ends with a slash: `/endpoints/shop/`, or `etcd://10.0.0.1:2379/endpoints/shop/`",
        ));
    }
    Ok(text.to_owned())
}

/// Calls would go round in a circle.
fn refuse_ourselves(endpoint: &Located<(String, u16)>, listeners: &[Listener], cx: &mut Context) {
    let (host, port) = &endpoint.value;
    let address = host.parse::<IpAddr>().ok();
    let is_local =
        host == "localhost" || address.is_some_and(|address| address.is_loopback() || address.is_unspecified());
    let ours = listeners.iter().find(|listener| {
        let bind = listener.bind;
        bind.port() == *port
            && *port != 0
            && (address == Some(bind.ip())
                || bind.ip().is_unspecified() && is_local
                || bind.ip().is_loopback() && host == "localhost")
    });
    if let Some(listener) = ours {
        let (source, place) = (cx.source.clone(), listener.place);
        cx.error_with(endpoint.span, format!("the endpoint {host}:{port} is this gateway itself"), |d| {
            d.label("calls would go round in a circle").related(&source, place.into(), "it listens here")
        });
    }
}
