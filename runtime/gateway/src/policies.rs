//! What is said of calls that fail and of too many, compiled: by routes, and by upstreams.

use crate::breakers::{Asked, Breakers};
use crate::config::{Config, Priority, Protection, Resilience};
use crate::gates::{Gate, Of, class_of};
use crate::peer::Peer;
use crate::retries::Retries;
use crate::snapshot::Snapshot;
use http::HeaderMap;
use std::sync::Arc;
use tidegate_protojson::Schema;
use tidegate_telemetry::metrics::Metrics;
use tidegate_traffic::bulkhead::Settings;
use tidegate_traffic::priority::{Class, Shares};
use tidegate_traffic::retry;
use tidegate_upstream::RequestBody;

/// Of a request no more than this is kept to be sent again.
pub(crate) const KEPT_BYTES: usize = 64 * 1024;

/// What a route says.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    pub(crate) retry: Option<retry::Settings>,
    gate: Option<Arc<Gate>>,
    priority: Option<Priority>,
}

/// What an upstream says.
#[derive(Debug)]
pub(crate) struct Shield {
    pub(crate) retries: Arc<Retries>,
    gate: Option<Arc<Gate>>,
}

/// How one call is made: what it has to pass, and whether it may be made again.
#[derive(Debug)]
pub(crate) struct Plan<'p> {
    pub(crate) snapshot: &'p Snapshot,
    /// Index into [`Config::upstreams`].
    pub(crate) upstream: usize,
    pub(crate) breakers: &'p Breakers,
    /// What the breakers want to know of the request.
    pub(crate) asked: Asked,
    policies: &'p Policies,
    class: Class,
    pub(crate) kind: Kind<'p>,
}

/// What is to be known of a request to make it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind<'p> {
    /// The method of a call of gRPC: `/pkg.Service/Method`.
    pub(crate) rpc: Option<&'p str>,
    /// Neither side is a stream, and the connection stays what it is.
    pub(crate) whole: bool,
    /// Doing it twice is the same as doing it once.
    pub(crate) idempotent: bool,
}

// === impl Policies ===

impl Policies {
    /// Those of a route of this name.
    pub(crate) fn compile(name: &str, resilience: &Resilience, config: &Config) -> Self {
        let Resilience { retry, concurrency, priority } = resilience;
        Self {
            retry: retry.clone(),
            gate: concurrency.map(|settings| Gate::new(Of::Route, name, with_shares(settings, config))),
            priority: priority.clone(),
        }
    }

    /// How a call of this route to the upstream at `upstream` is made.
    pub(crate) fn plan<'p>(
        &'p self,
        breakers: &'p Breakers,
        snapshot: &'p Snapshot,
        upstream: usize,
        headers: &HeaderMap,
        peer: &Peer,
        kind: Kind<'p>,
    ) -> Plan<'p> {
        let class = class_of(self.priority.as_ref(), headers, peer);
        Plan { snapshot, upstream, breakers, asked: breakers.asked(headers), policies: self, class, kind }
    }

    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.as_ref()
    }

    /// Goes on with the limit of before.
    pub(crate) fn inherit(&mut self, gates: &[Arc<Gate>], metrics: &Metrics) {
        if let Some(gate) = &mut self.gate {
            Gate::inherit(gate, gates);
            metrics.register_concurrency(gate);
        }
    }
}

// === impl Shield ===

impl Shield {
    /// Those of all upstreams of a config, in its order.
    pub(crate) fn compile_all(config: &Config) -> Vec<Self> {
        let compile = |upstream: &crate::config::Upstream| {
            let Protection { retry_budget, concurrency } = upstream.protection;
            Self {
                retries: Retries::new(&upstream.name, retry_budget),
                gate: concurrency
                    .map(|settings| Gate::new(Of::Upstream, &upstream.name, with_shares(settings, config))),
            }
        };
        config.upstreams.iter().map(compile).collect()
    }

    pub(crate) fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.as_ref()
    }

    /// Goes on with the limit and the budget of before. Of retries nothing is shown where no route has any.
    pub(crate) fn inherit(&mut self, gates: &[Arc<Gate>], retries: &[Arc<Retries>], shown: bool, metrics: &Metrics) {
        Retries::inherit(&mut self.retries, retries);
        if shown {
            metrics.register_retries(&self.retries);
        }
        if let Some(gate) = &mut self.gate {
            Gate::inherit(gate, gates);
            metrics.register_concurrency(gate);
        }
    }
}

// === impl Plan ===

impl<'p> Plan<'p> {
    /// When the call is made again, if it may be at all: what is in memory, and is not much.
    pub(crate) fn retry(&self, body: &RequestBody) -> Option<&'p retry::Settings> {
        let settings = self.policies.retry.as_ref()?;
        (self.kind.whole && body.in_memory().is_some_and(|bytes| bytes <= KEPT_BYTES)).then_some(settings)
    }

    /// The retries of calls to its upstream.
    pub(crate) fn retries(&self) -> &'p Retries {
        &self.snapshot.shields[self.upstream].retries
    }

    /// How much of a request is kept for another try, if there may be one.
    pub(crate) fn kept_bytes(&self) -> Option<usize> {
        (self.kind.whole && self.policies.retry.is_some()).then_some(KEPT_BYTES)
    }

    /// Lets the breakers look into the message of a call, which is of this schema; `encoding` is what
    /// `grpc-encoding` says of a native call.
    pub(crate) fn look_into(&mut self, schema: &Schema, body: &RequestBody, encoding: Option<&str>) {
        self.breakers.look_into(&mut self.asked, self.kind.rpc.unwrap_or_default(), schema, body, encoding);
    }

    /// The limits that a call to this upstream has to pass, in their order.
    pub(crate) fn gates(&self, upstream: usize) -> impl Iterator<Item = &'p Arc<Gate>> + Send + use<'p> {
        [self.policies.gate(), self.snapshot.shields[upstream].gate()].into_iter().flatten()
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }
}

/// Where some calls have a class, all classes have their shares.
fn with_shares(settings: Settings, config: &Config) -> Settings {
    let of_services = config.routes.iter().map(|route| &route.resilience);
    let mut all = of_services.chain(config.plain.iter().map(|route| &route.resilience));
    let shares = if all.any(|route| route.priority.is_some()) { Shares::CLASSES } else { Shares::EVEN };
    Settings { shares, ..settings }
}
