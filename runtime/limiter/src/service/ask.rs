//! Asks the limits of a request, and makes the reply of what they said.
//!
//! All limits are charged, or none is: what was taken before a refusal is given back. A limit whose callers pay
//! afterwards is charged whatever it says, for what they used cannot be taken back.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tidegate_limit::front::{By, Outcome};
use tidegate_limit::ports::{Asked, Inbox, SharedLimits};
use tidegate_limit::{Ask, Decision, Mode, Retry};

use super::parts::{Limited, Part, Parts};
use super::{Answer, Failed, Limits, Replied, State};
use crate::config::{Headers, OnFailure};
use crate::counts::{Call, Counts, Said};
use crate::wire::{Code, Reply, Status};

/// How often a charge that is too large is tried again with what was left.
const TRIES: usize = 4;

/// A call while its limits are asked.
pub(crate) struct Asking {
    parts: SmallVec<[Part; 2]>,
    state: Arc<State>,
    counts: Arc<Counts>,
    now: Duration,
    head: usize,
    unknown_domain: bool,
    /// The store did not answer.
    failed: bool,
    /// Answers that are still to come to the inbox.
    posted: usize,
}

/// Where answers of a store come to: the first limit of a call has this number, and each other one the next.
#[derive(Clone, Copy)]
pub(crate) struct Post<'a> {
    pub(crate) inbox: &'a Arc<dyn Inbox>,
    pub(crate) number: u64,
}

/// A call that has begun.
#[expect(clippy::large_enum_variant, reason = "nearly all are posted, and moved once to where they wait")]
pub(crate) enum Begun {
    /// It needs nobody's help to its end.
    Answer(Answer<Replied>),
    /// Answers come to the inbox.
    Posted(Asking),
}

/// Waits, each for the part at its place.
type Waits = SmallVec<[(usize, Asked); 2]>;

impl Parts {
    /// Asks all limits. What is known at once is answered at once.
    pub(super) fn ask(
        self,
        state: Arc<State>,
        counts: Arc<Counts>,
        now: Duration,
        head: usize,
        post: Option<Post<'_>>,
    ) -> Begun {
        let Self { parts, unknown_domain } = self;
        let mut asking = Asking { parts, state, counts, now, head, unknown_domain, failed: false, posted: 0 };
        let waits = asking.ask(post);
        if asking.posted > 0 {
            return Begun::Posted(asking);
        }
        Begun::Answer(match waits.is_empty() {
            true => asking.finish(),
            false => Answer::Later(Box::pin(async move {
                for (index, asked) in waits {
                    let outcome = wait(asked).await;
                    asking.take(index, outcome);
                }
                asking.take_what_is_left().await;
                asking.reply()
            })),
        })
    }
}

async fn wait(asked: Asked) -> Option<Outcome> {
    match asked {
        Asked::Answered(outcome) => Some(outcome),
        Asked::Waits(waits) => waits.await,
    }
}

impl Asking {
    /// Asks each; gives what is not known yet, save what was posted.
    fn ask(&mut self, post: Option<Post<'_>>) -> Waits {
        let mut waits = Waits::new();
        let mut refused = false;
        let pays_later = self.pays_later();
        for index in 0..self.parts.len() {
            let Part::Limited(limited) = &self.parts[index] else { continue };
            // What is refused already shall not be charged.
            let ask = if refused && !pays_later { Ask { mode: Mode::Check, ..limited.ask } } else { limited.ask };
            match &self.state.limits {
                Limits::Local => {
                    let decision = local(&self.state, limited, self.now, ask);
                    refused |= limited.refuses_alone() && !decision.is_admitted();
                    self.set(index, decision, By::Store);
                }
                Limits::Shared(shared) => {
                    let known = match (post, shared.outbox()) {
                        (Some(Post { inbox, number }), Some(outbox)) => {
                            let number = number + index as u64;
                            let known = outbox.post(limited.key, &limited.counted.terms, ask, inbox, number);
                            self.posted += usize::from(known.is_none());
                            known
                        }
                        _ => match shared.ask(limited.key, &limited.counted.terms, ask) {
                            Asked::Answered(outcome) => Some(outcome),
                            waiting @ Asked::Waits(_) => {
                                waits.push((index, waiting));
                                None
                            }
                        },
                    };
                    if let Some(outcome) = known {
                        refused |= limited.refuses_alone() && !outcome.decision.is_admitted();
                        self.take(index, Some(outcome));
                    }
                }
            }
        }
        waits
    }

    /// Takes an answer that was posted for the limit at `index`. Whether it was the last one.
    pub(crate) fn take_posted(&mut self, index: usize, outcome: Option<Outcome>) -> bool {
        if index < self.parts.len() {
            self.take(index, outcome);
        }
        self.posted = self.posted.saturating_sub(1);
        self.posted == 0
    }

    /// The reply, once all answers are there.
    pub(crate) fn finish(mut self) -> Answer<Replied> {
        if !self.is_short() {
            return Answer::Now(self.reply());
        }
        Answer::Later(Box::pin(async move {
            self.take_what_is_left().await;
            self.reply()
        }))
    }

    /// The store that is asked, if it is one.
    pub(crate) fn store(&self) -> Option<&Arc<dyn SharedLimits>> {
        match &self.state.limits {
            Limits::Local => None,
            Limits::Shared(shared) => Some(shared),
        }
    }

    fn limited(&self) -> impl Iterator<Item = &Limited> {
        self.parts.iter().filter_map(|part| match part {
            Part::Limited(limited) => Some(limited),
            Part::Nothing | Part::Unlimited => None,
        })
    }

    fn pays_later(&self) -> bool {
        self.limited().any(Limited::pays_later)
    }

    /// Whether something is charged afterwards that is more than is left.
    fn is_short(&self) -> bool {
        self.limited().any(|limited| limited.pays_later() && !limited.is_admitted())
    }

    fn set(&mut self, index: usize, decision: Decision, by: By) {
        if let Part::Limited(limited) = &mut self.parts[index] {
            (limited.decision, limited.by) = (Some(decision), by);
        }
    }

    fn take(&mut self, index: usize, outcome: Option<Outcome>) {
        match outcome {
            Some(outcome) if outcome.by != By::Failure => self.set(index, outcome.decision, outcome.by),
            _ => self.failed = true,
        }
    }

    /// Charges what is left where the whole did not fit and was used all the same.
    async fn take_what_is_left(&mut self) {
        for part in &mut self.parts {
            let Part::Limited(limited) = part else { continue };
            if !limited.pays_later() {
                continue;
            }
            for _ in 0..TRIES {
                let left = limited.decision.filter(|decision| !decision.is_admitted());
                let Some(left) = left.map(|decision| decision.remaining).filter(|left| *left > 0) else { break };
                let ask = Ask::spend(left.min(limited.hits));
                let decision = match &self.state.limits {
                    Limits::Local => Some(local(&self.state, limited, self.now, ask)),
                    Limits::Shared(shared) => ask_shared(shared.as_ref(), limited, ask).await,
                };
                let Some(decision) = decision else { break };
                let granted = decision.is_admitted();
                // It is over the limit all the same.
                limited.decision = limited.decision.map(|over| Decision { remaining: decision.remaining, ..over });
                if granted {
                    break;
                }
            }
        }
    }

    /// At least one limit refuses, or all of those that refuse together only.
    fn is_over(&self) -> bool {
        let (mut quotas, mut quotas_over) = (0, 0);
        for limited in self.limited() {
            let over = !limited.is_admitted() && !limited.is_shadow();
            if !limited.is_quota() {
                if over {
                    return true;
                }
                continue;
            }
            quotas += 1;
            quotas_over += usize::from(over);
        }
        quotas > 0 && quotas == quotas_over
    }

    /// Gives back what limits took of a request that is refused.
    fn give_back(&mut self) {
        if self.pays_later() {
            return;
        }
        for part in &mut self.parts {
            let Part::Limited(limited) = part else { continue };
            let Some(decision) = &mut limited.decision else { continue };
            let taken = *decision;
            let receipt = std::mem::take(&mut decision.receipt);
            if receipt.cost == 0 {
                continue;
            }
            decision.remaining = decision.remaining.saturating_add(receipt.cost);
            match &self.state.limits {
                Limits::Local => {
                    let store = self.state.tables.at(limited.counted.place);
                    store.refund(limited.key, self.now, &limited.counted.local, receipt);
                }
                Limits::Shared(shared) => {
                    let outcome = Outcome { decision: taken, by: limited.by };
                    shared.give_back(limited.key, &limited.counted.terms, &outcome);
                }
            }
        }
    }

    fn reply(mut self) -> Replied {
        if self.failed {
            return self.without_store();
        }
        let over = self.is_over();
        if over {
            self.give_back();
        }
        self.counts.call(match over {
            true => Call::OverLimit,
            false if self.unknown_domain => Call::UnknownDomain,
            false => Call::Ok,
        });
        let mut reply = Reply::new(self.head, if over { Code::OverLimit } else { Code::Ok });
        let mut told: Option<Status<'_>> = None;
        for part in &self.parts {
            let status = status(part);
            reply.status(&status);
            let refuses = matches!(part, Part::Limited(limited) if !limited.is_quota());
            let refuses = status.code == Code::OverLimit && refuses;
            let least = told.is_none_or(|told| refuses || status.remaining < told.remaining);
            if status.limit.is_some() && least {
                told = Some(status);
            }
        }
        let tells = match self.state.headers {
            Headers::Never => false,
            Headers::Refused => over,
            Headers::Always => true,
        };
        if let Some(Status { limit: Some((quota, _)), remaining, reset, .. }) = told.filter(|_| tells) {
            reply.header("RateLimit-Limit", &quota.requests_per_unit.to_string());
            reply.header("RateLimit-Remaining", &remaining.to_string());
            reply.header("RateLimit-Reset", &reset.unwrap_or_default().to_string());
        }
        for limited in self.limited() {
            limited.tally.count(said(limited));
        }
        Ok(reply.finish())
    }

    fn without_store(mut self) -> Replied {
        self.give_back();
        self.counts.call(Call::StoreFailed);
        let code = match self.state.on_failure {
            OnFailure::Error => return Err(Failed::store()),
            OnFailure::Open => Code::Ok,
            OnFailure::Closed => Code::OverLimit,
        };
        let mut reply = Reply::new(self.head, code);
        for part in &self.parts {
            let limit = match part {
                Part::Limited(limited) => Some((limited.quota(), limited.name())),
                Part::Nothing | Part::Unlimited => None,
            };
            reply.status(&Status { code, limit, remaining: 0, reset: None });
        }
        Ok(reply.finish())
    }
}

fn local(state: &State, limited: &Limited, now: Duration, ask: Ask) -> Decision {
    state.tables.at(limited.counted.place).decide(limited.key, now, &limited.counted.local, ask)
}

async fn ask_shared(shared: &dyn SharedLimits, limited: &Limited, ask: Ask) -> Option<Decision> {
    let outcome = wait(shared.ask(limited.key, &limited.counted.terms, ask)).await?;
    (outcome.by != By::Failure).then_some(outcome.decision)
}

/// What is told of a descriptor.
fn status(part: &Part) -> Status<'_> {
    let limited = match part {
        Part::Nothing => return Status { code: Code::Ok, limit: None, remaining: 0, reset: None },
        Part::Unlimited => return Status { code: Code::Ok, limit: None, remaining: u32::MAX, reset: None },
        Part::Limited(limited) => limited,
    };
    let limit = Some((limited.quota(), limited.name()));
    let Some(decision) = &limited.decision else { return Status { code: Code::Ok, limit, remaining: 0, reset: None } };
    let admitted = decision.is_admitted();
    // Until the same can be asked again, or until nothing of what was used counts any more.
    let reset = match decision.retry {
        Retry::After(time) if !admitted => time,
        _ => decision.reset,
    };
    Status {
        code: if admitted || limited.is_shadow() { Code::Ok } else { Code::OverLimit },
        limit,
        remaining: if admitted { u32::try_from(decision.remaining).unwrap_or(u32::MAX) } else { 0 },
        reset: Some(reset.as_secs() + u64::from(reset.subsec_nanos() > 0)),
    }
}

/// What is counted of it.
fn said(limited: &Limited) -> Said {
    let Some(decision) = limited.decision.filter(Decision::is_admitted) else {
        return if limited.is_shadow() { Said::Shadow } else { Said::Over };
    };
    let limit = u64::from(limited.quota().requests_per_unit);
    let used = limit.saturating_sub(decision.remaining);
    Said::Admitted { hits: limited.hits, near: used > limit / 5 * 4 + limit % 5 * 4 / 5 }
}
