//! The canaries and breakers of all routes, and how they go on from one snapshot to the next.

use super::Snapshot;
use crate::breakers::{Breakers, Guard};
use crate::canary::{Rules, Walk};
use std::sync::Arc;
use tidegate_telemetry::metrics::Metrics;

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

    /// Goes on with the plans and breakers of the snapshot that was in force before, as far as they are the same,
    /// and shows all of them in the metrics. To be called before it is put in force.
    pub(crate) fn take_over(&mut self, before: Option<&Self>, metrics: &Metrics) {
        let walks = before.map(Self::canaries).unwrap_or_default();
        let of_services = self.routes.iter_mut().filter_map(|route| route.canary.as_mut());
        for rules in of_services.chain(self.plain.iter_mut().filter_map(|route| route.canary.as_mut())) {
            rules.inherit(&walks);
            rules.walks().for_each(|walk| metrics.register_plan(walk));
        }
        self.limits.inherit(before.map(|before| &before.limits));
        self.limits.iter().for_each(|limited| metrics.register_rate_limit(limited.counter()));
        let mut guards = before.map(Self::breakers).unwrap_or_default();
        let of_services = self.routes.iter_mut().map(|route| &mut route.breakers);
        for breakers in of_services.chain(self.plain.iter_mut().map(|route| &mut route.breakers)) {
            breakers.inherit(&mut guards);
            breakers.guards().for_each(|guard| metrics.register_breaker(guard));
        }
    }

    fn canary_rules(&self) -> impl Iterator<Item = &Rules> {
        let of_services = self.routes.iter().filter_map(|route| route.canary.as_ref());
        of_services.chain(self.plain.iter().filter_map(|route| route.canary.as_ref()))
    }
}
