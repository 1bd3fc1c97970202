//! The canaries, breakers and limits of all routes and the endpoints of all upstreams, and how they go on from one
//! snapshot to the next.

use super::Snapshot;
use crate::breakers::{Breakers, Guard};
use crate::canary::{Rules, Walk};
use crate::gates::Gate;
use crate::policies::{Policies, Shield};
use std::sync::Arc;
use tidegate_telemetry::metrics::Metrics;
use tidegate_upstream::Fleet;

impl Snapshot {
    /// The plans that its canaries follow.
    #[must_use]
    pub fn canaries(&self) -> Vec<Arc<Walk>> {
        self.canary_rules().flat_map(Rules::walks).map(Arc::clone).collect()
    }

    /// The breakers of its routes.
    #[must_use]
    pub fn breakers(&self) -> Vec<Arc<Guard>> {
        let of_services = self.routes.iter().map(|route| &route.breakers);
        let all = of_services.chain(self.plain.iter().map(|route| &route.breakers));
        all.flat_map(Breakers::guards).map(Arc::clone).collect()
    }

    /// The limits of calls in flight: those of its routes, then those of its upstreams.
    #[must_use]
    pub fn gates(&self) -> Vec<Arc<Gate>> {
        let of_routes = self.policies().filter_map(Policies::gate);
        of_routes.chain(self.shields.iter().filter_map(Shield::gate)).map(Arc::clone).collect()
    }

    fn policies(&self) -> impl Iterator<Item = &Policies> {
        let of_services = self.routes.iter().map(|route| &route.policies);
        of_services.chain(self.plain.iter().map(|route| &route.policies))
    }

    /// The endpoints of its upstreams, in the order of [`Config::upstreams`](crate::config::Config::upstreams).
    #[must_use]
    pub fn fleets(&self) -> &[Arc<Fleet>] {
        &self.fleets
    }

    /// Goes on with the plans, breakers, limits and endpoints of the snapshot that was in force before, as far as they are the same,
    /// and shows all of them in the metrics. To be called before it is put in force.
    pub(crate) fn take_over(&mut self, before: Option<&Self>, metrics: &Metrics) {
        for fleet in &mut self.fleets {
            let name = &fleet.config().name;
            let known = before.and_then(|before| before.fleets.iter().find(|known| known.config().name == *name));
            match known {
                Some(known) if known.config() == fleet.config() => *fleet = Arc::clone(known),
                Some(known) => *fleet = Fleet::after(Arc::clone(fleet.config()), known),
                None => {}
            }
            metrics.register_fleet(fleet);
        }
        let walks = before.map(Self::canaries).unwrap_or_default();
        let of_services = self.routes.iter_mut().filter_map(|route| route.canary.as_mut());
        for rules in of_services.chain(self.plain.iter_mut().filter_map(|route| route.canary.as_mut())) {
            rules.inherit(&walks);
            rules.walks().for_each(|walk| metrics.register_plan(walk));
        }
        self.limits.inherit(before.map(|before| &before.limits));
        self.limits.connect(&self.sinks.stores, before.map(|before| &before.limits));
        self.limits.stores().iter().for_each(|store| metrics.register_limit_store(store));
        self.limits.iter().for_each(|limited| metrics.register_rate_limit(limited.counter()));
        let mut guards = before.map(Self::breakers).unwrap_or_default();
        let of_services = self.routes.iter_mut().map(|route| &mut route.breakers);
        for breakers in of_services.chain(self.plain.iter_mut().map(|route| &mut route.breakers)) {
            breakers.inherit(&mut guards);
            breakers.guards().for_each(|guard| metrics.register_breaker(guard));
        }
        let gates = before.map(Self::gates).unwrap_or_default();
        let retries: Vec<_> =
            before.iter().flat_map(|before| &before.shields).map(|shield| Arc::clone(&shield.retries)).collect();
        let retried = self.policies().any(|policies| policies.retry.is_some());
        let of_services = self.routes.iter_mut().map(|route| &mut route.policies);
        for policies in of_services.chain(self.plain.iter_mut().map(|route| &mut route.policies)) {
            policies.inherit(&gates, metrics);
        }
        for shield in &mut self.shields {
            shield.inherit(&gates, &retries, retried, metrics);
        }
    }

    fn canary_rules(&self) -> impl Iterator<Item = &Rules> {
        let of_services = self.routes.iter().filter_map(|route| route.canary.as_ref());
        of_services.chain(self.plain.iter().filter_map(|route| route.canary.as_ref()))
    }
}
