//! When an export is tried again.

use std::time::Duration;
use tidegate_observe::retry::{ATTEMPTS, LONGEST, wait};

#[test]
fn waits_double_and_are_drawn_from_their_upper_half() {
    let range = |failures| (wait(failures, None, 0), wait(failures, None, u64::MAX));
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(range(1), (ms(250), ms(500)));
    assert_eq!(range(2), (ms(500), ms(1_000)));
    assert_eq!(range(6), (ms(8_000), ms(16_000)));
}

#[test]
fn what_the_collector_asks_for_is_done_within_bounds() {
    assert_eq!(wait(1, Some(Duration::from_secs(7)), 0), Some(Duration::from_secs(7)));
    assert_eq!(wait(1, Some(Duration::from_secs(3_600)), 0), Some(LONGEST));
    assert_eq!(wait(1, Some(Duration::ZERO), 0), Some(Duration::from_millis(250)));
}

#[test]
fn a_batch_is_given_up() {
    assert!(wait(ATTEMPTS - 1, None, 0).is_some());
    assert_eq!(wait(ATTEMPTS, Some(Duration::ZERO), 0), None);
}
