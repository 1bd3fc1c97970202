//! Health checks over real sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use tidegate_traffic::health::Settings;
use tidegate_upstream::{Check, Config, Question, Upstream, checks};

use crate::support::{Asked, Server, ask, get, until};

const OFTEN: Settings =
    Settings { interval: Duration::from_millis(20), timeout: Duration::from_millis(200), unhealthy: 2, healthy: 2 };

/// A server that answers checks with this status, and what it is asked else with `name`.
async fn server(name: &'static str) -> (Server, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let says = Arc::clone(&status);
    let server = Server::start(move |mut asked: Asked| {
        let status = says.load(SeqCst);
        async move {
            if asked.request.uri().path() != "/healthz" {
                return asked.answer(name);
            }
            assert_eq!(asked.request.headers()["user-agent"], "tidegate-health");
            let answer = Response::builder().status(status).body(()).unwrap();
            let _ = asked.respond.send_response(answer, true);
        }
    })
    .await;
    (server, status)
}

fn checked(servers: &[&Server], question: Question) -> Upstream {
    let endpoints = servers.iter().map(|server| server.endpoint()).collect();
    let health = Some(Check { question, settings: OFTEN });
    let upstream = Upstream::new(Config { health, ..Config::new("test", endpoints) });
    tokio::spawn(checks::run(Arc::downgrade(upstream.fleet())));
    upstream
}

fn states(upstream: &Upstream) -> Vec<(&'static str, Option<String>)> {
    upstream.fleet().view().endpoints.into_iter().map(|endpoint| (endpoint.state, endpoint.why)).collect()
}

#[tokio::test]
async fn an_endpoint_that_says_it_is_ill_gets_no_calls_until_it_is_well_again() {
    let ((one, status), (two, _)) = (server("one").await, server("two").await);
    let upstream = checked(&[&one, &two], Question::Http("/healthz".into()));
    // Nobody waits for the first check.
    assert_eq!(states(&upstream), [("unknown", None), ("unknown", None)]);
    ask(&upstream, get("/")).await.unwrap();
    until(|| states(&upstream) == [("healthy", None), ("healthy", None)]).await;
    status.store(503, SeqCst);
    let why = Some("GET /healthz answered 503".to_owned());
    until(|| states(&upstream) == [("unhealthy", why.clone()), ("healthy", None)]).await;
    for _ in 0..20 {
        assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"two");
    }
    status.store(204, SeqCst);
    until(|| states(&upstream) == [("healthy", None), ("healthy", None)]).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let data = ask(&upstream, get("/")).await.unwrap().data;
        if !seen.contains(&data) {
            seen.push(data);
        }
    }
}

#[tokio::test]
async fn if_all_are_ill_all_are_used() {
    let ((one, first), (two, second)) = (server("one").await, server("two").await);
    first.store(500, SeqCst);
    second.store(500, SeqCst);
    let upstream = checked(&[&one, &two], Question::Http("/healthz".into()));
    until(|| states(&upstream).iter().all(|(state, _)| *state == "unhealthy")).await;
    assert!(upstream.fleet().view().panicking);
    ask(&upstream, get("/")).await.unwrap();
}

#[tokio::test]
async fn a_check_that_is_not_answered_in_time_has_failed() {
    let stalls = Server::start(|asked: Asked| async move {
        let _kept = asked;
        std::future::pending::<()>().await;
    })
    .await;
    let upstream = checked(&[&stalls], Question::Http("/healthz".into()));
    until(|| states(&upstream) == [("unhealthy", Some("GET /healthz: no answer within 200ms".into()))]).await;
}

/// A server of gRPC's health protocol for one service.
async fn grpc(serves: &Arc<AtomicBool>) -> Server {
    let serves = Arc::clone(serves);
    Server::start(move |mut asked: Asked| {
        let serves = serves.load(SeqCst);
        async move {
            assert_eq!(asked.request.uri().path(), "/grpc.health.v1.Health/Check");
            let message = asked.request.body_mut().data().await.unwrap().unwrap();
            assert_eq!(message, &b"\0\0\0\0\x0d\x0a\x0bshop.Orders"[..]);
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let Ok(mut stream) = asked.respond.send_response(head, false) else { return };
            let _ = stream.send_data(Bytes::from(vec![0, 0, 0, 0, 2, 8, if serves { 1 } else { 2 }]), false);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let _ = stream.send_trailers(trailers);
        }
    })
    .await
}

#[tokio::test]
async fn a_grpc_service_is_asked_by_its_name() {
    let serves = Arc::new(AtomicBool::new(true));
    let server = grpc(&serves).await;
    let upstream = checked(&[&server], Question::Grpc("shop.Orders".into()));
    until(|| states(&upstream) == [("healthy", None)]).await;
    serves.store(false, SeqCst);
    until(|| states(&upstream) == [("unhealthy", Some("its health: NOT_SERVING".into()))]).await;
}

#[tokio::test]
async fn checks_end_with_the_upstream() {
    let (server, _status) = server("one").await;
    let upstream = checked(&[&server], Question::Http("/healthz".into()));
    let fleet = Arc::downgrade(upstream.fleet());
    let run = tokio::spawn(checks::run(fleet.clone()));
    until(|| states(&upstream) == [("healthy", None)]).await;
    drop(upstream);
    until(|| fleet.strong_count() == 0).await;
    run.await.unwrap();
}
