//! Random bits for ids, jitter and choices: fast, one generator per thread, no lock.
//!
//! The seed comes from the operating system (through [`RandomState`]); the generator is
//! SplitMix64, which passes statistical tests and is **not** fit for secrets.

#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

thread_local! {
    static STATE: Cell<u64> = Cell::new(seed());
}

/// 64 random bits from the generator of the calling thread.
#[must_use]
pub fn u64() -> u64 {
    STATE.with(|state| {
        let (next, bits) = step(state.get());
        state.set(next);
        bits
    })
}

/// 128 random bits.
#[must_use]
pub fn u128() -> u128 {
    (u128::from(u64()) << 64) | u128::from(u64())
}

/// A number in `0..bound`, or 0 if `bound` is 0. The bias is below 2⁻³² for bounds below 2³².
#[must_use]
pub fn below(bound: u64) -> u64 {
    let wide = u128::from(u64()) * u128::from(bound);
    u64::try_from(wide >> 64).unwrap_or(0)
}

/// SplitMix64 (Steele, Lea, Flood 2014): the state after `state`, and the bits it yields.
fn step(state: u64) -> (u64, u64) {
    let next = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = next;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (next, bits ^ (bits >> 31))
}

fn seed() -> u64 {
    // The keys of a `RandomState` are random per thread and differ between two of them.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(0);
    hasher.finish()
}
