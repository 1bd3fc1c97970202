//! Without faults, how much of the limit is admitted.

use std::time::Duration;

use tidegate_limit::front::{Config, Failure, Terms};
use tidegate_limit::{Algorithm, Rate, Scale};

use crate::plan::{Plan, Way};
use crate::world::World;

const SECONDS: u64 = 3;

fn steady(seed: u64, nodes: usize, way: Way, algorithm: Algorithm, rate: Rate) -> f64 {
    let policy = algorithm.compile(Scale::Shared).expect("legal");
    let terms = match way {
        Way::Leases => Terms::leased(policy, Duration::from_millis(20), 0, Failure::Closed),
        Way::Plain | Way::Combining => Terms::plain(policy, 0, Failure::Closed),
    };
    assert_eq!(terms.has_leases(), way == Way::Leases);
    let plan = Plan {
        nodes,
        keys: 1,
        way,
        algorithm,
        rate,
        // Costs of one: what is refused for its size is not the limit's loss.
        burst: 0,
        terms,
        config: Config { combine: way != Way::Plain, ..Config::default() },
        has_reserve: false,
        pause: 1_000_000 / rate.count() / 3,
        length: SECONDS * 1_000_000,
        faults: false,
        exceptions: false,
        gives_back: 0,
        ..Plan::of(seed, None)
    };
    let world = World::new(&plan).run();
    world.seen.admitted as f64 / (rate.count() * SECONDS) as f64
}

#[test]
fn a_steady_overload_is_admitted_nearly_all_of_the_limit() {
    let rate = Rate::per_second(1000);
    let bucket = Algorithm::TokenBucket { rate, burst: 100 };
    for (way, algorithm) in [
        (Way::Plain, bucket),
        (Way::Combining, bucket),
        (Way::Leases, bucket),
        (Way::Combining, Algorithm::SlidingWindow(rate)),
        (Way::Combining, Algorithm::SlidingLog(rate)),
        (Way::Combining, Algorithm::FixedWindow(rate)),
    ] {
        for nodes in [1, 5, 16] {
            let share = steady(7, nodes, way, algorithm, rate);
            println!("{way:?}, {nodes} nodes, {algorithm:?}: {share:.3} of the limit");
            assert!(share >= 0.95, "{way:?}, {nodes} nodes, {algorithm:?}: {share}");
        }
    }
}

/// The well-known script: tokens and the last time in the store, the time from the client, who may be late.
#[derive(Default)]
struct Script {
    tokens: f64,
    last: f64,
}

impl Script {
    fn take(&mut self, now: f64, rate: f64, burst: f64) -> bool {
        let passed = (now - self.last).max(0.0);
        self.tokens = (self.tokens + passed * rate).min(burst);
        self.last = now;
        let fits = self.tokens >= 1.0;
        self.tokens -= if fits { 1.0 } else { 0.0 };
        fits
    }
}

#[test]
fn a_script_that_takes_the_clients_time_admits_a_multiple_of_the_limit() {
    let (rate, burst, skew) = (100.0, 10.0, 0.005);
    for asked in [1_000_u64, 10_000] {
        let mut script = Script { tokens: burst, last: 0.0 };
        let mut dice = crate::plan::Dice::new(3);
        let seconds = 20;
        let admitted = (0..asked * seconds)
            .filter(|number| {
                let late = if dice.is(50) { skew } else { 0.0 };
                script.take(1.0 + *number as f64 / asked as f64 - late, rate, burst)
            })
            .count();
        let share = admitted as f64 / (rate * seconds as f64);
        println!("two clients 5 ms apart, {asked} requests a second: the script admits {share:.1} times its limit");
        assert!(share > 1.5, "{share}");
    }
}
