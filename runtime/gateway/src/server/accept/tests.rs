use super::Accepting;
use crate::config::Limits;
use crate::phase::Phase;
use crate::server::admission::Admission;
use crate::server::testing::shared;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tidegate_telemetry::metrics::Metrics;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet, yield_now};

/// More of them than the runtime lets one task take before others.
const CLIENTS: usize = 500;

async fn flooded() -> Vec<usize> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let listener = socket.listen(2 * CLIENTS as u32).expect("it listens");
    let address = listener.local_addr().expect("an address");
    let (_phase, phase) = watch::channel(Phase::Serving);
    let limits = Arc::new(Limits { connections_per_ip: CLIENTS, ..Limits::default() });
    let gate = Admission::new(limits, Arc::default(), Metrics::new("0", 1).listener("test"));
    let mut accepting = Accepting { listener, connections: JoinSet::new(), bind: address, gate, shared: shared(phase) };
    // They leave at once, and wait to be accepted all the same.
    for _ in 0..CLIENTS {
        drop(std::net::TcpStream::connect(address).expect("there is room in the queue"));
    }
    let mut kept = Vec::new();
    while kept.len() < 20 {
        {
            let mut running = pin!(accepting.run());
            poll_fn(|context| Poll::Ready(running.as_mut().poll(context).is_ready())).await;
        }
        kept.push(accepting.connections.len());
        // Those that were accepted have their turns.
        for _ in 0..20 {
            yield_now().await;
        }
    }
    kept
}

#[tokio::test]
async fn connections_that_have_ended_are_let_go_of_while_others_come_all_the_time() {
    let kept = LocalSet::new().run_until(flooded()).await;
    assert!(kept.iter().all(|&kept| kept < CLIENTS / 2), "{kept:?}");
}
