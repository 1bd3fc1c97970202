//! `grpc.health.v1.Health`, as `grpc/health/v1/health.proto` has it.

use crate::answer::{Answer, Refusal};
use crate::gateway::Gateway;
use crate::phase::Phase;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tidegate_protojson::wire::{Reader, WireError, WireType, put_len_prefixed, put_tag, put_varint};
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

/// The service's name, and its file as a descriptor set: it is told to whoever may reflect.
pub(super) const NAME: &str = "grpc.health.v1.Health";

/// A `FileDescriptorSet` with `grpc/health/v1/health.proto`, without its comments.
pub(super) fn descriptor_set() -> Vec<u8> {
    const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
    // The value of `type`: a string, an enum.
    let service = field("service", 9, "");
    let status = field("status", 14, ".grpc.health.v1.HealthCheckResponse.ServingStatus");
    let value = |(number, name): (u64, &&str)| bytes(2, &[bytes(1, name.as_bytes()), varint(2, number)].concat());
    let values: Vec<u8> = (0..).zip(&STATUSES).flat_map(value).collect();
    let statuses = bytes(4, &[bytes(1, b"ServingStatus"), values].concat());
    let request = bytes(4, &[bytes(1, b"HealthCheckRequest"), service].concat());
    let reply = bytes(4, &[bytes(1, b"HealthCheckResponse"), status, statuses].concat());
    let health = [bytes(1, b"Health"), method("Check", false), method("Watch", true)].concat();
    let name = [bytes(1, b"grpc/health/v1/health.proto"), bytes(2, b"grpc.health.v1")].concat();
    bytes(1, &[name, request, reply, bytes(6, &health), bytes(12, b"proto3")].concat())
}

/// The only field of a message.
fn field(name: &str, kind: u64, type_name: &str) -> Vec<u8> {
    let mut field = [bytes(1, name.as_bytes()), varint(3, 1), varint(4, 1), varint(5, kind)].concat();
    if !type_name.is_empty() {
        field.extend(bytes(6, type_name.as_bytes()));
    }
    field.extend(bytes(10, name.as_bytes()));
    bytes(2, &field)
}

fn method(name: &str, streams: bool) -> Vec<u8> {
    let (input, output) = (".grpc.health.v1.HealthCheckRequest", ".grpc.health.v1.HealthCheckResponse");
    let mut method = [bytes(1, name.as_bytes()), bytes(2, input.as_bytes()), bytes(3, output.as_bytes())].concat();
    if streams {
        method.extend(varint(6, 1));
    }
    bytes(2, &method)
}

fn bytes(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 4);
    put_tag(&mut out, number, WireType::Len);
    put_len_prefixed(&mut out, bytes);
    out
}

fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(4);
    put_tag(&mut out, number, WireType::Varint);
    put_varint(&mut out, value);
    out
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
    varint(1, health as u64)
}
