//! Plain routes, and the rules by which requests of a route go elsewhere.

use super::{Action, Breaker, HostPattern, LimitName, Place, Resilience};
use std::time::Duration;
use tidegate_traffic::plan::Plan;
use tidegate_traffic::{Conditions, PathPattern, Rule};

/// A route of requests that are not translated: match + policies + what is done with them.
#[derive(Clone, Debug)]
pub struct PlainRoute {
    /// Which hosts.
    pub host: HostPattern,
    /// Which paths, in normal form.
    pub path: PathPattern,
    /// Which methods, headers and query parameters.
    pub conditions: Conditions,
    /// What is done with its requests.
    pub action: Action,
    /// Of its requests these go elsewhere: the first rule that holds.
    pub canary: Vec<CanaryRule>,
    /// When its requests are not sent on any more; `None` is never.
    pub breaker: Option<Breaker>,
    /// Whether its requests are sent again, and how many at once.
    pub resilience: Resilience,
    /// The limits that its requests pass.
    pub rate_limits: Vec<LimitName>,
    /// The whole request, the end of its reply included; `None` is [`super::DEFAULT_TIMEOUT`] from the end of the
    /// request to the head of its reply, and no limit beyond that.
    pub timeout: Option<Duration>,
    /// The longest request body, in bytes, in place of the listener's.
    pub max_body: Option<usize>,
    /// Its place among all routes of the file, services included.
    pub order: usize,
    /// `routes[i].path` in the file.
    pub place: Place,
}

/// A rule by which requests of a route go elsewhere.
#[derive(Clone, Debug)]
pub struct CanaryRule {
    /// As metrics, the access log and the admin API name it; no two rules of a route have the same.
    pub name: String,
    /// Name of the upstream that takes them.
    pub to: String,
    /// What it asks for.
    pub rule: Rule,
    /// How its split widens, if it does.
    pub plan: Option<CanaryPlan>,
    /// The rule in the file.
    pub place: Place,
}

/// How a split widens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanaryPlan {
    /// As metrics, the log and the admin API name it; no two plans of a config have the same.
    pub name: String,
    /// Its steps and criteria.
    pub plan: Plan,
}

impl PlainRoute {
    /// The upstream that its requests are sent to, if they are sent on.
    #[must_use]
    pub fn upstream(&self) -> Option<&str> {
        self.action.upstream()
    }
}
