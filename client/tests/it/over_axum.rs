//! Around an axum application and a hyper client, over a socket.

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tidegate_client::breaker::{Settings as BreakerSettings, State, Window};
use tidegate_client::bulkhead::{Limit, Settings as BulkheadSettings, Shares};
use tidegate_client::retry::Settings as RetrySettings;
use tidegate_client::{BreakerLayer, BulkheadLayer, Deadline, DeadlineLayer, Protocol, Refused, RetryLayer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::{ServiceBuilder, ServiceExt as _};

async fn serve(application: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, application).await });
    address
}

fn request(address: SocketAddr, path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{address}{path}")).body(Empty::new()).expect("a request")
}

async fn text<B>(answer: Response<B>) -> (u16, String)
where
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let (head, body) = answer.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    (head.status.as_u16(), String::from_utf8(bytes.into()).expect("text"))
}

#[tokio::test]
async fn an_application_refuses_what_it_has_no_place_for_and_ends_what_is_late() {
    let gate = Arc::new(Semaphore::new(0));
    let inside = Arc::clone(&gate);
    let wait = move || {
        let gate = Arc::clone(&inside);
        async move {
            let _entered = gate.acquire().await.expect("open");
            format!("{}", Deadline::current().is_some())
        }
    };
    let bulkhead = BulkheadLayer::new(
        Protocol::Http,
        BulkheadSettings { limit: Limit::Fixed(1), queue: 0, wait: Duration::from_secs(9), shares: Shares::EVEN },
    );
    let application = Router::new()
        .route("/wait", get(wait))
        .layer(bulkhead.clone())
        .layer(DeadlineLayer::new(Protocol::Http).timeout(Duration::from_secs(60)))
        .route(
            "/late",
            get(std::future::pending::<&'static str>)
                .layer(DeadlineLayer::new(Protocol::Http).timeout(Duration::from_millis(1))),
        );
    let address = serve(application).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let first = tokio::spawn(client.clone().request(request(address, "/wait")));
    while bulkhead.figures().in_flight == 0 {
        tokio::task::yield_now().await;
    }
    let refused = client.request(request(address, "/wait")).await.expect("an answer");
    assert_eq!(refused.status(), 503);
    gate.add_permits(1);
    let first = first.await.expect("no panic").expect("an answer");
    assert_eq!(text(first).await, (200, "true".to_owned()));
    let late = client.request(request(address, "/late")).await.expect("an answer");
    assert_eq!(text(late).await, (504, String::new()));
}

#[tokio::test]
async fn a_client_tries_again_and_keeps_away_from_what_fails() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let flaky = move || {
        let call = count.fetch_add(1, Ordering::Relaxed);
        async move {
            if call == 0 { (http::StatusCode::SERVICE_UNAVAILABLE, "not yet") } else { (http::StatusCode::OK, "yes") }
        }
    };
    let broken = || async { http::StatusCode::INTERNAL_SERVER_ERROR };
    let address = serve(Router::new().route("/flaky", get(flaky)).route("/broken", get(broken))).await;
    let breaker = BreakerLayer::new(
        Protocol::Http,
        BreakerSettings { window: Window::Calls(4), min_calls: 4, ..BreakerSettings::default() },
    );
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(Protocol::Http, RetrySettings::default()))
        .layer(breaker.clone())
        .service(Client::builder(TokioExecutor::new()).build_http());
    let answer = service.clone().oneshot(request(address, "/flaky")).await.expect("an answer");
    assert_eq!((text(answer).await, calls.load(Ordering::Relaxed)), ((200, "yes".to_owned()), 2));
    for _ in 0..2 {
        let answer = service.clone().oneshot(request(address, "/broken")).await.expect("an answer");
        assert_eq!(answer.status(), 500);
    }
    assert_eq!(breaker.state(), State::Open);
    let refused = service.oneshot(request(address, "/flaky")).await.expect("an answer");
    assert!(Refused::of(&refused).is_some());
    assert_eq!((refused.status().as_u16(), calls.load(Ordering::Relaxed)), (503, 2));
}
