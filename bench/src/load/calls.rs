//! Native calls: one HTTP/2 connection, as little of a gRPC client as a load generator needs.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::scenario::Scenario;
use crate::upstream::collect;

/// A handle to the connection; clones share it.
#[derive(Clone)]
pub(super) struct Calls {
    shared: Rc<Shared>,
    uri: http::Uri,
}

/// The connection of several clients: a gateway gives one so many requests and no more.
struct Shared {
    address: String,
    /// Counts the connections.
    sender: RefCell<(u64, SendRequest<Bytes>)>,
}

async fn connect(address: &str) -> Result<SendRequest<Bytes>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("nobody listens on {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(16 << 20)
        .handshake(stream)
        .await?;
    // It ends with the gateway, or with the last handle.
    spawn_local(connection);
    Ok(sender)
}

impl Calls {
    /// Must run in a [`tokio::task::LocalSet`].
    pub(super) async fn open(address: &str, scenario: Scenario) -> Result<Self> {
        let sender = connect(address).await?;
        Ok(Self {
            shared: Rc::new(Shared { address: address.to_owned(), sender: RefCell::new((0, sender)) }),
            uri: format!("http://bench.local{}", scenario.grpc_path()).parse()?,
        })
    }

    /// A handle that takes a request: of a new connection if the gateway takes no more on the old one.
    async fn ready(&self) -> Result<SendRequest<Bytes>> {
        loop {
            let (number, sender) = self.shared.sender.borrow().clone();
            if let Ok(sender) = sender.ready().await {
                return Ok(sender);
            }
            let sender = connect(&self.shared.address).await?;
            let mut shared = self.shared.sender.borrow_mut();
            // Of those that noticed at the same time the first one is enough.
            if shared.0 == number {
                *shared = (number + 1, sender);
            }
        }
    }

    /// One unary call; the frame of its answer. An error if its status is not OK.
    pub(super) async fn call(&mut self, message: &Bytes) -> Result<Bytes> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", "tidegate-bench")
            .body(())?;
        let mut sender = self.ready().await?;
        let (response, mut send) = sender.send_request(request, false)?;
        send.send_data(message.clone(), true)?;
        let response = response.await?;
        let head = response.headers().clone();
        let mut body = response.into_body();
        let frame = collect(&mut body).await?;
        let trailers = body.trailers().await?;
        let status = |headers: &HeaderMap| headers.get("grpc-status").map(|value| value.as_bytes() == b"0");
        let ok = trailers.as_ref().and_then(status).or_else(|| status(&head));
        ensure!(ok == Some(true), "a call failed: {head:?} {trailers:?}");
        Ok(frame)
    }
}
