//! A ring of points, each of an endpoint.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Points of an endpoint for each unit of its weight: with ten endpoints the shares are even to about a tenth.
pub const POINTS: u32 = 160;

/// The most points of a ring: 4 MiB. Beyond it all have fewer, each one at least.
const POINTS_MAX: u64 = 1 << 18;

/// Points, each with a place among the endpoints, in the order of the ring.
#[derive(Clone, Debug)]
pub(super) struct Ring(Box<[(u64, u32)]>);

impl Ring {
    /// Of names and weights.
    pub(super) fn new(endpoints: &[(&str, u32)]) -> Self {
        let unit = endpoints.iter().fold(0, |unit, (_, weight)| gcd(unit, *weight)).max(1);
        let points = |weight: u32| u64::from(weight / unit) * u64::from(POINTS);
        let all: u64 = endpoints.iter().map(|(_, weight)| points(*weight)).sum();
        let mut ring = Vec::new();
        for (at, (name, weight)) in (0_u32..).zip(endpoints) {
            let mine = points(*weight);
            let mine = if all > POINTS_MAX { (mine * POINTS_MAX / all).max(1) } else { mine };
            let base = xxh3_64(name.as_bytes());
            // The first points of an endpoint stay where they are, however many it has.
            ring.extend((0..mine).map(|number| (xxh3_64_with_seed(&number.to_le_bytes(), base), at)));
        }
        ring.sort_unstable();
        Self(ring.into())
    }

    /// The endpoints from a place on, clockwise once around; the same one may come several times.
    pub(super) fn walk(&self, place: u64) -> impl Iterator<Item = usize> {
        let begin = self.0.partition_point(|(point, _)| *point < place);
        self.0[begin..].iter().chain(&self.0[..begin]).map(|(_, at)| *at as usize)
    }
}

pub(super) fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
