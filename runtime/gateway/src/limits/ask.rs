//! Asking several limits at once, and what becomes of the request.
//!
//! Those of this process are asked first: what they refuse costs no question. Those that gateways share are asked next,
//! all of them together. If one refuses, all give back what they took.

use super::counter::Said;
use super::shared::{self, Waits};
use super::told::{self, Spent};
use super::{Facts, Limited, Limits, Told};
use crate::answer::{Answer, Refusal};
use http::HeaderValue;
use http::header::RETRY_AFTER;
use smallvec::SmallVec;
use std::fmt::Write as _;
use std::pin::Pin;
use std::time::Duration;
use tidegate_limit::fields;
use tidegate_limit::front::{By, Failure};
use tidegate_limit::local::{Part, decide_all};
use tidegate_limit::rules::{Percent, Ruling};
use tidegate_limit::{Ask, Decision, Receipt, Retry};
use tidegate_telemetry::{clock, random};
use tidegate_transcode::Status;

/// A limit that has something to say, and what.
pub(super) type Asked<'a> = (&'a Limited, Ruling<'a>);

/// What a limit said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    pub(super) decision: Decision,
    pub(super) by: Voice,
}

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// The counter of this process.
    Process,
    /// The store that gateways share, or who answers in its place.
    Store(By),
    /// Nobody: another limit had refused before it was asked.
    Nobody,
}

/// What all of them said.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Of each, in the order of the config.
    pub(super) heard: SmallVec<[Heard; 4]>,
    /// The one that refused the request.
    pub(super) refused: Option<usize>,
}

/// What limits say of a request, or the wait for it: the time for which the request is to be held back, or a refusal.
pub(crate) enum Asking<'a> {
    Done(Result<Duration, Refusal>),
    Waits(Pin<Box<dyn Future<Output = Result<Duration, Refusal>> + Send + 'a>>),
}

/// A request in front of limits.
pub(super) struct Request<'a> {
    limits: &'a Limits,
    pub(super) asked: SmallVec<[Asked<'a>; 4]>,
    facts: &'a Facts<'a>,
    /// How long it can be held back.
    patience: Duration,
    explain: bool,
    told: &'a mut Option<Box<Told>>,
}

impl Limits {
    /// Asks the limits of `set`: all of them are charged, or none is. Gives the time for which the request is to be
    /// held back, which is at most `patience`; so is the wait for stores.
    ///
    /// Refuses with 429, or 503 where a limit cannot be asked, with what has to be told in `told`.
    pub(crate) fn ask<'a>(
        &'a self,
        set: &[usize],
        facts: &'a Facts<'a>,
        patience: Duration,
        explain: bool,
        told: &'a mut Option<Box<Told>>,
    ) -> Asking<'a> {
        let mut asked: SmallVec<[Asked<'_>; 4]> = SmallVec::new();
        for limited in set.iter().filter_map(|place| self.all.get(*place)) {
            let random = if is_in_part(limited.rule.enforce()) { random::u64() } else { 0 };
            asked.extend(limited.rule.ruling(facts, random).map(|ruling| (limited, ruling)));
        }
        if asked.is_empty() {
            return Asking::Done(Ok(Duration::ZERO));
        }
        let request = Request { limits: self, asked, facts, patience, explain, told };
        let mut verdict = request.ask_process();
        let mut waits =
            if verdict.refused.is_none() { shared::ask(&request.asked, &mut verdict) } else { Waits::new() };
        if waits.is_empty() {
            waits = request.ask_services(&mut verdict);
        }
        if waits.is_empty() {
            return Asking::Done(request.close(verdict));
        }
        Asking::Waits(Box::pin(async move {
            let began = clock::now();
            let mut late = shared::wait(waits, &request.asked, request.patience, &mut verdict).await;
            let waits = if late.is_none() { request.ask_services(&mut verdict) } else { Waits::new() };
            if !waits.is_empty() {
                let left = request.patience.saturating_sub(clock::now().saturating_duration_since(began));
                late = shared::wait(waits, &request.asked, left, &mut verdict).await;
            }
            match late {
                None => request.close(verdict),
                Some(late) => {
                    request.give_back(&mut verdict);
                    Err(too_late(request.asked[late].0.rule.name()))
                }
            }
        }))
    }

    /// Gives back what limits took of a request that was refused by a later one.
    pub(crate) fn give_back(&self, told: &mut Told) {
        let now = self.now();
        for spent in told.spent.drain(..) {
            match spent {
                Spent::Process { counter, key, policy, receipt } => counter.store().refund(key, now, &policy, receipt),
                Spent::Store { store, key, terms, outcome } => {
                    if let Some(counters) = store.limits().counters() {
                        counters.give_back(key, &terms, &outcome);
                    }
                }
            }
        }
    }
}

fn is_in_part(percent: Percent) -> bool {
    percent != Percent::ALL && percent != Percent::NONE
}

/// Whether a limit refuses the request.
fn is_short(((_, ruling), heard): (&Asked<'_>, &Heard)) -> bool {
    ruling.enforced && !heard.decision.is_admitted()
}

fn part<'a>((limited, ruling): &Asked<'a>) -> Part<'a> {
    let store = limited.counter.store();
    Part { store, key: ruling.key, policy: ruling.policy, ask: ruling.ask, enforced: ruling.enforced }
}

impl Heard {
    /// What is to be told of a limit that was not asked.
    const fn nothing(cost: u64) -> Self {
        let decision = Decision {
            asked: cost,
            granted: cost,
            remaining: 0,
            retry: Retry::Now,
            reset: Duration::ZERO,
            wait: Duration::ZERO,
            receipt: Receipt { cost: 0, at: 0, worth: 0, era: 0, shared: false },
        };
        Self { decision, by: Voice::Nobody }
    }

    /// Whether it knows nothing of the budget: the failure policy says yes or no to everything.
    pub(super) fn is_blind(&self, ruling: &Ruling<'_>) -> bool {
        match self.by {
            Voice::Process => false,
            Voice::Nobody => true,
            Voice::Store(by) => by == By::Failure && !matches!(ruling.terms.failure(), Failure::Local(_)),
        }
    }
}

impl Request<'_> {
    /// What those say that this process counts by itself; of the others nothing is heard yet.
    fn ask_process(&self) -> Verdict {
        let is_own = |asked: &&Asked<'_>| asked.0.rule.store().is_none();
        let parts: SmallVec<[Part<'_>; 4]> = self.asked.iter().filter(is_own).map(part).collect();
        let now = self.limits.now();
        let mut all = decide_all(&parts, now);
        // What those before the refusing one say that took nothing after all.
        for (part, decision) in parts.iter().zip(&mut all.decisions).take(all.refused.unwrap_or(0)) {
            let whole = part.store.decide(part.key, now, part.policy, Ask::check(0));
            (decision.remaining, decision.reset) = (whole.remaining, whole.reset);
        }
        let mut decisions = all.decisions.into_iter();
        let mut verdict = Verdict { heard: SmallVec::new(), refused: None };
        let mut place = 0;
        for (index, asked) in self.asked.iter().enumerate() {
            let own = if is_own(&asked) { decisions.next() } else { None };
            if own.is_some() {
                verdict.refused = verdict.refused.or((all.refused == Some(place)).then_some(index));
                place += 1;
            }
            let own = own.map(|decision| Heard { decision, by: Voice::Process });
            verdict.heard.push(own.unwrap_or_else(|| Heard::nothing(asked.1.ask.cost)));
        }
        verdict
    }

    /// Asks the services, if nothing refused the request.
    fn ask_services(&self, verdict: &mut Verdict) -> Waits {
        if verdict.refused.is_some() || self.asked.iter().zip(&verdict.heard).any(is_short) {
            return Waits::new();
        }
        shared::ask_services(&self.asked, self.facts, verdict)
    }

    /// All is heard: what becomes of the request.
    fn close(mut self, mut verdict: Verdict) -> Result<Duration, Refusal> {
        let wait = verdict.heard.iter().map(|heard| heard.decision.wait).max().unwrap_or_default();
        if verdict.refused.is_none() {
            verdict.refused = self.asked.iter().zip(&verdict.heard).position(is_short);
            if verdict.refused.is_none() && wait > self.patience {
                // The turn of the request would come too late: the limit refuses it whose turn is the last.
                verdict.refused = verdict.heard.iter().position(|heard| heard.decision.wait == wait);
                if let Some(heard) = verdict.refused.and_then(|index| verdict.heard.get_mut(index)) {
                    heard.decision.retry = Retry::After(wait);
                }
            }
            if verdict.refused.is_some() {
                self.give_back(&mut verdict);
            }
        }
        self.count(&verdict);
        told::tell(&self.asked, &verdict, self.told);
        if self.explain {
            told::explain(&self.asked, &verdict, self.facts, self.told);
        }
        match verdict.refused {
            Some(index) => {
                let (asked, heard) = (&self.asked[index], &verdict.heard[index]);
                Err(if heard.is_blind(&asked.1) { unknown(asked) } else { refusal(asked, &heard.decision) })
            }
            None => {
                self.keep(&verdict);
                Ok(wait)
            }
        }
    }

    /// Nothing is charged: what was taken goes back.
    fn give_back(&self, verdict: &mut Verdict) {
        let now = self.limits.now();
        for ((limited, ruling), heard) in self.asked.iter().zip(&mut verdict.heard) {
            if heard.decision.receipt.cost == 0 {
                continue;
            }
            match heard.by {
                Voice::Process => {
                    let store = limited.counter.store();
                    store.refund(ruling.key, now, ruling.policy, heard.decision.receipt);
                    let whole = store.decide(ruling.key, now, ruling.policy, Ask::check(0));
                    (heard.decision.remaining, heard.decision.reset) = (whole.remaining, whole.reset);
                }
                Voice::Store(by) => {
                    shared::give_back(limited, ruling, heard.decision, by);
                    heard.decision.remaining = heard.decision.remaining.saturating_add(heard.decision.receipt.cost);
                }
                Voice::Nobody => {}
            }
            heard.decision.receipt = Receipt::default();
        }
    }

    fn count(&self, verdict: &Verdict) {
        for (index, ((limited, ruling), heard)) in self.asked.iter().zip(&verdict.heard).enumerate() {
            if heard.by == Voice::Store(By::Failure) {
                limited.counter.count(Said::Unanswered);
            }
            let admitted = heard.decision.is_admitted();
            let said = match verdict.refused {
                // It did not refuse: nobody knows whether it would.
                _ if !admitted && heard.is_blind(ruling) => continue,
                Some(refused) if refused == index => Said::Refused,
                _ if !admitted && !ruling.enforced => Said::Shadow,
                None if admitted => Said::Admitted,
                // Another one refused: nothing was taken.
                Some(_) | None => continue,
            };
            limited.counter.count(said);
            if said != Said::Admitted {
                limited.counter.refused(ruling.key, || text(limited, self.facts));
            }
        }
    }

    /// Notes what is to be given back if a later limit refuses the request, and what services behind are told.
    fn keep(&mut self, verdict: &Verdict) {
        for ((limited, ruling), heard) in self.asked.iter().zip(&verdict.heard) {
            if limited.gives_back && heard.decision.receipt.cost > 0 {
                self.told.get_or_insert_default().spent.extend(Spent::of(limited, ruling, heard));
            }
            if let Some(signed) = &limited.signed
                && heard.decision.is_admitted()
                && !heard.is_blind(ruling)
            {
                signed.note(ruling, self.facts, self.told);
            }
        }
    }
}

/// The values of a request's key.
fn text(limited: &Limited, facts: &Facts<'_>) -> String {
    let mut text = String::new();
    for (index, (_, value)) in limited.rule.values(facts).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        let _ = match value {
            Some(value) => write!(text, "{}", String::from_utf8_lossy(&value).escape_debug()),
            None => write!(text, "(none)"),
        };
    }
    text
}

/// 429, by this limit.
fn refusal((limited, _): &Asked<'_>, decision: &Decision) -> Refusal {
    let name = limited.rule.name();
    let after = decision.retry_after().map(fields::seconds);
    let message = fields::refusal(name, decision);
    let answer = Answer::RateLimited;
    let mut status = Status::new(answer.code(), message.clone()).with_quota_violation(name, &message);
    if let Some(after) = decision.retry_after() {
        status = status.with_retry_delay(after);
    }
    let mut refusal = Refusal::with_status(answer, status);
    if let Some(seconds) = after {
        refusal.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    refusal
}

/// 503: nobody knows whether the limit is reached.
fn unknown((limited, _): &Asked<'_>) -> Refusal {
    let (name, store) = (limited.rule.name(), limited.rule.store().unwrap_or_default());
    let message = format!("the limit `{name}` cannot be asked: its store `{store}` does not answer");
    let mut refusal = Refusal::new(Answer::LimitUnknown, message);
    refusal.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    refusal
}

/// 504: the deadline is earlier than the answer.
fn too_late(name: &str) -> Refusal {
    Refusal::new(Answer::Deadline, format!("the deadline passed before the limit `{name}` answered"))
}
