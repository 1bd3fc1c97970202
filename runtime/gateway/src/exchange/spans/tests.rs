use super::{End, cut, push_address};
use http::StatusCode;
use std::time::Duration;
use tidegate_observe::span::Value;
use tidegate_telemetry::access_log::FIELD_MAX_BYTES;
use tidegate_transcode::Code;

fn end(status: u16, code: Code, reason: Option<&'static str>) -> End {
    let status = StatusCode::from_u16(status).expect("a status");
    End { status, code, reason, took: Duration::ZERO }
}

#[test]
fn an_error_is_what_the_gateway_or_a_service_failed_at() {
    let cases = [
        (end(200, Code::Ok, None), false, None),
        (end(404, Code::NotFound, None), false, Some("404")),
        (end(404, Code::NotFound, Some("no_route")), false, Some("no_route")),
        (end(499, Code::Cancelled, Some("client_gone")), false, Some("client_gone")),
        (end(200, Code::NotFound, None), false, Some("NOT_FOUND")),
        (end(200, Code::Unavailable, None), true, Some("UNAVAILABLE")),
        (end(500, Code::Unknown, None), true, Some("500")),
        (end(504, Code::DeadlineExceeded, Some("deadline")), true, Some("deadline")),
    ];
    for (end, error, kind) in cases {
        assert_eq!((end.is_error(), end.error_type().as_deref()), (error, kind), "{end:?}");
    }
}

#[test]
fn an_authority_is_a_host_and_a_port() {
    let cases = [
        ("a.b:80", "a.b", Some(80)),
        ("a.b", "a.b", None),
        ("[::1]:443", "::1", Some(443)),
        ("[::1]", "::1", None),
        ("a:", "a", None),
    ];
    for (authority, host, port) in cases {
        let mut attributes = Vec::new();
        push_address(&mut attributes, Some(authority));
        let mut want = vec![("server.address", Value::from(host))];
        want.extend(port.map(|port: u16| ("server.port", Value::from(port))));
        assert_eq!(attributes, want, "{authority}");
    }
}

#[test]
fn what_a_client_chooses_is_cut_between_characters() {
    let long = "é".repeat(FIELD_MAX_BYTES);
    assert_eq!(cut(&long).len(), FIELD_MAX_BYTES);
    assert_eq!(cut(&format!("a{long}")).len(), FIELD_MAX_BYTES - 1);
}
