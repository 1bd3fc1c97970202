//! Statuses: the table, trailers, JSON.

use crate::harness::SCHEMA;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidegate_protojson::Schema;
use tidegate_transcode::{Code, Detail, OWN_ANSWERS, Refusal, Status, TABLE};

#[test]
fn the_table_is_that_of_code_proto() {
    let shown: Vec<_> = TABLE.iter().map(|row| (row.code.as_u32(), row.name, row.http.as_u16())).collect();
    assert_eq!(
        shown,
        [
            (0, "OK", 200),
            (1, "CANCELLED", 499),
            (2, "UNKNOWN", 500),
            (3, "INVALID_ARGUMENT", 400),
            (4, "DEADLINE_EXCEEDED", 504),
            (5, "NOT_FOUND", 404),
            (6, "ALREADY_EXISTS", 409),
            (7, "PERMISSION_DENIED", 403),
            (8, "RESOURCE_EXHAUSTED", 429),
            (9, "FAILED_PRECONDITION", 400),
            (10, "ABORTED", 409),
            (11, "OUT_OF_RANGE", 400),
            (12, "UNIMPLEMENTED", 501),
            (13, "INTERNAL", 500),
            (14, "UNAVAILABLE", 503),
            (15, "DATA_LOSS", 500),
            (16, "UNAUTHENTICATED", 401),
        ]
    );
    for row in TABLE {
        assert_eq!(
            (Code::from_u32(row.code.as_u32()), row.code.name(), row.code.http_status()),
            (row.code, row.name, row.http)
        );
    }
    assert_eq!([17, 99, u32::MAX].map(Code::from_u32), [Code::Unknown; 3]);
}

#[test]
fn our_own_answers_have_one_code_each() {
    for (index, (http, code)) in OWN_ANSWERS.iter().enumerate() {
        assert_eq!(OWN_ANSWERS.iter().position(|(other, _)| other == http), Some(index));
        assert_eq!(Code::of_answer(*http), *code);
        assert_eq!(Refusal::new(*http, "m"), Refusal { http: *http, status: Status::new(*code, "m") });
    }
    let of = |http| StatusCode::from_u16(http).map(Code::of_answer).ok();
    assert_eq!(
        [404, 429, 499, 503, 504].map(of),
        [
            Some(Code::NotFound),
            Some(Code::ResourceExhausted),
            Some(Code::Cancelled),
            Some(Code::Unavailable),
            Some(Code::DeadlineExceeded)
        ]
    );
    assert_eq!(of(418), Some(Code::Unknown));
}

#[test]
fn an_http_status_without_grpc_status_has_the_code_that_grpc_gives_it() {
    let of = |http| StatusCode::from_u16(http).map(|http| Status::from_http(http).code).expect("the status is one");
    let (unavailable, unknown) = (Code::Unavailable, Code::Unknown);
    assert_eq!(
        [400, 401, 403, 404].map(of),
        [Code::Internal, Code::Unauthenticated, Code::PermissionDenied, Code::Unimplemented]
    );
    assert_eq!([429, 502, 503, 504].map(of), [unavailable; 4]);
    assert_eq!([200, 302, 418, 500, 599].map(of), [unknown; 5]);
    assert_eq!(
        Status::from_http(StatusCode::BAD_GATEWAY).message,
        "the upstream answered with HTTP status 502 and no grpc-status"
    );
}

#[test]
fn a_limit_that_was_reached_is_told_with_what_and_when() {
    let half = std::time::Duration::from_millis(1500);
    let status = Status::new(Code::ResourceExhausted, "no").with_quota_violation("per-user", "100 a second");
    let mut json = Vec::new();
    status.with_retry_delay(half).to_json(&SCHEMA, &mut json);
    let want = concat!(
        r#"{"code":8,"message":"no","details":["#,
        r#"{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"per-user","description":"100 a second"}]},"#,
        r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"}]}"#
    );
    assert_eq!(String::from_utf8(json).expect("text"), want);
}

fn read(trailers: &[(&'static str, &[u8])]) -> Option<Result<(), Status>> {
    let mut map = HeaderMap::new();
    for (name, value) in trailers {
        map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("a header value"));
    }
    Status::from_trailers(&map)
}

fn failed(code: Code, message: &str) -> Option<Result<(), Status>> {
    Some(Err(Status::new(code, message)))
}

#[test]
fn trailers_say_how_a_call_ended() {
    assert_eq!(read(&[]), None);
    assert_eq!(read(&[("grpc-message", b"x")]), None);
    assert_eq!(read(&[("grpc-status", b"0")]), Some(Ok(())));
    assert_eq!(read(&[("grpc-status", b"0"), ("grpc-message", b"fine")]), Some(Ok(())));
    assert_eq!(read(&[("grpc-status", b"5")]), failed(Code::NotFound, ""));
    assert_eq!(
        read(&[("grpc-status", b"5"), ("grpc-message", b"no such thing")]),
        failed(Code::NotFound, "no such thing")
    );
    assert_eq!(read(&[("grpc-status", b"99")]), failed(Code::Unknown, ""));
    assert_eq!(
        read(&[("grpc-status", b"five")]),
        failed(Code::Unknown, "the upstream's grpc-status is not a number: five")
    );
    let no_number = |text: &str| failed(Code::Unknown, &format!("the upstream's grpc-status is not a number: {text}"));
    assert_eq!(read(&[("grpc-status", b"")]), no_number(""));
    assert_eq!(read(&[("grpc-status", b"-1")]), no_number("-1"));
    assert_eq!(read(&[("grpc-status", b"4294967296")]), no_number("4294967296"));
}

#[test]
fn messages_are_percent_decoded_and_never_fail() {
    let message = |raw: &[u8]| match read(&[("grpc-status", b"2"), ("grpc-message", raw)]) {
        Some(Err(status)) => status.message,
        other => panic!("{other:?}"),
    };
    assert_eq!(message(b"a%20b%0A%25"), "a b\n%");
    assert_eq!(message(b"%E2%82%AC%e2%82%ac"), "€€");
    assert_eq!(message(b"100%"), "100%");
    assert_eq!(message(b"%4"), "%4");
    assert_eq!(message(b"%zz%41"), "%zzA");
    assert_eq!(message(b"%%41"), "%A");
    assert_eq!(message(b"%2541"), "%41");
    assert_eq!(message(b"a%FFb"), "a\u{fffd}b");
    assert_eq!(message("é".as_bytes()), "é");
    assert_eq!(message(b"a+b"), "a+b");
}

/// `google.rpc.Status { code: 5, message: "m", details: [Any { type_url: "t/x", value: "v" }] }`
const DETAILS: &str = "CAUSAW0aCAoDdC94EgF2";

#[test]
fn details_count_if_their_code_is_that_of_the_status() {
    let detail = Detail { type_url: "t/x".into(), value: Bytes::from_static(b"v") };
    let with = |message: &str| {
        let mut status = Status::new(Code::NotFound, message);
        status.details = vec![detail.clone()];
        Some(Err(status))
    };
    let details = |code: &'static [u8], details: &[u8]| {
        read(&[("grpc-status", code), ("grpc-message", b"n"), ("grpc-status-details-bin", details)])
    };
    assert_eq!(details(b"5", DETAILS.as_bytes()), with("n"));
    assert_eq!(details(b"3", DETAILS.as_bytes()), failed(Code::InvalidArgument, "n"));
    assert_eq!(details(b"5", b"!!!"), failed(Code::NotFound, "n"));
    assert_eq!(details(b"5", b"CAUSBW0"), failed(Code::NotFound, "n"));
    // Without a message, that of the details.
    assert_eq!(read(&[("grpc-status", b"5"), ("grpc-status-details-bin", DETAILS.as_bytes())]), with("m"));
    // Padded and unpadded.
    assert_eq!(details(b"5", b"CAU="), failed(Code::NotFound, "n"));
    assert_eq!(details(b"5", b"CAU"), failed(Code::NotFound, "n"));
    assert_eq!(details(b"5", b"CAUaCAoDdC94EgF2IgA="), with("n"));
    assert_eq!(details(b"5", b"CAUaCAoDdC94EgF2IgA"), with("n"));
}

#[test]
fn what_is_written_is_read_again() {
    let status = Status::new(Code::Aborted, "100 % €\n\"x\" \u{7f}")
        .with_detail("t/x", &b"\x00\xff"[..])
        .with_field_violation("a.b", "is wrong");
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    status.write_trailers(&mut trailers);
    assert_eq!(trailers["grpc-status"], "10");
    assert_eq!(trailers["grpc-message"], "100 %25 %E2%82%AC%0A\"x\" %7F");
    assert!(!trailers["grpc-status-details-bin"].as_bytes().contains(&b'='));
    assert_eq!(Status::from_trailers(&trailers), Some(Err(status)));
    let mut trailers = HeaderMap::new();
    Status::new(Code::Ok, "").write_trailers(&mut trailers);
    assert_eq!(
        trailers,
        HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))])
    );
}

fn json(status: &Status, schema: &Schema) -> String {
    let mut out = b"before ".to_vec();
    status.to_json(schema, &mut out);
    let text = String::from_utf8(out).expect("JSON is UTF-8").split_off(7);
    let _: serde_json::Value = serde_json::from_str(&text).expect("a status is JSON");
    text
}

#[test]
fn a_status_is_json_with_its_details_resolved() {
    assert_eq!(json(&Status::new(Code::NotFound, "no"), &SCHEMA), r#"{"code":5,"message":"no"}"#);
    assert_eq!(
        json(&Status::new(Code::Unknown, "\"\\\n\r\t\u{0}\u{1f}é\u{7f}"), &SCHEMA),
        "{\"code\":2,\"message\":\"\\\"\\\\\\n\\r\\t\\u0000\\u001fé\u{7f}\"}"
    );
    assert_eq!(
        json(&Status::new(Code::InvalidArgument, "no").with_field_violation("a.b", "is wrong"), &SCHEMA),
        concat!(
            r#"{"code":3,"message":"no","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","#,
            r#""fieldViolations":[{"field":"a.b","description":"is wrong"}]}]}"#
        )
    );
}

#[test]
fn a_detail_that_cannot_be_resolved_stays_opaque_and_hides_no_other() {
    let status = Status::new(Code::Internal, "no")
        .with_detail("type.googleapis.com/not.Known", &b"\xff\x00"[..])
        .with_detail("type.googleapis.com/google.rpc.ErrorInfo", &b"\x0a\x05x"[..])
        .with_detail("type.googleapis.com/google.rpc.ErrorInfo", &b"\x0a\x01x"[..])
        .with_detail("", &b""[..]);
    let want = concat!(
        r#"{"code":13,"message":"no","details":["#,
        r#"{"@type":"type.googleapis.com/not.Known","value":"/wA="},"#,
        r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","value":"CgV4"},"#,
        r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"x"},"#,
    );
    let shown = json(&status, &SCHEMA);
    assert_eq!(&shown[..want.len()], want);
    // With a schema that knows nothing at all, every detail is opaque.
    assert_eq!(
        json(&Status::new(Code::Internal, "").with_field_violation("a", ""), &Schema::default()),
        concat!(
            r#"{"code":13,"message":"","details":["#,
            r#"{"@type":"type.googleapis.com/google.rpc.BadRequest","value":"CgMKAWE="}]}"#
        )
    );
}
