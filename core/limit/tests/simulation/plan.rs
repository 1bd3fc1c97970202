//! What happens in one schedule, drawn from its seed.

use std::time::Duration;

use tidegate_limit::front::{Config, Failure, Terms};
use tidegate_limit::{Algorithm, Policy, Rate, Scale};

/// Numbers from a seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            dice.roll(2);
        }
        dice
    }

    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below.max(1)
    }

    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.roll(most - least + 1)
    }

    /// True in `percent` of a hundred.
    pub(crate) fn is(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

/// How nodes ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Plain,
    Combining,
    Leases,
}

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The store takes the time that the client sends.
    ClientClock,
    /// What goes back goes back twice.
    GivesBackTwice,
    /// Leases leave the burst whole.
    WholeBurst,
    /// A server that lost its data begins with full buckets.
    Forgets,
    /// A node's own buckets come on top of the store's.
    ReserveOnTop,
}

/// One schedule.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) keys: u64,
    pub(crate) way: Way,
    pub(crate) algorithm: Algorithm,
    pub(crate) rate: Rate,
    pub(crate) burst: u64,
    pub(crate) terms: Terms,
    pub(crate) config: Config,
    pub(crate) has_reserve: bool,
    /// µs between two requests of all nodes together, on average.
    pub(crate) pause: u64,
    /// µs.
    pub(crate) length: u64,
    pub(crate) faults: bool,
    /// Events of which each may admit a burst too much: forward steps of the store's clock, two masters.
    pub(crate) exceptions: bool,
    pub(crate) sabotage: Option<Sabotage>,
    /// Of what is admitted, the part that another limit refuses, in a hundred.
    pub(crate) gives_back: u64,
}

impl Plan {
    pub(crate) fn of(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let mut dice = Dice::new(seed);
        let nodes = if dice.is(50) { dice.between(1, 4) } else { dice.between(1, 16) };
        let mut way = [Way::Plain, Way::Combining, Way::Leases][usize::try_from(dice.roll(3)).unwrap_or(0)];
        let mut kind = dice.roll(10);
        match sabotage {
            Some(Sabotage::WholeBurst) => way = Way::Leases,
            Some(Sabotage::ClientClock | Sabotage::Forgets | Sabotage::GivesBackTwice) => {
                (way, kind) = (Way::Combining, 0);
            }
            Some(Sabotage::ReserveOnTop) => kind = 0,
            None => {}
        }
        let count = dice.between(200, 5000);
        let most = if dice.is(50) { 20 } else { 300 };
        let burst = dice.between(1, most);
        let window = Duration::from_millis(dice.between(120, 300));
        let windowed = Rate::new(burst, window).expect("legal");
        let (algorithm, rate) = match kind {
            7 => (Algorithm::SlidingWindow(windowed), windowed),
            8 => (Algorithm::SlidingLog(windowed), windowed),
            9 => (Algorithm::FixedWindow(windowed), windowed),
            _ => (Algorithm::TokenBucket { rate: Rate::per_second(count), burst }, Rate::per_second(count)),
        };
        if kind >= 7 && way == Way::Leases {
            way = Way::Combining;
        }
        let (terms, has_reserve) = terms(&mut dice, algorithm, way, nodes, sabotage);
        let under_way = 1 + usize::try_from(seed % 3).unwrap_or(0);
        let pause = Duration::from_millis(5);
        let config = Config { combine: way != Way::Plain, under_way, pause, ..Config::default() };
        let per_second = if kind >= 7 { burst * 1000 / u64::try_from(window.as_millis()).unwrap_or(1) } else { count };
        // From a half to four times what is allowed.
        let pause = (1_000_000 * 100 / per_second.max(1) / dice.between(50, 400)).clamp(5, 20_000);
        Self {
            seed,
            nodes: usize::try_from(nodes).unwrap_or(1),
            keys: dice.between(1, 2),
            way,
            algorithm,
            rate,
            burst,
            terms,
            config,
            has_reserve,
            pause,
            length: dice.between(100, 600) * 1000,
            faults: !dice.is(10),
            exceptions: sabotage.is_none() && dice.is(20),
            sabotage,
            gives_back: match sabotage {
                Some(Sabotage::GivesBackTwice) => 40,
                Some(_) => 0,
                None => 10,
            },
        }
    }
}

fn terms(dice: &mut Dice, algorithm: Algorithm, way: Way, nodes: u64, sabotage: Option<Sabotage>) -> (Terms, bool) {
    let policy = algorithm.compile(Scale::Shared).expect("legal");
    let age = Duration::from_micros(dice.between(2_000, 30_000));
    let Policy::Bucket(bucket) = policy else { return (Terms::plain(policy, 0, Failure::Closed), false) };
    let Ok(Policy::Bucket(local)) = algorithm.compile(Scale::Local) else { panic!("a bucket is a bucket") };
    let wants_reserve = dice.is(50) || sabotage == Some(Sabotage::ReserveOnTop);
    let (mut kept, failure) = if wants_reserve && way != Way::Leases {
        Failure::reserve(bucket, local, dice.between(10, 50), nodes)
    } else {
        (bucket, Failure::Closed)
    };
    if sabotage == Some(Sabotage::ReserveOnTop) {
        kept = bucket;
    }
    let has_reserve = failure != Failure::Closed;
    let policy = Policy::Bucket(kept);
    let terms = match way {
        Way::Leases if sabotage == Some(Sabotage::WholeBurst) => {
            Terms::leased_with_whole_burst(policy, age, 0, failure)
        }
        Way::Leases => Terms::leased(policy, age, 0, failure),
        Way::Plain | Way::Combining => Terms::plain(policy, 0, failure),
    };
    (terms, has_reserve)
}
