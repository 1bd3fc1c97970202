//! Calls that are given up all at once, on a connection that others share, to a peer that defends itself.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use http::Response;
use tidegate_telemetry::clock;
use tidegate_upstream::{Call, Config, Upstream};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, yield_now},
};

use crate::support::{Read, ask, endpoint, failures, figures, get, ok_trailers, poll_once, until};

/// Far more than a server bears by default.
const LEAVING: usize = 80;

/// An upstream with one connection, to a server with the defaults of its library that looks at requests when
/// it is told to. From then on the clock stands still.
struct Rig {
    upstream: Upstream,
    server: Connection<TcpStream, Bytes>,
    /// Requests that the server has looked at: their paths, and where the answer goes.
    asked: Vec<(String, SendResponse<Bytes>)>,
}

type Leaving = Vec<Pin<Box<dyn Future<Output = bool>>>>;

impl Rig {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream::new(Config::new("test", vec![endpoint(listener.local_addr().unwrap())]));
        let first = call(&upstream, "/first");
        let server = h2::server::handshake(listener.accept().await.unwrap().0).await.unwrap();
        let mut rig = Self { upstream, server, asked: Vec::new() };
        rig.look_until(|rig| !rig.asked.is_empty()).await;
        rig.answer("/first");
        rig.look_until(|_| first.is_finished()).await;
        tokio::time::pause();
        rig
    }

    /// Begins calls, and sends them.
    async fn begin(&self, deadline: Option<Duration>) -> Leaving {
        let deadline = deadline.map(|after| clock::now() + after);
        let one = || {
            let upstream = self.upstream.clone();
            Box::pin(async move { upstream.call(get("/leaving"), deadline).await.is_ok() }) as Pin<Box<_>>
        };
        let mut calls: Leaving = (0..LEAVING).map(|_| one()).collect();
        for call in &mut calls {
            assert_eq!(poll_once(call.as_mut()).await, None);
        }
        send().await;
        calls
    }

    /// The server looks at what came until it is `enough`.
    async fn look_until(&mut self, enough: impl Fn(&Self) -> bool) {
        until(|| {
            let mut context = Context::from_waker(Waker::noop());
            while let Poll::Ready(accepted) = self.server.poll_accept(&mut context) {
                let (request, respond) = accepted.unwrap().expect("the server puts up with the client");
                self.asked.push((request.uri().path().to_owned(), respond));
            }
            enough(self)
        })
        .await;
    }

    fn answer(&mut self, path: &str) {
        let at = self.asked.iter().position(|(asked, _)| asked == path).unwrap();
        let (_, mut respond) = self.asked.remove(at);
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        stream.send_data("pong".into(), false).unwrap();
        stream.send_trailers(ok_trailers()).unwrap();
    }
}

fn call(upstream: &Upstream, path: &'static str) -> JoinHandle<Read> {
    let upstream = upstream.clone();
    tokio::spawn(async move { ask(&upstream, get(path)).await.unwrap() })
}

/// Lets the connection's task write what it has.
async fn send() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test]
async fn clients_that_leave_at_once_do_not_cost_the_others_their_connection() {
    let mut rig = Rig::start().await;
    let before = call(&rig.upstream, "/before");
    send().await;
    let leaving = rig.begin(None).await;
    drop(leaving);
    let after = call(&rig.upstream, "/after");
    send().await;
    rig.look_until(|rig| rig.asked.len() >= 2).await;
    rig.answer("/before");
    rig.look_until(|_| before.is_finished()).await;
    // Nothing tells yet whether the server has looked at what was given up.
    assert!(figures(&rig.upstream).in_flight > 1);
    rig.answer("/after");
    rig.look_until(|rig| after.is_finished() && figures(&rig.upstream).in_flight == 0).await;
    assert_eq!((before.await.unwrap().data, after.await.unwrap().data), (b"pong".to_vec(), b"pong".to_vec()));
    assert_eq!((failures(&rig.upstream), figures(&rig.upstream).connections_opened), (vec![], 1));
}

#[tokio::test]
async fn deadlines_that_pass_at_once_do_not_cost_the_others_their_connection() {
    let mut rig = Rig::start().await;
    let before = call(&rig.upstream, "/before");
    send().await;
    let leaving = rig.begin(Some(Duration::from_millis(100))).await;
    tokio::time::advance(Duration::from_millis(200)).await;
    for call in leaving {
        assert!(!call.await);
    }
    send().await;
    rig.look_until(|rig| !rig.asked.is_empty()).await;
    rig.answer("/before");
    rig.look_until(|_| before.is_finished()).await;
    assert_eq!(before.await.unwrap().data, b"pong");
    // A server that answers nothing is not asked for longer than it would take to look.
    tokio::time::advance(Duration::from_millis(600)).await;
    rig.look_until(|rig| figures(&rig.upstream).in_flight == 0).await;
    let failed = vec![("deadline", LEAVING as u64)];
    assert_eq!((failures(&rig.upstream), figures(&rig.upstream).connections_opened), (failed, 1));
}
