//! A service that is gone, hangs, fails or leaves: every question has an answer.

use std::time::Duration;

use tidegate_limit::front::{By, Failure, Outcome};
use tidegate_limit::ports::LimitService as _;
use tidegate_rls::{Config, Service};

use crate::calls::{pass, reply};
use crate::server::{Does, Server};
use crate::{ask_one, config, terms, until};

/// Who decided, and whether it passes.
fn told(outcome: Outcome) -> (By, bool) {
    (outcome.by, outcome.decision.is_admitted())
}

const PASSED: (By, bool) = (By::Service { quota: None }, true);

fn failure(service: &Service) -> String {
    service.standing().servers.failure.unwrap_or_default()
}

#[tokio::test]
async fn while_nobody_listens_policies_answer_and_soon_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let service = Service::start(config(&format!("rls://{address}")));
    let (open, closed) = (terms(Failure::Open), terms(Failure::Closed));
    assert_eq!(told(ask_one(&service, &open).await), (By::Failure, true));
    assert_eq!(told(ask_one(&service, &closed).await), (By::Failure, false));
    assert!(!service.standing().down);
    assert_eq!(told(ask_one(&service, &open).await), (By::Failure, true));
    let standing = service.standing();
    assert_eq!((standing.down, standing.front.fallen_back, standing.servers.unreachable), (true, 3, 3));
    assert!(failure(&service).starts_with(&format!("no connection to {address}: ")), "{}", failure(&service));
}

#[tokio::test]
async fn a_service_that_fails_is_left_alone_and_used_again_when_it_answers() {
    let server = Server::start(Does::Fails(14, "no%20Redis")).await;
    let service = Service::start(config(&server.url()));
    let open = terms(Failure::Open);
    for _ in 0..3 {
        assert_eq!(told(ask_one(&service, &open).await), (By::Failure, true));
    }
    assert!(service.standing().down);
    assert_eq!(failure(&service), format!("{} answers with the gRPC code 14: no Redis", server.address));
    assert_eq!(server.seen().len(), 3);
    server.now_does(pass());
    until("answer of the service", async || told(ask_one(&service, &open).await) == PASSED).await;
    let standing = service.standing();
    assert_eq!((standing.down, standing.servers.failure, standing.servers.connections), (false, None, 1));
}

#[tokio::test]
async fn what_a_service_declines_does_not_make_it_count_as_down() {
    let server = Server::start(Does::Fails(3, "")).await;
    let service = Service::start(config(&server.url()));
    let closed = terms(Failure::Closed);
    for _ in 0..9 {
        assert_eq!(told(ask_one(&service, &closed).await), (By::Failure, false));
    }
    assert!(!service.standing().down, "who chooses a header must not switch limits off for others");
    assert_eq!(server.seen().len(), 9);
    server.now_does(pass());
    assert_eq!(told(ask_one(&service, &closed).await), PASSED);
}

#[tokio::test]
async fn what_is_no_answer_of_a_rate_limit_service_is_named() {
    let server = Server::start(Does::Http(404)).await;
    let open = terms(Failure::Open);
    for (does, why) in [
        (Does::Http(404), "ADDRESS is no rate limit service: it answers with HTTP 404"),
        (Does::FailsLate(13), "ADDRESS answers with the gRPC code 13"),
        (Does::Says(b"\x08".to_vec()), "the answer of ADDRESS is not understood: "),
        (Does::Says(vec![0; 1 << 20]), "the answer of ADDRESS is not understood: it is longer than 1048576 bytes"),
        (Does::Breaks, "the connection to ADDRESS broke before the answer: "),
    ] {
        server.now_does(does.clone());
        let service = Service::start(config(&server.url()));
        assert_eq!(told(ask_one(&service, &open).await), (By::Failure, true), "{does:?}");
        let why = why.replace("ADDRESS", &server.address.to_string());
        assert!(failure(&service).starts_with(&why), "{}", failure(&service));
    }
}

#[tokio::test]
async fn a_connection_that_ends_in_order_is_followed_by_another_one() {
    let server = Server::start(Does::SaysAndLeaves(reply(1, &[]))).await;
    let service = Service::start(config(&server.url()));
    let closed = terms(Failure::Closed);
    for connections in 1..=3 {
        assert_eq!(told(ask_one(&service, &closed).await), PASSED);
        // The end has come, or comes while the next call is made.
        until("end of the connection", async || {
            tokio::task::yield_now().await;
            service.standing().servers.connected.is_empty()
        })
        .await;
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn a_connection_without_answers_is_given_up_for_another_one() {
    let server = Server::start(Does::Hangs).await;
    let short = Duration::from_millis(5);
    let service = Service::start(Config { budget: short, patience: short, ..config(&server.url()) });
    let closed = terms(Failure::Closed);
    until("second connection", async || {
        let heard = told(ask_one(&service, &closed).await);
        assert_eq!(heard, (By::Failure, false));
        tokio::task::yield_now().await;
        service.standing().servers.connections > 1
    })
    .await;
    assert!(service.standing().servers.unanswered > 0);
    server.now_does(pass());
    until("answer of the service", async || {
        tokio::task::yield_now().await;
        told(ask_one(&service, &closed).await) == PASSED
    })
    .await;
}

#[tokio::test]
async fn more_calls_than_there_may_be_are_answered_by_the_policy() {
    let server = Server::start(Does::Hangs).await;
    let service = Service::start(Config { calls: 2, ..config(&server.url()) });
    let open = terms(Failure::Open);
    let question = || [crate::question(&open, ("user", "alice"), 1)];
    let waiting = [service.ask(&question()), service.ask(&question())];
    assert_eq!(told(ask_one(&service, &open).await), (By::Failure, true));
    assert_eq!((service.standing().waiting, service.standing().down), (2, false));
    drop(waiting);
}
