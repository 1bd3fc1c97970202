//! Retries over sockets: connections that break, services that are silent, endpoints of which one is well.

use crate::plain::route;
use crate::rig::{ECHO, Seen, request, send};
use http_body_util::BodyExt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use tidegate_gateway::config::{Action, Forward};
use tidegate_gateway::{Gateway, Peer, Pools, pipeline};
use tidegate_traffic::retry::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What a service does with a request.
#[derive(Clone)]
enum Does {
    Answers,
    /// Takes the request and closes the connection.
    Breaks,
    /// Takes the request and says nothing.
    Silent,
    /// Begins a reply, and ends it when it is told; what comes behind it is met with silence.
    Begins(Arc<Notify>),
}

/// A service over HTTP/1.1, and how many requests it has taken.
async fn service(does: Does) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let taken = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, does.clone(), Arc::clone(&count)));
        }
    });
    (address, taken)
}

async fn serve(mut stream: TcpStream, does: Does, taken: Arc<AtomicU32>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        let before = taken.fetch_add(1, Relaxed);
        match &does {
            Does::Answers => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood").await;
            }
            Does::Breaks => return,
            Does::Begins(end) if before == 0 => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngo").await;
                end.notified().await;
                let _ = stream.write_all(b"od").await;
            }
            Does::Silent | Does::Begins(_) => std::future::pending().await,
        }
    }
}

/// A gateway before these, with connections of its own.
fn gateway(endpoints: &[SocketAddr], settings: &Settings) -> (Arc<Gateway>, Pools) {
    let gateway = crate::rig::gateway(&[("echo.proto", ECHO)], &[], |config| {
        let endpoint =
            |address: &SocketAddr| tidegate_upstream::Endpoint { host: address.ip().to_string(), port: address.port() };
        config.upstreams[0].pool = tidegate_upstream::Config::h1("up", endpoints.iter().map(endpoint).collect());
        let mut plain = route("/web/*", Action::Forward(Forward { upstream: "up".into(), ..Forward::default() }));
        plain.resilience.retry = Some(settings.clone());
        config.plain.push(plain);
    });
    let pools = Pools::new(&gateway.snapshot(), gateway.telemetry());
    (gateway, pools)
}

fn hasty() -> Settings {
    let (base, max) = (Duration::from_millis(1), Duration::from_millis(1));
    Settings { per_try_timeout: Some(Duration::from_millis(50)), base, max, ..Settings::default() }
}

async fn ask(gateway: &Arc<Gateway>, pools: &Pools, method: &str) -> Seen {
    send(gateway, pools, request(&format!("{method} /web/a"), &[], "")).await
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_good_by_another_endpoint() {
    let ((bad, broken), (good, _)) = (service(Does::Breaks).await, service(Does::Answers).await);
    let (gateway, pools) = gateway(&[bad, good], &Settings::default());
    let mut asked = 0;
    // Until it was met: which endpoint is first is a matter of chance.
    while broken.load(Relaxed) == 0 {
        asked += 1;
        assert!(asked < 1000, "one of two is met");
        let seen = ask(&gateway, &pools, "GET").await;
        assert_eq!((seen.status, &*seen.body), (200, "good"));
    }
}

#[tokio::test]
async fn an_endpoint_that_is_silent_is_left_for_another_one() {
    let ((bad, silent), (good, _)) = (service(Does::Silent).await, service(Does::Answers).await);
    let (gateway, pools) = gateway(&[bad, good], &hasty());
    let mut asked = 0;
    while silent.load(Relaxed) == 0 {
        asked += 1;
        assert!(asked < 1000, "one of two is met");
        let seen = ask(&gateway, &pools, "GET").await;
        assert_eq!((seen.status, &*seen.body), (200, "good"));
    }
}

#[tokio::test]
async fn what_is_silent_in_every_try_is_told_of_with_the_tries() {
    let (bad, silent) = service(Does::Silent).await;
    let (gateway, pools) = gateway(&[bad], &Settings { attempts: 2, ..hasty() });
    let seen = ask(&gateway, &pools, "GET").await;
    let message = r#"{"code":4,"message":"the upstream did not answer within 50ms, in any of 2 tries"}"#;
    assert_eq!((seen.status, &*seen.body, silent.load(Relaxed)), (504, message, 2));
    let once = ask(&gateway, &pools, "POST").await;
    let message = r#"{"code":4,"message":"the upstream did not answer within 50ms"}"#;
    assert_eq!((once.status, &*once.body, silent.load(Relaxed)), (504, message, 3));
}

#[tokio::test]
async fn a_reply_that_has_begun_has_the_time_of_the_call() {
    let end = Arc::new(Notify::new());
    let (address, _) = service(Does::Begins(Arc::clone(&end))).await;
    let (gateway, pools) = gateway(&[address], &Settings { attempts: 1, ..hasty() });
    let begun = pipeline::handle(&gateway, &pools, request("GET /web/a", &[], ""), &Peer::unknown()).await;
    assert_eq!(begun.status(), 200);
    assert_eq!(ask(&gateway, &pools, "GET").await.status, 504, "the time of a try has passed since");
    end.notify_one();
    let body = begun.into_body().collect().await.expect("it does not break off").to_bytes();
    assert_eq!(&body[..], b"good");
}
