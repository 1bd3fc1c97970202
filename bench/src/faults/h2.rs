//! Requests over HTTP/2, as a client sends them that minds GOAWAY.

use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request};

use super::h1::keep_last;
use super::ledger::Ledger;
use super::native;
use super::traffic::{Ask, Length, Plan, within};

/// Opens a connection and drives it for as long as anybody uses it; `None` if nobody listens.
async fn connect(plan: &Plan) -> Option<SendRequest<Bytes>> {
    loop {
        let stream = plan.connect().await?;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1 << 20).initial_connection_window_size(16 << 20);
        if let Ok((send, connection)) = builder.handshake(stream).await {
            tokio::task::spawn_local(connection);
            return Some(send);
        }
        // A server that stops may close a connection that has said nothing.
    }
}

fn send(on: &mut SendRequest<Bytes>, host: &str, ask: Ask) -> Result<ResponseFuture> {
    let request = Request::builder().method(ask.method).uri(format!("http://{host}{}", ask.target));
    let request = match ask.native {
        true => request.header("content-type", "application/grpc").header("te", "trailers"),
        false => request.header("accept", "application/x-ndjson"),
    };
    let (response, mut body) = on.send_request(request.header("x-probe", "1").body(())?, ask.body.is_empty())?;
    if !ask.body.is_empty() {
        body.send_data(ask.body, true)?;
    }
    Ok(response)
}

/// One connection, opened again whenever it ends, until there is nothing more to send or nobody listens.
pub(super) async fn requests(plan: Rc<Plan>, ledger: Rc<Ledger>) {
    let mut exchanges = tokio::task::JoinSet::new();
    while let Some(mut send) = connect(&plan).await {
        while let Some(number) = ledger.next().await {
            // A connection that is going away takes no more, and says so here.
            send = match send.ready().await {
                Ok(ready) => ready,
                Err(_) => {
                    ledger.put_back(number);
                    break;
                }
            };
            let sent = Instant::now();
            match self::send(&mut send, plan.host(number), plan.ask(number)) {
                Ok(response) => {
                    exchanges.spawn_local(exchange(response, Rc::clone(&ledger), plan.native, number, sent));
                }
                Err(_) => {
                    ledger.put_back(number);
                    break;
                }
            }
            while exchanges.try_join_next().is_some() {}
        }
        if ledger.is_closed() {
            break;
        }
    }
    while exchanges.join_next().await.is_some() {}
}

async fn exchange(response: ResponseFuture, ledger: Rc<Ledger>, native: bool, number: u64, sent: Instant) {
    let mut body = Vec::new();
    match within(read(response, |piece| body.extend_from_slice(piece))).await {
        Ok(End { status, native: Some(code) }) if native => {
            let (status, body) = native::as_rest(status, code, &body);
            ledger.answered(number, sent, status, body.as_bytes());
        }
        Ok(End { status, .. }) => ledger.answered(number, sent, status, &body),
        Err(error) => match error.downcast_ref::<h2::Error>() {
            Some(error) if surely_not_processed(error) => ledger.turned_away(),
            _ => ledger.unanswered(number, &error),
        },
    }
}

/// RFC 9113, section 8.7.
fn surely_not_processed(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// How a reply ended.
struct End {
    status: u16,
    /// gRPC's code, in the trailers or, of a reply without messages, in the head.
    native: Option<u16>,
}

async fn read(response: ResponseFuture, mut sink: impl FnMut(&[u8])) -> Result<End> {
    let (head, mut body) = response.await?.into_parts();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        sink(&data);
    }
    let code = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    let native = body.trailers().await?.as_ref().and_then(code).or_else(|| code(&head.headers));
    Ok(End { status: head.status.as_u16(), native })
}

/// One stream after the other.
pub(super) async fn streams(plan: Rc<Plan>, ledger: Rc<Ledger>, length: Length) {
    while let Some(send) = connect(&plan).await {
        let mut last = Vec::new();
        let ended: Result<_> = async {
            let mut send = send.ready().await.context("not sent")?;
            let response = self::send(&mut send, plan.host(0), plan.stream(length)).context("not sent")?;
            let End { status, native } = read(response, |piece| keep_last(&mut last, piece)).await?;
            if plan.native {
                last = native::last_line(status, native).into();
            }
            Ok(())
        }
        .await;
        match ended {
            Err(error) if error.to_string() == "not sent" => {}
            Err(error) if error.downcast_ref().is_some_and(surely_not_processed) => ledger.turned_away(),
            ended => ledger.stream_ended(ended.map_err(|error| format!("{error:#}")), &last),
        }
        if ledger.is_closed() {
            return;
        }
    }
}
