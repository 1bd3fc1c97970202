//! gRPC over one HTTP/2 connection, for calls that are small and mostly answered at once.
//!
//! A call is answered in the connection's own task, together with those that came with it. One that waits for a store
//! waits at the thread's [`desk`]; only one that waits for the rest of its request gets a task of its own.

mod call;
mod desk;

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::server::Builder;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::service::Service;

pub(crate) use desk::{answers, send};

/// Calls that are looked at before the first of them is answered: their answers leave together.
const TOGETHER: usize = 64;
/// Calls of one connection at one time.
const CALLS: u32 = 2000;
/// The largest message; a stream's window has room for it, so that nothing is read before the whole is there.
const MESSAGE: usize = 64 * 1024 - 5;
/// Unread bytes of all calls of a connection.
const WINDOW: u32 = 4 << 20;
/// The largest head of a call.
const HEAD: u32 = 16 * 1024;
/// How long the greetings of a connection may take.
const GREETING: Duration = Duration::from_secs(10);

/// Serves a connection until it ends, or until `stopping` says so and its calls have ended.
pub(crate) async fn serve(socket: TcpStream, service: Arc<Service>, mut stopping: watch::Receiver<bool>) {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(CALLS)
        .initial_window_size(64 * 1024)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(HEAD)
        .max_send_buffer_size(64 * 1024);
    let Ok(Ok(mut connection)) = timeout(GREETING, builder.handshake::<_, Bytes>(socket)).await else { return };
    let mut stops = false;
    let mut calls = Vec::new();
    loop {
        let stop = async {
            // Whoever could say so is gone: that says it too.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        };
        let accepted = tokio::select! {
            biased;
            () = stop, if !stops => {
                stops = true;
                connection.graceful_shutdown();
                continue;
            }
            accepted = connection.accept() => accepted,
        };
        let Some(Ok(first)) = accepted else { return };
        calls.push(first);
        while calls.len() < TOGETHER {
            match poll_fn(|context| Poll::Ready(pin!(connection.accept()).poll(context))).await {
                Poll::Ready(Some(Ok(call))) => calls.push(call),
                // Nobody is there to be answered.
                Poll::Ready(_) => return,
                Poll::Pending => break,
            }
        }
        for (request, respond) in calls.drain(..) {
            call::begin(request, respond, &service, stops);
        }
    }
}
