//! What may be switched on, and the configs that do so.

use std::path::Path;

/// A gateway with something switched on.
pub(super) struct Feature {
    pub(super) name: &'static str,
    /// Which of them it is compared with: itself, or one before it.
    pub(super) beside: usize,
    /// What clients ask.
    pub(super) scenario: &'static str,
    /// The most that it may cost, as a ratio; without one the figure is for the record.
    pub(super) goal: Option<f64>,
    pub(super) config: fn(&Parts<'_>) -> String,
}

/// What configs have in common.
pub(super) struct Parts<'a> {
    pub(super) address: &'a str,
    /// The upstream's.
    pub(super) endpoints: [&'a str; 2],
    pub(super) collector: &'a str,
    /// Between two exports of metrics.
    pub(super) interval: &'a str,
    pub(super) proto: &'a Path,
}

/// What a config has beside that: entries of its mappings, each with a comma before it, and whole lines.
#[derive(Clone, Copy, Default)]
struct More<'a> {
    identity: &'a str,
    listener: &'a str,
    upstream: &'a str,
    upstreams: &'a str,
    route: &'a str,
    telemetry: &'a str,
    lines: &'a str,
}

/// REST GETs with headers: those that the map renames, and that canaries and limits go by.
const REST: &str = "headers";
/// Native unary calls with the same messages.
const NATIVE: &str = "grpc";

/// What ships is what telemetry, canaries and limits are compared with; resilience with nothing of it.
pub(super) const FEATURES: [Feature; 11] = [
    Feature { name: "REST", beside: 0, scenario: REST, goal: None, config: |parts| parts.text(More::default()) },
    Feature {
        name: "telemetry, 1 % of traces",
        beside: 0,
        scenario: REST,
        goal: Some(1.05),
        config: |parts| parts.otlp("1%"),
    },
    Feature {
        name: "telemetry, all traces",
        beside: 0,
        scenario: REST,
        goal: None,
        config: |parts| parts.otlp("100%"),
    },
    Feature {
        name: "canary and header map",
        beside: 0,
        scenario: REST,
        goal: Some(1.05),
        config: |parts| parts.traffic(),
    },
    Feature { name: "three limits", beside: 0, scenario: REST, goal: None, config: |parts| parts.limits() },
    // Two gateways that do the same: as far as their ratio is from 1, the others are worth nothing.
    Feature {
        name: "REST, once more",
        beside: 0,
        scenario: REST,
        goal: None,
        config: |parts| parts.text(More::default()),
    },
    Feature { name: "REST, nothing on", beside: 6, scenario: REST, goal: None, config: |parts| parts.bare() },
    Feature { name: "resilience", beside: 6, scenario: REST, goal: Some(1.10), config: |parts| parts.resilience() },
    Feature { name: "native, nothing on", beside: 8, scenario: NATIVE, goal: None, config: |parts| parts.bare() },
    Feature {
        name: "native, resilience",
        beside: 8,
        scenario: NATIVE,
        goal: Some(1.10),
        config: |parts| parts.resilience(),
    },
    Feature {
        name: "native, three limits",
        beside: 8,
        scenario: NATIVE,
        goal: None,
        config: |parts| parts.bare_with_limits(),
    },
];

/// Those that have one of the words in their names, and what they are compared with; without words all of them.
pub(super) fn chosen(words: &[String]) -> Vec<usize> {
    let named = |index: &usize| words.is_empty() || words.iter().any(|word| FEATURES[*index].name.contains(word));
    let named: Vec<usize> = (0..FEATURES.len()).filter(named).collect();
    (0..FEATURES.len())
        .filter(|index| named.iter().any(|one| one == index || FEATURES[*one].beside == *index))
        .collect()
}

// === impl Feature ===

impl Feature {
    /// The name of what it is compared with, if that is another one.
    pub(super) fn beside(&self) -> &'static str {
        let name = FEATURES[self.beside].name;
        if name == self.name { "" } else { name }
    }
}

// === impl Parts ===

impl Parts<'_> {
    fn text(&self, more: More<'_>) -> String {
        let Self { address, endpoints: [one, two], proto, .. } = self;
        let More { identity, listener, upstream, upstreams, route, telemetry, lines } = more;
        let proto = proto.display();
        format!(
            "workers: 1\n\
             listeners: [{{ bind: {address}, identity_headers: [x-account{identity}]{listener} }}]\n\
             upstreams:\n\
             \x20 items: {{ endpoints: [{one}, {two}], schema: {{ proto: [{proto}] }}{upstream} }}\n\
             {upstreams}routes: [{{ service: tidegate.bench.v1.Items, upstream: items{route} }}]\n\
             telemetry: {{ access_log: off{telemetry} }}\n\
             {lines}"
        )
    }

    /// Traces and metrics to the collector, at ten times the usual rate of metrics.
    fn otlp(&self, sample: &str) -> String {
        let Self { collector, interval, .. } = self;
        let otlp = format!(", otlp: {{ endpoint: 'http://{collector}', sample: {sample}, interval: {interval} }}");
        self.text(More { telemetry: &otlp, ..More::default() })
    }

    fn traffic(&self) -> String {
        let lines = "metadata:\n\
                     \x20 map: { x-request-id: request-id, x-env: env, x-user-id: user_id }\n\
                     \x20 set: { canary: \"%CANARY%\", edge: tidegate }\n";
        let [one, two] = self.endpoints;
        let upstreams = format!("  items-next: {{ endpoints: [{one}, {two}], schema: {{ like: items }} }}\n");
        let route = ", canary: [{ to: items-next, hash: { header: x-user-id, below: 10% } }]";
        self.text(More { upstreams: &upstreams, route, lines, ..More::default() })
    }

    /// Of a listener and of a route, none of which refuses anybody.
    fn limits(&self) -> String {
        self.text(LIMITS)
    }

    fn bare(&self) -> String {
        self.text(More { upstream: ", outlier: off", ..More::default() })
    }

    fn bare_with_limits(&self) -> String {
        self.text(More { upstream: ", outlier: off", ..LIMITS })
    }

    /// Breaker, retries, bulkheads and all that looks for outliers, none of which finds anything.
    fn resilience(&self) -> String {
        let upstream = ", concurrency: { max: 1000, queue: 100 }, outlier: { consecutive_errors: 5, \
             consecutive_gateway_errors: 5, success_rate: { deviations: 1.9, min_endpoints: 2 }, slow: 100 }";
        let route = ", breaker: { window: 10s, failure_rate: 50%, slow_call: 1s, slow_rate: 80% }, \
             retry: { attempts: 3 }, concurrency: { max: 500, queue: 50 }";
        self.text(More { upstream, route, ..More::default() })
    }
}

const LIMITS: More<'_> = More {
    // A header that any client can choose is no key, and would be warned of.
    identity: ", x-user-id",
    listener: ", trusted_peers: [127.0.0.1], limits: [per-ip]",
    upstream: "",
    upstreams: "",
    route: ", limits: [per-user, per-item]",
    telemetry: "",
    lines: "limits:\n\
            \x20 per-ip: { key: peer, rate: 10000000/s }\n\
            \x20 per-user: { key: 'header:x-user-id', rate: 10000000/s }\n\
            \x20 per-item: { key: 'field:id', rate: 10000000/s }\n",
};

#[cfg(test)]
mod tests {
    use super::{FEATURES, chosen};

    #[test]
    fn what_is_compared_with_another_one_comes_after_it() {
        for (index, feature) in FEATURES.iter().enumerate() {
            let beside = &FEATURES[feature.beside];
            assert!(feature.beside <= index && beside.scenario == feature.scenario, "{}", feature.name);
        }
    }

    #[test]
    fn a_choice_brings_what_it_is_compared_with() {
        assert_eq!(chosen(&["native, resilience".to_owned()]), [8, 9]);
        assert_eq!(chosen(&["limits".to_owned()]), [0, 4, 8, 10]);
        assert_eq!(chosen(&[]).len(), FEATURES.len());
    }
}
