//! A gRPC upstream that takes its time and keeps a journal.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::{BufMut, Bytes, BytesMut};
use h2::SendStream;
use http::{HeaderMap, HeaderValue, Response};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

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
}

/// An order that an upstream gets while it runs, on a line of its own: `delay 50` (milliseconds), `fail 50` (of a
/// hundred calls).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From now on this long.
    Delay(Duration),
    /// From now on so many of a hundred.
    Fail(u32),
}

impl std::str::FromStr for Order {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        match line.split_once(' ') {
            Some(("delay", ms)) => Ok(Self::Delay(Duration::from_millis(ms.parse()?))),
            Some(("fail", share)) => Ok(Self::Fail(share.parse()?)),
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
        }
    }
}

/// Serves h2c until the listener fails. Must run in a [`tokio::task::LocalSet`].
///
/// # Errors
/// The listener fails.
pub async fn serve(listener: TcpListener, plan: Rc<Plan>) -> Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::task::spawn_local(connection(socket, Rc::clone(&plan)));
    }
}

async fn connection(socket: TcpStream, plan: Rc<Plan>) -> Result<()> {
    let mut builder = h2::server::Builder::new();
    let mut connection = builder.max_concurrent_streams(1000).handshake(socket).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        // A client that left is no error here.
        tokio::task::spawn_local(answer(request, respond, Rc::clone(&plan)));
    }
    Ok(())
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

fn frame(message: &Item) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}
