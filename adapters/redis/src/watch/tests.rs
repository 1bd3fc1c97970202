//! Clocks that jump.

use std::time::Duration;

use super::{Step, Watch};

/// Answers, each: the server's microsecond, and when it was asked and answered, in milliseconds of the node.
fn steps(answers: &[(u64, u64, u64)]) -> Vec<Step> {
    let (mut watch, ms) = (Watch::default(), Duration::from_millis);
    answers.iter().map(|(micros, asked, answered)| watch.look(micros * 16, ms(*asked), ms(*answered))).collect()
}

#[test]
fn a_clock_that_goes_on_is_no_step_however_slow_the_answers_are() {
    let none = [Step::None; 4];
    assert_eq!(steps(&[(0, 0, 1), (1000, 1, 2), (900_000, 2, 900), (11_000_000, 11_000, 11_001)]), none);
    // Fast by 3 %, as a node's clock may be slow.
    assert_eq!(steps(&[(0, 0, 0), (10_300_000, 10_000, 10_000)]), none[..2]);
}

#[test]
fn a_clock_that_jumps_is_seen_once() {
    let jump = [(0, 0, 1), (1000, 1, 2), (61_000, 2, 3), (62_000, 3, 4)];
    assert_eq!(steps(&jump), [Step::None, Step::None, Step::Forward, Step::None]);
    let back = [(5_000_000, 0, 1), (4_999_999, 1, 2), (5_000_500, 2, 3)];
    assert_eq!(steps(&back), [Step::None, Step::Back, Step::None]);
}
