use tokio_stream::StreamExt;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{Refusal, refusal, shop};

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

fn is(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status as i32 }
}

#[tokio::test]
async fn the_shop_and_each_service_serve_and_no_other_is_known() {
    let mut health = HealthClient::new(shop());
    for service in ["", "shop.v1.Orders", "shop.v1.Payments", "shop.v1.Faults"] {
        assert_eq!(health.check(of(service)).await.unwrap().into_inner(), is(ServingStatus::Serving), "{service}");
    }
    let unknown =
        Refusal { code: Code::NotFound, message: "no service \"shop.v1.Returns\" here".to_owned(), details: vec![] };
    assert_eq!(refusal(health.check(of("shop.v1.Returns")).await), unknown);
}

#[tokio::test]
async fn a_watch_tells_the_state_and_stays_open() {
    let mut health = HealthClient::new(shop());
    for (service, status) in [("shop.v1.Orders", ServingStatus::Serving), ("none", ServingStatus::ServiceUnknown)] {
        let mut watch = health.watch(of(service)).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap(), Some(is(status)));
        // Polled once more, it has nothing and has not ended.
        let next = tokio::select! {
            biased;
            next = watch.next() => Some(next.is_some()),
            () = std::future::ready(()) => None,
        };
        assert_eq!(next, None);
    }
}
