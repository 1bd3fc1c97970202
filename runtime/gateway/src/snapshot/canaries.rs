//! The canaries of all routes, and how they go on from one snapshot to the next.

use super::Snapshot;
use crate::canary::{Rules, Walk};
use std::sync::Arc;
use tidegate_telemetry::metrics::Metrics;

impl Snapshot {
    /// The plans that its canaries follow.
    #[must_use]
    pub fn canaries(&self) -> Vec<Arc<Walk>> {
        self.canary_rules().flat_map(Rules::walks).map(Arc::clone).collect()
    }

    /// Goes on with the plans of the snapshot that was in force before, as far as they are the same, and shows
    /// all plans in the metrics. To be called before it is put in force.
    pub(crate) fn take_over(&mut self, before: Option<&Self>, metrics: &Metrics) {
        let walks = before.map(Self::canaries).unwrap_or_default();
        let of_services = self.routes.iter_mut().filter_map(|route| route.canary.as_mut());
        for rules in of_services.chain(self.plain.iter_mut().filter_map(|route| route.canary.as_mut())) {
            rules.inherit(&walks);
            rules.walks().for_each(|walk| metrics.register_plan(walk));
        }
    }

    fn canary_rules(&self) -> impl Iterator<Item = &Rules> {
        let of_services = self.routes.iter().filter_map(|route| route.canary.as_ref());
        of_services.chain(self.plain.iter().filter_map(|route| route.canary.as_ref()))
    }
}
