//! What is sent, and what is understood.

use std::time::Duration;

use prost::Message as _;
use tidegate_limit::front::{Failure, Terms};
use tidegate_limit::ports::Question;
use tidegate_limit::{Algorithm, Ask, Keys, Rate, Scale};

use super::{
    Entry, RateLimit, RateLimitDescriptor, RateLimitOverride, RateLimitRequest, RateLimitResponse, call, reply,
};

fn terms() -> Terms {
    let bucket = Algorithm::TokenBucket { rate: Rate::per_second(5), burst: 5 };
    Terms::plain(bucket.compile(Scale::Shared).expect("a bucket"), 0, Failure::Open)
}

fn question<'a>(terms: &'a Terms, entries: &[(&'a str, &str)], cost: u64, quota: Option<Rate>) -> Question<'a> {
    let entries = entries.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    Question { key: Keys::new(1).of("one").start().key(), terms, ask: Ask::spend(cost), entries, quota }
}

fn descriptor(entries: &[(&str, &str)], limit: Option<(u32, i32)>, hits_addend: Option<u64>) -> RateLimitDescriptor {
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).to_owned(), value: (*value).to_owned() };
    let limit = limit.map(|(requests_per_unit, unit)| RateLimitOverride { requests_per_unit, unit });
    RateLimitDescriptor { entries: entries.iter().map(entry).collect(), limit, hits_addend }
}

fn sent(questions: &[Question<'_>]) -> RateLimitRequest {
    let frame = call("edge", questions.iter());
    assert_eq!((frame[0], frame[1..5].to_vec()), (0, u32::to_be_bytes(frame.len() as u32 - 5).to_vec()));
    RateLimitRequest::decode(&frame[5..]).expect("a message")
}

#[test]
fn entries_keep_their_order_and_one_cost_stands_for_the_call() {
    let terms = terms();
    let (user, path) = ([("user", "alice"), ("plan", "")], [("path", "/a")]);
    let minute = Rate::new(7, Duration::from_secs(60)).ok();
    let want = RateLimitRequest {
        domain: "edge".to_owned(),
        descriptors: vec![descriptor(&user, None, None), descriptor(&path, Some((7, 2)), None)],
        hits_addend: 3,
    };
    assert_eq!(sent(&[question(&terms, &user, 3, None), question(&terms, &path, 3, minute)]), want);
}

#[test]
fn other_costs_are_told_of_each() {
    let terms = terms();
    let (a, b) = ([("a", "1")], [("b", "2")]);
    let large = u64::from(u32::MAX) + 1;
    for costs in [[1, 2], [large, large], [0, 0]] {
        let want = RateLimitRequest {
            domain: "edge".to_owned(),
            descriptors: vec![descriptor(&a, None, Some(costs[0])), descriptor(&b, None, Some(costs[1]))],
            hits_addend: 1,
        };
        assert_eq!(sent(&[question(&terms, &a, costs[0], None), question(&terms, &b, costs[1], None)]), want);
    }
}

#[test]
fn each_unit_has_its_time() {
    let seconds =
        |unit| RateLimit { requests_per_unit: 9, unit }.quota().map(|rate| (rate.count(), rate.per().as_secs()));
    let day = 86_400;
    assert_eq!(
        [0, 1, 2, 3, 4, 5, 6, 7, 8].map(seconds),
        [0, 1, 60, 3600, day, 30 * day, 365 * day, 7 * day, 0].map(|time| (time > 0).then_some((9, time)))
    );
}

#[test]
fn a_reply_is_one_whole_message() {
    let message = RateLimitResponse { overall_code: 2, statuses: Vec::new() };
    let frame = [&[0, 0, 0, 0, 2][..], &message.encode_to_vec()].concat();
    assert_eq!(reply(&frame), Ok(message));
    for (frame, want) in [
        (&b""[..], "it is no uncompressed message"),
        (b"\x01\0\0\0\x02\x08\x02", "it is no uncompressed message"),
        (b"\0\0\0\0\x03\x08\x02", "it is not one message"),
        (b"\0\0\0\0\x02\x08\x02\0", "it is not one message"),
    ] {
        assert_eq!(reply(frame), Err(want.to_owned()));
    }
    assert!(reply(b"\0\0\0\0\x02\x12\x09").is_err(), "a field that ends too early");
}
