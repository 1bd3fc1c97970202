//! Requests in: match, admit, open.

use crate::rig::{Scripted, ask, headers, json, request};

#[tokio::test]
async fn path_and_body_become_one_grpc_frame() {
    let (seen, up) = ask(Scripted::unary(b"\x08\x07"), request("PUT /things/7", &[], r#"{"name":"n"}"#)).await;
    assert_eq!(seen, json(200, r#"{"id":7}"#));
    let (head, body) = up.0.request();
    assert_eq!((head.method.as_str(), head.uri.to_string().as_str()), ("POST", "http://up/test.Echo/Put"));
    assert_eq!(&body[..], b"\0\0\0\0\x05\x12\x01n\x08\x07");
}

#[tokio::test]
async fn an_unknown_path_is_404_as_a_status() {
    let (seen, _) = ask(Scripted::unary(b""), request("GET /nothing", &[], "")).await;
    assert_eq!(seen, json(404, r#"{"code":5,"message":"nothing is served at /nothing"}"#));
}

#[tokio::test]
async fn another_method_is_405_with_allow() {
    let (mut seen, _) = ask(Scripted::unary(b""), request("DELETE /things/7", &[], "")).await;
    assert_eq!(
        seen.headers.remove("allow").as_ref().map(|allow| allow.as_bytes()),
        Some(&b"GET, HEAD, OPTIONS, PUT"[..])
    );
    assert_eq!(
        seen,
        json(405, r#"{"code":12,"message":"/things/7 has no method DELETE; it has GET, HEAD, OPTIONS, PUT"}"#)
    );
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_refused_before_it_is_read() {
    let lines = [("content-length", "4194305")];
    let (seen, _) = ask(Scripted::unary(b""), request("PUT /things/7", &lines, "")).await;
    assert_eq!(seen, json(413, r#"{"code":8,"message":"the request's body is longer than 4194304 bytes"}"#));
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_refused() {
    let (seen, _) = ask(Scripted::unary(b""), request("PUT /things/7", &[], &" ".repeat(4_194_305))).await;
    assert_eq!(seen, json(413, r#"{"code":8,"message":"the request's body is longer than 4194304 bytes"}"#));
}

#[tokio::test]
async fn a_content_type_that_is_not_json_is_415() {
    let lines = [("content-type", "text/plain")];
    let (seen, _) = ask(Scripted::unary(b""), request("PUT /things/7", &lines, "{}")).await;
    assert_eq!(seen.status, 415);
    assert!(seen.body.contains("text/plain"), "{}", seen.body);
}

#[tokio::test]
async fn http_body_replies_are_raw_under_their_own_type() {
    let (seen, _) = ask(Scripted::unary(b"\x0a\x09text/html\x12\x03<p>"), request("GET /raw/1", &[], "")).await;
    assert_eq!((seen.status, seen.body.as_str()), (200, "<p>"));
    assert_eq!(seen.headers, headers(&[("content-type", "text/html")]));
}

#[tokio::test]
async fn a_request_has_one_host() {
    for (lines, want) in [(&[][..], "no"), (&[("host", "a.test"), ("host", "b.test")][..], "more than one")] {
        let mut asked = request("GET /things/7", lines, "");
        *asked.version_mut() = http::Version::HTTP_11;
        let (seen, _) = ask(Scripted::unary(b""), asked).await;
        assert_eq!(seen, json(400, &format!(r#"{{"code":3,"message":"the request has {want} header `host`"}}"#)));
    }
}

#[tokio::test]
async fn a_compressed_body_is_415() {
    let lines = [("content-encoding", "gzip")];
    let (mut seen, _) = ask(Scripted::unary(b""), request("PUT /things/7", &lines, "{}")).await;
    assert_eq!(seen.headers.remove("accept-encoding").as_ref().map(|value| value.as_bytes()), Some(&b"identity"[..]));
    let want = "a body with a content encoding is not taken: send it uncompressed";
    assert_eq!(seen, json(415, &format!(r#"{{"code":3,"message":"{want}"}}"#)));
}
