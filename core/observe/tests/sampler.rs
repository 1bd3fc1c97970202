//! Which traces are kept.

use tidegate_observe::sampler::{Caller, Sampler};

#[test]
fn a_trusted_caller_decides_and_others_are_drawn() {
    let none = Sampler::new(0.0, false);
    let all = Sampler::new(1.0, false);
    assert!(none.keeps(Caller::Trusted(true), u64::MAX));
    assert!(!all.keeps(Caller::Trusted(false), 0));
    for caller in [Caller::None, Caller::Untrusted] {
        assert!(all.keeps(caller, u64::MAX));
        assert!(!none.keeps(caller, 0));
    }
}

#[test]
fn the_share_is_exact_at_its_edge() {
    let half = Sampler::new(0.5, false);
    assert!(half.keeps(Caller::None, (1 << 63) - 1));
    assert!(!half.keeps(Caller::None, 1 << 63));
}

#[test]
fn a_share_beyond_the_ends_is_the_end() {
    assert_eq!(Sampler::new(7.0, true), Sampler::new(1.0, true));
    assert_eq!(Sampler::new(-1.0, true), Sampler::new(0.0, true));
    assert_eq!(Sampler::new(f64::NAN, true), Sampler::new(0.0, true));
}
