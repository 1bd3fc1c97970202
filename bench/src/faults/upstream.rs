//! A gRPC upstream that takes its time and keeps a journal.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::SendStream;
use http::{HeaderMap, HeaderValue, Response};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::native::frame;
use crate::messages::{GetItemRequest, Item, ListItemsRequest};
use crate::scenario::Scenario;
use crate::upstream::collect;

/// Between the messages of a stream whose `page_token` is `slow`.
const TICK: Duration = Duration::from_millis(50);

/// Notes in each message of any other stream: with 65 536 of them the stream is 1 GiB.
const NOTES: usize = 16 * 1024;

/// What the upstream does.
#[derive(Debug)]
pub struct Plan {
    /// Before it answers a unary call.
    pub delay: Cell<Duration>,
    /// How many of a hundred unary calls fail with `UNAVAILABLE`.
    pub failing: Cell<u32>,
    /// Where it is among them.
    pub calls: Cell<u32>,
    /// Places for unary calls: one that finds none waits.
    pub at_once: Option<Semaphore>,
    /// Where the id of every unary call goes, one a line, before anything else happens. A line that
    /// was written stays, however the process ends.
    pub journal: Option<File>,
    /// Stands in the title of every unary answer, with `+probe` if the call has the metadata `x-probe`, and with
    /// `+` and its value if it has `x-injected`.
    pub name: Option<String>,
    /// Whether it has been told to stop.
    pub stopped: watch::Sender<bool>,
}

/// An order that an upstream gets while it runs, on a line of its own: `delay 50` (milliseconds), `fail 50` (of a
/// hundred calls), `stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From now on this long.
    Delay(Duration),
    /// From now on so many of a hundred.
    Fail(u32),
    /// To listen no longer, to say so on every connection (GOAWAY), and to end with the last call.
    Stop,
}

impl std::str::FromStr for Order {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        match line.split_once(' ') {
            Some(("delay", ms)) => Ok(Self::Delay(Duration::from_millis(ms.parse()?))),
            Some(("fail", share)) => Ok(Self::Fail(share.parse()?)),
            None if line == "stop" => Ok(Self::Stop),
            _ => anyhow::bail!("`{line}` is no order"),
        }
    }
}

impl Plan {
    /// Does as it is told.
    pub fn obey(&self, order: Order) {
        match order {
            Order::Delay(delay) => self.delay.set(delay),
            Order::Fail(share) => self.failing.set(share),
            Order::Stop => drop(self.stopped.send_replace(true)),
        }
    }
}

/// Serves h2c until it is told to stop and has ended what it had. Must run in a [`tokio::task::LocalSet`].
///
/// # Errors
/// The listener fails.
pub async fn serve(listener: TcpListener, plan: Rc<Plan>) -> Result<()> {
    let mut stopped = plan.stopped.subscribe();
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        socket.set_nodelay(true)?;
        connections.spawn_local(connection(socket, Rc::clone(&plan)));
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Ends with its client, or with the last call after it was told to stop.
async fn connection(socket: TcpStream, plan: Rc<Plan>) -> Result<()> {
    let mut stopped = plan.stopped.subscribe();
    let mut builder = h2::server::Builder::new();
    let mut connection = builder.max_concurrent_streams(1000).handshake(socket).await?;
    let mut leaves = false;
    loop {
        let request = tokio::select! {
            request = connection.accept() => request,
            _ = stopped.wait_for(|stopped| *stopped), if !leaves => {
                leaves = true;
                connection.graceful_shutdown();
                continue;
            }
        };
        let Some(request) = request else { return Ok(()) };
        let (request, respond) = request?;
        // A client that left is no error here.
        tokio::task::spawn_local(answer(request, respond, Rc::clone(&plan)));
    }
}

async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    plan: Rc<Plan>,
) -> Result<()> {
    let path = request.uri().path().to_owned();
    let told = told(request.headers());
    let body = collect(&mut request.into_body()).await?;
    let message = body.get(5..).context("a message")?;
    let mut response = Response::new(());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    let mut send = if path == Scenario::Stream.grpc_path() {
        let asked = ListItemsRequest::decode(message)?;
        let mut send = respond.send_response(response, false)?;
        stream(&mut send, &asked).await?;
        send
    } else {
        let GetItemRequest { id } = GetItemRequest::decode(message)?;
        if let Some(mut journal) = plan.journal.as_ref() {
            journal.write_all(format!("{id}\n").as_bytes())?;
        }
        let place = match &plan.at_once {
            Some(places) => Some(places.acquire().await?),
            None => None,
        };
        tokio::time::sleep(plan.delay.get()).await;
        drop(place);
        // Spread evenly: of two every second one.
        let failing = plan.failing.get();
        let turn = plan.calls.get() + failing;
        plan.calls.set(turn % 100);
        if turn >= 100 {
            response.headers_mut().insert("grpc-status", HeaderValue::from_static("14"));
            respond.send_response(response, true)?;
            return Ok(());
        }
        let mut send = respond.send_response(response, false)?;
        let mut item = Item { id, ..Item::default() };
        if let Some(name) = &plan.name {
            item.title = format!("{name}{told}");
            item.price_cents = 1;
        }
        send.send_data(frame(&item), false)?;
        send
    };
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    send.send_trailers(trailers)?;
    Ok(())
}

/// What a title says of the call's metadata.
fn told(metadata: &HeaderMap) -> String {
    let probe = if metadata.contains_key("x-probe") { "+probe" } else { "" };
    let injected = metadata.get_all("x-injected").iter();
    let injected: String = injected.map(|value| format!("+{}", String::from_utf8_lossy(value.as_bytes()))).collect();
    format!("{probe}{injected}")
}

/// So many messages: one each tick, or as fast as they are taken.
async fn stream(send: &mut SendStream<Bytes>, asked: &ListItemsRequest) -> Result<()> {
    let slow = asked.page_token == "slow";
    let notes = if slow { String::new() } else { "n".repeat(NOTES) };
    let message = frame(&Item { id: "item".to_owned(), notes, ..Item::default() });
    for _ in 0..asked.page_size {
        if slow {
            tokio::time::sleep(TICK).await;
        }
        let mut left = message.clone();
        while !left.is_empty() {
            send.reserve_capacity(left.len());
            let capacity = std::future::poll_fn(|context| send.poll_capacity(context)).await;
            let capacity = capacity.context("the stream was reset")??;
            send.send_data(left.split_to(capacity.min(left.len())), false)?;
        }
    }
    Ok(())
}
