//! Around tonic's clients and servers, over a socket.

use std::time::Duration;
use tidegate_client::breaker::{Settings as BreakerSettings, State, Window};
use tidegate_client::bulkhead::{Limit, Settings as BulkheadSettings, Shares};
use tidegate_client::retry::Settings as RetrySettings;
use tidegate_client::{BreakerLayer, BulkheadLayer, DeadlineLayer, Protocol, RetryLayer};
use tidegate_shop::generated::shop::v1::{FailRequest, faults_client::FaultsClient};
use tidegate_shop::{Running, Shop};
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceBuilder;

async fn shop() -> (Running, Channel) {
    let shop = Shop::start(None, ([127, 0, 0, 1], 0).into()).expect("a free port");
    let channel = Channel::from_shared(format!("http://{}", shop.addr())).expect("an address");
    let channel = channel.connect().await.expect("it listens");
    (shop, channel)
}

fn fail(code: i32) -> FailRequest {
    FailRequest { code, message: "as told".into(), ..FailRequest::default() }
}

#[tokio::test]
async fn a_client_with_all_layers_keeps_away_from_what_fails() {
    let (shop, channel) = shop().await;
    let breaker = BreakerLayer::new(
        Protocol::Grpc,
        BreakerSettings { window: Window::Calls(4), min_calls: 4, ..BreakerSettings::default() },
    );
    let bulkhead = BulkheadLayer::new(
        Protocol::Grpc,
        BulkheadSettings { limit: Limit::Fixed(4), queue: 4, wait: Duration::from_secs(9), shares: Shares::EVEN },
    );
    let retry = RetryLayer::new(Protocol::Grpc, RetrySettings { attempts: 2, ..RetrySettings::default() })
        .safe(|head| head.uri.path().ends_with("/Fail"))
        .body(tonic::body::Body::new);
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Protocol::Grpc).timeout(Duration::from_secs(60)))
        .layer(retry)
        .layer(bulkhead.clone())
        .layer(breaker.clone())
        .service(channel);
    let mut faults = FaultsClient::new(service);
    let mut codes = Vec::new();
    for code in [0, 5, 14, 14, 13] {
        codes.push(faults.fail(fail(code)).await.map_or_else(|status| status.code(), |_| Code::Ok));
    }
    // Two answers, then two tries of the third call: half of four failed.
    assert_eq!(codes, [Code::Ok, Code::NotFound, Code::Unavailable, Code::Unavailable, Code::Unavailable]);
    assert_eq!(breaker.state(), State::Open);
    let refused = faults.fail(fail(0)).await.expect_err("it is not called");
    assert_eq!(refused.message(), "the service fails too often and is not called for now");
    breaker.close();
    faults.fail(fail(0)).await.expect("it is called again");
    assert_eq!((bulkhead.figures().in_flight, bulkhead.figures().queued), (0, 0));
    shop.shutdown().await.expect("it stops");
}

#[tokio::test]
async fn a_deadline_that_passed_is_told_as_such() {
    let (shop, channel) = shop().await;
    let service =
        ServiceBuilder::new().layer(DeadlineLayer::new(Protocol::Grpc).timeout(Duration::ZERO)).service(channel);
    let late = FaultsClient::new(service).fail(fail(0)).await.expect_err("it is late before it begins");
    assert_eq!(late.code(), Code::DeadlineExceeded);
    shop.shutdown().await.expect("it stops");
}

#[tokio::test]
async fn a_server_with_layers_answers_as_grpc_when_it_is_full() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (shop, inner) = shop().await;
    let bulkhead = BulkheadLayer::new(
        Protocol::Grpc,
        BulkheadSettings { limit: Limit::Fixed(1), queue: 0, wait: Duration::from_secs(9), shares: Shares::EVEN },
    );
    let service = Relay(inner);
    let server = tonic::transport::Server::builder()
        .layer(DeadlineLayer::new(Protocol::Grpc))
        .layer(bulkhead.clone())
        .add_service(service);
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let running = tokio::spawn(server.serve_with_incoming(incoming));
    let connect = || async {
        let channel = Channel::from_shared(format!("http://{address}")).expect("an address");
        HealthClient::new(channel.connect().await.expect("it listens"))
    };
    let (mut one, mut other) = (connect().await, connect().await);
    let ask = HealthCheckRequest::default;
    one.check(ask()).await.expect("there is a place");
    let stream = one.watch(ask()).await.expect("it begins");
    assert_eq!(bulkhead.figures().in_flight, 1);
    let full = other.check(ask()).await.expect_err("the stream has the one place");
    assert_eq!((full.code(), full.message()), (Code::Unavailable, "too many calls are in flight (limit)"));
    drop((stream, one));
    // The server hears of it, sooner or later.
    while bulkhead.figures().in_flight > 0 {
        tokio::task::yield_now().await;
    }
    other.check(ask()).await.expect("there is a place again");
    running.abort();
    shop.shutdown().await.expect("it stops");
}

/// The shop's health, told by another server.
#[derive(Clone)]
struct Relay(Channel);

impl tonic::server::NamedService for Relay {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl tower::Service<http::Request<tonic::body::Body>> for Relay {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let channel = self.0.clone();
        Box::pin(async move {
            use tower::ServiceExt as _;
            Ok(channel.oneshot(request).await.expect("the shop answers"))
        })
    }
}
