//! The limits that are asked for: every algorithm, in each way that gateways share one.

use super::judge::Promise;

/// Of each limit, a second. Windows are a second long.
pub(super) const RATE: u64 = 160;
/// What a bucket holds. It is refilled within 250 ms.
const BURST: u64 = 40;
/// Of a bucket that shapes; one more is admitted without a wait.
const QUEUE: u64 = 15;
/// How long a lease is good for, in milliseconds.
const LEASE: u64 = 100;
/// The part that is kept for times without a store, in a hundred.
const RESERVE: u64 = 20;

/// How gateways share a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Each request is a question.
    Plain,
    /// Requests that wait for one key are one.
    Combining,
    /// Units are taken in advance.
    Leases,
    /// Combining, and a share of each gateway's own while the store is away.
    Reserve,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    TokenBucket,
    LeakyBucket,
    SlidingWindow,
    SlidingLog,
    FixedWindow,
}

/// A limit with one budget, which is asked for by naming its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    algorithm: Algorithm,
    pub(super) way: Way,
}

const fn rule(name: &'static str, algorithm: Algorithm, way: Way) -> Rule {
    Rule { name, algorithm, way }
}

/// All of them.
pub(super) const ALL: [Rule; 12] = [
    rule("token_bucket-plain", Algorithm::TokenBucket, Way::Plain),
    rule("leaky_bucket-plain", Algorithm::LeakyBucket, Way::Plain),
    rule("sliding_window-plain", Algorithm::SlidingWindow, Way::Plain),
    rule("sliding_log-plain", Algorithm::SlidingLog, Way::Plain),
    rule("fixed_window-plain", Algorithm::FixedWindow, Way::Plain),
    rule("token_bucket-combining", Algorithm::TokenBucket, Way::Combining),
    rule("leaky_bucket-combining", Algorithm::LeakyBucket, Way::Combining),
    rule("sliding_window-combining", Algorithm::SlidingWindow, Way::Combining),
    rule("sliding_log-combining", Algorithm::SlidingLog, Way::Combining),
    rule("fixed_window-combining", Algorithm::FixedWindow, Way::Combining),
    rule("token_bucket-leases", Algorithm::TokenBucket, Way::Leases),
    rule("token_bucket-reserve", Algorithm::TokenBucket, Way::Reserve),
];

/// How the limits are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// As they are meant: nothing passes while the store is away.
    Closed,
    /// Broken on purpose: everything passes while it is away.
    Open,
    /// Broken on purpose: a store that lost its data gives everything again.
    Forgets,
    /// Broken on purpose: each gateway counts by itself.
    Alone,
}

impl Rule {
    /// What is promised of it.
    pub(super) const fn promise(&self) -> Promise {
        let (limit, micros) = (RATE, 1_000_000);
        match self.algorithm {
            Algorithm::TokenBucket => Promise::Bucket { rate: RATE, burst: BURST },
            Algorithm::LeakyBucket => Promise::Bucket { rate: RATE, burst: QUEUE + 1 },
            Algorithm::SlidingWindow | Algorithm::SlidingLog => Promise::Window { limit, micros },
            Algorithm::FixedWindow => Promise::Aligned { limit, micros },
        }
    }

    /// The same where the store's clock is not ours, so that nobody knows where its windows begin: any window
    /// lies in two of them.
    pub(super) const fn promise_by_another_clock(&self) -> Promise {
        match self.promise() {
            Promise::Aligned { limit, micros } => Promise::Window { limit: 2 * limit, micros },
            promise => promise,
        }
    }

    /// What is admitted at once by a limit that is whole.
    pub(super) const fn burst(&self) -> u64 {
        match self.promise() {
            Promise::Bucket { burst, .. } => burst,
            Promise::Window { limit, .. } | Promise::Aligned { limit, .. } => limit,
        }
    }

    /// Units a second that the store gives away.
    pub(super) const fn rate_of_store(&self) -> u64 {
        match self.way {
            Way::Reserve => RATE * (100 - RESERVE) / 100,
            _ => RATE,
        }
    }

    /// What may pass beyond the promise if nodes' clocks are so many parts in a thousand slow or fast, for a store that
    /// is away for so many seconds. Of leases and of a node's own share 3 % are taken off beforehand.
    pub(super) fn of_clocks(&self, slow: u64, fast: u64, away: f64) -> u64 {
        let units = match self.way {
            Way::Leases => (RATE * LEASE) as f64 / 1000.0 * (31.0 / 32.0 / (1.0 - slow as f64 / 1000.0) - 1.0),
            Way::Reserve => (RATE * RESERVE) as f64 / 100.0 * away * ((1.0 + fast as f64 / 1000.0) * 31.0 / 32.0 - 1.0),
            _ => 0.0,
        };
        units.max(0.0).ceil() as u64
    }

    /// Its line in a config.
    pub(super) fn line(&self, policy: Policy) -> String {
        let algorithm = match self.algorithm {
            Algorithm::TokenBucket => format!("burst: {BURST}"),
            Algorithm::LeakyBucket => format!("algorithm: leaky_bucket, queue: {QUEUE}"),
            Algorithm::SlidingWindow => "algorithm: sliding_window".to_owned(),
            Algorithm::SlidingLog => "algorithm: sliding_log".to_owned(),
            Algorithm::FixedWindow => "algorithm: fixed_window".to_owned(),
        };
        let shared = match (policy, self.way) {
            (Policy::Alone, _) => String::new(),
            (Policy::Open, Way::Plain) => ", store: plain, on_failure: open".to_owned(),
            (Policy::Open, _) => ", store: shared, on_failure: open".to_owned(),
            (Policy::Closed | Policy::Forgets, Way::Plain) => ", store: plain".to_owned(),
            (Policy::Closed | Policy::Forgets, Way::Combining) => ", store: shared".to_owned(),
            (Policy::Closed | Policy::Forgets, Way::Leases) => format!(", store: shared, lease: {LEASE}ms"),
            (Policy::Closed | Policy::Forgets, Way::Reserve) => {
                format!(", store: shared, on_failure: {{ reserve: {RESERVE}% }}")
            }
        };
        format!("{}: {{ rate: {RATE}/s, {algorithm}{shared} }}", self.name)
    }
}

/// The config of a gateway, but for where it listens: a route by host for each limit, which the gateway answers itself.
pub(super) fn config(policy: Policy, store: &str, nodes: usize) -> String {
    let mut text = String::from("upstreams: { none: { endpoints: ['127.0.0.1:1'] } }\nroutes:\n");
    let answer = r#"{ status: 200, body: '{"id":"it"}' }"#;
    for Rule { name, .. } in &ALL {
        text += &format!("  - {{ host: {name}.local, path: /v1/items/*, respond: {answer}, limits: [{name}] }}\n");
    }
    text += &format!("  - {{ host: turns.local, path: /v1/items/*, respond: {answer}, limits: [turns] }}\n");
    text += "  - { path: /none/*, upstream: none }\nlimits:\n";
    for rule in &ALL {
        text += &format!("  {}\n", rule.line(policy));
    }
    // A second between turns by the gateway's own clock: how fast that is can be seen from outside.
    text += "  turns: { rate: 1/s, algorithm: leaky_bucket, queue: 8 }\n";
    if policy != Policy::Alone {
        let loss = if policy == Policy::Forgets { "whole" } else { "used_up" };
        let both = format!("url: '{store}', budget: 50ms, nodes: {nodes}, after_loss: {loss}");
        text += &format!("stores:\n  plain: {{ {both}, prefix: 'plain:', combine: false }}\n  shared: {{ {both} }}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clocks_add_is_nothing_within_three_percent() {
        let of = |slow, fast| ALL.iter().map(|rule| rule.of_clocks(slow, fast, 2.0)).collect::<Vec<_>>();
        assert_eq!(of(30, 30), [0; 12]);
        assert_eq!(of(100, 50), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2]);
    }

    #[test]
    fn a_limit_that_is_broken_on_purpose_has_no_store_or_opens() {
        let line = |policy| ALL[11].line(policy);
        assert_eq!(
            line(Policy::Closed),
            "token_bucket-reserve: { rate: 160/s, burst: 40, store: shared, on_failure: { reserve: 20% } }"
        );
        assert_eq!(
            line(Policy::Open),
            "token_bucket-reserve: { rate: 160/s, burst: 40, store: shared, on_failure: open }"
        );
        assert_eq!(line(Policy::Alone), "token_bucket-reserve: { rate: 160/s, burst: 40 }");
    }
}
