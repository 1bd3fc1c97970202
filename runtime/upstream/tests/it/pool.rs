use std::sync::Arc;

use parking_lot::Mutex;
use tidegate_upstream::{Call, Class, Config, Kind, Origin, Retry, Upstream};
use tokio::{net::TcpSocket, sync::Semaphore};

use crate::support::{Asked, Server, ask, endpoint, failures, figures, get, until};

/// A server of at most `streams` a connection that answers when it is let.
async fn gated(streams: u32) -> (Server, Arc<Semaphore>, Arc<Mutex<Vec<usize>>>) {
    let gate = Arc::new(Semaphore::new(0));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (open, note) = (Arc::clone(&gate), Arc::clone(&seen));
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(streams);
    let server = Server::with(builder, move |asked: Asked| {
        let (open, note) = (Arc::clone(&open), Arc::clone(&note));
        async move {
            note.lock().push(asked.connection);
            open.acquire().await.unwrap().forget();
            asked.answer("pong");
        }
    })
    .await;
    (server, gate, seen)
}

fn calls(upstream: &Upstream, count: usize) -> Vec<tokio::task::JoinHandle<Vec<u8>>> {
    (0..count)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { ask(&upstream, get("/")).await.unwrap().data })
        })
        .collect()
}

#[tokio::test]
async fn connections_are_opened_when_streams_run_out() {
    let (server, gate, seen) = gated(100).await;
    let upstream = server.upstream();
    let calls = calls(&upstream, 300);
    until(|| seen.lock().len() == 300).await;
    assert_eq!((server.connections(), figures(&upstream).in_flight), (3, 300));
    let mut by_connection = [0; 3];
    seen.lock().iter().for_each(|connection| by_connection[*connection] += 1);
    assert_eq!(by_connection, [100; 3]);

    gate.add_permits(300);
    for call in calls {
        assert_eq!(call.await.unwrap(), b"pong");
    }
    let figures = figures(&upstream);
    assert_eq!((figures.in_flight, figures.waiting, figures.connections_open, figures.requests), (0, 0, 3, 300));
    assert_eq!(failures(&upstream), []);
}

#[tokio::test]
async fn no_more_streams_are_used_than_the_config_says() {
    let (server, gate, seen) = gated(1_000).await;
    let upstream = Upstream::new(Config { streams_max: 10, ..server.config() });
    let calls = calls(&upstream, 25);
    until(|| seen.lock().len() == 25).await;
    assert_eq!(server.connections(), 3);
    gate.add_permits(25);
    for call in calls {
        assert_eq!(call.await.unwrap(), b"pong");
    }
}

#[tokio::test]
async fn calls_beyond_the_connections_wait_their_turn_and_beyond_that_are_refused() {
    let (server, gate, seen) = gated(2).await;
    let config = Config { connections_max: 2, waiting_max: 3, ..server.config() };
    let upstream = Upstream::new(config);
    // One after the other, so that there are never more waiting than may.
    let mut waiting = Vec::new();
    for sent in 1..=4 {
        waiting.extend(calls(&upstream, 1));
        until(|| seen.lock().len() == sent).await;
    }
    waiting.extend(calls(&upstream, 3));
    until(|| figures(&upstream).waiting == 3).await;

    let error = ask(&upstream, get("/")).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Overloaded), "{error:?}");
    assert_eq!((error.class(), error.origin(), error.retry()), (Class::Unavailable, Origin::Gateway, Retry::Safe));
    let before = figures(&upstream);
    assert_eq!((before.waiting, before.waiting_limit, before.connections_limit), (3, 3, 2));
    assert_eq!((seen.lock().len(), server.connections()), (4, 2));

    gate.add_permits(7);
    for call in waiting {
        assert_eq!(call.await.unwrap(), b"pong");
    }
    let after = figures(&upstream);
    assert_eq!((after.waiting, after.in_flight), (0, 0));
    assert_eq!(failures(&upstream), [("overloaded", 1)]);
}

#[tokio::test]
async fn endpoints_share_the_load() {
    let (one, one_gate, one_seen) = gated(100).await;
    let (two, two_gate, two_seen) = gated(100).await;
    let upstream = Upstream::new(Config::new("test", vec![one.endpoint(), two.endpoint()]));
    let calls = calls(&upstream, 60);
    until(|| one_seen.lock().len() + two_seen.lock().len() == 60).await;
    // Two choices of two: always the less loaded.
    assert_eq!((one_seen.lock().len(), two_seen.lock().len()), (30, 30));
    one_gate.add_permits(30);
    two_gate.add_permits(30);
    for call in calls {
        assert_eq!(call.await.unwrap(), b"pong");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_left_out() {
    let down = TcpSocket::new_v4().unwrap();
    down.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (up, gate, seen) = gated(100).await;
    gate.add_permits(50);
    let down = endpoint(down.local_addr().unwrap());
    let upstream = Upstream::new(Config::new("test", vec![down, up.endpoint()]));
    for _ in 0..50 {
        assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"pong");
    }
    assert_eq!((seen.lock().len(), failures(&upstream)), (50, vec![]));
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let (server, gate, _seen) = gated(100).await;
    gate.add_permits(1);
    let endpoint = tidegate_upstream::Endpoint { host: "localhost".into(), port: server.address.port() };
    let upstream = Upstream::new(Config::new("test", vec![endpoint]));
    assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"pong");

    let endpoint = tidegate_upstream::Endpoint { host: "no-such-host.invalid".into(), port: 1 };
    let upstream = Upstream::new(Config::new("test", vec![endpoint]));
    let error = upstream.call(get("/"), None).await.unwrap_err();
    let Kind::Connect(source) = error.kind() else { panic!("{error:?}") };
    assert!(matches!(**source, tidegate_upstream::ConnectError::Lookup(_)), "{error:?}");
    assert_eq!(error.endpoint(), Some("no-such-host.invalid:1"));
}

#[tokio::test]
async fn dropping_the_pool_lets_requests_end_and_closes_its_connections() {
    let (server, gate, seen) = gated(100).await;
    let upstream = server.upstream();
    let stats = Arc::clone(upstream.stats());
    let body = {
        let upstream = upstream.clone();
        tokio::spawn(async move { upstream.call(get("/"), None).await.unwrap().into_body() })
    };
    until(|| seen.lock().len() == 1).await;
    gate.add_permits(1);
    let body = body.await.unwrap();
    drop(upstream);
    assert_eq!(crate::support::read(body).await.unwrap().data, b"pong");
    let figures = tidegate_telemetry::metrics::upstreams::Source::figures(&*stats);
    assert_eq!((figures.connections_open, figures.in_flight), (0, 0));
}

#[test]
fn a_runtime_that_ends_under_load_takes_everything_with_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (upstream, calls) = runtime.block_on(async {
        let (server, _gate, seen) = gated(2).await;
        let upstream = Upstream::new(Config { connections_max: 2, ..server.config() });
        let calls = calls(&upstream, 10);
        until(|| seen.lock().len() == 4 && figures(&upstream).waiting == 6).await;
        (upstream, calls)
    });
    drop(runtime);
    for call in calls {
        assert!(poll_now(call).unwrap().unwrap_err().is_cancelled());
    }
    let figures = figures(&upstream);
    assert_eq!((figures.connections_open, figures.in_flight, figures.waiting), (0, 0, 0));
}

/// What a future is ready with at once.
fn poll_now<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(&mut future).poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}
