//! What the rate limit service for others does.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::{family, living::Living};

/// The service, which can say what it does.
pub trait RateLimitService: fmt::Debug + Send + Sync + 'static {
    /// How calls ended, since the process began.
    fn calls(&self) -> Calls;

    /// What limits decided: domain, the limit's path in it, counts. Their number is bounded by the rules, and by a
    /// thousand values of each limit whose values are told.
    fn decisions(&self) -> Vec<(String, String, Decisions)>;
}

/// How calls ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// They may pass.
    pub ok: u64,
    /// A limit was reached.
    pub over_limit: u64,
    /// They may pass, for their domain has no rules.
    pub unknown_domain: u64,
    /// They made no sense.
    pub invalid: u64,
    /// The store of the limits did not answer.
    pub store_failed: u64,
    /// `CL.THROTTLE` let them pass.
    pub throttle_admitted: u64,
    /// `CL.THROTTLE` did not.
    pub throttle_refused: u64,
}

/// What a limit decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Descriptors that were within the limit.
    pub admitted: u64,
    /// Of those, descriptors for which more than four fifths of the limit are used.
    pub near_limit: u64,
    /// Descriptors that were over the limit.
    pub over_limit: u64,
    /// Descriptors that would have been over the limit if it were enforced.
    pub shadow: u64,
    /// Hits that were admitted.
    pub hits: u64,
}

/// The service of the process, if it has one.
#[derive(Debug, Default)]
pub(super) struct Services(Living<dyn RateLimitService>);

impl Services {
    pub(super) fn register<S: RateLimitService>(&self, service: &Arc<S>) {
        let new: Weak<S> = Arc::downgrade(service);
        self.0.replace(new, |_| true);
    }
}

impl Collector for Services {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let services = self.0.all();
        if services.is_empty() {
            return Ok(());
        }
        let calls: Vec<_> = services.iter().flat_map(|service| by_result(&service.calls())).collect();
        let named = |protocol: &'static str| {
            let of = calls.iter().filter(move |call| call.0 == protocol);
            of.map(|(_, result, count)| ([("result", *result)], *count))
        };
        family::counters(
            encoder,
            ("rate_limit_service_calls", "Calls of the rate limit service, by their end."),
            named("rls"),
        )?;
        family::counters(encoder, ("throttle_commands", "CL.THROTTLE commands, by their answer."), named("resp"))?;
        let decisions: Vec<_> = services.iter().flat_map(|service| service.decisions()).collect();
        let each = decisions.iter().flat_map(|(domain, limit, counts)| {
            let all = [("admitted", counts.admitted), ("over_limit", counts.over_limit), ("shadow", counts.shadow)];
            all.map(|(decision, count)| {
                ([("domain", domain.as_str()), ("limit", limit.as_str()), ("decision", decision)], count)
            })
        });
        let help = "Descriptors that the rate limit service decided about.";
        family::counters(encoder, ("rate_limit_service_decisions", help), each)?;
        let labels = |domain, limit| [("domain", domain), ("limit", limit)];
        let near = decisions.iter().map(|(domain, limit, counts)| (labels(domain.as_str(), limit), counts.near_limit));
        let help = "Descriptors that were admitted when more than four fifths of their limit were used.";
        family::counters(encoder, ("rate_limit_service_near_limit", help), near)?;
        let hits = decisions.iter().map(|(domain, limit, counts)| (labels(domain.as_str(), limit), counts.hits));
        family::counters(encoder, ("rate_limit_service_hits", "Hits that limits admitted."), hits)
    }
}

fn by_result(calls: &Calls) -> [(&'static str, &'static str, u64); 7] {
    [
        ("rls", "ok", calls.ok),
        ("rls", "over_limit", calls.over_limit),
        ("rls", "unknown_domain", calls.unknown_domain),
        ("rls", "invalid", calls.invalid),
        ("rls", "store_failed", calls.store_failed),
        ("resp", "admitted", calls.throttle_admitted),
        ("resp", "refused", calls.throttle_refused),
    ]
}
