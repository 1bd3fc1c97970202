//! One client connection: h1 or h2 (prior knowledge), told apart by its first bytes.

use super::patience::{Activity, Observed, Patience};
use super::worker::Shared;
use super::{HEADER_READ_TIMEOUT, MAX_HEADER_BYTES, MAX_HEADERS};
use crate::peer::Peer;
use crate::pipeline;
use hyper::ext::ReasonPhrase;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tidegate_telemetry::metrics::listeners::Open;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Concurrent streams of one h2 client connection.
const MAX_STREAMS: u32 = 100;
/// A client that cancels a whole page of requests is no attacker; one that does more is.
const MAX_PENDING_RESETS: usize = 2 * MAX_STREAMS as usize;
/// Streams reset by us for a client's errors before the connection is given up.
const MAX_LOCAL_RESETS: usize = 100;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The phrase of 499, the one status of ours that has none in RFC 9110.
const CLIENT_CLOSED_REQUEST: ReasonPhrase = ReasonPhrase::from_static(b"Client Closed Request");

/// What every h2 client sends first (RFC 9113, section 3.4); no h1 method begins like it.
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Runs the connection to its end.
pub(super) async fn serve(stream: TcpStream, peer: Peer, open: Open, shared: Rc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let _open = open;
    let mut stop = shared.stop.clone();
    let begun = tokio::select! {
        biased;
        begun = tokio::time::timeout(HEADER_READ_TIMEOUT, speaks_h2(&stream)) => begun,
        // Nothing was asked yet: nothing to wait for.
        _ = stop.wait_for(|&stop| stop) => return,
    };
    let Ok(Ok(h2)) = begun else { return };
    let outcome = if h2 { serve_h2(stream, peer, &shared).await } else { serve_h1(stream, peer, &shared).await };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a client connection ended with an error");
    }
}

/// Looks at the first bytes without taking them.
async fn speaks_h2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; H2_PREFACE.len()];
    let mut seen = 0;
    loop {
        let count = stream.peek(&mut first).await?;
        if count == 0 || first[..count] != H2_PREFACE[..count] {
            return Ok(false);
        }
        if count == first.len() {
            return Ok(true);
        }
        // The preface arrives in pieces. `peek` returns at once while any byte is there, so yield
        // to the others between looks; the header timeout bounds this.
        if count == seen {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        seen = count;
    }
}

async fn serve_h1<S>(stream: S, peer: Peer, shared: &Rc<Shared>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    // Its own timer would be set anew for every request: see `patience`.
    builder.header_read_timeout(None).max_headers(MAX_HEADERS).max_header_size(MAX_HEADER_BYTES);
    let activity = Rc::new(Activity::default());
    let (handler, requests) = (Rc::clone(shared), Rc::clone(&activity));
    let service = service_fn(move |request| {
        let (shared, peer, in_flight) = (Rc::clone(&handler), peer.clone(), requests.request());
        async move {
            let _in_flight = in_flight;
            let mut response = pipeline::handle(&shared.gateway, &shared.pools, request, &peer).await;
            if response.status().canonical_reason().is_none() {
                response.extensions_mut().insert(CLIENT_CLOSED_REQUEST);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let stream = Observed::new(stream, Rc::clone(&activity));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stop = shared.stop.clone();
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        () = Patience::new(activity) => return Ok(()),
        _ = stop.wait_for(|&stop| stop) => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

async fn serve_h2(stream: TcpStream, peer: Peer, shared: &Rc<Shared>) -> hyper::Result<()> {
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_BYTES as u32)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    let handler = Rc::clone(shared);
    let service = service_fn(move |request| {
        let (shared, peer) = (Rc::clone(&handler), peer.clone());
        async move { Ok::<_, Infallible>(pipeline::handle(&shared.gateway, &shared.pools, request, &peer).await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stop = shared.stop.clone();
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        _ = stop.wait_for(|&stop| stop) => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

/// Runs a connection's streams on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

#[cfg(test)]
mod tests;
