use super::{HeaderRules, copy_reply};
use crate::config::MetadataPolicy;
use http::HeaderMap;

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name: http::HeaderName = name.parse().expect("header name");
        map.append(name, http::HeaderValue::from_bytes(value.as_bytes()).expect("header value"));
    }
    map
}

fn copied(lines: &[(&str, &str)]) -> Result<HeaderMap, String> {
    let mut metadata = HeaderMap::new();
    let rules = HeaderRules::new(&MetadataPolicy::default());
    rules.copy_request(&map(lines), &mut metadata).map_err(|refusal| refusal.status.message)?;
    Ok(metadata)
}

#[test]
fn what_the_policy_allows_passes_with_repeated_values_in_order() {
    let got = copied(&[("Authorization", "Bearer a"), ("x-env", "one"), ("x-env", "two"), ("accept-language", "de")]);
    let want = map(&[("authorization", "Bearer a"), ("x-env", "one"), ("x-env", "two"), ("accept-language", "de")]);
    assert_eq!(got, Ok(want));
}

#[test]
fn protocol_forwarding_and_unlisted_headers_stay_behind() {
    let lines = [
        ("host", "a"),
        ("cookie", "c=1"),
        ("grpc-trace-bin", "AA=="),
        ("grpc-encoding-bin", "AA=="),
        ("te", "trailers"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-request-timeout", "1"),
        ("tidegate-bin", "AA=="),
        ("content-bin", "AA=="),
    ];
    assert_eq!(copied(&lines), Ok(HeaderMap::new()));
}

#[test]
fn headers_that_connection_names_never_pass() {
    let got = copied(&[
        ("connection", "close, X-Secret"),
        ("connection", "x-other"),
        ("x-secret", "1"),
        ("x-other", "2"),
        ("x-kept", "3"),
    ]);
    assert_eq!(got, Ok(map(&[("x-kept", "3")])));
}

#[test]
fn values_that_metadata_cannot_carry_are_named() {
    let want = "header `x-name` holds a character that gRPC metadata cannot carry (printable ASCII only)";
    assert_eq!(copied(&[("x-name", "J\u{fc}rgen")]), Err(want.into()));
    let want = "header `x-data-bin` is not base64, as the name's ending `-bin` says";
    for bad in ["a", "AA=", "A A=", "AAA==", "AA==A", "____"] {
        assert_eq!(copied(&[("x-data-bin", bad)]), Err(want.into()), "{bad}");
    }
    for good in ["", "AA==", "AA", "AAA", "AAAA", "AA==,AAA="] {
        assert_eq!(copied(&[("x-data-bin", good)]), Ok(map(&[("x-data-bin", good)])), "{good}");
    }
}

#[test]
fn reply_metadata_passes_but_not_what_belongs_to_grpc() {
    let metadata = map(&[
        ("grpc-status", "0"),
        ("content-type", "application/grpc"),
        ("location", "/x"),
        ("content-disposition", "inline"),
        ("x-bin-bin", "AA=="),
    ]);
    let mut headers = HeaderMap::new();
    copy_reply(&metadata, &mut headers);
    assert_eq!(headers, map(&[("location", "/x"), ("content-disposition", "inline"), ("x-bin-bin", "AA==")]));
}
