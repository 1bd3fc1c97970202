//! Plain routes without a socket: what an upstream sees of a request, and a client of a reply.

use crate::rig::{ECHO, Scripted, Seen, gateway, headers, request, send, trailers};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::Full;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::{
    Action, B3, Config, Forward, HeaderEdits, MetadataPolicy, Network, Place, PlainRoute, Redirect, Respond, Rewrite,
    Template, Trust,
};
use tidegate_gateway::{Gateway, Peer, Single, pipeline};
use tidegate_telemetry::clock;
use tidegate_upstream::Protocol;

pub(crate) fn route(path: &str, action: Action) -> PlainRoute {
    PlainRoute {
        host: Default::default(),
        path: tidegate_traffic::PathPattern::parse(path).expect("a pattern"),
        conditions: Default::default(),
        action,
        canary: Vec::new(),
        breaker: None,
        rate_limits: Vec::new(),
        timeout: None,
        max_body: None,
        order: 0,
        place: Place::default(),
    }
}

pub(crate) fn forward() -> Forward {
    Forward { upstream: "up".into(), ..Forward::default() }
}

fn served(path: &str, action: Action, change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    gateway(&[("echo.proto", ECHO)], &[], |config| {
        config.plain.push(route(path, action));
        change(config);
    })
}

/// To an upstream of HTTP/1.1.
fn forwarding(path: &str, forward: Forward) -> Arc<Gateway> {
    served(path, Action::Forward(forward), |config| config.upstreams[0].pool.protocol = Protocol::H1)
}

fn reply(status: u16, lines: &[(&'static str, &'static str)], body: &'static str) -> Single<Scripted> {
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::from_u16(status).expect("a status");
    *head.headers_mut() = headers(lines);
    let frames = if body.is_empty() { vec![] } else { vec![Frame::data(Bytes::from_static(body.as_bytes()))] };
    Single(Scripted { head, ..Scripted::new(frames) })
}

/// What the upstream saw: the line, and the headers but for the ids, which are random.
fn asked(upstream: &Single<Scripted>) -> (String, HeaderMap, Bytes) {
    let (mut head, body) = upstream.0.request();
    assert!(head.headers.remove("x-request-id").is_some() && head.headers.remove("traceparent").is_some());
    (format!("{} {}", head.method, head.uri), head.headers, body)
}

async fn ask(gateway: &Arc<Gateway>, request: http::Request<Full<Bytes>>) -> (String, HeaderMap, Bytes) {
    let upstream = reply(200, &[], "ok");
    let seen = send(gateway, &upstream, request).await;
    assert_eq!((seen.status, seen.body.as_str()), (200, "ok"));
    asked(&upstream)
}

fn seen(status: u16, lines: &[(&'static str, &'static str)], body: &str) -> Seen {
    Seen { status, headers: headers(lines), body: body.into() }
}

fn template(text: &str) -> Template {
    Template::parse(text).expect("a template")
}

fn edit(name: &'static str, text: &str) -> (HeaderName, Template) {
    (HeaderName::from_static(name), template(text))
}

const ORIGIN: &[(&str, &str)] =
    &[("x-forwarded-for", "unknown"), ("x-forwarded-proto", "http"), ("x-forwarded-host", "shop")];

fn with(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    headers(&[ORIGIN, lines].concat())
}

#[tokio::test]
async fn a_request_goes_on_as_it_came() {
    let gateway = forwarding("/a/*", forward());
    let lines =
        [("host", "shop"), ("cookie", "a=1"), ("cookie", "b=2"), ("accept", "text/html"), ("connection", "close")];
    let (line, got, body) = ask(&gateway, request("PROPFIND /a/b%20c?x=%2F&y", &lines, "hello")).await;
    assert_eq!((line.as_str(), &body[..]), ("PROPFIND /a/b%20c?x=%2F&y", &b"hello"[..]));
    assert_eq!(got, with(&[("host", "shop"), ("cookie", "a=1"), ("cookie", "b=2"), ("accept", "text/html")]));
}

#[tokio::test]
async fn the_host_of_http2_is_a_header_of_http1_and_back() {
    let h1 = forwarding("/*", forward());
    let (line, got, _) = ask(&h1, request("GET http://shop/x", &[], "")).await;
    assert_eq!((line.as_str(), got), ("GET /x", with(&[("host", "shop")])));
    let h2 = served("/*", Action::Forward(forward()), |_| {});
    let (line, got, _) = ask(&h2, request("GET /x", &[("host", "shop")], "")).await;
    assert_eq!((line.as_str(), got), ("GET http://shop/x", with(&[])));
}

#[tokio::test]
async fn the_path_that_was_matched_is_the_path_that_goes_on() {
    let gateway = forwarding("/a/*", forward());
    for (path, want) in [("/x/../a//b/./c", "/a/b/c"), ("/%61/b?q", "/a/b?q"), ("/a/..;/b", "")] {
        let upstream = reply(200, &[], "ok");
        let seen = send(&gateway, &upstream, request(&format!("GET {path}"), &[("host", "shop")], "")).await;
        match want {
            "" => assert_eq!(seen.status, 400),
            want => assert_eq!(asked(&upstream).0, format!("GET {want}")),
        }
    }
}

#[tokio::test]
async fn a_route_may_rewrite_the_path() {
    let cases = [
        ("/a/*", Rewrite::Prefix("/static/".into()), "/a/b/c?x", "/static/b/c?x"),
        ("/a/*", Rewrite::Prefix("/".into()), "/a/b", "/b"),
        ("/a/*", Rewrite::Prefix("/".into()), "/a/", "/"),
        ("/a", Rewrite::Prefix("/b".into()), "/a?x", "/b?x"),
        ("/a/*", Rewrite::Path("/index.html".into()), "/a/b?x", "/index.html?x"),
    ];
    for (pattern, rewrite, path, want) in cases {
        let gateway = forwarding(pattern, Forward { rewrite: Some(rewrite), ..forward() });
        let (line, _, _) = ask(&gateway, request(&format!("GET {path}"), &[("host", "shop")], "")).await;
        assert_eq!(line, format!("GET {want}"), "{pattern} {path}");
    }
}

#[tokio::test]
async fn a_route_edits_the_headers_of_both_directions() {
    let edits = HeaderEdits {
        remove: vec![HeaderName::from_static("x-gone")],
        set: vec![edit("x-edge", "tidegate %PEER%"), edit("x-canary", "%CANARY%"), edit("host", "inner")],
        add: vec![edit("x-more", "%UPSTREAM%")],
    };
    let forward = Forward { request_headers: edits.clone(), response_headers: edits, ..forward() };
    let gateway = forwarding("/*", forward);
    let upstream = reply(201, &[("x-gone", "1"), ("x-more", "0"), ("x-canary", "old"), ("content-length", "2")], "ok");
    let lines = [("host", "shop"), ("x-gone", "1"), ("x-canary", "spoofed"), ("x-more", "0")];
    let got = send(&gateway, &upstream, request("GET /", &lines, "")).await;
    let want = [("x-edge", "tidegate unknown"), ("x-more", "0"), ("x-more", "up")];
    assert_eq!(asked(&upstream).1, with(&[&want[..], &[("host", "inner")]].concat()));
    assert_eq!(got, seen(201, &[&want[..], &[("host", "inner"), ("content-length", "2")]].concat(), "ok"));
}

#[tokio::test]
async fn a_reply_comes_back_as_it_is() {
    let gateway = forwarding("/*", forward());
    for status in [200, 204, 206, 301, 304, 404, 429, 500, 503] {
        let lines = [("server", "up"), ("date", "d"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("etag", "\"x\"")];
        let hop = [("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "timeout=5"), ("tidegate-route", "x")];
        let body = if matches!(status, 204 | 304) { "" } else { "body" };
        let upstream = reply(status, &[&lines[..], &hop].concat(), body);
        let got = send(&gateway, &upstream, request("GET /", &[("host", "shop")], "")).await;
        assert_eq!(got, seen(status, &lines, body));
    }
}

#[tokio::test]
async fn trailers_come_through() {
    let gateway = forwarding("/*", forward());
    let mut upstream = reply(200, &[("trailer", "x-end")], "ok");
    upstream.0.frames.push(trailers(&[("x-end", "1")]));
    let peer = Peer::unknown();
    let response = pipeline::handle(&gateway, &upstream, request("GET /", &[("te", "trailers")], ""), &peer).await;
    let body = http_body_util::BodyExt::collect(response.into_body()).await.expect("whole");
    assert_eq!(body.trailers(), Some(&headers(&[("x-end", "1")])));
    let got = asked(&upstream).1;
    assert_eq!((got["te"].as_bytes(), got["connection"].as_bytes()), (&b"trailers"[..], &b"te"[..]));
}

#[tokio::test]
async fn nobody_spoofs_where_a_request_comes_from() {
    let trust = |network: &str| {
        let peers = vec![network.parse::<Network>().expect("a network")];
        Arc::new(Trust { peers, identity_headers: vec![HeaderName::from_static("x-user-id")] })
    };
    let gateway = forwarding("/*", forward());
    let lines = [
        ("host", "shop"),
        ("x-user-id", "root"),
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "198.51.100.1"),
        ("forwarded", "for=198.51.100.1"),
        ("x-envoy-external-address", "198.51.100.1"),
        ("tidegate-debug", "1"),
    ];
    let ask = async |network: &str| {
        let upstream = reply(200, &[], "ok");
        let peer = Peer::new(([192, 0, 2, 1], 9).into()).with_trust(&trust(network));
        pipeline::handle(&gateway, &upstream, request("GET /", &lines, ""), &peer).await;
        asked(&upstream).1
    };
    let anew = [
        ("host", "shop"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "shop"),
    ];
    assert_eq!(ask("10.0.0.0/8").await, headers(&anew));
    let mut kept: Vec<_> =
        lines.into_iter().filter(|(name, _)| *name != "x-forwarded-for" && *name != "tidegate-debug").collect();
    kept.extend([("x-forwarded-for", "198.51.100.1, 192.0.2.1"), ("x-forwarded-host", "shop")]);
    assert_eq!(ask("192.0.2.0/24").await, headers(&kept));
}

#[tokio::test]
async fn a_name_with_an_underscore_is_no_way_around() {
    let gateway = forwarding("/*", forward());
    let upstream = reply(200, &[], "ok");
    let got = send(&gateway, &upstream, request("GET /", &[("host", "shop"), ("x_other", "1")], "")).await;
    assert_eq!(got.status, 400);
    assert!(upstream.0.seen.lock().is_none());
}

#[tokio::test]
async fn a_redirect_says_where_to_go() {
    let to = |scheme: Option<&str>, host: Option<&str>, rewrite, drop_query| {
        let response_headers = HeaderEdits { set: vec![edit("cache-control", "no-store")], ..HeaderEdits::default() };
        Action::Redirect(Redirect {
            status: StatusCode::PERMANENT_REDIRECT,
            scheme: scheme.map(Box::from),
            host: host.map(Box::from),
            rewrite,
            drop_query,
            response_headers,
        })
    };
    let cases = [
        (to(Some("https"), None, None, false), "https://shop/a/b?x=1"),
        (to(Some("https"), Some("www.example.com:8443"), None, true), "https://www.example.com:8443/a/b"),
        (to(None, Some("other"), None, false), "//other/a/b?x=1"),
        (to(None, None, Some(Rewrite::Prefix("/new/".into())), false), "/new/b?x=1"),
        (to(None, None, Some(Rewrite::Prefix("/".into())), false), "/b?x=1"),
    ];
    for (action, want) in cases {
        let gateway = served("/a/*", action, |_| {});
        let upstream = reply(200, &[], "");
        // However the path is written, it never becomes the host of the answer.
        for path in ["/a/b?x=1", "/a//b?x=1", "//a/./b?x=1"] {
            let got = send(&gateway, &upstream, request(&format!("GET {path}"), &[("host", "shop")], "")).await;
            let want = HeaderValue::from_str(want).expect("a value");
            assert_eq!((got.status, &got.headers["location"], got.body.as_str()), (308, &want, ""));
            assert_eq!(got.headers["cache-control"], "no-store");
        }
    }
}

#[tokio::test]
async fn a_route_may_answer_by_itself() {
    let respond = Respond {
        status: StatusCode::IM_A_TEAPOT,
        body: Bytes::from_static(b"short and stout"),
        content_type: Some(HeaderValue::from_static("text/plain")),
        response_headers: HeaderEdits { set: vec![edit("x-who", "%PEER%")], ..HeaderEdits::default() },
    };
    let gateway = served("/tea", Action::Respond(respond), |_| {});
    let upstream = reply(200, &[], "");
    let lines = [("content-type", "text/plain"), ("x-who", "unknown")];
    let got = send(&gateway, &upstream, request("GET /tea", &[("host", "shop")], "")).await;
    assert_eq!(got, seen(418, &lines, "short and stout"));
    let got = send(&gateway, &upstream, request("HEAD /tea", &[("host", "shop")], "")).await;
    assert_eq!(got, seen(418, &[&lines[..], &[("content-length", "15")]].concat(), ""));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_has_so_long_to_answer() {
    let silent = || Single(Scripted { silent: true, ..Scripted::new(vec![]) });
    let get = || request("GET /", &[("host", "shop")], "");
    let status = |code, message: &str| format!(r#"{{"code":{code},"message":"{message}"}}"#);
    let gateway = forwarding("/*", forward());
    let began = clock::now();
    let got = send(&gateway, &silent(), get()).await;
    assert_eq!(
        (got.status, got.body, clock::now() - began),
        (504, status(4, "the upstream did not answer within 15 s"), Duration::from_secs(15))
    );
    let gateway =
        served("/*", Action::Forward(forward()), |config| config.plain[0].timeout = Some(Duration::from_secs(2)));
    let began = clock::now();
    let got = send(&gateway, &silent(), get()).await;
    assert_eq!(
        (got.status, got.body, clock::now() - began),
        (504, status(4, "the deadline passed before the upstream answered"), Duration::from_secs(2))
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_goes_silent_breaks_off() {
    let forward = Forward { idle_timeout: Some(Duration::from_secs(7)), ..forward() };
    let gateway = forwarding("/*", forward);
    let upstream = Single(Scripted { hangs: true, ..reply(200, &[], "begun").0 });
    let began = clock::now();
    let response = pipeline::handle(&gateway, &upstream, request("GET /", &[], ""), &Peer::unknown()).await;
    let error = http_body_util::BodyExt::collect(response.into_body()).await.expect_err("it is not whole");
    assert_eq!((error, clock::now() - began), (pipeline::ReplyError, Duration::from_secs(7)));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let gateway = served("/*", Action::Forward(forward()), |config| config.plain[0].max_body = Some(4));
    let upstream = reply(200, &[], "ok");
    let got = send(&gateway, &upstream, request("POST /", &[("host", "shop")], "12345")).await;
    assert_eq!(
        (got.status, got.body),
        (413, r#"{"code":8,"message":"the request's body is longer than 4 bytes"}"#.into())
    );
    assert!(upstream.0.seen.lock().is_none());
    assert_eq!(send(&gateway, &upstream, request("POST /", &[("host", "shop")], "1234")).await.status, 200);
}

/// A peer of this network is one that is trusted.
pub(crate) fn trusting(network: &str) -> Peer {
    let trust = Trust { peers: vec![network.parse().expect("a network")], identity_headers: Vec::new() };
    Peer::new(([192, 0, 2, 1], 9).into()).with_trust(&Arc::new(trust))
}

/// A gateway whose one route is asked by a peer that is trusted or not.
async fn asked_by(trusted: bool, lines: &[(&str, &str)], metadata: MetadataPolicy) -> (HeaderMap, HeaderMap) {
    let peer = trusting(if trusted { "192.0.2.0/24" } else { "10.0.0.0/8" });
    let gateway = served("/a/*", Action::Forward(forward()), |config| {
        config.upstreams[0].pool.protocol = Protocol::H1;
        config.metadata = metadata;
    });
    let upstream = reply(200, &[("tidegate-route", "spoofed")], "ok");
    let response = pipeline::handle(&gateway, &upstream, request("GET /a/b", lines, ""), &peer).await;
    (response.headers().clone(), upstream.0.request().0.headers)
}

#[tokio::test]
async fn a_trusted_peer_learns_what_became_of_its_request() {
    let ask = [("tidegate-debug", "1")];
    let (got, asked) = asked_by(true, &ask, MetadataPolicy::default()).await;
    let time = got["tidegate-upstream-time"].to_str().expect("text");
    assert!(time.parse::<f64>().is_ok_and(|time| time >= 0.0), "{time}");
    let said: Vec<_> = ["tidegate-route", "tidegate-upstream", "tidegate-attempts", "tidegate-canary"]
        .map(|name| got.get(name).map(|value| value.to_str().expect("text").to_owned()))
        .into();
    assert_eq!(said, [Some("/a/*".to_owned()), Some("up".into()), Some("1".into()), None]);
    assert!(!asked.contains_key("tidegate-debug"));
    for (trusted, lines) in [(false, &ask[..]), (true, &[]), (true, &[("tidegate-debug", "0")])] {
        let (got, _) = asked_by(trusted, lines, MetadataPolicy::default()).await;
        assert!(!got.keys().any(|name| name.as_str().starts_with("tidegate-")), "{got:?}");
    }
}

#[tokio::test]
async fn zipkins_trace_headers_are_understood_and_said_if_asked_for() {
    const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";
    let b3 = format!("{TRACE}-e457b5a2e4d86bd1-1");
    for (form, names) in [
        (None, &[][..]),
        (Some(B3::Single), &["b3"]),
        (Some(B3::Multi), &["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"]),
    ] {
        let metadata = MetadataPolicy { b3: form, ..MetadataPolicy::default() };
        let (_, asked) = asked_by(true, &[("b3", &b3)], metadata).await;
        assert_eq!(&asked["traceparent"].to_str().expect("text")[3..35], TRACE);
        let said: Vec<_> = asked.keys().map(HeaderName::as_str).filter(|name| name.contains("b3")).collect();
        assert_eq!(said, names);
        if let Some(name) = names.first() {
            assert_eq!(&asked[*name].to_str().expect("text")[..32], TRACE);
        }
    }
}
