//! Plain routes, compiled, and which of a host's routes takes a request.

use super::{Host, Location, RouteLine, Routed, Snapshot};
use crate::breakers::Breakers;
use crate::canary::Rules;
use crate::config::{Config, HostPattern, PlainRoute, Problem, Upgrade};
use crate::limits::{self, RouteLimits};
use crate::peer::Peer;
use crate::policies::{Kind, Plan, Policies};
use http::{HeaderMap, Method, Uri, request};
use std::borrow::Cow;
use std::sync::Arc;
use tidegate_telemetry::metrics::{Metrics, requests};
use tidegate_traffic::{Entry, NormalPath, PathPattern, PathRefusal, RequestView, Table, retry};
use tidegate_transcode::{Code, Miss, Status};

/// The methods that are counted by their names; all others are counted together.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
];

/// Any other method, as metrics name it.
const OTHER_METHOD: &str = "(other)";

/// A plain route with what it names resolved.
#[derive(Debug)]
pub(crate) struct CompiledPlain {
    /// Its index in [`Config::plain`].
    pub(crate) index: usize,
    /// Index into [`Config::upstreams`]; `None` of a route that sends nothing on.
    pub(crate) upstream: Option<usize>,
    pub(crate) canary: Option<Rules>,
    /// Which requests are sent on at all.
    pub(crate) breakers: Breakers,
    /// Whether they are sent again, and how many at once.
    pub(crate) policies: Policies,
    /// How many.
    pub(crate) limits: RouteLimits,
    /// The pattern of its path: what logs and metrics call it.
    pub(crate) name: Arc<str>,
    /// By method, in the order of [`METHODS`], and of all others.
    metrics: Vec<Arc<requests::Route>>,
}

/// The plain route of one request.
#[derive(Debug)]
pub(crate) struct RoutedPlain<'s> {
    pub(crate) route: &'s CompiledPlain,
    pub(crate) config: &'s PlainRoute,
    /// In the form in which it was matched: what is sent on.
    pub(crate) path: Cow<'s, str>,
    pub(crate) metrics: &'s Arc<requests::Route>,
}

/// What takes a request.
#[derive(Debug)]
pub(crate) enum Found<'s> {
    /// An http rule.
    Rule(Routed<'s>),
    /// A plain route.
    Plain(RoutedPlain<'s>),
}

impl RoutedPlain<'_> {
    /// So many bytes of the path are what the route says; what follows is the client's.
    pub(crate) fn matched(&self) -> usize {
        match &self.config.path {
            PathPattern::Exact(path) | PathPattern::Prefix(path) => path.len(),
        }
    }

    /// How a request is sent to this upstream: again for what its method says, unless its connection becomes another.
    pub(crate) fn plan<'p>(
        &'p self,
        snapshot: &'p Snapshot,
        upstream: usize,
        head: &request::Parts,
        upgrade: Option<Upgrade>,
        peer: &Peer,
    ) -> Plan<'p> {
        let kind = Kind { rpc: None, whole: upgrade.is_none(), idempotent: retry::is_idempotent(&head.method) };
        self.route.policies.plan(&self.route.breakers, snapshot, upstream, &head.headers, peer, kind)
    }
}

// === impl CompiledPlain ===

impl CompiledPlain {
    /// All plain routes of a config. What they name was checked before.
    pub(super) fn compile_all(config: &Config, metrics: &Metrics, problems: &mut Vec<Problem>) -> Vec<Self> {
        let mut compile = |(index, route): (usize, &PlainRoute)| {
            let place = |name: &str| config.upstreams.iter().position(|upstream| upstream.name == name);
            let upstream = route.upstream().and_then(place);
            let name = route.path.to_string();
            let full = route_name(&route.host, &name);
            let canary = upstream.and_then(|stable| Rules::compile(&full, &route.canary, stable, config, metrics));
            let names = METHODS.iter().map(Method::as_str).chain([OTHER_METHOD]);
            let of = limits::Of { route: &full, calls: limits::Calls::Nothing, config };
            Self {
                index,
                limits: RouteLimits::compile(&route.rate_limits, &of, problems),
                upstream,
                breakers: upstream
                    .map(|stable| super::compile::breakers_of(&full, stable, canary.as_ref(), None, config))
                    .map(|of| Breakers::compile(route.breaker.as_ref(), &of, problems))
                    .unwrap_or_default(),
                policies: Policies::compile(&full, &route.resilience, config),
                canary,
                metrics: names.map(|method| metrics.route(&name, method)).collect(),
                name: name.into(),
            }
        };
        config.plain.iter().enumerate().map(&mut compile).collect()
    }

    fn metrics(&self, method: &Method) -> &Arc<requests::Route> {
        let place = METHODS.iter().position(|known| known == method);
        &self.metrics[place.unwrap_or(METHODS.len())]
    }
}

/// A route's name among all: what it serves, and on which host.
pub(super) fn route_name(host: &HostPattern, what: &str) -> String {
    match host {
        HostPattern::Any => what.to_owned(),
        host => format!("{host} {what}"),
    }
}

/// The plain routes with this host pattern, and which they are: by their place in the table.
pub(super) fn table(config: &Config, host: &HostPattern) -> (Table, Vec<usize>) {
    let of_host = config.plain.iter().enumerate().filter(|(_, route)| route.host == *host);
    let (places, entries) = of_host
        .map(|(index, route)| {
            let (pattern, conditions) = (route.path.clone(), route.conditions.clone());
            (index, Entry { pattern, conditions, order: route.order })
        })
        .unzip();
    (Table::new(entries), places)
}

// === impl Snapshot ===

impl Snapshot {
    /// Finds the route of a request: the host (exact, then wildcard, then any), then the most specific path: an
    /// http rule or an exact path, then the longest prefix; among equals the first in the file. What the
    /// more specific refuses for its method or its other conditions, the less specific may take.
    pub(crate) fn find<'s>(&'s self, method: &Method, uri: &'s Uri, headers: &HeaderMap) -> Result<Found<'s>, Miss> {
        // Peers are of no matter to routes.
        let request = RequestView { method, query: uri.query(), headers, trusted: false };
        let mut normal = None;
        let mut miss = Miss::NotFound;
        for (index, host) in self.hosts_of(uri, headers) {
            let other = match self.find_in(index, host, &request, uri, &mut normal) {
                Ok(found) => return Ok(found),
                Err(other) => other,
            };
            if matches!(miss, Miss::NotFound) {
                miss = other;
            }
        }
        Err(miss)
    }

    fn find_in<'s>(
        &'s self,
        index: usize,
        host: &'s Host,
        request: &RequestView<'_>,
        uri: &'s Uri,
        normal: &mut Option<Result<NormalPath<'s>, PathRefusal>>,
    ) -> Result<Found<'s>, Miss> {
        let ruled = host.router.find(request.method, uri.path()).map(|matched| {
            let route = &self.routes[matched.binding.tag as usize];
            let target = &host.targets[matched.index];
            let location = Location { host: index, binding: matched.index };
            Routed { matched, location, route, target }
        });
        if host.plain.is_empty() {
            return ruled.map(Found::Rule);
        }
        let path = match (normal.get_or_insert_with(|| NormalPath::new(uri.path())), ruled) {
            (Ok(path), ruled) => {
                let rival = ruled.as_ref().ok().map(|routed| self.order_of(routed));
                let missed = match host.plain.find(path, request, rival) {
                    Ok(place) => return Ok(Found::Plain(self.routed_plain(host, place, path, request.method))),
                    Err(missed) => missed,
                };
                return ruled.map(Found::Rule).map_err(|miss| with_methods(miss, &missed.methods));
            }
            // Http rules have their own way with such paths.
            (Err(_), Ok(routed)) => return Ok(Found::Rule(routed)),
            (Err(refusal), Err(Miss::NotFound | Miss::BadPath(_))) => *refusal,
            (Err(_), Err(miss @ Miss::MethodNotAllowed { .. })) => return Err(miss),
        };
        Err(Miss::BadPath(Status::new(Code::InvalidArgument, path.to_string())))
    }

    /// The lines of a host's plain routes.
    pub(super) fn plain_lines(&self, host: &Host) -> impl Iterator<Item = RouteLine> {
        let of_host = self.config.plain.iter().filter(|route| route.host == host.pattern);
        of_host.map(|route| {
            let methods: Vec<&str> = route.conditions.methods.iter().map(Method::as_str).collect();
            RouteLine {
                method: if methods.is_empty() { "*".into() } else { methods.join(",") },
                path: route.path.to_string(),
                host: route.host.to_string(),
                rpc: "-".into(),
                upstream: route.upstream().unwrap_or("-").into(),
            }
        })
    }

    fn order_of(&self, routed: &Routed<'_>) -> usize {
        self.config.routes[routed.matched.binding.tag as usize].order
    }

    fn routed_plain<'s>(
        &'s self,
        host: &Host,
        place: usize,
        path: &NormalPath<'s>,
        method: &Method,
    ) -> RoutedPlain<'s> {
        let route = &self.plain[host.plain_routes[place]];
        RoutedPlain {
            route,
            config: &self.config.plain[route.index],
            path: path.clone().into_inner(),
            metrics: route.metrics(method),
        }
    }
}

/// A miss that knows of further methods.
fn with_methods(miss: Miss, methods: &[Method]) -> Miss {
    if methods.is_empty() || matches!(miss, Miss::BadPath(_)) {
        return miss;
    }
    let known = match &miss {
        Miss::MethodNotAllowed { allow } => allow.as_str(),
        _ => "OPTIONS",
    };
    Miss::MethodNotAllowed { allow: joined(known, methods.iter()) }
}

/// The value of `Allow` for a host as a whole, with the methods that its plain routes name.
pub(super) fn with_plain_methods<'t>(of_rules: &str, tables: impl Iterator<Item = &'t Table>) -> String {
    let methods = tables.flat_map(Table::entries).flat_map(|entry| &entry.conditions.methods);
    joined(of_rules, methods)
}

fn joined<'m>(known: &'m str, methods: impl Iterator<Item = &'m Method>) -> String {
    let mut names: Vec<&str> = known.split(", ").filter(|name| !name.is_empty()).collect();
    names.extend(methods.map(Method::as_str));
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
