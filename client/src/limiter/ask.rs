//! Asking several limits at once.

use super::verdict::{LimitRefusal, Verdict};
use super::{Bound, Place, Shared};
use crate::random;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tidegate_limit::fields::{self, Fields};
use tidegate_limit::front::{By, Failure, Outcome, Terms};
use tidegate_limit::local::{self, Part, decide_all};
use tidegate_limit::ports::{Asked, SharedLimits};
use tidegate_limit::rules::Facts;
use tidegate_limit::{Algorithm, Ask, Decision, Key, Policy, Receipt, Retry};

/// What a limit is asked about a request; nothing of the request is in it any more.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    /// The limit's place.
    limit: usize,
    key: Key,
    algorithm: Algorithm,
    policy: Policy,
    terms: Terms,
    ask: Ask,
    enforced: bool,
}

/// What it said.
#[derive(Clone, Copy)]
struct Said {
    question: Question,
    decision: Decision,
    /// Who said it, if the limit is kept in a store.
    by: Option<By>,
}

impl Said {
    fn refuses(&self) -> bool {
        self.question.enforced && !self.decision.is_admitted()
    }

    /// Nothing is known of the budget: the failure policy says yes or no to everything.
    fn is_blind(&self) -> bool {
        self.by == Some(By::Failure) && !matches!(self.question.terms.failure(), Failure::Local(_))
    }
}

impl Question {
    fn part<'a>(&'a self, store: &'a local::Store) -> Part<'a> {
        let Self { key, policy, ask, enforced, .. } = self;
        Part { store, key: *key, policy, ask: *ask, enforced: *enforced }
    }
}

/// What who is refused without being asked is told to wait.
const AWAY: Duration = Duration::from_secs(1);

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Shared {
    /// What the limits have to be asked. Those of which an edge spent enough need not be.
    pub(super) fn questions(&self, facts: &impl Facts, told: Option<(&[&str], &str)>) -> Vec<Question> {
        let mut proof = None;
        if let (Some(trust), Some((texts, request))) = (&self.trust, told) {
            proof = texts.iter().find_map(|text| trust.proof(text, request));
        }
        let mut questions = Vec::new();
        for (limit, bound) in self.limits.iter().enumerate() {
            let Some(ruling) = bound.rule.ruling(facts, random::u64()) else { continue };
            let spent = proof.as_ref().zip(bound.told.as_ref().and_then(|rule| rule.ruling(facts, 0)));
            if spent.is_some_and(|(proof, told)| proof.covers(told.key, ruling.ask.cost)) {
                count(&bound.counts.covered);
                continue;
            }
            questions.push(Question {
                limit,
                key: ruling.key,
                algorithm: *ruling.algorithm,
                policy: *ruling.policy,
                terms: *ruling.terms,
                ask: ruling.ask,
                enforced: ruling.enforced,
            });
        }
        questions
    }

    /// Asks those in this process, and then the stores: a request that is refused here costs them nothing.
    pub(super) async fn decide(&self, questions: &[Question], patience: Duration) -> Verdict {
        let mut said = self.here(questions);
        for question in questions {
            let Place::Shared(store) = &self.limits[question.limit].place else { continue };
            if said.iter().any(Said::refuses) {
                break;
            }
            said.push(there(store.as_ref(), question).await);
        }
        if said.iter().all(|said| !said.refuses()) {
            self.give_up(&mut said, patience);
        }
        if said.iter().any(Said::refuses) {
            self.take_back(&mut said);
        }
        said.sort_by_key(|said| said.question.limit);
        self.verdict(&said)
    }

    /// Those in this process: all of them are charged, or none is.
    fn here(&self, questions: &[Question]) -> Vec<Said> {
        let here = |question: &Question| match &self.limits[question.limit].place {
            Place::Here(store) => Some((*question, store)),
            Place::Shared(_) => None,
        };
        let asked: Vec<(Question, &local::Store)> = questions.iter().filter_map(here).collect();
        let parts: Vec<Part<'_>> = asked.iter().map(|(question, store)| question.part(store)).collect();
        let all = decide_all(&parts, self.clock.get().now());
        let said = |((question, _), decision): (&(Question, _), &Decision)| Said {
            question: *question,
            decision: *decision,
            by: None,
        };
        asked.iter().zip(&all.decisions).map(said).collect()
    }

    /// A turn that would come too late is refused, by the limit whose turn is the last.
    fn give_up(&self, all: &mut [Said], patience: Duration) {
        let Some(last) = all.iter_mut().max_by_key(|said| said.decision.wait) else { return };
        if last.decision.wait <= patience {
            return;
        }
        let Question { limit, key, policy, terms, ask, .. } = &last.question;
        match (&self.limits[*limit].place, last.by) {
            (Place::Here(store), _) => store.refund(*key, self.clock.get().now(), policy, last.decision.receipt),
            (Place::Shared(store), Some(by)) => {
                store.give_back(*key, terms, &Outcome { decision: last.decision, by });
            }
            (Place::Shared(_), None) => {}
        }
        last.decision.receipt = Receipt::default();
        (last.decision.asked, last.decision.granted) = (ask.cost.max(1), 0);
        last.decision.retry = Retry::After(last.decision.wait);
        last.question.enforced = true;
    }

    /// Gives back what limits took of a request that is refused.
    fn take_back(&self, all: &mut [Said]) {
        let now = self.clock.get().now();
        for said in all.iter_mut().filter(|said| !said.refuses()) {
            let Question { key, policy, terms, .. } = &said.question;
            match (&self.limits[said.question.limit].place, said.by) {
                (Place::Here(store), _) => {
                    store.refund(*key, now, policy, std::mem::take(&mut said.decision.receipt));
                    let whole = store.decide(*key, now, policy, Ask::check(0));
                    (said.decision.remaining, said.decision.reset) = (whole.remaining, whole.reset);
                }
                (Place::Shared(store), Some(by)) => {
                    store.give_back(*key, terms, &Outcome { decision: said.decision, by });
                    let back = std::mem::take(&mut said.decision.receipt).cost;
                    said.decision.remaining = said.decision.remaining.saturating_add(back);
                }
                (Place::Shared(_), None) => {}
            }
        }
    }

    fn verdict(&self, all: &[Said]) -> Verdict {
        let refused = all.iter().position(Said::refuses);
        let mut told = Fields::default();
        for (index, said) in all.iter().enumerate() {
            let bound = &self.limits[said.question.limit];
            bound.count(said, refused == Some(index), refused.is_some());
            let tells = refused.is_some() || self.tells_always;
            if said.question.enforced && tells && !said.is_blind() {
                let Question { algorithm, .. } = &said.question;
                told.tell(bound.rule.name(), algorithm, &said.decision, refused == Some(index), false);
            }
        }
        let wait = if refused.is_some() {
            Duration::ZERO
        } else {
            all.iter().map(|said| said.decision.wait).max().unwrap_or_default()
        };
        let refusal = refused.and_then(|index| all.get(index)).map(|said| self.refusal(said));
        Verdict { refusal, wait, fields: told }
    }

    fn refusal(&self, said: &Said) -> LimitRefusal {
        let rule = &self.limits[said.question.limit].rule;
        let (limit, decision) = (rule.name(), &said.decision);
        if said.is_blind() {
            let store = rule.store().unwrap_or_default();
            let message = format!("the limit `{limit}` cannot be asked: its store `{store}` does not answer");
            return LimitRefusal { limit: limit.to_owned(), message, retry_after: Some(AWAY), store_is_away: true };
        }
        let (message, retry_after) = (fields::refusal(limit, decision), decision.retry_after());
        LimitRefusal { limit: limit.to_owned(), message, retry_after, store_is_away: false }
    }
}

impl Bound {
    fn count(&self, said: &Said, refuses: bool, is_refused: bool) {
        if said.by == Some(By::Failure) {
            count(&self.counts.unanswered);
        }
        match (refuses, is_refused, said.decision.is_admitted()) {
            (true, ..) => count(&self.counts.refused),
            (false, _, false) if !said.question.enforced => count(&self.counts.shadow),
            (false, false, true) => count(&self.counts.admitted),
            // Another one refused: nothing was taken.
            (false, ..) => {}
        }
    }
}

async fn there(store: &dyn SharedLimits, question: &Question) -> Said {
    let outcome = match store.ask(question.key, &question.terms, question.ask) {
        Asked::Answered(outcome) => Some(outcome),
        Asked::Waits(answer) => answer.await,
    };
    let Outcome { decision, by } = outcome.unwrap_or_else(|| nobody(question.ask));
    Said { question: *question, decision, by: Some(by) }
}

/// Whoever drove the store is gone: nothing passes.
fn nobody(Ask { cost, .. }: Ask) -> Outcome {
    let (retry, reset, wait) = (Retry::OnRelease, Duration::ZERO, Duration::ZERO);
    let receipt = Receipt::default();
    let decision = Decision { asked: cost.max(1), granted: 0, remaining: 0, retry, reset, wait, receipt };
    Outcome { decision, by: By::Failure }
}
