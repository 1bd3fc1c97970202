//! Random bits that spread intervals and pauses: nothing secret depends on them.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// 64 bits, by SplitMix64 from a seed of the thread's own.
pub(crate) fn u64() -> u64 {
    thread_local!(static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0)));
    STATE.with(|state| {
        let next = state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        state.set(next);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
}
