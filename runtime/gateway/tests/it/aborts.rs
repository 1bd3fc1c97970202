//! Clients that leave at any moment: nothing is left behind. Over sockets, as REST, gRPC and plain HTTP.

use crate::native::call;
use crate::plain::route;
use crate::rig::{ECHO, framed, request};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;
use tidegate_gateway::config::{Action, Breaker, Forward, HostPattern, SchemaSource};
use tidegate_gateway::{Gateway, Peer, Pools, pipeline};
use tidegate_telemetry::random;
use tidegate_traffic::bulkhead::{Limit, Settings};
use tidegate_traffic::priority::Shares;
use tidegate_traffic::{Share, breaker, retry};
use tokio::net::TcpListener;

/// So many, unless `TIDEGATE_ABORTS` says otherwise.
const ABORTS: u32 = 10_000;

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// Services in a runtime of their own: their tasks are not counted. The first speaks gRPC, the second HTTP/1.1.
fn services() -> [SocketAddr; 2] {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listeners = [TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await];
            let [grpc, web] = listeners.map(|listener| listener.expect("a free port"));
            let addresses = [&grpc, &web].map(|listener| listener.local_addr().expect("an address"));
            tell.send(addresses).expect("somebody waits");
            let count = Arc::new(AtomicU32::new(0));
            loop {
                let (stream, is_grpc) = tokio::select! {
                    Ok((stream, _)) = grpc.accept() => (stream, true),
                    Ok((stream, _)) = web.accept() => (stream, false),
                };
                let count = Arc::clone(&count);
                let answer = service_fn(move |request: Request<Incoming>| {
                    let nth = count.fetch_add(1, Relaxed);
                    async move { Ok::<_, Infallible>(answer(request, nth, is_grpc).await) }
                });
                let io = TokioIo::new(stream);
                if is_grpc {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    tokio::spawn(async move { server.serve_connection(io, answer).await.map_err(drop) });
                } else {
                    let server = hyper::server::conn::http1::Builder::new();
                    tokio::spawn(async move { server.serve_connection(io, answer).await.map_err(drop) });
                }
            }
        });
    });
    told.recv().expect("the services start")
}

/// Good, away, silent, or begun and silent: in turn.
async fn answer(request: Request<Incoming>, nth: u32, grpc: bool) -> Response<Body> {
    let _ = request.into_body().collect().await;
    let ok = trailers("0");
    let frames: Vec<_> = if grpc {
        vec![Frame::data(framed(0, &[8, 7])), Frame::trailers(ok)]
    } else {
        vec![Frame::data(Bytes::from_static(b"good"))]
    };
    let head = Response::builder().header("content-type", "application/grpc");
    match nth % 4 {
        0 => {
            let body = StreamBody::new(tokio_stream::iter(frames.into_iter().map(Ok)));
            head.body(BodyExt::boxed(body)).expect("a reply")
        }
        1 if grpc => head.header("grpc-status", "14").body(Full::default().boxed()).expect("a reply"),
        1 => Response::builder().status(503).body(Full::default().boxed()).expect("a reply"),
        2 => std::future::pending().await,
        _ => {
            use tokio_stream::StreamExt as _;
            let begun = tokio_stream::iter(frames.into_iter().take(1).map(Ok)).chain(tokio_stream::pending());
            head.body(BodyExt::boxed(StreamBody::new(begun))).expect("a reply")
        }
    }
}

fn trailers(status: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static(status));
    trailers
}

fn gateway([grpc, web]: [SocketAddr; 2]) -> (Arc<Gateway>, Pools) {
    let limit = Settings { limit: Limit::Fixed(4), queue: 4, wait: Duration::from_millis(5), shares: Shares::EVEN };
    let retry = retry::Settings { per_try_timeout: Some(Duration::from_millis(3)), ..retry::Settings::default() };
    let endpoint = |address: SocketAddr| {
        vec![tidegate_upstream::Endpoint { host: address.ip().to_string(), port: address.port() }]
    };
    let gateway = crate::rig::gateway(&[("echo.proto", ECHO)], &["test.Echo"], |config| {
        config.upstreams.push(crate::rig::upstream("web", SchemaSource::None));
        config.upstreams[0].pool = tidegate_upstream::Config::new("up", endpoint(grpc));
        config.upstreams[1].pool = tidegate_upstream::Config::h1("web", endpoint(web));
        for upstream in &mut config.upstreams {
            upstream.protection.concurrency = Some(limit);
        }
        config.routes = vec![crate::rig::route("test.Echo", HostPattern::Any, "up")];
        config.routes[0].timeout = Some(Duration::from_millis(10));
        config.routes[0].resilience.retry = Some(retry.clone());
        config.routes[0].resilience.concurrency = Some(limit);
        config.routes[0].breaker = Some(Breaker {
            settings: breaker::Settings { failure_rate: Share::ALL, ..breaker::Settings::default() },
            ..Breaker::default()
        });
        let mut plain = route("/web/*", Action::Forward(Forward { upstream: "web".into(), ..Forward::default() }));
        plain.timeout = Some(Duration::from_millis(10));
        plain.resilience.retry = Some(retry);
        config.plain.push(plain);
    });
    let pools = Pools::new(&gateway.snapshot(), gateway.telemetry());
    (gateway, pools)
}

fn ask(kind: u64) -> Request<Full<Bytes>> {
    match kind {
        0 => request("GET /things/7", &[], ""),
        1 => request("GET /things/7:watch", &[], ""),
        2 => call("/test.Echo/Get", &[], framed(0, &[8, 7])),
        3 => call("/test.Echo/Watch", &[], framed(0, &[8, 7])),
        4 => request("GET /web/a", &[], ""),
        _ => request("POST /web/a", &[], "x"),
    }
}

/// Asks, and leaves after so many looks at what became of it.
async fn leaves(gateway: &Arc<Gateway>, pools: &Pools, kind: u64, looks: u64) {
    let peer = Peer::unknown();
    let mut left = looks;
    let mut all = pin!(async {
        let answer = pipeline::handle(gateway, pools, ask(kind), &peer).await;
        answer.into_body().collect().await.map(drop)
    });
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        if all.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        // It is looked at again when something happened, or right away: either way it leaves in the end.
        if left.is_multiple_of(2) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}

/// Calls and requests of which something is left.
fn left(gateway: &Gateway) -> Vec<u64> {
    let gates = gateway.gates();
    let places = gates.iter().map(|gate| u64::from(gate.levels().in_flight + gate.levels().queued));
    let upstreams = gateway.telemetry().metrics.upstreams();
    let streams = upstreams.iter().map(|(_, figures)| figures.in_flight + figures.waiting);
    places.chain(streams).filter(|left| *left > 0).collect()
}

#[expect(clippy::disallowed_methods, reason = "how much to try is asked of who runs the test")]
fn asked() -> Option<u32> {
    std::env::var("TIDEGATE_ABORTS").ok()?.parse().ok()
}

#[tokio::test]
async fn clients_that_leave_at_any_moment_leave_nothing_behind() {
    let aborts = asked().unwrap_or(ABORTS);
    let (gateway, pools) = gateway(services());
    // Beside those of open HTTP/2 connections, which stay for the next calls: there is one for each, and a bound.
    let connections = || {
        let upstreams = gateway.telemetry().metrics.upstreams();
        let open = upstreams.iter().filter(|(name, _)| *name == "up").map(|(_, figures)| figures.connections_open);
        usize::try_from(open.sum::<u64>()).expect("a few")
    };
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks().saturating_sub(connections());
    // Most leave early; some see their call fail and be made again, or wait in a queue till they are let in or refused.
    let patience = || if random::below(4) == 0 { random::below(100) } else { random::below(12) };
    let crowd = async |size: u32| {
        for _ in 0..size / 16 {
            // Together, so that some wait for others.
            let callers: Vec<_> =
                (0..16).map(|_| Box::pin(leaves(&gateway, &pools, random::below(6), patience()))).collect();
            let all = tokio::time::timeout(Duration::from_secs(30), futures_all(callers)).await;
            assert!(all.is_ok(), "everybody leaves in the end");
        }
    };
    crowd(160).await;
    let settled = || (left(&gateway).is_empty(), tasks());
    let before = settles(settled, usize::MAX).await;
    crowd(aborts).await;
    let after = settles(settled, before).await;
    assert_eq!(left(&gateway), [0; 0]);
    assert!(after <= before, "{after} tasks, {before} before, and {} connections", connections());
    // Callers left in every state that there is.
    let seen = [
        ("left", counted(&gateway, "tidegate_request_duration_seconds_count{", "status_code=\"499\"")),
        ("made again", counted(&gateway, "tidegate_retries_total{", "")),
        ("refused", counted(&gateway, "tidegate_concurrency_refused_total{", "")),
    ];
    assert!(seen.iter().all(|(_, count)| *count >= u64::from(aborts) / 200), "{seen:?} of {aborts}");
}

/// The sum of a metric's series that have this label.
fn counted(gateway: &Gateway, name: &str, label: &str) -> u64 {
    let mut text = String::new();
    gateway.telemetry().metrics.encode(&mut text).expect("text");
    let series = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
    series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// Waits until nothing is in flight and there are no more tasks than these; says how many there are.
async fn settles(look: impl Fn() -> (bool, usize), most: usize) -> usize {
    let done = async {
        loop {
            let (settled, tasks) = look();
            if settled && tasks <= most {
                return tasks;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), done).await.unwrap_or_else(|_| look().1)
}

/// Polls all until all are ready.
async fn futures_all<F: Future<Output = ()> + Unpin>(mut all: Vec<F>) {
    poll_fn(|context| {
        all.retain_mut(|one| pin!(one).poll(context).is_pending());
        if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
