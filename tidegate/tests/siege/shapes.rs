//! Requests that two parsers could read in two ways: one answer at most, and the right one.

use crate::stage::{Stage, WARM_UP};
use tidegate_siege::smuggling::h2::Verdict;
use tidegate_siege::smuggling::{h1, h2};

#[test]
fn no_shape_on_h1_hides_a_request() {
    let stage = Stage::set("", "");
    let wrong: Vec<_> = h1::SHAPES
        .iter()
        .filter_map(|shape| {
            let found = shape.send(&stage.target).expect("it listens");
            let right = found.statuses == shape.statuses && found.closed == shape.closed;
            let want = (shape.statuses, shape.closed);
            (!right).then(|| format!("{} ({}): {found:?}, should be {want:?}", shape.name, shape.rule))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let answered: u64 = h1::SHAPES.iter().map(|shape| count(shape.statuses, 200)).sum();
    assert_eq!(stage.calls(), WARM_UP + answered, "calls went upstream that were not answered");
}

fn count(statuses: &[u16], status: u16) -> u64 {
    statuses.iter().map(|found| u64::from(*found == status)).sum()
}

#[test]
fn no_shape_on_h2_passes_for_another_request() {
    let stage = Stage::set("", "");
    let wrong: Vec<_> = h2::SHAPES
        .iter()
        .filter_map(|shape| {
            let found = shape.send(&stage.target).expect("it listens");
            let right = found == shape.verdict;
            (!right).then(|| format!("{} ({}): {found:?}, should be {:?}", shape.name, shape.rule, shape.verdict))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let answered: u64 = h2::SHAPES.iter().map(|shape| u64::from(shape.verdict == Verdict::Status(200))).sum();
    assert_eq!(stage.calls(), WARM_UP + answered, "calls went upstream that were not answered");
}
