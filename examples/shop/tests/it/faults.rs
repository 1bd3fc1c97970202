use prost::Message;
use prost_types::{Any, Duration};
use tidegate_shop::generated::{
    google::rpc::{self, ErrorInfo, RetryInfo},
    shop::v1::{Detail, FailLaterRequest, FailRequest, FailResponse, faults_client::FaultsClient},
};
use tonic::Code;

use crate::support::{Refusal, invalid, refusal, shop};

const DETAILS: [(Detail, &str); 11] = [
    (Detail::ErrorInfo, "google.rpc.ErrorInfo"),
    (Detail::RetryInfo, "google.rpc.RetryInfo"),
    (Detail::QuotaFailure, "google.rpc.QuotaFailure"),
    (Detail::BadRequest, "google.rpc.BadRequest"),
    (Detail::PreconditionFailure, "google.rpc.PreconditionFailure"),
    (Detail::ResourceInfo, "google.rpc.ResourceInfo"),
    (Detail::RequestInfo, "google.rpc.RequestInfo"),
    (Detail::Help, "google.rpc.Help"),
    (Detail::LocalizedMessage, "google.rpc.LocalizedMessage"),
    (Detail::DebugInfo, "google.rpc.DebugInfo"),
    (Detail::Foreign, "shop.internal.Trace"),
];

fn fault(code: i32, message: &str, details: &[Detail]) -> FailRequest {
    let details = details.iter().map(|detail| *detail as i32).collect();
    FailRequest { code, message: message.to_owned(), details, retry_delay: None }
}

#[tokio::test]
async fn every_code_is_had_by_its_number() {
    let mut faults = FaultsClient::new(shop());
    assert_eq!(faults.fail(fault(0, "", &[])).await.unwrap().into_inner(), FailResponse {});
    for code in 1..=16 {
        let message = format!("code {code}: 100 % «so»\n");
        let expected = Refusal { code: Code::from_i32(code), message: message.clone(), details: vec![] };
        assert_eq!(refusal(faults.fail(fault(code, &message, &[])).await), expected);
    }
    for code in [-1, 17] {
        assert_eq!(refusal(faults.fail(fault(code, "", &[])).await), invalid(&[("code", "must be 0 to 16")]));
    }
}

#[tokio::test]
async fn a_status_carries_the_details_that_were_asked_for_in_their_order() {
    let mut faults = FaultsClient::new(shop());
    for details in [DETAILS.to_vec(), DETAILS.iter().rev().copied().collect()] {
        let asked: Vec<Detail> = details.iter().map(|(detail, _)| *detail).collect();
        let status = faults.fail(fault(8, "all of it", &asked)).await.unwrap_err();
        let full = rpc::Status::decode(status.details()).unwrap();
        assert_eq!((full.code, full.message.as_str()), (8, "all of it"));
        let types: Vec<&str> = full.details.iter().map(|any| any.type_url.as_str()).collect();
        let expected: Vec<String> = details.iter().map(|(_, name)| format!("type.googleapis.com/{name}")).collect();
        assert_eq!(types, expected);
    }
}

#[tokio::test]
async fn details_say_what_they_were_told_to() {
    let mut faults = FaultsClient::new(shop());
    let wait = Duration { seconds: 7, nanos: 500_000_000 };
    let asked = FailRequest {
        retry_delay: Some(wait),
        ..fault(14, "", &[Detail::RetryInfo, Detail::ErrorInfo, Detail::Foreign])
    };
    let status = faults.fail(asked).await.unwrap_err();
    let info = ErrorInfo {
        reason: "TOLD_TO_FAIL".to_owned(),
        domain: "shop.tidegate.example".to_owned(),
        metadata: [("subject".to_owned(), "faults".to_owned())].into(),
    };
    let any = |name: &str, value: Vec<u8>| Any { type_url: format!("type.googleapis.com/{name}"), value };
    assert_eq!(
        rpc::Status::decode(status.details()).unwrap().details,
        [
            any("google.rpc.RetryInfo", RetryInfo { retry_delay: Some(wait) }.encode_to_vec()),
            any("google.rpc.ErrorInfo", info.encode_to_vec()),
            any("shop.internal.Trace", vec![0x0a, 3, 0, 0xff, 0x7f]),
        ]
    );
}

#[tokio::test]
async fn a_stream_counts_before_it_fails() {
    let mut faults = FaultsClient::new(shop());
    for (after, code) in [(0, 5), (3, 13), (3, 0)] {
        let request = FailLaterRequest { fault: Some(fault(code, "that was it", &[])), after };
        let mut stream = faults.fail_later(request).await.unwrap().into_inner();
        let mut numbers = Vec::new();
        let end = loop {
            match stream.message().await {
                Ok(Some(count)) => numbers.push(count.number),
                Ok(None) => break (0, String::new()),
                Err(status) => break (status.code() as i32, status.message().to_owned()),
            }
        };
        assert_eq!(numbers, (1..=after).collect::<Vec<_>>());
        assert_eq!(end, (code, if code == 0 { String::new() } else { "that was it".to_owned() }));
    }
}

#[tokio::test]
async fn a_fault_that_cannot_be_had_is_refused_with_its_fields() {
    let mut faults = FaultsClient::new(shop());
    let asked = FailRequest { details: vec![1, 0, 12], ..fault(1, &"x".repeat(1001), &[]) };
    assert_eq!(
        refusal(faults.fail(asked).await),
        invalid(&[
            ("message", "must be 0 to 1000 characters, not 1001"),
            ("details[1]", "must be a known detail"),
            ("details[2]", "must be a known detail"),
        ])
    );
    let request = FailLaterRequest { fault: Some(fault(99, "", &[])), after: -1 };
    assert_eq!(
        refusal(faults.fail_later(request).await),
        invalid(&[("fault.code", "must be 0 to 16"), ("after", "must be 0 to 10000")])
    );
}
