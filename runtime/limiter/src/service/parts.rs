//! A request, as the limits that it must pass.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;
use tidegate_limit::front::By;
use tidegate_limit::{Ask, Decision, Key};

use super::Failed;
use crate::config::{Quota, Unit};
use crate::counts::Tally;
use crate::rules::{Counted, Found, Limit, Rule, Rules};
use crate::wire::{Descriptor, Request};

/// What the descriptors of a request ask, in their order.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) parts: SmallVec<[Part; 2]>,
    pub(super) unknown_domain: bool,
}

/// What a descriptor asks.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are limited, and a box would be an allocation for each")]
pub(super) enum Part {
    /// Nothing: there is no limit for it, or another one of the request takes its place.
    Nothing,
    /// A limit that has no end.
    Unlimited,
    /// A limit.
    Limited(Limited),
}

/// A limit that is asked.
#[derive(Debug)]
pub(super) struct Limited {
    /// `None`: the call brought it along.
    limit: Option<Arc<Limit>>,
    pub(super) counted: Arc<Counted>,
    pub(super) key: Key,
    pub(super) ask: Ask,
    /// Zero: it is only looked at.
    pub(super) hits: u64,
    pub(super) tally: Arc<Tally>,
    pub(super) decision: Option<Decision>,
    /// Who made it: what a store or a lease gave goes back to it.
    pub(super) by: By,
}

impl Limited {
    pub(super) fn quota(&self) -> Quota {
        self.counted.quota
    }

    pub(super) fn name(&self) -> &str {
        self.limit.as_ref().map_or("", |limit| &limit.name)
    }

    pub(super) fn is_shadow(&self) -> bool {
        self.limit.as_ref().is_some_and(|limit| limit.shadow)
    }

    pub(super) fn is_quota(&self) -> bool {
        self.limit.as_ref().is_some_and(|limit| limit.quota_mode)
    }

    /// Whether the request is refused if this limit refuses.
    pub(super) fn refuses_alone(&self) -> bool {
        !self.is_shadow() && !self.is_quota()
    }

    /// Whether those who ask pay afterwards: what they charge has been used already.
    pub(super) fn pays_later(&self) -> bool {
        self.hits > 0 && self.tally.pays_later.load(Ordering::Relaxed)
    }

    pub(super) fn is_admitted(&self) -> bool {
        self.decision.as_ref().is_some_and(Decision::is_admitted)
    }
}

impl Parts {
    /// Finds the limits of a request.
    pub(super) fn of(request: &Request<'_>, rules: &Rules) -> Result<Self, Failed> {
        if request.domain.is_empty() {
            return Err(Failed::invalid("the domain is empty"));
        }
        if request.descriptors.is_empty() {
            return Err(Failed::invalid("there are no descriptors"));
        }
        for (index, descriptor) in request.descriptors.iter().enumerate() {
            check(index, descriptor)?;
        }
        let Some(domain) = rules.domain(request.domain) else {
            let parts = request.descriptors.iter().map(|_| Part::Nothing).collect();
            return Ok(Self { parts, unknown_domain: true });
        };
        let mut parts: SmallVec<[Part; 2]> = SmallVec::new();
        let mut replaces = false;
        let mut unlimited: SmallVec<[&Arc<Limit>; 2]> = SmallVec::new();
        for descriptor in &request.descriptors {
            let hits = descriptor.hits_addend.unwrap_or_else(|| u64::from(request.hits_addend.max(1)));
            let (part, limit) = part(descriptor, hits, domain, rules);
            replaces |= limit.is_some_and(|limit| !limit.replaces.is_empty());
            if let (Part::Unlimited, Some(limit)) = (&part, limit) {
                unlimited.push(limit);
            }
            parts.push(part);
        }
        let mut parts = Self { parts, unknown_domain: false };
        if replaces {
            parts.replace(&unlimited);
        }
        Ok(parts)
    }

    /// Takes out limits in whose place others of the request stand.
    fn replace(&mut self, unlimited: &[&Arc<Limit>]) {
        let mut named: Vec<Box<str>> = Vec::new();
        for part in &self.parts {
            if let Part::Limited(Limited { limit: Some(limit), .. }) = part {
                named.extend(limit.replaces.iter().cloned());
            }
        }
        named.extend(unlimited.iter().flat_map(|limit| limit.replaces.iter().cloned()));
        for part in &mut self.parts {
            let gone = matches!(part, Part::Limited(limited) if named.iter().any(|name| **name == *limited.name()));
            if gone {
                *part = Part::Nothing;
            }
        }
    }
}

/// What makes no sense whatever the rules say.
fn check(index: usize, descriptor: &Descriptor<'_>) -> Result<(), Failed> {
    let wrong = |what: &str| Err(Failed::invalid(format!("descriptors[{index}]{what}")));
    if descriptor.entries.is_empty() {
        return wrong(" has no entries");
    }
    if descriptor.entries.iter().any(|(key, _)| key.is_empty()) {
        return wrong(" has an entry with an empty key");
    }
    if let Some(limit) = descriptor.limit
        && Unit::of_number(limit.unit).is_none()
    {
        return wrong(&format!(".limit.unit is {}, which is no unit of time", limit.unit));
    }
    if descriptor.gives_back {
        return wrong(".is_negative_hits: hits are not given back");
    }
    Ok(())
}

fn part<'r>(descriptor: &Descriptor<'_>, hits: u64, domain: &'r Rule, rules: &Rules) -> (Part, Option<&'r Arc<Limit>>) {
    // Who pays nothing wants to know whether anything is left.
    let ask = if hits == 0 { Ask::check(1) } else { Ask::spend(hits) };
    if let Some(limit) = descriptor.limit {
        let Some(unit) = Unit::of_number(limit.unit) else { return (Part::Nothing, None) };
        let counted = Arc::new(rules.overridden(Quota { requests_per_unit: limit.requests_per_unit, unit }));
        let (key, tally) = domain.overridden(&counted, &descriptor.entries);
        return (
            Part::Limited(Limited { limit: None, counted, key, ask, hits, tally, decision: None, by: By::Store }),
            None,
        );
    }
    let Some(Found { limit, key, tally }) = domain.find(&descriptor.entries) else { return (Part::Nothing, None) };
    let Some(counted) = &limit.counted else { return (Part::Unlimited, Some(limit)) };
    let counted = Arc::clone(counted);
    if hits == 0 && !tally.pays_later.load(Ordering::Relaxed) {
        tally.pays_later.store(true, Ordering::Relaxed);
    }
    let limited =
        Limited { limit: Some(Arc::clone(limit)), counted, key, ask, hits, tally, decision: None, by: By::Store };
    (Part::Limited(limited), Some(limit))
}
