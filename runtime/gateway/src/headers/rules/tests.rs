use super::{HeaderRules, Part};
use crate::config::template::Facts;
use crate::config::{Case, Mapping, MetadataPolicy, Preset, Template, Trust};
use crate::peer::Peer;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use std::sync::Arc;

fn map(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name: HeaderName = name.parse().expect("header name");
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("header value"));
    }
    map
}

static ID: HeaderValue = HeaderValue::from_static("id-1");

fn facts<'f>(peer: &'f Peer, canary: Option<&'f str>) -> Facts<'f> {
    Facts { canary, peer: peer.forwarded_for(), request_id: &ID, upstream: "shop" }
}

fn copied(lines: &[(&str, &str)]) -> Result<HeaderMap, String> {
    copied_by(&MetadataPolicy::default(), lines)
}

/// From a peer that is not trusted, of whom `x-user-id` is not believed.
fn copied_by(policy: &MetadataPolicy, lines: &[(&str, &str)]) -> Result<HeaderMap, String> {
    let peer = peer("10.0.0.0/8");
    let mut head = Request::get("/things/1?x=2").body(()).expect("a request").into_parts().0;
    head.headers = map(lines);
    let mut metadata = HeaderMap::new();
    let rules = HeaderRules::new(policy);
    let copied = rules.copy_request(&head, &peer, &facts(&peer, None), &mut metadata);
    copied.map_err(|refusal| refusal.status.message)?;
    Ok(metadata)
}

fn peer(trusted: &str) -> Peer {
    let trust = Trust {
        peers: vec![trusted.parse().expect("a network")],
        identity_headers: vec![HeaderName::from_static("x-user-id")],
    };
    Peer::new(([192, 0, 2, 1], 9).into()).with_trust(&Arc::new(trust))
}

/// The map of the documentation.
fn mapped() -> MetadataPolicy {
    let mapping = |header, metadata| Mapping {
        header: HeaderName::from_static(header),
        metadata: HeaderName::from_static(metadata),
        default: None,
        case: Case::AsItIs,
    };
    let env = Mapping { default: Some(HeaderValue::from_static("prod")), case: Case::Lower, ..mapping("x-env", "env") };
    let template = |text| Template::parse(text).expect("a template");
    MetadataPolicy {
        map: vec![mapping("x-request-id", "request-id"), env, mapping("x-user-id", "user_id")],
        set: vec![
            (HeaderName::from_static("canary"), template("%CANARY%")),
            (HeaderName::from_static("x-edge"), template("%PEER%")),
        ],
        ..MetadataPolicy::default()
    }
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
    HeaderRules::new(&MetadataPolicy::default()).copy_reply(&metadata, Part::Head, &mut headers);
    assert_eq!(headers, map(&[("location", "/x"), ("content-disposition", "inline"), ("x-bin-bin", "AA==")]));
}

#[test]
fn headers_have_the_names_that_the_map_gives_them() {
    let got = copied_by(
        &mapped(),
        &[("x-env", " Staging "), ("x-env", ""), ("x-user-id", "7"), ("x-edge", "spoofed"), ("x-other", "1")],
    );
    let want =
        [("request-id", "id-1"), ("env", "staging"), ("user_id", "7"), ("x-edge", "192.0.2.1"), ("x-other", "1")];
    assert_eq!(got, Ok(map(&want)));
    let got = copied_by(&mapped(), &[]);
    assert_eq!(got, Ok(map(&[("request-id", "id-1"), ("env", "prod"), ("x-edge", "192.0.2.1")])));
}

#[test]
fn nobody_says_what_the_map_says() {
    let policy = MetadataPolicy { allow: vec!["*".into()], ..mapped() };
    let lines = [("env", "evil"), ("user_id", "root"), ("request-id", "evil"), ("canary", "evil"), ("fine", "1")];
    let want = [("request-id", "id-1"), ("env", "prod"), ("x-edge", "192.0.2.1"), ("fine", "1")];
    assert_eq!(copied_by(&policy, &lines), Ok(map(&want)));
}

#[test]
fn what_comes_from_the_decision_is_said_if_there_was_one() {
    let peer = peer("10.0.0.0/8");
    let mut metadata = map(&[("canary", "spoofed"), ("user_id", "root"), ("env", "dev")]);
    let rules = HeaderRules::new(&mapped());
    rules.apply_native(&peer, &facts(&peer, Some("next")), &mut metadata);
    assert_eq!(metadata, map(&[("canary", "next"), ("env", "dev"), ("x-edge", "192.0.2.1")]));
    rules.apply_native(&peer, &facts(&peer, None), &mut metadata);
    assert_eq!(metadata, map(&[("env", "dev"), ("x-edge", "192.0.2.1")]));
}

#[test]
fn a_trusted_peer_says_who_the_user_is_in_native_calls_too() {
    let peer = peer("192.0.2.0/24");
    let mut metadata = map(&[("user_id", "7")]);
    HeaderRules::new(&mapped()).apply_native(&peer, &facts(&peer, None), &mut metadata);
    assert_eq!(metadata, map(&[("user_id", "7"), ("x-edge", "192.0.2.1")]));
}

#[test]
fn replies_go_the_map_backwards() {
    let metadata = map(&[("request-id", "theirs"), ("env", "prod"), ("user_id", "7"), ("other", "1")]);
    let mut headers = HeaderMap::new();
    HeaderRules::new(&mapped()).copy_reply(&metadata, Part::Head, &mut headers);
    assert_eq!(headers, map(&[("x-env", "prod"), ("x-user-id", "7"), ("other", "1")]));
}

#[test]
fn the_ways_of_grpc_gateway() {
    let preset = Preset::GrpcGateway;
    let policy = MetadataPolicy { allow: preset.allow(), preset: Some(preset), ..MetadataPolicy::default() };
    let got = copied_by(
        &policy,
        &[
            ("authorization", "Bearer a"),
            ("accept", "*/*"),
            ("cookie", "name=J\u{fc}rgen"),
            ("x-other", "1"),
            ("grpc-metadata-tenant", "t"),
            // None of these may be said by a client that is not trusted, or by any.
            ("grpc-metadata-x-user-id", "root"),
            ("grpc-metadata-x-forwarded-for", "1.2.3.4"),
            ("grpc-metadata-x-real-ip", "1.2.3.4"),
            ("grpc-metadata-grpc-timeout", "1H"),
            ("grpc-metadata-tidegate-debug", "1"),
            ("grpc-metadata-x-request-id", "theirs"),
            ("grpc-metadata-traceparent", "theirs"),
            ("grpc-metadata-te", "x"),
            ("grpc-metadata-", "x"),
        ],
    );
    let want = [
        ("grpcgateway-authorization", "Bearer a"),
        ("authorization", "Bearer a"),
        ("grpcgateway-accept", "*/*"),
        ("tenant", "t"),
    ];
    assert_eq!(got, Ok(map(&want)));
    let rules = HeaderRules::new(&policy);
    let mut headers = HeaderMap::new();
    rules.copy_reply(&map(&[("tenant", "t"), ("grpc-status", "0")]), Part::Head, &mut headers);
    rules.copy_reply(&map(&[("cost", "3")]), Part::Trailers, &mut headers);
    assert_eq!(headers, map(&[("grpc-metadata-tenant", "t"), ("grpc-trailer-cost", "3")]));
}

#[test]
fn the_ways_of_envoy() {
    let preset = Preset::Envoy;
    let policy = MetadataPolicy { allow: preset.allow(), preset: Some(preset), ..MetadataPolicy::default() };
    let got = copied_by(&policy, &[("cookie", "a=1"), ("accept", "*/*"), ("content-length", "3"), ("host", "shop")]);
    let want = [
        ("cookie", "a=1"),
        ("accept", "*/*"),
        ("x-envoy-original-path", "/things/1?x=2"),
        ("x-envoy-original-method", "GET"),
    ];
    assert_eq!(got, Ok(map(&want)));
}
