//! A breaker for each endpoint, over sockets: who is picked, and what is answered if nobody is.

use super::settings;
use crate::plain::route;
use crate::rig::{ECHO, request, send};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tidegate_gateway::breakers::Command;
use tidegate_gateway::config::{Action, Breaker, BreakerKey, Fallback, FallbackAnswer, Forward, Place};
use tidegate_gateway::{Gateway, Peer, Pools, pipeline};
use tidegate_traffic::breaker::State;
use tidegate_traffic::retry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A service over HTTP/1.1 that answers its name, 500 while it is ill, and nothing while it is silent.
#[derive(Clone, Default)]
struct Mood {
    ill: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

async fn service(name: &'static str) -> (SocketAddr, Mood) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mood = Mood::default();
    let told = mood.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, name, told.clone()));
        }
    });
    (address, mood)
}

async fn serve(mut stream: TcpStream, name: &'static str, mood: Mood) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        mood.asked.fetch_add(1, SeqCst);
        if mood.silent.load(SeqCst) {
            return std::future::pending().await;
        }
        let status = if mood.ill.load(SeqCst) { "500 Ill" } else { "200 OK" };
        let reply = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{name}", name.len());
        let _ = stream.write_all(reply.as_bytes()).await;
    }
}

/// A gateway before these that takes turns, with connections of its own; nobody is an outlier.
fn gateway(endpoints: &[SocketAddr], change: impl FnOnce(&mut Breaker)) -> (Arc<Gateway>, Pools) {
    let mut breaker = Breaker { key: BreakerKey::Endpoint, max_keys: 10, ..settings().into() };
    change(&mut breaker);
    let gateway = crate::rig::gateway(&[("echo.proto", ECHO)], &[], |config| {
        let endpoint =
            |address: &SocketAddr| tidegate_upstream::Endpoint { host: address.ip().to_string(), port: address.port() };
        let listed = endpoints.iter().map(endpoint).collect();
        config.upstreams[0].pool = tidegate_upstream::Config {
            outlier: None,
            balance: tidegate_traffic::balance::Policy::RoundRobin,
            ..tidegate_upstream::Config::h1("up", listed)
        };
        let mut plain = route("/web", Action::Forward(Forward { upstream: "up".into(), ..Forward::default() }));
        plain.breaker = Some(breaker);
        plain.resilience.retry = Some(retry::Settings { attempts: 1, ..retry::Settings::default() });
        config.plain.push(plain);
    });
    let pools = Pools::new(&gateway.snapshot(), gateway.telemetry());
    (gateway, pools)
}

async fn ask(gateway: &Arc<Gateway>, pools: &Pools) -> (u16, String) {
    let answer = send(gateway, pools, request("GET /web", &[], "")).await;
    (answer.status, answer.body)
}

/// Address and state of each breaker.
fn keys(gateway: &Gateway) -> Vec<(String, State)> {
    let guards = gateway.breakers();
    let guard = guards.iter().find(|guard| guard.by() == "endpoint").expect("a breaker for each endpoint");
    let keys = guard.keys().expect("keys");
    keys.into_iter().map(|key| (key.key.into(), key.state)).collect()
}

fn sorted(mut all: Vec<(String, State)>) -> Vec<(String, State)> {
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

#[tokio::test]
async fn an_endpoint_whose_breaker_is_open_is_not_picked() {
    let ((one, well), (two, ill)) = (service("one").await, service("two").await);
    ill.ill.store(true, SeqCst);
    let (gateway, pools) = gateway(&[one, two], |_| {});
    let mut failed = 0;
    for _ in 0..40 {
        failed += u32::from(ask(&gateway, &pools).await.0 == 500);
    }
    assert_eq!((failed, ill.asked.load(SeqCst), well.asked.load(SeqCst)), (4, 4, 36));
    let expected = vec![(one.to_string(), State::Closed), (two.to_string(), State::Open)];
    assert_eq!(sorted(keys(&gateway)), sorted(expected));
}

#[tokio::test]
async fn if_all_are_open_calls_are_refused_or_have_the_answer_of_the_route() {
    let (one, ill) = service("one").await;
    ill.ill.store(true, SeqCst);
    let (refusing, pools) = gateway(&[one], |_| {});
    for _ in 0..4 {
        assert_eq!(ask(&refusing, &pools).await.0, 500);
    }
    let answer = send(&refusing, &pools, request("GET /web", &[], "")).await;
    let seconds = answer.headers["retry-after"].to_str().expect("text").to_owned();
    // Up to a tenth is added by chance.
    assert!(["5", "6"].contains(&&*seconds), "{seconds}");
    assert_eq!((answer.status, answer.body), (503, super::OPEN.replace("5 s", &format!("{seconds} s"))));
    let place = Place::default();
    let body =
        FallbackAnswer { status: http::StatusCode::OK, headers: vec![], body: "[]".into(), methods: vec![], place };
    let (answering, pools) = gateway(&[one], |breaker| breaker.fallback = Fallback::Answer(Arc::new(body)));
    for _ in 0..4 {
        assert_eq!(ask(&answering, &pools).await.0, 500);
    }
    assert_eq!(ask(&answering, &pools).await, (200, "[]".into()));
    assert_eq!(ill.asked.load(SeqCst), 8);
}

#[tokio::test]
async fn a_probe_that_is_given_up_leaves_its_place_to_the_next() {
    let (one, mood) = service("one").await;
    mood.ill.store(true, SeqCst);
    let (gateway, pools) = gateway(&[one], |breaker| {
        breaker.settings.half_open = 1;
        breaker.settings.open = Duration::from_millis(1);
    });
    for _ in 0..4 {
        assert_eq!(ask(&gateway, &pools).await.0, 500);
    }
    mood.ill.store(false, SeqCst);
    mood.silent.store(true, SeqCst);
    // As often as it takes until the interval is over and the probe is on its way.
    let asked = || mood.asked.load(SeqCst);
    let peer = Peer::unknown();
    while asked() == 4 {
        let call = pipeline::handle(&gateway, &pools, request("GET /web", &[], ""), &peer);
        let mut call = Box::pin(call);
        let waits = async {
            while asked() == 4 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { _ = &mut call => {}, () = waits => {} }
    }
    mood.silent.store(false, SeqCst);
    let body = ask(&gateway, &pools).await;
    assert_eq!(body, (200, "one".into()));
    assert_eq!(keys(&gateway), [(one.to_string(), State::Closed)]);
}

#[tokio::test]
async fn a_command_is_for_one_endpoint() {
    let ((one, first), (two, second)) = (service("one").await, service("two").await);
    let (gateway, pools) = gateway(&[one, two], |_| {});
    let guards = gateway.breakers();
    let guard = guards.iter().find(|guard| guard.by() == "endpoint").expect("there");
    guard.command(Some(&one.to_string()), Command::Open).expect("a place");
    for _ in 0..10 {
        assert_eq!(ask(&gateway, &pools).await, (200, "two".into()));
    }
    assert_eq!((first.asked.load(SeqCst), second.asked.load(SeqCst)), (0, 10));
}
