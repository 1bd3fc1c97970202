use std::time::Duration;

use crate::algorithm::{Algorithm, Policy};
use crate::ask::{Ask, Receipt};
use crate::front::{By, Config, Failure, Front, Outcome, Terms, Ticket};
use crate::key::Key;
use crate::ports::StoreError;
use crate::quota::{Rate, Scale};
use crate::shared::Shared;

const MS: Duration = Duration::from_millis(1);
const KEY: Key = Key(5);

/// Ten units, of which one comes back in an hour.
fn bucket() -> Policy {
    let rate = Rate::new(1, Duration::from_hours(1)).expect("a rate");
    Algorithm::TokenBucket { rate, burst: 10 }.compile(Scale::Shared).expect("legal")
}

/// A front and its store, whose clock is the front's.
struct Both {
    front: Front,
    store: Shared,
    terms: Terms,
    ticket: u64,
}

impl Both {
    fn new(terms: Terms) -> Self {
        Self { front: Front::new(Config::default(), MS), store: Shared::new(0), terms, ticket: 0 }
    }

    fn ask(&mut self, now: Duration, cost: u64) -> Outcome {
        self.ticket += 1;
        let known = self.front.ask(now, KEY, &self.terms, Ask::spend(cost), Ticket(self.ticket));
        known.unwrap_or_else(|| self.exchange(now).pop().expect("one asked"))
    }

    fn exchange(&mut self, now: Duration) -> Vec<Outcome> {
        let batch = self.front.poll(now).expect("something is to be sent");
        let answers = self.store.decide(0, Scale::Shared.elapsed(now), &batch.items);
        let outcomes = self.front.answered(now, batch.id, &answers);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn give_back(&mut self, now: Duration, outcome: &Outcome) {
        self.front.give_back(now, KEY, &self.terms, outcome);
    }
}

#[test]
fn what_the_store_gave_goes_back_with_the_next_message_once() {
    let mut both = Both::new(Terms::plain(bucket(), 0, Failure::Closed));
    let outcome = both.ask(MS, 4);
    assert_eq!((outcome.decision.remaining, outcome.decision.receipt.cost), (6, 4));
    assert_eq!(both.front.keys(), 0, "nothing is remembered of the key");
    both.give_back(MS, &outcome);
    assert!(both.front.is_ready(), "nobody has to ask for it");
    assert_eq!(both.exchange(MS), []);
    assert_eq!((both.front.is_ready(), both.front.keys()), (false, 0));
    assert_eq!(both.ask(MS, 10).decision.granted, 10, "all of it is back");
    assert_eq!(both.ask(MS, 1).decision.granted, 0, "and not more");
}

#[test]
fn a_part_of_what_was_asked_together_goes_back_alone() {
    let mut both = Both::new(Terms::plain(bucket(), 0, Failure::Closed));
    for (ticket, cost) in [(100, 3), (101, 5)] {
        assert_eq!(both.front.ask(MS, KEY, &both.terms, Ask::spend(cost), Ticket(ticket)), None);
    }
    let outcomes = both.exchange(MS);
    both.give_back(MS, &outcomes[0]);
    assert_eq!(both.exchange(MS), []);
    assert_eq!(both.ask(MS, 6).decision.granted, 0);
    assert_eq!(both.ask(MS, 5).decision.granted, 5, "two were left, and three came back");
}

#[test]
fn a_refusal_is_not_repeated_after_something_came_back() {
    let mut both = Both::new(Terms::plain(bucket(), 0, Failure::Closed));
    let all = both.ask(MS, 10);
    assert_eq!(both.ask(MS, 1).by, By::Store);
    assert_eq!(both.ask(MS, 1).by, By::Refusal);
    both.give_back(MS, &all);
    let outcome = both.ask(MS, 1);
    assert_eq!((outcome.by, outcome.decision.granted), (By::Store, 1));
}

#[test]
fn what_a_lease_gave_dies_when_it_would_have_died() {
    let age = Duration::from_secs(3200);
    let mut both = Both::new(Terms::leased(bucket(), age, 0, Failure::Closed));
    both.ask(MS, 1);
    // The second question finds that units were used, and takes some in advance.
    let leased = loop {
        let outcome = both.ask(MS, 1);
        if outcome.by == By::Lease || outcome.decision.granted == 0 {
            break outcome;
        }
    };
    assert_eq!(leased.by, By::Lease);
    let left = both.front.stats().lent - both.front.stats().spent;
    both.give_back(MS, &leased);
    assert_eq!(both.front.stats().lent - both.front.stats().spent, left + 1);
    let again = both.ask(MS, 1);
    assert_eq!((again.by, again.decision.receipt), (By::Lease, leased.decision.receipt));
    let dead = MS + age;
    both.give_back(dead, &again);
    assert_eq!(both.ask(dead, 1).by, By::Store, "it does not live on");
}

#[test]
fn while_the_store_is_down_what_comes_back_is_lost_and_nothing_is_sent() {
    let mut both = Both::new(Terms::plain(bucket(), 0, Failure::Closed));
    let outcome = both.ask(MS, 1);
    for ticket in 100..103 {
        assert_eq!(both.front.ask(MS, KEY, &both.terms, Ask::spend(1), Ticket(ticket)), None);
        let batch = both.front.poll(MS).expect("somebody waits");
        both.give_back(MS, &outcome);
        both.front.failed(MS, batch.id, StoreError::Unreachable);
    }
    assert!(both.front.is_down());
    both.give_back(MS, &outcome);
    assert_eq!(both.front.poll(MS), None);
    assert_eq!(both.front.keys(), 0);
}

#[test]
fn a_receipt_of_all_makes_a_budget_whole_whatever_its_kind() {
    let second = Duration::from_secs(1);
    let rate = Rate::per_second(10);
    for algorithm in [
        Algorithm::TokenBucket { rate, burst: 10 },
        Algorithm::SlidingWindow(rate),
        Algorithm::SlidingLog(rate),
        Algorithm::FixedWindow(rate),
    ] {
        let policy = algorithm.compile(Scale::Shared).expect("legal");
        let mut store = Shared::new(0);
        let item = |refund, ask| crate::ports::Item { key: KEY, policy, refund, ask, retry_for: 1, extra: 0 };
        let now = Scale::Shared.elapsed(7 * second);
        // Another run: all counts as used up.
        let remaining = |answers: Vec<crate::ports::Answer>| answers[0].decision.remaining;
        assert_eq!(remaining(store.decide(1, now, &[item(None, Ask::check(0))])), 0, "{algorithm:?}");
        assert_eq!(remaining(store.decide(1, now, &[item(Some(Receipt::ALL), Ask::check(0))])), 10, "{algorithm:?}");
        assert_eq!(remaining(store.decide(1, now, &[item(None, Ask::spend(4))])), 6, "{algorithm:?}");
    }
}
