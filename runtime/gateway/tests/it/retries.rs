//! Retries: what is made again, how often, after which pause, and what is told of it. In virtual time.

use crate::native::call;
use crate::plain::route as plain_route;
use crate::rig::{ScriptedBody, Seen, data, framed, headers, request, send, trailers};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate_gateway::config::{Action, Breaker, Config, Forward, Trust};
use tidegate_gateway::{Gateway, Peer, Single, pipeline};
use tidegate_telemetry::clock;
use tidegate_traffic::breaker::{self, State, Window};
use tidegate_traffic::retry::{Conditions, Settings};
use tidegate_upstream::{Call, CallError, RequestBody};

const MS: Duration = Duration::from_millis(1);

/// With a method of each level.
const LEVELS: &str = r#"
syntax = "proto3";
package test;
import "google/api/annotations.proto";
service Levels {
  rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/things/{id}" }; }
  rpc Add(Thing) returns (Thing) { option (google.api.http) = { post: "/things" body: "*" }; }
  rpc Look(Thing) returns (Thing) {
    option (google.api.http) = { post: "/things:look" body: "*" };
    option idempotency_level = NO_SIDE_EFFECTS;
  }
  rpc Set(Thing) returns (Thing) { option idempotency_level = IDEMPOTENT; }
  rpc Watch(Thing) returns (stream Thing) { option (google.api.http) = { get: "/things/{id}:watch" }; }
}
message Thing { int32 id = 1; string name = 2; }
"#;

/// What an upstream answers: a head and what follows.
type Answer = (Response<()>, Vec<Frame<Bytes>>);

/// Answers each call with the next of these, then with a good one.
#[derive(Default)]
struct Series {
    answers: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<(Duration, HeaderMap, usize)>>,
    began: Mutex<Option<Instant>>,
}

impl Series {
    fn of(answers: impl IntoIterator<Item = Answer>) -> Single<Self> {
        Single(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    /// How many calls there were.
    fn calls(&self) -> usize {
        self.seen.lock().len()
    }

    /// When they came, in milliseconds behind the first.
    fn times(&self) -> Vec<u128> {
        self.seen.lock().iter().map(|(at, ..)| at.as_millis()).collect()
    }

    fn values(&self, header: &str) -> Vec<Option<String>> {
        let value = |headers: &HeaderMap| Some(headers.get(header)?.to_str().expect("text").to_owned());
        self.seen.lock().iter().map(|(_, headers, _)| value(headers)).collect()
    }
}

impl Call for Series {
    type Body = ScriptedBody;

    async fn call(
        &self,
        request: Request<RequestBody>,
        _deadline: Option<Instant>,
    ) -> Result<Response<ScriptedBody>, CallError> {
        let (head, body) = request.into_parts();
        let bytes = body.collect().await.expect("the request's body ends well").to_bytes().len();
        let now = clock::now();
        let began = *self.began.lock().get_or_insert(now);
        self.seen.lock().push((now - began, head.headers, bytes));
        let (head, frames) = self.answers.lock().pop_front().unwrap_or_else(good);
        Ok(head.map(|()| ScriptedBody::of(frames)))
    }

    fn endpoint(_body: &ScriptedBody) -> Option<&str> {
        None
    }
}

fn grpc() -> http::response::Builder {
    Response::builder().header("content-type", "application/grpc")
}

fn good() -> Answer {
    (grpc().body(()).expect("a head"), vec![data(&[8, 7]), trailers(&[("grpc-status", "0")])])
}

/// A status and nothing else, with these headers.
fn status(code: u8, lines: &[(&'static str, &'static str)]) -> Answer {
    let mut head = grpc().header("grpc-status", code.to_string()).body(()).expect("a head");
    head.headers_mut().extend(headers(lines));
    (head, Vec::new())
}

fn unavailable() -> Answer {
    status(14, &[])
}

/// A plain answer.
fn plain(code: u16) -> Answer {
    (Response::builder().status(code).body(()).expect("a head"), vec![Frame::data(Bytes::from_static(b"x"))])
}

fn gateway(settings: Settings) -> Arc<Gateway> {
    gateway_with(settings, |_| {})
}

fn gateway_with(settings: Settings, change: impl FnOnce(&mut Config)) -> Arc<Gateway> {
    crate::rig::gateway(&[("levels.proto", LEVELS)], &["test.Levels"], |config| {
        config.routes[0].resilience.retry = Some(settings.clone());
        let mut plain = plain_route("/web/*", Action::Forward(Forward { upstream: "up".into(), ..Forward::default() }));
        plain.resilience.retry = Some(settings);
        config.plain.push(plain);
        change(config);
    })
}

async fn ask(gateway: &Arc<Gateway>, series: &Single<Series>, line: &str) -> u16 {
    send(gateway, series, request(line, &[], "")).await.status
}

async fn code(gateway: &Arc<Gateway>, series: &Single<Series>, request: Request<Full<Bytes>>) -> String {
    let answer = pipeline::handle(gateway, series, request, &Peer::unknown()).await;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("an answer");
    let code = body.trailers().and_then(|trailers| trailers.get("grpc-status")).or(head.headers.get("grpc-status"));
    code.expect("a status").to_str().expect("a number").to_owned()
}

/// The lines of the metrics whose name begins so.
fn metrics(gateway: &Gateway, prefix: &str) -> Vec<String> {
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("metrics");
    text.lines().filter(|line| line.starts_with(prefix)).map(str::to_owned).collect()
}

/// Those that are not 0, without the upstream.
fn counted(gateway: &Gateway) -> Vec<String> {
    let lines = metrics(gateway, "tidegate_retr").into_iter().filter(|line| !line.ends_with(" 0"));
    lines.map(|line| line.replace("upstream=\"up\"", "").replace("{,", "{").replace("{}", "")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_for_a_moment_is_not_noticed() {
    let (gateway, series) = (gateway(Settings::default()), Series::of([unavailable(), unavailable()]));
    assert_eq!(ask(&gateway, &series, "GET /things/7").await, 200);
    let tries = series.0.values("grpc-previous-rpc-attempts");
    assert_eq!(tries, [None, Some("1".into()), Some("2".into())]);
    assert!(series.0.values("grpc-timeout").iter().all(Option::is_some));
    let times = series.0.times();
    assert!(times[1] <= 25 && times[2] <= 75, "{times:?}");
    assert_eq!(counted(&gateway), ["tidegate_retries_total 2", "tidegate_retried_calls_total{result=\"success\"} 1"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_in_every_try_ends_with_the_last_failure() {
    let (gateway, series) = (gateway(Settings::default()), Series::of([unavailable(), unavailable(), unavailable()]));
    assert_eq!((ask(&gateway, &series, "GET /things/7").await, series.0.calls()), (503, 3));
    assert_eq!(counted(&gateway), ["tidegate_retries_total 2", "tidegate_retried_calls_total{result=\"exhausted\"} 1"]);
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_done_twice_is_made_again() {
    let tries = async |settings: Settings, request: Request<Full<Bytes>>| {
        let (gateway, series) = (gateway(settings), Series::of([unavailable()]));
        let code = code(&gateway, &series, request).await;
        (code, series.0.calls())
    };
    let rpc = |method: &str| call(&format!("/test.Levels/{method}"), &[], framed(0, &[8, 7]));
    let (again, once) = (("0".to_owned(), 2), ("14".to_owned(), 1));
    assert_eq!(tries(Settings::default(), rpc("Look")).await, again);
    assert_eq!(tries(Settings::default(), rpc("Set")).await, again);
    assert_eq!(tries(Settings::default(), rpc("Get")).await, once, "natively nothing says that it is a GET");
    assert_eq!(tries(Settings::default(), rpc("Add")).await, once);
    assert_eq!(tries(Settings::default(), rpc("Unknown")).await, once, "it may be a stream");
    let all = || Settings { idempotent: true, ..Settings::default() };
    assert_eq!(tries(all(), rpc("Add")).await, again);
    assert_eq!(tries(all(), rpc("Watch")).await, once, "a stream");
    let rest = async |settings: Settings, line: &str, body: &str| {
        let (gateway, series) = (gateway(settings), Series::of([unavailable()]));
        let Seen { status, .. } = send(&gateway, &series, request(line, &[], body)).await;
        (status, series.0.calls())
    };
    assert_eq!(rest(Settings::default(), "POST /things", "{}").await, (503, 1));
    assert_eq!(rest(Settings::default(), "POST /things:look", "{}").await, (200, 2));
    assert_eq!(rest(all(), "POST /things", "{}").await, (200, 2));
    assert_eq!(rest(all(), "GET /things/7:watch", "").await, (503, 1));
}

#[tokio::test(start_paused = true)]
async fn plain_requests_are_sent_again_with_their_body_if_it_is_short() {
    let sent = async |method: &str, settings: Settings, bytes: usize| {
        let (gateway, series) = (gateway(settings), Series::of([plain(502), plain(200)]));
        let body = "x".repeat(bytes);
        let seen = send(&gateway, &series, request(&format!("{method} /web/a"), &[], &body)).await;
        let bodies: Vec<_> = series.0.seen.lock().iter().map(|(.., bytes)| *bytes).collect();
        (seen.status, bodies)
    };
    let all = || Settings { idempotent: true, ..Settings::default() };
    assert_eq!(sent("GET", Settings::default(), 0).await, (200, vec![0, 0]));
    assert_eq!(sent("PUT", Settings::default(), 65_536).await, (200, vec![65_536, 65_536]));
    assert_eq!(sent("PUT", Settings::default(), 65_537).await, (502, vec![65_537]));
    assert_eq!(sent("POST", Settings::default(), 7).await, (502, vec![7]));
    assert_eq!(sent("POST", all(), 7).await, (200, vec![7, 7]));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_has_begun_is_not_made_again() {
    let begun = (grpc().body(()).expect("a head"), vec![trailers(&[("grpc-status", "14")])]);
    let (gateway, series) = (gateway(Settings::default()), Series::of([begun]));
    assert_eq!((ask(&gateway, &series, "GET /things/7").await, series.0.calls()), (503, 1));
    assert_eq!(counted(&gateway), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_the_service_says_of_the_pause_holds() {
    let times = async |first: Answer, line: &str| {
        let (gateway, series) = (gateway(Settings::default()), Series::of([first]));
        let status = ask(&gateway, &series, line).await;
        (status, series.0.times(), counted(&gateway).pop())
    };
    let success = || Some("tidegate_retried_calls_total{result=\"success\"} 1".to_owned());
    let after = |value| status(14, &[("grpc-retry-pushback-ms", value)]);
    assert_eq!(times(after("700"), "GET /things/7").await, (200, vec![0, 700], success()));
    let pushback = Some("tidegate_retried_calls_total{result=\"pushback\"} 1".to_owned());
    assert_eq!(times(after("-1"), "GET /things/7").await, (503, vec![0], pushback.clone()));
    let later = |value| {
        let mut answer = plain(503);
        answer.0.headers_mut().extend(headers(&[("retry-after", value)]));
        answer
    };
    let (status, at, _) = times(later("2"), "GET /web/a").await;
    assert_eq!((status, at), (200, vec![0, 2000]));
    assert_eq!(times(later("60"), "GET /web/a").await, (503, vec![0], pushback));
}

#[tokio::test(start_paused = true)]
async fn no_try_begins_behind_the_deadline() {
    let slow = || status(14, &[("grpc-retry-pushback-ms", "700")]);
    let (gateway, series) =
        (gateway(Settings { attempts: 9, ..Settings::default() }), Series::of([slow(), slow(), slow()]));
    let seen = send(&gateway, &series, request("GET /things/7", &[("x-request-timeout", "1.5")], "")).await;
    assert_eq!((seen.status, series.0.times()), (503, vec![0, 700, 1400]));
    assert_eq!(counted(&gateway)[1], "tidegate_retried_calls_total{result=\"deadline\"} 1");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_down_gets_a_fifth_more_and_no_more() {
    let (gateway, series) = (gateway(Settings::default()), Series::of((0..400).map(|_| unavailable())));
    for _ in 0..200 {
        assert_eq!(ask(&gateway, &series, "GET /things/7").await, 503);
    }
    let calls = series.0.calls();
    // A fifth of the first tries of ten seconds; pauses take virtual time.
    assert!((230..=245).contains(&calls), "{calls}");
    let budget = metrics(&gateway, "tidegate_retried_calls_total{upstream=\"up\",result=\"budget\"}");
    assert_eq!(budget.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_try_is_a_call_for_the_breaker() {
    let breaker = breaker::Settings { window: Window::Calls(4), min_calls: 4, ..breaker::Settings::default() };
    let gateway = gateway_with(Settings { attempts: 10, ..Settings::default() }, |config| {
        config.routes[0].breaker = Some(Breaker { settings: breaker, ..Breaker::default() });
        config.upstreams[0].protection.retry_budget = tidegate_traffic::Share::ALL;
    });
    let series = Series::of((0..20).map(|_| unavailable()));
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(ask(&gateway, &series, "GET /things/7").await);
    }
    assert_eq!((seen, series.0.calls()), (vec![503; 2], 4));
    assert_eq!(gateway.breakers()[0].state(), State::Open);
    assert!(counted(&gateway).contains(&"tidegate_retried_calls_total{result=\"refused\"} 1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_route_may_name_further_codes() {
    let on = Conditions { codes: 1 << 10, statuses: vec![429], ..Conditions::default() };
    let settings = Settings { on, ..Settings::default() };
    let (gateway, series) = (gateway(settings), Series::of([status(10, &[]), good(), plain(429), plain(200)]));
    assert_eq!(ask(&gateway, &series, "GET /things/7").await, 200);
    assert_eq!(ask(&gateway, &series, "GET /web/a").await, 200);
    assert_eq!(series.0.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_trusted_peer_learns_how_often_the_call_was_made() {
    let (gateway, series) = (gateway(Settings::default()), Series::of([unavailable()]));
    let trust = Trust { peers: vec!["192.0.2.0/24".parse().expect("a network")], identity_headers: Vec::new() };
    let peer = Peer::new(([192, 0, 2, 1], 9).into()).with_trust(&Arc::new(trust));
    let answer =
        pipeline::handle(&gateway, &series, request("GET /things/7", &[("tidegate-debug", "1")], ""), &peer).await;
    let made = answer.headers().get("tidegate-attempts").map(|value| value.as_bytes().to_vec());
    assert_eq!((answer.status().as_u16(), made), (200, Some(b"2".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_a_pause_is_not_served_further() {
    let (gateway, series) =
        (gateway(Settings::default()), Series::of([status(14, &[("grpc-retry-pushback-ms", "700")])]));
    let left = tokio::time::timeout(300 * MS, ask(&gateway, &series, "GET /things/7")).await;
    assert!(left.is_err());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(series.0.calls(), 1);
}
