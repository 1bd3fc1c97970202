//! What is asked, and what is heard.

use std::time::Duration;

use prost::Message as _;
use tidegate_limit::front::{By, Failure};
use tidegate_limit::ports::LimitService as _;
use tidegate_limit::{Rate, Retry};
use tidegate_rls::Service;

use crate::server::{Does, Seen, Server};
use crate::{ask, config, question, said, terms};

#[derive(Clone, PartialEq, prost::Message)]
struct Reply {
    #[prost(int32, tag = "1")]
    overall_code: i32,
    #[prost(message, repeated, tag = "2")]
    statuses: Vec<Status>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, optional, tag = "2")]
    limit: Option<Limit>,
    #[prost(uint32, tag = "3")]
    remaining: u32,
    #[prost(message, optional, tag = "4")]
    reset: Option<prost_types::Duration>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Limit {
    #[prost(uint32, tag = "1")]
    requests_per_unit: u32,
    #[prost(int32, tag = "2")]
    unit: i32,
}

fn status(code: i32, remaining: u32, seconds: i64) -> Status {
    let limit = Some(Limit { requests_per_unit: 9, unit: 2 });
    Status { code, limit, remaining, reset: Some(prost_types::Duration { seconds, nanos: 0 }) }
}

/// A whole answer, on the wire.
pub(crate) fn reply(overall_code: i32, statuses: &[(i32, u32, i64)]) -> Vec<u8> {
    let statuses = statuses.iter().map(|(code, remaining, seconds)| status(*code, *remaining, *seconds)).collect();
    Reply { overall_code, statuses }.encode_to_vec()
}

/// An answer that lets pass.
pub(crate) fn pass() -> Does {
    Does::Says(reply(1, &[]))
}

#[tokio::test]
async fn limits_of_a_request_are_asked_in_one_call_and_each_hears_its_own() {
    let server = Server::start(Does::Says(reply(2, &[(1, 5, 7), (2, 0, 8)]))).await;
    let service = Service::start(config(&server.url()));
    let terms = terms(Failure::Closed);
    let heard = ask(&service, &[question(&terms, ("user", "alice"), 2), question(&terms, ("path", "/é"), 2)]).await;
    let quota = Rate::new(9, Duration::from_secs(60)).ok();
    let want =
        [(0, said(2, 2, 5, Retry::Now, 7, quota)), (1, said(2, 0, 0, Retry::After(Duration::from_secs(8)), 8, quota))];
    assert_eq!(heard, want);
    let headers = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "60000m")];
    let message =
        b"\x0a\x04edge\x12\x0f\x0a\x0d\x0a\x04user\x12\x05alice\x12\x0d\x0a\x0b\x0a\x04path\x12\x03/\xc3\xa9\x18\x02";
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    let seen = Seen {
        path: "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        message: [&[0][..], &length, message].concat(),
    };
    assert_eq!(server.seen(), [seen]);
    let standing = service.standing();
    let counts = (standing.front.asked, standing.front.batches, standing.front.items, standing.waiting);
    assert_eq!((counts, standing.servers.connections), ((2, 1, 2, 0), 1));
    assert_eq!(standing.latency.iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn calls_of_many_share_a_connection() {
    let server = Server::start(Does::Says(reply(1, &[(1, 5, 7)]))).await;
    let service = std::sync::Arc::new(Service::start(config(&server.url())));
    let mut asks = tokio::task::JoinSet::new();
    for number in 0..1000_u32 {
        let service = std::sync::Arc::clone(&service);
        asks.spawn(async move {
            let terms = terms(Failure::Closed);
            ask(&service, &[question(&terms, ("user", &number.to_string()), 1)]).await
        });
    }
    let quota = Rate::new(9, Duration::from_secs(60)).ok();
    let want = vec![(0, said(1, 1, 5, Retry::Now, 7, quota))];
    for heard in asks.join_all().await {
        assert_eq!(heard, want, "{:?}", service.standing().servers);
    }
    assert_eq!((server.seen().len(), server.connections()), (1000, 1));
}

#[tokio::test]
async fn a_cost_beyond_the_quota_is_refused_without_a_call_and_nothing_else_is_charged() {
    let server = Server::start(pass()).await;
    let service = Service::start(config(&server.url()));
    let terms = terms(Failure::Open);
    let heard = ask(&service, &[question(&terms, ("user", "alice"), 1), question(&terms, ("path", "/"), 6)]).await;
    assert_eq!(heard.len(), 1);
    let (place, outcome) = heard[0];
    assert_eq!((place, outcome.by, outcome.decision.granted, outcome.decision.retry), (1, By::Terms, 0, Retry::Never));
    assert_eq!((server.seen(), server.connections()), (vec![], 0));
}
