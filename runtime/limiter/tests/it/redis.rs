//! Two nodes over one real Redis, and without it.

use std::sync::Arc;
use std::time::Duration;

use tidegate_limiter::Limits;
use tidegate_limiter::config::{Algorithm, OnFailure};
use tidegate_redis::{Address, Clock, Config, Driver, DriverConfig, Redis};
use tidegate_source_rig::redis as rig;
use tidegate_telemetry::clock;
use tonic::Code;

use crate::grpc::{ask, connect};
use crate::messages::{OK, OVER_LIMIT, RateLimitDescriptor, descriptor, request};
use crate::{Serving, config, level};

/// A node's way to the server; patient, for machines that are busy.
fn store(server: &rig::Redis) -> Limits {
    let origin = clock::now();
    let clock: Clock = Arc::new(move || clock::now().saturating_duration_since(origin));
    let address = Address::parse(&format!("redis://{}", server.address())).expect("an address");
    // The server is new: it has lost nothing.
    let redis = Redis::start(Config { forgiving: true, ..Config::new(address, Arc::clone(&clock)) });
    let config = DriverConfig { budget: Duration::from_secs(30), ..DriverConfig::default() };
    Limits::Shared(Arc::new(Driver::start(Arc::new(redis), config, clock)))
}

#[tokio::test]
async fn two_nodes_share_a_limit_exactly_and_a_refused_call_gives_back() {
    let Some(server) = rig::Redis::start(rig::Program::Redis7) else { return };
    for algorithm in [Algorithm::SlidingWindow, Algorithm::TokenBucket, Algorithm::FixedWindow] {
        server.cli(&["FLUSHALL"]);
        let mut config = config(vec![level("user", 20), level("all", 50)]);
        config.algorithm = algorithm;
        let nodes = [Serving::start(&config, store(&server)), Serving::start(&config, store(&server))];
        let channels = [connect(&nodes[0]).await, connect(&nodes[1]).await];
        // One after the other, each at the other node.
        let mut admitted = Vec::new();
        for number in 0..100_usize {
            let user = (number / 25).to_string();
            let both = [descriptor(&[("all", "")]), descriptor(&[("user", &user)])];
            let answer = ask(&channels[number % 2], request("d", &both)).await.expect("an answer");
            if answer.overall_code == OK {
                admitted.push(number / 25);
            }
        }
        let of = |user: usize| admitted.iter().filter(|admitted| **admitted == user).count();
        // The fifth part of what three users asked was refused, and took nothing of what is for all.
        assert_eq!([of(0), of(1), of(2), of(3)], [20, 20, 10, 0], "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_hot_key_is_shared_exactly_by_many_callers_of_two_nodes() {
    let Some(server) = rig::Redis::start(rig::Program::Redis7) else { return };
    let config = config(vec![level("user", 500)]);
    let nodes = [Serving::start(&config, store(&server)), Serving::start(&config, store(&server))];
    let mut calls = tokio::task::JoinSet::new();
    for node in &nodes {
        let channel = connect(node).await;
        for _ in 0..400 {
            let channel = channel.clone();
            calls.spawn(async move {
                let answer = ask(&channel, request("d", &[descriptor(&[("user", "hot")])])).await;
                answer.expect("an answer").overall_code
            });
        }
    }
    let codes = calls.join_all().await;
    let of = |wanted: i32| codes.iter().filter(|code| **code == wanted).count();
    assert_eq!((of(OK), of(OVER_LIMIT)), (500, 300));
}

#[tokio::test]
async fn what_is_paid_afterwards_takes_what_is_left_of_a_shared_limit() {
    let Some(server) = rig::Redis::start(rig::Program::Redis7) else { return };
    let config = config(vec![level("tokens", 100)]);
    let serving = Serving::start(&config, store(&server));
    let channel = connect(&serving).await;
    let hits = |hits: u64| {
        let descriptor = RateLimitDescriptor { hits_addend: Some(hits), ..descriptor(&[("tokens", "1")]) };
        request("d", &[descriptor])
    };
    let mut codes = Vec::new();
    for hits in [hits(0), hits(60), hits(0), hits(70), hits(0), hits(1)] {
        codes.push(ask(&channel, hits).await.expect("an answer").overall_code);
    }
    assert_eq!(codes, [OK, OK, OK, OVER_LIMIT, OVER_LIMIT, OVER_LIMIT]);
}

#[tokio::test]
async fn hits_beyond_all_bounds_take_nothing_of_a_shared_limit() {
    let Some(server) = rig::Redis::start(rig::Program::Redis7) else { return };
    for algorithm in [Algorithm::SlidingWindow, Algorithm::TokenBucket, Algorithm::FixedWindow] {
        server.cli(&["FLUSHALL"]);
        let mut config = config(vec![level("tokens", 10)]);
        config.algorithm = algorithm;
        let serving = Serving::start(&config, store(&server));
        let channel = connect(&serving).await;
        let hits = |hits: u64| {
            let descriptor = RateLimitDescriptor { hits_addend: Some(hits), ..descriptor(&[("tokens", "1")]) };
            request("d", &[descriptor])
        };
        let absurd = [11, 1 << 32, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, u64::MAX - 10, u64::MAX];
        for many in absurd {
            let answer = ask(&channel, hits(many)).await.expect("an answer");
            assert_eq!(answer.overall_code, OVER_LIMIT, "{algorithm:?}: {many}");
        }
        let mut codes = Vec::new();
        for few in [4, 6, 1] {
            codes.push(ask(&channel, hits(few)).await.expect("an answer").overall_code);
        }
        assert_eq!(codes, [OK, OK, OVER_LIMIT], "{algorithm:?}: what was refused took nothing, and gave nothing");
    }
}

#[tokio::test]
async fn without_the_store_the_policy_decides() {
    let Some(mut server) = rig::Redis::start(rig::Program::Redis7) else { return };
    for (policy, wanted) in [
        (OnFailure::Error, Err((Code::Unavailable, "the store of the rate limits did not answer".to_owned()))),
        (OnFailure::Open, Ok(OK)),
        (OnFailure::Closed, Ok(OVER_LIMIT)),
    ] {
        let mut config = config(vec![level("user", 5)]);
        config.on_failure = policy;
        let serving = Serving::start(&config, store(&server));
        let channel = connect(&serving).await;
        let one = || request("d", &[descriptor(&[("user", "1")])]);
        assert_eq!(ask(&channel, one()).await.map(|answer| answer.overall_code).ok(), Some(OK), "{policy:?}");
        server.stop();
        let answer = ask(&channel, one()).await.map(|answer| answer.overall_code);
        assert_eq!(answer.map_err(|status| (status.code(), status.message().to_owned())), wanted, "{policy:?}");
        server.run();
    }
}
