//! A storefront: an axum application that calls the example shop over gRPC, with the layers on both sides.
//!
//! ```console
//! $ cargo run -p tidegate-client --example storefront
//! $ curl -i localhost:8088/faults/0
//! $ for _ in 1 2 3 4 5 6 7 8 9 10; do curl localhost:8088/faults/14; done   # the breaker opens
//! $ curl localhost:8088/breaker
//! ```

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use std::time::Duration;
use tidegate_client::breaker::{Settings as BreakerSettings, Window};
use tidegate_client::bulkhead::{Limit, Settings as BulkheadSettings, Shares};
use tidegate_client::retry::Settings as RetrySettings;
use tidegate_client::{BreakerLayer, BreakerService, BulkheadLayer, DeadlineLayer, DeadlineService, Protocol};
use tidegate_client::{Deadline, Replay, RetryLayer, RetryService};
use tidegate_shop::Shop;
use tidegate_shop::generated::shop::v1::{FailRequest, faults_client::FaultsClient};
use tokio::net::TcpListener;
use tonic::transport::Channel;
use tower::ServiceBuilder;

/// How a body that can be sent again becomes one of tonic's.
type ToTonic = fn(Replay<tonic::body::Body>) -> tonic::body::Body;

/// The channel to the shop, and what is around it.
type Guarded = DeadlineService<RetryService<BreakerService<Channel>, ToTonic>>;

/// What handlers share.
#[derive(Clone)]
struct Storefront {
    faults: FaultsClient<Guarded>,
    breaker: BreakerLayer,
}

/// Calls end in two seconds, are tried twice, and are not made while half of the last ten fail.
fn guarded(channel: Channel) -> (Guarded, BreakerLayer) {
    let settings = BreakerSettings { window: Window::Calls(10), min_calls: 10, ..BreakerSettings::default() };
    let breaker = BreakerLayer::new(Protocol::Grpc, settings)
        .on_change(|change| println!("breaker: {} -> {}: {}", change.from.word(), change.to.word(), change.why));
    let retry = RetryLayer::new(Protocol::Grpc, RetrySettings { attempts: 2, ..RetrySettings::default() })
        .safe(|head| head.uri.path() == "/shop.v1.Faults/Fail")
        .body(tonic::body::Body::new as ToTonic);
    let service = ServiceBuilder::new()
        .layer(DeadlineLayer::new(Protocol::Grpc).timeout(Duration::from_secs(2)))
        .layer(retry)
        .layer(breaker.clone())
        .service(channel);
    (service, breaker)
}

/// A hundred requests at once, a hundred wait; each ends in three seconds, and so do the calls that it makes.
fn application(storefront: Storefront) -> Router {
    let settings =
        BulkheadSettings { limit: Limit::Fixed(100), queue: 100, wait: Duration::from_secs(1), shares: Shares::EVEN };
    Router::new()
        .route("/faults/{code}", get(fault))
        .route("/breaker", get(|State(shop): State<Storefront>| async move { shop.breaker.state().word() }))
        .layer(BulkheadLayer::new(Protocol::Http, settings))
        .layer(DeadlineLayer::new(Protocol::Http).timeout(Duration::from_secs(3)))
        .with_state(storefront)
}

async fn fault(State(mut shop): State<Storefront>, Path(code): Path<i32>) -> impl IntoResponse {
    let left = Deadline::current().map(Deadline::left).unwrap_or_default();
    match shop.faults.fail(FailRequest { code, ..FailRequest::default() }).await {
        Ok(_) => (StatusCode::OK, format!("the shop answers; {} ms were left\n", left.as_millis())),
        Err(status) => (StatusCode::BAD_GATEWAY, format!("{}: {}\n", status.code(), status.message())),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shop = Shop::start(None, ([127, 0, 0, 1], 0).into())?;
    let channel = Channel::from_shared(format!("http://{}", shop.addr()))?.connect().await?;
    let (service, breaker) = guarded(channel);
    let storefront = Storefront { faults: FaultsClient::new(service), breaker };
    let listener = TcpListener::bind("127.0.0.1:8088").await?;
    println!("the storefront is on http://{}", listener.local_addr()?);
    axum::serve(listener, application(storefront)).await?;
    shop.shutdown().await?;
    Ok(())
}
