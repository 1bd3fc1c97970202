//! The steps themselves.

mod faults;
mod listings;
mod orders;
mod payments;
mod readme;
mod refusals;
mod resources;
mod streams;

use super::{Expect, Step};

/// What most steps share.
const STEP: Step = Step {
    title: "",
    method: "GET",
    path: "",
    headers: &[],
    body: None,
    status: 200,
    expect: Expect::Json("{}"),
    expect_headers: &[],
    readme: false,
};

/// The chapters, in the order to read them: a later one may build on what an earlier one did.
const CHAPTERS: [&[Step]; 8] = [
    readme::STEPS,
    resources::STEPS,
    listings::STEPS,
    orders::STEPS,
    payments::STEPS,
    streams::STEPS,
    faults::STEPS,
    refusals::STEPS,
];

/// The tour, in the order to take it.
pub const STEPS: &[Step] = &joined::<{ count() }>();

const fn count() -> usize {
    let (mut count, mut chapter) = (0, 0);
    while chapter < CHAPTERS.len() {
        count += CHAPTERS[chapter].len();
        chapter += 1;
    }
    count
}

const fn joined<const COUNT: usize>() -> [Step; COUNT] {
    let mut steps = [STEP; COUNT];
    let (mut count, mut chapter) = (0, 0);
    while chapter < CHAPTERS.len() {
        let mut step = 0;
        while step < CHAPTERS[chapter].len() {
            steps[count] = CHAPTERS[chapter][step];
            count += 1;
            step += 1;
        }
        chapter += 1;
    }
    steps
}

const ORDER_4: &str = r#"{"id":"4","tenantId":"globex","customer":"customers/linus","status":"ORDER_STATUS_PENDING","items":[{"sku":"shirts/linen/l","quantity":1,"unitPrice":{"currency":"EUR","minorUnits":"4900"}}],"total":{"currency":"EUR","minorUnits":"4900"},"createTime":"2026-01-05T09:06:00Z","updateTime":"2026-01-05T09:06:00Z"}"#;
