use super::{strip_reply, strip_request};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

fn headers(lines: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("name: value");
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

const OF_HOP: &[&str] = &[
    "connection: keep-alive, X-Secret",
    "connection: close",
    "keep-alive: timeout=5",
    "proxy-connection: keep-alive",
    "transfer-encoding: chunked",
    "upgrade: h2c",
    "x-secret: 1",
    "tidegate-route: x",
];

#[test]
fn what_is_for_this_hop_alone_stays_here() {
    let kept = ["cookie: a=1", "trailer: x-end", "content-length: 3", "accept: */*"];
    let mut request =
        headers(&[OF_HOP, &kept, &["expect: 100-continue", "proxy-authorization: x", "te: gzip"]].concat());
    strip_request(&mut request, Version::HTTP_11);
    assert_eq!(request, headers(&kept));
    let mut reply = headers(&[OF_HOP, &kept].concat());
    strip_reply(&mut reply);
    assert_eq!(reply, headers(&kept));
}

#[test]
fn who_takes_trailers_is_told_to_the_upstream() {
    for (version, want) in
        [(Version::HTTP_11, &["te: trailers", "connection: te"][..]), (Version::HTTP_2, &["te: trailers"])]
    {
        let mut request = headers(&["te: gzip;q=0.5, Trailers"]);
        strip_request(&mut request, version);
        assert_eq!(request, headers(want));
    }
}

#[test]
fn headers_that_connection_names_go_even_if_the_protocol_needs_them() {
    let mut request = headers(&["connection: host, x-forwarded-for", "host: a", "x-forwarded-for: 1"]);
    strip_request(&mut request, Version::HTTP_2);
    assert_eq!(request, HeaderMap::new());
}
