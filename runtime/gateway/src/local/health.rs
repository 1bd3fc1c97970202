//! `grpc.health.v1.Health`, as `grpc/health/v1/health.proto` has it.

use crate::answer::{Answer, Refusal};
use crate::gateway::Gateway;
use crate::phase::Phase;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidegate_protojson::wire::{Reader, WireError, WireType, put_tag, put_varint};
use tidegate_transcode::{Code, Status};
use tokio::time::Sleep;

/// How soon who watches hears of a change.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `HealthCheckResponse.ServingStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

/// Answers `Check`. The empty name is the gateway itself.
///
/// # Errors
/// `NOT_FOUND`: no such service is routed.
pub(super) fn check(gateway: &Gateway, request: &[u8]) -> Result<Vec<u8>, Refusal> {
    let service = service(request)?;
    match health(gateway, &service) {
        Health::ServiceUnknown => {
            let status = Status::new(Code::NotFound, format!("no service {service} is served here"));
            Err(Refusal::with_status(Answer::NoRoute, status))
        }
        health => Ok(reply(health)),
    }
}

/// Answers `Watch`: the state at once, and then every new one.
pub(crate) struct Watcher {
    gateway: Arc<Gateway>,
    service: String,
    told: Option<Health>,
    alarm: Pin<Box<Sleep>>,
}

impl Watcher {
    pub(super) fn new(gateway: Arc<Gateway>, request: &[u8]) -> Result<Self, Refusal> {
        let service = service(request)?;
        Ok(Self { gateway, service, told: None, alarm: Box::pin(tokio::time::sleep(LOOK_EVERY)) })
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Vec<u8>> {
        loop {
            let now = health(&self.gateway, &self.service);
            if self.told.replace(now) != Some(now) {
                return Poll::Ready(reply(now));
            }
            ready!(self.alarm.as_mut().poll(context));
            self.alarm = Box::pin(tokio::time::sleep(LOOK_EVERY));
        }
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("service", &self.service).field("told", &self.told).finish_non_exhaustive()
    }
}

fn health(gateway: &Gateway, service: &str) -> Health {
    let snapshot = gateway.snapshot();
    if !service.is_empty() && !snapshot.services().any(|(routed, _)| routed == service) {
        return Health::ServiceUnknown;
    }
    if gateway.phase() == Phase::Serving { Health::Serving } else { Health::NotServing }
}

/// `HealthCheckRequest.service`
fn service(request: &[u8]) -> Result<String, Refusal> {
    let read = || -> Result<String, WireError> {
        let mut service = String::new();
        let mut reader = Reader::new(request);
        while !reader.is_empty() {
            match reader.tag()? {
                (1, WireType::Len) => service = String::from_utf8_lossy(reader.len_prefixed()?).into_owned(),
                (number, wire_type) => reader.skip(number, wire_type, 100)?,
            }
        }
        Ok(service)
    };
    read().map_err(|error| Refusal::new(Answer::BadRequest, format!("the request: {error}")))
}

/// `HealthCheckResponse`
fn reply(health: Health) -> Vec<u8> {
    let mut reply = Vec::with_capacity(2);
    put_tag(&mut reply, 1, WireType::Varint);
    put_varint(&mut reply, health as u64);
    reply
}
