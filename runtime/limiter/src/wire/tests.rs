//! Beside prost: whatever it reads we read, and it reads what we write.

use proptest::prelude::*;
use prost::Message as _;

use super::{Code, Malformed, Override, Reply, Request, Status};
use crate::config::{Quota, Unit};
use crate::messages;
use crate::messages::{Entry, RateLimitDescriptor, RateLimitRequest, RateLimitResponse};

fn requests() -> impl Strategy<Value = RateLimitRequest> {
    let entry = (".{0,5}", ".{0,9}").prop_map(|(key, value)| Entry { key, value });
    let limit = (any::<u32>(), any::<i32>())
        .prop_map(|(requests_per_unit, unit)| messages::Override { requests_per_unit, unit });
    let entries = prop::collection::vec(entry, 0..5);
    let descriptor = (entries, prop::option::of(limit), prop::option::of(any::<u64>()), any::<bool>()).prop_map(
        |(entries, limit, hits_addend, is_negative_hits)| RateLimitDescriptor {
            entries,
            limit,
            hits_addend,
            is_negative_hits,
        },
    );
    let descriptors = prop::collection::vec(descriptor, 0..5);
    (".{0,9}", descriptors, any::<u32>()).prop_map(|(domain, descriptors, hits_addend)| RateLimitRequest {
        domain,
        descriptors,
        hits_addend,
    })
}

/// As prost would hold it.
#[expect(clippy::cast_possible_truncation, reason = "an enum of protobuf has 32 bits")]
fn as_prost(request: &Request<'_>) -> RateLimitRequest {
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).to_owned(), value: (*value).to_owned() };
    let limit =
        |limit: Override| messages::Override { requests_per_unit: limit.requests_per_unit, unit: limit.unit as i32 };
    let descriptors = request.descriptors.iter().map(|descriptor| RateLimitDescriptor {
        entries: descriptor.entries.iter().map(entry).collect(),
        limit: descriptor.limit.map(limit),
        hits_addend: descriptor.hits_addend,
        is_negative_hits: descriptor.gives_back,
    });
    let descriptors = descriptors.collect();
    RateLimitRequest { domain: request.domain.to_owned(), descriptors, hits_addend: request.hits_addend }
}

proptest! {
    #[test]
    fn what_prost_writes_is_read_as_it_was(request in requests()) {
        let bytes = request.encode_to_vec();
        prop_assert_eq!(as_prost(&Request::read(&bytes).expect("a request")), request);
    }

    #[test]
    fn bytes_are_a_request_for_both_or_for_none(
        request in requests(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = request.encode_to_vec();
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let (ours, theirs) = (Request::read(&bytes), RateLimitRequest::decode(&*bytes));
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(as_prost(&ours), theirs),
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "{ours:?} and {theirs:?} of {bytes:?}"),
        }
    }

    #[test]
    fn prost_reads_what_is_written(
        limit in any::<u32>(), remaining in any::<u32>(), reset in prop::option::of(0..=u64::from(u32::MAX)), name in ".{0,200}",
    ) {
        let quota = Quota { requests_per_unit: limit, unit: Unit::Week };
        let mut reply = Reply::new(5, Code::OverLimit);
        reply.status(&Status { code: Code::Ok, limit: Some((quota, &name)), remaining, reset });
        reply.status(&Status { code: Code::OverLimit, limit: None, remaining, reset: None });
        reply.header("RateLimit-Limit", &name);
        let status = |code, limit: Option<messages::RateLimit>, reset: Option<u64>| messages::DescriptorStatus {
            code,
            current_limit: limit,
            limit_remaining: remaining,
            duration_until_reset: reset.map(|reset| prost_types::Duration {
                seconds: i64::try_from(reset).expect("a time"),
                nanos: 0,
            }),
        };
        let limit = messages::RateLimit { requests_per_unit: limit, unit: 7, name: name.clone() };
        let wanted = RateLimitResponse {
            overall_code: messages::OVER_LIMIT,
            statuses: vec![status(1, Some(limit), reset), status(2, None, None)],
            response_headers_to_add: vec![messages::HeaderValue { key: "RateLimit-Limit".to_owned(), value: name }],
        };
        prop_assert_eq!(RateLimitResponse::decode(&reply.finish()[5..]).expect("a reply"), wanted);
    }
}

#[test]
fn what_is_no_request_says_why() {
    let descriptors = RateLimitRequest { descriptors: vec![Default::default(); 101], ..Default::default() };
    let entries = RateLimitDescriptor { entries: vec![Default::default(); 101], ..Default::default() };
    let entries = RateLimitRequest { descriptors: vec![entries], ..Default::default() };
    let cases: [(Vec<u8>, Malformed); 6] = [
        (vec![0x0a, 5, b'a'], Malformed::Wire("it ends too early")),
        (vec![0x0a, 1, 0xff], Malformed::Text("domain")),
        (vec![0x08, 1], Malformed::Wire("a field has another type")),
        (vec![0xff; 11], Malformed::Wire("a number does not end")),
        (descriptors.encode_to_vec(), Malformed::Descriptors),
        (entries.encode_to_vec(), Malformed::Entries),
    ];
    for (bytes, why) in cases {
        assert_eq!(Request::read(&bytes).map(|_| ()), Err(why), "{bytes:?}");
    }
}
