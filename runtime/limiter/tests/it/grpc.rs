//! Calls by tonic's client, and by who does not keep to gRPC.

use std::time::Duration;

use tidegate_limiter::Limits;
use tidegate_limiter::config::Algorithm;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::messages::{OK, OVER_LIMIT, RateLimitRequest, RateLimitResponse, descriptor, request};
use crate::{Serving, config, level};

/// `grpc.health.v1`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct HealthRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct HealthResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

pub(crate) async fn connect(serving: &Serving) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", serving.grpc)).expect("an address");
    endpoint.connect().await.expect("it listens")
}

async fn call<Q, R>(channel: &Channel, path: &'static str, request: Q) -> Result<R, Status>
where
    Q: prost::Message + 'static,
    R: prost::Message + Default + 'static,
{
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("the connection stays");
    let codec = ProstCodec::<Q, R>::default();
    client.unary(Request::new(request), PathAndQuery::from_static(path), codec).await.map(tonic::Response::into_inner)
}

pub(crate) async fn ask(channel: &Channel, request: RateLimitRequest) -> Result<RateLimitResponse, Status> {
    call(channel, "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit", request).await
}

#[tokio::test]
async fn many_at_a_time_get_what_the_limit_has_and_no_more() {
    for algorithm in [Algorithm::SlidingWindow, Algorithm::TokenBucket, Algorithm::FixedWindow] {
        let mut config = config(vec![level("user", 100)]);
        config.algorithm = algorithm;
        let serving = Serving::start(&config, Limits::Local);
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let channel = connect(&serving).await;
            for _ in 0..100 {
                let channel = channel.clone();
                calls.spawn(async move {
                    let answer = ask(&channel, request("d", &[descriptor(&[("user", "1")])])).await;
                    answer.expect("an answer").overall_code
                });
            }
        }
        let codes = calls.join_all().await;
        let of = |wanted: i32| codes.iter().filter(|code| **code == wanted).count();
        assert_eq!((of(OK), of(OVER_LIMIT)), (100, 300), "{algorithm:?}");
    }
}

#[tokio::test]
async fn mistakes_have_the_codes_of_grpc() {
    let serving = Serving::start(&config(vec![level("user", 1)]), Limits::Local);
    let channel = connect(&serving).await;
    let told = |status: Status| (status.code(), status.message().to_owned());
    let empty = ask(&channel, RateLimitRequest::default()).await.map_err(told);
    assert_eq!(empty, Err((Code::InvalidArgument, "the domain is empty".to_owned())));
    let long = request("d", &[descriptor(&[("user", &"x".repeat(1 << 20))])]);
    let wanted = (Code::ResourceExhausted, "the request has more than 65531 bytes".to_owned());
    assert_eq!(ask(&channel, long).await.map_err(told), Err(wanted));
    let most = request("d", &[descriptor(&[("user", &"x".repeat(65_000))])]);
    assert_eq!(ask(&channel, most).await.expect("an answer").overall_code, OK);
    let path = "/envoy.service.ratelimit.v3.RateLimitService/Other";
    let other = call::<_, RateLimitResponse>(&channel, path, HealthRequest::default()).await.map_err(told);
    assert_eq!(other, Err((Code::Unimplemented, "there is no such method".to_owned())));
}

#[tokio::test]
async fn health_is_told_of_the_process_and_of_the_service() {
    let serving = Serving::start(&config(vec![]), Limits::Local);
    let channel = connect(&serving).await;
    for (service, wanted) in
        [("", Ok(1)), ("envoy.service.ratelimit.v3.RateLimitService", Ok(1)), ("other.Service", Err(Code::NotFound))]
    {
        let request = HealthRequest { service: service.to_owned() };
        let answer = call::<_, HealthResponse>(&channel, "/grpc.health.v1.Health/Check", request).await;
        let answer = answer.map(|health| health.status).map_err(|status| status.code());
        assert_eq!(answer, wanted, "{service}");
    }
}

#[tokio::test]
async fn a_stop_ends_connections_in_order_and_closes_the_port() {
    let mut serving = Serving::start(&config(vec![level("user", 9)]), Limits::Local);
    let channel = connect(&serving).await;
    let one = || request("d", &[descriptor(&[("user", "1")])]);
    assert_eq!(ask(&channel, one()).await.expect("an answer").overall_code, OK);
    let server = serving.server.take().expect("it runs");
    tokio::task::spawn_blocking(move || server.stop(Duration::from_secs(60))).await.expect("it stops");
    assert!(tokio::net::TcpStream::connect(serving.grpc).await.is_err(), "nobody listens");
    assert!(ask(&channel, one()).await.is_err(), "the connection has ended");
}
