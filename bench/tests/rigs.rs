//! The rigs against each other, for a moment: upstream, floor and load in one process.

use std::time::Duration;

use tidegate_bench::load::{self, Plan};
use tidegate_bench::scenario::Scenario;
use tidegate_bench::{floor, upstream};
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    (listener, address)
}

#[tokio::test]
async fn every_scenario_passes_through_the_floor_and_every_answer_is_checked() {
    LocalSet::new()
        .run_until(async {
            let (upstream, upstream_address) = listener().await;
            spawn_local(upstream::serve(upstream));
            let (front, address) = listener().await;
            spawn_local(async move { floor::serve(front, &upstream_address).await });
            for scenario in Scenario::ALL {
                let measured = load::run(&Plan {
                    address: address.clone(),
                    scenario,
                    connections: 4,
                    warm_up: Duration::from_millis(10),
                    window: Duration::from_millis(150),
                    pid: Some(std::process::id()),
                })
                .await
                .expect("all answers right");
                assert!(measured.requests > 0, "{scenario:?}");
                let body = match scenario {
                    Scenario::Grpc => scenario.grpc_reply()[0].len(),
                    _ => scenario.json_reply().to_string().len(),
                };
                assert_eq!(measured.body, body);
                assert!(measured.latency.quantile(0.99) >= measured.latency.quantile(0.5));
            }
        })
        .await;
}

#[tokio::test]
async fn a_wrong_answer_ends_the_run() {
    LocalSet::new()
        .run_until(async {
            let (silent, address) = listener().await;
            spawn_local(async move {
                while let Ok((mut socket, _)) = silent.accept().await {
                    use tokio::io::{AsyncReadExt, AsyncWriteExt};
                    let mut request = [0; 1024];
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                    if socket.read(&mut request).await.is_ok() {
                        socket.write_all(answer).await.expect("a client that reads");
                    }
                }
            });
            let error = load::run(&Plan {
                address,
                scenario: Scenario::Get,
                connections: 1,
                warm_up: Duration::ZERO,
                window: Duration::from_millis(10),
                pid: None,
            })
            .await
            .expect_err("`{}` is not the item");
            assert_eq!(error.to_string(), "the answer is not the expected one: {}");
        })
        .await;
}
