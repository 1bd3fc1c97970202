//! Endpoints that fail beside one that does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use http::{Response, StatusCode};
use tidegate_traffic::outlier::Settings;
use tidegate_upstream::{Call, ClientDeadline, Config, Discovery, Fleet, Kind, Tried, Upstream};
use tokio::net::TcpSocket;

use crate::support::{Asked, Order, Server, ask, endpoint, get, in_ms, read};

/// What a server does.
const WELL: u8 = 0;
const ILL: u8 = 1;
const PAUSED: u8 = 2;

/// A server that answers `name`, or 503, or nothing; how it is told, and how often it was asked.
async fn server(name: &'static str) -> (Server, Arc<AtomicU8>, Arc<AtomicUsize>) {
    let (mood, asked_times) = (Arc::new(AtomicU8::new(WELL)), Arc::new(AtomicUsize::new(0)));
    let (told, times) = (Arc::clone(&mood), Arc::clone(&asked_times));
    let server = Server::start(move |mut asked: Asked| {
        let mood = told.load(SeqCst);
        times.fetch_add(1, SeqCst);
        async move {
            match mood {
                WELL => asked.answer(name),
                ILL => {
                    let answer = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body(()).unwrap();
                    let _ = asked.respond.send_response(answer, true);
                }
                _ => {
                    let _kept = asked;
                    std::future::pending::<()>().await;
                }
            }
        }
    })
    .await;
    (server, mood, asked_times)
}

fn upstream(servers: &[&Server], outlier: Settings) -> Upstream {
    let endpoints = servers.iter().map(|server| server.endpoint()).collect();
    Upstream::new(Config { outlier: Some(outlier), ..Config::new("test", endpoints) })
}

/// Does it again until it says so.
async fn until(mut done: impl AsyncFnMut() -> bool) {
    let all = async {
        while !done().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("in time");
}

fn states(upstream: &Upstream) -> Vec<&'static str> {
    upstream.fleet().view().endpoints.iter().map(|endpoint| endpoint.state).collect()
}

/// For 200 ms, so that a test sees both ends of it.
fn short() -> Settings {
    Settings { ejection: Duration::from_millis(200), ..Settings::default() }
}

#[tokio::test]
async fn an_endpoint_that_fails_is_left_alone_for_a_while_and_then_used_again() {
    let ((one, mood, asked), (two, ..)) = (server("one").await, server("two").await);
    let upstream = upstream(&[&one, &two], short());
    mood.store(ILL, SeqCst);
    let mut failed = 0;
    until(async || {
        let reply = upstream.call(get("/"), in_ms(5_000)).await.unwrap();
        failed += usize::from(reply.status() == StatusCode::SERVICE_UNAVAILABLE);
        states(&upstream) == ["ejected", "unknown"]
    })
    .await;
    // Five in a row, and not one more.
    assert_eq!((failed, asked.load(SeqCst)), (5, 5));
    let why = upstream.fleet().view().endpoints[0].why.clone();
    assert_eq!(why.as_deref(), Some("5 calls in a row failed"));
    mood.store(WELL, SeqCst);
    until(async || {
        assert_eq!(upstream.call(get("/"), in_ms(5_000)).await.unwrap().status(), StatusCode::OK);
        asked.load(SeqCst) > 5
    })
    .await;
    until(async || {
        ask(&upstream, get("/")).await.unwrap();
        states(&upstream) == ["unknown", "unknown"]
    })
    .await;
    assert_eq!(asked.load(SeqCst), 15, "ten calls make a trial");
}

#[tokio::test]
async fn an_endpoint_that_fails_again_is_put_out_by_the_first_call_and_for_longer() {
    let ((one, mood, asked), (two, ..)) = (server("one").await, server("two").await);
    let upstream = upstream(&[&one, &two], short());
    mood.store(ILL, SeqCst);
    let mut lasted = Vec::new();
    for calls in [5, 6, 7] {
        until(async || {
            ask(&upstream, get("/")).await.unwrap();
            asked.load(SeqCst) == calls
        })
        .await;
        let view = upstream.fleet().view().endpoints.swap_remove(0);
        lasted.push((view.state, view.ejections, view.why.unwrap_or_default()));
        // A retry of whoever had the failed call may not go there either: it is ejected.
        assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"two");
    }
    let again = "a call failed again after its ejection";
    let expected = [(1, "5 calls in a row failed"), (2, again), (3, again)];
    assert_eq!(lasted, expected.map(|(times, why)| ("ejected", times, why.to_owned())));
}

#[tokio::test]
async fn an_endpoint_on_trial_has_one_call_at_a_time() {
    let ((one, mood, asked), (two, ..)) = (server("one").await, server("two").await);
    let upstream = upstream(&[&one, &two], short());
    mood.store(ILL, SeqCst);
    until(async || {
        ask(&upstream, get("/")).await.unwrap();
        states(&upstream) == ["ejected", "unknown"]
    })
    .await;
    mood.store(PAUSED, SeqCst);
    // Who gets there waits; everybody else goes to the other one.
    let mut waits = None;
    until(async || {
        let upstream = upstream.clone();
        let call = tokio::spawn(async move { ask(&upstream, get("/")).await });
        until(async || call.is_finished() || asked.load(SeqCst) == 6).await;
        if asked.load(SeqCst) == 6 {
            waits = Some(call);
        }
        waits.is_some()
    })
    .await;
    for _ in 0..100 {
        assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"two");
    }
    assert_eq!((asked.load(SeqCst), states(&upstream)), (6, vec!["returning", "unknown"]));
    // If there is no other, it is used all the same.
    let mut request = get("/");
    let mut tried = Tried::new();
    tried.add(&two.endpoint().to_string());
    request.extensions_mut().insert(tried);
    let no_answer = upstream.call(request, in_ms(50)).await;
    assert!(no_answer.is_err_and(|error| error.is_deadline()));
    assert_eq!((asked.load(SeqCst), states(&upstream)), (7, vec!["ejected", "unknown"]));
    waits.expect("it waits").abort();
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_found_by_the_time_that_calls_wait() {
    let ((one, mood, asked), (two, ..)) = (server("one").await, server("two").await);
    let upstream = upstream(&[&one, &two], Settings::default());
    mood.store(PAUSED, SeqCst);
    until(async || {
        let _ = upstream.call(get("/"), in_ms(30)).await;
        states(&upstream) == ["ejected", "unknown"]
    })
    .await;
    assert_eq!(asked.load(SeqCst), 5);
    let mut tried = Tried::new();
    tried.add(&two.endpoint().to_string());
    for _ in 0..20 {
        // A retry neither: it rather goes where it was.
        let mut request = get("/");
        request.extensions_mut().insert(tried.clone());
        assert_eq!(ask(&upstream, request).await.unwrap().data, b"two");
    }
}

#[tokio::test]
async fn a_client_that_does_not_wait_takes_no_endpoint_away_from_others() {
    let ((one, mood, asked), (two, ..)) = (server("one").await, server("two").await);
    let upstream = upstream(&[&one, &two], Settings::default());
    mood.store(PAUSED, SeqCst);
    until(async || {
        let mut request = get("/");
        request.extensions_mut().insert(ClientDeadline);
        let _ = upstream.call(request, in_ms(5)).await;
        asked.load(SeqCst) > 20
    })
    .await;
    assert_eq!(states(&upstream), ["unknown", "unknown"]);
}

#[tokio::test]
async fn a_grpc_status_in_trailers_counts_as_the_status_of_http_does() {
    let fails = Server::start(|mut asked: Asked| async move {
        let head = Response::builder().header("content-type", "application/grpc+proto").body(()).unwrap();
        let Ok(mut stream) = asked.respond.send_response(head, false) else { return };
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("14"));
        let _ = stream.send_trailers(trailers);
    })
    .await;
    let (two, ..) = server("two").await;
    let upstream = upstream(&[&fails, &two], Settings::default());
    until(async || {
        ask(&upstream, get("/")).await.unwrap();
        states(&upstream) == ["ejected", "unknown"]
    })
    .await;
}

#[tokio::test]
async fn of_one_endpoint_none_is_ejected_and_of_two_not_both() {
    let ((one, first, _), (two, second, _)) = (server("one").await, server("two").await);
    first.store(ILL, SeqCst);
    second.store(ILL, SeqCst);
    let alone = upstream(&[&one], Settings::default());
    let both = upstream(&[&one, &two], Settings::default());
    for _ in 0..50 {
        ask(&alone, get("/")).await.unwrap();
        ask(&both, get("/")).await.unwrap();
    }
    assert_eq!(states(&alone), ["unknown"]);
    assert_eq!(states(&both).iter().filter(|state| **state == "ejected").count(), 1);
}

#[tokio::test]
async fn all_calls_that_break_with_one_connection_are_one_failure() {
    let ((one, mood, asked), (two, ..)) = (server("one").await, server("two").await);
    mood.store(PAUSED, SeqCst);
    let upstream = upstream(&[&one, &two], Settings::default());
    let mut tried = Tried::new();
    tried.add(&two.endpoint().to_string());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (upstream, mut request) = (upstream.clone(), get("/"));
            request.extensions_mut().insert(tried.clone());
            tokio::spawn(async move { ask(&upstream, request).await })
        })
        .collect();
    until(async || asked.load(SeqCst) == 20).await;
    one.orders.send(Order::Abort(1)).unwrap();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), Kind::ConnectionLost(_)), "{error:?}");
    }
    let view = upstream.fleet().view();
    assert_eq!((view.endpoints[0].state, view.endpoints[0].failures), ("unknown", 1));
}

#[tokio::test]
async fn with_all_endpoints_down_a_call_fails_soon_and_says_where() {
    let sockets: Vec<_> = (0..3).map(|_| TcpSocket::new_v4().unwrap()).collect();
    let endpoints = sockets.iter().map(|socket| {
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        endpoint(socket.local_addr().unwrap())
    });
    let upstream = Upstream::new(Config::new("test", endpoints.collect()));
    for _ in 0..100 {
        let error = upstream.call(get("/"), in_ms(5_000)).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Connect(_) | Kind::Down(Some(_))), "{error:?}");
        assert!(error.not_sent() && error.endpoint().is_some());
    }
    let view = upstream.fleet().view();
    assert!(view.endpoints.iter().all(|endpoint| endpoint.state == "unreachable"), "{view:?}");
    let why = view.endpoints[0].why.as_deref().unwrap_or_default();
    assert!(why.starts_with("cannot open the connection: "), "{why}");
}

#[tokio::test]
async fn workers_share_what_they_know_of_endpoints_and_a_config_that_follows_takes_it_over() {
    let ((one, mood, asked), (two, ..)) = (server("one").await, server("two").await);
    mood.store(ILL, SeqCst);
    let config = Config::new("test", vec![one.endpoint(), two.endpoint()]);
    let fleet = Fleet::new(config.clone());
    let workers = [Upstream::of(&fleet), Upstream::of(&fleet)];
    until(async || {
        for worker in &workers {
            ask(worker, get("/")).await.unwrap();
        }
        states(&workers[0]) == ["ejected", "unknown"]
    })
    .await;
    assert_eq!(asked.load(SeqCst), 5, "of both together");
    let next = Fleet::after(Config { endpoints: vec![two.endpoint(), one.endpoint()], ..config }, &fleet);
    let view = next.view();
    let known: Vec<_> = view.endpoints.iter().map(|endpoint| (endpoint.state, endpoint.failures)).collect();
    assert_eq!(known, [("unknown", 0), ("ejected", 5)]);
}

#[tokio::test]
async fn endpoints_that_go_end_what_they_have_and_those_that_come_are_used() {
    let ((one, first, _), (two, ..)) = (server("one").await, server("two").await);
    let config = Config { discovery: Some(Discovery::Etcd("/shop/".into())), ..Config::new("test", vec![]) };
    let fleet = Fleet::new(config);
    let upstream = Upstream::of(&fleet);
    // Nobody knows any endpoint yet: a call waits until one is found.
    let waits = tokio::spawn({
        let upstream = upstream.clone();
        async move { ask(&upstream, get("/")).await }
    });
    tokio::task::yield_now().await;
    fleet.found(&[(one.endpoint(), 1)]);
    assert_eq!(waits.await.unwrap().unwrap().data, b"one");
    first.store(PAUSED, SeqCst);
    let slow = tokio::spawn({
        let upstream = upstream.clone();
        async move { read(upstream.call(get("/"), None).await?.into_body()).await }
    });
    until(async || fleet.view().endpoints[0].in_flight == 1).await;
    fleet.found(&[(two.endpoint(), 1)]);
    for _ in 0..20 {
        assert_eq!(ask(&upstream, get("/")).await.unwrap().data, b"two");
    }
    let view = fleet.view();
    let seen: Vec<_> = view.endpoints.iter().map(|endpoint| (endpoint.state, endpoint.in_flight)).collect();
    assert_eq!(seen, [("unknown", 0), ("leaving", 1)]);
    assert!(!slow.is_finished(), "it still has its connection");
    // One that comes back before it has left is the same.
    fleet.found(&[(one.endpoint(), 1), (two.endpoint(), 1)]);
    let view = fleet.view();
    let seen: Vec<_> = view.endpoints.iter().map(|endpoint| (endpoint.state, endpoint.in_flight)).collect();
    assert_eq!(seen, [("unknown", 1), ("unknown", 0)]);
    fleet.found(&[(two.endpoint(), 1)]);
    slow.abort();
    until(async || fleet.view().endpoints.len() == 1).await;
}

#[tokio::test]
async fn an_endpoint_that_is_many_times_as_slow_is_left_alone_although_it_succeeds() {
    let slow = Server::start(|asked: Asked| async move {
        tokio::time::sleep(Duration::from_millis(60)).await;
        asked.answer("slow");
    })
    .await;
    let (two, ..) = server("two").await;
    let settings = Settings { slow: Some(5), interval: Duration::from_millis(500), ..Settings::default() };
    let upstream = upstream(&[&slow, &two], settings);
    until(async || {
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let upstream = upstream.clone();
                tokio::spawn(async move { ask(&upstream, get("/")).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        states(&upstream) == ["ejected", "unknown"]
    })
    .await;
    let why = upstream.fleet().view().endpoints[0].why.clone().unwrap();
    assert!(why.starts_with("calls took ") && why.ends_with(" ms elsewhere"), "{why}");
}
