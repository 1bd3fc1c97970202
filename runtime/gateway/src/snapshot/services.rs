//! Native gRPC: from `/pkg.Service/Method` to its route.

use super::CompiledRoute;
use super::Snapshot;
use super::compile::upstream_uri;
use crate::config::{Config, HostPattern};
use crate::peer::Peer;
use crate::policies::{self, Plan};
use http::{HeaderMap, Uri};
use std::collections::HashMap;
use std::sync::Arc;
use tidegate_telemetry::metrics::{Metrics, requests};
use tidegate_transcode::Idempotency;

/// The services that are routed for one host pattern.
///
/// A routed service takes every method that it is called with: those of the schema under names of
/// their own, all others under one, so that whatever clients make up costs one series.
#[derive(Debug, Default)]
pub(super) struct Services {
    /// By path.
    methods: HashMap<Box<str>, Method>,
    /// By the service's full name: what a method that the schema does not have is taken for.
    others: HashMap<Box<str>, Method>,
}

/// A method as it is called natively, made once.
#[derive(Debug)]
pub(crate) struct Method {
    /// Index into [`Config::routes`].
    pub(crate) route: usize,
    /// `http://upstream/pkg.Service/Method`; of a method that the schema does not have, without the path.
    uri: Uri,
    /// `/pkg.Service/Method`, or `/pkg.Service/(unknown)`.
    pub(crate) name: Arc<str>,
    pub(crate) metrics: Arc<requests::Route>,
    /// `None` of a method that the schema does not have.
    pub(crate) kind: Option<Kind>,
}

/// Which sides of a call are streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) client_streaming: bool,
    pub(crate) server_streaming: bool,
    /// Its options say that a call may be repeated.
    pub(crate) idempotent: bool,
}

/// The route of one native call.
#[derive(Debug)]
pub(crate) struct RoutedRpc<'s> {
    pub(crate) method: &'s Method,
    pub(crate) route: &'s CompiledRoute,
    pub(crate) uri: Uri,
}

// === impl Services ===

impl Services {
    /// The services of all routes with this host pattern; of two routes for one service the first counts.
    pub(super) fn compile(config: &Config, host: &HostPattern, routes: &[CompiledRoute], metrics: &Metrics) -> Self {
        let mut services = Self::default();
        for (index, route) in config.routes.iter().enumerate().filter(|(_, route)| route.host == *host) {
            let compiled = &routes[index];
            if services.others.contains_key(&*route.service) {
                continue;
            }
            let upstream = &config.upstreams[compiled.upstream].name;
            let method = |name: &str, kind: Option<Kind>| {
                let path = format!("/{}/{name}", route.service);
                Method {
                    route: index,
                    uri: upstream_uri(upstream, if kind.is_none() { "/" } else { &path }),
                    metrics: metrics.route(&path, "POST"),
                    name: path.into(),
                    kind,
                }
            };
            // A schema that is not there yet is no hindrance: then no method is known.
            let service = compiled.schema.find_service(&route.service);
            for known in service.iter().flat_map(|service| &service.methods) {
                let (client_streaming, server_streaming) = (known.client_streaming, known.server_streaming);
                let idempotent = Idempotency::of(known) != Idempotency::Unknown;
                let known = method(&known.name, Some(Kind { client_streaming, server_streaming, idempotent }));
                services.methods.insert(known.name.as_ref().into(), known);
            }
            services.others.insert((&*route.service).into(), method("(unknown)", None));
        }
        services
    }

    /// The method at a path; `None` if its service is not routed.
    pub(super) fn find<'s>(&'s self, routes: &'s [CompiledRoute], path: &str) -> Option<RoutedRpc<'s>> {
        if let Some(method) = self.methods.get(path) {
            return Some(RoutedRpc { method, route: &routes[method.route], uri: method.uri.clone() });
        }
        let (service, name) = path.strip_prefix('/')?.rsplit_once('/')?;
        let method = self.others.get(service).filter(|_| !name.is_empty())?;
        let mut parts = method.uri.clone().into_parts();
        parts.path_and_query = Some(path.parse().ok()?);
        Some(RoutedRpc { method, route: &routes[method.route], uri: Uri::from_parts(parts).ok()? })
    }
}

// === impl RoutedRpc ===

impl RoutedRpc<'_> {
    /// Whether a side of the call is a stream, as far as is known: a method that the schema does not
    /// have may be one.
    pub(crate) fn streams(&self) -> bool {
        self.method.kind.is_none_or(|kind| kind.client_streaming || kind.server_streaming)
    }

    /// How its call to this upstream is made: again for what its options say.
    pub(crate) fn plan<'p>(
        &'p self,
        snapshot: &'p Snapshot,
        upstream: usize,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Plan<'p> {
        let idempotent = self.method.kind.is_some_and(|kind| kind.idempotent);
        let kind = policies::Kind { rpc: Some(&self.method.name), whole: !self.streams(), idempotent };
        self.route.policies.plan(&self.route.breakers, snapshot, upstream, headers, peer, kind)
    }

    /// Whether the request is one message.
    pub(crate) fn takes_one_message(&self) -> bool {
        self.method.kind.is_some_and(|kind| !kind.client_streaming)
    }
}
