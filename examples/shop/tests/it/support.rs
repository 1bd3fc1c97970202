//! A shop with a clock that stands still, and what its errors say.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use prost::Message;
use prost_types::Timestamp;
use tidegate_shop::{
    Routes, Shop, ShopConfig,
    generated::google::rpc::{
        self, BadRequest, ErrorInfo, PreconditionFailure, ResourceInfo, bad_request::FieldViolation,
        precondition_failure,
    },
};
use tonic::{Code, Status};

/// 2026-06-01T12:00:00Z: when each test takes place.
pub(crate) const NOON: i64 = 1_780_315_200;

/// A seeded shop in memory; its `n`th change (from 0) is stamped noon plus `n` microseconds.
pub(crate) fn shop() -> Routes {
    let config = ShopConfig {
        clock: Arc::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(NOON.unsigned_abs())),
        ..ShopConfig::default()
    };
    Shop::open(config).unwrap().routes()
}

/// The time of the `change`th change of a test.
pub(crate) fn stamp(change: i32) -> Option<Timestamp> {
    Some(Timestamp { seconds: NOON, nanos: change * 1_000 })
}

/// A refusal, taken apart: code, message, and the details one by one.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) details: Vec<Detail>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Detail {
    Info { reason: String, subject: String },
    Resource { kind: String, name: String },
    Fields(Vec<(String, String)>),
    Preconditions(Vec<(String, String, String)>),
}

/// Takes `status` apart; its details must be a `google.rpc.Status` that agrees with it.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> Refusal {
    let status = result.unwrap_err();
    let (code, message) = (status.code(), status.message().to_owned());
    let mut details = Vec::new();
    if !status.details().is_empty() {
        let inner = rpc::Status::decode(status.details()).unwrap();
        assert_eq!((inner.code, &inner.message), (code as i32, &message));
        details = inner.details.iter().map(detail).collect();
    }
    Refusal { code, message, details }
}

fn detail(any: &prost_types::Any) -> Detail {
    let name = any.type_url.strip_prefix("type.googleapis.com/").unwrap();
    match name {
        "google.rpc.ErrorInfo" => {
            let info = ErrorInfo::decode(any.value.as_slice()).unwrap();
            assert_eq!((info.domain.as_str(), info.metadata.len()), ("shop.tidegate.example", 1));
            Detail::Info { reason: info.reason, subject: info.metadata.into_values().collect() }
        }
        "google.rpc.ResourceInfo" => {
            let resource = ResourceInfo::decode(any.value.as_slice()).unwrap();
            Detail::Resource { kind: resource.resource_type, name: resource.resource_name }
        }
        "google.rpc.BadRequest" => {
            let bad = BadRequest::decode(any.value.as_slice()).unwrap();
            let pair = |field: FieldViolation| (field.field, field.description);
            Detail::Fields(bad.field_violations.into_iter().map(pair).collect())
        }
        "google.rpc.PreconditionFailure" => {
            let failure = PreconditionFailure::decode(any.value.as_slice()).unwrap();
            let triple = |v: precondition_failure::Violation| (v.r#type, v.subject, v.description);
            Detail::Preconditions(failure.violations.into_iter().map(triple).collect())
        }
        other => panic!("unexpected detail {other}"),
    }
}

/// INVALID_ARGUMENT for these fields.
pub(crate) fn invalid(fields: &[(&str, &str)]) -> Refusal {
    let message: Vec<String> = fields.iter().map(|(field, why)| format!("{field}: {why}")).collect();
    let fields = fields.iter().map(|(field, why)| ((*field).to_owned(), (*why).to_owned()));
    Refusal {
        code: Code::InvalidArgument,
        message: message.join("; "),
        details: vec![Detail::Fields(fields.collect())],
    }
}

/// NOT_FOUND for this resource.
pub(crate) fn not_found(kind: &str, name: &str) -> Refusal {
    Refusal {
        code: Code::NotFound,
        message: format!("{kind} {name:?} does not exist"),
        details: vec![
            Detail::Info { reason: "NOT_FOUND".to_owned(), subject: format!("{kind}/{name}") },
            Detail::Resource { kind: format!("shop.v1.{kind}"), name: name.to_owned() },
        ],
    }
}

/// ALREADY_EXISTS for this resource.
pub(crate) fn exists(kind: &str, name: &str) -> Refusal {
    Refusal {
        code: Code::AlreadyExists,
        message: format!("{kind} {name:?} exists already"),
        details: vec![
            Detail::Info { reason: "ALREADY_EXISTS".to_owned(), subject: format!("{kind}/{name}") },
            Detail::Resource { kind: format!("shop.v1.{kind}"), name: name.to_owned() },
        ],
    }
}

/// FAILED_PRECONDITION for this subject.
pub(crate) fn precondition(reason: &str, subject: &str, description: &str) -> Refusal {
    Refusal {
        code: Code::FailedPrecondition,
        message: description.to_owned(),
        details: vec![
            Detail::Info { reason: reason.to_owned(), subject: subject.to_owned() },
            Detail::Preconditions(vec![(reason.to_owned(), subject.to_owned(), description.to_owned())]),
        ],
    }
}
