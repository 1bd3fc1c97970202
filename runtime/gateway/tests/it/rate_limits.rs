//! Rate limits: who is refused, what everybody is told, what lasts. In virtual time.

mod edge;
mod kept;
mod shared;
mod signed;

use crate::native::{Told, call, tell};
use crate::rig::{ECHO, Scripted, Seen, framed, gateway, headers, request, seen_as};
use bytes::Bytes;
use http_body_util::BodyExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_gateway::config::{Config, LimitName, Place, RateLimit, Tells};
use tidegate_gateway::{Gateway, Peer, Single, pipeline};
use tidegate_limit::rules::{Limit, PEER, Percent, Source};
use tidegate_limit::{Algorithm, Rate};
use tidegate_telemetry::clock;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

/// A bucket of this name: so many at once, one more each second.
fn limit(name: &str, key: &[Source], burst: u64) -> RateLimit {
    of(name, key, Algorithm::TokenBucket { rate: Rate::per_second(1), burst })
}

fn of(name: &str, key: &[Source], algorithm: Algorithm) -> RateLimit {
    RateLimit {
        limit: Limit::new(name, key.to_vec(), algorithm),
        headers: Tells::Refused,
        legacy_headers: false,
        gives_back: false,
        signed: None,
        descriptor: Vec::new(),
        place: Place::default(),
        sources: key.iter().map(|source| (source.clone(), Place::default())).collect(),
    }
}

fn names(names: &[&str]) -> Vec<LimitName> {
    names.iter().map(|name| LimitName { name: (*name).into(), place: Place::default() }).collect()
}

/// A config whose one route has all these limits.
fn with(limits: Vec<RateLimit>) -> impl FnOnce(&mut Config) {
    move |config| {
        config.routes[0].rate_limits =
            limits.iter().map(|limit| LimitName { name: limit.limit.name.clone(), place: Place::default() }).collect();
        config.rate_limits = limits;
    }
}

fn echo(change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    gateway(&[("echo.proto", ECHO)], &["test.Echo"], change)
}

fn header(name: &str) -> Source {
    Source::Header(name.into())
}

fn upstream() -> Single<Scripted> {
    Single(Scripted::unary(b"\x08\x07"))
}

async fn ask_as(gateway: &Arc<Gateway>, peer: &Peer, line: &str, lines: &[(&str, &str)]) -> Seen {
    let response = pipeline::handle(gateway, &upstream(), request(line, lines, ""), peer).await;
    let (mut head, body) = response.into_parts();
    assert!(head.headers.remove("x-request-id").is_some(), "every answer names its request");
    let body = body.collect().await.expect("it does not break off").to_bytes();
    Seen { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body.into()).expect("text") }
}

async fn ask(gateway: &Arc<Gateway>, line: &str, lines: &[(&str, &str)]) -> Seen {
    ask_as(gateway, &Peer::unknown(), line, lines).await
}

/// The gRPC code in the head of an answer to a native call with this message; `None`: it comes behind.
async fn native(gateway: &Arc<Gateway>, encoding: &'static str, message: Bytes) -> Option<Bytes> {
    let asked = call("/test.Echo/Get", &[("grpc-encoding", encoding)], message);
    let told = tell(gateway, &Single(Scripted::unary(b"")), asked).await;
    told.headers.get("grpc-status").map(|code| Bytes::copy_from_slice(code.as_bytes()))
}

/// `RESOURCE_EXHAUSTED`.
const EXHAUSTED: Option<Bytes> = Some(Bytes::from_static(b"8"));

async fn statuses(gateway: &Arc<Gateway>, line: &str, lines: &[(&str, &str)], times: usize) -> Vec<u16> {
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(ask(gateway, line, lines).await.status);
    }
    all
}

/// The figures of all limits that are not 0.
fn figures(gateway: &Gateway) -> Vec<String> {
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("metrics");
    let lines = text.lines().filter_map(|line| line.strip_prefix("tidegate_rate_limit_"));
    let lines = lines.filter(|line| !line.ends_with(" 0") && !line.starts_with("keys_max"));
    lines.map(str::to_owned).collect()
}

fn peer(address: &str) -> Peer {
    Peer::new(address.parse::<SocketAddr>().expect("an address"))
}

fn ok() -> Seen {
    seen_as("application/json", r#"{"id":7}"#)
}

const ALICE: &[(&str, &str)] = &[("x-user", "alice")];
const BOB: &[(&str, &str)] = &[("x-user", "bob")];

#[tokio::test(start_paused = true)]
async fn who_used_up_its_limit_is_told_so_and_when_to_come_again() {
    let gateway = echo(with(vec![limit("per-user", &[header("x-user")], 2)]));
    assert_eq!(
        [ask(&gateway, "GET /things/7", ALICE).await, ask(&gateway, "GET /things/7", ALICE).await],
        [ok(), ok()]
    );
    advance(SECOND / 4).await;
    let refused = ask(&gateway, "GET /things/7", ALICE).await;
    let message = "the limit `per-user` is reached: try again in 1 s";
    let details = format!(
        concat!(
            r#"[{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{{"subject":"per-user","description":"{}"}}]}},"#,
            r#"{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0.750s"}}]"#
        ),
        message
    );
    let want = Seen {
        status: 429,
        headers: headers(&[
            ("content-type", "application/json"),
            ("retry-after", "1"),
            ("ratelimit-policy", r#""per-user";q=2;w=2"#),
            ("ratelimit", r#""per-user";r=0;t=1"#),
        ]),
        body: format!(r#"{{"code":8,"message":"{message}","details":{details}}}"#),
    };
    assert_eq!(refused, want);
    assert_eq!(ask(&gateway, "GET /things/7", BOB).await, ok(), "a budget of its own");
    assert_eq!(ask(&gateway, "GET /things/7", &[]).await, ok(), "one for all who say nothing");
    advance(SECOND * 3 / 4).await;
    assert_eq!(statuses(&gateway, "GET /things/7", ALICE, 2).await, [200, 429]);
    let want = [
        r#"admitted_total{limit="per-user"} 5"#,
        r#"refused_total{limit="per-user"} 2"#,
        r#"keys{limit="per-user"} 1"#,
    ];
    let mut seen = figures(&gateway);
    seen.retain(|line| !line.starts_with("keys"));
    assert_eq!(seen, want[..2]);
}

#[tokio::test(start_paused = true)]
async fn native_clients_are_told_in_their_own_way_and_count_with_the_others() {
    let gateway = echo(with(vec![limit("per-user", &[header("x-user")], 2)]));
    assert_eq!(ask(&gateway, "GET /things/7", ALICE).await, ok());
    let again = || call("/test.Echo/Get", ALICE, framed(0, b"\x08\x07"));
    assert_eq!(tell(&gateway, &upstream(), again()).await.trailers, Some(headers(&[("grpc-status", "0")])));
    let up = upstream();
    let mut told = tell(&gateway, &up, again()).await;
    assert!(up.0.seen.lock().is_none(), "the upstream is not called");
    let details = told.headers.remove("grpc-status-details-bin").expect("details");
    assert!(details.len() > 100, "{details:?}");
    let want = Told {
        status: 200,
        headers: headers(&[
            ("content-type", "application/grpc"),
            ("grpc-status", "8"),
            ("grpc-message", "the limit `per-user` is reached: try again in 1 s"),
            ("retry-after", "1"),
            ("ratelimit-policy", r#""per-user";q=2;w=2"#),
            ("ratelimit", r#""per-user";r=0;t=1"#),
        ]),
        data: Bytes::new(),
        trailers: None,
    };
    assert_eq!(told, want);
}

#[tokio::test(start_paused = true)]
async fn a_field_of_the_message_is_one_key_however_it_came() {
    for source in [Source::Field("id".into()), Source::PathVariable("id".into())] {
        let gateway = echo(with(vec![limit("per-thing", &[source], 2)]));
        assert_eq!(statuses(&gateway, "GET /things/7", &[], 1).await, [200]);
        let message = || framed(0, b"\x08\x07");
        assert_eq!(native(&gateway, "identity", message()).await, None);
        assert_eq!(native(&gateway, "identity", message()).await, EXHAUSTED);
        assert_eq!(statuses(&gateway, "GET /things/7", &[], 1).await, [429]);
        assert_eq!(statuses(&gateway, "GET /things/8", &[], 2).await, [200; 2], "another one");
        // `07` is another way to write it.
        assert_eq!(statuses(&gateway, "GET /things/%37", &[], 1).await, [429]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_looked_into_is_no_way_around_a_limit() {
    let mut per_name = limit("per-name", &[Source::Field("name".into())], 1);
    per_name.limit.key[0].absent = tidegate_limit::rules::Absent::Skips;
    let gateway = echo(with(vec![per_name]));
    let large = framed(0, &[b"\x12\x80\x80\x08".to_vec(), vec![b'a'; 1 << 17]].concat());
    for (message, encoding) in
        [(large, "identity"), (framed(1, b"no gzip"), "gzip"), (framed(0, b"\x12\xff"), "identity")]
    {
        let _ = native(&gateway, encoding, message.clone()).await;
        assert_eq!(native(&gateway, encoding, message).await, EXHAUSTED, "{encoding}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_several_limits_all_are_charged_or_none() {
    let gateway = echo(with(vec![limit("all", &[], 3), limit("per-user", &[header("x-user")], 1)]));
    assert_eq!(statuses(&gateway, "GET /things/7", ALICE, 3).await, [200, 429, 429]);
    let refused = ask(&gateway, "GET /things/7", ALICE).await.headers;
    let line = |name| refused.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(line("ratelimit").as_deref(), Some(r#""all";r=2;t=1, "per-user";r=0;t=1"#));
    assert_eq!(line("ratelimit-policy").as_deref(), Some(r#""all";q=3;w=3, "per-user";q=1;w=1"#));
    assert_eq!(statuses(&gateway, "GET /things/7", BOB, 1).await, [200], "alice's refusals cost the others nothing");
    assert_eq!(statuses(&gateway, "GET /things/7", &[("x-user", "carol")], 1).await, [200]);
    assert_eq!(statuses(&gateway, "GET /things/7", &[("x-user", "dave")], 1).await, [429], "all is used up");
}

#[tokio::test(start_paused = true)]
async fn admitted_answers_tell_where_that_is_switched_on() {
    let mut all = limit("all", &[], 10);
    (all.headers, all.legacy_headers) = (Tells::Always, true);
    let mut user = limit("per-user", &[header("x-user")], 3);
    (user.headers, user.legacy_headers) = (Tells::Always, true);
    let quiet = limit("quiet", &[PEER], 100);
    let gateway = echo(with(vec![all, user, quiet]));
    let seen = ask(&gateway, "GET /things/7", ALICE).await;
    let want = headers(&[
        ("content-type", "application/json"),
        ("ratelimit-policy", r#""all";q=10;w=10, "per-user";q=3;w=3"#),
        ("ratelimit", r#""all";r=9;t=1, "per-user";r=2;t=1"#),
        ("x-ratelimit-limit", "3"),
        ("x-ratelimit-remaining", "2"),
        ("x-ratelimit-reset", "1"),
    ]);
    assert_eq!((seen.status, seen.headers), (200, want));
    let native = tell(&gateway, &upstream(), call("/test.Echo/Get", ALICE, framed(0, b""))).await;
    assert_eq!(
        native.headers.get("ratelimit").map(|value| value.as_bytes()),
        Some(&br#""all";r=8;t=2, "per-user";r=1;t=2"#[..])
    );
}

#[tokio::test(start_paused = true)]
async fn a_shadow_refuses_nobody_and_counts() {
    let mut shadow = limit("new", &[], 1);
    shadow.limit.enforce = Percent::NONE;
    shadow.headers = Tells::Always;
    let gateway = echo(with(vec![shadow, limit("old", &[], 3)]));
    let seen = [ask(&gateway, "GET /things/7", &[]).await, ask(&gateway, "GET /things/7", &[]).await];
    assert_eq!(seen, [ok(), ok()], "and tells nobody of it");
    assert_eq!(statuses(&gateway, "GET /things/7", &[], 2).await, [200, 429]);
    let mut seen = figures(&gateway);
    seen.retain(|line| !line.starts_with("keys"));
    let want = [
        r#"admitted_total{limit="new"} 1"#,
        r#"admitted_total{limit="old"} 3"#,
        r#"refused_total{limit="old"} 1"#,
        r#"shadow_total{limit="new"} 3"#,
    ];
    assert_eq!(seen, want);
}

#[tokio::test(start_paused = true)]
async fn a_leaky_bucket_holds_requests_back_until_their_turn() {
    let leaky = Algorithm::LeakyBucket { rate: Rate::per_second(2), queue: 2 };
    let gateway = echo(with(vec![of("even", &[], leaky)]));
    let begun = clock::now();
    let all = (0..4).map(|_| {
        let gateway = Arc::clone(&gateway);
        async move { (ask(&gateway, "GET /things/7", &[]).await.status, clock::now().duration_since(begun)) }
    });
    let mut set = tokio::task::JoinSet::new();
    let local = tokio::task::LocalSet::new();
    let seen = local
        .run_until(async {
            all.for_each(|one| {
                set.spawn_local(one);
            });
            set.join_all().await
        })
        .await;
    let mut seen: Vec<_> = seen.into_iter().map(|(status, after)| (status, after.as_millis() / 500)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(200, 0), (200, 1), (200, 2), (429, 0)]);
    // Who cannot wait that long is refused at once, and takes no turn.
    advance(3 * SECOND).await;
    let hurry = [("x-request-timeout", "300ms")];
    assert_eq!(statuses(&gateway, "GET /things/7", &hurry, 3).await, [200, 429, 429]);
    assert_eq!(statuses(&gateway, "GET /things/7", &[], 1).await, [200]);
}

#[tokio::test(start_paused = true)]
async fn a_cost_beyond_the_limit_is_refused_for_good() {
    let mut heavy = limit("heavy", &[], 5);
    heavy.limit.cost = tidegate_limit::rules::Cost::Value { source: header("x-rows"), times: 1, otherwise: 1 };
    let gateway = echo(with(vec![heavy]));
    let seen = ask(&gateway, "GET /things/7", &[("x-rows", "18446744073709551616")]).await;
    assert_eq!((seen.status, seen.headers.contains_key("retry-after")), (429, false));
    assert!(
        seen.body.contains("the limit `heavy` never admits a request that costs 18446744073709551615"),
        "{}",
        seen.body
    );
    let rows = |rows: &'static str| [("x-rows", rows)];
    assert_eq!(statuses(&gateway, "GET /things/7", &rows("4"), 1).await, [200]);
    assert_eq!(statuses(&gateway, "GET /things/7", &rows("2"), 1).await, [429]);
    assert_eq!(statuses(&gateway, "GET /things/7", &rows("0"), 2).await, [200, 429], "nothing costs nothing");
}

#[test]
fn what_a_route_cannot_know_is_told_where_the_config_says_it() {
    use crate::rig::{route, schema, upstream};
    use tidegate_gateway::config::{HostPattern, SchemaSource};
    use tidegate_gateway::snapshot::Schemas;
    use tidegate_telemetry::metrics::Metrics;
    let problems = |sources: &[Source], at_edge: bool| {
        let mut config = Config {
            upstreams: vec![upstream("up", SchemaSource::None)],
            routes: vec![route("test.Echo", HostPattern::Any, "up")],
            ..Config::default()
        };
        let mut one = limit("one", sources, 1);
        one.sources.iter_mut().for_each(|(_, place)| *place = Place { line: 3, column: 9 });
        with(vec![one])(&mut config);
        if at_edge {
            let bind = "127.0.0.1:1".parse().expect("an address");
            let mut listener = tidegate_gateway::config::Listener::new(bind, Place::default());
            listener.rate_limits = vec![LimitName { name: "one".into(), place: Place { line: 1, column: 2 } }];
            config.listeners.push(listener);
        }
        let schemas = Schemas::from([("up".to_owned(), schema(&[("echo.proto", ECHO)]))]);
        let problems = tidegate_gateway::Snapshot::compile(config, &schemas, &Metrics::new("0", 1), 1);
        let problems = problems.map(drop).expect_err("not legal");
        let told = |problem: &tidegate_gateway::config::Problem| {
            (problem.place.map(|place| place.line), problem.message.clone(), problem.help.clone().unwrap_or_default())
        };
        problems.iter().map(told).collect::<Vec<_>>()
    };
    let own = |text: &str| text.to_owned();
    let unknown = problems(&[Source::Field("nam".into())], false);
    let want = own("no method of `test.Echo` takes a message with the field `nam`");
    assert_eq!(unknown, [(Some(3), want, own("did you mean `name`, a field of `test.Thing`?"))]);
    let unknown = problems(&[Source::PathVariable("idd".into())], false);
    let want = own("no http rule of `test.Echo` has the path variable `idd`");
    assert_eq!(unknown, [(Some(3), want, own("did you mean `path:id`?"))]);
    assert_eq!(
        problems(&[Source::Field("name".into())], true),
        [(
            Some(1),
            own("the limit `one` looks at `field:name`, which is not known yet when a listener asks"),
            own("name it in `limits` of a route")
        )]
    );
}
