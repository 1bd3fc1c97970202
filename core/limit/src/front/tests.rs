use std::time::Duration;

use crate::algorithm::{Algorithm, Policy};
use crate::ask::{Ask, Retry};
use crate::front::{By, Config, Failure, Front, Terms, Ticket};
use crate::key::Key;
use crate::ports::{Batch, StoreError};
use crate::quota::{Rate, Scale};
use crate::shared::Shared;

const MS: Duration = Duration::from_millis(1);
const KEY: Key = Key(5);
/// The store's clock, far from the node's.
const STORE: Duration = Duration::from_secs(1_000_000);

fn bucket(scale: Scale) -> Policy {
    Algorithm::TokenBucket { rate: Rate::per_second(100), burst: 10 }.compile(scale).expect("legal")
}

fn plain(failure: Failure) -> Terms {
    Terms::plain(bucket(Scale::Shared), 0, failure)
}

fn answer(front: &mut Front, store: &mut Shared, now: Duration, batch: &Batch) -> Vec<(u64, u64, By)> {
    let answers = store.decide(0, Scale::Shared.elapsed(STORE + now), &batch.items);
    let outcomes = front.answered(now, batch.id, &answers);
    outcomes.into_iter().map(|(ticket, outcome)| (ticket.0, outcome.decision.granted, outcome.by)).collect()
}

#[test]
fn those_who_wait_for_a_key_are_one_item_and_are_served_in_order() {
    let (mut front, mut store) = (Front::new(Config::default(), MS), Shared::new(0));
    let terms = plain(Failure::Closed);
    let costs = [4, 5, 3, 1, 0, 1];
    for (ticket, cost) in (0..).zip(costs) {
        assert_eq!(front.ask(MS, KEY, &terms, Ask::spend(cost), Ticket(ticket)), None);
    }
    let batch = front.poll(MS).expect("somebody waits");
    assert_eq!((batch.items.len(), batch.items[0].ask), (1, Ask::partial(14)));
    assert_eq!(front.poll(MS), None);
    let outcomes = answer(&mut front, &mut store, MS, &batch);
    let by = By::Store;
    assert_eq!(outcomes, [(0, 4, by), (1, 5, by), (2, 0, by), (3, 1, by), (4, 0, by), (5, 0, by)]);
    assert_eq!((front.waiting(), front.stats().items), (0, 1));
}

#[test]
fn what_nobody_could_use_goes_back() {
    let (mut front, mut store) = (Front::new(Config::default(), MS), Shared::new(0));
    let terms = plain(Failure::Closed);
    for (ticket, cost) in [(0, 9), (1, 9)] {
        assert_eq!(front.ask(MS, KEY, &terms, Ask::spend(cost), Ticket(ticket)), None);
    }
    let batch = front.poll(MS).expect("somebody waits");
    assert_eq!(answer(&mut front, &mut store, MS, &batch), [(0, 9, By::Store), (1, 0, By::Store)]);
    let batch = front.poll(MS).expect("one unit goes back");
    assert_eq!(batch.items[0].refund.map(|receipt| receipt.cost), Some(1));
    assert_eq!(answer(&mut front, &mut store, MS, &batch), []);
    assert_eq!(front.ask(MS, KEY, &terms, Ask::spend(1), Ticket(2)), None);
    let batch = front.poll(MS).expect("somebody waits");
    assert_eq!(answer(&mut front, &mut store, MS, &batch), [(2, 1, By::Store)]);
}

#[test]
fn a_refusal_stands_until_its_time_and_not_longer() {
    let (mut front, mut store) = (Front::new(Config::default(), MS), Shared::new(0));
    let terms = plain(Failure::Closed);
    for ticket in 0..11 {
        assert_eq!(front.ask(MS, KEY, &terms, Ask::spend(1), Ticket(ticket)), None);
    }
    let batch = front.poll(MS).expect("somebody waits");
    let outcomes = answer(&mut front, &mut store, MS, &batch);
    assert_eq!(outcomes.last(), Some(&(10, 0, By::Store)));
    for (now, retry) in [(MS, 10), (5 * MS, 6), (10 * MS, 1)] {
        let outcome = front.ask(now, KEY, &terms, Ask::spend(1), Ticket(99)).expect("known");
        assert_eq!((outcome.by, outcome.decision.retry), (By::Refusal, Retry::After(retry * MS)));
    }
    assert_eq!(front.ask(11 * MS, KEY, &terms, Ask::spend(1), Ticket(20)), None);
    let batch = front.poll(11 * MS).expect("somebody waits");
    assert_eq!(answer(&mut front, &mut store, 11 * MS, &batch), [(20, 1, By::Store)]);
    assert_eq!(front.stats().repeated, 3);
}

#[test]
fn a_check_waits_with_the_others_and_takes_nothing() {
    let (mut front, mut store) = (Front::new(Config::default(), MS), Shared::new(0));
    let terms = plain(Failure::Closed);
    for (ticket, ask) in [(0, Ask::spend(6)), (1, Ask::check(4)), (2, Ask::check(5)), (3, Ask::spend(4))] {
        assert_eq!(front.ask(MS, KEY, &terms, ask, Ticket(ticket)), None);
    }
    let batch = front.poll(MS).expect("somebody waits");
    let outcomes = answer(&mut front, &mut store, MS, &batch);
    assert_eq!(outcomes, [(0, 6, By::Store), (1, 4, By::Store), (2, 0, By::Store), (3, 4, By::Store)]);
}

#[test]
fn a_lease_admits_without_a_message_and_dies_in_time() {
    let policy = Algorithm::TokenBucket { rate: Rate::per_second(100_000), burst: 10_000 };
    let policy = policy.compile(Scale::Shared).expect("legal");
    let terms = Terms::leased(policy, 32 * MS, 0, Failure::Closed);
    let (mut front, mut store) = (Front::new(Config::default(), MS), Shared::new(0));
    assert_eq!(front.ask(MS, KEY, &terms, Ask::spend(8), Ticket(0)), None);
    let batch = front.poll(MS).expect("somebody waits");
    assert_eq!(answer(&mut front, &mut store, 2 * MS, &batch), [(0, 8, By::Store)]);
    let admitted = front.ask(3 * MS, KEY, &terms, Ask::spend(3), Ticket(1)).expect("leased");
    assert_eq!((admitted.by, admitted.decision.granted, admitted.decision.remaining), (By::Lease, 3, 5));
    // Sent at 1 ms; of its 32 ms a node uses 31.
    let outcome = front.ask(31 * MS + MS / 2, KEY, &terms, Ask::spend(1), Ticket(2)).expect("leased");
    assert_eq!(outcome.by, By::Lease);
    assert_eq!(front.ask(32 * MS, KEY, &terms, Ask::spend(1), Ticket(3)), None);
    assert_eq!((front.stats().lent, front.stats().died), (8, 4));
}

#[test]
fn no_lease_is_made_of_a_burst_that_refills_while_it_lives() {
    assert!(!Terms::leased(bucket(Scale::Shared), 100 * MS, 0, Failure::Closed).has_leases());
    assert!(Terms::leased(bucket(Scale::Shared), 90 * MS, 0, Failure::Closed).has_leases());
    let window = Algorithm::SlidingWindow(Rate::per_second(100)).compile(Scale::Shared).expect("legal");
    assert!(!Terms::leased(window, MS, 0, Failure::Closed).has_leases());
}

#[test]
fn a_store_that_is_down_is_left_alone_and_each_policy_answers() {
    let Policy::Bucket(local) = bucket(Scale::Local) else { panic!("a bucket is a bucket") };
    for (failure, granted) in
        [(Failure::Open, [1; 3]), (Failure::Closed, [0; 3]), (Failure::Local(local.share(2, 10)), [1, 1, 0])]
    {
        let start = Duration::from_secs(1);
        let (mut front, mut store) = (Front::new(Config::default(), Duration::ZERO), Shared::new(0));
        let terms = plain(failure);
        for ticket in 0..3 {
            assert_eq!(front.ask(start, KEY, &terms, Ask::spend(1), Ticket(ticket)), None, "{failure:?}");
            let batch = front.poll(start).expect("somebody waits");
            let outcomes = front.failed(start, batch.id, StoreError::Unanswered);
            let got: Vec<_> = outcomes.iter().map(|(_, outcome)| (outcome.decision.granted, outcome.by)).collect();
            let place = usize::try_from(ticket).expect("small");
            assert_eq!(got, [(granted[place], By::Failure)], "{failure:?}");
        }
        assert!(front.is_down());
        let outcome = front.ask(start + MS, KEY, &terms, Ask::spend(1), Ticket(7)).expect("nobody is asked");
        assert_eq!((outcome.by, outcome.decision.granted), (By::Failure, granted[2]), "{failure:?}");
        // After the pause one batch tries, for which nobody waits, and its answer ends it.
        let later = start + 100 * MS;
        assert_eq!(front.poll(later), None, "nobody asked");
        let trying = front.ask(later, KEY, &terms, Ask::spend(1), Ticket(8)).expect("nobody waits");
        assert_eq!(trying.by, By::Failure, "{failure:?}");
        let batch = front.poll(later).expect("it is tried");
        let meanwhile = front.ask(later, KEY, &terms, Ask::spend(1), Ticket(9)).expect("left alone still");
        assert_eq!(meanwhile.by, By::Failure, "{failure:?}");
        assert_eq!(front.poll(later), None, "one at a time");
        assert_eq!(answer(&mut front, &mut store, later, &batch), []);
        assert!(!front.is_down());
        assert_eq!(front.ask(later, KEY, &terms, Ask::spend(9), Ticket(10)), None);
        let batch = front.poll(later).expect("somebody waits");
        assert_eq!(batch.items[0].refund.map(|receipt| receipt.cost), Some(1), "what was tried with goes back");
        assert_eq!(answer(&mut front, &mut store, later, &batch), [(10, 9, By::Store)], "{failure:?}");
    }
}

#[test]
fn a_late_answer_is_ignored_and_a_short_one_is_a_failure() {
    let (mut front, mut store) = (Front::new(Config::default(), MS), Shared::new(0));
    let terms = plain(Failure::Closed);
    assert_eq!(front.ask(MS, KEY, &terms, Ask::spend(1), Ticket(0)), None);
    let batch = front.poll(MS).expect("somebody waits");
    assert_eq!(front.failed(6 * MS, batch.id, StoreError::Unanswered).len(), 1);
    assert_eq!(answer(&mut front, &mut store, 7 * MS, &batch), []);
    assert_eq!(front.ask(8 * MS, KEY, &terms, Ask::spend(1), Ticket(1)), None);
    let batch = front.poll(8 * MS).expect("somebody waits");
    let outcomes = front.answered(8 * MS, batch.id, &[]);
    assert_eq!(outcomes.iter().map(|(_, outcome)| outcome.by).collect::<Vec<_>>(), [By::Failure]);
}

#[test]
fn what_is_remembered_and_who_waits_is_bounded() {
    let config = Config { keys: 100, waiting: 50, ..Config::default() };
    let (mut front, mut store) = (Front::new(config, MS), Shared::new(0));
    let terms = plain(Failure::Closed);
    let mut now = MS;
    let mut failed = 0;
    for number in 0..100_000_u64 {
        let answered = front.ask(now, Key(u128::from(number)), &terms, Ask::spend(1), Ticket(number));
        failed += u64::from(answered.is_some());
        assert!(front.keys() <= 100 && front.waiting() <= 50);
        if number % 100 == 99 {
            while let Some(batch) = front.poll(now) {
                let _ = answer(&mut front, &mut store, now, &batch);
            }
            now += MS;
            store.expire(Scale::Shared.elapsed(STORE + now));
        }
    }
    assert_eq!(failed, 50_000);
    assert_eq!(front.waiting(), 0);
    assert!(store.len() <= 1000, "{}", store.len());
}

#[test]
fn a_cost_beyond_the_limit_is_refused_at_once() {
    let mut front = Front::new(Config::default(), MS);
    for cost in [11, u64::MAX] {
        let outcome = front.ask(MS, KEY, &plain(Failure::Open), Ask::spend(cost), Ticket(0)).expect("at once");
        assert_eq!((outcome.by, outcome.decision.granted, outcome.decision.retry), (By::Terms, 0, Retry::Never));
    }
    assert_eq!(front.keys(), 0);
}

#[test]
fn shaped_requests_that_were_granted_at_once_leave_one_after_the_other() {
    let shaping = Algorithm::LeakyBucket { rate: Rate::per_second(100), queue: 3 };
    let shaping = shaping.compile(Scale::Shared).expect("legal");
    let terms = Terms::leased(shaping, MS, 0, Failure::Closed);
    assert!(!terms.has_leases());
    let (mut front, mut store) = (Front::new(Config::default(), MS), Shared::new(0));
    for ticket in 0..5 {
        assert_eq!(front.ask(MS, KEY, &terms, Ask::spend(1), Ticket(ticket)), None);
    }
    let batch = front.poll(MS).expect("somebody waits");
    let answers = store.decide(0, Scale::Shared.elapsed(STORE), &batch.items);
    let outcomes = front.answered(MS, batch.id, &answers);
    let waits: Vec<_> = outcomes.iter().map(|(_, one)| (one.decision.granted, one.decision.wait / 10)).collect();
    assert_eq!(waits, [(1, Duration::ZERO), (1, MS), (1, 2 * MS), (1, 3 * MS), (0, Duration::ZERO)]);
}
