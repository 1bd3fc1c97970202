//! Limits around services: what callers get, what is charged, and what an edge says that it spent.

use crate::{get, status};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tidegate_client::limit::spent::{self, HEADER, Seal, Spent};
use tidegate_client::limit::{Algorithm, Cost, FailurePolicy, Limit, PEER, Percent, Rate, SharedLimits, Source};
use tidegate_client::{Cause, LimitLayer, Limiter, Named, Protocol, Refused, Trust};
use tidegate_limit::front::{By, Outcome, Terms};
use tidegate_limit::ports::{Asked, Looking, Standing};
use tidegate_limit::{Ask, Decision, Key, Keys, Policy, Receipt, Retry};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// So many at once, and hardly any more.
fn bucket(burst: u64) -> Algorithm {
    Algorithm::TokenBucket { rate: Rate::new(1, Duration::from_secs(100)).expect("legal"), burst }
}

fn header(name: &str) -> Vec<Source> {
    vec![Source::Header(name.to_owned())]
}

fn of_user(user: &str) -> Request<Empty<Bytes>> {
    Request::get("/").header("x-user-id", user).body(Empty::new()).expect("a request")
}

type Answered = (u16, HeaderMap, String);

async fn ask(layer: &LimitLayer, request: Request<Empty<Bytes>>) -> Answered {
    let service = service_fn(async |_: Request<_>| {
        Ok::<_, Infallible>(status(200).map(|_| http_body_util::Full::new(Bytes::from("hello"))))
    });
    let (head, body) = layer.layer(service).oneshot(request).await.expect("no error").into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status.as_u16(), head.headers, String::from_utf8(body.into()).expect("text"))
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text"))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_gets_the_answer_of_the_gateway() {
    let limiter = Limiter::builder()
        .limit(Limit::new("per-user", header("x-user-id"), bucket(1)))
        .limit(Limit::new("all", vec![], bucket(9)))
        .build()
        .expect("legal");
    let layer = LimitLayer::new(Protocol::Http, limiter);
    let (code, headers, body) = ask(&layer, of_user("alice")).await;
    assert_eq!((code, headers, body.as_str()), (200, HeaderMap::new(), "hello"));
    assert_eq!(ask(&layer, of_user("bob")).await.0, 200);
    let (code, headers, body) = ask(&layer, of_user("alice")).await;
    let expected = [
        "ratelimit-policy: \"per-user\";q=1;w=100, \"all\";q=9;w=900",
        "ratelimit: \"per-user\";r=0;t=100, \"all\";r=7;t=200",
        "retry-after: 100",
        "content-type: application/json",
    ];
    assert_eq!((code, lines(&headers)), (429, expected.map(str::to_owned).to_vec()));
    let message = "the limit `per-user` is reached: try again in 100 s";
    let expected = format!(
        "{{\"code\":8,\"message\":\"{message}\",\"details\":[\
         {{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{{\"subject\":\"per-user\",\"description\":\"{message}\"}}]}},\
         {{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"100s\"}}]}}"
    );
    assert_eq!(body, expected);
    let figures: Vec<_> = layer.limiter().figures().into_iter().map(|one| (one.admitted, one.refused)).collect();
    assert_eq!(figures, [(2, 1), (2, 0)]);
}

#[tokio::test(start_paused = true)]
async fn grpc_is_answered_with_resource_exhausted_and_the_details() {
    let limiter = Limiter::builder().limit(Limit::new("all", vec![], bucket(1))).tell_always().build().expect("legal");
    let layer = LimitLayer::new(Protocol::Grpc, limiter);
    let service = service_fn(async |_: Request<_>| Ok::<_, Infallible>(status(200)));
    let first = layer.layer(service).oneshot(get()).await.expect("no error");
    assert_eq!(first.headers()["ratelimit"], "\"all\";r=0;t=100");
    let second = layer.layer(service).oneshot(get()).await.expect("no error");
    assert_eq!(
        (second.status().as_u16(), &second.headers()["content-type"]),
        (200, &"application/grpc".parse().expect("text"))
    );
    assert_eq!(Refused::of(&second).map(|refused| refused.cause), Some(Cause::Limit));
    let told = tidegate_transcode::Status::from_trailers(second.headers()).expect("a status").expect_err("an error");
    let message = "the limit `all` is reached: try again in 100 s";
    let expected = tidegate_transcode::Status::new(tidegate_transcode::Code::ResourceExhausted, message)
        .with_quota_violation("all", message)
        .with_retry_delay(Duration::from_secs(100));
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_beyond_its_deadline_is_refused_and_others_take_their_turns() {
    let shaped = Algorithm::LeakyBucket { rate: Rate::per_second(1), queue: 9 };
    let limiter = Limiter::builder().limit(Limit::new("turns", vec![], shaped)).build().expect("legal");
    let layer = LimitLayer::new(Protocol::Http, limiter);
    let begin = crate::now();
    for _ in 0..3 {
        assert_eq!(ask(&layer, get()).await.0, 200);
    }
    assert_eq!(begin.elapsed().as_millis(), 2000);
    assert_eq!(ask(&layer, get()).await.0, 200);
    let hurry = tidegate_client::DeadlineLayer::new(Protocol::Http).timeout(Duration::from_millis(500));
    let service =
        service_fn(async |_: Request<_>| Ok::<_, Infallible>(Response::new(http_body_util::Full::new(Bytes::new()))));
    let both = tower::ServiceBuilder::new().layer(hurry).layer(layer.clone()).service(service);
    let answer = both.oneshot(get()).await.expect("no error");
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &1.into()));
    assert_eq!(begin.elapsed().as_millis(), 3000, "nobody waited for nothing");
    // Its turn was not taken.
    assert_eq!(ask(&layer, get()).await.0, 200);
    assert_eq!(begin.elapsed().as_millis(), 4000);
}

/// A store that says the same to everybody; `None`: whoever drives it is gone. Counts what is given back.
#[derive(Debug)]
struct Says(Option<Outcome>, AtomicU64);

impl SharedLimits for Says {
    fn ask(&self, _: Key, _: &Terms, _: Ask) -> Asked {
        match self.0 {
            Some(outcome) => Asked::Answered(outcome),
            None => Asked::Waits(Box::pin(async { None })),
        }
    }

    fn give_back(&self, _: Key, _: &Terms, outcome: &Outcome) {
        self.1.fetch_add(outcome.decision.receipt.cost, Relaxed);
    }

    fn look(&self, _: Key, _: &Policy) -> Looking {
        unreachable!("nobody asks for an operator")
    }

    fn reset(&self, _: Key, _: &Policy) -> Looking {
        unreachable!("nobody asks for an operator")
    }

    fn standing(&self) -> Standing {
        Standing::default()
    }
}

fn says(granted: u64, by: By) -> Says {
    let retry = if granted == 1 { Retry::Now } else { Retry::After(Duration::from_secs(3)) };
    let (reset, wait, receipt) = (Duration::ZERO, Duration::ZERO, Receipt { cost: granted, ..Receipt::default() });
    let decision = Decision { asked: 1, granted, remaining: 0, retry, reset, wait, receipt };
    Says(Some(Outcome { decision, by }), AtomicU64::new(0))
}

fn with_store(store: Says) -> Limiter {
    let shared = Limit { store: Some("redis".into()), ..Limit::new("shared", vec![], bucket(9)) };
    Limiter::builder()
        .limit(Limit::new("here", vec![], bucket(2)))
        .limit(shared)
        .store("redis", Arc::new(store), "", 1)
        .build()
        .expect("legal")
}

#[tokio::test(start_paused = true)]
async fn what_a_store_refuses_is_given_back_here() {
    let limiter = with_store(says(0, By::Store));
    for _ in 0..5 {
        let verdict = limiter.ask(&Named(&[])).await;
        let refusal = verdict.refusal().expect("refused");
        assert_eq!((refusal.limit.as_str(), refusal.retry_after), ("shared", Some(Duration::from_secs(3))));
        let answer = verdict.answer(Protocol::Http).expect("refused");
        assert_eq!(answer.headers()["ratelimit"], "\"here\";r=2;t=0, \"shared\";r=0;t=3");
    }
    let figures: Vec<_> = limiter.figures().into_iter().map(|one| (one.admitted, one.refused)).collect();
    assert_eq!(figures, [(0, 0), (0, 5)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_here_costs_the_store_nothing() {
    let limiter = with_store(says(1, By::Store));
    let mut admitted = Vec::new();
    for _ in 0..3 {
        admitted.push(limiter.ask(&Named(&[])).await.is_admitted());
    }
    assert_eq!(admitted, [true, true, false]);
    assert_eq!(limiter.figures().into_iter().map(|one| one.admitted).collect::<Vec<_>>(), [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_not_called_a_limit_that_is_reached() {
    for store in [Says(None, AtomicU64::new(0)), says(0, By::Failure)] {
        let limiter = with_store(store);
        let verdict = limiter.ask(&Named(&[])).await;
        let answer = verdict.answer(Protocol::Http).expect("refused");
        let message = "the limit `shared` cannot be asked: its store `redis` does not answer";
        assert_eq!(answer.status(), 503);
        assert!(answer.body().starts_with(&format!("{{\"code\":14,\"message\":\"{message}\"")), "{}", answer.body());
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(limiter.figures()[1].unanswered, 1);
    }
    let limiter = with_store(says(1, By::Failure));
    assert!(limiter.ask(&Named(&[])).await.is_admitted(), "its policy lets it pass");
}

#[tokio::test(start_paused = true)]
async fn what_a_store_granted_is_given_back_if_another_store_refuses() {
    let (first, second) = (Arc::new(says(1, By::Store)), Arc::new(says(0, By::Store)));
    let in_store = |name: &str| Limit { store: Some(name.to_owned()), ..Limit::new(name, vec![], bucket(9)) };
    let limiter = Limiter::builder().limit(in_store("first")).limit(in_store("second"));
    let limiter =
        limiter.store("first", Arc::clone(&first) as Arc<dyn SharedLimits>, "", 1).store("second", second, "", 1);
    let verdict = limiter.build().expect("legal").ask(&Named(&[])).await;
    assert_eq!(verdict.refusal().map(|refusal| refusal.limit.as_str()), Some("second"));
    assert_eq!(first.1.load(Relaxed), 1);
}

/// A store that notes which keys it is asked for.
#[derive(Debug)]
struct Notes(parking_lot::Mutex<Vec<Key>>, Says);

impl SharedLimits for Notes {
    fn ask(&self, key: Key, terms: &Terms, ask: Ask) -> Asked {
        self.0.lock().push(key);
        self.1.ask(key, terms, ask)
    }

    fn give_back(&self, key: Key, terms: &Terms, outcome: &Outcome) {
        self.1.give_back(key, terms, outcome);
    }

    fn look(&self, key: Key, policy: &Policy) -> Looking {
        self.1.look(key, policy)
    }

    fn reset(&self, key: Key, policy: &Policy) -> Looking {
        self.1.reset(key, policy)
    }

    fn standing(&self) -> Standing {
        self.1.standing()
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_in_a_store_has_the_keys_of_a_gateway_with_the_same_secret() {
    let notes = Arc::new(Notes(parking_lot::Mutex::default(), says(1, By::Store)));
    let limit = Limit { store: Some("redis".into()), ..Limit::new("per-user", header("x-user-id"), bucket(9)) };
    let limiter =
        Limiter::builder().limit(limit).store("redis", Arc::clone(&notes) as Arc<dyn SharedLimits>, "s3cret", 3);
    assert!(limiter.build().expect("legal").ask(&Named(&[("header:x-user-id", "alice")])).await.is_admitted());
    let key = Keys::of_text("s3cret").of("per-user").start().with(b"alice").key();
    assert_eq!(*notes.0.lock(), [key]);
}

fn unix() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "the edge's clock")]
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970")
}

const SECRET: &str = "known to both sides";

/// What an edge says that it spent of `per-user` for this request.
fn signed(user: &str, cost: u64, id: &str) -> String {
    let seal = Seal::new(SECRET).expect("long enough");
    let key = seal.keys().of("per-user").start().with(user.as_bytes()).key();
    seal.sign(&[Spent { key, cost }], id, unix())
}

fn trusting(uses: u32) -> LimitLayer {
    let trust = Trust::new(SECRET).expect("long enough").uses(uses);
    let limits = Limiter::builder().limit(Limit::new("per-user", header("x-user-id"), bucket(1))).trusts(trust);
    LimitLayer::new(Protocol::Http, limits.build().expect("legal"))
}

fn spent_by(user: &str, id: &str, text: &str) -> Request<Empty<Bytes>> {
    let request = Request::get("/").header("x-user-id", user).header("x-request-id", id).header(HEADER, text);
    request.body(Empty::new()).expect("a request")
}

#[tokio::test]
async fn what_the_edge_spent_is_not_charged_again() {
    let layer = trusting(8);
    for number in 0..5 {
        let id = format!("request-{number}");
        assert_eq!(ask(&layer, spent_by("alice", &id, &signed("alice", 1, &id))).await.0, 200);
    }
    assert_eq!(layer.limiter().figures()[0].covered, 5);
    // Her budget is whole.
    assert_eq!([ask(&layer, of_user("alice")).await.0, ask(&layer, of_user("alice")).await.0], [200, 429]);
}

#[tokio::test]
async fn what_is_not_believed_is_charged() {
    for (user, id, text) in [
        ("alice", "1", signed("bob", 1, "1")),
        ("alice", "1", signed("alice", 1, "2")),
        ("alice", "1", signed("alice", 0, "1")),
        ("alice", "", signed("alice", 1, "")),
        ("alice", "1", signed("alice", 1, "1").replace(":1", ":2")),
        ("alice", "1", "nonsense".to_owned()),
    ] {
        let layer = trusting(8);
        let asked = [ask(&layer, spent_by(user, id, &text)).await.0, ask(&layer, spent_by(user, id, &text)).await.0];
        assert_eq!((asked, layer.limiter().figures()[0].covered), ([200, 429], 0), "{text}");
    }
}

#[tokio::test]
async fn one_request_is_believed_as_often_as_is_said_and_then_charged() {
    let layer = trusting(2);
    let text = signed("alice", 1, "1");
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(ask(&layer, spent_by("alice", "1", &text)).await.0);
    }
    assert_eq!((codes, layer.limiter().figures()[0].covered), (vec![200, 200, 200, 429], 2));
}

#[tokio::test(start_paused = true)]
async fn values_that_the_application_knows_make_keys_and_costs() {
    let lines = Cost::Value { source: Source::Field("lines".into()), times: 1, otherwise: 1 };
    let orders = Limit { cost: lines, ..Limit::new("orders", vec![Source::Identity("sub".into()), PEER], bucket(5)) };
    let limiter = Limiter::builder().limit(orders).build().expect("legal");
    let ask = async |sub: &str, peer: &str, lines: &str| {
        limiter.ask(&Named(&[("identity:sub", sub), ("peer", peer), ("field:lines", lines)])).await.is_admitted()
    };
    assert!(ask("alice", "10.0.0.1", "4").await);
    assert!(!ask("alice", "10.0.0.1", "2").await);
    assert!(ask("alice", "10.0.0.2", "2").await);
    assert!(ask("bob", "10.0.0.1", "5").await);
    assert!(ask("alice", "10.0.0.1", "1").await);
    let layer = LimitLayer::new(Protocol::Http, limiter)
        .value(|head, source| match source {
            Source::Identity(_) => Some(head.headers.get("x-user-id")?.to_str().ok()?.to_owned()),
            _ => None,
        })
        .peer(|_| "10.0.0.1".parse().ok());
    assert_eq!(self::ask(&layer, of_user("alice")).await.0, 429);
}

#[tokio::test(start_paused = true)]
async fn shadow_limits_refuse_nobody_and_are_told_to_nobody() {
    let shadow = Limit { enforce: Percent::NONE, ..Limit::new("shadow", vec![], bucket(1)) };
    let limiter = Limiter::builder().limit(shadow).tell_always().build().expect("legal");
    let layer = LimitLayer::new(Protocol::Http, limiter);
    for _ in 0..3 {
        let (code, headers, _) = ask(&layer, get()).await;
        assert_eq!((code, headers), (200, HeaderMap::new()));
    }
    let figures = layer.limiter().figures();
    assert_eq!((figures[0].admitted, figures[0].shadow), (1, 2));
}

#[test]
fn every_problem_is_told_at_once() {
    let reserve = FailurePolicy::Reserve(Percent::new(10).expect("legal"));
    let window = Algorithm::SlidingWindow(Rate::per_second(1));
    let error = Limiter::builder()
        .limit(Limit { store: Some("rediss".into()), failure: reserve, ..Limit::new("a", vec![], window) })
        .limit(Limit::new("b\"", vec![], bucket(1)))
        .limit(Limit::new("c", vec![], Algorithm::Concurrency(1)))
        .build()
        .expect_err("they cannot be");
    let expected = [
        "limit `a`: there is no store `rediss`",
        "limit `b\\\"`: a name is of printable ASCII, without quotes",
        "limit `c`: calls in flight are the matter of a BulkheadLayer",
        "limit `a`: only a token bucket or a leaky bucket can be shared out among nodes; say `open` or `closed`",
    ];
    assert_eq!(error.problems(), expected);
    assert_eq!(Trust::new("short").expect_err("too short"), spent::Short);
}

#[tokio::test]
async fn a_tonic_server_refuses_with_a_status_that_tonic_reads() {
    let limiter = Limiter::builder().limit(Limit::new("calls", vec![Source::Path], bucket(1))).build().expect("legal");
    let (_, health) = tonic_health::server::health_reporter();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server =
        tonic::transport::Server::builder().layer(LimitLayer::new(Protocol::Grpc, limiter)).add_service(health);
    let server = tokio::spawn(server.serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)));
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}")).expect("an address");
    let channel = channel.connect().await.expect("it listens");
    let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
    client.check(tonic_health::pb::HealthCheckRequest::default()).await.expect("the first");
    let status = client.check(tonic_health::pb::HealthCheckRequest::default()).await.expect_err("the second");
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(status.message(), "the limit `calls` is reached: try again in 100 s");
    assert_eq!(status.metadata().get("retry-after").expect("it is told"), "100");
    assert!(!status.details().is_empty());
    server.abort();
}
