//! The compiled config: what one request sees, whole, from its first byte to its last.

mod compile;
mod explain;
mod host;
mod lasting;
mod plain;
mod services;

use crate::breakers::Breakers;
use crate::canary::Rules;
use crate::config::limits::Replies;
use crate::config::{Config, HostPattern, Limits, Listener, Problem};
use crate::headers::HeaderRules;
use crate::hints::SchemaHints;
use crate::limits::{Limits as RateLimits, RouteLimits};
use crate::local::{self, Catalog};
use crate::peer::Peer;
use crate::policies::{Kind, Plan, Policies, Shield};
use crate::sinks::Sinks;
use http::{HeaderMap, Uri, request};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tidegate_protojson::Schema;
use tidegate_telemetry::metrics::{Metrics, requests};
use tidegate_traffic::{Table, retry};
use tidegate_transcode::{Binding, Body, Detached, Idempotency, Match, Router, TranscodeOptions};
use tidegate_upstream::Fleet;

pub use explain::{Explanation, Passed, Taken};
use host::host_name;
pub(crate) use plain::{CompiledPlain, Found, RoutedPlain};
pub(crate) use services::RoutedRpc;
use services::Services;

/// The schema of every upstream that has one, by the upstream's name. One under [`NO_UPSTREAM`] is for
/// what the gateway says by itself; without it that is the first.
pub type Schemas = BTreeMap<String, Arc<Schema>>;

/// No upstream has this name.
pub const NO_UPSTREAM: &str = "";

/// A config, ready to serve. Immutable.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts the configs that were in force, from 1.
    pub generation: u64,
    /// What it was compiled from, shared by all snapshots that differ in their schemas alone.
    pub config: Arc<Config>,
    /// Exact names first, then wildcards (longest first), then any.
    hosts: Vec<Host>,
    routes: Vec<CompiledRoute>,
    /// The endpoints of the upstreams, by their place in [`Config::upstreams`].
    fleets: Vec<Arc<Fleet>>,
    /// By their place in [`Config::plain`].
    plain: Vec<CompiledPlain>,
    /// By their places in [`Config::upstreams`].
    pub(crate) shields: Vec<Shield>,
    /// What the gateway answers by itself.
    pub(crate) local: local::Methods,
    /// For requests that match no route.
    pub(crate) unrouted: Arc<requests::Route>,
    /// Resolves the details of statuses that are not tied to a route.
    status_schema: Arc<Schema>,
    /// Shared by the snapshots of one config.
    pub(crate) hints: Arc<SchemaHints>,
    /// The rate limits of its listeners and routes.
    pub limits: RateLimits,
    /// Where its requests are told of.
    pub sinks: Sinks,
}

/// The http rules of all routes for one host pattern.
#[derive(Debug)]
struct Host {
    pattern: HostPattern,
    router: Router,
    /// By [`Match::index`].
    targets: Vec<Target>,
    plain: Table,
    /// Indices into [`Snapshot::plain`], by place in the table.
    plain_routes: Vec<usize>,
    /// Routes whose schema is not known yet: any path might be theirs.
    pending: Vec<usize>,
    /// What is called natively.
    services: Services,
    /// What is told of it, if anybody may ask.
    catalog: Option<Arc<Catalog>>,
}

/// What a binding needs beside its rule, made once.
#[derive(Debug)]
pub(crate) struct Target {
    /// `http://upstream/pkg.Service/Method`.
    pub(crate) uri: Uri,
    pub(crate) metrics: Arc<requests::Route>,
}

/// A route of the config with what it names resolved.
#[derive(Debug)]
pub(crate) struct CompiledRoute {
    /// Index into [`Config::upstreams`].
    pub(crate) upstream: usize,
    /// The upstream that the schema is of; the same, or the end of its chain of `like`.
    pub(crate) schema_owner: usize,
    /// Empty while it is not known.
    pub(crate) schema: Arc<Schema>,
    /// The schema comes by reflection and has not come yet.
    pub(crate) pending: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_body: Option<usize>,
    pub(crate) replies: Replies,
    pub(crate) transcode: TranscodeOptions,
    /// What goes elsewhere.
    pub(crate) canary: Option<Rules>,
    /// Which calls are made at all.
    pub(crate) breakers: Breakers,
    /// Whether they are made again, and how many at once.
    pub(crate) policies: Policies,
    /// How many.
    pub(crate) limits: RouteLimits,
    /// Which headers cross.
    pub(crate) headers: Arc<HeaderRules>,
}

/// The route of one request.
#[derive(Debug)]
pub(crate) struct Routed<'s> {
    pub(crate) matched: Match<'s>,
    pub(crate) location: Location,
    pub(crate) route: &'s CompiledRoute,
    pub(crate) target: &'s Target,
}

/// Where a binding stands in its snapshot, for those that outlive the borrow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location {
    host: usize,
    binding: usize,
}

/// A line of `tidegate routes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteLine {
    /// As the rule or the route says, `*` for any.
    pub method: String,
    /// The path template.
    pub path: String,
    /// `*` for any.
    pub host: String,
    /// `pkg.Service/Method`; `-` of a plain route.
    pub rpc: String,
    /// The upstream's name; `-` if requests are not sent on.
    pub upstream: String,
}

// === impl Routed ===

impl Routed<'_> {
    /// Whether the request's body is a stream of messages. Of a rule without a body, the one message
    /// is what path and query say.
    pub(crate) fn takes_stream(&self) -> bool {
        let binding = self.matched.binding;
        binding.client_streaming && binding.body != Body::None
    }

    /// How its call to this upstream is made: again for what HTTP's method says, or the RPC's options.
    pub(crate) fn plan<'p>(
        &'p self,
        snapshot: &'p Snapshot,
        upstream: usize,
        head: &request::Parts,
        peer: &Peer,
    ) -> Plan<'p> {
        let binding = self.matched.binding;
        let kind = Kind {
            rpc: Some(&binding.rpc),
            whole: !binding.client_streaming && !binding.server_streaming,
            idempotent: binding.idempotency != Idempotency::Unknown || retry::is_idempotent(&head.method),
        };
        self.route.policies.plan(&self.route.breakers, snapshot, upstream, &head.headers, peer, kind)
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// Compiles a config whose schemas were loaded. An upstream whose schema comes by reflection may be
    /// missing among them: until a snapshot has it, its routes answer 503.
    ///
    /// # Errors
    /// Every problem found: services that no schema has, rules that no request could tell apart.
    pub fn compile(
        config: impl Into<Arc<Config>>,
        schemas: &Schemas,
        metrics: &Metrics,
        generation: u64,
    ) -> Result<Self, Vec<Problem>> {
        let config = config.into();
        let mut problems = Vec::new();
        let limits = RateLimits::compile(&config, &mut problems);
        let routes = compile::routes(&config, schemas, metrics, &mut problems);
        let hosts =
            if problems.is_empty() { compile::hosts(&config, &routes, metrics, &mut problems) } else { Vec::new() };
        let plain = CompiledPlain::compile_all(&config, metrics, &mut problems);
        compile::check_variables(&config, &routes, &hosts, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            generation,
            local: local::Methods::compile(&config, metrics),
            hosts,
            routes,
            fleets: config.upstreams.iter().map(|upstream| Fleet::new(upstream.pool.clone())).collect(),
            plain,
            shields: Shield::compile_all(&config),
            unrouted: metrics.route("(none)", "(any)"),
            status_schema: schemas.values().next().cloned().unwrap_or_default(),
            hints: Arc::new(SchemaHints::new(config.upstreams.len())),
            limits,
            sinks: Sinks::default(),
            config,
        })
    }

    /// What requests say of schemas that are missing or out of date: of this config, whichever schemas.
    #[must_use]
    pub fn schema_hints(&self) -> &Arc<SchemaHints> {
        &self.hints
    }

    /// What may be taken of `peer`: as this config says of its listener, else as was agreed when it came.
    pub(crate) fn limits_of<'a>(&'a self, peer: &'a Peer) -> &'a Arc<Limits> {
        self.listener_of(peer).map_or(peer.limits(), |listener| &listener.limits)
    }

    /// The peer as this config believes it, if that is otherwise than when it came.
    pub(crate) fn believes(&self, peer: &Peer) -> Option<Peer> {
        let trust = &self.listener_of(peer)?.trust;
        let same = Arc::ptr_eq(trust, peer.trust()) || trust == peer.trust();
        (!same).then(|| peer.clone().with_trust(trust))
    }

    /// The rate limits of the listener that a peer came by, by their places.
    pub(crate) fn edge_limits(&self, peer: &Peer) -> &[usize] {
        if !self.limits.has_edge() {
            return &[];
        }
        let place = self.config.listeners.iter().position(|known| Some(known.bind) == peer.listener);
        place.map_or(&[], |place| self.limits.of_listener(place))
    }

    /// What this config says of the listener that a peer came by.
    fn listener_of(&self, peer: &Peer) -> Option<&Listener> {
        self.config.listeners.iter().find(|known| Some(known.bind) == peer.listener)
    }

    /// The value of `Allow` for a host as a whole.
    pub(crate) fn allow(&self, uri: &Uri, headers: &HeaderMap) -> String {
        let of_rules = Router::allow_of(self.hosts_of(uri, headers).map(|(_, host)| &host.router));
        plain::with_plain_methods(&of_rules, self.hosts_of(uri, headers).map(|(_, host)| &host.plain))
    }

    /// The upstream whose schema would have to be known to tell whether anything is served to this host at
    /// a path that [`find`](Self::find) did not find; an index into [`Config::upstreams`].
    pub(crate) fn pending(&self, uri: &Uri, headers: &HeaderMap) -> Option<usize> {
        let route = self.hosts_of(uri, headers).find_map(|(_, host)| host.pending.first())?;
        Some(self.routes[*route].schema_owner)
    }

    /// Finds the route of a native gRPC call: of the hosts that match, in the same order, the first
    /// for which the service is routed.
    pub(crate) fn find_rpc(&self, uri: &Uri, headers: &HeaderMap) -> Option<RoutedRpc<'_>> {
        self.hosts_of(uri, headers).find_map(|(_, host)| host.services.find(&self.routes, uri.path()))
    }

    /// What a client may learn of the services: those of the hosts that match, in the same order.
    pub(crate) fn catalogs(&self, uri: &Uri, headers: &HeaderMap) -> Vec<Arc<Catalog>> {
        self.hosts_of(uri, headers).filter_map(|(_, host)| host.catalog.clone()).collect()
    }

    /// The hosts that a request may be for, the more specific first.
    fn hosts_of<'s, 'r>(
        &'s self,
        uri: &'r Uri,
        headers: &'r HeaderMap,
    ) -> impl Iterator<Item = (usize, &'s Host)> + use<'s, 'r> {
        // Most configs name no host: there is nothing to look up then.
        let any = matches!(&self.hosts[..], [host] if host.pattern == HostPattern::Any);
        let name = if any { "" } else { host_name(uri, headers) };
        self.hosts.iter().enumerate().filter(move |(_, host)| host.pattern.matches(name))
    }

    /// The binding at a location that [`find`](Self::find) gave, and its route.
    pub(crate) fn at(&self, location: Location) -> (&Binding, &CompiledRoute) {
        let binding = self.hosts[location.host].router.binding(location.binding);
        (binding, &self.routes[binding.tag as usize])
    }

    /// Resolves the details of statuses: what a route's upstream says by its own types.
    pub(crate) fn status_schema(&self, route: Option<usize>) -> &Schema {
        let route = route.and_then(|index| self.routes.get(index)).filter(|route| !route.pending);
        route.map_or(&self.status_schema, |route| &route.schema)
    }

    /// The upstream whose schema a route has; an index into [`Config::upstreams`].
    pub(crate) fn schema_owner(&self, route: usize) -> usize {
        self.routes[route].schema_owner
    }

    /// The match that was found at a location.
    pub(crate) fn attach<'s>(&'s self, location: Location, detached: &'s Detached) -> Match<'s> {
        self.hosts[location.host].router.attach(detached)
    }

    /// The service of every route, in the order of the file, with the schema that it is served by;
    /// [`Schema::descriptor_set`] has the descriptors themselves.
    pub fn services(&self) -> impl Iterator<Item = (&str, &Arc<Schema>)> {
        self.config.routes.iter().zip(&self.routes).map(|(route, compiled)| (&*route.service, &compiled.schema))
    }

    /// Every binding, in the order in which hosts are tried, then by path and method; behind the bindings of a
    /// host its plain routes, in the order of the file.
    #[must_use]
    pub fn route_lines(&self) -> Vec<RouteLine> {
        let mut lines = Vec::new();
        for host in &self.hosts {
            let start = lines.len();
            for binding in host.router.bindings() {
                let upstream = self.routes[binding.tag as usize].upstream;
                lines.push(RouteLine {
                    method: binding.method_str().into(),
                    path: binding.template.clone(),
                    host: host.pattern.to_string(),
                    rpc: binding.rpc.trim_start_matches('/').into(),
                    upstream: self.config.upstreams[upstream].name.clone(),
                });
            }
            lines[start..].sort_by(|a, b| (&a.path, &a.method).cmp(&(&b.path, &b.method)));
            lines.extend(self.plain_lines(host));
        }
        lines
    }
}
