//! One example of each type of google/rpc/error_details.proto, the same every time.

use prost_types::{Any, Duration};

use crate::{
    fault::{Violation, any, bad_request, info, precondition, resource},
    generated::{google::rpc, shop::v1::Detail},
};

/// `retry_delay` unless the caller says otherwise.
const ONE_SECOND: Duration = Duration { seconds: 1, nanos: 0 };

/// The example for `detail`.
pub(super) fn example(detail: Detail, retry_delay: Option<Duration>) -> Any {
    match detail {
        Detail::ErrorInfo => info("TOLD_TO_FAIL", [("subject", "faults".to_owned())]),
        Detail::RetryInfo => {
            any("google.rpc.RetryInfo", &rpc::RetryInfo { retry_delay: Some(retry_delay.unwrap_or(ONE_SECOND)) })
        }
        Detail::QuotaFailure => any(
            "google.rpc.QuotaFailure",
            &rpc::QuotaFailure {
                violations: vec![rpc::quota_failure::Violation {
                    subject: "tenants/acme".to_owned(),
                    description: "100 orders a day".to_owned(),
                    ..Default::default()
                }],
            },
        ),
        Detail::BadRequest => {
            bad_request(&[Violation { field: "message".to_owned(), description: "is as bad as any other".to_owned() }])
        }
        Detail::PreconditionFailure => precondition("TOLD_TO_FAIL", "faults", "nobody told it not to"),
        Detail::ResourceInfo => resource("Fault", "faults/1", "exists to be missed"),
        Detail::RequestInfo => any(
            "google.rpc.RequestInfo",
            &rpc::RequestInfo { request_id: "request-1".to_owned(), serving_data: String::new() },
        ),
        Detail::Help => any(
            "google.rpc.Help",
            &rpc::Help {
                links: vec![rpc::help::Link {
                    description: "What the codes mean".to_owned(),
                    url: "https://grpc.io/docs/guides/status-codes/".to_owned(),
                }],
            },
        ),
        Detail::LocalizedMessage => any(
            "google.rpc.LocalizedMessage",
            &rpc::LocalizedMessage {
                locale: "de-CH".to_owned(),
                message: "Es hat nicht geklappt: «so gewollt»".to_owned(),
            },
        ),
        Detail::DebugInfo => any(
            "google.rpc.DebugInfo",
            &rpc::DebugInfo { stack_entries: vec!["faults::fail".to_owned()], detail: "as told".to_owned() },
        ),
        // A message with a field 1 of bytes, of a type that is in no schema.
        Detail::Foreign | Detail::Unspecified => Any {
            type_url: "type.googleapis.com/shop.internal.Trace".to_owned(),
            value: b"\x0a\x03\x00\xff\x7f".to_vec(),
        },
    }
}
