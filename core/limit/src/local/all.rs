//! Several limits at once: all are charged, or none is.

use std::time::Duration;

use smallvec::SmallVec;

use crate::algorithm::Policy;
use crate::ask::{Ask, Decision, Mode};
use crate::key::Key;
use crate::local::Store;

/// One of several limits that a request must pass.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Where the limit's keys are.
    pub store: &'a Store,
    /// The request's key in it.
    pub key: Key,
    /// The key's quota.
    pub policy: &'a Policy,
    /// What is asked of it.
    pub ask: Ask,
    /// Whether a refusal of this limit refuses the request. One that is only watched (shadow mode) is charged
    /// when the request passes.
    pub enforced: bool,
}

/// What the limits said, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct All {
    /// One decision for each part. If the request was refused, those after the refusing one were only checked, and
    /// none of them has a receipt.
    pub decisions: SmallVec<[Decision; 4]>,
    /// The first enforced limit that refused.
    pub refused: Option<usize>,
}

/// Asks every limit; what was taken before a refusal is given back at once, in full.
///
/// Between the taking and the giving back others can be refused who would have fit; nobody passes who would not.
#[must_use]
pub fn decide_all(parts: &[Part<'_>], now: Duration) -> All {
    let mut decisions: SmallVec<[Decision; 4]> = SmallVec::with_capacity(parts.len());
    let mut refused = None;
    for (index, part) in parts.iter().enumerate() {
        let ask = if refused.is_some() { Ask { mode: Mode::Check, ..part.ask } } else { part.ask };
        let decision = part.store.decide(part.key, now, part.policy, ask);
        let short = part.enforced && part.ask.mode != Mode::Partial && !decision.is_admitted();
        if short && refused.is_none() {
            refused = Some(index);
        }
        decisions.push(decision);
    }
    if refused.is_some() {
        for (part, decision) in parts.iter().zip(&mut decisions) {
            let receipt = std::mem::take(&mut decision.receipt);
            part.store.refund(part.key, now, part.policy, receipt);
        }
    }
    All { decisions, refused }
}
