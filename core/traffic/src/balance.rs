//! Which endpoint of an upstream takes a call.
//!
//! A [`Table`] is made whenever an endpoint comes, goes, or changes its [`Standing`] or weight, and asked for every
//! call: [`Table::pick`] allocates nothing, reads the loads of two endpoints (of all, where load on a ring is
//! bounded), and is a function of its arguments.
//!
//! # Who may be picked
//! Endpoints that are [`Standing::Usable`]. If they are fewer than half of those that may be used at all (the *panic
//! threshold* of Envoy, 50 %), a guess is worth less than the capacity: those that are ejected are used too, but not
//! those that a check found dead. If there is nothing else, these are used too: they may know better than the check.
//! An endpoint that was tried for this call already, or cannot be reached, is left out as long as there is another.
//!
//! # How
//! - [`Policy::LeastRequest`]: of two endpoints that are drawn by weight, the one with fewer calls in flight for its
//!   weight, `(in_flight + 1) / weight` (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001). If
//!   neither has any, the one drawn first: so that weights hold of an idle upstream too.
//! - [`Policy::PeakEwma`]: of two that are drawn the same way, the one with the lower [`Ewma::cost`].
//! - [`Policy::RoundRobin`]: one after the other; by weight, evenly spread (earliest deadline first: the k-th turn of an
//!   endpoint of weight w is due at `k / w`).
//! - [`Policy::RingHash`]: the first point clockwise from where the request stands. An endpoint has 160 points for each
//!   unit of weight, at XXH3-64 of its address and their number: one that comes or goes moves its own share only.

mod ewma;
mod ring;
mod slow_start;
mod turns;

pub use ewma::{DECAY, Ewma};
pub use ring::POINTS;
pub use slow_start::{STEPS, SlowStart};

use crate::split::Split;
use ring::Ring;
use std::fmt;

/// How one of several endpoints is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The less busy of two.
    #[default]
    LeastRequest,
    /// The less busy and quicker of two.
    PeakEwma,
    /// One after the other.
    RoundRobin,
    /// The same for the same value.
    RingHash {
        /// What of a request is hashed; one that has none goes anywhere.
        split: Split,
        /// The most calls in flight of an endpoint, in per cent of the mean; above it the next on the ring takes the
        /// call. More than 100 (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016).
        bound: Option<u32>,
    },
}

/// Whether an endpoint may be picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing is known against it.
    #[default]
    Usable,
    /// Its calls failed, or took too long, and it is left alone for a while.
    Ejected,
    /// A health check failed.
    Dead,
}

/// An endpoint, as a table is made of it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its address: where it is on a ring.
    pub name: &'a str,
    /// Its part of the calls, in proportion to the others'. 0 counts as 1.
    pub weight: u32,
    /// Whether it may be picked.
    pub standing: Standing,
}

/// What is known of a call that needs an endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// Random bits.
    pub chance: u64,
    /// Where it stands on a ring, if it does.
    pub place: Option<u64>,
    /// The endpoints that it must not go to, by their place among the candidates.
    pub not: &'a [usize],
}

/// How much an endpoint has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Calls that it has not answered to the end.
    pub in_flight: u32,
    /// What a further call costs, as [`Ewma::cost`] has it. Read for [`Policy::PeakEwma`] alone.
    pub cost: f64,
}

/// The endpoints, ready to be picked.
#[derive(Clone, Debug)]
pub struct Table {
    /// The places of those that are used, among the candidates.
    used: Box<[usize]>,
    /// All others, the better ones first.
    spare: Box<[usize]>,
    /// The weights of those that are used, in the same order, and their sums up to each; empty if they are the same.
    weights: Box<[u32]>,
    sums: Box<[u64]>,
    panicking: bool,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Least,
    Ewma,
    /// Places in `used`, in the order of turns.
    Turns(Box<[u32]>),
    Ring(Ring, Option<u32>),
}

// === impl Table ===

impl Table {
    /// A table of these endpoints.
    #[must_use]
    pub fn new(policy: &Policy, candidates: &[Candidate<'_>]) -> Self {
        let (used, panicking) = used(candidates);
        let mut spare: Vec<usize> = (0..candidates.len()).filter(|at| !used.contains(at)).collect();
        spare.sort_by_key(|at| candidates[*at].standing == Standing::Dead);
        let weight = |at: &usize| candidates[*at].weight.max(1);
        let differ = used.iter().any(|at| weight(at) != weight(&used[0]));
        let weights: Box<[u32]> = if differ { used.iter().map(weight).collect() } else { Box::default() };
        let sums = weights.iter().scan(0, |sum, weight| {
            *sum += u64::from(*weight);
            Some(*sum)
        });
        let way = match policy {
            Policy::LeastRequest => Way::Least,
            Policy::PeakEwma => Way::Ewma,
            Policy::RoundRobin => Way::Turns(turns::order(&used.iter().map(weight).collect::<Vec<_>>())),
            Policy::RingHash { bound, .. } => {
                let of: Vec<_> = used.iter().map(|at| (candidates[*at].name, weight(at))).collect();
                Way::Ring(Ring::new(&of), *bound)
            }
        };
        Self { sums: sums.collect(), spare: spare.into(), weights, panicking, way, used: used.into() }
    }

    /// Whether fewer than half of the endpoints are usable, so that others are used too.
    #[must_use]
    pub fn is_panicking(&self) -> bool {
        self.panicking
    }

    /// The endpoints that are used, by their place among the candidates.
    #[must_use]
    pub fn used(&self) -> &[usize] {
        &self.used
    }

    /// The endpoint for a call, by its place among the candidates; `None` if `ask.not` has all of them. `load` is asked for
    /// an endpoint by the same place, `turn` for a number that grows by one with each call, if turns are taken.
    #[must_use]
    pub fn pick(&self, ask: Ask<'_>, load: impl Fn(usize) -> Load, turn: impl FnOnce() -> u64) -> Option<usize> {
        let picked = match (&*self.used, ask.not) {
            ([], _) => None,
            ([only], []) => return Some(*only),
            ([only], not) => (!not.contains(only)).then_some(*only),
            _ => self.pick_used(ask, load, turn).map(|at| self.used[at]),
        };
        picked.or_else(|| self.spare.iter().find(|at| !ask.not.contains(at)).copied())
    }

    /// One of those that are used, by its place among them.
    fn pick_used(&self, ask: Ask<'_>, load: impl Fn(usize) -> Load, turn: impl FnOnce() -> u64) -> Option<usize> {
        let may = |at: usize| ask.not.is_empty() || !ask.not.contains(&self.used[at]);
        match &self.way {
            Way::Least | Way::Ewma => {
                let (first, second) = self.draw(ask)?;
                let loads = (load(self.used[first]), load(self.used[second]));
                Some(if self.is_less(second, loads.1, first, loads.0) { second } else { first })
            }
            Way::Turns(order) => {
                let begin = usize::try_from(turn() % order.len() as u64).unwrap_or(0);
                let turns = order[begin..].iter().chain(&order[..begin]);
                turns.map(|at| *at as usize).find(|at| may(*at))
            }
            Way::Ring(ring, bound) => {
                let place = ask.place.unwrap_or(ask.chance);
                let Some(bound) = bound else { return ring.walk(place).find(|at| may(*at)) };
                let in_flight = |at: usize| u64::from(load(self.used[at]).in_flight);
                let all: u64 = (0..self.used.len()).map(in_flight).sum();
                let fits = |at: &usize| may(*at) && self.is_within(*at, in_flight(*at), all, *bound);
                ring.walk(place).find(fits).or_else(|| ring.walk(place).find(|at| may(*at)))
            }
        }
    }

    /// Whether an endpoint that takes one more call has at most so many per cent of its part of `all`.
    fn is_within(&self, at: usize, in_flight: u64, all: u64, percent: u32) -> bool {
        let (weight, sum) = match self.sums.last() {
            Some(sum) => (u64::from(self.weights[at]), *sum),
            None => (1, self.used.len() as u64),
        };
        let most = (u128::from(all + 1) * u128::from(weight) * u128::from(percent)).div_ceil(u128::from(sum) * 100);
        u128::from(in_flight + 1) <= most
    }

    /// Whether `a` had better take the call than `b`.
    fn is_less(&self, a: usize, load_a: Load, b: usize, load_b: Load) -> bool {
        let weight = |at: usize| self.weights.get(at).map_or(1, |weight| u64::from(*weight));
        match self.way {
            Way::Ewma => load_a.cost * (weight(b) as f64) < load_b.cost * (weight(a) as f64),
            _ if load_a.in_flight == 0 && load_b.in_flight == 0 => false,
            _ => (u64::from(load_a.in_flight) + 1) * weight(b) < (u64::from(load_b.in_flight) + 1) * weight(a),
        }
    }

    /// Two different ones of those that may be picked, or twice the only one.
    fn draw(&self, ask: Ask<'_>) -> Option<(usize, usize)> {
        let (high, low) = (ask.chance >> 32, ask.chance & u64::from(u32::MAX));
        if ask.not.is_empty() && self.sums.is_empty() {
            let count = self.used.len() as u64;
            let first = share(high, count);
            // Of those after the first, so that the two differ.
            return Some((first, (first + 1 + share(low, count - 1)) % self.used.len()));
        }
        let first = self.draw_one(high, ask.not, None)?;
        Some((first, self.draw_one(low, ask.not, Some(first)).unwrap_or(first)))
    }

    /// One of those that may be picked and are not `but`, by weight.
    fn draw_one(&self, half: u64, not: &[usize], but: Option<usize>) -> Option<usize> {
        let may = |at: &usize| Some(*at) != but && !not.contains(&self.used[*at]);
        let weight = |at: usize| self.weights.get(at).map_or(1, |weight| u64::from(*weight));
        if not.is_empty() && but.is_none() {
            let sum = self.sums.last().copied().unwrap_or(0);
            let drawn = share(half, sum) as u64;
            return Some(self.sums.partition_point(|sum| *sum <= drawn));
        }
        let sum: u64 = (0..self.used.len()).filter(may).map(weight).sum();
        let mut left = share(half, sum) as u64;
        (0..self.used.len()).filter(may).find(|at| {
            let here = left < weight(*at);
            left = left.wrapping_sub(weight(*at));
            here
        })
    }
}

/// The endpoints that are used, and whether the others are too few to be left out.
fn used(candidates: &[Candidate<'_>]) -> (Vec<usize>, bool) {
    let those = |may: fn(Standing) -> bool| -> Vec<usize> {
        let all = candidates.iter().enumerate();
        all.filter(|(_, candidate)| may(candidate.standing)).map(|(at, _)| at).collect()
    };
    let usable = those(|standing| standing == Standing::Usable);
    if usable.len() * 2 >= candidates.len() {
        return (usable, false);
    }
    let alive = those(|standing| standing != Standing::Dead);
    if alive.is_empty() { (those(|_| true), true) } else { (alive, true) }
}

/// The part of `bound` that 32 random bits stand for.
fn share(half: u64, bound: u64) -> usize {
    let wide = u128::from(half) * u128::from(bound);
    usize::try_from(wide >> 32).unwrap_or(0)
}

impl Policy {
    /// As the config calls it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::LeastRequest => "least_request",
            Self::PeakEwma => "peak_ewma",
            Self::RoundRobin => "round_robin",
            Self::RingHash { .. } => "ring_hash",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
