//! Nodes, a network and a store in virtual time: whatever happens, no more is admitted than the limit says.
//!
//! `TIDEGATE_SCHEDULES=100000 cargo test --release -p tidegate-limit --test simulation -- --nocapture` runs more
//! schedules; a failure names the seed of its schedule.

mod judge;
mod plan;
mod steady;
mod world;

use plan::{Plan, Sabotage, Way};
use world::{Seen, World};

fn run(seed: u64, sabotage: Option<Sabotage>) -> (Plan, Seen, u128) {
    let plan = Plan::of(seed, sabotage);
    let world = World::new(&plan).run();
    let excess = judge::excess(&plan, &world.admitted);
    let seen = world.seen;
    (plan, seen, excess)
}

#[expect(clippy::disallowed_methods, reason = "how long a run somebody wants is theirs to say")]
fn schedules(default: u64) -> u64 {
    std::env::var("TIDEGATE_SCHEDULES").ok().and_then(|count| count.parse().ok()).unwrap_or(default)
}

/// In how many schedules each thing happened.
#[derive(Default)]
struct Coverage(Vec<(&'static str, u64)>);

impl Coverage {
    fn count(&mut self, plan: &Plan, seen: &Seen) {
        let things = [
            ("refusals", seen.refused),
            ("repeated refusals", seen.repeated),
            ("lease admissions", seen.leased),
            ("lease deaths", seen.lease_deaths),
            ("failure policy", seen.fallen_back),
            ("given back", seen.given_back),
            ("failovers", seen.failovers),
            ("restarts", seen.restarts),
            ("lost replies", seen.lost_replies),
            ("crashes", seen.crashes),
            ("pauses", seen.pauses),
            ("partitions", seen.partitions),
            ("clock steps", seen.clock_steps),
            ("exceptions", seen.exceptions),
            ("plain", u64::from(plan.way == Way::Plain)),
            ("combining", u64::from(plan.way == Way::Combining)),
            ("leases", u64::from(plan.terms.has_leases())),
            ("more than 4 nodes", u64::from(plan.nodes > 4)),
        ];
        if self.0.is_empty() {
            self.0 = things.iter().map(|(name, _)| (*name, 0)).collect();
        }
        for ((_, sum), (_, count)) in self.0.iter_mut().zip(things) {
            *sum += u64::from(count > 0);
        }
    }
}

#[test]
fn no_schedule_admits_more_than_the_limit() {
    let count = schedules(1500);
    let mut coverage = Coverage::default();
    let (mut asked, mut admitted, mut excused) = (0, 0, 0);
    for seed in 0..count {
        let (plan, seen, excess) = run(seed, None);
        let most = u128::from(seen.exceptions) * u128::from(plan.burst);
        assert!(excess <= most, "seed {seed}: {excess} too many, {most} excused; {plan:#?} {seen:#?}");
        excused += excess;
        asked += seen.asked;
        admitted += seen.admitted;
        coverage.count(&plan, &seen);
    }
    println!("{count} schedules: {asked} units asked, {admitted} admitted, {excused} beyond the limit, all excused");
    for (name, sum) in &coverage.0 {
        println!("{name:>20} in {:5.1} % of them", 100.0 * *sum as f64 / count as f64);
    }
    for (name, sum) in &coverage.0 {
        assert!(*sum * 20 >= count, "{name}: only in {sum} of {count} schedules");
    }
}

/// Schedules of a few hundred in which too much is admitted.
fn broken(sabotage: Sabotage) -> usize {
    (0..300).filter(|seed| run(*seed, Some(sabotage)).2 > 0).count()
}

#[test]
fn the_clients_clock_admits_too_much() {
    assert!(broken(Sabotage::ClientClock) > 30, "{}", broken(Sabotage::ClientClock));
}

#[test]
fn leases_without_a_reduced_burst_admit_too_much() {
    assert!(broken(Sabotage::WholeBurst) > 30, "{}", broken(Sabotage::WholeBurst));
}

#[test]
fn a_store_that_forgets_without_noticing_admits_too_much() {
    assert!(broken(Sabotage::Forgets) > 30, "{}", broken(Sabotage::Forgets));
}

#[test]
fn a_reserve_that_is_not_taken_off_the_limit_admits_too_much() {
    assert!(broken(Sabotage::ReserveOnTop) > 30, "{}", broken(Sabotage::ReserveOnTop));
}

#[test]
fn what_is_given_back_twice_admits_too_much() {
    assert!(broken(Sabotage::GivesBackTwice) > 30, "{}", broken(Sabotage::GivesBackTwice));
}
