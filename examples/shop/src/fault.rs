//! Why the shop refuses: one type, and its one translation into a gRPC status with details.

use std::collections::HashMap;

use prost::Message;
use tonic::{Code, Status};

use crate::generated::google::rpc;

/// Who speaks in `ErrorInfo.domain`.
const DOMAIN: &str = "shop.tidegate.example";

/// One field that is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Path of the field in the request message, proto names.
    pub(crate) field: String,
    /// What would be acceptable.
    pub(crate) description: String,
}

/// Why a call was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// There is no such resource.
    #[error("{kind} {name:?} does not exist")]
    NotFound {
        /// `Customer`, `Order`, …
        kind: &'static str,
        /// As the caller named it.
        name: String,
    },
    /// The name is taken.
    #[error("{kind} {name:?} exists already")]
    Exists {
        /// `Customer`, `Link`.
        kind: &'static str,
        /// As the caller named it.
        name: String,
    },
    /// The request is wrong by itself: all that is, not the first only.
    #[error("{}", summary(.0))]
    Invalid(Vec<Violation>),
    /// The request is right, but not in this state.
    #[error("{description}")]
    Precondition {
        /// For programs: `OUT_OF_STOCK`, `ORDER_STATE`.
        reason: &'static str,
        /// What is in that state.
        subject: String,
        /// For people.
        description: String,
    },
    /// The caller's own bound is reached.
    #[error("{0}")]
    Exhausted(String),
    /// The database failed.
    #[error("the store failed")]
    Store(#[from] rusqlite::Error),
    /// A stored document does not decode.
    #[error("the store holds a damaged document")]
    Document(#[from] prost::DecodeError),
    /// The store's thread has ended.
    #[error("the shop is closing")]
    Gone,
}

// === impl Fault ===

impl Fault {
    /// One bad field.
    pub(crate) fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation { field: field.into(), description: description.into() }])
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => Code::NotFound,
            Self::Exists { .. } => Code::AlreadyExists,
            Self::Invalid(_) => Code::InvalidArgument,
            Self::Precondition { .. } => Code::FailedPrecondition,
            Self::Exhausted(_) => Code::ResourceExhausted,
            Self::Store(_) | Self::Document(_) => Code::Internal,
            Self::Gone => Code::Unavailable,
        }
    }

    fn details(&self) -> Vec<prost_types::Any> {
        match self {
            Self::NotFound { kind, name } => vec![
                info("NOT_FOUND", [("resource", format!("{kind}/{name}"))]),
                resource(kind, name, "does not exist"),
            ],
            Self::Exists { kind, name } => vec![
                info("ALREADY_EXISTS", [("resource", format!("{kind}/{name}"))]),
                resource(kind, name, "exists already"),
            ],
            Self::Invalid(violations) => vec![bad_request(violations)],
            Self::Precondition { reason, subject, description } => {
                vec![info(reason, [("subject", subject.clone())]), precondition(reason, subject, description)]
            }
            Self::Exhausted(_) | Self::Store(_) | Self::Document(_) | Self::Gone => Vec::new(),
        }
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        if let Fault::Store(_) | Fault::Document(_) = fault {
            // The caller learns that it failed; why is for the operator.
            tracing::error!(error = &fault as &dyn std::error::Error, "shop: a call failed");
        }
        let (code, message, details) = (fault.code(), fault.to_string(), fault.details());
        status(code, message, details)
    }
}

/// A status that carries `details`.
pub(crate) fn status(code: Code, message: String, details: Vec<prost_types::Any>) -> Status {
    if details.is_empty() {
        return Status::new(code, message);
    }
    let full = rpc::Status { code: code as i32, message: message.clone(), details };
    Status::with_details(code, message, full.encode_to_vec().into())
}

impl From<Fault> for rpc::Status {
    /// For a fault that is part of an answer.
    fn from(fault: Fault) -> Self {
        Self { code: fault.code() as i32, message: fault.to_string(), details: fault.details() }
    }
}

fn summary(violations: &[Violation]) -> String {
    let parts: Vec<String> =
        violations.iter().map(|violation| format!("{}: {}", violation.field, violation.description)).collect();
    parts.join("; ")
}

/// A `google.rpc.ErrorInfo` of the shop.
pub(crate) fn info<const N: usize>(reason: &str, metadata: [(&str, String); N]) -> prost_types::Any {
    any(
        "google.rpc.ErrorInfo",
        &rpc::ErrorInfo {
            reason: reason.to_owned(),
            domain: DOMAIN.to_owned(),
            metadata: HashMap::from(metadata.map(|(key, value)| (key.to_owned(), value))),
        },
    )
}

/// A `google.rpc.ResourceInfo` for a resource of the shop.
pub(crate) fn resource(kind: &str, name: &str, description: &str) -> prost_types::Any {
    any(
        "google.rpc.ResourceInfo",
        &rpc::ResourceInfo {
            resource_type: format!("shop.v1.{kind}"),
            resource_name: name.to_owned(),
            owner: String::new(),
            description: description.to_owned(),
        },
    )
}

/// A `google.rpc.BadRequest`.
pub(crate) fn bad_request(violations: &[Violation]) -> prost_types::Any {
    any(
        "google.rpc.BadRequest",
        &rpc::BadRequest {
            field_violations: violations
                .iter()
                .map(|violation| rpc::bad_request::FieldViolation {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                    ..Default::default()
                })
                .collect(),
        },
    )
}

/// A `google.rpc.PreconditionFailure` with one violation.
pub(crate) fn precondition(reason: &str, subject: &str, description: &str) -> prost_types::Any {
    any(
        "google.rpc.PreconditionFailure",
        &rpc::PreconditionFailure {
            violations: vec![rpc::precondition_failure::Violation {
                r#type: reason.to_owned(),
                subject: subject.to_owned(),
                description: description.to_owned(),
            }],
        },
    )
}

/// `message` of the type `type_name`, packed.
pub(crate) fn any(type_name: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{type_name}"), value: message.encode_to_vec() }
}
