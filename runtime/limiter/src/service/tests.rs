//! Calls on a held clock, whole replies.

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use tidegate_limit::Keys;
use tidegate_telemetry::metrics::rate_limit_service::{Calls, Decisions, RateLimitService as _};
use tokio::time::advance;

use super::{Answer, Begun, Failed, Limits, Service};
use crate::config::{Algorithm, Config, Descriptor, Domain, Headers, Limit, OnFailure, Quota, Unit};
use crate::messages::{
    DescriptorStatus, HeaderValue, MINUTE, OK, OVER_LIMIT, Override, RateLimit, RateLimitDescriptor, RateLimitRequest,
    RateLimitResponse, SECOND, descriptor, request,
};

fn limit(requests_per_unit: u32, unit: Unit) -> Option<Limit> {
    let quota = Some(Quota { requests_per_unit, unit });
    Some(Limit { quota, name: String::new(), replaces: Vec::new() })
}

fn level(key: &str, value: &str, limit: Option<Limit>) -> Descriptor {
    Descriptor { key: key.to_owned(), value: value.to_owned(), limit, ..Default::default() }
}

fn config(descriptors: Vec<Descriptor>) -> Config {
    Config {
        bind: None,
        resp: None,
        resp_password: None,
        algorithm: Algorithm::SlidingWindow,
        keys: 1024,
        headers: Headers::Never,
        on_failure: OnFailure::Error,
        domains: vec![Domain { name: "d".to_owned(), descriptors }],
    }
}

fn service(descriptors: Vec<Descriptor>) -> Arc<Service> {
    Service::new(&config(descriptors), Limits::Local, &Keys::new(0))
}

async fn ask(service: &Service, request: &RateLimitRequest) -> Result<RateLimitResponse, Failed> {
    let replied = match service.should_rate_limit(&request.encode_to_vec(), 5, None) {
        Begun::Answer(Answer::Now(replied)) => replied,
        Begun::Answer(Answer::Later(waits)) => waits.await,
        Begun::Posted(_) => panic!("there is no inbox"),
    };
    replied.map(|reply| RateLimitResponse::decode(&reply[5..]).expect("a reply"))
}

/// The overall code.
async fn code(service: &Service, descriptors: &[RateLimitDescriptor]) -> i32 {
    ask(service, &request("d", descriptors)).await.expect("an answer").overall_code
}

fn status(code: i32, limit: (u32, i32), limit_remaining: u32, reset: i64) -> DescriptorStatus {
    let (requests_per_unit, unit) = limit;
    DescriptorStatus {
        code,
        current_limit: Some(RateLimit { requests_per_unit, unit, name: String::new() }),
        limit_remaining,
        duration_until_reset: Some(prost_types::Duration { seconds: reset, nanos: 0 }),
    }
}

fn nothing(limit_remaining: u32) -> DescriptorStatus {
    DescriptorStatus { code: OK, limit_remaining, ..Default::default() }
}

fn answer(overall_code: i32, statuses: Vec<DescriptorStatus>) -> RateLimitResponse {
    RateLimitResponse { overall_code, statuses, response_headers_to_add: Vec::new() }
}

fn hits(hits: u64, descriptor: RateLimitDescriptor) -> RateLimitDescriptor {
    RateLimitDescriptor { hits_addend: Some(hits), ..descriptor }
}

#[tokio::test(start_paused = true)]
async fn each_descriptor_has_its_status() {
    let unlimited = Limit { quota: None, name: String::new(), replaces: Vec::new() };
    let service = service(vec![
        level("a", "", limit(2, Unit::Minute)),
        level("b", "", limit(1, Unit::Second)),
        level("u", "", Some(unlimited)),
    ]);
    let all = [descriptor(&[("a", "1")]), descriptor(&[("x", "1")]), descriptor(&[("u", "1")])];
    let reset = 63; // The minute, and the part of it in which the request was.
    let wanted = |remaining| vec![status(OK, (2, MINUTE), remaining, reset), nothing(0), nothing(u32::MAX)];
    assert_eq!(ask(&service, &request("d", &all)).await, Ok(answer(OK, wanted(1))));
    assert_eq!(ask(&service, &request("d", &all)).await, Ok(answer(OK, wanted(0))));
    let mut over = wanted(0);
    over[0].code = OVER_LIMIT;
    assert_eq!(ask(&service, &request("d", &all)).await, Ok(answer(OVER_LIMIT, over)));
    // Another value, another budget; another domain, no limit.
    assert_eq!(code(&service, &[descriptor(&[("a", "2")])]).await, OK);
    assert_eq!(ask(&service, &request("e", &all[..1])).await, Ok(answer(OK, vec![nothing(0)])));
    advance(Duration::from_secs(63)).await;
    assert_eq!(code(&service, &all).await, OK);
    let wanted = Calls { ok: 4, over_limit: 1, unknown_domain: 1, ..Calls::default() };
    assert_eq!(service.counts.calls(), wanted);
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_charges_no_limit() {
    let service = service(vec![level("user", "", limit(1, Unit::Minute)), level("all", "", limit(2, Unit::Minute))]);
    let of = |user: &str| [descriptor(&[("all", "")]), descriptor(&[("user", user)])];
    assert_eq!(code(&service, &of("1")).await, OK);
    for _ in 0..10 {
        let over = ask(&service, &request("d", &of("1"))).await.expect("an answer");
        let statuses = vec![status(OK, (2, MINUTE), 1, 63), status(OVER_LIMIT, (1, MINUTE), 0, 63)];
        assert_eq!(over, answer(OVER_LIMIT, statuses));
    }
    assert_eq!(code(&service, &of("2")).await, OK);
    assert_eq!(code(&service, &of("3")).await, OVER_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn hits_are_those_of_the_descriptor_or_of_the_request_or_one() {
    let service = service(vec![level("a", "", limit(10, Unit::Minute))]);
    let one = descriptor(&[("a", "1")]);
    let of_request = RateLimitRequest { hits_addend: 3, ..request("d", &[one.clone(), hits(2, one.clone())]) };
    let statuses = vec![status(OK, (10, MINUTE), 7, 63), status(OK, (10, MINUTE), 5, 63)];
    assert_eq!(ask(&service, &of_request).await, Ok(answer(OK, statuses)));
    assert_eq!(code(&service, &[hits(6, one.clone())]).await, OVER_LIMIT);
    for absurd in [1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX - 10, u64::MAX] {
        assert_eq!(code(&service, &[hits(absurd, one.clone())]).await, OVER_LIMIT, "{absurd}");
    }
    assert_eq!(code(&service, &[hits(5, one.clone())]).await, OK, "what was refused took nothing");
    assert_eq!(code(&service, &[one]).await, OVER_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn what_is_paid_afterwards_takes_what_is_left() {
    let service = service(vec![level("tokens", "", limit(100, Unit::Minute))]);
    let one = descriptor(&[("tokens", "1")]);
    let check = hits(0, one.clone());
    assert_eq!(code(&service, std::slice::from_ref(&check)).await, OK);
    assert_eq!(code(&service, &[hits(60, one.clone())]).await, OK);
    assert_eq!(code(&service, std::slice::from_ref(&check)).await, OK, "40 are left");
    assert_eq!(code(&service, &[hits(70, one)]).await, OVER_LIMIT);
    let over = answer(OVER_LIMIT, vec![status(OVER_LIMIT, (100, MINUTE), 0, 63)]);
    assert_eq!(ask(&service, &request("d", &[check])).await, Ok(over));
}

#[tokio::test(start_paused = true)]
async fn shadows_refuse_nothing_and_quotas_only_all_together() {
    let shadow = Descriptor { shadow: true, ..level("s", "", limit(1, Unit::Minute)) };
    let quota = |key: &str| Descriptor { quota: true, ..level(key, "", limit(1, Unit::Minute)) };
    let service = service(vec![shadow, quota("q1"), quota("q2")]);
    let (s, q1, q2) = (descriptor(&[("s", "")]), descriptor(&[("q1", "")]), descriptor(&[("q2", "")]));
    assert_eq!(code(&service, &[s.clone(), q1.clone()]).await, OK);
    let again = ask(&service, &request("d", &[s.clone(), q1.clone(), q2.clone()])).await.expect("an answer");
    let statuses =
        vec![status(OK, (1, MINUTE), 0, 63), status(OVER_LIMIT, (1, MINUTE), 0, 63), status(OK, (1, MINUTE), 0, 63)];
    assert_eq!(again, answer(OK, statuses));
    assert_eq!(code(&service, &[s, q1, q2]).await, OVER_LIMIT);
    let shadow = Decisions { admitted: 1, near_limit: 1, shadow: 2, hits: 1, over_limit: 0 };
    let of = |path: &str| service.counts.decisions().into_iter().find(|(_, known, _)| known == path).map(|all| all.2);
    assert_eq!(of("s"), Some(shadow));
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_replaces_another_takes_its_place() {
    let named = |number, name: &str, replaces: &[&str]| {
        let replaces = replaces.iter().map(|name| (*name).to_owned()).collect();
        limit(number, Unit::Second).map(|limit| Limit { name: name.to_owned(), replaces, ..limit })
    };
    let below = |limit| vec![level("user", "bkthomps", limit)];
    let service = service(vec![
        Descriptor { descriptors: below(named(5, "specific_limit", &[])), ..level("key_1", "value_1", None) },
        Descriptor { descriptors: below(named(10, "", &["specific_limit"])), ..level("key_2", "value_2", None) },
    ]);
    let both = [
        descriptor(&[("key_1", "value_1"), ("user", "bkthomps")]),
        descriptor(&[("key_2", "value_2"), ("user", "bkthomps")]),
    ];
    let statuses = vec![nothing(0), status(OK, (10, SECOND), 9, 2)];
    assert_eq!(ask(&service, &request("d", &both)).await, Ok(answer(OK, statuses)));
    let mut alone = status(OK, (5, SECOND), 4, 2);
    alone.current_limit.as_mut().expect("a limit").name = "specific_limit".to_owned();
    assert_eq!(ask(&service, &request("d", &both[..1])).await, Ok(answer(OK, vec![alone])));
}

#[tokio::test(start_paused = true)]
async fn a_call_can_bring_its_limit_along() {
    let service = service(vec![level("a", "", limit(1, Unit::Minute))]);
    let of = |requests_per_unit, unit| RateLimitDescriptor {
        limit: Some(Override { requests_per_unit, unit }),
        ..descriptor(&[("a", "1")])
    };
    assert_eq!(
        ask(&service, &request("d", &[of(3, SECOND)])).await,
        Ok(answer(OK, vec![status(OK, (3, SECOND), 2, 2)]))
    );
    assert_eq!(code(&service, &[of(0, SECOND)]).await, OVER_LIMIT);
    assert_eq!(code(&service, &[of(u32::MAX, 6)]).await, OK);
    for unit in [0, 8, -1, i32::MAX] {
        let failed =
            ask(&service, &request("d", &[descriptor(&[("a", "1")]), of(3, unit)])).await.expect_err("no unit");
        assert_eq!(failed.code, 3);
        let start = "descriptors[1].limit.unit is ";
        assert!(
            failed.message.starts_with(start) && failed.message.ends_with(", which is no unit of time"),
            "{failed:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_make_no_sense_are_told_why() {
    let service = service(vec![level("a", "", limit(1, Unit::Minute))]);
    let negative = RateLimitDescriptor { is_negative_hits: true, ..descriptor(&[("a", "1")]) };
    let cases = [
        (request("", &[descriptor(&[("a", "1")])]), "the domain is empty"),
        (request("d", &[]), "there are no descriptors"),
        (request("d", &[descriptor(&[("a", "1")]), descriptor(&[])]), "descriptors[1] has no entries"),
        (request("d", &[descriptor(&[("", "1")])]), "descriptors[0] has an entry with an empty key"),
        (request("d", &[negative]), "descriptors[0].is_negative_hits: hits are not given back"),
    ];
    for (request, why) in cases {
        assert_eq!(ask(&service, &request).await, Err(Failed::invalid(why)));
    }
    assert_eq!(service.counts.calls(), Calls { invalid: 5, ..Calls::default() });
}

#[tokio::test(start_paused = true)]
async fn headers_tell_of_the_limit_that_is_nearest() {
    let mut config = config(vec![level("a", "", limit(5, Unit::Minute)), level("b", "", limit(2, Unit::Second))]);
    let both = [descriptor(&[("a", "1")]), descriptor(&[("b", "1")])];
    let headers = |values: [&str; 3]| {
        let names = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];
        let header = |(key, value): (&str, &str)| HeaderValue { key: key.to_owned(), value: value.to_owned() };
        names.into_iter().zip(values).map(header).collect::<Vec<_>>()
    };
    for (when, first, refused) in [
        (Headers::Never, vec![], vec![]),
        (Headers::Refused, vec![], headers(["2", "0", "2"])),
        (Headers::Always, headers(["2", "1", "2"]), headers(["2", "0", "2"])),
    ] {
        config.headers = when;
        let service = Service::new(&config, Limits::Local, &Keys::new(0));
        let told = || async { ask(&service, &request("d", &both)).await.expect("an answer").response_headers_to_add };
        assert_eq!(told().await, first, "{when:?}");
        assert_eq!(code(&service, &both).await, OK);
        assert_eq!(told().await, refused, "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn new_rules_go_on_with_what_was_counted() {
    let service = service(vec![level("a", "", limit(3, Unit::Minute))]);
    let one = [descriptor(&[("a", "1")])];
    assert_eq!((code(&service, &one).await, code(&service, &one).await), (OK, OK));
    service.replace(&config(vec![level("a", "", limit(2, Unit::Minute))]), Limits::Local, &Keys::new(0));
    assert_eq!(code(&service, &one).await, OVER_LIMIT);
    let wanted = Decisions { admitted: 2, near_limit: 0, over_limit: 1, shadow: 0, hits: 2 };
    assert_eq!(service.counts.decisions()[1], ("d".to_owned(), "a".to_owned(), wanted));
}

#[tokio::test(start_paused = true)]
async fn values_are_told_where_the_rules_say_so_and_not_without_end() {
    let detailed = Descriptor { detailed_metric: true, ..level("k", "", limit(10, Unit::Minute)) };
    let inner = Descriptor {
        value_to_metric: true,
        descriptors: vec![level("id", "", limit(9, Unit::Minute))],
        ..level("route", "", None)
    };
    let service = service(vec![detailed, inner]);
    for number in 0..1500 {
        assert_eq!(code(&service, &[descriptor(&[("k", &number.to_string())])]).await, OK);
    }
    assert_eq!(code(&service, &[descriptor(&[("route", "api"), ("id", "1")])]).await, OK);
    let all = service.counts.decisions();
    let of = |path: &str| all.iter().find(|(_, known, _)| known == path).map(|(_, _, counts)| counts.admitted);
    assert_eq!((of("k_0"), of("k_999"), of("k_1000"), of("k")), (Some(1), Some(1), None, Some(500)));
    assert_eq!((of("route_api.id"), of("route.id")), (Some(1), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn algorithms_differ_in_what_passes_around_the_border_of_a_unit() {
    for (algorithm, passes) in
        [(Algorithm::SlidingWindow, 0), (Algorithm::FixedWindow, 10), (Algorithm::TokenBucket, 5)]
    {
        let mut config = config(vec![level("a", "", limit(10, Unit::Second))]);
        config.algorithm = algorithm;
        let service = Service::new(&config, Limits::Local, &Keys::new(0));
        let one = [descriptor(&[("a", "1")])];
        advance(Duration::from_millis(500)).await;
        for _ in 0..10 {
            assert_eq!(code(&service, &one).await, OK);
        }
        advance(Duration::from_millis(500)).await;
        let mut passed = 0;
        while code(&service, &one).await == OK {
            passed += 1;
        }
        assert_eq!(passed, passes, "{algorithm:?}");
    }
}
