//! `grpc.health.v1.Health`: what listens, serves.

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, async_trait};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server};

/// The service, for the shop as a whole (the empty name) and for each of these services.
pub(crate) struct Health(pub(crate) Vec<&'static str>);

// === impl Health ===

impl Health {
    fn status(&self, service: &str) -> Option<HealthCheckResponse> {
        let known = service.is_empty() || self.0.contains(&service);
        known.then_some(HealthCheckResponse { status: ServingStatus::Serving as i32 })
    }
}

#[async_trait]
impl health_server::Health for Health {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let unknown = || Status::not_found(format!("no service {service:?} here"));
        self.status(&service).map(Response::new).ok_or_else(unknown)
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let unknown = HealthCheckResponse { status: ServingStatus::ServiceUnknown as i32 };
        let now = self.status(&request.into_inner().service).unwrap_or(unknown);
        let stream = async_stream::stream! {
            yield Ok(now);
            // It does not change, and the protocol has the server hold the stream open.
            std::future::pending::<()>().await;
        };
        Ok(Response::new(Box::pin(stream)))
    }
}
