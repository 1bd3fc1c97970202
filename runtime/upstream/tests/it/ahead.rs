//! Connections that are open before a call asks for them.

use std::time::Duration;

use tidegate_telemetry::metrics::upstreams::Source;
use tidegate_upstream::{Config, Discovery, Fleet, Upstream};
use tokio::net::{TcpListener, TcpSocket};

use crate::support::{Asked, Order, Server, ask, endpoint, figures, get, until};

async fn server(name: &'static str) -> Server {
    Server::start(move |asked: Asked| async move { asked.answer(name) }).await
}

fn config(servers: &[&Server]) -> Config {
    let endpoints = servers.iter().map(|server| server.endpoint()).collect();
    Config { connections_ahead: 1, ..Config::new("test", endpoints) }
}

#[tokio::test]
async fn connections_are_open_before_the_first_call_and_no_more_than_that() {
    let (one, two) = (server("one").await, server("two").await);
    let upstream = Upstream::new(config(&[&one, &two]));
    until(|| figures(&upstream).connections_open == 2).await;
    assert_eq!(figures(&upstream).requests, 0);
    for _ in 0..20 {
        ask(&upstream, get("/")).await.unwrap();
    }
    assert_eq!((one.connections(), two.connections()), (1, 1));
    let two_each = Upstream::new(Config { connections_ahead: 2, ..config(&[&one]) });
    until(|| figures(&two_each).connections_open == 2).await;
    assert_eq!(one.connections(), 3);
    let none = Upstream::new(Config { connections_ahead: 0, ..config(&[&one]) });
    ask(&two_each, get("/")).await.unwrap();
    assert_eq!((figures(&none).connections_open, one.connections()), (0, 3));
}

#[tokio::test]
async fn one_that_is_lost_is_opened_again_without_a_call() {
    let one = server("one").await;
    let upstream = Upstream::new(config(&[&one]));
    for (connections, order) in [(1, Order::Abort(1)), (2, Order::GoAway(1)), (3, Order::Abort(2))] {
        until(|| one.connections() == connections && figures(&upstream).connections_open == 1).await;
        one.orders.send(order).unwrap();
    }
    until(|| one.connections() == 4 && figures(&upstream).connections_open == 1).await;
    assert_eq!(figures(&upstream).requests, 0);
}

#[tokio::test]
async fn an_endpoint_that_is_back_is_found_without_a_call() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let upstream = Upstream::new(Config { connections_ahead: 1, ..Config::new("test", vec![endpoint(address)]) });
    // More than one attempt, and none of them by a call.
    until(|| figures(&upstream).connect_failures >= 2).await;
    assert_eq!(upstream.fleet().view().endpoints[0].state, "unreachable");
    let listener: TcpListener = socket.listen(16).unwrap();
    let _back = Server::on(listener, h2::server::Builder::new(), |asked: Asked| async move { asked.answer("back") });
    until(|| figures(&upstream).connections_open == 1).await;
    assert_eq!((figures(&upstream).requests, upstream.fleet().view().endpoints[0].state), (0, "unknown"));
}

#[tokio::test]
async fn an_endpoint_that_comes_gets_no_call_before_it_is_connected_to() {
    let one = server("one").await;
    // It takes connections and says nothing: whoever waited for it would wait for long.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config { discovery: Some(Discovery::Etcd("/shop/".into())), endpoints: vec![], ..config(&[]) };
    let fleet = Fleet::new(config);
    let upstream = Upstream::of(&fleet);
    fleet.found(&[(one.endpoint(), 1)]);
    until(|| figures(&upstream).connections_open == 1).await;
    fleet.found(&[(one.endpoint(), 1), (endpoint(mute.local_addr().unwrap()), 1)]);
    // Nobody called it.
    let (_kept, _) = tokio::time::timeout(Duration::from_secs(20), mute.accept()).await.unwrap().unwrap();
    let waits = async {
        for _ in 0..50 {
            assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"one");
        }
        figures(&upstream).waiting
    };
    assert_eq!(waits.await, 0);
    assert_eq!((one.connections(), fleet.view().endpoints[1].requests), (1, 0));
}

#[tokio::test]
async fn an_upstream_that_is_dropped_leaves_no_connection_behind() {
    let one = server("one").await;
    let upstream = Upstream::new(config(&[&one]));
    until(|| figures(&upstream).connections_open == 1).await;
    let stats = std::sync::Arc::clone(upstream.stats());
    drop(upstream);
    until(|| stats.figures().connections_open == 0).await;
    tokio::task::yield_now().await;
    assert_eq!(one.connections(), 1);
}
